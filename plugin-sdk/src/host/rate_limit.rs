//! Token buckets that all instances of the plugin share, and that a reload leaves as they are. Grant:
//! `rate_limit = { keys = 10_000 }`.
//!
//! ```
//! use hookwire_plugin::rate_limit::{self, Rate};
//! # let _host = hookwire_plugin::mock::Mock::new();
//! let rate = Rate { per_second: 10.0, burst: 20.0 };
//! assert_eq!(rate_limit::take("client 7", rate, 20.0), Ok(()));
//! assert!(rate_limit::take("client 7", rate, 1.0).is_err());
//! ```

use std::time::Duration;

#[cfg(target_family = "wasm")]
use crate::bindings::rate_limit as host;
#[cfg(not(target_family = "wasm"))]
use crate::mock::host::rate_limit as host;

pub use crate::bindings::rate_limit::Rate;

/// Takes tokens from the bucket of a key; the error says after how long they will be there.
pub fn take(key: &str, rate: Rate, cost: f64) -> Result<(), Duration> {
    answer(host::take(key, rate, cost, false))
}

/// Takes tokens in any case, for those who let a message pass and make its sender wait: the error says for how long the
/// bucket is in debt.
pub fn take_on_credit(key: &str, rate: Rate, cost: f64) -> Result<(), Duration> {
    answer(host::take(key, rate, cost, true))
}

fn answer(wait_ms: Option<u64>) -> Result<(), Duration> {
    wait_ms.map(Duration::from_millis).map_or(Ok(()), Err)
}
