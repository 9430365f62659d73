//! Where one packet ends, before anything of it is decoded or kept.

use crate::error::DecodeError;
use crate::packet::PacketType;
use crate::var_int;

/// The fixed header of a packet (2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    /// The first byte: packet type and flags.
    pub first: u8,
    /// The bytes of the fixed header itself, 2 to 5.
    pub header_len: usize,
    /// The bytes that follow it, the "remaining length".
    pub body_len: usize,
}

impl FrameHeader {
    /// Looks at the front of `buf`; `Ok(None)` means that more bytes are needed.
    ///
    /// The reserved packet type 0 is refused at its first byte, a length that is too long or not minimal as
    /// soon as that can be seen. Whether the packet is larger than one is willing to receive is for the
    /// caller to compare ([`total_len`](Self::total_len)), before the body is waited for.
    #[inline]
    pub fn peek(buf: &[u8]) -> Result<Option<Self>, DecodeError> {
        let Some((&first, length)) = buf.split_first() else {
            return Ok(None);
        };
        if PacketType::from_first_byte(first).is_none() {
            return Err(DecodeError::UnexpectedPacketType);
        }
        let Some((body_len, length_len)) = var_int::decode(length)? else {
            return Ok(None);
        };
        Ok(Some(Self {
            first,
            header_len: length_len.saturating_add(1),
            body_len: body_len as usize,
        }))
    }

    /// The type of the packet; `None` for the reserved type 0, which [`peek`](Self::peek) never lets through.
    #[inline]
    pub const fn packet_type(&self) -> Option<PacketType> {
        PacketType::from_first_byte(self.first)
    }

    /// The flags: the lower four bits of the first byte.
    #[inline]
    pub const fn flags(&self) -> u8 {
        self.first & 0x0F
    }

    /// The bytes of the whole packet.
    #[inline]
    pub const fn total_len(&self) -> usize {
        self.header_len.saturating_add(self.body_len)
    }
}
