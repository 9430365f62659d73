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

    pub(crate) const fn len(&self) -> usize {
        self.rest.len()
    }

    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
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

/// Appends an MQTT "two byte integer length" and the bytes; `None` when they are too many for it.
pub(crate) fn put_mqtt_bytes(out: &mut Vec<u8>, bytes: &[u8]) -> Option<()> {
    let length = u16::try_from(bytes.len()).ok()?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
    Some(())
}
