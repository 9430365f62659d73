//! What `on-publish-batch` is handed; `wit/on-publish.wit` has the layout byte by byte.
//!
//! What is known of each message is apart from the bytes that all topics and payloads are pieces of. Messages that one client has sent
//! stand one behind the other where they were read, so these bytes need nearly always not be copied before they are handed over.

use hookwire_hooks::Message;
use hookwire_protocol::encode_publish_properties;

use crate::frame::{FLAG_PROPERTIES, approximate_properties_len, flags, origin};
use crate::hook::convert::Shown;

/// What is known of one message.
const ENTRY_BYTES: usize = 1 + 1 + 2 + 4 + 4 + 4 + 4 + 8;

/// Most bytes of a PUBLISH packet in front of its topic: type, remaining length, length of the topic. Another PUBLISH in between, which
/// the plugin is perhaps not to see, makes it more.
const BEFORE_TOPIC_MAX: usize = 1 + 4 + 2;

/// Most bytes between topic and payload where there are no properties: packet identifier, and the length of no properties.
const BEFORE_PAYLOAD_MAX: usize = 2 + 1;

/// What is handed over of some messages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PublishFrame<'a> {
    /// What is known of each.
    pub(crate) entries: &'a [u8],
    /// What topics, payloads and properties are pieces of.
    pub(crate) bytes: &'a [u8],
    /// [`Source::hops`](hookwire_hooks::Source::hops) of the one that comes from furthest away.
    pub(crate) hops: u8,
}

impl PublishFrame<'_> {
    /// How many messages are in it.
    pub(crate) fn len(&self) -> usize {
        self.entries.len() / ENTRY_BYTES
    }
}

/// A frame of as many messages from the front as fit into `bytes_max`, the first one always, if all of them stand one behind the other in
/// `packets`, which is what they were read as. Only the entries are written, to `room`, in place of what that holds.
pub(crate) fn as_read<'a>(
    messages: &[&Message],
    packets: &'a [u8],
    shown: Shown,
    bytes_max: usize,
    room: &'a mut Vec<u8>,
) -> Option<PublishFrame<'a>> {
    let (bytes, hops) = shown
        .payload
        .then(|| encode_as_read(messages, packets, bytes_max, room))??;
    Some(PublishFrame {
        entries: room,
        bytes,
        hops,
    })
}

/// The same of any messages, with the bytes copied to `room`, from where each message is.
pub(crate) fn of_pieces<'a>(
    messages: &[&Message],
    shown: Shown,
    bytes_max: usize,
    room: &'a mut Vec<u8>,
) -> PublishFrame<'a> {
    let messages = &messages[..how_many_fit(messages, shown, bytes_max)];
    encode_piecewise(messages, shown, room);
    let (entries, bytes) = room.split_at(messages.len() * ENTRY_BYTES);
    let hops = messages.iter().map(|message| message.source.hops());
    PublishFrame {
        entries,
        bytes,
        hops: hops.max().unwrap_or(0),
    }
}

/// Where a message is in the bytes of a frame.
struct Place {
    topic_at: u32,
    payload_at: u32,
    payload_len: u32,
    properties_len: u32,
}

/// Writes the entries of messages that stand one behind the other in `packets`, with nothing in between but their own packets' heads,
/// and returns the piece of `packets` that they are, and their hops; `None` if they do not. All that is to be known of the messages is
/// found out on the way: there are many, and walking along them once more is felt.
#[inline]
fn encode_as_read<'a>(
    messages: &[&Message],
    packets: &'a [u8],
    bytes_max: usize,
    entries: &mut Vec<u8>,
) -> Option<(&'a [u8], u8)> {
    let begin = place_in(packets, messages.first()?.topic.as_str().as_bytes());
    // From a place beyond the end, or before the beginning, nothing can be counted on; and places are told with 32 bits.
    if begin >= packets.len() || packets.len() > u32::MAX as usize {
        return None;
    }
    let mut end = begin;
    let mut hops = 0;
    entries.clear();
    entries.reserve(messages.len() * ENTRY_BYTES);
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
        if !entries.is_empty() && entries.len() + ENTRY_BYTES + payload_end - begin > bytes_max {
            break;
        }
        let place = Place {
            topic_at: (topic_at - begin) as u32,
            payload_at: (payload_at - begin) as u32,
            payload_len: payload.len() as u32,
            properties_len: 0,
        };
        entries.extend_from_slice(&entry(message, &place));
        hops = hops.max(message.source.hops());
        end = payload_end;
    }
    Some((packets.get(begin..end)?, hops))
}

/// Where a piece begins, counted from the beginning of `whole`; somewhere far off if it is a piece of something else.
#[inline]
fn place_in(whole: &[u8], piece: &[u8]) -> usize {
    piece.as_ptr().addr().wrapping_sub(whole.as_ptr().addr())
}

/// Writes the entries of any messages, and behind them the bytes, copied from where each message is.
fn encode_piecewise(messages: &[&Message], shown: Shown, out: &mut Vec<u8>) {
    let bytes_at = messages.len() * ENTRY_BYTES;
    out.clear();
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
            topic_at: count(topic_at),
            payload_at: count(payload_at),
            payload_len: count(payload.len()),
            properties_len: count(out.len() - properties_at),
        };
        let entry_at = index * ENTRY_BYTES;
        out[entry_at..entry_at + ENTRY_BYTES].copy_from_slice(&entry(message, &place));
    }
}

/// Packets are far smaller than 4 GiB; a larger number would make the guest refuse the frame.
fn count(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
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
    entry[4..8].copy_from_slice(&place.topic_at.to_le_bytes());
    entry[8..12].copy_from_slice(&place.payload_at.to_le_bytes());
    entry[12..16].copy_from_slice(&place.payload_len.to_le_bytes());
    entry[16..20].copy_from_slice(&place.properties_len.to_le_bytes());
    entry[20..28].copy_from_slice(&key.to_le_bytes());
    entry
}

#[cfg(test)]
#[path = "publish_frame_tests.rs"]
mod tests;
