//! The one file that asks what time it is.
#![expect(
    clippy::disallowed_methods,
    reason = "everybody else takes the time as an argument"
)]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The present moment, for deadlines.
pub fn now() -> Instant {
    Instant::now()
}

/// Milliseconds since 1970-01-01 UTC, for people and policies.
pub fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A moment as milliseconds since 1970-01-01 UTC, for what outlives the process.
pub fn unix_ms_at(moment: Instant) -> u64 {
    let now = now();
    let ahead = as_ms(moment.saturating_duration_since(now));
    let past = as_ms(now.saturating_duration_since(moment));
    unix_ms().saturating_add(ahead).saturating_sub(past)
}

/// The moment that was so many milliseconds since 1970-01-01 UTC; `now` if that has passed.
pub fn instant_of(unix_ms_then: u64, now: Instant) -> Instant {
    let left = Duration::from_millis(unix_ms_then.saturating_sub(unix_ms()));
    // Far beyond anything that is asked for.
    now.checked_add(left).unwrap_or(now)
}

fn as_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
