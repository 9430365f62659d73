//! The keys of records that belong to sessions.

use std::num::NonZeroU64;

use hookwire_protocol::PacketId;
use hookwire_store::Key;

/// Everything of one session is in one range.
pub fn session(session: u64) -> Key {
    Key::from_slice(&session.to_be_bytes())
}

/// A place in its queue. The order of keys is that of messages.
pub fn place(session: u64, seq: u64) -> Key {
    let mut key = self::session(session);
    key.extend_from_slice(&seq.to_be_bytes());
    key
}

/// A packet identifier of its client, or towards it.
pub fn packet(session: u64, id: PacketId) -> Key {
    let mut key = self::session(session);
    key.extend_from_slice(&id.get().to_be_bytes());
    key
}

/// One of its subscriptions, or a filter that its client has asked for.
pub fn subscription(session: u64, filter: &str) -> Key {
    let mut key = self::session(session);
    key.extend_from_slice(filter.as_bytes());
    key
}

/// A message that is stored apart.
pub fn body(body: NonZeroU64) -> Key {
    Key::from_slice(&body.get().to_be_bytes())
}

/// The session of a key, and what follows it.
pub fn split(key: &[u8]) -> Option<(u64, &[u8])> {
    let (session, rest) = key.split_first_chunk()?;
    Some((u64::from_be_bytes(*session), rest))
}
