//! Every packet that can be built can be written, and is read from that as it was; and no bytes at all do harm.

use std::num::{NonZeroU16, NonZeroU32};

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use hookwire_protocol::*;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

const VERSIONS: [Version; 3] = [Version::V3_1, Version::V3_1_1, Version::V5];

fn decoder(version: Version) -> Decoder {
    Decoder::new(version, DecodeLimits::default())
}

// ---- strategies: `v5` says whether what only MQTT 5 has may be there

fn text() -> impl Strategy<Value = ByteString> {
    "[a-z/+#$]{0,12}|[^\0]{0,6}".prop_map(ByteString::from)
}

fn binary() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..24).prop_map(Bytes::from)
}

fn topic() -> impl Strategy<Value = TopicName> {
    "[a-z/$]{1,12}|[^\0+#]{1,6}".prop_map(|text| TopicName::new(text).expect("a topic name"))
}

fn id() -> impl Strategy<Value = PacketId> {
    any::<NonZeroU16>().prop_map(PacketId::from)
}

fn qos() -> impl Strategy<Value = QoS> {
    select(vec![QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce])
}

/// The default before MQTT 5, anything in it.
fn only_v5<T: Clone + Default + std::fmt::Debug + 'static>(
    v5: bool,
    strategy: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<T> {
    if v5 {
        strategy.boxed()
    } else {
        Just(T::default()).boxed()
    }
}

fn user_properties() -> impl Strategy<Value = UserProperties> {
    vec((text(), text()), 0..4)
}

fn ack_properties() -> impl Strategy<Value = AckProperties> {
    (of(text()), user_properties()).prop_map(|(reason_string, user_properties)| AckProperties {
        reason_string,
        user_properties,
    })
}

fn publish_values() -> impl Strategy<Value = PublishPropertyValues> {
    (
        of(any::<bool>()),
        of(any::<u32>()),
        of(topic()),
        of(binary()),
        of(text()),
        user_properties(),
        vec(1..=268_435_455_u32, 0..4),
    )
        .prop_map(
            |(
                payload_format_utf8,
                message_expiry_interval_secs,
                response_topic,
                correlation_data,
                content_type,
                user_properties,
                subscription_identifiers,
            )| PublishPropertyValues {
                payload_format_utf8,
                message_expiry_interval_secs,
                response_topic,
                correlation_data,
                content_type,
                user_properties,
                subscription_identifiers,
            },
        )
}

fn publish_properties() -> impl Strategy<Value = PublishProperties> {
    prop_oneof![
        Just(PublishProperties::NONE),
        publish_values().prop_map(PublishProperties::from)
    ]
}

fn will(v5: bool) -> impl Strategy<Value = Will> {
    let properties = publish_values().prop_map(|values| {
        PublishProperties::from(PublishPropertyValues {
            subscription_identifiers: Vec::new(),
            ..values
        })
    });
    (
        topic(),
        binary(),
        qos(),
        any::<bool>(),
        only_v5(v5, any::<u32>()),
        only_v5(v5, properties),
    )
        .prop_map(
            |(topic, payload, qos, retain, delay_interval_secs, properties)| Will {
                topic,
                payload,
                qos,
                retain,
                delay_interval_secs,
                properties,
            },
        )
}

fn connect_properties() -> impl Strategy<Value = ConnectProperties> {
    (
        of(any::<u32>()),
        of(any::<NonZeroU16>()),
        of(any::<NonZeroU32>()),
        any::<u16>(),
        any::<bool>(),
        any::<bool>(),
        user_properties(),
        of((text(), of(binary()))),
    )
        .prop_map(
            |(
                session_expiry_interval,
                receive_maximum,
                maximum_packet_size,
                topic_alias_maximum,
                request_response_information,
                request_problem_information,
                user_properties,
                authentication,
            )| {
                let (authentication_method, authentication_data) = authentication.unzip();
                ConnectProperties {
                    session_expiry_interval,
                    receive_maximum,
                    maximum_packet_size,
                    topic_alias_maximum,
                    request_response_information,
                    request_problem_information,
                    user_properties,
                    authentication_method,
                    authentication_data: authentication_data.flatten(),
                }
            },
        )
}

