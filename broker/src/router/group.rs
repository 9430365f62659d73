//! Shared subscriptions, and which member gets a message.

use std::hash::{BuildHasher, Hash};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use hashbrown::DefaultHashBuilder;
use hookwire_protocol::{ShareName, SharedFilter};

use super::subscriptions::{Subscriber, Subscription};
use crate::config::SharedStrategy;

/// A shared subscription: each message goes to one of its members. A group never changes; who joins or leaves makes
/// another.
#[derive(Debug)]
pub struct Group<S> {
    /// Its share name and topic filter.
    pub filter: Arc<SharedFilter>,
    /// Its members, in the order in which they joined.
    pub members: Vec<Subscription<S>>,
    memory: Arc<Memory>,
}

/// What a group remembers of its choices.
#[derive(Debug, Default)]
struct Memory {
    turn: AtomicUsize,
    /// Whom [`SharedStrategy::Sticky`] stays with; 0: nobody yet.
    favourite: AtomicU64,
    /// Its own for each group, so that publishers and topics fall differently in each.
    hasher: DefaultHashBuilder,
}

/// What a choice may depend on.
#[derive(Debug, Clone, Copy)]
pub struct Choice<'a> {
    /// How to choose.
    pub strategy: SharedStrategy,
    /// The session that published, if any did.
    pub publisher: Option<u64>,
    /// Under which topic.
    pub topic: &'a str,
}

impl<S: Subscriber> Group<S> {
    pub(super) fn new(filter: Arc<SharedFilter>, members: Vec<Subscription<S>>) -> Self {
        Self {
            filter,
            members,
            memory: Arc::default(),
        }
    }

    /// The same group with other members.
    pub(super) fn with(&self, members: Vec<Subscription<S>>) -> Self {
        Self {
            filter: Arc::clone(&self.filter),
            members,
            memory: Arc::clone(&self.memory),
        }
    }

    pub(super) fn is_of(&self, share: &ShareName) -> bool {
        self.filter.share.as_ref() == Some(share)
    }

    /// The member that gets a message: one that is connected; when none is, any.
    pub fn choose(&self, choice: Choice<'_>) -> Option<&Subscription<S>> {
        match choice.strategy {
            SharedStrategy::RoundRobin => self.from(self.memory.turn.fetch_add(1, Ordering::Relaxed)),
            SharedStrategy::Random => self.from(fastrand::usize(..)),
            SharedStrategy::Sticky => self.favourite(),
            SharedStrategy::HashClient => self.best(|member| self.weight(choice.publisher, member)),
            SharedStrategy::HashTopic => self.best(|member| self.weight(choice.topic, member)),
            // The one that comes first wins a tie: begin with another each time.
            SharedStrategy::LeastInflight => {
                let start = self.memory.turn.fetch_add(1, Ordering::Relaxed);
                self.online_from(start)
                    .min_by_key(|member| member.subscriber.backlog())
                    .or_else(|| self.from(start))
            }
        }
    }

    /// All members, beginning with the `start`-th.
    fn members_from(&self, start: usize) -> impl Iterator<Item = &Subscription<S>> {
        let (behind, before) = self.members.split_at(start % self.members.len().max(1));
        before.iter().chain(behind)
    }

    fn online_from(&self, start: usize) -> impl Iterator<Item = &Subscription<S>> {
        self.members_from(start)
            .filter(|member| member.subscriber.is_online())
    }

    fn from(&self, start: usize) -> Option<&Subscription<S>> {
        self.online_from(start)
            .next()
            .or_else(|| self.members_from(start).next())
    }

    fn favourite(&self) -> Option<&Subscription<S>> {
        let favourite = self.memory.favourite.load(Ordering::Relaxed);
        let is_favourite = |member: &&Subscription<S>| member.subscriber.id() == favourite;
        if let Some(member) = self.online_from(0).find(is_favourite) {
            return Some(member);
        }
        let chosen = self.from(self.memory.turn.fetch_add(1, Ordering::Relaxed))?;
        self.memory
            .favourite
            .store(chosen.subscriber.id(), Ordering::Relaxed);
        Some(chosen)
    }

    fn best(&self, weight: impl Fn(&Subscription<S>) -> u64) -> Option<&Subscription<S>> {
        self.online_from(0)
            .max_by_key(|member| weight(member))
            .or_else(|| self.members.iter().max_by_key(|member| weight(member)))
    }

    /// Rendezvous hashing: when a member comes or goes, only its own share of the keys moves.
    fn weight(&self, key: impl Hash, member: &Subscription<S>) -> u64 {
        self.memory.hasher.hash_one((key, member.subscriber.id()))
    }
}
