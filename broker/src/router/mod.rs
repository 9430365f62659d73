//! From a message's topic to those who receive it: subscriptions, shared groups, retained messages.

mod group;
mod level_tree;
mod memo;
mod retained;
mod subscriptions;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use hookwire_hooks::Message;
use hookwire_protocol::{SharedFilter, TopicFilter, TopicName};
use parking_lot::RwLock;

pub use group::{Choice, Group};
pub use memo::{Found, Memo};
pub use retained::{Replacement, Retained, RetainedFull, RetainedLimits};
pub use subscriptions::{Matches, Recipient, Subscriber, Subscription, Subscriptions};

use crate::config::Overlapping;
use crate::session::RetainedCopy;
use crate::sys;

/// The subscriptions and retained messages of the broker, shared by all connections. Reading is far more
/// frequent than writing, and a [`Memo`] spares most of the reading.
#[derive(Debug)]
pub struct Router<S> {
    subscriptions: RwLock<Subscriptions<S>>,
    /// [`Overlapping::Each`]
    sends_each: AtomicBool,
    generation: AtomicU64,
    retained: RwLock<Retained>,
    /// The broker's own, which count towards no limit of clients.
    own_retained: RwLock<Retained>,
}

const NO_LIMITS: RetainedLimits = RetainedLimits {
    messages_max: usize::MAX,
    bytes_max: usize::MAX,
};

impl<S> Default for Router<S> {
    fn default() -> Self {
        Self {
            subscriptions: RwLock::new(Subscriptions::default()),
            sends_each: AtomicBool::new(false),
            generation: AtomicU64::new(1),
            retained: RwLock::default(),
            own_retained: RwLock::default(),
        }
    }
}

impl<S: Subscriber> Router<S> {
    /// Adds or replaces a subscription.
    pub fn subscribe(&self, filter: &SharedFilter, subscription: Subscription<S>) {
        let mut subscriptions = self.subscriptions.write();
        subscriptions.subscribe(filter, subscription);
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Removes a subscription.
    pub fn unsubscribe(&self, filter: &SharedFilter, subscriber: u64) {
        let mut subscriptions = self.subscriptions.write();
        subscriptions.unsubscribe(filter, subscriber);
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// How often a message goes to one whom several of its subscriptions match, from now on.
    pub fn set_overlapping(&self, overlapping: Overlapping) {
        self.sends_each
            .store(overlapping == Overlapping::Each, Ordering::Relaxed);
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// The shared subscription with this filter, if it has members.
    pub fn group(&self, filter: &SharedFilter) -> Option<Arc<Group<S>>> {
        self.subscriptions.read().group(filter)
    }

    /// All whom a message concerns.
    #[inline]
    pub fn matching<'m>(
        &self,
        memo: &'m mut Memo<Arc<Matches<S>>>,
        topic: &TopicName,
        publisher: Option<u64>,
    ) -> &'m Found<Arc<Matches<S>>> {
        // Read before the look-up: a change in between makes the memo stale, never wrong.
        let generation = self.generation.load(Ordering::Acquire);
        memo.recall(generation, topic, || {
            let overlapping = if self.sends_each.load(Ordering::Relaxed) {
                Overlapping::Each
            } else {
                Overlapping::Once
            };
            let subscriptions = self.subscriptions.read();
            Arc::new(subscriptions.matching(topic, publisher, overlapping))
        })
    }

    /// Whether a retained message would be taken.
    pub fn check_retained(&self, message: &Message, limits: &RetainedLimits) -> Result<(), RetainedFull> {
        self.retained.read().check(message, limits)
    }

    /// Keeps a message, see [`Retained::keep`], for those who subscribe later, and does something before anybody else changes what
    /// is kept.
    pub fn retain(
        &self,
        message: &Arc<Message>,
        limits: &RetainedLimits,
        then: impl FnOnce(Replacement),
    ) -> Result<(), RetainedFull> {
        let mut retained = self.retained.write();
        then(retained.keep(message, limits)?);
        Ok(())
    }

    /// Restores messages that were kept before the broker was started: they were within the limits of their day.
    pub fn restore_retained<R>(&self, restore: impl FnOnce(&mut Retained) -> R) -> R {
        restore(&mut self.retained.write())
    }

    /// Keeps a message of the broker itself, on a topic that clients cannot publish to.
    pub fn retain_own(&self, message: &Arc<Message>) {
        // Nothing is too much for no limits.
        let _ = self.own_retained.write().keep(message, &NO_LIMITS);
    }

    /// The retained messages that a filter matches.
    pub fn retained(&self, filter: &TopicFilter, now: Instant) -> Vec<Arc<RetainedCopy>> {
        self.store_of(filter.as_str()).read().matching(filter, now)
    }

    /// The retained message of a topic.
    pub fn retained_of(&self, topic: &TopicName, now: Instant) -> Option<Arc<RetainedCopy>> {
        self.store_of(topic.as_str()).read().of_topic(topic, now)
    }

    /// The topic of a client's message that is retained; `None` if it is not any more.
    pub fn topic_of(&self, copy: &RetainedCopy) -> Option<TopicName> {
        self.retained.read().topic_of(copy)
    }

    /// See [`Retained::page`].
    pub fn retained_page(
        &self,
        filter: &TopicFilter,
        after: Option<&str>,
        count: usize,
        now: Instant,
    ) -> Vec<(TopicName, Arc<RetainedCopy>)> {
        self.store_of(filter.as_str())
            .read()
            .page(filter, after, count, now)
    }

    /// Where the retained messages of a topic, or of the topics of a filter, are.
    fn store_of(&self, text: &str) -> &RwLock<Retained> {
        if text.starts_with(sys::PREFIX) {
            &self.own_retained
        } else {
            &self.retained
        }
    }

    /// How many clients' messages are retained, and their bytes.
    pub fn retained_amount(&self) -> (usize, usize) {
        let retained = self.retained.read();
        (retained.len(), retained.bytes())
    }

    /// How many subscriptions there are, and how many of them are members of shared ones.
    pub fn subscription_counts(&self) -> (usize, usize) {
        self.subscriptions.read().counts()
    }
}
