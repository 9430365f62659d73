//! Does what it is told to do wrong, in the hook it is told to, and only when the topic (or the client id, where there
//! is no topic) ends with the configured suffix. Everything else is let through, so that a test can count it.

#![cfg(target_family = "wasm")]

mod behaviour;
mod raw;

use hookwire_plugin::authenticate::{RuleAction, TopicRule};
use hookwire_plugin::prelude::*;
use hookwire_plugin::{kv, log, publish};

use behaviour::Behaviour;

/// What a replaced topic must not be.
const INVALID_TOPIC: &str = "evil/#/+";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// What goes wrong, hook by hook. A hook that is not named behaves.
    #[serde(default)]
    behaviour: Hooks,
    /// What triggers it.
    #[serde(default = "default_suffix")]
    suffix: String,
    /// Of the questions to `authorize`, only those about this go wrong: `publish`, `subscribe`, `deliver` or `will`.
    only_action: Option<String>,
    /// Tells one configuration of this plugin from the next.
    #[serde(default)]
    nonce: u32,
    #[serde(flatten)]
    sizes: behaviour::Sizes,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hooks {
    configure: Option<Behaviour>,
    health: Option<Behaviour>,
    tick: Option<Behaviour>,
    stop: Option<Behaviour>,
    on_publish: Option<Behaviour>,
    authenticate: Option<Behaviour>,
    authenticate_enhanced: Option<Behaviour>,
    authorize: Option<Behaviour>,
    on_subscribe: Option<Behaviour>,
    on_unsubscribe: Option<Behaviour>,
    deliver: Option<Behaviour>,
    route: Option<Behaviour>,
    on_will: Option<Behaviour>,
    events: Option<Behaviour>,
}

fn default_suffix() -> String {
    "/evil".to_owned()
}

struct Hostile(Config);

impl Hostile {
    /// Misbehaves, if a hook is told to and the name triggers it; what goes wrong in the answer is left to the hook.
    fn misbehave(&self, behaviour: Option<Behaviour>, name: &str) -> Option<Behaviour> {
        let behaviour = behaviour.filter(|_| name.ends_with(&self.0.suffix))?;
        behaviour.run(&self.0.sizes);
        Some(behaviour)
    }

    fn run(&self, behaviour: Option<Behaviour>) {
        if let Some(behaviour) = behaviour {
            behaviour.run(&self.0.sizes);
        }
    }

    /// The first instance of a configuration is made, and no other.
    fn first_only(self) -> Result<Self, Problems> {
        match kv::increment(&format!("made-{}", self.0.nonce), 1, None) {
            Ok(1) => Ok(self),
            _ => Err(Problem::at("behaviour.configure", "refused from the second on").into()),
        }
    }

    fn huge_text(&self) -> String {
        String::from_utf8(self.0.sizes.huge_bytes()).unwrap_or_default()
    }

    fn bad_replacement(&self, behaviour: Option<Behaviour>) -> Option<Replacement> {
        match behaviour? {
            Behaviour::HugeAnswer => Some(Replacement::payload(self.0.sizes.huge_bytes())),
            Behaviour::HugeList => Some(Replacement::properties(PropertiesBuf {
                user_properties: self.0.sizes.huge_list(|| UserProperty::new("a", "b")),
                ..PropertiesBuf::default()
            })),
            Behaviour::InvalidTopic => Some(Replacement::topic(INVALID_TOPIC)),
            _ => None,
        }
    }
}

impl Plugin for Hostile {
    type Config = Config;

    fn new(config: Config) -> Result<Self, Problems> {
        let hostile = Self(config);
        hostile.run(hostile.0.behaviour.configure);
        match hostile.0.behaviour.configure {
            Some(Behaviour::HugeAnswer) => Err(Problem::at("", hostile.huge_text()).into()),
            Some(Behaviour::Refuse) => Err(Problem::at("behaviour.configure", "refused as asked").into()),
            Some(Behaviour::RefuseLater) => hostile.first_only(),
            _ => Ok(hostile),
        }
    }

