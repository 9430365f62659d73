//! The vectors: one row for each thing that is to be accepted or refused.
//!
//! In the bytes, `'text'` stands for its ASCII codes. They were put together by hand and by a script, not by the
//! encoder that they test.

use std::num::{NonZeroU16, NonZeroU32};

use bytes::Bytes;
use bytestring::ByteString;
use hookwire_protocol::DecodeError as E;
use hookwire_protocol::Version::{self, V3_1, V3_1_1, V5};
use hookwire_protocol::*;

/// One row.
pub(crate) struct Vector {
    pub(crate) name: &'static str,
    pub(crate) version: Version,
    pub(crate) hex: &'static str,
    pub(crate) expect: Expect,
}

/// What comes of the bytes.
pub(crate) enum Expect {
    /// This packet, and these very bytes when it is written again.
    Packet(Packet),
    /// This packet, which is written in another way here.
    PacketWrittenOtherwise(Packet),
    /// This error.
    Error(DecodeError),
}

fn ok(name: &'static str, version: Version, hex: &'static str, packet: impl Into<AnyPacket>) -> Vector {
    Vector {
        name,
        version,
        hex,
        expect: Expect::Packet(packet.into().0),
    }
}

fn loose(name: &'static str, version: Version, hex: &'static str, packet: impl Into<AnyPacket>) -> Vector {
    Vector {
        name,
        version,
        hex,
        expect: Expect::PacketWrittenOtherwise(packet.into().0),
    }
}

fn bad(name: &'static str, version: Version, hex: &'static str, error: DecodeError) -> Vector {
    Vector {
        name,
        version,
        hex,
        expect: Expect::Error(error),
    }
}

