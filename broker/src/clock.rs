//! The one file that asks what time it is.
#![expect(
    clippy::disallowed_methods,
    reason = "everybody else takes the time as an argument"
)]

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The present moment, for deadlines.
pub fn now() -> Instant {
    Instant::now()
}

/// Milliseconds since 1970-01-01 UTC, for people and policies.
pub fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
