//! Signatures of tokens and messages, at native speed. Needs no grant.

#[cfg(target_family = "wasm")]
use crate::bindings::signatures as host;
#[cfg(not(target_family = "wasm"))]
use crate::mock::host::signatures as host;

pub use crate::bindings::signatures::Algorithm;

/// Whether this is a signature of the message by the owner of the key. False too when key or signature are none.
pub fn verify(algorithm: Algorithm, public_key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    host::verify(algorithm, public_key, message, signature)
}
