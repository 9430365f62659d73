//! Distributions, cheap enough for every call: one counter for each power of two.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::Serialize;

/// Values up to 2^39; of nanoseconds that is nine minutes, more than any call may last.
const BUCKETS: usize = 40;

/// Counts of values, by their magnitude.
pub(crate) struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    sum: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            buckets: [const { AtomicU64::new(0) }; BUCKETS],
            sum: AtomicU64::new(0),
        }
    }
}

impl Histogram {
    pub(crate) fn record(&self, value: u64) {
        let magnitude = (u64::BITS - value.leading_zeros()) as usize;
        self.buckets[magnitude.min(BUCKETS - 1)].fetch_add(1, Relaxed);
        self.sum.fetch_add(value, Relaxed);
    }

    pub(crate) fn read(&self) -> HistogramStats {
        let counts = self.buckets.iter().map(|bucket| bucket.load(Relaxed));
        let buckets: Vec<_> = counts
            .enumerate()
            .filter(|(_, count)| *count > 0)
            .map(|(magnitude, count)| Bucket {
                up_to: (1 << magnitude) - 1,
                count,
            })
            .collect();
        HistogramStats {
            count: buckets.iter().map(|bucket| bucket.count).sum(),
            sum: self.sum.load(Relaxed),
            buckets,
        }
    }
}

/// A distribution at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct HistogramStats {
    /// How many values there were.
    pub count: u64,
    /// All of them together.
    pub sum: u64,
    /// In ascending order; those without a value are left out.
    pub buckets: Vec<Bucket>,
}

impl HistogramStats {
    /// A bound that so much of all values, 0 to 1, lies at or below; `None` when there are none.
    pub fn quantile(&self, part: f64) -> Option<u64> {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a place among values need not be exact"
        )]
        let place = (self.count as f64 * part).ceil() as u64;
        let mut seen = 0;
        let bucket = self.buckets.iter().find(|bucket| {
            seen += bucket.count;
            seen >= place
        });
        bucket.map(|bucket| bucket.up_to)
    }
}

/// How many values lie between the bucket before and this bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Bucket {
    /// The largest value in it: one less than a power of two.
    pub up_to: u64,
    /// How many.
    pub count: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_fall_between_powers_of_two() {
        let histogram = Histogram::default();
        for value in [0, 1, 2, 3, 4, 1023, 1024] {
            histogram.record(value);
        }
        let read = histogram.read();
        let buckets: Vec<_> = read.buckets.iter().map(|b| (b.up_to, b.count)).collect();
        assert_eq!(buckets, [(0, 1), (1, 1), (3, 2), (7, 1), (1023, 1), (2047, 1)]);
        assert_eq!((read.count, read.sum), (7, 2057));
    }

    #[test]
    fn quantiles_are_bounds() {
        let histogram = Histogram::default();
        (0..99).for_each(|_| histogram.record(10));
        histogram.record(5000);
        let read = histogram.read();
        assert_eq!(read.quantile(0.5), Some(15));
        assert_eq!(read.quantile(0.99), Some(15));
        assert_eq!(read.quantile(1.0), Some(8191));
        assert_eq!(Histogram::default().read().quantile(0.5), None);
    }

    #[test]
    fn what_is_larger_than_all_has_a_place_too() {
        let histogram = Histogram::default();
        histogram.record(u64::MAX);
        assert_eq!(histogram.read().count, 1);
    }
}
