//! Messages that wait for a session.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use hookwire_hooks::Message;
use hookwire_protocol::{QoS, SharedFilter};
use smallvec::SmallVec;

use super::journal::Place;
use crate::config::QueueOverflow;
use crate::metrics::Limit;

/// Subscription identifiers that go with a message to one client.
pub type SubscriptionIds = SmallVec<[u32; 2]>;

/// A message as one client is to get it.
#[derive(Debug, Clone)]
pub struct Delivered {
    /// The message.
    pub message: Arc<Message>,
    /// The lower one of the message's and the subscription's QoS.
    pub qos: QoS,
    /// RETAIN flag towards this client.
    pub retain: bool,
    /// Identifiers of the subscriptions that it matched.
    pub subscription_ids: SubscriptionIds,
    /// The shared subscription that chose this client, if one did: another member may get it in its place.
    pub shared: Option<Arc<SharedFilter>>,
    /// The message before a policy changed it for this recipient, where another one may get it.
    pub original: Option<Arc<Message>>,
}

/// A message that one client is to get, as long as nothing of it has to be kept for that.
#[derive(Debug, Clone, Copy)]
pub struct Offer<'a> {
    /// See [`Delivered::message`].
    pub message: &'a Arc<Message>,
    /// See [`Delivered::qos`].
    pub qos: QoS,
    /// See [`Delivered::retain`].
    pub retain: bool,
    /// See [`Delivered::subscription_ids`].
    pub subscription_ids: &'a [u32],
    /// See [`Delivered::shared`].
    pub shared: Option<&'a Arc<SharedFilter>>,
    /// See [`Delivered::original`].
    pub original: Option<&'a Arc<Message>>,
}

impl Offer<'_> {
    /// The same to be kept.
    pub fn keep(&self) -> Delivered {
        Delivered {
            message: Arc::clone(self.message),
            qos: self.qos,
            retain: self.retain,
            subscription_ids: SubscriptionIds::from_slice(self.subscription_ids),
            shared: self.shared.cloned(),
            original: self.original.cloned(),
        }
    }
}

impl Delivered {
    /// The same to be written.
    #[inline]
    pub fn offer(&self) -> Offer<'_> {
        Offer {
            message: &self.message,
            qos: self.qos,
            retain: self.retain,
            subscription_ids: &self.subscription_ids,
            shared: self.shared.as_ref(),
            original: self.original.as_ref(),
        }
    }

    /// What it counts for in limits, bytes.
    pub fn cost(&self) -> usize {
        Self::cost_of(&self.message)
    }

    /// The message as it was published.
    pub fn published(&self) -> &Arc<Message> {
        self.original.as_ref().unwrap_or(&self.message)
    }

    /// What a message counts for in limits, bytes.
    pub fn cost_of(message: &Message) -> usize {
        OVERHEAD + message.topic.as_str().len() + message.payload.len()
    }
}

/// What a waiting message takes beyond its topic and payload: its place in the queue, its header, two allocations.
const OVERHEAD: usize = 192;

/// Bounds of a queue.
#[derive(Debug, Clone, Copy)]
pub struct QueueLimits {
    /// Most messages.
    pub messages_max: usize,
    /// Most bytes, topics and payloads together.
    pub bytes_max: usize,
    /// Which message goes when it is full.
    pub overflow: QueueOverflow,
}

/// How full something is that a client has to empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fill {
    /// Up to half.
    Low,
    /// More than half.
    Rising,
    /// Full, or so nearly that its client seems to take nothing at all.
    Full,
}

impl Fill {
    #[inline]
    pub(super) fn of(used: usize, max: usize) -> Self {
        if used <= max / 2 {
            Self::Low
        } else if used < max - max / 16 {
            Self::Rising
        } else {
            Self::Full
        }
    }
}

/// A message that waits, and where it is recorded if it is.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) delivered: Delivered,
    pub(super) place: Option<Place>,
}

