//! `random`: bytes that nobody can predict.

use wasmtime::bail;

use crate::bindings::imports::random::Host;
use crate::guest::Guest;
use crate::random;

/// What one call may ask for; the contract says so.
const BYTES_MAX: u32 = 1 << 20;

impl Host for Guest {
    fn bytes(&mut self, length: u32) -> wasmtime::Result<Vec<u8>> {
        if length > BYTES_MAX {
            bail!("{length} random bytes in one call, allowed are {BYTES_MAX}");
        }
        random::bytes(length as usize)
    }
}
