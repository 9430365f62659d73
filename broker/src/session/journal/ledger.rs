//! Where all sessions record what is on its way to them.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hashbrown::HashMap;
use hookwire_hooks::Message;
use hookwire_store::{Committer, Key, Space};
use parking_lot::Mutex;

use super::codec::{Decoder, Encoder, Unreadable};
use super::{Place, keys, message};
use crate::session::Delivered;

/// Messages up to this size are written for each recipient; larger ones once for all, and places in queues refer to them.
const INLINE_BYTES_MAX: usize = 256;

/// Records messages for all sessions, and remembers who shares which.
#[derive(Debug)]
pub struct Ledger {
    committer: Arc<Committer>,
    next_body: AtomicU64,
    /// How many places refer to each message that is stored apart; of those that were there at the start, only those are here
    /// that several places referred to then. Locked before the committer's batch.
    references: Mutex<HashMap<NonZeroU64, u32>>,
    /// The first message that was stored apart since the start.
    first_own: AtomicU64,
}

thread_local! {
    /// The message that this thread has stored apart last. A message goes to all its recipients one after the other.
    static LAST_BODY: std::cell::RefCell<Option<(Arc<Message>, NonZeroU64)>> = const { std::cell::RefCell::new(None) };
}

/// A place in a queue, as it is read back.
#[derive(Debug)]
pub struct Entry {
    /// What is sent to the client; the message without its content, if that is stored apart.
    pub flags: Flags,
    /// What it counts for in limits.
    pub cost: u32,
    /// When it expires, milliseconds since 1970; 0: never.
    pub expires_ms: u64,
    /// The message that it refers to.
    pub body: Option<NonZeroU64>,
    rest: Decoder,
}

/// What one client's copy of a message has of its own.
#[derive(Debug, Clone, Copy)]
pub struct Flags(u8);

impl Flags {
    const RETAIN: u8 = 4;
    const APART: u8 = 8;
    const SHARED: u8 = 16;

    fn of(delivered: &Delivered, is_apart: bool) -> Self {
        let mut flags = delivered.qos as u8;
        for (flag, is_set) in [
            (Self::RETAIN, delivered.retain),
            (Self::APART, is_apart),
            (Self::SHARED, delivered.shared.is_some()),
        ] {
            flags |= if is_set { flag } else { 0 };
        }
        Self(flags)
    }

    fn has(self, flag: u8) -> bool {
        self.0 & flag > 0
    }

    /// Whether another member of a shared subscription may get it.
    pub fn is_shared(self) -> bool {
        self.has(Self::SHARED)
    }
}

impl Ledger {
    /// A ledger over a store in which messages below `next_body` may be stored.
    pub fn new(committer: Arc<Committer>, next_body: u64) -> Self {
        Self {
            committer,
            next_body: AtomicU64::new(next_body.max(1)),
            references: Mutex::default(),
            first_own: AtomicU64::new(next_body.max(1)),
        }
    }

    /// What it records with.
    pub fn committer(&self) -> &Arc<Committer> {
        &self.committer
    }

    /// Places that were there when the broker was started refer to these messages, once for each time that they stand here. Called
    /// before anything is recorded.
    pub fn adopt(&self, mut bodies: Vec<NonZeroU64>) {
        bodies.sort_unstable();
        if let Some(last) = bodies.last() {
            self.next_body.fetch_max(last.get() + 1, Ordering::Relaxed);
            self.first_own.fetch_max(last.get() + 1, Ordering::Relaxed);
        }
        let mut references = self.references.lock();
        for same in bodies.chunk_by(|one, other| one == other) {
            if let [body, _, ..] = same {
                references.insert(*body, u32::try_from(same.len()).unwrap_or(u32::MAX));
            }
        }
    }

    /// Records a message for a session.
    pub(super) fn put(&self, session: u64, seq: u64, delivered: &Delivered) -> Place {
        let key = keys::place(session, seq);
        if message::encoded_len(&delivered.message) <= INLINE_BYTES_MAX {
            let mut value = head(delivered, false);
            message::encode(&delivered.message, &mut value);
            let commit = self.committer.put_new(Space::Queue, key, value.finish());
            return Place {
                seq,
                body: None,
                commit,
            };
        }
        let mut references = self.references.lock();
        let shared = last_body(&delivered.message).filter(|body| references.contains_key(body));
        let body = shared.unwrap_or_else(|| self.fresh_body());
        *references.entry(body).or_default() += 1;
        let mut value = head(delivered, true);
        value.u64(body.get());
        let commit = self.committer.record(|batch| {
            if shared.is_none() {
                let mut content = Encoder::with_room(message::encoded_len(&delivered.message));
                message::encode(&delivered.message, &mut content);
                batch.put_new(Space::Message, keys::body(body), content.finish());
            }
            batch.put_new(Space::Queue, key, value.finish());
        });
        drop(references);
        LAST_BODY.set(Some((Arc::clone(&delivered.message), body)));
        Place {
            seq,
            body: Some(body),
            commit,
        }
    }

