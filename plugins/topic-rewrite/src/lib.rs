//! Hookwire plugin `topic-rewrite`: topics that go by another name. Its README is the reference.

mod config;
mod rule;

use hookwire_plugin::prelude::*;

use config::Config;
use rule::Rules;

/// The plugin.
pub struct TopicRewrite {
    publish: Rules,
    subscribe: Rules,
    deliver: Rules,
}

impl Plugin for TopicRewrite {
    type Config = Config;

    fn new(config: Config) -> Result<Self, Problems> {
        config.check()
    }

    fn interests(&self) -> Interests {
        Interests {
            on_publish: self.publish.interest(),
            deliver: self.deliver.interest(),
            ..Interests::default()
        }
    }
}

impl OnPublish for TopicRewrite {
    fn on_publish(&self, message: &Message<'_>) -> Verdict {
        match self.publish.of_topic(message.topic()) {
            None => Verdict::pass(),
            Some(Some(topic)) => Replacement::topic(topic).into(),
            Some(None) => Verdict::reject(Reason::TopicNameInvalid, "the topic cannot be rewritten"),
        }
    }
}

impl OnSubscribe for TopicRewrite {
    fn on_subscribe(&self, _: ClientKey, request: &SubscribeRequest) -> SubscribeDecision {
        match self.subscribe.of_filter(&request.filter) {
            None => SubscribeDecision::Pass,
            Some(Some(filter)) => request.with_filter(filter).into(),
            Some(None) => SubscribeReason::TopicFilterInvalid.into(),
        }
    }
}

impl Deliver for TopicRewrite {
    /// A recipient that cannot be told under which name is told under the name that there is.
    fn deliver(&self, _: ClientKey, message: &Message<'_>) -> DeliverDecision {
        match self.deliver.of_topic(message.topic()) {
            Some(Some(topic)) => Replacement::topic(topic).into(),
            Some(None) | None => DeliverDecision::Pass,
        }
    }
}

hookwire_plugin::export!(TopicRewrite: OnPublish + OnSubscribe + Deliver);

#[cfg(test)]
mod tests;
