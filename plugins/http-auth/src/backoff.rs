//! A server that is down is left alone for a while. All instances know, through `kv`.

use std::time::Duration;

use hookwire_plugin::{kv, log};

/// How many times in a row the server may fail until it counts as down.
const FAILURES: &str = "server/failures";
/// There while the server is left alone.
const DOWN: &str = "server/down";
/// There while somebody tries whether it is back.
const PROBE: &str = "server/probe";

/// When the server is asked, and when it is not.
#[derive(Debug)]
pub(crate) struct Backoff {
    pub(crate) failures_max: u32,
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
    /// After which somebody else may try.
    pub(crate) timeout: Duration,
}

impl Backoff {
    /// Whether the server is to be asked now. After a break one call tries whether it is back.
    pub(crate) fn may_ask(&self) -> bool {
        if kv::get(DOWN).is_some() {
            return false;
        }
        !self.is_down() || self.begins_probe()
    }

    fn begins_probe(&self) -> bool {
        // Without a store to agree on it, everybody tries.
        kv::compare_and_swap(PROBE, None, b"1", Some(self.timeout)).unwrap_or(true)
    }

    /// It has decided.
    pub(crate) fn succeeded(&self) {
        if kv::get(FAILURES).is_none() {
            return;
        }
        if self.is_down() {
            log::info!("the server answers again");
        }
        kv::delete(FAILURES);
        kv::delete(DOWN);
        kv::delete(PROBE);
    }

    /// It has not. `is_well`: it works nevertheless.
    pub(crate) fn failed(&self, is_well: bool) {
        if is_well {
            return self.not_asked();
        }
        // Those that were under way when it went down say nothing new.
        if kv::get(DOWN).is_some() {
            return;
        }
        let failures = kv::increment(FAILURES, 1, None).unwrap_or(0);
        let beyond = failures - i64::from(self.failures_max);
        if let Ok(beyond) = u32::try_from(beyond) {
            let pause = self
                .first
                .saturating_mul(1_u32.checked_shl(beyond.min(31)).unwrap_or(u32::MAX))
                .min(self.longest);
            log::error!("the server is left alone for {pause:?}");
            let _ = kv::put(DOWN, b"1", Some(pause));
        }
        kv::delete(PROBE);
    }

    /// The call that might have tried did not.
    pub(crate) fn not_asked(&self) {
        if self.is_down() {
            kv::delete(PROBE);
        }
    }

    fn is_down(&self) -> bool {
        let failures = kv::get(FAILURES).and_then(|bytes| bytes.try_into().ok());
        failures.map_or(0, i64::from_le_bytes) >= i64::from(self.failures_max)
    }
}
