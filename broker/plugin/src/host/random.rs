//! `random`: bytes that nobody can predict.

use wasmtime::bail;

use crate::bindings::imports::random::Host;
use crate::guest::Guest;

/// What one call may ask for; the contract says so.
const BYTES_MAX: u32 = 1 << 20;

impl Host for Guest {
    fn bytes(&mut self, length: u32) -> wasmtime::Result<Vec<u8>> {
        if length > BYTES_MAX {
            bail!("{length} random bytes in one call, allowed are {BYTES_MAX}");
        }
        self.note(|| format!("random.bytes({length})"));
        self.services.random_bytes(length as usize)
    }
}
