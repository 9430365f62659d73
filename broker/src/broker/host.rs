//! What plugins may ask of the broker.

use std::sync::Arc;

use hookwire_hooks::{
    ClientFacts, ClientKey, Host, KeptEntry, Message, PluginPublish, RetainedAmount, Unread,
};
use hookwire_protocol::{TopicFilter, TopicName};
use hookwire_store::StoreError;
use parking_lot::RwLock;

use super::{Broker, emission};
use crate::clock;

/// The broker as plugins see it. It is made before the broker, since the broker's first chain is loaded
/// against it, and holds nothing alive.
#[derive(Debug, Default)]
pub struct PluginAccess(RwLock<Option<std::sync::Weak<super::Shared>>>);

impl PluginAccess {
    /// From here on plugins reach this broker.
    pub fn connect(&self, broker: &Broker) {
        *self.0.write() = Some(Arc::downgrade(&broker.0));
    }

    fn broker(&self) -> Option<Broker> {
        self.0
            .read()
            .as_ref()
            .and_then(std::sync::Weak::upgrade)
            .map(Broker)
    }
}

impl Broker {
    /// What is known of a connection, as long as anything is.
    pub(super) fn facts(&self, key: ClientKey) -> Option<Arc<ClientFacts>> {
        match self.0.registry.by_key(key) {
            Some(client) => Some(client.standing().facts).filter(|facts| facts.key == key),
            None => self.0.sessionless.read().facts(key),
        }
    }
}

impl Host for PluginAccess {
    fn client(&self, key: ClientKey) -> Option<Arc<ClientFacts>> {
        self.broker()?.facts(key)
    }

    fn disconnect(&self, key: ClientKey, text: Option<String>) -> bool {
        self.broker()
            .is_some_and(|broker| broker.kick(key, text.map(Into::into)))
    }

    fn publish(&self, messages: Vec<PluginPublish>) -> bool {
        let Some(broker) = self.broker() else { return false };
        emission::queue(&broker.0.plugin_publishes, messages)
    }

    fn forget_answers(&self, key: ClientKey) -> bool {
        let client = self.broker().and_then(|broker| broker.0.registry.by_key(key));
        client.is_some_and(|client| {
            client.forget_answers();
            true
        })
    }

    /// Not at once: policies would be asked in the middle of a question to one of them.
    fn reauthorize(&self, key: ClientKey) -> bool {
        self.broker().is_some_and(|broker| {
            broker.0.registry.by_key(key).is_some() && broker.0.reauthorizations.try_send(key).is_ok()
        })
    }

    fn retained(&self, topic: &TopicName) -> Result<Option<Message>, Unread> {
        let Some(broker) = self.broker() else {
            return Ok(None);
        };
        let now = clock::now();
        let message = broker.retained_message(topic, now).map_err(unread)?;
        Ok(message.map(|message| message.with_time_left(now)))
    }

    fn retained_matching(
        &self,
        filter: &TopicFilter,
        after: Option<&str>,
        amount: RetainedAmount,
    ) -> Result<Vec<Message>, Unread> {
        let Some(broker) = self.broker() else {
            return Ok(Vec::new());
        };
        let now = clock::now();
        let found = broker.retained_messages(filter, after, amount, now);
        let found = found.map_err(unread)?;
        Ok(found.iter().map(|message| message.with_time_left(now)).collect())
    }

    fn has_room_to_retain(&self, message: &Message) -> bool {
        self.broker().is_some_and(|broker| {
            let limits = broker.settings().retained_limits();
            message.payload.is_empty()
                || (!broker.0.memory.is_full()
                    && broker.store_has_room()
                    && broker.0.router.check_retained(message, &limits).is_ok())
        })
    }

    fn keep(&self, plugin: &str, key: &str, entry: Option<KeptEntry>) {
        if let Some(broker) = self.broker() {
            broker.keep_entry(plugin, key, entry);
        }
    }

    fn kept(&self, plugin: &str) -> Result<Vec<(String, KeptEntry)>, Unread> {
        self.broker()
            .map_or_else(|| Ok(Vec::new()), |broker| broker.kept_entries(plugin))
            .map_err(unread)
    }
}

fn unread(error: StoreError) -> Unread {
    Unread(error.to_string())
}
