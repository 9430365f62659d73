//! A stored password, in the forms that are read.

use std::str::FromStr;

use argon2::password_hash::PasswordHash;
use argon2::{Algorithm, Argon2, MIN_SALT_LEN, Params, Version};
use pbkdf2::pbkdf2_hmac;
use sha2::{Digest, Sha256, Sha512};
use subtle::ConstantTimeEq;

use crate::encoding::{self, padded, unpadded};
use crate::{HashError, Memory};

const SHA512_BYTES: usize = 64;

/// Most memory of an Argon2 hash, KiB: every instance of a plugin keeps it.
const ARGON2_KIB_MAX: u32 = 256 << 10;

/// Most passes over that memory: with all of it, some three seconds.
const ARGON2_PASSES_MAX: u32 = 16;

/// Most lanes: here they are filled one after the other, and only cost.
const ARGON2_LANES_MAX: u32 = 4;

/// Most rounds of PBKDF2: some fifty times what is advised.
const PBKDF2_ITERATIONS_MAX: u32 = 10_000_000;

/// Longest digest of PBKDF2: each 64 bytes more cost all the rounds again.
const PBKDF2_DIGEST_BYTES_MAX: usize = 64;

/// Highest cost of bcrypt: some four seconds.
const BCRYPT_COST_MAX: u32 = 16;

/// Names that bcrypt had; not `$2x$`, which is a mistake of one library that was kept.
const BCRYPT_PREFIXES: [&str; 3] = ["$2b$", "$2a$", "$2y$"];

/// The lowest that bcrypt has.
const BCRYPT_COST_MIN: u32 = 4;

const BCRYPT_SALT_CHARS: usize = 22;

/// bcrypt makes 24 bytes and keeps so many.
const BCRYPT_DIGEST_BYTES: usize = 23;

/// bcrypt looks at no more of a password.
const BCRYPT_PASSWORD_BYTES_MAX: usize = 72;

/// A hash that a password can be compared with.
#[derive(Clone)]
pub struct Hash {
    scheme: Scheme,
    salt: Vec<u8>,
    digest: Vec<u8>,
}

/// How a digest is made.
#[derive(Debug, Clone)]
enum Scheme {
    /// `$argon2id$v=19$m=…,t=…,p=…$salt$digest` and its relatives.
    Argon2(Algorithm, Version, Params),
    /// `$pbkdf2-sha512$i=…,l=…$salt$digest`, and Mosquitto 2's `$7$iterations$salt$digest`.
    Pbkdf2 { prf: Prf, iterations: u32 },
    /// `$2b$cost$…`
    Bcrypt { cost: u32 },
    /// Mosquitto 1's `$6$salt$digest`: one round of SHA-512.
    Sha512,
}

/// What PBKDF2 is made of: HMAC with one of these.
#[derive(Debug, Clone, Copy)]
enum Prf {
    Sha256,
    Sha512,
}

impl std::fmt::Debug for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hash")
            .field("scheme", &self.scheme)
            .finish_non_exhaustive()
    }
}

impl Hash {
    /// Whether this is the password. `memory` has room for this hash.
    pub fn verify(&self, password: &[u8], memory: &mut Memory) -> bool {
        let mut digest = vec![0; self.digest.len()];
        let computed = self.scheme.digest_into(password, &self.salt, &mut digest, memory);
        computed.is_some() & bool::from(digest.ct_eq(&self.digest))
    }

    /// About how much work a comparison is, in units of a microsecond or so.
    pub fn cost(&self) -> u64 {
        match &self.scheme {
            Scheme::Argon2(_, _, params) => u64::from(params.m_cost()) * u64::from(params.t_cost()),
            Scheme::Pbkdf2 { iterations, .. } => u64::from(*iterations),
            Scheme::Bcrypt { cost } => 64 << cost,
            Scheme::Sha512 => 1,
        }
    }