    fn interests(&self) -> Interests {
        let mut interests = Interests::default();
        match self.0.behaviour.configure {
            Some(Behaviour::InvalidTopic) => interests.on_publish = MessageInterest::topics([INVALID_TOPIC]),
            Some(Behaviour::HugeList) => {
                interests.on_publish.topics = Some(self.0.sizes.huge_list(|| "a/b".to_owned()));
            }
            _ => {}
        }
        if self.0.behaviour.authorize.is_some() {
            interests.authorize = interests.authorize | AccessInterest::DELIVER;
        }
        if self.0.behaviour.tick.is_some() {
            interests.tick_ms = Some(100);
        }
        interests
    }

    fn health(&self) -> Result<(), String> {
        self.run(self.0.behaviour.health);
        match self.0.behaviour.health {
            Some(Behaviour::HugeAnswer) => Err(self.huge_text()),
            Some(Behaviour::Refuse) => Err("unhealthy as asked".to_owned()),
            _ => Ok(()),
        }
    }

    fn tick(&self) {
        self.run(self.0.behaviour.tick);
    }

    fn stop(&self) {
        self.run(self.0.behaviour.stop);
    }
}

impl OnPublish for Hostile {
    fn on_publish(&self, message: &Message<'_>) -> Verdict {
        let behaviour = self.misbehave(self.0.behaviour.on_publish, message.topic());
        raw::spoil_frame(behaviour);
        match behaviour {
            Some(Behaviour::Answer) => answer(message.topic()),
            Some(Behaviour::HugeText) => Verdict::reject(Reason::Unspecified, self.huge_text()),
            Some(Behaviour::Refuse) => Verdict::reject(Reason::NotAuthorized, "refused as asked"),
            _ => self
                .bad_replacement(behaviour)
                .map_or(Verdict::Pass, Verdict::Replace),
        }
    }
}

/// Says in the log that there was a last time.
fn answer(topic: &str) -> Verdict {
    if let Err(error) = publish::publish(&MessageBuf::new(topic, b"again".to_vec())) {
        log::info!("answered no more: {error:?}");
    }
    Verdict::pass()
}

impl Authenticate for Hostile {
    fn authenticate(&self, who: &Credentials) -> Outcome {
        let attributes = |attributes| {
            Outcome::allow(Grant {
                attributes,
                ..Grant::default()
            })
        };
        match self.misbehave(self.0.behaviour.authenticate, &who.client_id) {
            Some(Behaviour::HugeAnswer) => attributes(vec![UserProperty::new("a", self.huge_text())]),
            Some(Behaviour::HugeText) => Outcome::deny(ConnectReason::Banned, self.huge_text()),
            Some(Behaviour::HugeList) => attributes(self.0.sizes.huge_list(|| UserProperty::new("a", "b"))),
            Some(Behaviour::InvalidTopic) => Outcome::allow(Grant {
                mount_point: Some(INVALID_TOPIC.to_owned()),
                rules: vec![TopicRule::allow(RuleAction::Both, "a/#/b")],
                ..Grant::default()
            }),
            Some(Behaviour::Refuse) => Outcome::deny(ConnectReason::NotAuthorized, "refused as asked"),
            _ => Outcome::allow(Grant::default()),
        }
    }
}

impl AuthenticateEnhanced for Hostile {
    fn begin(&self, _method: &str, _data: Option<&[u8]>, who: &Credentials) -> Step {
        let grant = match self.misbehave(self.0.behaviour.authenticate_enhanced, &who.client_id) {
            Some(Behaviour::InvalidTopic) => Grant {
                mount_point: Some(INVALID_TOPIC.to_owned()),
                ..Grant::default()
            },
            Some(Behaviour::Refuse) => return Step::deny(ConnectReason::NotAuthorized),
            _ => Grant::default(),
        };
        Step::Allow { grant, data: None }
    }

    fn proceed(&self, _method: &str, _data: Option<&[u8]>, _state: &[u8]) -> Step {
        Step::Next
    }
}

