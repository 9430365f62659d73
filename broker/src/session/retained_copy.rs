//! A retained message, as those who are to be sent it hold it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use arc_swap::ArcSwapOption;
use hookwire_hooks::{Message, Source};
use hookwire_protocol::QoS;

/// What a retained message is, for those who need not read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetainedOutline {
    /// The QoS that it was published with.
    pub qos: QoS,
    /// When it expires.
    pub expires_at: Option<Instant>,
    /// Bytes of its payload.
    pub payload_bytes: usize,
    /// Who published it.
    pub source: Source,
}

impl RetainedOutline {
    /// That of a message.
    pub fn of(message: &Message) -> Self {
        Self {
            qos: message.qos,
            expires_at: message.expires_at,
            payload_bytes: message.payload.len(),
            source: message.source,
        }
    }
}

/// A retained message that may be in memory or only in the store, and whether another has taken its place since: a client
/// that subscribed has got that one already, and must not get the older one after it.
#[derive(Debug)]
pub struct RetainedCopy {
    /// Nothing where only the store has it.
    message: ArcSwapOption<Message>,
    expires_at: Option<Instant>,
    source: Source,
    cost: u32,
    seat: u32,
    qos: QoS,
    superseded: AtomicBool,
    /// It was asked for since it was last looked at.
    used: AtomicBool,
}

impl RetainedCopy {
    /// A message that is retained from now on.
    pub fn here(message: Arc<Message>, cost: usize, seat: u32) -> Self {
        let outline = RetainedOutline::of(&message);
        Self::new(Some(message), outline, cost, seat)
    }

    /// A message that only the store has.
    pub fn away(outline: RetainedOutline, cost: usize, seat: u32) -> Self {
        Self::new(None, outline, cost, seat)
    }

    fn new(message: Option<Arc<Message>>, outline: RetainedOutline, cost: usize, seat: u32) -> Self {
        Self {
            message: ArcSwapOption::new(message),
            expires_at: outline.expires_at,
            source: outline.source,
            // Packets are far smaller.
            cost: u32::try_from(cost).unwrap_or(u32::MAX),
            seat,
            qos: outline.qos,
            superseded: AtomicBool::new(false),
            used: AtomicBool::new(false),
        }
    }

    /// The message, if it is in memory.
    pub fn message(&self) -> Option<Arc<Message>> {
        self.used.store(true, Ordering::Relaxed);
        self.message.load_full()
    }

    /// The QoS that it was published with.
    pub fn qos(&self) -> QoS {
        self.qos
    }

    /// When it expires.
    pub fn expires_at(&self) -> Option<Instant> {
        self.expires_at
    }

    /// Whether its time is over.
    pub fn is_expired(&self, now: Instant) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now)
    }

    /// Who published it, as long as the broker runs: the store does not know.
    pub fn source(&self) -> Source {
        self.source
    }

    /// What it counts for in limits, bytes.
    pub fn cost(&self) -> usize {
        usize::try_from(self.cost).unwrap_or(usize::MAX)
    }

    /// Where the router keeps it.
    pub fn seat(&self) -> u32 {
        self.seat
    }

    /// It is replaced or cleared.
    pub fn supersede(&self) {
        self.superseded.store(true, Ordering::Release);
    }

    /// Whether it was replaced or cleared.
    pub fn is_superseded(&self) -> bool {
        self.superseded.load(Ordering::Acquire)
    }

    // ---- what is in memory

    /// It was read from the store.
    pub fn load(&self, message: Arc<Message>) {
        self.message.store(Some(message));
    }

    /// Leaves it to the store.
    pub fn unload(&self) {
        self.message.store(None);
    }

    /// Whether it is in memory.
    pub fn is_loaded(&self) -> bool {
        self.message.load().is_some()
    }

    /// Whether somebody has asked for it since the last call.
    pub fn take_used(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }
}
