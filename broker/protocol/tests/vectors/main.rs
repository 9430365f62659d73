//! Byte vectors for every packet in every version, and what becomes of them when they arrive whole, in pieces,
//! glued together, cut short or damaged.

mod table;

use bytes::{Bytes, BytesMut};
use hookwire_protocol::{
    ConnectReason, DecodeError, DecodeLimits, Decoder, DisconnectReason, FrameHeader, Packet, Version,
    encode, encoded_len,
};
use table::{Expect, Vector, vectors};

const VERSIONS: [Version; 3] = [Version::V3_1, Version::V3_1_1, Version::V5];

fn decoder(version: Version) -> Decoder {
    Decoder::new(version, DecodeLimits::default())
}

/// Hexadecimal digits; `'text'` stands for its ASCII codes, white space for nothing.
fn parse_hex(hex: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (index, part) in hex.split('\'').enumerate() {
        if index % 2 == 1 {
            bytes.extend_from_slice(part.as_bytes());
            continue;
        }
        let digits: Vec<u8> = part
            .chars()
            .filter(|c| !c.is_whitespace())
            .map(|c| c.to_digit(16).expect("a digit") as u8)
            .collect();
        assert!(digits.len().is_multiple_of(2), "half a byte in {hex}");
        bytes.extend(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]));
    }
    bytes
}

fn decode_one(version: Version, bytes: &[u8]) -> Result<Option<Packet>, DecodeError> {
    decoder(version).decode(&mut BytesMut::from(bytes))
}

impl Vector {
    fn bytes(&self) -> Vec<u8> {
        parse_hex(self.hex)
    }

    fn packet(&self) -> Option<&Packet> {
        match &self.expect {
            Expect::Packet(packet) | Expect::PacketWrittenOtherwise(packet) => Some(packet),
            Expect::Error(_) => None,
        }
    }
}

fn valid(version: Version) -> impl Iterator<Item = (Vector, Packet)> {
    vectors()
        .into_iter()
        .filter(move |vector| vector.version == version)
        .filter_map(|vector| vector.packet().cloned().map(|packet| (vector, packet)))
}

