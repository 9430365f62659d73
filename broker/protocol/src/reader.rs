//! The one way into foreign bytes. Nothing else in this crate counts, cuts or indexes them.

use std::ops::Range;

use bytes::Bytes;
use bytestring::ByteString;

use crate::error::DecodeError;
use crate::packet_id::PacketId;
use crate::topic::{TopicLimits, TopicName};
use crate::var_int;

/// A place in a chunk of bytes and an end that it cannot pass.
pub(crate) struct Reader<'a> {
    chunk: &'a Bytes,
    at: usize,
    end: usize,
}

impl<'a> Reader<'a> {
    /// Reads the whole of `chunk`.
    pub(crate) fn new(chunk: &'a Bytes) -> Self {
        Self {
            chunk,
            at: 0,
            end: chunk.len(),
        }
    }

    /// The number of bytes that are left.
    #[inline]
    pub(crate) fn left(&self) -> usize {
        self.end.saturating_sub(self.at)
    }

    /// Whether no byte is left.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.left() == 0
    }

    /// No byte may be left.
    #[inline]
    pub(crate) fn finish(&self) -> Result<(), DecodeError> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(DecodeError::TrailingBytes)
        }
    }

    /// A reader of the next `len` bytes; this one goes on behind them.
    #[inline]
    pub(crate) fn sub(&mut self, len: usize) -> Result<Self, DecodeError> {
        let Range { start, end } = self.advance(len)?;
        Ok(Self {
            chunk: self.chunk,
            at: start,
            end,
        })
    }

    /// Everything that is left, as a slice of the chunk.
    #[inline]
    pub(crate) fn rest(&mut self) -> Bytes {
        let range = self.at..self.end;
        self.at = self.end;
        self.chunk.slice(range)
    }

    #[inline]
    pub(crate) fn skip(&mut self, len: usize) -> Result<(), DecodeError> {
        self.advance(len).map(drop)
    }

    #[inline]
    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array().map(|[byte]: [u8; 1]| byte)
    }

    #[inline]
    pub(crate) fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_be_bytes)
    }

    #[inline]
    pub(crate) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_be_bytes)
    }

    /// A byte that is 0 or 1.
    pub(crate) fn bool(&mut self) -> Result<bool, DecodeError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::NotBoolean),
        }
    }

    #[inline]
    pub(crate) fn var_int(&mut self) -> Result<u32, DecodeError> {
        let ahead = self.chunk.get(self.at..self.end).ok_or(DecodeError::Truncated)?;
        let (value, len) = var_int::decode(ahead)?.ok_or(DecodeError::Truncated)?;
        self.skip(len)?;
        Ok(value)
    }

    #[inline]
    pub(crate) fn packet_id(&mut self) -> Result<PacketId, DecodeError> {
        PacketId::new(self.u16()?).ok_or(DecodeError::ZeroPacketId)
    }

    /// Binary data: its length in two bytes, and that many bytes.
    #[inline]
    pub(crate) fn binary(&mut self) -> Result<Bytes, DecodeError> {
        let len = self.u16()?;
        let range = self.advance(usize::from(len))?;
        Ok(self.chunk.slice(range))
    }

    /// A string: binary data that is UTF-8 `[MQTT-1.5.4-1]` without U+0000 `[MQTT-1.5.4-2]`.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<ByteString, DecodeError> {
        let bytes = self.binary()?;
        // All of it, without a way out: for a short string that is faster than a search.
        if bytes.iter().fold(false, |null, &byte| null | (byte == 0)) {
            return Err(DecodeError::NullCharacter);
        }
        ByteString::try_from(bytes).map_err(|_| DecodeError::NotUtf8)
    }

    /// A string that is a topic name; `None` for the empty string.
    #[inline]
    pub(crate) fn topic(&mut self, limits: &TopicLimits) -> Result<Option<TopicName>, DecodeError> {
        let bytes = self.binary()?;
        if bytes.is_empty() {
            return Ok(None);
        }
        let text = ByteString::try_from(bytes).map_err(|_| DecodeError::NotUtf8)?;
        Ok(Some(TopicName::with_limits(text, limits)?))
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let range = self.advance(N)?;
        self.chunk
            .get(range)
            .and_then(|bytes| bytes.first_chunk())
            .copied()
            .ok_or(DecodeError::Truncated)
    }

    #[inline]
    fn advance(&mut self, len: usize) -> Result<Range<usize>, DecodeError> {
        if len > self.left() {
            return Err(DecodeError::Truncated);
        }
        let start = self.at;
        self.at = start.saturating_add(len);
        Ok(start..self.at)
    }
}