/// The whole table.
#[rustfmt::skip]
pub(crate) fn vectors() -> Vec<Vector> {
    vec![
        // ---- CONNECT
        ok("connect, minimal", V3_1, "10 0f 0006'MQIsdp' 03 02 003c 0001'c'", connect(V3_1)),
        ok("connect, minimal", V3_1_1, "10 0d 0004'MQTT' 04 02 003c 0001'c'", connect(V3_1_1)),
        ok("connect, minimal", V5, "10 0e 0004'MQTT' 05 02 003c 00 0001'c'", connect(V5)),
        ok("connect, of a 3.1 bridge", V3_1, "10 0f 0006'MQIsdp' 83 02 003c 0001'c'", Connect { bridge: true, ..connect(V3_1) }),
        ok("connect, of a 3.1.1 bridge", V3_1_1, "10 0d 0004'MQTT' 84 02 003c 0001'c'", Connect { bridge: true, ..connect(V3_1_1) }),
        ok("connect, empty client id, clean start, no keep alive", V3_1_1, "10 0c 0004'MQTT' 04 02 0000 0000", Connect { client_id: text(""), keep_alive_secs: 0, ..connect(V3_1_1) }),
        ok("connect, session to be continued", V5, "10 0e 0004'MQTT' 05 00 ffff 00 0001'c'", Connect { clean_start: false, keep_alive_secs: 65535, ..connect(V5) }),
        ok("connect, user name and password", V3_1, "10 15 0006'MQIsdp' 03 c2 003c 0001'c' 0001'u' 0001'p'", Connect { username: Some(text("u")), password: Some(bytes(b"p")), ..connect(V3_1) }),
        ok("connect, user name and password", V3_1_1, "10 13 0004'MQTT' 04 c2 003c 0001'c' 0001'u' 0001'p'", Connect { username: Some(text("u")), password: Some(bytes(b"p")), ..connect(V3_1_1) }),
        ok("connect, user name only", V3_1_1, "10 10 0004'MQTT' 04 82 003c 0001'c' 0001'u'", Connect { username: Some(text("u")), ..connect(V3_1_1) }),
        ok("connect, password only", V5, "10 12 0004'MQTT' 05 42 003c 00 0001'c' 0002 00ff", Connect { password: Some(bytes(b"\x00\xff")), ..connect(V5) }),
        ok("connect, empty user name and password", V5, "10 12 0004'MQTT' 05 c2 003c 00 0001'c' 0000 0000", Connect { username: Some(text("")), password: Some(bytes(b"")), ..connect(V5) }),
        ok("connect, will with qos 0", V3_1, "10 18 0006'MQIsdp' 03 06 003c 0001'c' 0001'w' 0004'gone'", Connect { will: Some(Will { topic: topic("w"), payload: bytes(b"gone"), qos: QoS::AtMostOnce, retain: false, delay_interval_secs: 0, properties: PublishProperties::NONE }), ..connect(V3_1) }),
        ok("connect, retained will with qos 1", V3_1_1, "10 16 0004'MQTT' 04 2e 003c 0001'c' 0001'w' 0004'gone'", Connect { will: Some(Will { topic: topic("w"), payload: bytes(b"gone"), qos: QoS::AtLeastOnce, retain: true, delay_interval_secs: 0, properties: PublishProperties::NONE }), ..connect(V3_1_1) }),
        ok("connect, will with qos 2 and no properties", V5, "10 18 0004'MQTT' 05 16 003c 00 0001'c' 00 0001'w' 0004'gone'", Connect { will: Some(Will { topic: topic("w"), payload: bytes(b"gone"), qos: QoS::ExactlyOnce, retain: false, delay_interval_secs: 0, properties: PublishProperties::NONE }), ..connect(V5) }),
        ok("connect, all will properties", V5, "10 38 0004'MQTT' 05 06 003c 00 0001'c' 20 01 01 02 0000000a 03 0001't' 08 0001'r' 09 0002 0102 18 00000005 26 0001'k' 0001'v' 0001'w' 0004'gone'", Connect { will: Some(Will { topic: topic("w"), payload: bytes(b"gone"), qos: QoS::AtMostOnce, retain: false, delay_interval_secs: 5, properties: PublishPropertyValues { payload_format_utf8: Some(true), message_expiry_interval_secs: Some(10), response_topic: Some(topic("r")), correlation_data: Some(bytes(&[1, 2])), content_type: Some(text("t")), user_properties: user(&[("k", "v")]), subscription_identifiers: Vec::new() }.into() }), ..connect(V5) }),
        ok("connect, all properties", V5, "10 31 0004'MQTT' 05 02 003c 23 11 00000e10 15 0001'm' 16 0001 07 17 00 19 01 21 000a 22 0014 26 0001'k' 0001'v' 27 00001000 0001'c'", Connect { properties: ConnectProperties { session_expiry_interval: Some(3600), receive_maximum: NonZeroU16::new(10), maximum_packet_size: NonZeroU32::new(4096), topic_alias_maximum: 20, request_response_information: true, request_problem_information: false, user_properties: user(&[("k", "v")]), authentication_method: Some(text("m")), authentication_data: Some(bytes(&[7])) }, ..connect(V5) }),
        loose("connect, properties that say the default", V5, "10 15 0004'MQTT' 05 02 003c 07 17 01 19 00 22 0000 0001'c'", connect(V5)),
        loose("connect, properties in another order", V5, "10 16 0004'MQTT' 05 02 003c 08 21 000a 11 00000001 0001'c'", Connect { properties: ConnectProperties { session_expiry_interval: Some(1), receive_maximum: NonZeroU16::new(10), ..ConnectProperties::default() }, ..connect(V5) }),
        loose("connect, will delay that says the default", V5, "10 1d 0004'MQTT' 05 06 003c 00 0001'c' 05 18 00000000 0001'w' 0004'gone'", Connect { will: Some(Will { topic: topic("w"), payload: bytes(b"gone"), qos: QoS::AtMostOnce, retain: false, delay_interval_secs: 0, properties: PublishProperties::NONE }), ..connect(V5) }),
        bad("connect, reserved flags of the fixed header", V3_1_1, "11 0d 0004'MQTT' 04 02 003c 0001'c'", E::BadFlags),
        bad("connect, unknown protocol name", V3_1_1, "10 0d 0004'MQTX' 04 02 003c 0001'c'", E::UnsupportedProtocolVersion),
        bad("connect, empty protocol name", V3_1_1, "10 09 0000 04 02 003c 0001'c'", E::UnsupportedProtocolVersion),
        bad("connect, MQTT with level 3", V3_1_1, "10 0d 0004'MQTT' 03 02 003c 0001'c'", E::UnsupportedProtocolVersion),
        bad("connect, MQIsdp with level 5", V3_1, "10 0f 0006'MQIsdp' 05 02 003c 0001'c'", E::UnsupportedProtocolVersion),
        bad("connect, MQIsdp with level 4", V3_1, "10 0f 0006'MQIsdp' 04 02 003c 0001'c'", E::UnsupportedProtocolVersion),
        bad("connect, level 6", V5, "10 0e 0004'MQTT' 06 02 003c 00 0001'c'", E::UnsupportedProtocolVersion),
        bad("connect, level 255", V5, "10 0d 0004'MQTT' ff 02 003c 0001'c'", E::UnsupportedProtocolVersion),
        bad("connect, bridge bit with level 5", V5, "10 0e 0004'MQTT' 85 02 003c 00 0001'c'", E::UnsupportedProtocolVersion),
        bad("connect, unsupported version before anything else is looked at", V5, "10 07 0004'MQTT' 06", E::UnsupportedProtocolVersion),
        loose("connect, flag that 3.1 does not use", V3_1, "10 0f 0006'MQIsdp' 03 03 003c 0001'c'", connect(V3_1)),
        loose("connect, flags of the fixed header, which 3.1 does not use", V3_1, "14 0f 0006'MQIsdp' 03 02 003c 0001'c'", connect(V3_1)),
        bad("connect, reserved connect flag", V3_1_1, "10 0d 0004'MQTT' 04 03 003c 0001'c'", E::ReservedConnectFlag),
        bad("connect, reserved connect flag", V5, "10 0e 0004'MQTT' 05 03 003c 00 0001'c'", E::ReservedConnectFlag),
        bad("connect, will qos without will", V3_1_1, "10 0d 0004'MQTT' 04 0a 003c 0001'c'", E::WillFlagsWithoutWill),
        bad("connect, will retain without will", V5, "10 0e 0004'MQTT' 05 22 003c 00 0001'c'", E::WillFlagsWithoutWill),
        bad("connect, will qos 3", V3_1_1, "10 16 0004'MQTT' 04 1e 003c 0001'c' 0001'w' 0004'gone'", E::WillQosThree),
        bad("connect, password without user name", V3_1, "10 12 0006'MQIsdp' 03 42 003c 0001'c' 0001'p'", E::PasswordWithoutUsername),
        bad("connect, password without user name", V3_1_1, "10 10 0004'MQTT' 04 42 003c 0001'c' 0001'p'", E::PasswordWithoutUsername),
        bad("connect, nothing at all", V3_1_1, "10 00", E::Truncated),
        bad("connect, no payload", V3_1_1, "10 0a 0004'MQTT' 04 02 003c", E::Truncated),
        bad("connect, user name missing", V3_1_1, "10 0d 0004'MQTT' 04 82 003c 0001'c'", E::Truncated),
        bad("connect, client id longer than the packet", V3_1_1, "10 0d 0004'MQTT' 04 02 003c 0002'c'", E::Truncated),
        bad("connect, bytes behind the payload", V3_1_1, "10 0e 0004'MQTT' 04 02 003c 0001'c' 00", E::TrailingBytes),
        bad("connect, user name that no flag announces", V5, "10 11 0004'MQTT' 05 02 003c 00 0001'c' 0001'u'", E::TrailingBytes),
        bad("connect, client id not utf-8", V3_1_1, "10 0e 0004'MQTT' 04 02 003c 0002 c328", E::NotUtf8),
        bad("connect, client id with a surrogate", V5, "10 10 0004'MQTT' 05 02 003c 00 0003 eda080", E::NotUtf8),
        bad("connect, client id with an overlong slash", V5, "10 0f 0004'MQTT' 05 02 003c 00 0002 c0af", E::NotUtf8),
        bad("connect, client id with a null character", V3_1_1, "10 0f 0004'MQTT' 04 02 003c 0003 610062", E::NullCharacter),
        bad("connect, user name not utf-8", V5, "10 11 0004'MQTT' 05 82 003c 00 0001'c' 0001 ff", E::NotUtf8),
        bad("connect, will topic with a wildcard", V3_1_1, "10 18 0004'MQTT' 04 06 003c 0001'c' 0003'w/#' 0004'gone'", E::TopicNameInvalid),
        bad("connect, empty will topic", V3_1_1, "10 15 0004'MQTT' 04 06 003c 0001'c' 0000 0004'gone'", E::EmptyTopic),
        bad("connect, empty will topic", V5, "10 17 0004'MQTT' 05 06 003c 00 0001'c' 00 0000 0004'gone'", E::EmptyTopic),
        bad("connect, receive maximum 0", V5, "10 11 0004'MQTT' 05 02 003c 03 21 0000 0001'c'", E::ZeroReceiveMaximum),
        bad("connect, maximum packet size 0", V5, "10 13 0004'MQTT' 05 02 003c 05 27 00000000 0001'c'", E::ZeroMaximumPacketSize),
        bad("connect, request problem information 2", V5, "10 10 0004'MQTT' 05 02 003c 02 17 02 0001'c'", E::NotBoolean),
        bad("connect, request response information 2", V5, "10 10 0004'MQTT' 05 02 003c 02 19 02 0001'c'", E::NotBoolean),
        bad("connect, session expiry interval twice", V5, "10 18 0004'MQTT' 05 02 003c 0a 11 00000001 11 00000001 0001'c'", E::DuplicateProperty),
        bad("connect, topic alias maximum twice, both 0", V5, "10 14 0004'MQTT' 05 02 003c 06 22 0000 22 0000 0001'c'", E::DuplicateProperty),
        bad("connect, authentication data without method", V5, "10 12 0004'MQTT' 05 02 003c 04 16 0001 01 0001'c'", E::AuthenticationDataWithoutMethod),
        bad("connect, property of another packet", V5, "10 11 0004'MQTT' 05 02 003c 03 23 0001 0001'c'", E::PropertyNotAllowed),
        bad("connect, unknown property", V5, "10 10 0004'MQTT' 05 02 003c 02 7f 00 0001'c'", E::UnknownProperty),
        bad("connect, property identifier 0", V5, "10 10 0004'MQTT' 05 02 003c 02 00 00 0001'c'", E::UnknownProperty),
        bad("connect, property identifier of two bytes", V5, "10 11 0004'MQTT' 05 02 003c 03 8101 00 0001'c'", E::UnknownProperty),
        bad("connect, property identifier not minimal", V5, "10 14 0004'MQTT' 05 02 003c 06 9100 00000001 0001'c'", E::LengthNotMinimal),
        bad("connect, property length not minimal", V5, "10 0f 0004'MQTT' 05 02 003c 8000 0001'c'", E::LengthNotMinimal),
        bad("connect, property length of five bytes", V5, "10 12 0004'MQTT' 05 02 003c ffffffff7f 0001'c'", E::LengthTooLong),
        bad("connect, property length past the end", V5, "10 0e 0004'MQTT' 05 02 003c 7f 0001'c'", E::Truncated),
        bad("connect, property cut off by the property length", V5, "10 13 0004'MQTT' 05 02 003c 03 11 0000 0001 0001'c'", E::Truncated),
        bad("connect, will properties with a topic alias", V5, "10 1b 0004'MQTT' 05 06 003c 00 0001'c' 03 23 0001 0001'w' 0004'gone'", E::PropertyNotAllowed),
        bad("connect, will properties with a subscription identifier", V5, "10 1a 0004'MQTT' 05 06 003c 00 0001'c' 02 0b 01 0001'w' 0004'gone'", E::PropertyNotAllowed),
        bad("connect, will delay twice", V5, "10 22 0004'MQTT' 05 06 003c 00 0001'c' 0a 18 00000000 18 00000001 0001'w' 0004'gone'", E::DuplicateProperty),

        // ---- CONNACK
        ok("connack, accepted", V3_1, "20 02 00 00", connack(false, ConnectReason::Success)),
        ok("connack, accepted", V3_1_1, "20 02 00 00", connack(false, ConnectReason::Success)),
        ok("connack, accepted", V5, "20 03 00 00 00", connack(false, ConnectReason::Success)),
        ok("connack, session present", V3_1_1, "20 02 01 00", connack(true, ConnectReason::Success)),
        ok("connack, session present", V5, "20 03 01 00 00", connack(true, ConnectReason::Success)),
        loose("connack, reserved byte", V3_1, "20 02 01 00", connack(false, ConnectReason::Success)),
        ok("connack, unacceptable protocol version", V3_1, "20 02 00 01", connack(false, ConnectReason::UnsupportedProtocolVersion)),
        ok("connack, identifier rejected", V3_1_1, "20 02 00 02", connack(false, ConnectReason::ClientIdentifierNotValid)),
        ok("connack, server unavailable", V3_1_1, "20 02 00 03", connack(false, ConnectReason::ServerUnavailable)),
        ok("connack, bad user name or password", V3_1_1, "20 02 00 04", connack(false, ConnectReason::BadUserNameOrPassword)),
        ok("connack, not authorized", V3_1_1, "20 02 00 05", connack(false, ConnectReason::NotAuthorized)),
        ok("connack, banned", V5, "20 03 00 8a 00", connack(false, ConnectReason::Banned)),
        ok("connack, all properties", V5, "20 3f 00 00 3c 11 00000001 12 0001'x' 13 001e 15 0001'm' 16 0001 09 1a 0001'i' 1c 0001's' 1f 0001'r' 21 0002 22 0003 24 01 25 00 26 0001'k' 0001'v' 27 00000040 28 00 29 00 2a 01", Connack { properties: ConnackProperties { session_expiry_interval: Some(1), receive_maximum: NonZeroU16::new(2), maximum_qos: Some(QoS::AtLeastOnce), retain_available: Some(false), maximum_packet_size: NonZeroU32::new(64), assigned_client_identifier: Some(text("x")), topic_alias_maximum: Some(3), reason_string: Some(text("r")), user_properties: user(&[("k", "v")]), wildcard_subscription_available: Some(false), subscription_identifiers_available: Some(false), shared_subscription_available: Some(true), server_keep_alive: Some(30), response_information: Some(text("i")), server_reference: Some(text("s")), authentication_method: Some(text("m")), authentication_data: Some(bytes(&[9])) }, ..connack(false, ConnectReason::Success) }),
        bad("connack, flags of the fixed header", V5, "22 03 00 00 00", E::BadFlags),
        bad("connack, reserved acknowledge flag", V3_1_1, "20 02 02 00", E::ReservedConnackFlag),
        bad("connack, return code 6", V3_1_1, "20 02 00 06", E::UnknownReason),
        bad("connack, unknown reason", V5, "20 03 00 01 00", E::UnknownReason),
        bad("connack, refused with session present", V3_1_1, "20 02 01 05", E::SessionPresentInRefusal),
        bad("connack, refused with session present", V5, "20 03 01 87 00", E::SessionPresentInRefusal),
        bad("connack, no properties", V5, "20 02 00 00", E::Truncated),
        bad("connack, too long", V3_1_1, "20 03 00 00 00", E::TrailingBytes),
        bad("connack, maximum qos 2", V5, "20 05 00 00 02 24 02", E::BadMaximumQos),
        bad("connack, receive maximum 0", V5, "20 06 00 00 03 21 0000", E::ZeroReceiveMaximum),
        bad("connack, maximum packet size 0", V5, "20 08 00 00 05 27 00000000", E::ZeroMaximumPacketSize),
        bad("connack, retain available 2", V5, "20 05 00 00 02 25 02", E::NotBoolean),
        bad("connack, shared subscription available twice", V5, "20 07 00 00 04 2a 01 2a 01", E::DuplicateProperty),
        bad("connack, authentication data without method", V5, "20 07 00 00 04 16 0001 01", E::AuthenticationDataWithoutMethod),
        bad("connack, property of another packet", V5, "20 05 00 00 02 17 01", E::PropertyNotAllowed),

        // ---- PUBLISH
        ok("publish, qos 0", V3_1, "30 07 0003'a/b' 'hi'", publish(Delivery::AtMostOnce)),
        ok("publish, qos 1", V3_1, "32 09 0003'a/b' 0001 'hi'", publish(Delivery::AtLeastOnce(id(1)))),
        ok("publish, qos 2", V3_1, "34 09 0003'a/b' ffff 'hi'", publish(Delivery::ExactlyOnce(id(65535)))),
        ok("publish, dup and retain", V3_1, "3b 09 0003'a/b' 0102 'hi'", Publish { dup: true, retain: true, ..publish(Delivery::AtLeastOnce(id(0x0102))) }),
        ok("publish, empty payload", V3_1, "31 05 0003'a/b'", Publish { retain: true, payload: bytes(b""), ..publish(Delivery::AtMostOnce) }),
        ok("publish, qos 0", V3_1_1, "30 07 0003'a/b' 'hi'", publish(Delivery::AtMostOnce)),
        ok("publish, qos 1", V3_1_1, "32 09 0003'a/b' 0001 'hi'", publish(Delivery::AtLeastOnce(id(1)))),
        ok("publish, qos 2", V3_1_1, "34 09 0003'a/b' ffff 'hi'", publish(Delivery::ExactlyOnce(id(65535)))),
        ok("publish, dup and retain", V3_1_1, "3b 09 0003'a/b' 0102 'hi'", Publish { dup: true, retain: true, ..publish(Delivery::AtLeastOnce(id(0x0102))) }),
        ok("publish, empty payload", V3_1_1, "31 05 0003'a/b'", Publish { retain: true, payload: bytes(b""), ..publish(Delivery::AtMostOnce) }),
        ok("publish, qos 0", V5, "30 08 0003'a/b' 00 'hi'", publish(Delivery::AtMostOnce)),
        ok("publish, qos 1", V5, "32 0a 0003'a/b' 0001 00 'hi'", publish(Delivery::AtLeastOnce(id(1)))),
        ok("publish, qos 2", V5, "34 0a 0003'a/b' ffff 00 'hi'", publish(Delivery::ExactlyOnce(id(65535)))),
        ok("publish, dup and retain", V5, "3b 0a 0003'a/b' 0102 00 'hi'", Publish { dup: true, retain: true, ..publish(Delivery::AtLeastOnce(id(0x0102))) }),
        ok("publish, empty payload", V5, "31 06 0003'a/b' 00", Publish { retain: true, payload: bytes(b""), ..publish(Delivery::AtMostOnce) }),
        ok("publish, topic of one slash", V3_1_1, "30 05 0001'/' 'hi'", Publish { topic: topic("/").into(), ..publish(Delivery::AtMostOnce) }),
        ok("publish, topic with a byte order mark", V5, "30 09 0004 efbbbf61 00 'hi'", Publish { topic: topic("\u{feff}a").into(), ..publish(Delivery::AtMostOnce) }),
        ok("publish, topic alias is introduced", V5, "30 0b 0003'a/b' 03 23 0007 'hi'", Publish { topic: PublishTopic::Name { topic: topic("a/b"), alias: Some(alias(7)) }, ..publish(Delivery::AtMostOnce) }),
        ok("publish, topic alias is used", V5, "32 0a 0000 0001 03 23 ffff 'hi'", Publish { topic: PublishTopic::Alias(alias(65535)), ..publish(Delivery::AtLeastOnce(id(1))) }),
        ok("publish, all properties", V5, "30 35 0003'a/b' 2d 01 00 02 ffffffff 03 0001't' 08 0003'r/s' 09 0002 ff00 0b 01 0b ffffff7f 23 0001 26 0001'k' 0001'v' 26 0001'k' 0000 'hi'", Publish { topic: PublishTopic::Name { topic: topic("a/b"), alias: Some(alias(1)) }, properties: PublishPropertyValues { payload_format_utf8: Some(false), message_expiry_interval_secs: Some(u32::MAX), response_topic: Some(topic("r/s")), correlation_data: Some(bytes(&[0xff, 0])), content_type: Some(text("t")), user_properties: user(&[("k", "v"), ("k", "")]), subscription_identifiers: vec![1, 268_435_455] }.into(), ..publish(Delivery::AtMostOnce) }),
        loose("publish, properties in another order", V5, "30 11 0003'a/b' 09 26 0001'k' 0001'v' 01 01 'hi'", Publish { properties: PublishPropertyValues { payload_format_utf8: Some(true), user_properties: user(&[("k", "v")]), ..PublishPropertyValues::default() }.into(), ..publish(Delivery::AtMostOnce) }),
        bad("publish, qos 3", V3_1, "36 07 0003'a/b' 0001", E::QosThree),
        bad("publish, dup with qos 0", V3_1, "38 05 0003'a/b'", E::DupWithoutQos),
        bad("publish, packet identifier 0", V3_1, "32 07 0003'a/b' 0000", E::ZeroPacketId),
        bad("publish, empty topic", V3_1, "30 02 0000", E::EmptyTopic),
        bad("publish, topic with +", V3_1, "30 05 0003'a/+'", E::TopicNameInvalid),
        bad("publish, topic with #", V3_1, "30 05 0003'a#b'", E::TopicNameInvalid),
        bad("publish, topic with a null character", V3_1, "30 05 0003 610062", E::NullCharacter),
        bad("publish, topic not utf-8", V3_1, "30 07 0005 61f8888080", E::NotUtf8),
        bad("publish, qos 3", V3_1_1, "36 07 0003'a/b' 0001", E::QosThree),
        bad("publish, dup with qos 0", V3_1_1, "38 05 0003'a/b'", E::DupWithoutQos),
        bad("publish, packet identifier 0", V3_1_1, "32 07 0003'a/b' 0000", E::ZeroPacketId),
        bad("publish, empty topic", V3_1_1, "30 02 0000", E::EmptyTopic),
        bad("publish, topic with +", V3_1_1, "30 05 0003'a/+'", E::TopicNameInvalid),
        bad("publish, topic with #", V3_1_1, "30 05 0003'a#b'", E::TopicNameInvalid),
        bad("publish, topic with a null character", V3_1_1, "30 05 0003 610062", E::NullCharacter),
        bad("publish, topic not utf-8", V3_1_1, "30 07 0005 61f8888080", E::NotUtf8),
        bad("publish, qos 3", V5, "36 08 0003'a/b' 0001 00", E::QosThree),
        bad("publish, dup with qos 0", V5, "38 06 0003'a/b' 00", E::DupWithoutQos),
        bad("publish, packet identifier 0", V5, "32 08 0003'a/b' 0000 00", E::ZeroPacketId),
        bad("publish, empty topic", V5, "30 03 0000 00", E::EmptyTopic),
        bad("publish, topic with +", V5, "30 06 0003'a/+' 00", E::TopicNameInvalid),
        bad("publish, topic with #", V5, "30 06 0003'a#b' 00", E::TopicNameInvalid),
        bad("publish, topic with a null character", V5, "30 06 0003 610062 00", E::NullCharacter),
        bad("publish, topic not utf-8", V5, "30 08 0005 61f8888080 00", E::NotUtf8),
        bad("publish, no topic", V3_1_1, "30 00", E::Truncated),
        bad("publish, topic longer than the packet", V3_1_1, "30 04 0003 6162", E::Truncated),
        bad("publish, no packet identifier", V3_1_1, "32 05 0003'a/b'", E::Truncated),
        bad("publish, half a packet identifier", V3_1_1, "34 06 0003'a/b' 00", E::Truncated),
        bad("publish, no property length", V5, "30 05 0003'a/b'", E::Truncated),
        bad("publish, property length past the end", V5, "30 08 0003'a/b' 05 01 00", E::Truncated),
        bad("publish, topic alias 0", V5, "30 09 0003'a/b' 03 23 0000", E::ZeroTopicAlias),
        bad("publish, topic alias 0 without a topic", V5, "30 06 0000 03 23 0000", E::ZeroTopicAlias),
        bad("publish, topic alias twice", V5, "30 0c 0003'a/b' 06 23 0001 23 0002", E::DuplicateProperty),
        bad("publish, payload format 2", V5, "30 08 0003'a/b' 02 01 02", E::NotBoolean),
        bad("publish, subscription identifier 0", V5, "30 08 0003'a/b' 02 0b 00", E::ZeroSubscriptionIdentifier),
        bad("publish, subscription identifier of five bytes", V5, "30 0c 0003'a/b' 06 0b 8080808001", E::LengthTooLong),
        bad("publish, response topic with a wildcard", V5, "30 0c 0003'a/b' 06 08 0003'r/+'", E::TopicNameInvalid),
        bad("publish, empty response topic", V5, "30 09 0003'a/b' 03 08 0000", E::EmptyTopic),
        bad("publish, content type not utf-8", V5, "30 0a 0003'a/b' 04 03 0001 80", E::NotUtf8),
        bad("publish, user property with a null character", V5, "30 0d 0003'a/b' 07 26 0001 00 0001'v'", E::NullCharacter),
        bad("publish, user property without a value", V5, "30 0a 0003'a/b' 04 26 0001'k'", E::Truncated),
        bad("publish, will delay", V5, "30 0b 0003'a/b' 05 18 00000001", E::PropertyNotAllowed),
        bad("publish, message expiry twice", V5, "30 10 0003'a/b' 0a 02 00000001 02 00000001", E::DuplicateProperty),

        // ---- PUBACK
        ok("puback", V3_1, "40 02 0001", Puback::new(id(1), PublishReason::Success)),
        ok("puback", V3_1_1, "40 02 0001", Puback::new(id(1), PublishReason::Success)),
        ok("puback", V5, "40 02 0001", Puback::new(id(1), PublishReason::Success)),
        ok("puback, failure", V5, "40 03 0001 87", Puback::new(id(1), PublishReason::NotAuthorized)),
        ok("puback, success with properties", V5, "40 0f 0001 00 0b 1f 0001'r' 26 0001'k' 0001'v'", Puback { properties: ack_properties(), ..Puback::new(id(1), PublishReason::Success) }),
        ok("puback, failure with properties", V5, "40 0f 0001 87 0b 1f 0001'r' 26 0001'k' 0001'v'", Puback { properties: ack_properties(), ..Puback::new(id(1), PublishReason::NotAuthorized) }),
        loose("puback, success that is said", V5, "40 03 0001 00", Puback::new(id(1), PublishReason::Success)),
        loose("puback, empty properties", V5, "40 04 0001 87 00", Puback::new(id(1), PublishReason::NotAuthorized)),
        bad("puback, flags of the fixed header", V3_1, "42 02 0001", E::BadFlags),
        bad("puback, flags of the fixed header", V3_1_1, "42 02 0001", E::BadFlags),
        bad("puback, flags of the fixed header", V5, "42 02 0001", E::BadFlags),
        bad("puback, packet identifier 0", V3_1_1, "40 02 0000", E::ZeroPacketId),
        bad("puback, too short", V3_1_1, "40 01 00", E::Truncated),
        bad("puback, too long", V3_1_1, "40 03 0001 00", E::TrailingBytes),
        bad("puback, packet identifier 0", V5, "40 02 0000", E::ZeroPacketId),
        bad("puback, unknown reason", V5, "40 03 0001 01", E::UnknownReason),
        bad("puback, reason string twice", V5, "40 0c 0001 00 08 1f 0001'r' 1f 0001'r'", E::DuplicateProperty),
        bad("puback, property of another packet", V5, "40 09 0001 00 05 11 00000000", E::PropertyNotAllowed),
        bad("puback, bytes behind the properties", V5, "40 05 0001 00 00 00", E::TrailingBytes),

        // ---- PUBREC
        ok("pubrec", V3_1, "50 02 0001", Pubrec::new(id(1), PublishReason::Success)),
        ok("pubrec", V3_1_1, "50 02 0001", Pubrec::new(id(1), PublishReason::Success)),
        ok("pubrec", V5, "50 02 0001", Pubrec::new(id(1), PublishReason::Success)),
        ok("pubrec, failure", V5, "50 03 0001 97", Pubrec::new(id(1), PublishReason::QuotaExceeded)),
        ok("pubrec, success with properties", V5, "50 0f 0001 00 0b 1f 0001'r' 26 0001'k' 0001'v'", Pubrec { properties: ack_properties(), ..Pubrec::new(id(1), PublishReason::Success) }),
        ok("pubrec, failure with properties", V5, "50 0f 0001 97 0b 1f 0001'r' 26 0001'k' 0001'v'", Pubrec { properties: ack_properties(), ..Pubrec::new(id(1), PublishReason::QuotaExceeded) }),
        loose("pubrec, success that is said", V5, "50 03 0001 00", Pubrec::new(id(1), PublishReason::Success)),
        loose("pubrec, empty properties", V5, "50 04 0001 97 00", Pubrec::new(id(1), PublishReason::QuotaExceeded)),
        bad("pubrec, flags of the fixed header", V3_1, "51 02 0001", E::BadFlags),
        bad("pubrec, flags of the fixed header", V3_1_1, "51 02 0001", E::BadFlags),
        bad("pubrec, flags of the fixed header", V5, "51 02 0001", E::BadFlags),
        bad("pubrec, packet identifier 0", V3_1_1, "50 02 0000", E::ZeroPacketId),
        bad("pubrec, too short", V3_1_1, "50 01 00", E::Truncated),
        bad("pubrec, too long", V3_1_1, "50 03 0001 00", E::TrailingBytes),
        bad("pubrec, packet identifier 0", V5, "50 02 0000", E::ZeroPacketId),
        bad("pubrec, unknown reason", V5, "50 03 0001 01", E::UnknownReason),
        bad("pubrec, reason string twice", V5, "50 0c 0001 00 08 1f 0001'r' 1f 0001'r'", E::DuplicateProperty),
        bad("pubrec, property of another packet", V5, "50 09 0001 00 05 11 00000000", E::PropertyNotAllowed),
        bad("pubrec, bytes behind the properties", V5, "50 05 0001 00 00 00", E::TrailingBytes),

        // ---- PUBREL
        ok("pubrel", V3_1, "62 02 0001", Pubrel::new(id(1), PubrelReason::Success)),
        ok("pubrel", V3_1_1, "62 02 0001", Pubrel::new(id(1), PubrelReason::Success)),
        ok("pubrel", V5, "62 02 0001", Pubrel::new(id(1), PubrelReason::Success)),
        ok("pubrel, failure", V5, "62 03 0001 92", Pubrel::new(id(1), PubrelReason::PacketIdentifierNotFound)),
        ok("pubrel, success with properties", V5, "62 0f 0001 00 0b 1f 0001'r' 26 0001'k' 0001'v'", Pubrel { properties: ack_properties(), ..Pubrel::new(id(1), PubrelReason::Success) }),
        ok("pubrel, failure with properties", V5, "62 0f 0001 92 0b 1f 0001'r' 26 0001'k' 0001'v'", Pubrel { properties: ack_properties(), ..Pubrel::new(id(1), PubrelReason::PacketIdentifierNotFound) }),
        loose("pubrel, success that is said", V5, "62 03 0001 00", Pubrel::new(id(1), PubrelReason::Success)),
        loose("pubrel, empty properties", V5, "62 04 0001 92 00", Pubrel::new(id(1), PubrelReason::PacketIdentifierNotFound)),
        loose("pubrel, dup", V3_1, "6a 02 0001", Pubrel::new(id(1), PubrelReason::Success)),
        bad("pubrel, flags of the fixed header", V3_1, "60 02 0001", E::BadFlags),
        bad("pubrel, flags of the fixed header", V3_1_1, "60 02 0001", E::BadFlags),
        bad("pubrel, flags of the fixed header", V5, "60 02 0001", E::BadFlags),
        bad("pubrel, dup", V3_1_1, "6a 02 0001", E::BadFlags),
        bad("pubrel, packet identifier 0", V3_1_1, "62 02 0000", E::ZeroPacketId),
        bad("pubrel, too short", V3_1_1, "62 01 00", E::Truncated),
        bad("pubrel, too long", V3_1_1, "62 03 0001 00", E::TrailingBytes),
        bad("pubrel, packet identifier 0", V5, "62 02 0000", E::ZeroPacketId),
        bad("pubrel, unknown reason", V5, "62 03 0001 01", E::UnknownReason),
        bad("pubrel, reason string twice", V5, "62 0c 0001 00 08 1f 0001'r' 1f 0001'r'", E::DuplicateProperty),
        bad("pubrel, property of another packet", V5, "62 09 0001 00 05 11 00000000", E::PropertyNotAllowed),
        bad("pubrel, bytes behind the properties", V5, "62 05 0001 00 00 00", E::TrailingBytes),

        // ---- PUBCOMP
        ok("pubcomp", V3_1, "70 02 0001", Pubcomp::new(id(1), PubrelReason::Success)),
        ok("pubcomp", V3_1_1, "70 02 0001", Pubcomp::new(id(1), PubrelReason::Success)),
        ok("pubcomp", V5, "70 02 0001", Pubcomp::new(id(1), PubrelReason::Success)),
        ok("pubcomp, failure", V5, "70 03 0001 92", Pubcomp::new(id(1), PubrelReason::PacketIdentifierNotFound)),
        ok("pubcomp, success with properties", V5, "70 0f 0001 00 0b 1f 0001'r' 26 0001'k' 0001'v'", Pubcomp { properties: ack_properties(), ..Pubcomp::new(id(1), PubrelReason::Success) }),
        ok("pubcomp, failure with properties", V5, "70 0f 0001 92 0b 1f 0001'r' 26 0001'k' 0001'v'", Pubcomp { properties: ack_properties(), ..Pubcomp::new(id(1), PubrelReason::PacketIdentifierNotFound) }),
        loose("pubcomp, success that is said", V5, "70 03 0001 00", Pubcomp::new(id(1), PubrelReason::Success)),
        loose("pubcomp, empty properties", V5, "70 04 0001 92 00", Pubcomp::new(id(1), PubrelReason::PacketIdentifierNotFound)),
        bad("pubcomp, flags of the fixed header", V3_1, "78 02 0001", E::BadFlags),
        bad("pubcomp, flags of the fixed header", V3_1_1, "78 02 0001", E::BadFlags),
        bad("pubcomp, flags of the fixed header", V5, "78 02 0001", E::BadFlags),
        bad("pubcomp, packet identifier 0", V3_1_1, "70 02 0000", E::ZeroPacketId),
        bad("pubcomp, too short", V3_1_1, "70 01 00", E::Truncated),
        bad("pubcomp, too long", V3_1_1, "70 03 0001 00", E::TrailingBytes),
        bad("pubcomp, packet identifier 0", V5, "70 02 0000", E::ZeroPacketId),
        bad("pubcomp, unknown reason", V5, "70 03 0001 01", E::UnknownReason),
        bad("pubcomp, reason string twice", V5, "70 0c 0001 00 08 1f 0001'r' 1f 0001'r'", E::DuplicateProperty),
        bad("pubcomp, property of another packet", V5, "70 09 0001 00 05 11 00000000", E::PropertyNotAllowed),
        bad("pubcomp, bytes behind the properties", V5, "70 05 0001 00 00 00", E::TrailingBytes),

        // ---- SUBSCRIBE
        ok("subscribe, one filter", V3_1, "82 08 0001 0003'a/+' 01", subscribe(&[("a/+", qos(QoS::AtLeastOnce))])),
        ok("subscribe, three filters", V3_1, "82 17 0001 0001'a' 00 000a'$share/g/#' 01 0001'+' 02", subscribe(&[("a", qos(QoS::AtMostOnce)), ("$share/g/#", qos(QoS::AtLeastOnce)), ("+", qos(QoS::ExactlyOnce))])),
        ok("subscribe, one filter", V3_1_1, "82 08 0001 0003'a/+' 01", subscribe(&[("a/+", qos(QoS::AtLeastOnce))])),
        ok("subscribe, three filters", V3_1_1, "82 17 0001 0001'a' 00 000a'$share/g/#' 01 0001'+' 02", subscribe(&[("a", qos(QoS::AtMostOnce)), ("$share/g/#", qos(QoS::AtLeastOnce)), ("+", qos(QoS::ExactlyOnce))])),
        ok("subscribe, one filter", V5, "82 09 0001 00 0003'a/+' 01", subscribe(&[("a/+", qos(QoS::AtLeastOnce))])),
        ok("subscribe, three filters", V5, "82 18 0001 00 0001'a' 00 000a'$share/g/#' 01 0001'+' 02", subscribe(&[("a", qos(QoS::AtMostOnce)), ("$share/g/#", qos(QoS::AtLeastOnce)), ("+", qos(QoS::ExactlyOnce))])),
        ok("subscribe, bad filters are the session's to refuse", V5, "82 0b 0001 00 0002'a#' 00 0000 00", subscribe(&[("a#", qos(QoS::AtMostOnce)), ("", qos(QoS::AtMostOnce))])),
        ok("subscribe, all options", V5, "82 0f 0001 00 0001'a' 2e 0001'b' 14 0001'c' 08", subscribe(&[("a", SubscriptionOptions { qos: QoS::ExactlyOnce, no_local: true, retain_as_published: true, retain_handling: RetainHandling::DoNotSend }), ("b", SubscriptionOptions { no_local: true, retain_handling: RetainHandling::SendIfNew, ..qos(QoS::AtMostOnce) }), ("c", SubscriptionOptions { retain_as_published: true, ..qos(QoS::AtMostOnce) })])),
        ok("subscribe, all properties", V5, "82 11 0001 0a 0b 8001 26 0001'k' 0001'v' 0001'a' 00", Subscribe { subscription_identifier: NonZeroU32::new(128), user_properties: user(&[("k", "v")]), ..subscribe(&[("a", qos(QoS::AtMostOnce))]) }),
        loose("subscribe, dup", V3_1, "8a 08 0001 0003'a/+' 01", subscribe(&[("a/+", qos(QoS::AtLeastOnce))])),
        bad("subscribe, flags of the fixed header", V3_1, "80 06 0001 0001'a' 00", E::BadFlags),
        bad("subscribe, packet identifier 0", V3_1, "82 06 0000 0001'a' 00", E::ZeroPacketId),
        bad("subscribe, no filters", V3_1, "82 02 0001", E::EmptyFilterList),
        bad("subscribe, no options", V3_1, "82 05 0001 0001'a'", E::Truncated),
        bad("subscribe, qos 3", V3_1, "82 06 0001 0001'a' 03", E::SubscriptionQosThree),
        bad("subscribe, filter not utf-8", V3_1, "82 06 0001 0001 fe 00", E::NotUtf8),
        bad("subscribe, filter with a null character", V3_1, "82 06 0001 0001 00 00", E::NullCharacter),
        bad("subscribe, flags of the fixed header", V3_1_1, "80 06 0001 0001'a' 00", E::BadFlags),
        bad("subscribe, packet identifier 0", V3_1_1, "82 06 0000 0001'a' 00", E::ZeroPacketId),
        bad("subscribe, no filters", V3_1_1, "82 02 0001", E::EmptyFilterList),
        bad("subscribe, no options", V3_1_1, "82 05 0001 0001'a'", E::Truncated),
        bad("subscribe, qos 3", V3_1_1, "82 06 0001 0001'a' 03", E::SubscriptionQosThree),
        bad("subscribe, filter not utf-8", V3_1_1, "82 06 0001 0001 fe 00", E::NotUtf8),
        bad("subscribe, filter with a null character", V3_1_1, "82 06 0001 0001 00 00", E::NullCharacter),
        bad("subscribe, flags of the fixed header", V5, "80 07 0001 00 0001'a' 00", E::BadFlags),
        bad("subscribe, packet identifier 0", V5, "82 07 0000 00 0001'a' 00", E::ZeroPacketId),
        bad("subscribe, no filters", V5, "82 03 0001 00", E::EmptyFilterList),
        bad("subscribe, no options", V5, "82 06 0001 00 0001'a'", E::Truncated),
        bad("subscribe, qos 3", V5, "82 07 0001 00 0001'a' 03", E::SubscriptionQosThree),
        bad("subscribe, filter not utf-8", V5, "82 07 0001 00 0001 fe 00", E::NotUtf8),
        bad("subscribe, filter with a null character", V5, "82 07 0001 00 0001 00 00", E::NullCharacter),
        bad("subscribe, dup", V3_1_1, "8a 06 0001 0001'a' 01", E::BadFlags),
        bad("subscribe, options of mqtt 5", V3_1_1, "82 06 0001 0001'a' 04", E::ReservedSubscriptionOption),
        bad("subscribe, reserved option bit 6", V5, "82 07 0001 00 0001'a' 40", E::ReservedSubscriptionOption),
        bad("subscribe, reserved option bit 7", V5, "82 07 0001 00 0001'a' 80", E::ReservedSubscriptionOption),
        bad("subscribe, retain handling 3", V5, "82 07 0001 00 0001'a' 30", E::BadRetainHandling),
        bad("subscribe, subscription identifier 0", V5, "82 09 0001 02 0b 00 0001'a' 00", E::ZeroSubscriptionIdentifier),
        bad("subscribe, subscription identifier twice", V5, "82 0b 0001 04 0b 01 0b 02 0001'a' 00", E::DuplicateProperty),
        bad("subscribe, property of another packet", V5, "82 0b 0001 04 1f 0001'r' 0001'a' 00", E::PropertyNotAllowed),

        // ---- SUBACK
        ok("suback", V3_1, "90 05 0001 00 01 02", suback(&[SubscribeReason::GrantedQos0, SubscribeReason::GrantedQos1, SubscribeReason::GrantedQos2])),
        ok("suback", V3_1_1, "90 06 0001 00 01 02 80", suback(&[SubscribeReason::GrantedQos0, SubscribeReason::GrantedQos1, SubscribeReason::GrantedQos2, SubscribeReason::Unspecified])),
        ok("suback", V5, "90 07 0001 00 00 02 8f a2", suback(&[SubscribeReason::GrantedQos0, SubscribeReason::GrantedQos2, SubscribeReason::TopicFilterInvalid, SubscribeReason::WildcardSubscriptionsNotSupported])),
        ok("suback, all properties", V5, "90 0f 0001 0b 1f 0001'r' 26 0001'k' 0001'v' 01", Suback { properties: ack_properties(), ..suback(&[SubscribeReason::GrantedQos1]) }),
        bad("suback, flags of the fixed header", V3_1_1, "92 03 0001 00", E::BadFlags),
        bad("suback, packet identifier 0", V3_1_1, "90 03 0000 00", E::ZeroPacketId),
        bad("suback, no codes", V3_1_1, "90 02 0001", E::EmptyReasonList),
        bad("suback, no codes", V5, "90 03 0001 00", E::EmptyReasonList),
        bad("suback, code 3", V3_1_1, "90 03 0001 03", E::UnknownReason),
        bad("suback, code of mqtt 5", V3_1_1, "90 03 0001 8f", E::UnknownReason),
        bad("suback, unknown code", V5, "90 04 0001 00 03", E::UnknownReason),
        bad("suback, property of another packet", V5, "90 06 0001 02 0b 01 00", E::PropertyNotAllowed),

        // ---- UNSUBSCRIBE
        ok("unsubscribe", V3_1, "a2 0a 0001 0003'a/+' 0001'b'", unsubscribe(&["a/+", "b"])),
        ok("unsubscribe", V3_1_1, "a2 0a 0001 0003'a/+' 0001'b'", unsubscribe(&["a/+", "b"])),
        ok("unsubscribe", V5, "a2 0b 0001 00 0003'a/+' 0001'b'", unsubscribe(&["a/+", "b"])),
        ok("unsubscribe, all properties", V5, "a2 0d 0001 07 26 0001'k' 0001'v' 0001'a'", Unsubscribe { user_properties: user(&[("k", "v")]), ..unsubscribe(&["a"]) }),
        loose("unsubscribe, dup", V3_1, "aa 05 0001 0001'a'", unsubscribe(&["a"])),
        bad("unsubscribe, flags of the fixed header", V3_1, "a0 05 0001 0001'a'", E::BadFlags),
        bad("unsubscribe, packet identifier 0", V3_1, "a2 05 0000 0001'a'", E::ZeroPacketId),
        bad("unsubscribe, no filters", V3_1, "a2 02 0001", E::EmptyFilterList),
        bad("unsubscribe, half a filter", V3_1, "a2 05 0001 0002 61", E::Truncated),
        bad("unsubscribe, flags of the fixed header", V3_1_1, "a0 05 0001 0001'a'", E::BadFlags),
        bad("unsubscribe, packet identifier 0", V3_1_1, "a2 05 0000 0001'a'", E::ZeroPacketId),
        bad("unsubscribe, no filters", V3_1_1, "a2 02 0001", E::EmptyFilterList),
        bad("unsubscribe, half a filter", V3_1_1, "a2 05 0001 0002 61", E::Truncated),
        bad("unsubscribe, flags of the fixed header", V5, "a0 06 0001 00 0001'a'", E::BadFlags),
        bad("unsubscribe, packet identifier 0", V5, "a2 06 0000 00 0001'a'", E::ZeroPacketId),
        bad("unsubscribe, no filters", V5, "a2 03 0001 00", E::EmptyFilterList),
        bad("unsubscribe, half a filter", V5, "a2 06 0001 00 0002 61", E::Truncated),
        bad("unsubscribe, filter not utf-8", V5, "a2 06 0001 00 0001 c0", E::NotUtf8),
        bad("unsubscribe, property of another packet", V5, "a2 08 0001 02 0b 01 0001'a'", E::PropertyNotAllowed),

        // ---- UNSUBACK
        ok("unsuback", V3_1, "b0 02 0001", unsuback(&[])),
        ok("unsuback", V3_1_1, "b0 02 0001", unsuback(&[])),
        ok("unsuback", V5, "b0 05 0001 00 00 11", unsuback(&[UnsubscribeReason::Success, UnsubscribeReason::NoSubscriptionExisted])),
        ok("unsuback, all properties", V5, "b0 0f 0001 0b 1f 0001'r' 26 0001'k' 0001'v' 87", Unsuback { properties: ack_properties(), ..unsuback(&[UnsubscribeReason::NotAuthorized]) }),
        bad("unsuback, flags of the fixed header", V3_1_1, "b2 02 0001", E::BadFlags),
        bad("unsuback, packet identifier 0", V3_1_1, "b0 02 0000", E::ZeroPacketId),
        bad("unsuback, too long", V3_1_1, "b0 03 0001 00", E::TrailingBytes),
        bad("unsuback, no codes", V5, "b0 03 0001 00", E::EmptyReasonList),
        bad("unsuback, unknown code", V5, "b0 04 0001 00 01", E::UnknownReason),

        // ---- PINGREQ and PINGRESP
        ok("pingreq", V3_1, "c0 00", Packet::Pingreq),
        ok("pingresp", V3_1, "d0 00", Packet::Pingresp),
        bad("pingreq, with a body", V3_1, "c0 01 00", E::TrailingBytes),
        bad("pingresp, with a body", V3_1, "d0 01 00", E::TrailingBytes),
        bad("pingreq, flags of the fixed header", V3_1, "c1 00", E::BadFlags),
        bad("pingresp, flags of the fixed header", V3_1, "d8 00", E::BadFlags),
        ok("pingreq", V3_1_1, "c0 00", Packet::Pingreq),
        ok("pingresp", V3_1_1, "d0 00", Packet::Pingresp),
        bad("pingreq, with a body", V3_1_1, "c0 01 00", E::TrailingBytes),
        bad("pingresp, with a body", V3_1_1, "d0 01 00", E::TrailingBytes),
        bad("pingreq, flags of the fixed header", V3_1_1, "c1 00", E::BadFlags),
        bad("pingresp, flags of the fixed header", V3_1_1, "d8 00", E::BadFlags),
        ok("pingreq", V5, "c0 00", Packet::Pingreq),
        ok("pingresp", V5, "d0 00", Packet::Pingresp),
        bad("pingreq, with a body", V5, "c0 01 00", E::TrailingBytes),
        bad("pingresp, with a body", V5, "d0 01 00", E::TrailingBytes),
        bad("pingreq, flags of the fixed header", V5, "c1 00", E::BadFlags),
        bad("pingresp, flags of the fixed header", V5, "d8 00", E::BadFlags),

        // ---- DISCONNECT
        ok("disconnect", V3_1, "e0 00", Disconnect::new(DisconnectReason::NormalDisconnection)),
        ok("disconnect", V3_1_1, "e0 00", Disconnect::new(DisconnectReason::NormalDisconnection)),
        ok("disconnect", V5, "e0 00", Disconnect::new(DisconnectReason::NormalDisconnection)),
        ok("disconnect, with will", V5, "e0 01 04", Disconnect::new(DisconnectReason::DisconnectWithWill)),
        ok("disconnect, all properties", V5, "e0 16 9c 14 11 00000000 1c 0001's' 1f 0001'r' 26 0001'k' 0001'v'", Disconnect { properties: DisconnectProperties { session_expiry_interval: Some(0), reason_string: Some(text("r")), user_properties: user(&[("k", "v")]), server_reference: Some(text("s")) }, ..Disconnect::new(DisconnectReason::UseAnotherServer) }),
        ok("disconnect, normal with properties", V5, "e0 07 00 05 11 00000001", Disconnect { properties: DisconnectProperties { session_expiry_interval: Some(1), ..DisconnectProperties::default() }, ..Disconnect::new(DisconnectReason::NormalDisconnection) }),
        loose("disconnect, normal that is said", V5, "e0 01 00", Disconnect::new(DisconnectReason::NormalDisconnection)),
        loose("disconnect, empty properties", V5, "e0 02 8b 00", Disconnect::new(DisconnectReason::ServerShuttingDown)),
        bad("disconnect, flags of the fixed header", V5, "e1 00", E::BadFlags),
        bad("disconnect, with a reason", V3_1_1, "e0 01 00", E::TrailingBytes),
        bad("disconnect, unknown reason", V5, "e0 01 01", E::UnknownReason),
        bad("disconnect, session expiry interval twice", V5, "e0 0c 00 0a 11 00000001 11 00000001", E::DuplicateProperty),
        bad("disconnect, property of another packet", V5, "e0 05 00 03 21 0001", E::PropertyNotAllowed),
        bad("disconnect, bytes behind the properties", V5, "e0 03 00 00 00", E::TrailingBytes),

        // ---- AUTH
        ok("auth, nothing said", V5, "f0 00", Auth { reason: AuthReason::Success, properties: AuthProperties::default() }),
        ok("auth, continue", V5, "f0 06 18 04 15 0001'm'", Auth { reason: AuthReason::ContinueAuthentication, properties: AuthProperties { authentication_method: Some(text("m")), ..AuthProperties::default() } }),
        ok("auth, all properties", V5, "f0 16 19 14 15 0001'm' 16 0002 0102 1f 0001'r' 26 0001'k' 0001'v'", Auth { reason: AuthReason::ReAuthenticate, properties: AuthProperties { authentication_method: Some(text("m")), authentication_data: Some(bytes(&[1, 2])), reason_string: Some(text("r")), user_properties: user(&[("k", "v")]) } }),
        bad("auth", V3_1, "f0 00", E::UnexpectedPacketType),
        bad("auth", V3_1_1, "f0 00", E::UnexpectedPacketType),
        bad("auth, flags of the fixed header", V5, "f8 00", E::BadFlags),
        bad("auth, unknown reason", V5, "f0 06 01 04 15 0001'm'", E::UnknownReason),
        bad("auth, no properties", V5, "f0 01 18", E::Truncated),
        bad("auth, no method", V5, "f0 06 18 04 1f 0001'r'", E::NoAuthenticationMethod),
        bad("auth, data without method", V5, "f0 06 18 04 16 0001 01", E::NoAuthenticationMethod),
        bad("auth, method twice", V5, "f0 0a 18 08 15 0001'm' 15 0001'm'", E::DuplicateProperty),

        // ---- The fixed header
        bad("reserved packet type", V3_1, "00 00", E::UnexpectedPacketType),
        bad("reserved packet type", V3_1_1, "00 00", E::UnexpectedPacketType),
        bad("reserved packet type", V5, "00 00", E::UnexpectedPacketType),
        bad("reserved packet type, first byte", V3_1_1, "00", E::UnexpectedPacketType),
        bad("remaining length not minimal", V3_1_1, "c0 80 00", E::LengthNotMinimal),
        bad("remaining length not minimal, three bytes", V5, "30 ff 80 00", E::LengthNotMinimal),
        bad("remaining length of five bytes", V5, "30 ff ff ff ff 7f", E::LengthTooLong),
        bad("remaining length of five bytes, seen at the fourth", V5, "30 80 80 80 80", E::LengthTooLong),
        bad("larger than the limit, seen before the body", V3_1_1, "10 ff ff ff 7f", E::PacketTooLarge),
    ]
}

