//! The one file of this crate that asks what time it is.
#![expect(
    clippy::disallowed_methods,
    reason = "everybody else takes the time as an argument or asks here"
)]

use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use cpu_time::ThreadTime;

/// The moment from which guests count monotonic time; what came before is none of theirs.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Now, for measuring and waiting.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Time since some moment; never goes back.
pub(crate) fn monotonic() -> Duration {
    Instant::now().saturating_duration_since(start())
}

/// That moment.
pub(crate) fn start() -> Instant {
    *START
}

/// The date, for comparing with those of files.
pub(crate) fn date() -> SystemTime {
    SystemTime::now()
}

/// Time since 1970-01-01 UTC.
pub(crate) fn unix() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// CPU time that this thread has used. It stands still while other threads run, so a deadline in it holds a guest to
/// account for its own work only. Where the system cannot tell, wall-clock time stands in.
pub(crate) fn thread_cpu() -> Duration {
    ThreadTime::try_now().map_or_else(|_| monotonic(), |time| time.as_duration())
}

/// Milliseconds, as the contract counts them.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Nanoseconds, as the contract counts them.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
