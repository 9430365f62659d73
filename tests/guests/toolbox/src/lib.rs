//! Uses what the host offers as it is told: by messages to `tool/…`, which go nowhere, and by CONNECTs. What comes of it is
//! published to `result`. In these topics `*` stands for `#` and `?` for `+`.

use hookwire_plugin::prelude::*;
use hookwire_plugin::rate_limit::{self, Rate};
use hookwire_plugin::{clients, kv, metrics, password, publish, retained, secrets, signatures};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The hash of everybody's password.
    hash: String,
}

struct Toolbox {
    config: Config,
    /// As it was when the plugin was made.
    secret: Option<Vec<u8>>,
}

/// Key of the filter that nobody may subscribe to any more.
const DENIED: &str = "denied";

impl Plugin for Toolbox {
    type Config = Config;

    fn new(config: Config) -> Result<Self, Problems> {
        let secret = secrets::get("mine");
        Ok(Self { config, secret })
    }

    fn interests(&self) -> Interests {
        Interests {
            on_publish: MessageInterest::topics(["tool/#"]),
            ..Interests::default()
        }
    }
}

impl OnPublish for Toolbox {
    fn on_publish(&self, message: &Message<'_>) -> Verdict {
        let payload = String::from_utf8_lossy(message.payload());
        let (tool, rest) = match message.topic().splitn(3, '/').collect::<Vec<_>>()[..] {
            [_, tool, rest] => (tool, rest),
            [_, tool] => (tool, ""),
            _ => return Verdict::pass(),
        };
        let rest = rest.replace('*', "#").replace('?', "+");
        let result = self.use_tool(tool, &rest, &payload, message);
        if tool == "fail" {
            panic!("as asked");
        }
        say(&result);
        Verdict::drop()
    }
}

impl Toolbox {
    fn use_tool(&self, tool: &str, topic: &str, payload: &str, message: &Message<'_>) -> String {
        let retain = |topic: &str| format!("{:?}", retained::put(&MessageBuf::new(topic, payload)));
        match tool {
            "retain" | "fail" => retain(topic),
            "unretain" => format!("{:?}", retained::delete(topic)),
            "get" => match retained::get(topic) {
                Ok(Some(kept)) => format!(
                    "{} {:?}",
                    String::from_utf8_lossy(&kept.payload),
                    expiry_of(&kept)
                ),
                other => format!("{other:?}"),
            },
            "find" => format!(
                "{:?}",
                retained::find(topic, 10, None).map(|page| page.messages.len())
            ),
            "secret" => {
                let others = secrets::get("other").is_some();
                format!(
                    "{:?} {others}",
                    self.secret.as_deref().map(String::from_utf8_lossy)
                )
            }
            "password" => format!("{:?}", password::verify(&self.config.hash, payload.as_bytes())),
            "signature" => {
                format!(
                    "{:?}",
                    signatures::verify(signatures::Algorithm::Ed25519, &[7; 32], b"", &[7; 64])
                )
            }
            "take" => {
                let rate = Rate {
                    per_second: 0.001,
                    burst: 2.0,
                };
                format!("{}", rate_limit::take(topic, rate, 1.0).is_ok())
            }
            "observe" => {
                metrics::observe("seen", payload.parse().unwrap_or(f64::NAN));
                "observed".to_owned()
            }
            "put" => format!("{:?}", kv::put(topic, payload.as_bytes(), None)),
            "keys" => {
                let page = kv::keys(topic, 2, (!payload.is_empty()).then_some(payload));
                format!("{:?} {:?}", page.keys, page.cursor)
            }
            "deny" => {
                let denied = kv::put(DENIED, topic.as_bytes(), None);
                let client = message.client().unwrap_or_default();
                match payload {
                    "reauthorize" => format!("{denied:?} {}", clients::reauthorize(client)),
                    "forget" => format!("{denied:?} {}", clients::forget(client)),
                    _ => format!("{denied:?}"),
                }
            }
            _ => "no such tool".to_owned(),
        }
    }
}

fn expiry_of(message: &MessageBuf) -> Option<u32> {
    message.properties.as_ref()?.message_expiry_secs
}

fn say(result: &str) {
    let _ = publish::publish(&MessageBuf {
        qos: Qos::AtLeastOnce,
        ..MessageBuf::new("result", result)
    });
}

/// Here the host may take its time.
impl Authenticate for Toolbox {
    fn authenticate(&self, who: &Credentials) -> Outcome {
        let Some(text) = &who.password else {
            return Outcome::allow(Grant::default());
        };
        match password::verify(&self.config.hash, text) {
            Ok(true) => Outcome::allow(Grant {
                user_properties: vec![UserProperty::new("retained", found())],
                ..Grant::default()
            }),
            _ => Outcome::Deny(ConnectReason::BadUserNameOrPassword.into()),
        }
    }
}

/// The topics of all retained messages that it may read, two at a time.
fn found() -> String {
    let (mut topics, mut cursor) = (Vec::new(), None);
    loop {
        match retained::find("kept/#", 2, cursor.as_deref()) {
            Ok(page) => {
                topics.extend(page.messages.into_iter().map(|message| message.topic));
                match page.cursor {
                    Some(next) => cursor = Some(next),
                    None => return topics.join(","),
                }
            }
            Err(error) => return format!("{error:?}"),
        }
    }
}

impl Authorize for Toolbox {
    /// All answers may be kept for a long time: what changes has to be told.
    fn authorize(&self, access: &Access) -> Answer {
        let is_denied = kv::get(DENIED).is_some_and(|denied| denied == access.topic.as_bytes());
        let answer = if is_denied {
            Answer::deny()
        } else {
            Answer::allow()
        };
        answer.cached_for_ms(u32::MAX)
    }
}

hookwire_plugin::export!(Toolbox: OnPublish + Authenticate + Authorize);