impl OnSubscribe for Hostile {
    fn on_subscribe(&self, _: ClientKey, request: &SubscribeRequest) -> SubscribeDecision {
        match self.misbehave(self.0.behaviour.on_subscribe, &request.filter) {
            Some(Behaviour::HugeAnswer | Behaviour::HugeText) => request.with_filter(self.huge_text()).into(),
            Some(Behaviour::InvalidTopic) => request.with_filter(INVALID_TOPIC).into(),
            Some(Behaviour::Refuse) => SubscribeReason::NotAuthorized.into(),
            _ => SubscribeDecision::Pass,
        }
    }
}

impl OnUnsubscribe for Hostile {
    fn on_unsubscribe(&self, _: ClientKey, request: &UnsubscribeRequest) -> UnsubscribeDecision {
        match self.misbehave(self.0.behaviour.on_unsubscribe, &request.filter) {
            Some(Behaviour::HugeAnswer | Behaviour::HugeText) => {
                UnsubscribeRequest::new(self.huge_text()).into()
            }
            Some(Behaviour::InvalidTopic) => UnsubscribeRequest::new(INVALID_TOPIC).into(),
            Some(Behaviour::Refuse) => UnsubscribeReason::NotAuthorized.into(),
            _ => UnsubscribeDecision::Pass,
        }
    }
}

impl Deliver for Hostile {
    fn deliver(&self, _: ClientKey, message: &Message<'_>) -> DeliverDecision {
        let behaviour = self.misbehave(self.0.behaviour.deliver, message.topic());
        raw::spoil_frame(behaviour);
        match behaviour {
            Some(Behaviour::Refuse) => DeliverDecision::Drop,
            _ => self
                .bad_replacement(behaviour)
                .map_or(DeliverDecision::Pass, DeliverDecision::Replace),
        }
    }
}

impl Authorize for Hostile {
    fn authorize(&self, access: &Access) -> Answer {
        let action = match access.action {
            Action::Publish => "publish",
            Action::Subscribe => "subscribe",
            Action::Deliver => "deliver",
            Action::Will => "will",
        };
        let is_meant = self.0.only_action.as_deref().is_none_or(|only| only == action);
        let behaviour = self.0.behaviour.authorize.filter(|_| is_meant);
        match self.misbehave(behaviour, &access.topic) {
            Some(Behaviour::HugeAnswer | Behaviour::HugeText) => {
                Decision::Deny(Some(self.huge_text())).into()
            }
            Some(Behaviour::InvalidTopic) => Decision::Deny(Some("\0".to_owned())).into(),
            Some(Behaviour::Refuse) => Answer::deny(),
            _ => Answer::allow(),
        }
    }
}

impl Route for Hostile {
    fn route(&self, message: &Message<'_>, _recipients: &Recipients) -> RouteDecision {
        let copies = |copies| {
            Routing {
                copies,
                ..Routing::default()
            }
            .into()
        };
        match self.misbehave(self.0.behaviour.route, message.topic()) {
            Some(Behaviour::HugeAnswer | Behaviour::HugeText) => copies(vec![self.huge_text()]),
            Some(Behaviour::HugeList) => copies(self.0.sizes.huge_list(|| "copy".to_owned())),
            Some(Behaviour::InvalidTopic) => copies(vec![INVALID_TOPIC.to_owned()]),
            Some(Behaviour::Refuse) => Routing {
                only: Some(vec![]),
                ..Routing::default()
            }
            .into(),
            _ => RouteDecision::Default,
        }
    }
}

impl OnWill for Hostile {
    fn on_will(&self, _: ClientKey, _: Cause, _: Delays, message: &Message<'_>) -> WillDecision {
        let behaviour = self.misbehave(self.0.behaviour.on_will, message.topic());
        match behaviour {
            Some(Behaviour::Refuse) => WillDecision::Suppress,
            _ => self
                .bad_replacement(behaviour)
                .map_or(WillDecision::Publish, WillDecision::Replace),
        }
    }
}

impl Events for Hostile {
    fn on_events(&self, events: &[Event]) {
        for event in events {
            self.misbehave(self.0.behaviour.events, &event.client_id);
        }
    }
}
