//! The memory of the process, and what it means for those who want more of it.
//!
//! What the system says that we have (resident memory) is looked at again and again, instead of summing up what
//! we believe to hold: it includes plugins, buffers and the allocator's own, and costs the messages nothing.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

/// More than what is kept can grow by in a second, bytes: so long as much is free, it need not be looked at often. Each look wakes a
/// thread, and where little else happens that is felt.
const GROWTH_MAX: usize = 4 << 30;

/// The shortest and the longest time between two looks.
const LOOK_AFTER: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

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
    bound_has_changed: Notify,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            state: AtomicU8::new(State::Ample as u8),
            resident: AtomicUsize::new(0),
            resident_max: AtomicUsize::new(0),
            default_max: available().map_or(usize::MAX, |bytes| bytes / 4 * 3),
            bound_has_changed: Notify::new(),
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

    /// It is to be looked at now: the bound is another.
    pub(super) fn note_bound(&self) {
        self.bound_has_changed.notify_one();
    }

    /// Until that is said.
    pub(super) async fn bound_changed(&self) {
        self.bound_has_changed.notified().await;
    }

    /// Looks at what is used; `max` replaces the default bound. Returns when to look again.
    pub(super) fn look(&self, max: Option<usize>) -> Duration {
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
        look_after(used, max)
    }
}

/// When what is scarce at four fifths is to be looked at again.
fn look_after(used: usize, max: usize) -> Duration {
    let room = (max / 5 * 4).saturating_sub(used);
    let (shortest, longest) = LOOK_AFTER;
    Duration::from_secs_f64(room as f64 / GROWTH_MAX as f64).clamp(shortest, longest)
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
    fn the_less_there_is_the_sooner_it_is_looked_at_again() {
        const GIB: usize = 1 << 30;
        let (shortest, longest) = LOOK_AFTER;
        for (used, max, after) in [
            (0, 100 * GIB, longest),
            (GIB, 5 * GIB, Duration::from_millis(750)),
            (3 * GIB, 5 * GIB, Duration::from_millis(250)),
            (4 * GIB, 5 * GIB, shortest),
            (6 * GIB, 5 * GIB, shortest),
            (0, usize::MAX, longest),
        ] {
            let looked = look_after(used, max);
            assert!(
                looked.abs_diff(after) < Duration::from_millis(1),
                "{used} of {max}: {looked:?}"
            );
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
