//! File descriptors: each connection is one.

use std::io::stderr;

use rustix::io::fcntl_dupfd_cloexec;
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

/// Lets the system make room in its table of descriptors for so many connections, at the price of eight bytes of its memory for each.
///
/// It would do so bit by bit, and since threads share the table it waits each time until all of them are done with the old one:
/// 10 to 20 ms, in which whoever accepts connections serves nobody.
pub fn make_room(connections: usize) {
    let last =
        u64::try_from(connections).map_or(u64::MAX, |connections| connections.saturating_add(RESERVED));
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    // If there is no room now, there may be when it is needed.
    if let Ok(last) = i32::try_from(last.min(limit.saturating_sub(1))) {
        let _ = fcntl_dupfd_cloexec(stderr(), last);
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn table_size() -> usize {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let size = status.lines().find_map(|line| line.strip_prefix("FDSize:"));
        size.unwrap().trim().parse().unwrap()
    }

    #[test]
    fn there_is_room_for_all_connections_before_they_come() {
        let fit = raise_limit();
        let connections = fit.min(3_000);
        make_room(connections);
        assert!(table_size() > connections);
    }
}
