//! Keys that signatures are verified with. A key knows what it may be used for: the token's word on its algorithm only
//! chooses among those that fit, so no public key ever serves as the secret of an HMAC.

use base64ct::{Base64, Encoding};
use hmac::{Hmac, Mac};
use hookwire_plugin::signatures::{self, Algorithm as Verifier};
use sha2::{Sha256, Sha384, Sha512};

use crate::algorithm::Algorithm;
use crate::der::{self, PublicKeyInfo};
use crate::token::Token;

/// RFC 7518, section 3.3.
const RSA_BITS_MIN: usize = 2048;

/// A larger one makes each log-in dear.
const RSA_BITS_MAX: usize = 8192;

const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const PRIME256V1: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const SECP384R1: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// Bytes of a coordinate.
const P256_BYTES: usize = 32;
const P384_BYTES: usize = 48;

const ED25519_BYTES: usize = 32;

/// A key, with its name where it has one.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) id: Option<String>,
    /// None: whatever the material is for.
    pub(crate) algorithm: Option<Algorithm>,
    pub(crate) material: Material,
}

/// What a key is made of, in the form in which the broker takes it.
pub(crate) enum Material {
    Secret(Vec<u8>),
    Rsa(Vec<u8>),
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl std::fmt::Debug for Material {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Secret(_) => "Secret(…)",
            Self::Rsa(_) => "Rsa",
            Self::P256(_) => "P256",
            Self::P384(_) => "P384",
            Self::Ed25519(_) => "Ed25519",
        })
    }
}

impl Material {
    /// A public key in PEM, of any kind.
    pub(crate) fn of_pem(pem: &str) -> Result<Self, String> {
        const EXPECTED: &str = "expected the public key of RSA, P-256, P-384 or Ed25519 in PEM";
        if pem.contains("PRIVATE KEY") {
            return Err("this is a private key; tokens are verified with the public one".to_owned());
        }
        if let Some(der) = unwrap_pem(pem, "RSA PUBLIC KEY") {
            let (modulus, exponent) = der::rsa_parts(&der).ok_or(EXPECTED)?;
            return Self::of_rsa_parts(modulus, exponent);
        }
        let der = unwrap_pem(pem, "PUBLIC KEY").ok_or(EXPECTED)?;
        let info = PublicKeyInfo::read(&der).ok_or(EXPECTED)?;
        match (info.algorithm, info.curve) {
            (RSA_ENCRYPTION, _) => {
                let (modulus, exponent) = der::rsa_parts(info.key).ok_or(EXPECTED)?;
                Self::of_rsa_parts(modulus, exponent)
            }
            (EC_PUBLIC_KEY, Some(PRIME256V1)) => Self::of_point(info.key, P256_BYTES),
            (EC_PUBLIC_KEY, Some(SECP384R1)) => Self::of_point(info.key, P384_BYTES),
            (ED25519, None) => Self::of_ed25519(info.key),
            _ => Err(EXPECTED.to_owned()),
        }
    }

    /// From modulus and exponent, big-endian.
    pub(crate) fn of_rsa_parts(modulus: &[u8], exponent: &[u8]) -> Result<Self, String> {
        let modulus = der::without_zeros(modulus);
        let bits = modulus
            .first()
            .map_or(0, |first| modulus.len() * 8 - first.leading_zeros() as usize);
        if !(RSA_BITS_MIN..=RSA_BITS_MAX).contains(&bits) {
            return Err(format!(
                "a key of RSA with {bits} bits, allowed are {RSA_BITS_MIN} to {RSA_BITS_MAX}"
            ));
        }
        if exponent.last().is_none_or(|last| last % 2 == 0) {
            return Err("a key of RSA with an even exponent".to_owned());
        }
        Ok(Self::Rsa(der::rsa_public_key(modulus, exponent)))
    }

    /// From both coordinates.
    pub(crate) fn of_coordinates(x: &[u8], y: &[u8], bytes: usize) -> Result<Self, String> {
        if x.len() != bytes || y.len() != bytes {
            return Err(format!("expected coordinates of {bytes} bytes"));
        }
        Self::of_point(&[&[4], x, y].concat(), bytes)
    }

    pub(crate) fn of_ed25519(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() != ED25519_BYTES {
            return Err(format!("a key of Ed25519 has {ED25519_BYTES} bytes"));
        }
        Ok(Self::Ed25519(bytes.to_vec()))
    }

