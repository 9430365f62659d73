//! Bytes to packets.

use bytes::{Bytes, BytesMut};

use crate::error::DecodeError;
use crate::frame::FrameHeader;
use crate::packet::{
    Auth, Connack, Connect, Disconnect, Packet, PacketType, Puback, Pubcomp, Publish, Pubrec, Pubrel, Suback,
    Subscribe, Unsuback, Unsubscribe,
};
use crate::reader::Reader;
use crate::topic::TopicLimits;
use crate::version::Version;

/// How much one packet may contain. Enforced while it is read, so that nothing over a limit is ever kept.
#[derive(Debug, Clone, PartialEq)]
pub struct DecodeLimits {
    /// Bytes of a whole packet, fixed header included.
    pub packet_bytes_max: usize,
    /// User properties in one block of properties.
    pub user_properties_max: usize,
    /// Bytes of those, with their lengths.
    pub user_property_bytes_max: usize,
    /// Filters of a SUBSCRIBE or UNSUBSCRIBE, reason codes of their acknowledgements.
    pub filters_max: usize,
    /// Subscription identifiers of a PUBLISH.
    pub subscription_identifiers_max: usize,
    /// Topic names. The filters of a SUBSCRIBE are not checked here.
    pub topic: TopicLimits,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self {
            packet_bytes_max: 1024 * 1024,
            user_properties_max: 64,
            user_property_bytes_max: 16 * 1024,
            filters_max: 256,
            subscription_identifiers_max: 64,
            topic: TopicLimits::default(),
        }
    }
}

/// Reads the packets of one connection. Keeps nothing from one to the next.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoder {
    /// The version that the connection speaks. A CONNECT is read in the version that it names itself.
    pub version: Version,
    /// How much one packet may contain.
    pub limits: DecodeLimits,
}

impl Decoder {
    /// A decoder for a connection of this version.
    pub fn new(version: Version, limits: DecodeLimits) -> Self {
        Self { version, limits }
    }

    /// Takes one packet off the front of `buf`; `Ok(None)` means that more bytes are needed.
    ///
    /// After an error there is no saying where the next packet begins: `buf` is not to be read any further.
    pub fn decode(&self, buf: &mut BytesMut) -> Result<Option<Packet>, DecodeError> {
        let Some(header) = FrameHeader::peek(buf)? else {
            return Ok(None);
        };
        let total_len = header.total_len();
        if total_len > self.limits.packet_bytes_max {
            return Err(DecodeError::PacketTooLarge);
        }
        if total_len > buf.len() {
            return Ok(None);
        }
        let frame = buf.split_to(total_len).freeze();
        self.decode_frame(&frame, 0, header).map(Some)
    }

    /// Reads the packet that is `chunk[start .. start + header.total_len()]`. Its strings, topics and payload
    /// are slices of `chunk`, which lives as long as they do.
    pub fn decode_frame(
        &self,
        chunk: &Bytes,
        start: usize,
        header: FrameHeader,
    ) -> Result<Packet, DecodeError> {
        if header.total_len() > self.limits.packet_bytes_max {
            return Err(DecodeError::PacketTooLarge);
        }
        let mut chunk = Reader::new(chunk);
        chunk.skip(start)?;
        chunk.skip(header.header_len)?;
        let mut body = chunk.sub(header.body_len)?;
        let packet = self.body(&mut body, header)?;
        body.finish()?;
        Ok(packet)
    }

    #[inline]
    fn body(&self, body: &mut Reader<'_>, header: FrameHeader) -> Result<Packet, DecodeError> {
        let packet_type = header.packet_type().ok_or(DecodeError::UnexpectedPacketType)?;
        if packet_type == PacketType::Publish {
            return Publish::decode(body, header.flags(), self).map(Packet::Publish);
        }
        if packet_type == PacketType::Connect {
            let connect = Connect::decode(body, &self.limits)?;
            return if flags_are_right(packet_type, header.flags(), connect.version) {
                Ok(Packet::Connect(Box::new(connect)))
            } else {
                Err(DecodeError::BadFlags)
            };
        }
        if !flags_are_right(packet_type, header.flags(), self.version) {
            return Err(DecodeError::BadFlags); // [MQTT-2.1.3-1]
        }
        Ok(match packet_type {
            PacketType::Connack => Packet::Connack(Box::new(Connack::decode(body, self)?)),
            PacketType::Connect | PacketType::Publish => return Err(DecodeError::BadFlags), // handled above
            PacketType::Puback => Packet::Puback(Puback::decode(body, self)?),
            PacketType::Pubrec => Packet::Pubrec(Pubrec::decode(body, self)?),
            PacketType::Pubrel => Packet::Pubrel(Pubrel::decode(body, self)?),
            PacketType::Pubcomp => Packet::Pubcomp(Pubcomp::decode(body, self)?),
            PacketType::Subscribe => Packet::Subscribe(Subscribe::decode(body, self)?),
            PacketType::Suback => Packet::Suback(Suback::decode(body, self)?),
            PacketType::Unsubscribe => Packet::Unsubscribe(Unsubscribe::decode(body, self)?),
            PacketType::Unsuback => Packet::Unsuback(Unsuback::decode(body, self)?),
            PacketType::Pingreq => Packet::Pingreq,
            PacketType::Pingresp => Packet::Pingresp,
            PacketType::Disconnect => Packet::Disconnect(Disconnect::decode(body, self)?),
            PacketType::Auth => Packet::Auth(Box::new(Auth::decode(body, self)?)),
        })
    }
}

/// The flags of all packets but PUBLISH are fixed (table 2-2).
fn flags_are_right(packet_type: PacketType, flags: u8, version: Version) -> bool {
    const DUP: u8 = 0b1000;
    match packet_type {
        // [MQTT-3.6.1-1], [MQTT-3.8.1-1], [MQTT-3.10.1-1]. In MQTT 3.1 these are QoS 1 messages, with a DUP
        // flag.
        PacketType::Pubrel | PacketType::Subscribe | PacketType::Unsubscribe if version == Version::V3_1 => {
            flags & !DUP == 0b0010
        }
        PacketType::Pubrel | PacketType::Subscribe | PacketType::Unsubscribe => flags == 0b0010,
        // In MQTT 3.1 they are not used (its section 3.1), and nobody checks them.
        PacketType::Connect if version == Version::V3_1 => true,
        _ => flags == 0, // [MQTT-3.14.1-1], [MQTT-3.15.1-1] and table 2-2
    }
}
