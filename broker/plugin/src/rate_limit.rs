//! Token buckets of one plugin: what its instances share, and what outlives them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustc_hash::FxHashMap;

/// Longest key, bytes: a key names something, it does not hold it.
const KEY_BYTES_MAX: usize = 1024;

/// What somebody has to wait who gets no bucket, or asks for what no bucket will ever hold.
const NO_BUCKET: Duration = Duration::from_secs(1);

/// Longest wait that is told: beyond it nobody waits any more.
const WAIT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Buckets that one call looks at, at the most, to see whether they are full again, so that no single call pays for many.
const SWEEP_MAX: usize = 4;

/// What a bucket is filled with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Filling {
    pub(crate) per_second: f64,
    pub(crate) burst: f64,
}

impl Filling {
    fn is_sound(self) -> bool {
        self.per_second.is_finite() && self.per_second > 0.0 && self.burst.is_finite() && self.burst >= 1.0
    }

    fn time_for(self, tokens: f64) -> Duration {
        Duration::try_from_secs_f64(tokens / self.per_second).map_or(WAIT_MAX, |time| time.min(WAIT_MAX))
    }
}

/// The buckets by key. One that is full again says nothing that a new one would not, and makes room.
///
/// Each waits in `round` for its turn to be looked at; how many there may be comes with each call, since it belongs to
/// the grant of the plugin that asks.
#[derive(Default)]
pub(crate) struct Buckets {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    by_key: FxHashMap<Arc<str>, Bucket>,
    round: VecDeque<Arc<str>>,
}

struct Bucket {
    tokens: f64,
    at: Instant,
    filling: Filling,
}

impl Bucket {
    fn fill(&mut self, filling: Filling, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = (self.tokens + passed * filling.per_second).min(filling.burst);
        self.at = now;
        self.filling = filling;
    }

    fn is_full(&self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens + passed * self.filling.per_second >= self.filling.burst
    }
}

impl Buckets {
    /// Takes tokens; the error is how long until they will be there.
    pub(crate) fn take(
        &self,
        key: &str,
        filling: Filling,
        cost: f64,
        on_credit: bool,
        keys_max: usize,
        now: Instant,
    ) -> Result<(), Duration> {
        if key.is_empty() || key.len() > KEY_BYTES_MAX || !filling.is_sound() || cost.is_nan() || cost < 0.0 {
            return Err(NO_BUCKET);
        }
        let mut state = self.state.lock();
        state.sweep(now);
        let bucket = state.bucket(key, filling, keys_max, now).ok_or(NO_BUCKET)?;
        let missing = cost - bucket.tokens;
        if missing <= 0.0 || on_credit {
            bucket.tokens -= cost;
        }
        if missing <= 0.0 {
            Ok(())
        } else {
            Err(filling.time_for(missing))
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.state.lock().by_key.len()
    }
}

impl State {
    fn bucket(&mut self, key: &str, filling: Filling, keys_max: usize, now: Instant) -> Option<&mut Bucket> {
        if !self.by_key.contains_key(key) {
            if self.by_key.len() >= keys_max {
                return None;
            }
            let key: Arc<str> = key.into();
            self.round.push_back(key.clone());
            let full = Bucket {
                tokens: filling.burst,
                at: now,
                filling,
            };
            self.by_key.insert(key, full);
        }
        let bucket = self.by_key.get_mut(key)?;
        bucket.fill(filling, now);
        Some(bucket)
    }