    /// Whether it lies on its curve is found out with the first signature: then none is good.
    fn of_point(point: &[u8], bytes: usize) -> Result<Self, String> {
        if point.len() != 1 + 2 * bytes || point[0] != 4 {
            return Err("expected an uncompressed point".to_owned());
        }
        Ok(if bytes == P256_BYTES {
            Self::P256(point.to_vec())
        } else {
            Self::P384(point.to_vec())
        })
    }

    /// Whether it is material for an algorithm.
    pub(crate) fn is_for(&self, algorithm: Algorithm) -> bool {
        self.verifier(algorithm).is_some()
            || matches!(self, Self::Secret(_)) && algorithm.secret_bytes_min().is_some()
    }

    /// How the broker calls an algorithm that this public key is for.
    fn verifier(&self, algorithm: Algorithm) -> Option<(Verifier, &[u8])> {
        Some(match (self, algorithm) {
            (Self::Rsa(key), Algorithm::Rs256) => (Verifier::RsaPkcs1Sha256, key),
            (Self::Rsa(key), Algorithm::Rs384) => (Verifier::RsaPkcs1Sha384, key),
            (Self::Rsa(key), Algorithm::Rs512) => (Verifier::RsaPkcs1Sha512, key),
            (Self::Rsa(key), Algorithm::Ps256) => (Verifier::RsaPssSha256, key),
            (Self::Rsa(key), Algorithm::Ps384) => (Verifier::RsaPssSha384, key),
            (Self::Rsa(key), Algorithm::Ps512) => (Verifier::RsaPssSha512, key),
            (Self::P256(key), Algorithm::Es256) => (Verifier::EcdsaP256Sha256, key),
            (Self::P384(key), Algorithm::Es384) => (Verifier::EcdsaP384Sha384, key),
            (Self::Ed25519(key), Algorithm::EdDsa) => (Verifier::Ed25519, key),
            _ => return None,
        })
    }

    /// Whether a signature by this algorithm is good; `false` too when it is not for it.
    fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match (self, algorithm) {
            (Self::Secret(secret), Algorithm::Hs256) => hmac_sha256(secret, message, signature),
            (Self::Secret(secret), Algorithm::Hs384) => hmac_sha384(secret, message, signature),
            (Self::Secret(secret), Algorithm::Hs512) => hmac_sha512(secret, message, signature),
            _ => self
                .verifier(algorithm)
                .is_some_and(|(verifier, key)| signatures::verify(verifier, key, message, signature)),
        }
    }
}

macro_rules! hmac {
    ($name:ident, $digest:ty) => {
        /// Compared in constant time.
        fn $name(secret: &[u8], message: &[u8], code: &[u8]) -> bool {
            Hmac::<$digest>::new_from_slice(secret)
                .is_ok_and(|mac| mac.chain_update(message).verify_slice(code).is_ok())
        }
    };
}

hmac!(hmac_sha256, Sha256);
hmac!(hmac_sha384, Sha384);
hmac!(hmac_sha512, Sha512);

/// What is between the lines of a PEM file with this label.
fn unwrap_pem(pem: &str, label: &str) -> Option<Vec<u8>> {
    let (_, rest) = pem.split_once(&format!("-----BEGIN {label}-----"))?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
    let text: String = body.split_ascii_whitespace().collect();
    Base64::decode_vec(&text).ok()
}

/// All keys, in the order of the configuration.
#[derive(Debug)]
pub(crate) struct Keys(pub(crate) Vec<Key>);

impl Keys {
    /// Whether one of the keys that the token may be signed with has signed it.
    pub(crate) fn verify(&self, token: &Token<'_>) -> Result<(), String> {
        let mut fitting = self.0.iter().filter(|key| key.fits(token)).peekable();
        if fitting.peek().is_none() {
            return Err(format!(
                "no key for {:?} named {:?}",
                token.algorithm, token.key_id
            ));
        }
        let mut verifies = fitting.map(|key| {
            key.material
                .verifies(token.algorithm, token.signed, &token.signature)
        });
        if verifies.any(|verifies| verifies) {
            Ok(())
        } else {
            Err("the signature of the token is not good".to_owned())
        }
    }
}

impl Key {
    /// A key without a name is tried for every token, and a token that names none with every key.
    fn fits(&self, token: &Token<'_>) -> bool {
        let is_named = match (&self.id, &token.key_id) {
            (Some(own), Some(named)) => own == named,
            _ => true,
        };
        is_named
            && self
                .algorithm
                .is_none_or(|algorithm| algorithm == token.algorithm)
            && self.material.is_for(token.algorithm)
    }
}
