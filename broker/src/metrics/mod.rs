//! What the broker counts about itself.

mod limit;
mod traffic;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

pub use limit::{Limit, LimitCounts};
pub use traffic::{Tally, Traffic};

/// All counts of one broker, shared by everything that counts.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Limits that were reached.
    pub limits: LimitCounts,
    /// Packets and bytes.
    pub traffic: Traffic,
    /// Sessions with a connection.
    pub online: Level,
    /// Changes of the policy that were refused.
    pub policies_refused: AtomicU64,
}

/// A number that goes up and down, and how high it has been.
#[derive(Debug, Default)]
pub struct Level {
    now: AtomicUsize,
    highest: AtomicUsize,
}

impl Level {
    /// One more.
    pub fn up(&self) {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.highest.fetch_max(now, Ordering::Relaxed);
    }

    /// One less.
    pub fn down(&self) {
        self.now.fetch_sub(1, Ordering::Relaxed);
    }

    /// Present value.
    pub fn now(&self) -> usize {
        self.now.load(Ordering::Relaxed)
    }

    /// Highest value since the start.
    pub fn highest(&self) -> usize {
        self.highest.load(Ordering::Relaxed)
    }
}
