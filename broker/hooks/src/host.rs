//! What plugins may ask of the broker, as a narrow trait, so that the plugin host never imports the broker.

use std::sync::Arc;

use crate::{ClientFacts, ClientKey, Message, Surroundings};

/// A message that a plugin wants published.
#[derive(Debug, Clone)]
pub struct PluginPublish {
    /// The plugin that published it; it is not asked about its own message.
    pub plugin: Arc<str>,
    /// The message; its source is [`crate::Source::Plugin`].
    pub message: Message,
}

/// The broker, as plugins see it. Calls must not block: they are made in the middle of a hook.
pub trait Host: Send + Sync {
    /// Facts about a connection; `None` when it is not known any more.
    fn client(&self, key: ClientKey) -> Option<Arc<ClientFacts>>;

    /// Closes a connection with "administrative action"; false when there is none.
    fn disconnect(&self, key: ClientKey, text: Option<String>) -> bool;

    /// Queues messages of a plugin; false when the queue is full and they were dropped.
    fn publish(&self, messages: Vec<PluginPublish>) -> bool;

    /// What stands for the world around plugins; none: the world itself.
    fn surroundings(&self) -> Option<&dyn Surroundings> {
        None
    }
}

/// A host that knows nobody: for checking plugins without a broker.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHost;

impl Host for NoHost {
    fn client(&self, _: ClientKey) -> Option<Arc<ClientFacts>> {
        None
    }

    fn disconnect(&self, _: ClientKey, _: Option<String>) -> bool {
        false
    }

    fn publish(&self, _: Vec<PluginPublish>) -> bool {
        false
    }
}
