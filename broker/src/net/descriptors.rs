//! File descriptors: each connection is one.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Descriptors that are not connections: listeners, the log, files that are watched or loaded, and the few
/// connections that are refused with a reason while all slots are taken.
const RESERVED: u64 = 128;

/// Raises the limit as far as the system lets us, and says how many connections fit.
pub fn raise_limit() -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current < limit.maximum || (limit.current.is_some() && limit.maximum.is_none()) {
        let raised = rustix::process::Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        };
        if setrlimit(Resource::Nofile, raised).is_ok() {
            limit = raised;
        }
    }
    let fit = limit
        .current
        .map_or(u64::MAX, |current| current.saturating_sub(RESERVED).max(1));
    usize::try_from(fit).unwrap_or(usize::MAX)
}
