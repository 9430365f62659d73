//! Messages that wait for a session.

use std::collections::VecDeque;
use std::sync::Arc;

use hookwire_hooks::Message;
use hookwire_protocol::{QoS, SharedFilter};
use smallvec::SmallVec;

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

impl Delivered {
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

/// Messages in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Queue {
    messages: VecDeque<Delivered>,
    bytes: usize,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Bytes that its messages count for.
    #[inline]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    /// Takes a message; gives back those that had to go for it, or itself.
    pub(super) fn push(&mut self, delivered: Delivered, limits: &QueueLimits) -> SmallVec<[Delivered; 1]> {
        let mut dropped = SmallVec::new();
        let cost = delivered.cost();
        if cost > limits.bytes_max || limits.messages_max == 0 {
            dropped.push(delivered);
            return dropped;
        }
        while self.lacks(cost, limits).is_some() {
            match limits.overflow {
                // Publishers are asked to stay away before it is full; who comes at the same moment as another may
                // still be one too many.
                QueueOverflow::DropNewest | QueueOverflow::RejectPublisher => {
                    dropped.push(delivered);
                    return dropped;
                }
                QueueOverflow::DropOldest => dropped.extend(self.pop()),
            }
        }
        self.bytes += cost;
        self.messages.push_back(delivered);
        dropped
    }

    pub(super) fn pop(&mut self) -> Option<Delivered> {
        let delivered = self.messages.pop_front()?;
        self.bytes -= delivered.cost();
        Some(delivered)
    }

    /// The limit that keeps a message from finding room, if one does.
    pub(super) fn lacks(&self, cost: usize, limits: &QueueLimits) -> Option<Limit> {
        if self.messages.len() >= limits.messages_max {
            Some(Limit::QueueMessagesMax)
        } else if self.bytes + cost > limits.bytes_max {
            Some(Limit::QueueBytesMax)
        } else {
            None
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Delivered> {
        self.messages.iter()
    }

    /// Takes messages out, in order.
    pub(super) fn extract(&mut self, is_wanted: impl Fn(&Delivered) -> bool) -> VecDeque<Delivered> {
        let (wanted, others) = self.messages.drain(..).partition(is_wanted);
        self.messages = others;
        self.bytes = self.messages.iter().map(Delivered::cost).sum();
        wanted
    }

    /// Forgets QoS 0 messages: they are for those who are there.
    pub(super) fn retain_qos(&mut self, keep: impl Fn(QoS) -> bool) {
        self.messages.retain(|delivered| keep(delivered.qos));
        self.bytes = self.messages.iter().map(Delivered::cost).sum();
    }
}
