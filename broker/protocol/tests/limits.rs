//! What is well formed and yet too much.

use bytes::{BufMut, Bytes, BytesMut};
use bytestring::ByteString;
use hookwire_protocol::{
    Connect, DecodeError, DecodeLimits, Decoder, Delivery, FrameHeader, Packet, PacketId, Publish,
    PublishProperties, PublishPropertyValues, QoS, Suback, Subscribe, SubscribeFilter, SubscribeReason,
    SubscriptionOptions, TopicLimits, TopicName, Unsubscribe, Version, encode, encoded_len,
};

const ID: PacketId = PacketId::FIRST;

fn decode(packet: &Packet, limits: DecodeLimits) -> Result<(), DecodeError> {
    decode_in(packet, Version::V5, limits)
}

fn decode_in(packet: &Packet, version: Version, limits: DecodeLimits) -> Result<(), DecodeError> {
    let mut buf = BytesMut::new();
    encode(packet, version, &mut buf);
    let decoded = Decoder::new(version, limits).decode(&mut buf)?;
    assert_eq!(decoded.as_ref(), Some(packet));
    Ok(())
}

fn publish(topic: &str, values: PublishPropertyValues) -> Packet {
    Packet::Publish(Publish {
        dup: false,
        retain: false,
        delivery: Delivery::AtMostOnce,
        topic: TopicName::new(topic).expect("a topic name").into(),
        payload: Bytes::from_static(b"payload"),
        properties: values.into(),
    })
}

fn user_properties(count: usize) -> Packet {
    let property = (ByteString::from_static("k"), ByteString::from_static("v"));
    publish(
        "t",
        PublishPropertyValues {
            user_properties: vec![property; count],
            ..PublishPropertyValues::default()
        },
    )
}

#[test]
fn packet_bytes() {
    let packet = user_properties(0);
    let len = encoded_len(&packet, Version::V5);
    let limits = |packet_bytes_max| DecodeLimits {
        packet_bytes_max,
        ..DecodeLimits::default()
    };
    assert_eq!(decode(&packet, limits(len)), Ok(()));
    assert_eq!(decode(&packet, limits(len - 1)), Err(DecodeError::PacketTooLarge));
}

#[test]
fn a_packet_too_large_is_refused_at_its_header() {
    let decoder = Decoder::new(Version::V3_1_1, DecodeLimits::default());
    let largest = decoder.limits.packet_bytes_max - 4;
    for (body_len, expected) in [
        (largest, Ok(None)),
        (largest + 1, Err(DecodeError::PacketTooLarge)),
    ] {
        let septet = |shift: u32| (body_len >> shift & 0x7f) as u8;
        let mut buf = BytesMut::from(&[0x30, septet(0) | 0x80, septet(7) | 0x80, septet(14)][..]);
        let header = FrameHeader::peek(&buf).expect("a header").expect("all of it");
        assert_eq!((header.header_len, header.body_len), (4, body_len));
        assert_eq!(decoder.decode(&mut buf), expected);
        if expected.is_err() {
            let decoded = decoder.decode_frame(&buf.freeze(), 0, header);
            assert_eq!(decoded, Err(DecodeError::PacketTooLarge));
        }
    }
}

#[test]
fn user_properties_by_number() {
    let limits = DecodeLimits {
        user_properties_max: 3,
        ..DecodeLimits::default()
    };
    assert_eq!(decode(&user_properties(3), limits.clone()), Ok(()));
    assert_eq!(
        decode(&user_properties(4), limits),
        Err(DecodeError::TooManyUserProperties)
    );
}

#[test]
fn user_properties_by_bytes() {
    // Each takes six bytes behind its identifier.
    let limits = |bytes| DecodeLimits {
        user_property_bytes_max: bytes,
        ..DecodeLimits::default()
    };
    assert_eq!(decode(&user_properties(3), limits(18)), Ok(()));
    assert_eq!(
        decode(&user_properties(3), limits(17)),
        Err(DecodeError::UserPropertiesTooLarge)
    );
}

#[test]
fn sixty_thousand_user_properties_are_refused_at_the_limit() {
    let packet = user_properties(60_000);
    assert_eq!(
        decode(&packet, DecodeLimits::default()),
        Err(DecodeError::TooManyUserProperties)
    );
}

#[test]
fn filters() {
    let limits = DecodeLimits {
        filters_max: 2,
        ..DecodeLimits::default()
    };
    let filter = ByteString::from_static("a/+");
    for version in [Version::V3_1, Version::V3_1_1, Version::V5] {
        for (count, expected) in [(2, Ok(())), (3, Err(DecodeError::TooManyFilters))] {
            let options = SubscriptionOptions {
                qos: QoS::AtLeastOnce,
                ..SubscriptionOptions::default()
            };
            let subscribe = Packet::Subscribe(Subscribe {
                packet_id: ID,
                subscription_identifier: None,
                user_properties: Vec::new(),
                filters: vec![
                    SubscribeFilter {
                        filter: filter.clone(),
                        options
                    };
                    count
                ],
            });
            let unsubscribe = Packet::Unsubscribe(Unsubscribe {
                packet_id: ID,
                user_properties: Vec::new(),
                filters: vec![filter.clone(); count],
            });
            let suback = Packet::Suback(Suback {
                packet_id: ID,
                reasons: vec![SubscribeReason::GrantedQos0; count],
                properties: Default::default(),
            });
            for packet in [subscribe, unsubscribe, suback] {
                assert_eq!(
                    decode_in(&packet, version, limits.clone()),
                    expected,
                    "{packet:?}"
                );
            }
        }
    }
}

