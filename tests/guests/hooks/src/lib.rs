//! Every hook put to its use, as the configuration says, so that tests see from outside what each of them can do.

use std::collections::BTreeMap;

use hookwire_plugin::prelude::*;
use hookwire_plugin::{clients, log, publish};

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    /// Clients with these limits; all others are admitted with none.
    limits: BTreeMap<String, Limits>,
    /// Clients that are sent to another server, for good or for now.
    redirect: BTreeMap<String, bool>,
    /// Filters that become others.
    rewrite: BTreeMap<String, String>,
    /// Filters that bring no retained messages.
    without_retained: Vec<String>,
    /// Filters that nobody may subscribe to.
    reject: Vec<String>,
    /// Filters that nobody may unsubscribe from.
    hold: Vec<String>,
    /// Topics whose deliveries get ` for <client id>` appended; none: `deliver` is not asked.
    personal: Option<Vec<String>>,
    /// Clients that nothing is delivered to.
    deaf: Vec<String>,
    /// For each message to `ask`, one is published to `answer`.
    answers: bool,
}

#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Limits {
    receive_maximum: Option<u16>,
    queue_messages: Option<u32>,
    queue_bytes: Option<u64>,
    messages_per_second: Option<u32>,
    bytes_per_second: Option<u64>,
}

struct Hooks(Config);

impl Plugin for Hooks {
    type Config = Config;

    fn new(config: Config) -> Result<Self, Problems> {
        Ok(Self(config))
    }

    fn interests(&self) -> Interests {
        Interests {
            on_publish: MessageInterest::topics(["ask"]),
            route: MessageInterest::none(),
            deliver: match &self.0.personal {
                Some(topics) => MessageInterest::topics(topics),
                None => MessageInterest::none(),
            },
            events: EventInterest::ACKED
                | EventInterest::UNROUTED
                | EventInterest::REFUSED
                | EventInterest::SUBSCRIBED,
            ..Interests::default()
        }
    }
}

impl Authenticate for Hooks {
    fn authenticate(&self, who: &Credentials) -> Outcome {
        if let Some(permanent) = self.0.redirect.get(&who.client_id) {
            return Outcome::redirect("other.example:1883", *permanent);
        }
        let limits = self.0.limits.get(&who.client_id).cloned().unwrap_or_default();
        Outcome::allow(Grant {
            receive_maximum: limits.receive_maximum,
            max_queue_messages: limits.queue_messages,
            max_queue_bytes: limits.queue_bytes,
            max_messages_per_second: limits.messages_per_second,
            max_bytes_per_second: limits.bytes_per_second,
            ..Grant::default()
        })
    }
}

impl OnSubscribe for Hooks {
    fn on_subscribe(&self, _: ClientKey, request: &SubscribeRequest) -> SubscribeDecision {
        if self.0.reject.contains(&request.filter) {
            return SubscribeReason::QuotaExceeded.into();
        }
        if self.0.without_retained.contains(&request.filter) {
            return SubscribeDecision::WithoutRetained;
        }
        match self.0.rewrite.get(&request.filter) {
            Some(filter) => request.with_filter(filter).into(),
            None => SubscribeDecision::Pass,
        }
    }
}

impl OnUnsubscribe for Hooks {
    fn on_unsubscribe(&self, _: ClientKey, request: &UnsubscribeRequest) -> UnsubscribeDecision {
        if self.0.hold.contains(&request.filter) {
            return UnsubscribeReason::NotAuthorized.into();
        }
        UnsubscribeDecision::Pass
    }
}

impl OnPublish for Hooks {
    fn on_publish(&self, message: &Message<'_>) -> Verdict {
        if self.0.answers
            && let Err(error) = publish::publish(&MessageBuf::new("answer", message.payload()))
        {
            log::warn!("no answer: {error:?}");
        }
        Verdict::pass()
    }
}

impl Route for Hooks {
    fn route(&self, message: &Message<'_>, _: &Recipients) -> RouteDecision {
        log::error!("asked to route {}, which was declined", message.topic());
        RouteDecision::Default
    }
}

impl Deliver for Hooks {
    fn deliver(&self, recipient: ClientKey, message: &Message<'_>) -> DeliverDecision {
        let Some(client) = clients::get(recipient) else {
            return DeliverDecision::Drop;
        };
        if self.0.deaf.contains(&client.client_id) {
            return DeliverDecision::Drop;
        }
        let payload = [message.payload(), b" for ", client.client_id.as_bytes()].concat();
        Replacement::payload(payload).into()
    }
}

impl Events for Hooks {
    fn on_events(&self, events: &[Event]) {
        for event in events {
            let who = &event.client_id;
            match &event.what {
                What::Acked(acked) => log::info!("{who} has taken {}", acked.topic),
                What::Unrouted(topic) => log::info!("nobody has subscribed to {topic} of {who}"),
                What::Refused(refused) => log::info!("{who} was refused: {:#04x}", refused.reason),
                What::Subscribed(subscribed) => log::info!("{who} is subscribed to {}", subscribed.filter),
                _ => {}
            }
        }
    }
}

hookwire_plugin::export!(Hooks: Authenticate + OnSubscribe + OnUnsubscribe + OnPublish + Route + Deliver + Events);

#[cfg(test)]
mod tests {
    use hookwire_plugin::mock::{self, Mock};

    use super::*;

    #[test]
    fn a_message_is_made_personal() {
        let host = Mock::new();
        host.add_client(1, clients::Client::new("one"));
        let hooks: Hooks = mock::plugin(r#"{ "deaf": ["two"] }"#).unwrap();
        let message = Message::new("t", "news");
        assert_eq!(
            hooks.deliver(1, &message),
            Replacement::payload("news for one").into()
        );
        assert_eq!(hooks.deliver(2, &message), DeliverDecision::Drop);
    }

    #[test]
    fn filters_are_rewritten_held_and_rejected() {
        let config =
            r#"{ "rewrite": { "a": "b" }, "reject": ["c"], "hold": ["d"], "without_retained": ["e"] }"#;
        let hooks: Hooks = mock::plugin(config).unwrap();
        let decide = |filter: &str| hooks.on_subscribe(1, &SubscribeRequest::new(filter));
        assert_eq!(decide("a"), SubscribeRequest::new("b").into());
        assert_eq!(decide("c"), SubscribeReason::QuotaExceeded.into());
        assert_eq!(decide("e"), SubscribeDecision::WithoutRetained);
        assert_eq!(decide("f"), SubscribeDecision::Pass);
        assert_eq!(
            hooks.on_unsubscribe(1, &UnsubscribeRequest::new("d")),
            UnsubscribeReason::NotAuthorized.into()
        );
    }

    #[test]
    fn clients_are_sent_elsewhere() {
        let hooks: Hooks = mock::plugin(r#"{ "redirect": { "c": true } }"#).unwrap();
        let outcome = hooks.authenticate(&Credentials::new("c"));
        assert_eq!(outcome, Outcome::redirect("other.example:1883", true));
    }
}
