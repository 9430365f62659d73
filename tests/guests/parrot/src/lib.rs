//! Gives the answer that is asked of it: its name is the topic, the filter, the client id, the authentication method. Every
//! other name is let be, so that each hook can be seen to answer whatever it can.

use hookwire_plugin::authenticate::{RuleAction, TopicRule};
use hookwire_plugin::prelude::*;

/// Where clients are sent.
const SERVER: &str = "other.example:1883";

/// How long something is made to wait, milliseconds or seconds.
const DELAY: u32 = 1;

struct Parrot;

impl Plugin for Parrot {
    type Config = NoConfig;

    fn new(_: NoConfig) -> Result<Self, Problems> {
        Ok(Self)
    }
}

fn superuser() -> Grant {
    Grant {
        superuser: true,
        ..Grant::default()
    }
}

fn with_rule(rule: TopicRule) -> Grant {
    Grant {
        rules: vec![rule],
        ..Grant::default()
    }
}

/// A grant, where the name is one of an answer with a grant.
fn grant(name: &str) -> Option<Grant> {
    match name {
        "allow" => Some(Grant::default()),
        "allow with superuser" => Some(superuser()),
        "allow with a rule that allows" => Some(with_rule(TopicRule::allow(RuleAction::Both, "a/#"))),
        "allow with a rule that denies" => Some(with_rule(TopicRule::deny(RuleAction::Both, "a/#"))),
        _ => None,
    }
}

/// The same of refusals.
fn denial(name: &str) -> Option<Denial> {
    match name {
        "deny" => Some(ConnectReason::NotAuthorized.into()),
        "deny with another server" => Some(Denial::redirect(SERVER, false)),
        _ => None,
    }
}

/// Those of the answers to a message that several hooks have.
fn replacement(name: &str) -> Option<Replacement> {
    (name == "replace").then(|| Replacement::payload("replaced"))
}

impl Authenticate for Parrot {
    fn authenticate(&self, who: &Credentials) -> Outcome {
        let name = who.client_id.as_str();
        match (grant(name), denial(name)) {
            (Some(grant), _) => Outcome::Allow(grant),
            (_, Some(denial)) => Outcome::Deny(denial),
            _ if name == "unavailable" => Outcome::Unavailable,
            _ => Outcome::Next,
        }
    }
}

fn step(name: &str) -> Step {
    match (grant(name), denial(name)) {
        (Some(grant), _) => Step::Allow { grant, data: None },
        (_, Some(denial)) => Step::Deny(denial),
        _ if name == "challenge" => Step::Challenge {
            data: b"who are you?".to_vec(),
            state: Vec::new(),
        },
        _ => Step::Next,
    }
}

impl AuthenticateEnhanced for Parrot {
    fn begin(&self, method: &str, _: Option<&[u8]>, _: &Credentials) -> Step {
        step(method)
    }

    fn proceed(&self, method: &str, _: Option<&[u8]>, _: &[u8]) -> Step {
        step(method)
    }
}

impl Authorize for Parrot {
    fn authorize(&self, access: &Access) -> Answer {
        match access.topic.as_str() {
            "allow" => Answer::allow(),
            "deny" => Answer::deny(),
            "disconnect" => Decision::Disconnect(None).into(),
            _ => Decision::Next.into(),
        }
    }
}

impl OnSubscribe for Parrot {
    fn on_subscribe(&self, _: ClientKey, request: &SubscribeRequest) -> SubscribeDecision {
        match request.filter.as_str() {
            "replace" => request.with_filter("replaced").into(),
            "without-retained" => SubscribeDecision::WithoutRetained,
            "reject" => SubscribeReason::NotAuthorized.into(),
            _ => SubscribeDecision::Pass,
        }
    }
}

impl OnUnsubscribe for Parrot {
    fn on_unsubscribe(&self, _: ClientKey, request: &UnsubscribeRequest) -> UnsubscribeDecision {
        match request.filter.as_str() {
            "replace" => UnsubscribeRequest::new("replaced").into(),
            "reject" => UnsubscribeReason::NotAuthorized.into(),
            _ => UnsubscribeDecision::Pass,
        }
    }
}

impl OnPublish for Parrot {
    fn on_publish(&self, message: &Message<'_>) -> Verdict {
        let name = message.topic();
        match name {
            "drop" => Verdict::Drop,
            "reject" => Verdict::reject(Reason::NotAuthorized, "rejected as asked"),
            "disconnect" => Verdict::disconnect(Reason::NotAuthorized, "disconnected as asked"),
            "throttle" => Verdict::Throttle(DELAY),
            _ => replacement(name).map_or(Verdict::Pass, Verdict::Replace),
        }
    }
}

impl Route for Parrot {
    fn route(&self, message: &Message<'_>, _: &Recipients) -> RouteDecision {
        match message.topic() {
            "change" => Routing::default().into(),
            _ => RouteDecision::Default,
        }
    }
}

impl Deliver for Parrot {
    fn deliver(&self, _: ClientKey, message: &Message<'_>) -> DeliverDecision {
        let name = message.topic();
        match name {
            "drop" => DeliverDecision::Drop,
            _ => replacement(name).map_or(DeliverDecision::Pass, DeliverDecision::Replace),
        }
    }
}

impl OnWill for Parrot {
    fn on_will(&self, _: ClientKey, _: Cause, _: Delays, message: &Message<'_>) -> WillDecision {
        let name = message.topic();
        match name {
            "suppress" => WillDecision::Suppress,
            "delay" => WillDecision::Delay(DELAY),
            _ => replacement(name).map_or(WillDecision::Publish, WillDecision::Replace),
        }
    }
}

hookwire_plugin::export!(
    Parrot: Authenticate + AuthenticateEnhanced + Authorize + OnSubscribe + OnUnsubscribe + OnPublish + Route + Deliver + OnWill
);

#[cfg(test)]
mod tests {
    use hookwire_plugin::mock;

    use super::*;

    #[test]
    fn it_answers_what_it_is_told_and_nothing_else() {
        let parrot: Parrot = mock::plugin("{}").unwrap();
        assert_eq!(parrot.on_publish(&Message::new("drop", "")), Verdict::Drop);
        assert_eq!(parrot.on_publish(&Message::new("drop/not", "")), Verdict::Pass);
        assert_eq!(
            parrot.authenticate(&Credentials::new("deny with another server")),
            Outcome::redirect(SERVER, false)
        );
        assert_eq!(parrot.authenticate(&Credentials::new("lamp")), Outcome::Next);
    }
}