#[test]
fn subscription_identifiers() {
    let limits = DecodeLimits {
        subscription_identifiers_max: 2,
        ..DecodeLimits::default()
    };
    let identifiers = |count: u32| {
        publish(
            "t",
            PublishPropertyValues {
                subscription_identifiers: (1..=count).collect(),
                ..PublishPropertyValues::default()
            },
        )
    };
    assert_eq!(decode(&identifiers(2), limits.clone()), Ok(()));
    assert_eq!(
        decode(&identifiers(3), limits),
        Err(DecodeError::TooManySubscriptionIdentifiers)
    );
}

#[test]
fn topics() {
    let limits = DecodeLimits {
        topic: TopicLimits {
            levels_max: 3,
            bytes_max: 8,
        },
        ..DecodeLimits::default()
    };
    for (topic, expected) in [
        ("a/b/c", Ok(())),
        ("12345678", Ok(())),
        ("a/b/c/", Err(DecodeError::TooManyTopicLevels)),
        ("123456789", Err(DecodeError::TopicTooLong)),
    ] {
        let plain = publish(topic, PublishPropertyValues::default());
        for version in [Version::V3_1, Version::V3_1_1, Version::V5] {
            assert_eq!(decode_in(&plain, version, limits.clone()), expected, "{topic}");
        }
        let response = PublishPropertyValues {
            response_topic: TopicName::new(topic).ok(),
            ..PublishPropertyValues::default()
        };
        assert_eq!(
            decode(&publish("t", response), limits.clone()),
            expected,
            "{topic}"
        );
    }
}

#[test]
fn the_longest_topic_has_too_many_levels() {
    let packet = publish(&"/".repeat(65_535), PublishPropertyValues::default());
    assert_eq!(
        decode(&packet, DecodeLimits::default()),
        Err(DecodeError::TooManyTopicLevels)
    );
    let limits = DecodeLimits {
        topic: TopicLimits::NONE,
        ..DecodeLimits::default()
    };
    assert_eq!(decode(&packet, limits), Ok(()));
}

#[test]
fn what_does_not_fit_is_cut_off_between_two_characters() {
    let packet = publish(
        "t",
        PublishPropertyValues {
            content_type: Some(ByteString::from("ä".repeat(40_000))),
            correlation_data: Some(Bytes::from(vec![7; 70_000])),
            ..PublishPropertyValues::default()
        },
    );
    let mut buf = BytesMut::new();
    encode(&packet, Version::V5, &mut buf);
    assert_eq!(buf.len(), encoded_len(&packet, Version::V5));
    let decoded = Decoder::new(Version::V5, DecodeLimits::default()).decode(&mut buf);
    let Ok(Some(Packet::Publish(Publish { properties, .. }))) = decoded else {
        panic!("{decoded:?}");
    };
    let values = properties.values().expect("properties");
    assert_eq!(values.content_type.as_deref(), Some(&*"ä".repeat(32_767)));
    assert_eq!(values.correlation_data.as_ref().map(Bytes::len), Some(65_535));
}

#[test]
fn nothing_is_copied() {
    let packet = publish(
        "a/topic/name",
        PublishPropertyValues {
            content_type: Some(ByteString::from_static("text/plain")),
            ..PublishPropertyValues::default()
        },
    );
    let mut buf = BytesMut::new();
    buf.put_slice(b"before");
    encode(&packet, Version::V5, &mut buf);
    let chunk = buf.freeze();
    let header = FrameHeader::peek(&chunk[6..])
        .expect("a header")
        .expect("all of it");
    let decoded = Decoder::new(Version::V5, DecodeLimits::default()).decode_frame(&chunk, 6, header);
    let Ok(Packet::Publish(publish)) = decoded else {
        panic!("{decoded:?}");
    };
    let inside = |bytes: &[u8]| chunk.as_ptr_range().contains(&bytes.as_ptr());
    assert!(inside(&publish.payload));
    assert!(inside(publish.topic.name().expect("a name").as_bytes()));
    let values = publish.properties.values().expect("properties");
    assert!(inside(
        values.content_type.as_ref().expect("a content type").as_bytes()
    ));
}

#[test]
fn a_publish_without_properties_carries_one_word_for_them() {
    assert_eq!(size_of::<PublishProperties>(), size_of::<usize>());
}

#[test]
fn the_version_of_a_broken_connect_can_be_seen() {
    for (bytes, version) in [
        (&b"\x10\x0c\0\x04MQTT\x05\x03"[..], Some(Version::V5)),
        (b"\x10\x0c\0\x04MQTT\x04", Some(Version::V3_1_1)),
        (b"\x10\x0e\0\x06MQIsdp\x03\xff", Some(Version::V3_1)),
        (b"\x10\x0c\0\x04MQTT", None),
        (b"\x10\x0c\0\x04MQTT\x06", None),
        (b"\x10", None),
        (b"", None),
    ] {
        assert_eq!(
            Connect::peek_version(&Bytes::copy_from_slice(bytes)),
            version,
            "{bytes:x?}"
        );
    }
}
