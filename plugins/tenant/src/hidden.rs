//! A prefix that clients do not know of: put in front of what they name, taken off what they are sent.

use hookwire_plugin::prelude::*;

use crate::Tenant;

impl OnPublish for Tenant {
    fn on_publish(&self, message: &Message<'_>) -> Verdict {
        let prefix = message.client().and_then(|client| self.prefix_of(client));
        let Some(prefix) = prefix.filter(|_| self.hides_prefix) else {
            return Verdict::pass();
        };
        let mut replacement = Replacement::default();
        if !self.is_common_topic(message.topic(), |common| common.publish) {
            replacement.topic = Some(format!("{prefix}{}", message.topic()));
        }
        // Whoever answers does so from where the prefix is known.
        if let Some(response) = message.properties().response_topic() {
            let mut properties = message.properties().to_owned();
            properties.response_topic = Some(format!("{prefix}{response}"));
            replacement.properties = Some(properties);
        }
        replacement.into()
    }
}

impl OnSubscribe for Tenant {
    fn on_subscribe(&self, client: ClientKey, request: &SubscribeRequest) -> SubscribeDecision {
        let prefix = self.prefix_of(client).filter(|_| self.hides_prefix);
        match prefix {
            Some(prefix) if !self.is_common_filter(&request.filter) => {
                request.with_filter(format!("{prefix}{}", request.filter)).into()
            }
            _ => SubscribeDecision::Pass,
        }
    }
}

impl Deliver for Tenant {
    fn deliver(&self, recipient: ClientKey, message: &Message<'_>) -> DeliverDecision {
        let Some(prefix) = self.prefix_of(recipient).filter(|_| self.hides_prefix) else {
            return DeliverDecision::Pass;
        };
        let Some(topic) = message.topic().strip_prefix(&prefix) else {
            // What all may have has no prefix; anything else is none of this client's.
            return if self.is_common_topic(message.topic(), |common| common.subscribe) {
                DeliverDecision::Pass
            } else {
                DeliverDecision::Drop
            };
        };
        if topic.is_empty() {
            return DeliverDecision::Drop;
        }
        let mut replacement = Replacement::topic(topic);
        let response = message.properties().response_topic();
        if let Some(response) = response.and_then(|response| response.strip_prefix(&prefix)) {
            let mut properties = message.properties().to_owned();
            properties.response_topic = Some(response.to_owned());
            replacement.properties = Some(properties);
        }
        replacement.into()
    }
}
