//! Stored passwords, in the forms that are read.

use std::fmt;
use std::str::FromStr;

use argon2::password_hash::PasswordHash;
use argon2::{Algorithm, Argon2, Block, MIN_SALT_LEN, Params, Version};
use base64ct::{Base64, Encoding};
use pbkdf2::pbkdf2_hmac;
use sha2::{Digest, Sha512};
use subtle::ConstantTimeEq;

const SHA512_BYTES: usize = 64;

/// Most memory of an Argon2 hash, KiB: every instance of the plugin keeps it.
const ARGON2_KIB_MAX: u32 = 256 << 10;

/// Most passes over that memory: with all of it, some three seconds.
const ARGON2_PASSES_MAX: u32 = 16;

/// Most lanes: here they are filled one after the other, and only cost.
const ARGON2_LANES_MAX: u32 = 4;

/// Most rounds of PBKDF2: some fifty times what is advised.
const PBKDF2_ITERATIONS_MAX: u32 = 10_000_000;

/// A hash that a password can be compared with.
#[derive(Debug, Clone)]
pub(crate) struct Hash {
    scheme: Scheme,
    salt: Vec<u8>,
    digest: Vec<u8>,
}

/// How a digest is made.
#[derive(Debug, Clone)]
enum Scheme {
    /// `$argon2id$v=19$m=…,t=…,p=…$salt$digest` and its relatives.
    Argon2(Algorithm, Version, Params),
    /// Mosquitto 2's `$7$iterations$salt$digest`: PBKDF2 with HMAC-SHA-512.
    Pbkdf2 { iterations: u32 },
    /// Mosquitto 1's `$6$salt$digest`: one round of SHA-512.
    Sha512,
}

impl Hash {
    /// Whether this is the password. `memory` has room for [`Hash::memory_blocks`].
    pub(crate) fn verify(&self, password: &[u8], memory: &mut [Block]) -> bool {
        let mut digest = vec![0; self.digest.len()];
        let computed = self.scheme.digest_into(password, &self.salt, &mut digest, memory);
        computed.is_ok() & bool::from(digest.ct_eq(&self.digest))
    }

    /// About how much work a comparison is, in units of a microsecond or so.
    pub(crate) fn cost(&self) -> u64 {
        match &self.scheme {
            Scheme::Argon2(_, _, params) => u64::from(params.m_cost()) * u64::from(params.t_cost()),
            Scheme::Pbkdf2 { iterations } => u64::from(*iterations),
            Scheme::Sha512 => 1,
        }
    }

    /// Memory that a comparison needs, KiB.
    pub(crate) fn memory_blocks(&self) -> usize {
        match &self.scheme {
            Scheme::Argon2(_, _, params) => params.block_count(),
            Scheme::Pbkdf2 { .. } | Scheme::Sha512 => 0,
        }
    }

    fn argon2(text: &str) -> Result<Self, HashError> {
        let phc = PasswordHash::new(text).map_err(|_| HashError::Malformed)?;
        let algorithm = Algorithm::try_from(phc.algorithm).map_err(|_| HashError::UnknownForm)?;
        let version = phc.version.unwrap_or_else(|| Version::V0x10.into());
        let version = Version::try_from(version).map_err(|_| HashError::Malformed)?;
        let params = Params::try_from(&phc).map_err(|_| HashError::Malformed)?;
        at_most("m", params.m_cost(), ARGON2_KIB_MAX)?;
        at_most("t", params.t_cost(), ARGON2_PASSES_MAX)?;
        at_most("p", params.p_cost(), ARGON2_LANES_MAX)?;
        let mut buffer = [0; 64];
        let salt = phc.salt.ok_or(HashError::Malformed)?;
        let salt = salt
            .decode_b64(&mut buffer)
            .map_err(|_| HashError::Malformed)?
            .to_vec();
        if salt.len() < MIN_SALT_LEN {
            return Err(HashError::Malformed);
        }
        let digest = phc.hash.ok_or(HashError::Malformed)?.as_bytes().to_vec();
        Ok(Self {
            scheme: Scheme::Argon2(algorithm, version, params),
            salt,
            digest,
        })
    }

    fn pbkdf2(fields: &str) -> Result<Self, HashError> {
        let (iterations, rest) = fields.split_once('$').ok_or(HashError::Malformed)?;
        let iterations = iterations.parse().map_err(|_| HashError::Malformed)?;
        if iterations == 0 {
            return Err(HashError::Malformed);
        }
        at_most("the number of iterations", iterations, PBKDF2_ITERATIONS_MAX)?;
        Self::sha512(Scheme::Pbkdf2 { iterations }, rest)
    }

    fn sha512(scheme: Scheme, fields: &str) -> Result<Self, HashError> {
        let (salt, digest) = fields.split_once('$').ok_or(HashError::Malformed)?;
        let decode = |text: &str| Base64::decode_vec(text).map_err(|_| HashError::Malformed);
        let (salt, digest) = (decode(salt)?, decode(digest)?);
        let whole = !salt.is_empty() && digest.len() == SHA512_BYTES;
        if whole {
            Ok(Self { scheme, salt, digest })
        } else {
            Err(HashError::Malformed)
        }
    }
}

fn at_most(parameter: &'static str, value: u32, max: u32) -> Result<(), HashError> {
    if value > max {
        return Err(HashError::TooCostly { parameter, max });
    }
    Ok(())
}

impl Scheme {
    fn digest_into(
        &self,
        password: &[u8],
        salt: &[u8],
        digest: &mut [u8],
        memory: &mut [Block],
    ) -> Result<(), argon2::Error> {
        match self {
            Self::Argon2(algorithm, version, params) => {
                let argon2 = Argon2::new(*algorithm, *version, params.clone());
                argon2.hash_password_into_with_memory(password, salt, digest, memory)?;
            }
            Self::Pbkdf2 { iterations } => pbkdf2_hmac::<Sha512>(password, salt, *iterations, digest),
            Self::Sha512 => {
                digest.copy_from_slice(&Sha512::new().chain_update(password).chain_update(salt).finalize());
            }
        }
        Ok(())
    }
}

impl FromStr for Hash {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Self, HashError> {
        if text.starts_with("$argon2") {
            Self::argon2(text)
        } else if let Some(fields) = text.strip_prefix("$7$") {
            Self::pbkdf2(fields)
        } else if let Some(fields) = text.strip_prefix("$6$") {
            Self::sha512(Scheme::Sha512, fields)
        } else {
            Err(HashError::UnknownForm)
        }
    }
}

/// Why a text is not a hash. It does not quote the text, which may be a password by mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HashError {
    UnknownForm,
    Malformed,
    /// A log-in would take more time or memory than any should.
    TooCostly {
        parameter: &'static str,
        max: u32,
    },
}

impl fmt::Display for HashError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownForm => f.write_str("expected a hash that begins with `$argon2id$`, `$7$` or `$6$`"),
            Self::Malformed => f.write_str("the hash is malformed"),
            Self::TooCostly { parameter, max } => {
                write!(f, "{parameter} of the hash is too large, allowed are {max}")
            }
        }
    }
}
