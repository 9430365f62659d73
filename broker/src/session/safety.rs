//! What a session has to do with the store, where there is one: what is not safe yet is not sent.

use std::sync::Arc;

use super::journal::{Journal, Ledger};
use super::parked::Parked;

/// Of a session of a broker with a store.
#[derive(Debug)]
pub(super) struct Safety {
    /// Tells what is safe.
    pub(super) ledger: Arc<Ledger>,
    /// Of a session that is to survive the process.
    pub(super) journal: Option<Journal>,
    /// Packets that wait until what they say is safe.
    pub(super) parked: Parked,
    /// Nothing is sent before this batch is safe: the CONNACK of a session that would not be there after a restart.
    pub(super) held_for: u64,
    /// The batch that the connection is to be woken for.
    pub(super) awaited: u64,
    /// The last batch that subscriptions were recorded in, until that is answered.
    pub(super) recorded: u64,
}

impl Safety {
    pub(super) fn new(ledger: Arc<Ledger>) -> Self {
        Self {
            ledger,
            journal: None,
            parked: Parked::default(),
            held_for: 0,
            awaited: 0,
            recorded: 0,
        }
    }

    #[inline]
    pub(super) fn is_safe(&self, commit: u64) -> bool {
        commit == 0 || self.ledger.committer().is_safe(commit)
    }

    /// Whether something waits.
    #[inline]
    pub(super) fn holds(&self) -> bool {
        self.held_for > 0 || !self.parked.is_empty()
    }

    /// Nothing of a connection waits any more.
    pub(super) fn clear(&mut self) {
        self.parked = Parked::default();
        (self.held_for, self.awaited) = (0, 0);
    }

    /// Subscriptions were recorded in this batch.
    pub(super) fn has_recorded(&mut self, commit: u64) {
        self.recorded = self.recorded.max(commit);
    }
}
