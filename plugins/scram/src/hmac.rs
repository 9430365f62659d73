//! HMAC-SHA-256, as SCRAM uses it.

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// As long as everything here: a key, a signature, a proof.
pub(crate) type Digest = [u8; 32];

pub(crate) fn hmac(key: &[u8], text: &[u8]) -> Digest {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text);
    mac.finalize().into_bytes().into()
}
