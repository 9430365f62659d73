//! Figures of the plugin's own, shown with the broker's under the plugin's name. Grant: `metrics = true`.
//!
//! Names have 1 to 64 of the characters `a-z 0-9 _`; others are ignored, and so is the 1,001st name.

#[cfg(target_family = "wasm")]
use crate::bindings::metrics as host;
#[cfg(not(target_family = "wasm"))]
use crate::mock::host::metrics as host;

/// Adds to a counter.
pub fn count(name: &str, delta: u64) {
    host::count(name, delta);
}

/// Sets a gauge.
pub fn gauge(name: &str, value: f64) {
    host::gauge(name, value);
}

/// Adds a value to a histogram, whose buckets end at 1, 2 and 5 times each power of ten.
pub fn observe(name: &str, value: f64) {
    host::observe(name, value);
}
