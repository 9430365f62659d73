//! What time it is. Needs no grant.

#[cfg(target_family = "wasm")]
use crate::bindings::clock as host;
#[cfg(not(target_family = "wasm"))]
use crate::mock::host::clock as host;

/// Milliseconds since 1970-01-01 UTC.
pub fn now_ms() -> u64 {
    host::now_ms()
}

/// Nanoseconds since some moment; never goes back.
pub fn monotonic_ns() -> u64 {
    host::monotonic_ns()
}