fn connect(version: Version) -> impl Strategy<Value = Connect> {
    let v5 = version.is_v5();
    (
        any::<bool>(),
        any::<bool>(),
        any::<u16>(),
        text(),
        of(text()),
        of(binary()),
        of(will(v5)),
        only_v5(v5, connect_properties()),
    )
        .prop_map(
            move |(bridge, clean_start, keep_alive_secs, client_id, username, password, will, properties)| {
                Connect {
                    version,
                    bridge: bridge && !v5,
                    clean_start,
                    keep_alive_secs,
                    client_id,
                    password: password.filter(|_| v5 || username.is_some()),
                    username,
                    will,
                    properties,
                }
            },
        )
}

fn connack_properties() -> impl Strategy<Value = ConnackProperties> {
    let capabilities = (
        of(any::<u32>()),
        of(any::<NonZeroU16>()),
        of(select(vec![QoS::AtMostOnce, QoS::AtLeastOnce])),
        of(any::<bool>()),
        of(any::<NonZeroU32>()),
        of(any::<u16>()),
        of(any::<bool>()),
        of(any::<bool>()),
        of(any::<bool>()),
        of(any::<u16>()),
    );
    let texts = (
        of(text()),
        of(text()),
        user_properties(),
        of(text()),
        of(text()),
        of((text(), of(binary()))),
    );
    (capabilities, texts).prop_map(|(capabilities, texts)| {
        let (authentication_method, authentication_data) = texts.5.unzip();
        ConnackProperties {
            session_expiry_interval: capabilities.0,
            receive_maximum: capabilities.1,
            maximum_qos: capabilities.2,
            retain_available: capabilities.3,
            maximum_packet_size: capabilities.4,
            topic_alias_maximum: capabilities.5,
            wildcard_subscription_available: capabilities.6,
            subscription_identifiers_available: capabilities.7,
            shared_subscription_available: capabilities.8,
            server_keep_alive: capabilities.9,
            assigned_client_identifier: texts.0,
            reason_string: texts.1,
            user_properties: texts.2,
            response_information: texts.3,
            server_reference: texts.4,
            authentication_method,
            authentication_data: authentication_data.flatten(),
        }
    })
}

fn connack(version: Version) -> impl Strategy<Value = Connack> {
    let v5 = version.is_v5();
    let reasons: Vec<ConnectReason> = if v5 {
        ConnectReason::ALL.to_vec()
    } else {
        (0..=5).filter_map(ConnectReason::from_v3_code).collect()
    };
    (any::<bool>(), select(reasons), only_v5(v5, connack_properties())).prop_map(
        move |(session_present, reason, properties)| Connack {
            session_present: session_present && !reason.is_error() && version != Version::V3_1,
            reason,
            properties,
        },
    )
}

fn delivery() -> impl Strategy<Value = Delivery> {
    prop_oneof![
        Just(Delivery::AtMostOnce),
        id().prop_map(Delivery::AtLeastOnce),
        id().prop_map(Delivery::ExactlyOnce)
    ]
}

fn publish_topic(v5: bool) -> BoxedStrategy<PublishTopic> {
    if !v5 {
        return topic().prop_map(PublishTopic::from).boxed();
    }
    prop_oneof![
        (topic(), of(any::<NonZeroU16>())).prop_map(|(topic, alias)| PublishTopic::Name { topic, alias }),
        any::<NonZeroU16>().prop_map(PublishTopic::Alias),
    ]
    .boxed()
}

fn publish(v5: bool) -> impl Strategy<Value = Publish> {
    (
        any::<bool>(),
        any::<bool>(),
        delivery(),
        publish_topic(v5),
        vec(any::<u8>(), 0..300),
        only_v5(v5, publish_properties()),
    )
        .prop_map(|(dup, retain, delivery, topic, payload, properties)| Publish {
            dup: dup && delivery.qos() > QoS::AtMostOnce,
            retain,
            delivery,
            topic,
            payload: payload.into(),
            properties,
        })
}

