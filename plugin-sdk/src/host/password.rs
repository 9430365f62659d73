//! Password hashes at native speed. Grant: `password = true`. Only in hooks that may take their time; what a check takes
//! counts as time of the call.

#[cfg(target_family = "wasm")]
use crate::bindings::password as host;
#[cfg(not(target_family = "wasm"))]
use crate::mock::host::password as host;

pub use crate::bindings::password::Error;

/// Whether this is the password of a hash: Argon2, bcrypt, PBKDF2, or those of Mosquitto's password files.
pub fn verify(encoded: &str, password: &[u8]) -> Result<bool, Error> {
    host::verify(encoded, password)
}
