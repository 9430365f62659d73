//! How many messages of one client are judged and routed in one go.

use std::time::Duration;

/// PUBLISH packets in one go, a fraction of a millisecond's work. With half as many each message costs 6 % more,
/// and 10 % where a plugin looks at it; twice as many save little and keep others waiting.
pub(super) const RUN_MAX: usize = 256;

/// Fewer save nobody time.
const RUN_MIN: u32 = 16;

/// A client that waits for answers sends the next messages while the rest of the last ones is handled, if it is not answered later than
/// this. Else the two take turns, and each waits for the other half of the time.
const ANSWERED_WITHIN: Duration = Duration::from_micros(100);

/// What the client's messages cost, as far as it decides how many are one run: those that are retained cost five times as much as
/// others, and a policy may take its time.
#[derive(Debug)]
pub(super) struct Pace {
    run_max: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self { run_max: RUN_MAX }
    }
}

impl Pace {
    /// Most messages of the next run, if it is to be answered.
    pub(super) fn run_max(&self) -> usize {
        self.run_max
    }

    /// So many messages took so long. Something else may have had the processor meanwhile, so one run says only so much.
    pub(super) fn took(&mut self, messages: u32, time: Duration) {
        if messages < RUN_MIN {
            return;
        }
        let in_time = ANSWERED_WITHIN.as_nanos() * u128::from(messages) / time.as_nanos().max(1);
        let in_time = usize::try_from(in_time).unwrap_or(RUN_MAX);
        self.run_max = in_time
            .clamp(self.run_max / 2, self.run_max * 2)
            .clamp(RUN_MIN as usize, RUN_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MICROSECOND: Duration = Duration::from_micros(1);

    #[test]
    fn runs_are_as_long_as_can_be_answered_in_time() {
        let mut pace = Pace::default();
        pace.took(200, 40 * MICROSECOND);
        assert_eq!(pace.run_max(), RUN_MAX);
        for _ in 0..4 {
            pace.took(64, 256 * MICROSECOND);
        }
        assert_eq!(pace.run_max(), 25, "4 µs each");
        for _ in 0..4 {
            pace.took(16, 16 * MICROSECOND);
        }
        assert_eq!(pace.run_max(), 100, "1 µs each");
    }

    #[test]
    fn one_slow_run_does_not_say_much_and_none_are_short() {
        let mut pace = Pace::default();
        pace.took(200, 10_000 * MICROSECOND);
        assert_eq!(pace.run_max(), RUN_MAX / 2);
        for _ in 0..10 {
            pace.took(200, 10_000 * MICROSECOND);
        }
        assert_eq!(pace.run_max(), RUN_MIN as usize);
        pace.took(RUN_MIN - 1, Duration::ZERO);
        assert_eq!(pace.run_max(), RUN_MIN as usize);
    }
}