/// A message that waits, and that only the store has.
#[derive(Debug, Clone, Copy)]
pub struct Away {
    /// Where it is recorded.
    pub place: Place,
    /// What it counts for in limits.
    pub cost: u32,
    /// When it expires.
    pub expires_at: Option<Instant>,
}

#[derive(Debug)]
enum Entry {
    /// Apart, so that what only the store has takes little.
    Here(Box<Waiting>),
    Away(Away),
}

/// Of those that a connected client gets next, so many stay in memory.
const KEPT: usize = 256;
/// So far ahead messages are fetched from the store …
const AHEAD: usize = 128;
/// … when so few are left.
const LOW: usize = 32;

/// What was taken out of a queue, or has no place in it.
#[derive(Debug, Default)]
pub(super) struct Removed {
    pub(super) messages: SmallVec<[Waiting; 1]>,
    /// Those that only the store had.
    pub(super) away: SmallVec<[Place; 1]>,
}

/// Messages in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Queue {
    entries: VecDeque<Entry>,
    bytes: usize,
    /// Those in front of it stay where they are.
    spilled: usize,
}

impl Entry {
    fn cost(&self) -> usize {
        match self {
            Self::Here(waiting) => waiting.delivered.cost(),
            Self::Away(away) => usize::try_from(away.cost).unwrap_or(usize::MAX),
        }
    }

    fn here(&self) -> Option<&Delivered> {
        match self {
            Self::Here(waiting) => Some(&waiting.delivered),
            Self::Away(_) => None,
        }
    }

    fn is_away(&self) -> bool {
        matches!(self, Self::Away(_))
    }

    fn place(&self) -> Option<&Place> {
        match self {
            Self::Here(waiting) => waiting.place.as_ref(),
            Self::Away(away) => Some(&away.place),
        }
    }
}

impl Removed {
    fn add(&mut self, entry: Entry) {
        match entry {
            Entry::Here(waiting) => self.messages.push(*waiting),
            Entry::Away(away) => self.away.push(away.place),
        }
    }
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes that its messages count for.
    #[inline]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Makes room for a message, and gives back those that had to go for it; `None` when it is the one that has to.
    pub(super) fn make_room(&mut self, cost: usize, limits: &QueueLimits) -> Option<Removed> {
        let mut removed = Removed::default();
        if cost > limits.bytes_max || limits.messages_max == 0 {
            return None;
        }
        while self.lacks(cost, limits).is_some() {
            match limits.overflow {
                // Publishers are asked to stay away before it is full; who comes at the same moment as another may
                // still be one too many.
                QueueOverflow::DropNewest | QueueOverflow::RejectPublisher => return None,
                QueueOverflow::DropOldest => removed.add(self.pop_entry()?),
            }
        }
        Some(removed)
    }

    pub(super) fn push(&mut self, waiting: Waiting) {
        self.bytes += waiting.delivered.cost();
        self.entries.push_back(Entry::Here(Box::new(waiting)));
    }

    /// A message that was there when the broker was started.
    pub(super) fn push_away(&mut self, away: Away) {
        let entry = Entry::Away(away);
        self.bytes += entry.cost();
        self.entries.push_back(entry);
    }

    fn pop_entry(&mut self) -> Option<Entry> {
        let entry = self.entries.pop_front()?;
        self.bytes -= entry.cost();
        self.spilled = self.spilled.saturating_sub(1);
        Some(entry)
    }

    /// The next message, if it is in memory.
    pub(super) fn pop(&mut self) -> Option<Waiting> {
        if self.entries.front()?.is_away() {
            return None;
        }
        match self.pop_entry()? {
            Entry::Here(waiting) => Some(*waiting),
            Entry::Away(_) => None,
        }
    }

    /// Where the next message is recorded.
    pub(super) fn front_place(&self) -> Option<&Place> {
        self.entries.front()?.place()
    }

    /// The number of the n-th message from the front, or of the last one.
    pub(super) fn nth_seq(&self, at: usize) -> Option<u64> {
        let at = at.min(self.entries.len().checked_sub(1)?);
        self.entries.get(at)?.place().map(|place| place.seq)
    }