macro_rules! ack {
    ($name:ident, $reason:ident, $v5:expr) => {{
        let reasons = if $v5 {
            $reason::ALL.to_vec()
        } else {
            vec![$reason::Success]
        };
        (id(), select(reasons), only_v5($v5, ack_properties())).prop_map(|(packet_id, reason, properties)| {
            Packet::$name($name {
                packet_id,
                reason,
                properties,
            })
        })
    }};
}

fn subscribe(v5: bool) -> impl Strategy<Value = Subscribe> {
    let handling = select(vec![
        RetainHandling::SendAtSubscribe,
        RetainHandling::SendIfNew,
        RetainHandling::DoNotSend,
    ]);
    let options = (
        qos(),
        only_v5(v5, any::<bool>()),
        only_v5(v5, any::<bool>()),
        only_v5(v5, handling),
    )
        .prop_map(
            |(qos, no_local, retain_as_published, retain_handling)| SubscriptionOptions {
                qos,
                no_local,
                retain_as_published,
                retain_handling,
            },
        );
    let filters = vec(
        (text(), options).prop_map(|(filter, options)| SubscribeFilter { filter, options }),
        1..5,
    );
    let identifier = (1..=268_435_455_u32).prop_map(NonZeroU32::new);
    (
        id(),
        only_v5(v5, identifier),
        only_v5(v5, user_properties()),
        filters,
    )
        .prop_map(
            |(packet_id, subscription_identifier, user_properties, filters)| Subscribe {
                packet_id,
                subscription_identifier,
                user_properties,
                filters,
            },
        )
}

fn suback(v5: bool) -> impl Strategy<Value = Suback> {
    let reasons: Vec<SubscribeReason> = SubscribeReason::ALL
        .iter()
        .copied()
        .filter(|reason| v5 || reason.code() == reason.v3_code())
        .collect();
    (id(), vec(select(reasons), 1..5), only_v5(v5, ack_properties())).prop_map(
        |(packet_id, reasons, properties)| Suback {
            packet_id,
            reasons,
            properties,
        },
    )
}

fn unsubscribe(v5: bool) -> impl Strategy<Value = Unsubscribe> {
    (id(), only_v5(v5, user_properties()), vec(text(), 1..5)).prop_map(
        |(packet_id, user_properties, filters)| Unsubscribe {
            packet_id,
            user_properties,
            filters,
        },
    )
}

fn unsuback(v5: bool) -> impl Strategy<Value = Unsuback> {
    let reasons = vec(select(UnsubscribeReason::ALL), 1..5);
    (id(), only_v5(v5, reasons), only_v5(v5, ack_properties())).prop_map(
        |(packet_id, reasons, properties)| Unsuback {
            packet_id,
            reasons,
            properties,
        },
    )
}

fn disconnect(v5: bool) -> BoxedStrategy<Disconnect> {
    if !v5 {
        return Just(Disconnect::new(DisconnectReason::NormalDisconnection)).boxed();
    }
    let properties = (of(any::<u32>()), of(text()), user_properties(), of(text())).prop_map(
        |(session_expiry_interval, reason_string, user_properties, server_reference)| DisconnectProperties {
            session_expiry_interval,
            reason_string,
            user_properties,
            server_reference,
        },
    );
    (select(DisconnectReason::ALL), properties)
        .prop_map(|(reason, properties)| Disconnect { reason, properties })
        .boxed()
}

fn auth() -> impl Strategy<Value = Auth> {
    (
        select(AuthReason::ALL),
        text(),
        of(binary()),
        of(text()),
        user_properties(),
    )
        .prop_map(
            |(reason, method, authentication_data, reason_string, user_properties)| Auth {
                reason,
                properties: AuthProperties {
                    authentication_method: Some(method),
                    authentication_data,
                    reason_string,
                    user_properties,
                },
            },
        )
}

