//! The memory of the process, and what it means for those who want more of it.
//!
//! What the system says that we have (resident memory) is looked at several times a second, instead of summing up what
//! we believe to hold: it includes plugins, buffers and the allocator's own, and costs the messages nothing.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::Duration;

/// How often it is looked at. In between, what comes in is bounded by what the network brings.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How much is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum State {
    Ample = 0,
    /// Four fifths are used.
    Scarce = 1,
    /// All of it is used.
    Full = 2,
}

impl State {
    fn of(used: usize, max: usize) -> Self {
        if used >= max {
            Self::Full
        } else if used >= max / 5 * 4 {
            Self::Scarce
        } else {
            Self::Ample
        }
    }
}

/// Whether memory is scarce, for everybody who asks.
#[derive(Debug)]
pub(super) struct Memory {
    state: AtomicU8,
    resident: AtomicUsize,
    resident_max: AtomicUsize,
    /// Three quarters of what the machine or our control group has.
    default_max: usize,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            state: AtomicU8::new(State::Ample as u8),
            resident: AtomicUsize::new(0),
            resident_max: AtomicUsize::new(0),
            default_max: available().map_or(usize::MAX, |bytes| bytes / 4 * 3),
        }
    }
}

impl Memory {
    /// Messages that have to be kept should come more slowly.
    #[inline]
    pub(super) fn is_scarce(&self) -> bool {
        self.state.load(Ordering::Relaxed) >= State::Scarce as u8
    }

    /// Nothing more may be kept.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.state.load(Ordering::Relaxed) >= State::Full as u8
    }

    /// What was used at the last look, bytes.
    pub(super) fn resident(&self) -> usize {
        self.resident.load(Ordering::Relaxed)
    }

    /// The most that was used at any look, bytes.
    pub(super) fn resident_max(&self) -> usize {
        self.resident_max.load(Ordering::Relaxed)
    }

    /// Looks at what is used; `max` replaces the default bound.
    pub(super) fn look(&self, max: Option<usize>) {
        // Where the system does not tell, there is no bound.
        let used = resident().unwrap_or(0);
        self.resident.store(used, Ordering::Relaxed);
        self.resident_max.fetch_max(used, Ordering::Relaxed);
        let max = max.unwrap_or(self.default_max);
        let state = State::of(used, max);
        let before = self.state.swap(state as u8, Ordering::Relaxed);
        if before != state as u8 {
            log_change(state, used, max);
        }
    }
}

fn log_change(state: State, used: usize, max: usize) {
    match state {
        State::Full => tracing::error!(
            used,
            max,
            "memory is full: messages that would have to wait are refused, and new sessions"
        ),
        State::Scarce => tracing::warn!(used, max, "memory is scarce: publishers are slowed"),
        State::Ample => tracing::info!(used, max, "memory is no longer scarce"),
    }
}

/// Resident memory of the process, bytes.
fn resident() -> Option<usize> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: usize = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size())
}

/// What the machine has, or the control group that we are in, if that is less; bytes.
fn available() -> Option<usize> {
    [machine(), control_group()].into_iter().flatten().min()
}

fn machine() -> Option<usize> {
    let meminfo = std::fs::read_to_string("/proc/meminfo").ok()?;
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: usize = total.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// The lowest bound on the way from our group to the root (version 2 of control groups).
fn control_group() -> Option<usize> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let root = std::path::Path::new("/sys/fs/cgroup");
    let bound = |group: &std::path::Path| {
        let text = std::fs::read_to_string(root.join(group).join("memory.max")).ok()?;
        text.trim().parse::<usize>().ok()
    };
    std::path::Path::new(own).ancestors().filter_map(bound).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states() {
        for (used, state) in [
            (0, State::Ample),
            (799, State::Ample),
            (800, State::Scarce),
            (999, State::Scarce),
            (1000, State::Full),
            (5000, State::Full),
        ] {
            assert_eq!(State::of(used, 1000), state, "{used}");
        }
    }

    #[test]
    fn what_the_system_says_is_believable() {
        let resident = resident().expect("Linux tells");
        let available = available().expect("Linux tells");
        assert!(resident > 100 << 10, "{resident}");
        assert!(available > resident, "{available}");
    }

    #[test]
    fn a_bound_that_is_passed_is_noticed_and_so_is_its_lifting() {
        let memory = Memory::default();
        memory.look(Some(1));
        assert!(memory.is_scarce() && memory.is_full());
        memory.look(Some(usize::MAX));
        assert!(!memory.is_scarce() && !memory.is_full());
    }
}
