//! Reading and writing bytes. Nothing here panics, whatever the bytes are.

/// Takes values off the front of some bytes; `None` when there are too few.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) const fn len(&self) -> usize {
        self.rest.len()
    }

    #[inline]
    pub(crate) fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    #[inline]
    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*taken)
    }

    #[inline]
    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    /// An MQTT "two byte integer length" and as many bytes.
    pub(crate) fn mqtt_bytes(&mut self) -> Option<&'a [u8]> {
        let length = u16::from_be_bytes(self.array()?);
        self.bytes(usize::from(length))
    }

    /// An MQTT "UTF-8 encoded string".
    pub(crate) fn mqtt_str(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.mqtt_bytes()?).ok()
    }

    /// An MQTT "variable byte integer": skipped, since nothing here wants its value.
    pub(crate) fn skip_mqtt_varint(&mut self) -> Option<()> {
        (0..4).find_map(|_| self.u8().is_none_or(|byte| byte < 0x80).then_some(()))
    }
}

/// Bytes as text; `None` when they are not UTF-8.
///
/// Topics are ASCII as a rule. That is seen eight bytes at a time, in a few instructions that are inlined, where the standard
/// library's validation is a call that takes ten times as long.
#[inline]
pub(crate) fn text(bytes: &[u8]) -> Option<&str> {
    if is_ascii(bytes) {
        #[expect(unsafe_code, reason = "validated the line before")]
        // SAFETY: bytes below 0x80 are UTF-8, each by itself.
        return Some(unsafe { std::str::from_utf8_unchecked(bytes) });
    }
    other_text(bytes)
}

#[cold]
#[inline(never)]
fn other_text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

#[inline]
fn is_ascii(bytes: &[u8]) -> bool {
    const NOT_ASCII: u64 = 0x8080_8080_8080_8080;
    const WORD: usize = size_of::<u64>();
    let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) else {
        return bytes.iter().fold(0, |bits, byte| bits | byte) < 0x80;
    };
    let mut bits = u64::from_le_bytes(*first) | u64::from_le_bytes(*last);
    // Words may overlap; what lies between the first and the last begins where the first ends.
    let mut rest = &bytes[WORD..];
    while let Some((word, behind)) = rest.split_first_chunk().filter(|(_, behind)| !behind.is_empty()) {
        bits |= u64::from_le_bytes(*word);
        rest = behind;
    }
    bits & NOT_ASCII == 0
}

/// Appends an MQTT "two byte integer length" and the bytes; `None` when they are too many for it.
pub(crate) fn put_mqtt_bytes(out: &mut Vec<u8>, bytes: &[u8]) -> Option<()> {
    let length = u16::try_from(bytes.len()).ok()?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_what_is_utf8() {
        for length in 0..40 {
            let ascii = vec![b'a'; length];
            assert_eq!(text(&ascii), std::str::from_utf8(&ascii).ok());
            for at in 0..length {
                for part in [&[0xc3, 0xbc][..], &[0x80], &[0xff]] {
                    let mut bytes = ascii.clone();
                    bytes.splice(at..=at, part.iter().copied());
                    assert_eq!(text(&bytes), std::str::from_utf8(&bytes).ok(), "{bytes:?}");
                }
            }
        }
    }
}
