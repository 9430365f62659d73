//! What plugins may ask of the broker, as a narrow trait, so that the plugin host never imports the broker.

use std::sync::Arc;
use std::time::Instant;

use hookwire_protocol::{TopicFilter, TopicName};

use crate::{ClientFacts, ClientKey, Message, Surroundings};

/// A message that a plugin wants published.
#[derive(Debug, Clone)]
pub struct PluginPublish {
    /// The plugin that published it; it is not asked about its own message.
    pub plugin: Arc<str>,
    /// The message; its source is [`crate::Source::Plugin`].
    pub message: Message,
    /// Whether it only takes its place among the retained messages and is sent to nobody.
    pub is_only_kept: bool,
}

/// How many retained messages a plugin wants at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetainedAmount {
    /// Most messages.
    pub count: usize,
    /// Bytes of topics and payloads: the first message that makes them more is the last one.
    pub bytes: usize,
}

/// An entry of a plugin's store, as it survives the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptEntry {
    /// Its value; a number as eight bytes, little-endian.
    pub value: Vec<u8>,
    /// Whether it was written as a number, which can be added to.
    pub is_number: bool,
    /// When it is gone by itself.
    pub ends: Option<Instant>,
}

/// What was asked for is kept, and could not be read: nobody can say what it is, and least of all that it is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unread(
    /// Why, for people.
    pub String,
);

/// The broker, as plugins see it. Calls must not block: they are made in the middle of a hook.
pub trait Host: Send + Sync {
    /// Facts about a connection; `None` when it is not known any more.
    fn client(&self, key: ClientKey) -> Option<Arc<ClientFacts>>;

    /// Closes a connection with "administrative action"; false when there is none.
    fn disconnect(&self, key: ClientKey, text: Option<String>) -> bool;

    /// Queues messages of a plugin; false when the queue is full and they were dropped.
    fn publish(&self, messages: Vec<PluginPublish>) -> bool;

    /// Forgets what policies have said of a client; false when it is not known.
    fn forget_answers(&self, key: ClientKey) -> bool;

    /// Has the rights of a client looked at again, soon; false when it is not known or too many wait for that.
    fn reauthorize(&self, key: ClientKey) -> bool;

    /// The retained message of a topic, with what is left of its time.
    ///
    /// # Errors
    /// There is one, and it cannot be read.
    fn retained(&self, topic: &TopicName) -> Result<Option<Message>, Unread>;

    /// So many of the retained messages that a filter matches, in the order of their topics; those behind the topic `after`.
    ///
    /// # Errors
    /// One of them cannot be read.
    fn retained_matching(
        &self,
        filter: &TopicFilter,
        after: Option<&str>,
        amount: RetainedAmount,
    ) -> Result<Vec<Message>, Unread>;

    /// Whether there is room for a retained message.
    fn has_room_to_retain(&self, message: &Message) -> bool;

    /// Takes note of an entry of a plugin's durable store, or of its end. Without a store that survives the process, there
    /// is nothing to do.
    fn keep(&self, _plugin: &str, _key: &str, _entry: Option<KeptEntry>) {}

    /// The entries that were kept for a plugin.
    ///
    /// # Errors
    /// They cannot all be read.
    fn kept(&self, _plugin: &str) -> Result<Vec<(String, KeptEntry)>, Unread> {
        Ok(Vec::new())
    }

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

    fn forget_answers(&self, _: ClientKey) -> bool {
        false
    }

    fn reauthorize(&self, _: ClientKey) -> bool {
        false
    }

    fn retained(&self, _: &TopicName) -> Result<Option<Message>, Unread> {
        Ok(None)
    }

    fn retained_matching(
        &self,
        _: &TopicFilter,
        _: Option<&str>,
        _: RetainedAmount,
    ) -> Result<Vec<Message>, Unread> {
        Ok(Vec::new())
    }

    fn has_room_to_retain(&self, _: &Message) -> bool {
        false
    }
}
