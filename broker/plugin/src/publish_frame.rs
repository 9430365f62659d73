//! The frames of messages of `on-publish-batch`; `wit/on-publish.wit` has the layout byte by byte.
//!
//! What is known of each message comes first, and then the bytes that all topics and payloads are pieces of. Messages that one
//! client has sent stand one behind the other where they were read, so their bytes are nearly always copied in one go.

use hookwire_hooks::Message;
use hookwire_protocol::encode_publish_properties;

use crate::frame::{FLAG_PROPERTIES, HEAD_BYTES, approximate_properties_len, flags, len_bytes, origin};
use crate::hook::convert::Shown;

/// Version of the layout.
const VERSION: u8 = 2;

/// What is known of one message.
const ENTRY_BYTES: usize = 1 + 1 + 2 + 4 + 4 + 4 + 4 + 8;

/// Most bytes of a PUBLISH packet in front of its topic: type, remaining length, length of the topic. Another PUBLISH in between, which
/// the plugin is perhaps not to see, makes it more.
const BEFORE_TOPIC_MAX: usize = 1 + 4 + 2;

/// Most bytes between topic and payload where there are no properties: packet identifier, and the length of no properties.
const BEFORE_PAYLOAD_MAX: usize = 2 + 1;

/// What a frame has become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Framed {
    /// How many messages are in it, from the front.
    pub(crate) messages: usize,
    /// [`Source::hops`](hookwire_hooks::Source::hops) of the one that comes from furthest away.
    pub(crate) hops: u8,
}

/// Writes a frame in place of what `out` holds, of as many messages from the front as fit into `bytes_max`; the first one
/// always does. `packets` is what the messages were read as, if that is at hand.
pub(crate) fn encode(
    messages: &[&Message],
    packets: &[u8],
    shown: Shown,
    bytes_max: usize,
    out: &mut Vec<u8>,
) -> Framed {
    let as_read = shown
        .payload
        .then(|| encode_as_read(messages, packets, bytes_max, out));
    as_read
        .flatten()
        .unwrap_or_else(|| encode_piecewise(messages, shown, bytes_max, out))
}

/// Where a message is in the bytes of a frame.
struct Place {
    topic_at: usize,
    payload_at: usize,
    payload_len: usize,
    properties_len: usize,
}

/// Writes a frame of messages that stand one behind the other in `packets`, with nothing in between but their own packets' heads;
/// `None` if these do not. All that is to be known of the messages is found out on the way: there are many, and walking along them once
/// more is felt.
#[inline]
fn encode_as_read(
    messages: &[&Message],
    packets: &[u8],
    bytes_max: usize,
    out: &mut Vec<u8>,
) -> Option<Framed> {
    let begin = place_in(packets, messages.first()?.topic.as_str().as_bytes());
    // From a place beyond the end, or before the beginning, nothing can be counted on.
    if begin >= packets.len() {
        return None;
    }
    let mut end = begin;
    let mut framed = Framed { messages: 0, hops: 0 };
    put_head(out);
    out.reserve(messages.len() * ENTRY_BYTES);
    for message in messages {
        let (topic, payload) = (message.topic.as_str().as_bytes(), &message.payload[..]);
        let topic_at = place_in(packets, topic);
        let topic_end = topic_at.wrapping_add(topic.len());
        // No bytes may be anywhere.
        let payload_at = if payload.is_empty() {
            topic_end
        } else {
            place_in(packets, payload)
        };
        let follows = topic_at.wrapping_sub(end) <= BEFORE_TOPIC_MAX
            && payload_at.wrapping_sub(topic_end) <= BEFORE_PAYLOAD_MAX
            && message.properties.is_empty();
        if !follows {
            return None;
        }
        let payload_end = payload_at + payload.len();
        if framed.messages > 0 && (framed.messages + 1) * ENTRY_BYTES + payload_end - begin > bytes_max {
            break;
        }
        let place = Place {
            topic_at: topic_at - begin,
            payload_at: payload_at - begin,
            payload_len: payload.len(),
            properties_len: 0,
        };
        out.extend_from_slice(&entry(message, &place));
        framed.messages += 1;
        framed.hops = framed.hops.max(message.source.hops());
        end = payload_end;
    }
    out.extend_from_slice(packets.get(begin..end)?);
    put_count(out, framed.messages);
    Some(framed)
}

