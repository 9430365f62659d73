//! Messages as records.

use std::time::Instant;

use bytes::Bytes;
use hookwire_hooks::{ClientKey, Message, Source};
use hookwire_protocol::{
    PublishProperties, QoS, TopicName, decode_publish_properties, encode_publish_properties,
};

use super::codec::{Decoder, Encoder, Unreadable};
use crate::clock;

/// Whoever published a message before the broker was started is not connected any more.
const NOBODY: ClientKey = ClientKey(0);

/// A message without its expiry, which is kept with each reference to it.
pub(super) fn encode(message: &Message, into: &mut Encoder) {
    let mut properties = Vec::new();
    if let Some(values) = message.properties.values() {
        encode_publish_properties(values, &mut properties);
    }
    into.u8(message.qos as u8 | u8::from(message.retain) << 2)
        .text(message.topic.as_str())
        .bytes(&properties)
        .rest(&message.payload);
}

/// Bytes that [`encode`] takes, but for the properties.
pub(super) fn encoded_len(message: &Message) -> usize {
    9 + message.topic.as_str().len() + message.payload.len()
}

pub(super) fn decode(mut record: Decoder) -> Result<Message, Unreadable> {
    let flags = record.u8()?;
    let topic = TopicName::new(record.text()?).map_err(|_| Unreadable)?;
    let properties = record.bytes()?;
    Ok(Message {
        source: Source::Client(NOBODY),
        topic,
        qos: qos(flags & 3)?,
        retain: flags & 4 > 0,
        properties: decode_properties(&properties)?,
        payload: record.rest(),
        expires_at: None,
    })
}

fn decode_properties(bytes: &Bytes) -> Result<PublishProperties, Unreadable> {
    if bytes.is_empty() {
        return Ok(PublishProperties::NONE);
    }
    let values = decode_publish_properties(bytes).map_err(|_| Unreadable)?;
    Ok(values.into())
}

pub(super) fn qos(number: u8) -> Result<QoS, Unreadable> {
    match number {
        0 => Ok(QoS::AtMostOnce),
        1 => Ok(QoS::AtLeastOnce),
        2 => Ok(QoS::ExactlyOnce),
        _ => Err(Unreadable),
    }
}

/// When a message expires, as it is stored: milliseconds since 1970, or 0.
pub(super) fn expiry(message: &Message) -> u64 {
    message.expires_at.map_or(0, clock::unix_ms_at)
}

/// The stored expiry as a moment of this process. The interval that it was published with is the most that may be left,
/// whatever the clock says by now.
pub(super) fn expires_at(message: &Message, stored_ms: u64, now: Instant) -> Option<Instant> {
    let interval = message.properties.values()?.message_expiry_interval_secs?;
    let at = clock::instant_of(stored_ms, now);
    Some(at.min(now + std::time::Duration::from_secs(interval.into())))
}
