//! `publish`: messages of the plugin's own.

use hookwire_hooks::{Message, PluginPublish, Source};
use hookwire_protocol::TopicName;

use crate::bindings::imports::publish::{Error, Host};
use crate::bindings::imports::types::MessageResult;
use crate::guest::Guest;
use crate::hook::convert;

/// Most plugin publishes in a row, each in answer to the one before: a chain of useful ones is short, a loop is endless.
const HOPS_MAX: u8 = 8;

impl Host for Guest {
    /// Keeps the message until the call has brought a good answer.
    fn publish(&mut self, message: MessageResult) -> Result<(), Error> {
        let hops = self.outbox.hops.saturating_add(1);
        if hops > HOPS_MAX {
            return Err(Error::LoopDetected);
        }
        let bytes = self.outbox.bytes.saturating_add(size(&message));
        let limits = self.services.limits();
        if bytes > limits.publish_bytes_per_call_max
            || self.outbox.messages.len() >= limits.publishes_per_call_max
        {
            return Err(Error::QuotaExceeded);
        }
        let message = receive(message, hops).ok_or(Error::TopicNameInvalid)?;
        if !self
            .services
            .grants
            .publish
            .iter()
            .any(|filter| filter.matches(&message.topic))
        {
            return Err(Error::NotGranted);
        }
        self.outbox.bytes = bytes;
        self.outbox.messages.push(PluginPublish {
            plugin: self.services.name.clone(),
            message,
        });
        Ok(())
    }
}

fn size(message: &MessageResult) -> usize {
    message.topic.len()
        + message.payload.len()
        + message.properties.as_ref().map_or(0, convert::properties_len)
}

/// The message, if its topics and texts are such that a client could have sent it.
fn receive(message: MessageResult, hops: u8) -> Option<Message> {
    let topic: TopicName = convert::topic(message.topic).ok()?;
    let properties = message
        .properties
        .map(convert::properties)
        .transpose()
        .ok()?
        .unwrap_or_default();
    Some(Message {
        source: Source::Plugin { hops },
        topic,
        payload: message.payload.into(),
        qos: convert::qos_in(message.qos),
        retain: message.retain,
        expires_at: convert::expires_at(&properties),
        properties,
    })
}
