//! `signatures`: whether somebody has signed something.

use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};

use crate::bindings::imports::signatures::{Algorithm, Host};
use crate::guest::Guest;
use crate::note;

impl Host for Guest {
    fn verify(
        &mut self,
        algorithm: Algorithm,
        public_key: Vec<u8>,
        message: Vec<u8>,
        signature: Vec<u8>,
    ) -> bool {
        self.note(|| format!("signatures.verify({})", note::bytes(&message)));
        UnparsedPublicKey::new(verifier(algorithm), public_key)
            .verify(&message, &signature)
            .is_ok()
    }
}

fn verifier(algorithm: Algorithm) -> &'static dyn VerificationAlgorithm {
    match algorithm {
        Algorithm::RsaPkcs1Sha256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::RsaPkcs1Sha384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::RsaPkcs1Sha512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::RsaPssSha256 => &signature::RSA_PSS_2048_8192_SHA256,
        Algorithm::RsaPssSha384 => &signature::RSA_PSS_2048_8192_SHA384,
        Algorithm::RsaPssSha512 => &signature::RSA_PSS_2048_8192_SHA512,
        Algorithm::EcdsaP256Sha256 => &signature::ECDSA_P256_SHA256_FIXED,
        Algorithm::EcdsaP384Sha384 => &signature::ECDSA_P384_SHA384_FIXED,
        Algorithm::Ed25519 => &signature::ED25519,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::tests::guest;
    use crate::{Grants, HostLimits};

    /// RFC 8032, section 7.1, test 2: of the byte 0x72.
    const KEY: &str = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
    const SIGNATURE: &str = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    #[test]
    fn a_signature_is_of_one_message_by_one_key() {
        let mut guest = guest(Grants::default(), HostLimits::default());
        let mut verify = |key: Vec<u8>, message: &[u8], signature: Vec<u8>| {
            guest.verify(Algorithm::Ed25519, key, message.to_vec(), signature)
        };
        assert!(verify(hex(KEY), b"\x72", hex(SIGNATURE)));
        assert!(!verify(hex(KEY), b"\x73", hex(SIGNATURE)));
        assert!(!verify(hex(SIGNATURE)[..32].to_vec(), b"\x72", hex(SIGNATURE)));
        assert!(!verify(hex(KEY), b"\x72", hex(SIGNATURE)[..63].to_vec()));
        assert!(!verify(vec![], b"\x72", vec![]));
    }

    #[test]
    fn what_is_no_key_of_an_algorithm_signs_nothing() {
        let mut guest = guest(Grants::default(), HostLimits::default());
        for algorithm in [
            Algorithm::RsaPkcs1Sha256,
            Algorithm::RsaPkcs1Sha384,
            Algorithm::RsaPkcs1Sha512,
            Algorithm::RsaPssSha256,
            Algorithm::RsaPssSha384,
            Algorithm::RsaPssSha512,
            Algorithm::EcdsaP256Sha256,
            Algorithm::EcdsaP384Sha384,
        ] {
            assert!(!guest.verify(algorithm, hex(KEY), vec![0x72], hex(SIGNATURE)));
        }
    }
}
