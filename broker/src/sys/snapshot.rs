//! All figures of one moment.

use crate::metrics::{Limit, Tally};

/// What is told about the broker.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// Seconds since the start.
    pub uptime_secs: u64,
    /// Packets and bytes since the start.
    pub traffic: Tally,
    /// Sessions with a connection.
    pub online: usize,
    /// The most there have been of those.
    pub online_max: usize,
    /// Sessions, with a connection or without.
    pub sessions: usize,
    /// Subscriptions, shared ones included.
    pub subscriptions: usize,
    /// Shared subscriptions, each member counted.
    pub shared_subscriptions: usize,
    /// Retained messages.
    pub retained: Amount,
    /// Messages that wait for their clients.
    pub queued: Amount,
    /// QoS 1 and 2 messages that were sent and are not acknowledged.
    pub inflight: usize,
    /// Resident memory of the process, bytes.
    pub memory: usize,
    /// The most there has been of it.
    pub memory_max: usize,
    /// Policies that were in force, this one included.
    pub generation: u64,
    /// Changes of the policy that were refused.
    pub policies_refused: u64,
    /// The store, if there is one.
    pub store: Option<StoreReport>,
    /// Limits that were reached, and how often.
    pub limits: Vec<(Limit, u64)>,
    /// Events that plugins were too slow for.
    pub events_dropped: u64,
    /// Figures of each plugin.
    pub plugins: Vec<PluginReport>,
}

/// A number of messages, and their size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// How many.
    pub messages: usize,
    /// How many bytes.
    pub bytes: usize,
}

/// Figures of the store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreReport {
    /// `good`, `full` or `failed`.
    pub health: &'static str,
    /// Batches written since the start.
    pub commits: u64,
    /// Records that they changed.
    pub changes: u64,
    /// Bytes of those.
    pub bytes_written: u64,
    /// What it takes on its disk.
    pub bytes_used: u64,
    /// Reads that have failed since the start.
    pub reads_failed: u64,
}

/// Figures of one plugin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PluginReport {
    /// Its name in the configuration.
    pub name: String,
    /// Name and value of each.
    pub figures: Vec<(String, String)>,
}