    /// Memory that a comparison needs, KiB.
    pub fn memory_kib(&self) -> usize {
        match &self.scheme {
            Scheme::Argon2(_, _, params) => params.block_count(),
            Scheme::Pbkdf2 { .. } | Scheme::Bcrypt { .. } | Scheme::Sha512 => 0,
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

    /// `i=…,l=…$salt$digest` of the PHC, or `…$salt$digest` of Python's passlib.
    fn pbkdf2(prf: Prf, fields: &str) -> Result<Self, HashError> {
        let (parameters, rest) = split(fields)?;
        let (salt, digest) = split(rest)?;
        let mut iterations = None;
        for parameter in parameters.split(',') {
            match parameter.split_once('=') {
                Some(("i", rounds)) => iterations = rounds.parse().ok(),
                // How long the digest is can be seen.
                Some(("l", _)) => {}
                None => iterations = parameter.parse().ok(),
                Some(_) => return Err(HashError::Malformed),
            }
        }
        let scheme = Scheme::Pbkdf2 {
            prf,
            iterations: checked_iterations(iterations)?,
        };
        let (salt, digest) = (unpadded(salt)?, unpadded(digest)?);
        // A digest of a few bytes is soon found by chance.
        if salt.is_empty() || !(16..=PBKDF2_DIGEST_BYTES_MAX).contains(&digest.len()) {
            return Err(HashError::Malformed);
        }
        Ok(Self { scheme, salt, digest })
    }

    fn mosquitto_2(fields: &str) -> Result<Self, HashError> {
        let (iterations, rest) = split(fields)?;
        let scheme = Scheme::Pbkdf2 {
            prf: Prf::Sha512,
            iterations: checked_iterations(iterations.parse().ok())?,
        };
        Self::sha512(scheme, rest)
    }

    fn sha512(scheme: Scheme, fields: &str) -> Result<Self, HashError> {
        let (salt, digest) = split(fields)?;
        let (salt, digest) = (padded(salt)?, padded(digest)?);
        let whole = !salt.is_empty() && digest.len() == SHA512_BYTES;
        if whole {
            Ok(Self { scheme, salt, digest })
        } else {
            Err(HashError::Malformed)
        }
    }

    /// `cost$`, and behind it salt and digest as one text, in an alphabet of bcrypt's own.
    fn bcrypt(fields: &str) -> Result<Self, HashError> {
        let (cost, rest) = split(fields)?;
        let cost = cost.parse().map_err(|_| HashError::Malformed)?;
        at_most("the cost", cost, BCRYPT_COST_MAX)?;
        let (salt, digest) = rest
            .split_at_checked(BCRYPT_SALT_CHARS)
            .ok_or(HashError::Malformed)?;
        let (salt, digest) = (encoding::bcrypt(salt)?, encoding::bcrypt(digest)?);
        if cost < BCRYPT_COST_MIN || digest.len() != BCRYPT_DIGEST_BYTES {
            return Err(HashError::Malformed);
        }
        Ok(Self {
            scheme: Scheme::Bcrypt { cost },
            salt,
            digest,
        })
    }
}

fn split(fields: &str) -> Result<(&str, &str), HashError> {
    fields.split_once('$').ok_or(HashError::Malformed)
}

fn at_most(parameter: &'static str, value: u32, max: u32) -> Result<(), HashError> {
    if value > max {
        return Err(HashError::TooCostly { parameter, max });
    }
    Ok(())
}

fn checked_iterations(iterations: Option<u32>) -> Result<u32, HashError> {
    let iterations = iterations
        .filter(|rounds| *rounds > 0)
        .ok_or(HashError::Malformed)?;
    at_most("the number of iterations", iterations, PBKDF2_ITERATIONS_MAX)?;
    Ok(iterations)
}

impl Scheme {
    /// None when it cannot be made, for want of memory.
    fn digest_into(
        &self,
        password: &[u8],
        salt: &[u8],
        digest: &mut [u8],
        memory: &mut Memory,
    ) -> Option<()> {
        match self {
            Self::Argon2(algorithm, version, params) => {
                let argon2 = Argon2::new(*algorithm, *version, params.clone());
                argon2
                    .hash_password_into_with_memory(password, salt, digest, &mut memory.0)
                    .ok()?;
            }
            Self::Pbkdf2 {
                prf: Prf::Sha256,
                iterations,
            } => pbkdf2_hmac::<Sha256>(password, salt, *iterations, digest),
            Self::Pbkdf2 {
                prf: Prf::Sha512,
                iterations,
            } => pbkdf2_hmac::<Sha512>(password, salt, *iterations, digest),
            Self::Bcrypt { cost } => {
                // As everyone does: the password with a zero behind it, and of that the first 72 bytes.
                let mut key: Vec<u8> = password.iter().copied().chain([0]).collect();
                key.truncate(BCRYPT_PASSWORD_BYTES_MAX);
                let made = bcrypt::bcrypt(*cost, salt.try_into().ok()?, &key);
                digest.copy_from_slice(&made[..BCRYPT_DIGEST_BYTES]);
            }
            Self::Sha512 => {
                digest.copy_from_slice(&Sha512::new().chain_update(password).chain_update(salt).finalize());
            }
        }
        Some(())
    }
}

impl FromStr for Hash {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Self, HashError> {
        if text.starts_with("$argon2") {
            Self::argon2(text)
        } else if let Some(fields) = BCRYPT_PREFIXES
            .iter()
            .find_map(|prefix| text.strip_prefix(prefix))
        {
            Self::bcrypt(fields)
        } else if let Some(fields) = text.strip_prefix("$pbkdf2-sha256$") {
            Self::pbkdf2(Prf::Sha256, fields)
        } else if let Some(fields) = text.strip_prefix("$pbkdf2-sha512$") {
            Self::pbkdf2(Prf::Sha512, fields)
        } else if let Some(fields) = text.strip_prefix("$7$") {
            Self::mosquitto_2(fields)
        } else if let Some(fields) = text.strip_prefix("$6$") {
            Self::sha512(Scheme::Sha512, fields)
        } else {
            Err(HashError::UnknownForm)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each is of `letmein`, made by others: argon2-cffi, crypt(3), Python's hashlib and mosquitto_passwd.
    const OF_LETMEIN: [&str; 8] = [
        "$argon2id$v=19$m=1024,t=1,p=1$AZ/G7a8+k5Gnp+zzBA8hdQ$2qCWKQevL5fSj5cNIWS6No0LWn8wxfHU/pzxBj8BDh8",
        "$2b$04$K3yqD0Ij6Uo8K3yqD0Ij6OoWaBVkB3Q4GwgI9ZLuqA9qH6T3ZwIIy",
        "$2y$05$K3yqD0Ij6Uo8K3yqD0Ij6Ol9coHOs8TQfOgVW0ZtunRr9xfAcSllu",
        "$pbkdf2-sha512$1000$MDEyMzQ1Njc4OWFiY2RlZg$JbGL2pnhRBQv6Iuen/pT6MI2Jut7X9mR5p95uv8eiGtqJ2gu9sU6tntQJg3CBK3PtktLjjTnchKxFGlwAm0b1w",
        "$pbkdf2-sha256$i=1000,l=32$MDEyMzQ1Njc4OWFiY2RlZg$FUR/xjg6ilqlJHee9mQCJFnZvv8N7RB4GIbce2PvU4Y",
        "$pbkdf2-sha256$1000$MDEyMzQ1Njc4OWFiY2RlZg$FUR/xjg6ilqlJHee9mQCJFnZvv8N7RB4GIbce2PvU4Y",
        "$7$101$4GRsXYbZG2KOBOu9$6VRLTMshOwMYZ1m4M4KvsDBfgot9wFXRv+8Dzeh8UaWSv3onE3t+DrQk25Bs25gw2lgtLCiIZ7IM4nZ7CR/GsQ==",
        "$6$d47IwN1QcgzCYRzV$1ReTpb1NTE1xXl98BIU4nE0wtkmd9s5hLZkv0ey3gx0dppH4BtaeTpox1Vd8Kv090LZNCbPqiJunTj9FU/kluA==",
    ];

    #[test]
    fn every_form_knows_its_password_and_no_other() {
        for text in OF_LETMEIN {
            let hash: Hash = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            let mut memory = Memory::for_hashes([&hash]).unwrap();
            assert!(hash.verify(b"letmein", &mut memory), "{text}");
            for wrong in [&b""[..], b"letmeim", b"letmein ", b"Letmein"] {
                assert!(!hash.verify(wrong, &mut memory), "{text}: {wrong:?}");
            }
        }
    }

    #[test]
    fn a_hash_that_is_cut_or_changed_is_malformed_or_another() {
        // A digest of PBKDF2 may have any length, and the beginning of a longer one is one.
        for text in OF_LETMEIN.iter().filter(|text| !text.starts_with("$pbkdf2")) {
            for end in 0..text.len() {
                if let Ok(hash) = text[..end].parse::<Hash>() {
                    let mut memory = Memory::for_hashes([&hash]).unwrap();
                    assert!(!hash.verify(b"letmein", &mut memory), "{}", &text[..end]);
                }
            }
        }
    }

    #[test]
    fn what_is_no_hash_is_told_apart() {
        let cases = [
            ("", HashError::UnknownForm),
            ("letmein", HashError::UnknownForm),
            ("$1$salt$digest", HashError::UnknownForm),
            (
                "$2x$05$K3yqD0Ij6Uo8K3yqD0Ij6Ol9coHOs8TQfOgVW0ZtunRr9xfAcSllu",
                HashError::UnknownForm,
            ),
            ("$argon2id$v=19$m=1024,t=1,p=1$c2FsdA", HashError::Malformed),
            ("$2b$xx$", HashError::Malformed),
            (
                "$2b$03$K3yqD0Ij6Uo8K3yqD0Ij6OoWaBVkB3Q4GwgI9ZLuqA9qH6T3ZwIIy",
                HashError::Malformed,
            ),
            ("$7$0$c2FsdA==$ZGlnZXN0", HashError::Malformed),
            ("$pbkdf2-sha256$i=0$c2FsdA$c2FsdA", HashError::Malformed),
            ("$pbkdf2-sha256$x=1$c2FsdA$c2FsdA", HashError::Malformed),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<Hash>().err(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_would_take_too_long_is_refused() {
        let costly = [
            "$argon2id$v=19$m=1048576,t=1,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA",
            "$argon2id$v=19$m=1024,t=17,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA",
            "$2b$17$K3yqD0Ij6Uo8K3yqD0Ij6OUo8K3yqD0Ij6Uo8K3yqD0Ij6Uo8K3yq",
            "$7$10000001$c2FsdA==$ZGlnZXN0",
            "$pbkdf2-sha512$10000001$c2FsdA$c2FsdHNhbHRzYWx0c2FsdA",
        ];
        for text in costly {
            let error = text.parse::<Hash>().err();
            assert!(
                matches!(error, Some(HashError::TooCostly { .. })),
                "{text}: {error:?}"
            );
        }
    }

    #[test]
    fn without_its_memory_nothing_is_right() {
        let hash: Hash = OF_LETMEIN[0].parse().unwrap();
        assert!(!hash.verify(b"letmein", &mut Memory::default()));
    }
}
