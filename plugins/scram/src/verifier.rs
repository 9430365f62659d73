//! What is stored of a password. It proves that somebody knows the password, and does not give it away.

use std::str::FromStr;

use base64ct::{Base64, Encoding};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

use crate::hmac::{Digest, hmac};

/// RFC 7677, 4: fewer are too quick to guess.
const ITERATIONS_MIN: u32 = 4096;

/// The work is the client's, and a small device has to get through it before the broker's patience ends.
const ITERATIONS_MAX: u32 = 10_000_000;

/// One user's, in the form that PostgreSQL uses: `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verifier {
    pub(crate) iterations: u32,
    pub(crate) salt: Vec<u8>,
    pub(crate) stored_key: Digest,
    pub(crate) server_key: Digest,
}

impl Verifier {
    pub(crate) fn iterations(&self) -> u32 {
        self.iterations
    }

    pub(crate) fn salt(&self) -> &[u8] {
        &self.salt
    }

    /// The server's signature for a client whose proof is right. RFC 5802, 3.
    pub(crate) fn verify(&self, auth_message: &[u8], proof: &Digest) -> Option<Digest> {
        let mut client_key = hmac(&self.stored_key, auth_message);
        for (byte, proof) in client_key.iter_mut().zip(proof) {
            *byte ^= proof;
        }
        let stored_key: Digest = Sha256::digest(client_key).into();
        let signature = hmac(&self.server_key, auth_message);
        bool::from(stored_key.ct_eq(&self.stored_key)).then_some(signature)
    }
}

impl FromStr for Verifier {
    /// A text for a person. It does not quote what it complains about, which may be a password by mistake.
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "expected `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`";
        let fields = text.strip_prefix("SCRAM-SHA-256$").ok_or(FORM)?;
        let (costs, keys) = fields.split_once('$').ok_or(FORM)?;
        let (iterations, salt) = costs.split_once(':').ok_or(FORM)?;
        let (stored_key, server_key) = keys.split_once(':').ok_or(FORM)?;
        let iterations = iterations.parse().map_err(|_| FORM)?;
        if !(ITERATIONS_MIN..=ITERATIONS_MAX).contains(&iterations) {
            return Err("the number of iterations is not between 4096 and 10000000");
        }
        let salt = Base64::decode_vec(salt).map_err(|_| "the salt is not base64")?;
        if salt.is_empty() {
            return Err("the salt is empty");
        }
        Ok(Self {
            iterations,
            salt,
            stored_key: key(stored_key)?,
            server_key: key(server_key)?,
        })
    }
}

fn key(text: &str) -> Result<Digest, &'static str> {
    let mut key = Digest::default();
    match Base64::decode(text, &mut key) {
        Ok(bytes) if bytes.len() == size_of::<Digest>() => Ok(key),
        _ => Err("a key is not 32 bytes in base64"),
    }
}