    /// The limit that keeps a message from finding room, if one does.
    pub(super) fn lacks(&self, cost: usize, limits: &QueueLimits) -> Option<Limit> {
        if self.entries.len() >= limits.messages_max {
            Some(Limit::QueueMessagesMax)
        } else if self.bytes + cost > limits.bytes_max {
            Some(Limit::QueueBytesMax)
        } else {
            None
        }
    }

    /// Those that are in memory.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Delivered> {
        self.entries.iter().filter_map(Entry::here)
    }

    /// Takes messages out, in order; what only the store has stays.
    pub(super) fn extract(&mut self, is_wanted: impl Fn(&Delivered) -> bool) -> Vec<Waiting> {
        let mut wanted = Vec::new();
        let mut others = VecDeque::with_capacity(self.entries.len());
        for entry in self.entries.drain(..) {
            match entry {
                Entry::Here(waiting) if is_wanted(&waiting.delivered) => wanted.push(*waiting),
                entry => others.push_back(entry),
            }
        }
        self.entries = others;
        self.bytes = self.entries.iter().map(Entry::cost).sum();
        self.spilled = 0;
        wanted
    }

    /// Takes everything out.
    pub(super) fn clear(&mut self) -> impl Iterator<Item = Place> {
        let entries = std::mem::take(self).entries;
        entries.into_iter().filter_map(|entry| entry.place().copied())
    }

    // ---- what only the store has

    /// Leaves to the store what is safe there and not sent soon.
    pub(super) fn spill(&mut self, is_online: bool, is_safe: impl Fn(&Place) -> bool) {
        let kept = if is_online { KEPT } else { 0 };
        let mut at = self.spilled.max(kept);
        while let Some(entry) = self.entries.get_mut(at) {
            if let Entry::Here(waiting) = entry
                // Another member of the group may get it any time.
                && waiting.delivered.shared.is_none()
            {
                let delivered = &waiting.delivered;
                let Some(place) = waiting.place.filter(&is_safe) else {
                    break;
                };
                let cost = u32::try_from(delivered.cost()).unwrap_or(u32::MAX);
                let expires_at = delivered.message.expires_at;
                *entry = Entry::Away(Away {
                    place,
                    cost,
                    expires_at,
                });
            }
            at += 1;
        }
        self.spilled = at.min(self.entries.len());
    }

    /// Nobody is there to send to any more: everything may go to the store.
    pub(super) fn rest(&mut self) {
        self.spilled = 0;
    }

    /// What is to be fetched from the store, since it is sent soon.
    pub(super) fn wanted(&self) -> Vec<Away> {
        let is_away = |at: usize| self.entries.get(at).is_some_and(Entry::is_away);
        if !(is_away(0) || is_away(LOW)) {
            return Vec::new();
        }
        let ahead = self.entries.iter().take(AHEAD);
        ahead
            .filter_map(|entry| match entry {
                Entry::Away(away) => Some(*away),
                Entry::Here(_) => None,
            })
            .collect()
    }

    /// Puts a fetched message where it was; `None` removes it, since the store does not have it. False when it is not
    /// waited for any more.
    pub(super) fn bring_back(&mut self, place: &Place, delivered: Option<Delivered>) -> bool {
        let found = self
            .entries
            .iter()
            .take(2 * AHEAD)
            .position(|entry| matches!(entry, Entry::Away(away) if away.place.seq == place.seq));
        let Some(at) = found else { return false };
        let Some(entry) = self.entries.get_mut(at) else {
            return false;
        };
        self.bytes -= entry.cost();
        match delivered {
            Some(delivered) => {
                self.bytes += delivered.cost();
                *entry = Entry::Here(Box::new(Waiting {
                    delivered,
                    place: Some(*place),
                }));
            }
            None => drop(self.entries.remove(at)),
        }
        true
    }
}
