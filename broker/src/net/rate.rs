//! How much one client may send.

use std::time::{Duration, Instant};

use crate::config::{RateExcess, RateSettings};
use crate::metrics::Limit;

/// What a client may have saved up: so it can send a burst of one second's worth.
const BURST: Duration = Duration::from_secs(1);

/// The rates of one connection.
#[derive(Debug)]
pub(super) struct Rate {
    messages: Option<Meter>,
    bytes: Option<Meter>,
    excess: RateExcess,
}

/// A client has sent more than it may.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Excess {
    /// How long it has to be silent for.
    pub(super) wait: Duration,
    /// Which rate it is above.
    pub(super) limit: Limit,
    /// What happens to it.
    pub(super) then: RateExcess,
}

impl Rate {
    pub(super) fn new(settings: RateSettings, now: Instant) -> Self {
        Self {
            messages: Meter::new(settings.messages_per_second_max.into(), now),
            bytes: Meter::new(settings.bytes_per_second_max as u64, now),
            excess: settings.excess,
        }
    }

    /// Counts what was sent.
    #[inline]
    pub(super) fn charge(&mut self, now: Instant, messages: u32, bytes: usize) -> Option<Excess> {
        if self.messages.is_none() && self.bytes.is_none() {
            return None;
        }
        let then = self.excess;
        let charge = |meter: &mut Option<Meter>, units: u64, limit| {
            let wait = meter.as_mut()?.charge(now, units)?;
            Some(Excess { wait, limit, then })
        };
        let messages = charge(&mut self.messages, messages.into(), Limit::MessagesPerSecondMax);
        let bytes = charge(&mut self.bytes, bytes as u64, Limit::BytesPerSecondMax);
        [messages, bytes]
            .into_iter()
            .flatten()
            .max_by_key(|excess| excess.wait)
    }
}

/// The generic cell rate algorithm: all that is remembered is when everything sent so far would have been sent at the
/// highest rate allowed.
#[derive(Debug)]
struct Meter {
    nanos_per_unit: f64,
    paid_until: Instant,
}

impl Meter {
    fn new(per_second: u64, now: Instant) -> Option<Self> {
        #[expect(clippy::cast_precision_loss, reason = "a rate is not that exact")]
        let nanos_per_unit = 1e9 / per_second as f64;
        (per_second > 0).then_some(Self {
            nanos_per_unit,
            paid_until: now,
        })
    }

    /// How long to wait before anything more is sent.
    fn charge(&mut self, now: Instant, units: u64) -> Option<Duration> {
        #[expect(clippy::cast_precision_loss, reason = "a rate is not that exact")]
        let cost = Duration::from_secs_f64(units as f64 * self.nanos_per_unit / 1e9);
        self.paid_until = self.paid_until.max(now) + cost;
        let ahead = self.paid_until.saturating_duration_since(now);
        ahead.checked_sub(BURST).filter(|wait| !wait.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    fn rate(messages: u32, bytes: usize, now: Instant) -> Rate {
        let settings = RateSettings {
            messages_per_second_max: messages,
            bytes_per_second_max: bytes,
            excess: RateExcess::Slow,
        };
        Rate::new(settings, now)
    }

    #[test]
    fn without_limits_nothing_is_counted() {
        let now = clock::now();
        assert_eq!(rate(0, 0, now).charge(now, u32::MAX, usize::MAX), None);
    }

    #[test]
    fn a_burst_of_a_second_is_free_and_more_has_to_wait() {
        let now = clock::now();
        let mut rate = rate(100, 0, now);
        assert_eq!(rate.charge(now, 100, 0), None);
        let excess = rate.charge(now, 50, 0).expect("too many");
        assert_eq!(excess.limit, Limit::MessagesPerSecondMax);
        assert_eq!(excess.wait.as_millis(), 500);
        let later = now + Duration::from_millis(1500);
        assert_eq!(
            rate.charge(later, 100, 0),
            None,
            "half a second later all is paid"
        );
    }

    #[test]
    fn the_longer_wait_counts() {
        let now = clock::now();
        let mut rate = rate(100, 1000, now);
        let excess = rate.charge(now, 200, 4000).expect("too many");
        assert_eq!(
            (excess.limit, excess.wait.as_secs()),
            (Limit::BytesPerSecondMax, 3)
        );
    }
}