    fn fresh_body(&self) -> NonZeroU64 {
        let number = self.next_body.fetch_add(1, Ordering::Relaxed);
        // Numbers begin at 1, and 64 bits of them are not used up.
        NonZeroU64::new(number).unwrap_or(NonZeroU64::MIN)
    }

    /// A place is no longer needed; `and` goes into the same batch.
    pub fn remove(&self, session: u64, place: &Place, and: impl FnOnce(&mut hookwire_store::Batch)) -> u64 {
        let key = keys::place(session, place.seq);
        let Some(body) = place.body else {
            return self.committer.record(|batch| {
                batch.delete(Space::Queue, key);
                and(batch);
            });
        };
        let mut references = self.references.lock();
        let is_last = match references.get_mut(&body) {
            Some(count) if *count > 1 => {
                *count -= 1;
                false
            }
            Some(_) => references.remove(&body).is_some(),
            None => body.get() < self.first_own.load(Ordering::Relaxed),
        };
        self.committer.record(|batch| {
            batch.delete(Space::Queue, key);
            if is_last {
                batch.delete(Space::Message, keys::body(body));
            }
            and(batch);
        })
    }
}

fn head(delivered: &Delivered, is_apart: bool) -> Encoder {
    let mut head = Encoder::with_room(64);
    head.u8(Flags::of(delivered, is_apart).0)
        .u32(u32::try_from(delivered.cost()).unwrap_or(u32::MAX))
        .u64(message::expiry(&delivered.message))
        .u8(u8::try_from(delivered.subscription_ids.len()).unwrap_or(u8::MAX));
    for id in delivered.subscription_ids.iter().take(usize::from(u8::MAX)) {
        head.u32(*id);
    }
    if let Some(shared) = &delivered.shared {
        head.text(&shared.to_string());
    }
    head
}

fn last_body(message: &Arc<Message>) -> Option<NonZeroU64> {
    LAST_BODY.with_borrow(|last| match last {
        Some((known, body)) if Arc::ptr_eq(known, message) => Some(*body),
        _ => None,
    })
}

impl Entry {
    /// Reads a place, as far as it can be without its message.
    pub fn read(value: Vec<u8>) -> Result<Self, Unreadable> {
        let mut record = Decoder::new(value);
        let flags = Flags(record.u8()?);
        let (cost, expires_ms) = (record.u32()?, record.u64()?);
        let mut entry = Self {
            flags,
            cost,
            expires_ms,
            body: None,
            rest: record,
        };
        if flags.has(Flags::APART) {
            let mut body = entry.rest.split_end(size_of::<u64>())?;
            entry.body = NonZeroU64::new(body.u64()?);
        }
        Ok(entry)
    }

    /// All of it; `content` is the message that it refers to, if it does.
    pub fn complete<E: From<Unreadable>>(
        self,
        content: impl FnOnce(Key) -> Result<Option<Vec<u8>>, E>,
        now: std::time::Instant,
    ) -> Result<Delivered, E> {
        let Self { flags, mut rest, .. } = self;
        let count = rest.u8()?;
        let subscription_ids = (0..count)
            .map(|_| rest.u32())
            .collect::<Result<_, Unreadable>>()?;
        let shared = if flags.is_shared() {
            let text = rest.text()?;
            let filter = hookwire_protocol::SharedFilter::parse(text).map_err(|_| Unreadable)?;
            Some(Arc::new(filter))
        } else {
            None
        };
        let mut message = match self.body {
            None => message::decode(rest)?,
            Some(body) => {
                let content = content(keys::body(body))?.ok_or(Unreadable)?;
                message::decode(Decoder::new(content))?
            }
        };
        message.expires_at = message::expires_at(&message, self.expires_ms, now);
        Ok(Delivered {
            qos: message::qos(flags.0 & 3)?,
            message: Arc::new(message),
            retain: flags.has(Flags::RETAIN),
            subscription_ids,
            shared,
            original: None,
        })
    }
}