#[test]
fn every_vector_gives_what_the_table_says() {
    let mut wrong = Vec::new();
    for vector in vectors() {
        let expected = match &vector.expect {
            Expect::Packet(packet) | Expect::PacketWrittenOtherwise(packet) => Ok(Some(packet.clone())),
            Expect::Error(error) => Err(*error),
        };
        let decoded = decode_one(vector.version, &vector.bytes());
        if decoded != expected {
            wrong.push(format!(
                "{} ({}): {decoded:?} instead of {expected:?}",
                vector.name, vector.version
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_has_every_packet_in_every_version() {
    for version in VERSIONS {
        let mut types: Vec<u8> = valid(version)
            .map(|(_, packet)| packet.packet_type() as u8)
            .collect();
        types.sort_unstable();
        types.dedup();
        let all: Vec<u8> = if version == Version::V5 {
            (1..=15).collect()
        } else {
            (1..=14).collect()
        };
        assert_eq!(types, all, "{version}");
    }
}

#[test]
fn every_error_has_a_vector() {
    let seen: Vec<DecodeError> = vectors()
        .iter()
        .filter_map(|vector| match vector.expect {
            Expect::Error(error) => Some(error),
            _ => None,
        })
        .collect();
    for error in ALL_ERRORS {
        assert!(seen.contains(&error), "{error:?}");
    }
}

#[test]
fn valid_packets_are_written_byte_for_byte() {
    for vector in vectors() {
        let Some(packet) = vector.packet() else {
            continue;
        };
        let mut out = BytesMut::new();
        encode(packet, vector.version, &mut out);
        assert_eq!(
            encoded_len(packet, vector.version),
            out.len(),
            "{} ({})",
            vector.name,
            vector.version
        );
        match &vector.expect {
            Expect::Packet(_) => assert_eq!(&out[..], vector.bytes(), "{} ({})", vector.name, vector.version),
            _ => assert_eq!(
                decode_one(vector.version, &out),
                Ok(Some(packet.clone())),
                "{} ({})",
                vector.name,
                vector.version
            ),
        }
    }
}

#[test]
fn a_packet_may_arrive_in_two_pieces_at_any_byte() {
    for version in VERSIONS {
        for (vector, packet) in valid(version) {
            let bytes = vector.bytes();
            for cut in 0..=bytes.len() {
                let mut buf = BytesMut::from(&bytes[..cut]);
                if cut < bytes.len() {
                    assert_eq!(
                        decoder(version).decode(&mut buf),
                        Ok(None),
                        "{} at {cut}",
                        vector.name
                    );
                    assert_eq!(&buf[..], &bytes[..cut], "nothing is taken before all is there");
                    buf.extend_from_slice(&bytes[cut..]);
                }
                assert_eq!(decoder(version).decode(&mut buf), Ok(Some(packet.clone())));
                assert!(buf.is_empty());
            }
        }
    }
}

#[test]
fn packets_may_arrive_byte_by_byte() {
    for version in VERSIONS {
        let mut buf = BytesMut::new();
        for (vector, packet) in valid(version) {
            let bytes = vector.bytes();
            let (last, first) = bytes.split_last().expect("not empty");
            for byte in first {
                buf.extend_from_slice(&[*byte]);
                assert_eq!(decoder(version).decode(&mut buf), Ok(None), "{}", vector.name);
            }
            buf.extend_from_slice(&[*last]);
            assert_eq!(
                decoder(version).decode(&mut buf),
                Ok(Some(packet)),
                "{}",
                vector.name
            );
        }
    }
}

#[test]
fn packets_may_arrive_all_at_once() {
    for version in VERSIONS {
        let mut buf = BytesMut::new();
        let mut packets = Vec::new();
        for (vector, packet) in valid(version) {
            buf.extend_from_slice(&vector.bytes());
            packets.push(packet);
        }
        let chunk = buf.clone().freeze();
        for packet in &packets {
            assert_eq!(decoder(version).decode(&mut buf), Ok(Some(packet.clone())));
        }
        assert_eq!(decoder(version).decode(&mut buf), Ok(None));

        // The same, without taking the packets off the chunk.
        let mut start = 0;
        for packet in &packets {
            let header = FrameHeader::peek(&chunk[start..])
                .expect("a header")
                .expect("all of it");
            assert_eq!(header.packet_type(), Some(packet.packet_type()));
            let decoded = decoder(version).decode_frame(&chunk, start, header);
            assert_eq!(decoded.as_ref(), Ok(packet));
            start += header.total_len();
        }
        assert_eq!(start, chunk.len());
    }
}

#[test]
fn a_packet_cut_short_is_an_error() {
    for version in VERSIONS {
        for (vector, packet) in valid(version) {
            let bytes = vector.bytes();
            let body = &bytes[header_len(&bytes)..];
            for cut in 0..body.len() {
                // The header says that this is all there is.
                let shorter = [&[bytes[0]], &length(cut)[..], &body[..cut]].concat();
                let decoded = decode_one(version, &shorter);
                // What is optional at the end may be missing, and the payload of a PUBLISH may be shorter.
                let may_be_shorter = matches!(
                    packet,
                    Packet::Publish(_)
                        | Packet::Puback(_)
                        | Packet::Pubrec(_)
                        | Packet::Pubrel(_)
                        | Packet::Pubcomp(_)
                        | Packet::Subscribe(_)
                        | Packet::Suback(_)
                        | Packet::Unsubscribe(_)
                        | Packet::Unsuback(_)
                        | Packet::Disconnect(_)
                        | Packet::Auth(_)
                );
                assert!(
                    decoded.is_err() || may_be_shorter,
                    "{} cut at {cut}: {decoded:?}",
                    vector.name
                );
                if let (Ok(decoded), Expect::Packet(_)) = (decoded, &vector.expect) {
                    assert_ne!(decoded, Some(packet.clone()), "{} cut at {cut}", vector.name);
                }
            }
        }
    }
}

#[test]
fn a_frame_outside_its_chunk_is_an_error() {
    for version in VERSIONS {
        for (vector, _) in valid(version) {
            let bytes = Bytes::from(vector.bytes());
            let header = FrameHeader::peek(&bytes).expect("a header").expect("all of it");
            for len in 0..bytes.len() {
                let decoded = decoder(version).decode_frame(&bytes.slice(..len), 0, header);
                assert_eq!(decoded, Err(DecodeError::Truncated), "{}", vector.name);
            }
            for start in [1, bytes.len(), bytes.len() + 1, usize::MAX] {
                let decoded = decoder(version).decode_frame(&bytes, start, header);
                assert_eq!(decoded, Err(DecodeError::Truncated), "{}", vector.name);
            }
        }
    }
}

#[test]
fn a_damaged_byte_does_no_harm() {
    for version in VERSIONS {
        for (vector, _) in valid(version) {
            let bytes = vector.bytes();
            for at in 0..bytes.len() {
                for bit in 0..8 {
                    check_damaged(version, &bytes, at, bytes[at] ^ 1 << bit);
                }
                for byte in [0, 1, 0x7f, 0x80, 0xff, !bytes[at]] {
                    check_damaged(version, &bytes, at, byte);
                }
            }
        }
    }
}

/// Whatever is read from damaged bytes can be written, and is read from that once more.
fn check_damaged(version: Version, bytes: &[u8], at: usize, byte: u8) {
    let mut damaged = bytes.to_vec();
    damaged[at] = byte;
    for version in VERSIONS {
        let _ = decode_one(version, &damaged);
    }
    if let Ok(Some(packet)) = decode_one(version, &damaged) {
        let version = match &packet {
            Packet::Connect(connect) => connect.version,
            _ => version,
        };
        let mut out = BytesMut::new();
        encode(&packet, version, &mut out);
        assert_eq!(decode_one(version, &out), Ok(Some(packet)), "{damaged:02x?}");
    }
}

/// Every length field is two bytes or a variable byte integer; whatever stands anywhere, it is never followed past
/// the end.
#[test]
fn a_wrong_length_does_no_harm() {
    for version in VERSIONS {
        for (vector, _) in valid(version) {
            let bytes = vector.bytes();
            for at in 0..bytes.len() {
                for wrong in [
                    &[0x00, 0x00][..],
                    &[0xff, 0xff],
                    &[0xff, 0xff, 0xff, 0x7f],
                    &[0xff, 0xff, 0xff, 0xff, 0x7f],
                ] {
                    let mut damaged = bytes.clone();
                    for (to, from) in damaged[at..].iter_mut().zip(wrong) {
                        *to = *from;
                    }
                    let _ = decode_one(version, &damaged);
                }
            }
        }
    }
}

#[test]
fn what_the_sender_is_told() {
    for (error, disconnect, connect) in [
        (
            DecodeError::Truncated,
            DisconnectReason::MalformedPacket,
            ConnectReason::MalformedPacket,
        ),
        (
            DecodeError::ReservedSubscriptionOption,
            DisconnectReason::MalformedPacket,
            ConnectReason::MalformedPacket,
        ),
        (
            DecodeError::DuplicateProperty,
            DisconnectReason::ProtocolError,
            ConnectReason::ProtocolError,
        ),
        (
            DecodeError::UnexpectedPacketType,
            DisconnectReason::ProtocolError,
            ConnectReason::ProtocolError,
        ),
        (
            DecodeError::UnsupportedProtocolVersion,
            DisconnectReason::ProtocolError,
            ConnectReason::UnsupportedProtocolVersion,
        ),
        (
            DecodeError::TopicNameInvalid,
            DisconnectReason::TopicNameInvalid,
            ConnectReason::TopicNameInvalid,
        ),
        (
            DecodeError::ZeroTopicAlias,
            DisconnectReason::TopicAliasInvalid,
            ConnectReason::ProtocolError,
        ),
        (
            DecodeError::PacketTooLarge,
            DisconnectReason::PacketTooLarge,
            ConnectReason::PacketTooLarge,
        ),
        (
            DecodeError::TopicTooLong,
            DisconnectReason::TopicNameInvalid,
            ConnectReason::TopicNameInvalid,
        ),
        (
            DecodeError::TooManyUserProperties,
            DisconnectReason::QuotaExceeded,
            ConnectReason::QuotaExceeded,
        ),
    ] {
        assert_eq!(DisconnectReason::from(error), disconnect, "{error:?}");
        assert_eq!(ConnectReason::from(error), connect, "{error:?}");
    }
}

fn header_len(packet: &[u8]) -> usize {
    FrameHeader::peek(packet)
        .expect("a header")
        .expect("all of it")
        .header_len
}

/// A remaining length of one or two bytes.
fn length(len: usize) -> Vec<u8> {
    match len {
        0..128 => vec![len as u8],
        _ => vec![(len % 128) as u8 | 0x80, (len / 128) as u8],
    }
}

/// All but those about limits, which take more bytes than fit into a row: see limits.rs.
const ALL_ERRORS: [DecodeError; 38] = [
    DecodeError::BadFlags,
    DecodeError::LengthTooLong,
    DecodeError::LengthNotMinimal,
    DecodeError::Truncated,
    DecodeError::TrailingBytes,
    DecodeError::NotUtf8,
    DecodeError::NullCharacter,
    DecodeError::UnknownProperty,
    DecodeError::PropertyNotAllowed,
    DecodeError::UnknownReason,
    DecodeError::QosThree,
    DecodeError::DupWithoutQos,
    DecodeError::ReservedConnectFlag,
    DecodeError::WillFlagsWithoutWill,
    DecodeError::WillQosThree,
    DecodeError::PasswordWithoutUsername,
    DecodeError::ReservedConnackFlag,
    DecodeError::ReservedSubscriptionOption,
    DecodeError::DuplicateProperty,
    DecodeError::NotBoolean,
    DecodeError::ZeroPacketId,
    DecodeError::ZeroReceiveMaximum,
    DecodeError::ZeroMaximumPacketSize,
    DecodeError::ZeroSubscriptionIdentifier,
    DecodeError::BadMaximumQos,
    DecodeError::SubscriptionQosThree,
    DecodeError::BadRetainHandling,
    DecodeError::EmptyFilterList,
    DecodeError::EmptyReasonList,
    DecodeError::EmptyTopic,
    DecodeError::AuthenticationDataWithoutMethod,
    DecodeError::NoAuthenticationMethod,
    DecodeError::SessionPresentInRefusal,
    DecodeError::UnexpectedPacketType,
    DecodeError::UnsupportedProtocolVersion,
    DecodeError::TopicNameInvalid,
    DecodeError::ZeroTopicAlias,
    DecodeError::PacketTooLarge,
];
