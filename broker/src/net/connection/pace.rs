//! How many messages of one client are judged and routed in one go.

use std::time::Duration;

/// PUBLISH packets in one go, a fraction of a millisecond's work. With half as many each message costs a fifth more, and others are kept
/// waiting no longer than by this.
pub(super) const RUN_MAX: usize = 256;

/// The same where nobody waits for answers and messages cost little: then a run is all that was read at a time, its recipients are woken
/// once, and write it at a time. A message costs a sixth less than with a quarter of it, and hardly less with twice as many.
pub(super) const UNANSWERED_RUN_MAX: usize = 1024;

/// Fewer save nobody time.
const RUN_MIN: u32 = 16;

/// A client that waits for answers sends the next messages while the rest of the last ones is handled, if it is not answered later than
/// this. Else the two take turns, and each waits for the other half of the time.
const ANSWERED_WITHIN: Duration = Duration::from_micros(100);

/// Whoever else has something to do on this thread waits for no longer run than this, if it is longer than [`RUN_MAX`] messages.
const UNANSWERED_WITHIN: Duration = Duration::from_micros(250);

/// What the client's messages cost, as far as it decides how many are one run: those that are retained cost five times as much as
/// others, those with many recipients more, and a policy may take its time.
#[derive(Debug)]
pub(super) struct Pace {
    answered_max: usize,
    unanswered_max: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            answered_max: RUN_MAX,
            unanswered_max: RUN_MAX,
        }
    }
}

impl Pace {
    /// Most messages of the next run.
    pub(super) fn run_max(&self, is_owed_answers: bool) -> usize {
        if is_owed_answers {
            self.answered_max
        } else {
            self.unanswered_max
        }
    }

    /// So many messages took so long. Something else may have had the processor meanwhile, so one run says only so much.
    pub(super) fn took(&mut self, messages: u32, time: Duration, is_owed_answers: bool) {
        if messages < RUN_MIN {
            return;
        }
        let next = |max: usize, within: Duration| {
            let in_time = within.as_nanos() * u128::from(messages) / time.as_nanos().max(1);
            let in_time = usize::try_from(in_time).unwrap_or(usize::MAX);
            in_time.clamp(max / 2, max * 2)
        };
        if is_owed_answers {
            self.answered_max = next(self.answered_max, ANSWERED_WITHIN).clamp(RUN_MIN as usize, RUN_MAX);
        } else {
            self.unanswered_max =
                next(self.unanswered_max, UNANSWERED_WITHIN).clamp(RUN_MAX, UNANSWERED_RUN_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MICROSECOND: Duration = Duration::from_micros(1);

    #[test]
    fn runs_are_as_long_as_can_be_answered_in_time() {
        let mut pace = Pace::default();
        pace.took(200, 40 * MICROSECOND, true);
        assert_eq!(pace.run_max(true), RUN_MAX);
        for _ in 0..4 {
            pace.took(64, 256 * MICROSECOND, true);
        }
        assert_eq!(pace.run_max(true), 25, "4 µs each");
        for _ in 0..4 {
            pace.took(16, 16 * MICROSECOND, true);
        }
        assert_eq!(pace.run_max(true), 100, "1 µs each");
        assert_eq!(pace.run_max(false), RUN_MAX, "nobody waited for others");
    }

    #[test]
    fn one_slow_run_does_not_say_much_and_none_are_short() {
        let mut pace = Pace::default();
        pace.took(200, 10_000 * MICROSECOND, true);
        assert_eq!(pace.run_max(true), RUN_MAX / 2);
        for _ in 0..10 {
            pace.took(200, 10_000 * MICROSECOND, true);
        }
        assert_eq!(pace.run_max(true), RUN_MIN as usize);
        pace.took(RUN_MIN - 1, Duration::ZERO, true);
        assert_eq!(pace.run_max(true), RUN_MIN as usize);
    }

    #[test]
    fn runs_that_nobody_waits_for_are_long_where_messages_cost_little() {
        let mut pace = Pace::default();
        pace.took(256, 64 * MICROSECOND, false);
        assert_eq!(pace.run_max(false), 2 * RUN_MAX, "step by step");
        for _ in 0..3 {
            pace.took(512, 128 * MICROSECOND, false);
        }
        assert_eq!(pace.run_max(false), 1000, "a quarter of a microsecond each");
        pace.took(1000, Duration::ZERO, false);
        assert_eq!(pace.run_max(false), UNANSWERED_RUN_MAX);
        for _ in 0..3 {
            pace.took(1000, 500_000 * MICROSECOND, false);
        }
        assert_eq!(pace.run_max(false), RUN_MAX, "many recipients");
        assert_eq!(pace.run_max(true), RUN_MAX);
    }
}
