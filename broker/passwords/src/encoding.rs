//! Base 64 as hashes have it.

use base64ct::{Base64, Base64Bcrypt, Base64Unpadded, Encoding};

use crate::HashError;

/// With `=` at the end, as Mosquitto writes it.
pub(crate) fn padded(text: &str) -> Result<Vec<u8>, HashError> {
    Base64::decode_vec(text).map_err(|_| HashError::Malformed)
}

/// Without `=`, and with `.` in the place of `+` where it comes from Python's passlib.
pub(crate) fn unpadded(text: &str) -> Result<Vec<u8>, HashError> {
    let standard = text.replace('.', "+");
    Base64Unpadded::decode_vec(&standard).map_err(|_| HashError::Malformed)
}

/// In the alphabet of bcrypt.
pub(crate) fn bcrypt(text: &str) -> Result<Vec<u8>, HashError> {
    Base64Bcrypt::decode_vec(text).map_err(|_| HashError::Malformed)
}