    /// Looks at some, in turn, and removes those that are full.
    fn sweep(&mut self, now: Instant) {
        for _ in 0..SWEEP_MAX.min(self.round.len()) {
            let Some(key) = self.round.pop_front() else { return };
            if self.by_key.get(&key).is_some_and(|bucket| bucket.is_full(now)) {
                self.by_key.remove(&key);
            } else {
                self.round.push_back(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const TWO_A_SECOND: Filling = Filling {
        per_second: 2.0,
        burst: 4.0,
    };

    fn take(buckets: &Buckets, key: &str, cost: f64, now: Instant) -> Result<(), Duration> {
        buckets.take(key, TWO_A_SECOND, cost, false, 10, now)
    }

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let (buckets, now) = (Buckets::default(), crate::clock::now());
        for _ in 0..4 {
            assert_eq!(take(&buckets, "a", 1.0, now), Ok(()));
        }
        assert_eq!(take(&buckets, "a", 1.0, now), Err(SECOND / 2));
        assert_eq!(
            take(&buckets, "a", 1.0, now),
            Err(SECOND / 2),
            "asking costs nothing"
        );
        assert_eq!(take(&buckets, "b", 4.0, now), Ok(()), "each key has its own");
        assert_eq!(take(&buckets, "a", 1.0, now + SECOND / 2), Ok(()));
        assert_eq!(take(&buckets, "a", 1.0, now + SECOND / 2), Err(SECOND / 2));
        assert_eq!(take(&buckets, "a", 4.0, now + 100 * SECOND), Ok(()));
        assert_eq!(
            take(&buckets, "a", 0.5, now + 100 * SECOND),
            Err(SECOND / 4),
            "no more than its burst"
        );
    }

    #[test]
    fn on_credit_a_debt_grows_and_is_paid_off() {
        let (buckets, now) = (Buckets::default(), crate::clock::now());
        let owe = |cost, now| buckets.take("a", TWO_A_SECOND, cost, true, 10, now);
        assert_eq!(owe(4.0, now), Ok(()));
        assert_eq!(owe(1.0, now), Err(SECOND / 2));
        assert_eq!(owe(1.0, now), Err(SECOND));
        assert_eq!(owe(1.0, now + SECOND), Err(SECOND / 2), "two were paid off");
        assert_eq!(owe(0.0, now + 2 * SECOND), Ok(()));
    }

    #[test]
    fn buckets_that_are_full_make_room_and_others_do_not() {
        let (buckets, now) = (Buckets::default(), crate::clock::now());
        for n in 0..10 {
            assert_eq!(take(&buckets, &n.to_string(), 2.0, now), Ok(()));
        }
        assert_eq!(take(&buckets, "new", 1.0, now), Err(NO_BUCKET));
        assert_eq!(
            take(&buckets, "0", 1.0, now),
            Ok(()),
            "those that are there go on"
        );
        assert_eq!(take(&buckets, "new", 1.0, now + SECOND / 2), Err(NO_BUCKET));
        assert_eq!(take(&buckets, "new", 1.0, now + SECOND), Ok(()));
        for n in 0..10 {
            let _ = take(&buckets, &format!("later {n}"), 1.0, now + 60 * SECOND);
        }
        assert_eq!(buckets.len(), 10, "the idle ones are gone");
        assert_eq!(buckets.state.lock().round.len(), 10);
    }

    #[test]
    fn what_makes_no_sense_is_not_given() {
        let (buckets, now) = (Buckets::default(), crate::clock::now());
        let nonsense = [
            (0.0, 1.0),
            (-1.0, 1.0),
            (f64::NAN, 1.0),
            (f64::INFINITY, 1.0),
            (1.0, 0.5),
            (1.0, f64::NAN),
        ];
        for (per_second, burst) in nonsense {
            let filling = Filling { per_second, burst };
            assert_eq!(
                buckets.take("a", filling, 1.0, false, 10, now),
                Err(NO_BUCKET),
                "{filling:?}"
            );
        }
        for cost in [-1.0, f64::NAN] {
            assert_eq!(take(&buckets, "a", cost, now), Err(NO_BUCKET), "{cost}");
        }
        for key in ["", &"k".repeat(KEY_BYTES_MAX + 1)] {
            assert_eq!(take(&buckets, key, 1.0, now), Err(NO_BUCKET));
        }
        assert_eq!(buckets.len(), 0);
        assert_eq!(take(&buckets, "a", 1e300, now), Err(WAIT_MAX));
    }
}
