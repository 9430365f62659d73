//! The broker as shadows see it: they may look, and what they do is not done.

use std::sync::Arc;

use hookwire_hooks::{
    ClientFacts, ClientKey, Host, Message, PluginPublish, RetainedAmount, Surroundings, Unread,
};
use hookwire_protocol::{TopicFilter, TopicName};

/// Answers questions as the broker does, and swallows the rest. The answers are those of a broker that obeys, so that a
/// shadow does not take another path than the plugin would.
pub(crate) struct Spectator(pub(crate) Arc<dyn Host>);

impl Host for Spectator {
    fn client(&self, key: ClientKey) -> Option<Arc<ClientFacts>> {
        self.0.client(key)
    }

    fn disconnect(&self, key: ClientKey, _: Option<String>) -> bool {
        self.0.client(key).is_some()
    }

    fn publish(&self, _: Vec<PluginPublish>) -> bool {
        true
    }

    fn forget_answers(&self, key: ClientKey) -> bool {
        self.0.client(key).is_some()
    }

    fn reauthorize(&self, key: ClientKey) -> bool {
        self.0.client(key).is_some()
    }

    fn retained(&self, topic: &TopicName) -> Result<Option<Message>, Unread> {
        self.0.retained(topic)
    }

    fn retained_matching(
        &self,
        filter: &TopicFilter,
        after: Option<&str>,
        amount: RetainedAmount,
    ) -> Result<Vec<Message>, Unread> {
        self.0.retained_matching(filter, after, amount)
    }

    fn has_room_to_retain(&self, message: &Message) -> bool {
        self.0.has_room_to_retain(message)
    }

    fn surroundings(&self) -> Option<&dyn Surroundings> {
        self.0.surroundings()
    }
}

#[cfg(test)]
mod tests {
    use hookwire_hooks::NoHost;

    use super::*;

    /// A broker that nobody may ask for anything.
    struct Untouchable;

    impl Host for Untouchable {
        fn client(&self, key: ClientKey) -> Option<Arc<ClientFacts>> {
            NoHost.client(key)
        }

        fn disconnect(&self, _: ClientKey, _: Option<String>) -> bool {
            panic!("a shadow disconnects somebody")
        }

        fn publish(&self, _: Vec<PluginPublish>) -> bool {
            panic!("a shadow publishes")
        }

        fn forget_answers(&self, _: ClientKey) -> bool {
            panic!("a shadow makes answers forgotten")
        }

        fn reauthorize(&self, _: ClientKey) -> bool {
            panic!("a shadow has rights looked at again")
        }

        fn retained(&self, topic: &TopicName) -> Result<Option<Message>, Unread> {
            NoHost.retained(topic)
        }

        fn retained_matching(
            &self,
            filter: &TopicFilter,
            after: Option<&str>,
            amount: RetainedAmount,
        ) -> Result<Vec<Message>, Unread> {
            NoHost.retained_matching(filter, after, amount)
        }

        fn has_room_to_retain(&self, message: &Message) -> bool {
            NoHost.has_room_to_retain(message)
        }
    }

    #[test]
    fn nothing_that_a_shadow_does_is_done() {
        let spectator = Spectator(Arc::new(Untouchable));
        assert!(spectator.client(ClientKey(1)).is_none());
        assert!(!spectator.disconnect(ClientKey(1), None));
        assert!(spectator.publish(Vec::new()));
        assert!(!spectator.forget_answers(ClientKey(1)));
        assert!(!spectator.reauthorize(ClientKey(1)));
    }
}
