//! Values that all instances of the plugin share, and that outlive them; in memory until the broker stops. Grant:
//! `kv = { bytes = "1MiB" }`. Keys have 1 to 1,024 bytes.

use std::time::Duration;

#[cfg(target_family = "wasm")]
use crate::bindings::kv as host;
#[cfg(not(target_family = "wasm"))]
use crate::mock::host::kv as host;

pub use crate::bindings::kv::{Error, Page};

/// The value of a key.
pub fn get(key: &str) -> Option<Vec<u8>> {
    host::get(key)
}

/// Writes a value; it is gone after `ttl`, with none never.
pub fn put(key: &str, value: &[u8], ttl: Option<Duration>) -> Result<(), Error> {
    host::put(key, value, ttl.map(millis))
}

/// Removes a value; true when there was one.
pub fn delete(key: &str) -> bool {
    host::delete(key)
}

/// Writes `value` only if the present one is `expected` (none: no value). True when it did.
pub fn compare_and_swap(
    key: &str,
    expected: Option<&[u8]>,
    value: &[u8],
    ttl: Option<Duration>,
) -> Result<bool, Error> {
    host::compare_and_swap(key, expected, value, ttl.map(millis))
}

/// Adds `delta` and returns the sum; a missing value counts as 0 and starts its time to live.
pub fn increment(key: &str, delta: i64, ttl: Option<Duration>) -> Result<i64, Error> {
    host::increment(key, delta, ttl.map(millis))
}

/// The keys that begin with `prefix`, in order, at most `limit` (1,000 at the most) at a time; the cursor of the last page
/// leads to the next one.
pub fn keys(prefix: &str, limit: u32, cursor: Option<&str>) -> Page {
    host::keys(prefix, limit, cursor)
}

/// The value of a key, from JSON; none also when it is no JSON of this type.
pub fn get_json<T: serde::de::DeserializeOwned>(key: &str) -> Option<T> {
    serde_json::from_slice(&get(key)?).ok()
}

/// Writes a value as JSON; see [`put`].
///
/// # Panics
/// When the value has no form in JSON, such as a map whose keys are not strings.
pub fn put_json<T: serde::Serialize>(key: &str, value: &T, ttl: Option<Duration>) -> Result<(), Error> {
    let json = serde_json::to_vec(value).expect("a value that has a form in JSON");
    put(key, &json, ttl)
}

fn millis(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)
}
