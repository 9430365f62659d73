//! Variable byte integers: seven bits a byte, the lowest first, the top bit set while more follow (1.5.5).

use crate::error::DecodeError;

/// The largest value, 268,435,455.
pub(crate) const MAX: u32 = 0x0FFF_FFFF;

/// The value at the front of `bytes` and the number of bytes that it takes; `None` if more bytes are needed.
#[inline]
pub(crate) fn decode(bytes: &[u8]) -> Result<Option<(u32, usize)>, DecodeError> {
    let (value, len, last) = match *bytes {
        [a, ..] if a < 0x80 => return Ok(Some((u32::from(a), 1))),
        [a, b, ..] if b < 0x80 => (septets([a, b, 0, 0]), 2, b),
        [a, b, c, ..] if c < 0x80 => (septets([a, b, c, 0]), 3, c),
        [a, b, c, d, ..] if d < 0x80 => (septets([a, b, c, d]), 4, d),
        [_, _, _, _, ..] => return Err(DecodeError::LengthTooLong),
        _ => return Ok(None),
    };
    if last == 0 {
        return Err(DecodeError::LengthNotMinimal); // [MQTT-1.5.5-1]
    }
    Ok(Some((value, len)))
}

fn septets([a, b, c, d]: [u8; 4]) -> u32 {
    let septet = |byte: u8| u32::from(byte & 0x7F);
    septet(a) | septet(b) << 7 | septet(c) << 14 | septet(d) << 21
}

/// The bytes of `value`, and how many of them count. What is over [`MAX`] becomes it.
#[inline]
pub(crate) fn encode(value: u32) -> ([u8; 4], usize) {
    let value = value.min(MAX);
    let [a, b, c, d] =
        [value & 0x7F, value >> 7 & 0x7F, value >> 14 & 0x7F, value >> 21].map(|septet| septet as u8);
    match len(value) {
        1 => ([a, 0, 0, 0], 1),
        2 => ([a | 0x80, b, 0, 0], 2),
        3 => ([a | 0x80, b | 0x80, c, 0], 3),
        _ => ([a | 0x80, b | 0x80, c | 0x80, d], 4),
    }
}

/// How many bytes `value` takes.
#[inline]
pub(crate) const fn len(value: u32) -> usize {
    match value {
        0..=0x7F => 1,
        0x80..=0x3FFF => 2,
        0x4000..=0x1F_FFFF => 3,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_of_every_length() {
        for (value, bytes) in [
            (0, &[0x00][..]),
            (127, &[0x7F]),
            (128, &[0x80, 0x01]),
            (16_383, &[0xFF, 0x7F]),
            (16_384, &[0x80, 0x80, 0x01]),
            (2_097_151, &[0xFF, 0xFF, 0x7F]),
            (2_097_152, &[0x80, 0x80, 0x80, 0x01]),
            (MAX, &[0xFF, 0xFF, 0xFF, 0x7F]),
        ] {
            let (encoded, len) = encode(value);
            assert_eq!(&encoded[..len], bytes);
            assert_eq!(super::len(value), len);
            assert_eq!(decode(bytes), Ok(Some((value, len))));
            for cut in 0..len {
                assert_eq!(decode(&bytes[..cut]), Ok(None));
            }
        }
    }

    #[test]
    fn too_long_and_not_minimal() {
        for bytes in [&[0x80, 0x80, 0x80, 0x80][..], &[0xFF, 0xFF, 0xFF, 0xFF, 0x7F]] {
            assert_eq!(decode(bytes), Err(DecodeError::LengthTooLong));
        }
        for bytes in [
            &[0x80, 0x00][..],
            &[0xFF, 0x00],
            &[0x80, 0x80, 0x00],
            &[0x81, 0x80, 0x80, 0x00],
        ] {
            assert_eq!(decode(bytes), Err(DecodeError::LengthNotMinimal));
        }
    }

    #[test]
    fn larger_than_the_largest_becomes_it() {
        assert_eq!(encode(u32::MAX), encode(MAX));
    }
}
