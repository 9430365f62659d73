//! Stamps each message with the configured text and rejects denied topics. Two plugins of it with the same stamp, and a
//! reload that changes both, prove that a message is judged by one generation of the chain. Administrators may ask it for
//! its stamp, and more.

use hookwire_plugin::log;
use hookwire_plugin::prelude::*;

/// Name of the user property that carries the stamp.
const STAMP_PROPERTY: &str = "stamp";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// What each message is stamped with.
    stamp: String,
    /// Where the stamp goes.
    #[serde(default)]
    place: Place,
    /// Topics that begin with one of these are rejected; the reason string is the stamp.
    #[serde(default)]
    deny_prefix: Vec<String>,
    /// Messages that an earlier plugin did not stamp with this text are rejected.
    require: Option<String>,
    /// Refuse this configuration.
    #[serde(default)]
    refuse: bool,
    /// Be ill from the first.
    #[serde(default)]
    unhealthy: bool,
}

#[derive(Default, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Place {
    /// A user property is appended.
    #[default]
    Property,
    /// The payload gets `|` and the stamp appended.
    Payload,
    /// Nowhere: the plugin passes or rejects.
    None,
}

struct Policy(Config);

impl Plugin for Policy {
    type Config = Config;

    fn new(config: Config) -> Result<Self, Problems> {
        if config.refuse {
            return Err(Problem::at("refuse", "refused as asked").into());
        }
        log::info!("stamp {}", config.stamp);
        Ok(Self(config))
    }

    fn health(&self) -> Result<(), String> {
        if self.0.unhealthy {
            Err("unhealthy as asked".to_owned())
        } else {
            Ok(())
        }
    }
}

impl OnPublish for Policy {
    fn on_publish(&self, message: &Message<'_>) -> Verdict {
        let Self(config) = self;
        if config
            .deny_prefix
            .iter()
            .any(|prefix| message.topic().starts_with(prefix))
        {
            return Verdict::reject(Reason::NotAuthorized, &config.stamp);
        }
        if config
            .require
            .as_deref()
            .is_some_and(|stamp| !is_stamped(message, stamp))
        {
            return Verdict::reject(Reason::ImplementationSpecific, "wrong generation");
        }
        self.stamped(message)
    }
}

impl Policy {
    fn stamped(&self, message: &Message<'_>) -> Verdict {
        let stamp = &self.0.stamp;
        match self.0.place {
            Place::Property => {
                let mut properties = message.properties().to_owned();
                properties.push_user_property(STAMP_PROPERTY, stamp);
                Replacement::properties(properties).into()
            }
            Place::Payload => {
                let payload = [message.payload(), b"|", stamp.as_bytes()].concat();
                Replacement::payload(payload).into()
            }
            Place::None => Verdict::pass(),
        }
    }
}

/// Whether the last stamp of a message is this text.
fn is_stamped(message: &Message<'_>, stamp: &str) -> bool {
    let properties = message.properties();
    let last = properties
        .user_properties()
        .filter(|&(name, _)| name == STAMP_PROPERTY)
        .last();
    let in_payload = message.payload().rsplit(|&byte| byte == b'|').next();
    last.is_some_and(|(_, value)| value == stamp) || in_payload == Some(stamp.as_bytes())
}

/// What an administrator may ask.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Request {
    /// Which stamp?
    Stamp,
    /// Say this.
    Echo(String),
    /// Fail.
    Panic,
    /// Never come back.
    Loop,
}

impl Control for Policy {
    type Request = Request;
    type Reply = String;

    fn control(&self, request: Request) -> Result<String, String> {
        match request {
            Request::Stamp => Ok(self.0.stamp.clone()),
            Request::Echo(text) if text.is_empty() => Err("nothing to say".to_owned()),
            Request::Echo(text) => Ok(text),
            Request::Panic => panic!("panicked as asked"),
            Request::Loop => loop {
                std::hint::black_box(());
            },
        }
    }
}

hookwire_plugin::export!(Policy: OnPublish + Control);

#[cfg(test)]
mod tests {
    use hookwire_plugin::mock;

    use super::*;

    #[test]
    fn stamps_and_denies() {
        let policy: Policy = mock::plugin(r#"{"stamp": "g1", "deny_prefix": ["no/"]}"#).unwrap();
        let mut properties = PropertiesBuf::default();
        properties.push_user_property("stamp", "g1");
        let stamped = policy.on_publish(&Message::new("a", "x"));
        assert_eq!(stamped, Replacement::properties(properties).into());
        let denied = policy.on_publish(&Message::new("no/a", "x"));
        assert_eq!(denied, Verdict::reject(Reason::NotAuthorized, "g1"));
    }

    #[test]
    fn stamps_the_payload_and_requires_it() {
        let policy: Policy = mock::plugin(r#"{"stamp": "g2", "place": "payload", "require": "g1"}"#).unwrap();
        assert!(matches!(
            policy.on_publish(&Message::new("a", "x|g0")),
            Verdict::Reject(_)
        ));
        assert_eq!(
            policy.on_publish(&Message::new("a", "x|g1")),
            Replacement::payload("x|g1|g2").into()
        );
    }
}
