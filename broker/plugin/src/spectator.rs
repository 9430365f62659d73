//! The broker as shadows see it: they may look, and what they do is not done.

use std::sync::Arc;

use hookwire_hooks::{ClientFacts, ClientKey, Host, PluginPublish};

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
    }

    #[test]
    fn nothing_that_a_shadow_does_is_done() {
        let spectator = Spectator(Arc::new(Untouchable));
        assert!(spectator.client(ClientKey(1)).is_none());
        assert!(!spectator.disconnect(ClientKey(1), None));
        assert!(spectator.publish(Vec::new()));
    }
}
