//! Packets to bytes.

use bytes::BytesMut;

use crate::packet::{Packet, PacketType};
use crate::var_int;
use crate::version::Version;
use crate::writer::{Write, Writer};

/// Writes a packet as this version has it.
///
/// MQTT 3 has no properties and hardly any reason codes: there they are left out, or become the nearest that
/// there is. It has no AUTH either, for which nothing is written.
pub fn encode(packet: &Packet, version: Version, out: &mut BytesMut) {
    match packet {
        Packet::Connect(packet) => packet.encode(version, out),
        Packet::Connack(packet) => packet.encode(version, out),
        Packet::Publish(packet) => packet.encode(version, out),
        Packet::Puback(packet) => packet.encode(version, out),
        Packet::Pubrec(packet) => packet.encode(version, out),
        Packet::Pubrel(packet) => packet.encode(version, out),
        Packet::Pubcomp(packet) => packet.encode(version, out),
        Packet::Subscribe(packet) => packet.encode(version, out),
        Packet::Suback(packet) => packet.encode(version, out),
        Packet::Unsubscribe(packet) => packet.encode(version, out),
        Packet::Unsuback(packet) => packet.encode(version, out),
        Packet::Pingreq => out.extend_from_slice(&[first_byte(PacketType::Pingreq), 0]),
        Packet::Pingresp => out.extend_from_slice(&[first_byte(PacketType::Pingresp), 0]),
        Packet::Disconnect(packet) => packet.encode(version, out),
        Packet::Auth(packet) => packet.encode(version, out),
    }
}

/// The number of bytes that [`encode`] writes.
pub fn encoded_len(packet: &Packet, version: Version) -> usize {
    match packet {
        Packet::Connect(packet) => packet.encoded_len(version),
        Packet::Connack(packet) => packet.encoded_len(version),
        Packet::Publish(packet) => packet.encoded_len(version),
        Packet::Puback(packet) => packet.encoded_len(version),
        Packet::Pubrec(packet) => packet.encoded_len(version),
        Packet::Pubrel(packet) => packet.encoded_len(version),
        Packet::Pubcomp(packet) => packet.encoded_len(version),
        Packet::Subscribe(packet) => packet.encoded_len(version),
        Packet::Suback(packet) => packet.encoded_len(version),
        Packet::Unsubscribe(packet) => packet.encoded_len(version),
        Packet::Unsuback(packet) => packet.encoded_len(version),
        Packet::Pingreq | Packet::Pingresp => 2,
        Packet::Disconnect(packet) => packet.encoded_len(version),
        Packet::Auth(packet) => packet.encoded_len(version),
    }
}

/// The first byte of a packet whose flags are fixed (table 2-2).
#[inline]
pub(crate) const fn first_byte(packet_type: PacketType) -> u8 {
    let flags = match packet_type {
        PacketType::Pubrel | PacketType::Subscribe | PacketType::Unsubscribe => 0b0010,
        _ => 0,
    };
    (packet_type as u8) << 4 | flags
}

/// Writes a fixed header and the body, with room made for both at once.
#[inline]
pub(crate) fn frame(packet_type: PacketType, body: &impl Write, out: &mut BytesMut) {
    let body_len = body.len();
    out.reserve(frame_len(body_len));
    out.u8(first_byte(packet_type));
    out.length(body_len);
    body.write(out);
}

/// The bytes of a packet with a body of this length.
#[inline]
pub(crate) fn frame_len(body_len: usize) -> usize {
    let length_len = var_int::len(u32::try_from(body_len).unwrap_or(u32::MAX));
    body_len.saturating_add(length_len).saturating_add(1)
}

/// Gives a packet its two public methods, from a `body` method that says how it is written.
macro_rules! encodes {
    ($packet:ident) => {
        impl $packet {
            /// Writes the packet as this version has it.
            #[inline]
            pub fn encode(&self, version: crate::Version, out: &mut bytes::BytesMut) {
                crate::encode::frame(crate::packet::PacketType::$packet, &self.body(version), out);
            }

            /// The number of bytes that [`encode`](Self::encode) writes.
            #[inline]
            pub fn encoded_len(&self, version: crate::Version) -> usize {
                crate::encode::frame_len(crate::writer::Write::len(&self.body(version)))
            }

            #[inline]
            fn body(&self, version: crate::Version) -> Body<'_> {
                Body {
                    packet: self,
                    version,
                }
            }
        }

        /// The packet without its fixed header.
        struct Body<'a> {
            packet: &'a $packet,
            version: crate::Version,
        }
    };
}
pub(crate) use encodes;
