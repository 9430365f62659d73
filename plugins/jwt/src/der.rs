//! As much of DER as public keys are written in.

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;

/// Longest thing that is read here, bytes: a key of RSA with 16,384 bits.
const LENGTH_MAX: usize = 4096;

/// A `SubjectPublicKeyInfo` (RFC 5280): what kind of key it is, and the key.
pub(crate) struct PublicKeyInfo<'a> {
    /// Object identifiers of the algorithm and, where it has one, of its curve.
    pub(crate) algorithm: &'a [u8],
    pub(crate) curve: Option<&'a [u8]>,
    pub(crate) key: &'a [u8],
}

impl<'a> PublicKeyInfo<'a> {
    pub(crate) fn read(der: &'a [u8]) -> Option<Self> {
        let mut whole = Reader(der);
        let mut info = Reader(whole.value(SEQUENCE)?);
        let mut kind = Reader(info.value(SEQUENCE)?);
        let algorithm = kind.value(OBJECT_IDENTIFIER)?;
        let curve = kind.value(OBJECT_IDENTIFIER);
        let bits = info.value(BIT_STRING)?;
        let is_whole = whole.0.is_empty() && info.0.is_empty();
        // No bit of the last byte is left out.
        let key = bits.strip_prefix(&[0]).filter(|_| is_whole)?;
        Some(Self {
            algorithm,
            curve,
            key,
        })
    }
}

/// Modulus and exponent of an `RSAPublicKey` (RFC 8017), without leading zeros.
pub(crate) fn rsa_parts(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut whole = Reader(der);
    let mut key = Reader(whole.value(SEQUENCE)?);
    let (modulus, exponent) = (key.value(INTEGER)?, key.value(INTEGER)?);
    let is_whole = whole.0.is_empty() && key.0.is_empty();
    is_whole.then_some((without_zeros(modulus), without_zeros(exponent)))
}

/// An `RSAPublicKey` of modulus and exponent, big-endian.
pub(crate) fn rsa_public_key(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let parts = [integer(modulus), integer(exponent)].concat();
    tagged(SEQUENCE, &parts)
}

pub(crate) fn without_zeros(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    &bytes[zeros..]
}

fn integer(bytes: &[u8]) -> Vec<u8> {
    let bytes = without_zeros(bytes);
    // A first bit that is set would make it a negative one.
    let sign: &[u8] = if bytes.first().is_none_or(|first| *first >= 0x80) {
        &[0]
    } else {
        &[]
    };
    tagged(INTEGER, &[sign, bytes].concat())
}

fn tagged(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = value.len();
    let mut out = vec![tag];
    match length {
        0..0x80 => out.push(length as u8),
        0x80..0x100 => out.extend([0x81, length as u8]),
        _ => out.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    out.extend_from_slice(value);
    out
}

/// Takes values off the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The next value, if it has this tag. A length that is not in its shortest form is none.
    fn value(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (length, rest) = match *self.0 {
            [found, length @ 0..=0x7f, ref rest @ ..] if found == tag => (usize::from(length), rest),
            [found, 0x81, length @ 0x80..=0xff, ref rest @ ..] if found == tag => (usize::from(length), rest),
            [found, 0x82, high @ 1..=0xff, low, ref rest @ ..] if found == tag => {
                (usize::from(high) << 8 | usize::from(low), rest)
            }
            _ => return None,
        };
        let (value, rest) = rest.split_at_checked(length).filter(|_| length <= LENGTH_MAX)?;
        self.0 = rest;
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for (modulus, exponent) in [
            (vec![0x7f; 127], vec![3]),
            (vec![0x80; 256], vec![1, 0, 1]),
            (vec![0xff; 1024], vec![0, 3]),
        ] {
            let der = rsa_public_key(&modulus, &exponent);
            assert_eq!(rsa_parts(&der), Some((&modulus[..], without_zeros(&exponent))));
            for end in 0..der.len() {
                assert_eq!(rsa_parts(&der[..end]), None, "{end}");
            }
            assert_eq!(rsa_parts(&[&der[..], &[0]].concat()), None, "nothing may follow");
        }
    }

    #[test]
    fn other_forms_of_a_length_are_refused() {
        for der in [
            &[0x30, 0x81, 0x02, 0, 0][..],
            &[0x30, 0x82, 0x00, 0x80],
            &[0x30, 0x80, 0, 0],
            &[0x30, 0x84, 0, 0, 0, 0],
            &[0x30],
            &[],
        ] {
            assert!(Reader(der).value(SEQUENCE).is_none(), "{der:?}");
        }
    }
}