/// Where a piece begins, counted from the beginning of `whole`; somewhere far off if it is a piece of something else.
#[inline]
fn place_in(whole: &[u8], piece: &[u8]) -> usize {
    piece.as_ptr().addr().wrapping_sub(whole.as_ptr().addr())
}

/// Writes a frame of any messages, each copied from where it is.
fn encode_piecewise(messages: &[&Message], shown: Shown, bytes_max: usize, out: &mut Vec<u8>) -> Framed {
    let messages = &messages[..how_many_fit(messages, shown, bytes_max)];
    put_head(out);
    let bytes_at = HEAD_BYTES + messages.len() * ENTRY_BYTES;
    out.resize(bytes_at, 0);
    for (index, message) in messages.iter().enumerate() {
        let topic_at = out.len() - bytes_at;
        out.extend_from_slice(message.topic.as_str().as_bytes());
        let payload_at = out.len() - bytes_at;
        let payload = shown.payload(message);
        out.extend_from_slice(payload);
        let properties_at = out.len();
        if let Some(values) = shown.properties(message) {
            encode_publish_properties(values, out);
        }
        let place = Place {
            topic_at,
            payload_at,
            payload_len: payload.len(),
            properties_len: out.len() - properties_at,
        };
        let entry_at = HEAD_BYTES + index * ENTRY_BYTES;
        out[entry_at..entry_at + ENTRY_BYTES].copy_from_slice(&entry(message, &place));
    }
    put_count(out, messages.len());
    let hops = messages.iter().map(|message| message.source.hops());
    Framed {
        messages: messages.len(),
        hops: hops.max().unwrap_or(0),
    }
}

/// How many messages from the front are a frame, their properties not counted exactly.
fn how_many_fit(messages: &[&Message], shown: Shown, bytes_max: usize) -> usize {
    let mut bytes = 0;
    let fitting = messages.iter().take_while(|message| {
        let properties = shown.properties(message).map_or(0, approximate_properties_len);
        bytes += ENTRY_BYTES + message.topic.as_str().len() + shown.payload(message).len() + properties;
        bytes <= bytes_max
    });
    fitting.count().max(1).min(messages.len())
}

/// In one piece: it is written for each message that any plugin sees.
#[inline]
fn entry(message: &Message, place: &Place) -> [u8; ENTRY_BYTES] {
    let (kind, key) = origin(message.source);
    let has_properties = if place.properties_len > 0 {
        FLAG_PROPERTIES
    } else {
        0
    };
    // MQTT has no longer topics; one that is cut off would be another.
    let topic_len = u16::try_from(message.topic.as_str().len()).unwrap_or(u16::MAX);
    let mut entry = [0; ENTRY_BYTES];
    entry[0] = kind;
    entry[1] = flags(message) | has_properties;
    entry[2..4].copy_from_slice(&topic_len.to_le_bytes());
    entry[4..8].copy_from_slice(&len_bytes(place.topic_at));
    entry[8..12].copy_from_slice(&len_bytes(place.payload_at));
    entry[12..16].copy_from_slice(&len_bytes(place.payload_len));
    entry[16..20].copy_from_slice(&len_bytes(place.properties_len));
    entry[20..28].copy_from_slice(&key.to_le_bytes());
    entry
}

fn put_head(out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(&[VERSION, 0, 0, 0, 0]);
}

fn put_count(out: &mut [u8], messages: usize) {
    out[1..HEAD_BYTES].copy_from_slice(&len_bytes(messages));
}

#[cfg(test)]
#[path = "publish_frame_tests.rs"]
mod tests;