/// Any packet that this version has.
fn packet(version: Version) -> BoxedStrategy<Packet> {
    let v5 = version.is_v5();
    let common = prop_oneof![
        connect(version).prop_map(|packet| Packet::Connect(Box::new(packet))),
        connack(version).prop_map(|packet| Packet::Connack(Box::new(packet))),
        publish(v5).prop_map(Packet::Publish),
        prop_oneof![
            ack!(Puback, PublishReason, v5),
            ack!(Pubrec, PublishReason, v5),
            ack!(Pubrel, PubrelReason, v5),
            ack!(Pubcomp, PubrelReason, v5)
        ],
        subscribe(v5).prop_map(Packet::Subscribe),
        suback(v5).prop_map(Packet::Suback),
        unsubscribe(v5).prop_map(Packet::Unsubscribe),
        unsuback(v5).prop_map(Packet::Unsuback),
        select(vec![Packet::Pingreq, Packet::Pingresp]),
        disconnect(v5).prop_map(Packet::Disconnect),
    ];
    if v5 {
        prop_oneof![9 => common, 1 => auth().prop_map(|packet| Packet::Auth(Box::new(packet)))].boxed()
    } else {
        common.boxed()
    }
}

fn version_and_packet() -> impl Strategy<Value = (Version, Packet)> {
    select(&VERSIONS[..]).prop_flat_map(|version| (Just(version), packet(version)))
}

