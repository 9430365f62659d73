//! How often which values were seen that a plugin observes.

use serde::{Serialize, Serializer};

/// Where buckets end: 1, 2 and 5 times each power of ten from 10^-6 to 10^9, so that seconds, bytes and counts all fit; the
/// last takes the rest.
const ENDS: [f64; 47] = [
    1e-6,
    2e-6,
    5e-6,
    1e-5,
    2e-5,
    5e-5,
    1e-4,
    2e-4,
    5e-4,
    1e-3,
    2e-3,
    5e-3,
    1e-2,
    2e-2,
    5e-2,
    1e-1,
    2e-1,
    5e-1,
    1.0,
    2.0,
    5.0,
    1e1,
    2e1,
    5e1,
    1e2,
    2e2,
    5e2,
    1e3,
    2e3,
    5e3,
    1e4,
    2e4,
    5e4,
    1e5,
    2e5,
    5e5,
    1e6,
    2e6,
    5e6,
    1e7,
    2e7,
    5e7,
    1e8,
    2e8,
    5e8,
    1e9,
    f64::INFINITY,
];

/// Values, sorted into buckets that are the same for everything.
#[derive(Debug, Clone, PartialEq)]
pub struct Observations {
    counts: Box<[u64; ENDS.len()]>,
    sum: f64,
}

impl Default for Observations {
    fn default() -> Self {
        Self {
            counts: Box::new([0; ENDS.len()]),
            sum: 0.0,
        }
    }
}

impl Observations {
    /// Adds a value, unless it is no number.
    pub(crate) fn observe(&mut self, value: f64) {
        if !value.is_finite() {
            return;
        }
        let bucket = ENDS.partition_point(|end| *end < value);
        self.counts[bucket] += 1;
        self.sum += value;
    }

    /// How many values there were.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Their sum.
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// Where each bucket ends, itself included, and how many values are in it and in no earlier one. The last ends at
    /// infinity.
    pub fn buckets(&self) -> impl Iterator<Item = (f64, u64)> {
        ENDS.into_iter().zip(self.counts.iter().copied())
    }
}

/// As pairs of a bound and a count; buckets without a value are left out.
impl Serialize for Observations {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.buckets().filter(|(_, count)| *count > 0))
    }
}
