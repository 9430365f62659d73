//! How many messages go into one batch call.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// A batch has the deadline of one call, whatever its length. So a plugin that works long on each message gets shorter
/// runs: half as long after a run that overran, one message or a sixty-fourth longer after each full run that did not. It then
/// overruns seldom, and the price of that, judging a run twice, is rarely paid. The same holds for one that has no memory for more.
pub(crate) struct RunLength {
    longest: usize,
    now: AtomicUsize,
}

/// A run of one message is no batch.
const SHORTEST: usize = 2;

impl RunLength {
    pub(crate) fn new(longest: usize) -> Self {
        let longest = longest.max(SHORTEST);
        Self {
            longest,
            now: AtomicUsize::new(longest),
        }
    }

    pub(crate) fn max(&self) -> usize {
        self.now.load(Relaxed)
    }

    /// A run of this length was judged in time.
    pub(crate) fn in_time(&self, len: usize) {
        let now = self.max();
        if len >= now && now < self.longest {
            self.now
                .store((now + (now / 64).max(1)).min(self.longest), Relaxed);
        }
    }

    /// A run of this length overran.
    pub(crate) fn overran(&self, len: usize) {
        self.now.store((len / 2).max(SHORTEST), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_get_shorter_at_once_and_longer_step_by_step() {
        let run = RunLength::new(64);
        run.overran(64);
        run.overran(32);
        assert_eq!(run.max(), 16);
        run.in_time(15);
        assert_eq!(run.max(), 16, "a shorter run proves nothing");
        run.in_time(16);
        assert_eq!(run.max(), 17);
        (0..100).for_each(|_| run.in_time(run.max()));
        assert_eq!(run.max(), 64);
        (0..10).for_each(|_| run.overran(run.max()));
        assert_eq!(run.max(), SHORTEST);
    }

    #[test]
    fn long_runs_get_longer_by_a_part_of_them() {
        let run = RunLength::new(1024);
        run.overran(1024);
        run.in_time(512);
        assert_eq!(run.max(), 520);
        (0..100).for_each(|_| run.in_time(run.max()));
        assert_eq!(run.max(), 1024, "and no longer than that");
    }
}
