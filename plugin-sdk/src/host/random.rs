//! Random bytes that nobody can predict. Grant: `random = true`.

#[cfg(target_family = "wasm")]
use crate::bindings::random as host;
#[cfg(not(target_family = "wasm"))]
use crate::mock::host::random as host;

/// So many bytes, 1 MiB at the most.
pub fn bytes(length: u32) -> Vec<u8> {
    host::bytes(length)
}
