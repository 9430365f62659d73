//! `rate-limit`: token buckets.

use crate::bindings::imports::rate_limit::{Host, Rate};
use crate::clock;
use crate::guest::Guest;
use crate::note;
use crate::rate_limit::Filling;

impl Host for Guest {
    fn take(&mut self, key: String, rate: Rate, cost: f64, on_credit: bool) -> Option<u64> {
        let filling = Filling {
            per_second: rate.per_second,
            burst: rate.burst,
        };
        let keys_max = self.services.grants.rate_limit_keys_max.unwrap_or(0);
        let now = self.services.now();
        let buckets = &self.services.lasting.buckets;
        let wait_ms = buckets
            .take(&key, filling, cost, on_credit, keys_max, now)
            .err()
            .map(clock::millis);
        self.note(|| format!("rate-limit.take({key:?}, {cost}) = {}", note::millis(wait_ms)));
        wait_ms
    }
}
