//! What a shadow would have done, counted.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use hookwire_hooks::{Comparison, Hook};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use serde::Serialize;

/// How a shadow's answers at one hook compare with the chain's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ShadowStats {
    /// Answers that came to the same.
    pub agreed: u64,
    /// Those that did not.
    pub differed: Vec<Difference>,
}

impl ShadowStats {
    /// How many did not.
    pub fn differences(&self) -> u64 {
        self.differed.iter().map(|difference| difference.count).sum()
    }
}

/// One way in which a shadow differed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Difference {
    /// What the chain did.
    pub chain: &'static str,
    /// What the shadow would have done; where it is the same word, it would have done it differently. `failure`: its call
    /// failed.
    pub shadow: &'static str,
    /// How often.
    pub count: u64,
}

/// The counters of one plugin. Only shadows use them.
#[derive(Default)]
pub(crate) struct Comparisons {
    agreed: [AtomicU64; Hook::ALL.len()],
    /// Bounded by the words of the contract.
    differed: Mutex<FxHashMap<(Hook, &'static str, &'static str), u64>>,
}

impl Comparisons {
    pub(crate) fn count(&self, hook: Hook, comparison: Comparison) {
        if comparison.agrees {
            self.agreed[hook as usize].fetch_add(1, Relaxed);
        } else {
            let key = (hook, comparison.chain, comparison.shadow);
            *self.differed.lock().entry(key).or_default() += 1;
        }
    }

    pub(crate) fn read(&self, hook: Hook) -> ShadowStats {
        let differed = self.differed.lock();
        let of_hook = differed.iter().filter(|((of, ..), _)| *of == hook);
        let mut differed: Vec<_> = of_hook
            .map(|((_, chain, shadow), count)| Difference {
                chain,
                shadow,
                count: *count,
            })
            .collect();
        differed.sort_unstable();
        ShadowStats {
            agreed: self.agreed[hook as usize].load(Relaxed),
            differed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_difference_is_counted_apart() {
        let comparisons = Comparisons::default();
        let compare = |chain, shadow, agrees| {
            let comparison = Comparison {
                chain,
                shadow,
                agrees,
            };
            comparisons.count(Hook::OnPublish, comparison);
        };
        compare("pass", "pass", true);
        compare("pass", "drop", false);
        compare("pass", "drop", false);
        compare("drop", "failure", false);
        let read = comparisons.read(Hook::OnPublish);
        let differed: Vec<_> = read
            .differed
            .iter()
            .map(|d| (d.chain, d.shadow, d.count))
            .collect();
        assert_eq!(read.agreed, 1);
        assert_eq!(differed, [("drop", "failure", 1), ("pass", "drop", 2)]);
        assert_eq!(read.differences(), 3);
        assert_eq!(comparisons.read(Hook::Route), ShadowStats::default());
    }
}
