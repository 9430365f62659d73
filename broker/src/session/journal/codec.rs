//! How records are written: numbers big-endian, texts and bytes behind their length.

use bytes::Bytes;
use bytestring::ByteString;

/// A record that is not what this version writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a record of this version")]
pub struct Unreadable;

/// Writes a record.
#[derive(Debug, Default)]
pub(super) struct Encoder(Vec<u8>);

impl Encoder {
    pub(super) fn with_room(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    pub(super) fn u8(&mut self, value: u8) -> &mut Self {
        self.0.push(value);
        self
    }

    pub(super) fn u32(&mut self, value: u32) -> &mut Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub(super) fn u64(&mut self, value: u64) -> &mut Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// Lengths are those of packets, which fit.
    pub(super) fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.u32(u32::try_from(value.len()).unwrap_or(u32::MAX));
        self.0.extend_from_slice(value);
        self
    }

    pub(super) fn text(&mut self, value: &str) -> &mut Self {
        self.bytes(value.as_bytes())
    }

    pub(super) fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) -> &mut Self {
        self.u8(u8::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
        self
    }

    pub(super) fn rest(&mut self, value: &[u8]) -> &mut Self {
        self.0.extend_from_slice(value);
        self
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Reads a record.
#[derive(Debug)]
pub(super) struct Decoder(Bytes);

impl Decoder {
    pub(super) fn new(record: Vec<u8>) -> Self {
        Self(Bytes::from(record))
    }

    fn take(&mut self, len: usize) -> Result<Bytes, Unreadable> {
        if len > self.0.len() {
            return Err(Unreadable);
        }
        Ok(self.0.split_to(len))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Unreadable> {
        self.take(N)?[..].try_into().map_err(|_| Unreadable)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Unreadable> {
        self.array().map(u8::from_be_bytes)
    }

    /// Whether this byte is the next one; it is taken then.
    pub(super) fn skip(&mut self, byte: u8) -> bool {
        let is_next = self.0.first() == Some(&byte);
        if is_next {
            let _ = self.0.split_to(1);
        }
        is_next
    }

    pub(super) fn u32(&mut self) -> Result<u32, Unreadable> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Unreadable> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn bool(&mut self) -> Result<bool, Unreadable> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Unreadable),
        }
    }

    pub(super) fn bytes(&mut self) -> Result<Bytes, Unreadable> {
        let len = self.u32()?;
        self.take(usize::try_from(len).map_err(|_| Unreadable)?)
    }

    pub(super) fn text(&mut self) -> Result<ByteString, Unreadable> {
        let text = ByteString::try_from(self.bytes()?).map_err(|_| Unreadable)?;
        // With memory of its own: it may be kept for long, and the record is not.
        Ok(ByteString::from(&*text))
    }

    pub(super) fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Unreadable>,
    ) -> Result<Option<T>, Unreadable> {
        if self.bool()? {
            read(self).map(Some)
        } else {
            Ok(None)
        }
    }

    /// The last bytes, as a record of their own.
    pub(super) fn split_end(&mut self, len: usize) -> Result<Self, Unreadable> {
        let at = self.0.len().checked_sub(len).ok_or(Unreadable)?;
        Ok(Self(self.0.split_off(at)))
    }

    pub(super) fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.0)
    }

    /// Nothing may be left: what a later version appends is not ours to ignore.
    pub(super) fn finish(self) -> Result<(), Unreadable> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Unreadable)
        }
    }
}