// ---- properties

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn what_is_written_is_read((version, packet) in version_and_packet()) {
        let mut buf = BytesMut::new();
        encode(&packet, version, &mut buf);
        prop_assert_eq!(buf.len(), encoded_len(&packet, version));
        prop_assert_eq!(decoder(version).decode(&mut buf), Ok(Some(packet)));
        prop_assert!(buf.is_empty());
    }

    /// What a version does not have is left out; what is left is a packet of that version.
    #[test]
    fn what_a_version_lacks_is_left_out(packet in packet(Version::V5), version in select(&VERSIONS[..2])) {
        let mut buf = BytesMut::new();
        encode(&packet, version, &mut buf);
        prop_assert_eq!(buf.len(), encoded_len(&packet, version));
        let unlike = match &packet {
            Packet::Connect(connect) => connect.password.is_some() && connect.username.is_none(),
            Packet::Publish(publish) => publish.topic.name().is_none(),
            Packet::Auth(_) => true,
            _ => false,
        };
        if !unlike {
            let decoded = decoder(version).decode(&mut buf);
            let decoded_type = decoded.map(|decoded| decoded.map(|decoded| decoded.packet_type()));
            prop_assert_eq!(decoded_type, Ok(Some(packet.packet_type())));
        }
    }

    #[test]
    fn pieces_are_put_together(
        (version, packets) in select(&VERSIONS[..])
            .prop_flat_map(|version| (Just(version), vec(packet(version), 1..6))),
        pieces in vec(1_usize..40, 1..20),
    ) {
        let mut bytes = BytesMut::new();
        for packet in &packets {
            encode(packet, version, &mut bytes);
        }
        let mut buf = BytesMut::new();
        let mut decoded = Vec::new();
        let mut pieces = pieces.iter().cycle();
        while !bytes.is_empty() {
            let piece = *pieces.next().expect("endless");
            buf.unsplit(bytes.split_to(piece.min(bytes.len())));
            while let Some(packet) = decoder(version).decode(&mut buf).expect("valid") {
                decoded.push(packet);
            }
        }
        prop_assert_eq!(decoded, packets);
    }

    #[test]
    fn a_head_and_a_payload_are_a_publish(publish in publish(true), version in select(&VERSIONS[..])) {
        let identifiers = publish.properties.values().map_or(&[][..], |values| &values.subscription_identifiers);
        let head = PublishHead {
            dup: publish.dup,
            retain: publish.retain,
            delivery: publish.delivery,
            topic: publish.topic.name().map_or("", TopicName::as_str),
            topic_alias: publish.topic.alias(),
            properties: publish.properties.values(),
            message_expiry_interval_secs: None,
            subscription_identifiers: identifiers,
            payload_len: publish.payload.len(),
        };
        let (mut whole, mut parts) = (BytesMut::new(), BytesMut::new());
        publish.encode(version, &mut whole);
        head.encode(version, &mut parts);
        prop_assert_eq!(head.encoded_len(version), parts.len() + publish.payload.len());
        parts.extend_from_slice(&publish.payload);
        prop_assert_eq!(whole, parts);
    }

    #[test]
    fn a_head_has_its_own_expiry_identifiers_and_alias(
        values in publish_values(),
        expiry in of(any::<u32>()),
        identifiers in vec(1..1000_u32, 0..4),
        alias in of(any::<NonZeroU16>()),
    ) {
        let head = PublishHead {
            dup: false,
            retain: true,
            delivery: Delivery::AtLeastOnce(PacketId::FIRST),
            topic: "a/b",
            topic_alias: alias,
            properties: Some(&values),
            message_expiry_interval_secs: expiry,
            subscription_identifiers: &identifiers,
            payload_len: 0,
        };
        let mut buf = BytesMut::new();
        head.encode(Version::V5, &mut buf);
        let expected = PublishPropertyValues {
            message_expiry_interval_secs: expiry.or(values.message_expiry_interval_secs),
            subscription_identifiers: identifiers.clone(),
            ..values.clone()
        };
        prop_assert_eq!(
            decoder(Version::V5).decode(&mut buf),
            Ok(Some(Packet::Publish(Publish {
                dup: false,
                retain: true,
                delivery: Delivery::AtLeastOnce(PacketId::FIRST),
                topic: PublishTopic::Name { topic: TopicName::new("a/b").expect("a topic name"), alias },
                payload: Bytes::new(),
                properties: expected.into(),
            })))
        );
    }

    #[test]
    fn properties_alone(values in publish_values()) {
        let mut bytes = Vec::new();
        encode_publish_properties(&values, &mut bytes);
        prop_assert_eq!(decode_publish_properties(&bytes.into()), Ok(values));
    }

    /// Bytes with a fixed header in front that fits them, so that the bodies are reached.
    #[test]
    fn no_body_does_harm(first in any::<u8>(), body in vec(any::<u8>(), 0..120)) {
        let bytes = [&[first, body.len() as u8][..], &body].concat();
        for version in VERSIONS {
            let decoded = decoder(version).decode(&mut BytesMut::from(&bytes[..]));
            if let Ok(Some(packet)) = decoded {
                let version = match &packet {
                    Packet::Connect(connect) => connect.version,
                    _ => version,
                };
                let mut buf = BytesMut::new();
                encode(&packet, version, &mut buf);
                prop_assert_eq!(decoder(version).decode(&mut buf), Ok(Some(packet)));
            }
        }
    }

    #[test]
    fn no_bytes_do_harm(bytes in vec(any::<u8>(), 0..200)) {
        for version in VERSIONS {
            let mut buf = BytesMut::from(&bytes[..]);
            while let Ok(Some(_)) = decoder(version).decode(&mut buf) {}
        }
        let _ = FrameHeader::peek(&bytes);
        let _ = Connect::peek_version(&Bytes::from(bytes.clone()));
        let _ = decode_publish_properties(&bytes.into());
    }

    #[test]
    fn no_damage_does_harm(
        (version, packet) in version_and_packet(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut buf = BytesMut::new();
        encode(&packet, version, &mut buf);
        for (at, byte) in damage {
            let at = at.index(buf.len());
            buf[at] = byte;
        }
        for version in VERSIONS {
            let mut buf = buf.clone();
            while let Ok(Some(_)) = decoder(version).decode(&mut buf) {}
        }
    }
}

#[test]
fn packet_ids_go_round_and_leave_zero_out() {
    let last = PacketId::new(65_535).expect("not zero");
    assert_eq!(last.next(), PacketId::FIRST);
    assert_eq!(PacketId::FIRST.next().get(), 2);
    assert_eq!(PacketId::new(0), None);
}

#[test]
fn an_empty_box_of_properties_is_none() {
    let mut properties = PublishProperties::NONE;
    properties.get_or_insert();
    assert!(properties.is_empty());
    assert_eq!(properties, PublishProperties::NONE);
    properties.get_or_insert().content_type = Some(ByteString::from_static("text/plain"));
    assert!(!properties.is_empty());
}