/// Lets a row name a packet without its place in [`Packet`].
struct AnyPacket(Packet);

impl From<Packet> for AnyPacket {
    fn from(packet: Packet) -> Self {
        Self(packet)
    }
}

macro_rules! any_packet {
    ($($name:ident)+ ; $($boxed:ident)+) => {
        $(impl From<$name> for AnyPacket {
            fn from(packet: $name) -> Self {
                Self(Packet::$name(packet))
            }
        })+
        $(impl From<$boxed> for AnyPacket {
            fn from(packet: $boxed) -> Self {
                Self(Packet::$boxed(Box::new(packet)))
            }
        })+
    };
}

any_packet! {
    Publish Puback Pubrec Pubrel Pubcomp Subscribe Suback Unsubscribe Unsuback Disconnect;
    Connect Connack Auth
}

fn text(text: &'static str) -> ByteString {
    ByteString::from_static(text)
}

fn bytes(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

fn topic(name: &str) -> TopicName {
    TopicName::new(name).expect("a topic name")
}

fn id(id: u16) -> PacketId {
    PacketId::new(id).expect("not zero")
}

fn alias(alias: u16) -> NonZeroU16 {
    NonZeroU16::new(alias).expect("not zero")
}

fn user(properties: &[(&'static str, &'static str)]) -> UserProperties {
    properties
        .iter()
        .map(|&(name, value)| (text(name), text(value)))
        .collect()
}

fn qos(qos: QoS) -> SubscriptionOptions {
    SubscriptionOptions {
        qos,
        ..SubscriptionOptions::default()
    }
}

fn connect(version: Version) -> Connect {
    Connect {
        version,
        bridge: false,
        clean_start: true,
        keep_alive_secs: 60,
        client_id: text("c"),
        username: None,
        password: None,
        will: None,
        properties: ConnectProperties::default(),
    }
}

fn connack(session_present: bool, reason: ConnectReason) -> Connack {
    Connack {
        session_present,
        reason,
        properties: ConnackProperties::default(),
    }
}

fn publish(delivery: Delivery) -> Publish {
    Publish {
        dup: false,
        retain: false,
        delivery,
        topic: topic("a/b").into(),
        payload: bytes(b"hi"),
        properties: PublishProperties::NONE,
    }
}

fn ack_properties() -> AckProperties {
    AckProperties {
        reason_string: Some(text("r")),
        user_properties: user(&[("k", "v")]),
    }
}

fn subscribe(filters: &[(&'static str, SubscriptionOptions)]) -> Subscribe {
    Subscribe {
        packet_id: id(1),
        subscription_identifier: None,
        user_properties: Vec::new(),
        filters: filters
            .iter()
            .map(|&(filter, options)| SubscribeFilter {
                filter: text(filter),
                options,
            })
            .collect(),
    }
}

fn suback(reasons: &[SubscribeReason]) -> Suback {
    Suback {
        packet_id: id(1),
        reasons: reasons.to_vec(),
        properties: AckProperties::default(),
    }
}

fn unsubscribe(filters: &[&'static str]) -> Unsubscribe {
    Unsubscribe {
        packet_id: id(1),
        user_properties: Vec::new(),
        filters: filters.iter().map(|filter| text(filter)).collect(),
    }
}

fn unsuback(reasons: &[UnsubscribeReason]) -> Unsuback {
    Unsuback {
        packet_id: id(1),
        reasons: reasons.to_vec(),
        properties: AckProperties::default(),
    }
}
