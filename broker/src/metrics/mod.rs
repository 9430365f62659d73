//! What the broker counts about itself.

mod limit;

pub use limit::{Limit, LimitCounts};

/// All counts of one broker, shared by everything that counts.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Limits that were reached.
    pub limits: LimitCounts,
}
