//! What the broker says to good and to bad packets, and who is let in.

use std::num::{NonZeroU16, NonZeroU32};

use bytestring::ByteString;
use hookwire_protocol::{
    Connack, Connect, ConnectProperties, ConnectReason, Disconnect, DisconnectReason, Packet, Puback,
    Publish, PublishPropertyValues, PublishReason, PublishTopic, SubscribeReason, Version, Will,
};
use hookwire_tests::{Broker, Client, QoS, Witness, publish, v5, v31, v311, will};

// ---- who is let in

#[test]
fn all_three_versions_are_admitted() {
    let broker = Broker::start("");
    for (name, connect) in [("3.1", v31("a")), ("3.1.1", v311("b")), ("5.0", v5("c"))] {
        let mut client = Client::connect(&broker, connect);
        assert!(!client.connack().session_present, "{name}");
        client.subscribe("t", QoS::ExactlyOnce);
        client.publish("t", name, QoS::ExactlyOnce);
        assert_eq!(client.receive().brief(), ("t", name));
        client.disconnect();
    }
}

/// What a CONNECT is refused with: the code of MQTT 5, and that of MQTT 3.
#[test]
fn connects_are_refused_with_the_right_code() {
    let broker = Broker::start("[limits]\nqos_max = 1\nclient_id_bytes_max = 23\nkeep_alive_max = \"60s\"\n");
    let too_long = "x".repeat(24);
    let loud = Will {
        qos: QoS::ExactlyOnce,
        ..will("w", "gone")
    };
    let alive = |connect| Connect {
        keep_alive_secs: 60,
        ..connect
    };
    let rows: [(&str, Connect, ConnectReason); 9] = [
        (
            "client id too long, 5",
            v5(&too_long),
            ConnectReason::ClientIdentifierNotValid,
        ),
        (
            "client id too long, 3.1.1",
            v311(&too_long),
            ConnectReason::ClientIdentifierNotValid,
        ),
        (
            "empty client id with a session to be kept, 3.1.1",
            Connect {
                clean_start: false,
                ..alive(v311(""))
            },
            ConnectReason::ClientIdentifierNotValid,
        ),
        (
            "empty client id, 3.1",
            alive(v31("")),
            ConnectReason::ClientIdentifierNotValid,
        ),
        (
            "keep alive too long, 3.1.1",
            Connect {
                keep_alive_secs: 61,
                ..v311("k")
            },
            ConnectReason::ServerUnavailable,
        ),
        ("no keep alive, 3.1", v31("k"), ConnectReason::ServerUnavailable),
        (
            "will above the maximum QoS, 5",
            Connect {
                will: Some(loud.clone()),
                ..v5("w")
            },
            ConnectReason::QosNotSupported,
        ),
        (
            "will above the maximum QoS, 3.1.1",
            Connect {
                will: Some(loud),
                ..alive(v311("w"))
            },
            ConnectReason::ServerUnavailable,
        ),
        (
            "enhanced authentication",
            Connect {
                properties: ConnectProperties {
                    authentication_method: Some(ByteString::from_static("SCRAM-SHA-256")),
                    ..ConnectProperties::default()
                },
                ..v5("a")
            },
            ConnectReason::BadAuthenticationMethod,
        ),
    ];
    for (name, connect, reason) in rows {
        assert_eq!(Client::refused(&broker, connect).reason, reason, "{name}");
    }
    Client::connect(&broker, alive(v311("still-open"))).disconnect();
}

/// A CONNECT of a version that is not spoken, or that cannot be read. `None`: closed without a CONNACK.
#[test]
fn broken_connects_are_answered_in_a_way_that_their_sender_understands() {
    let broker = Broker::start("");
    let witness = Witness::start(&broker, "connects");
    type Row = (&'static str, &'static [u8], Option<&'static [u8]>);
    let rows: [Row; 10] = [
        ("MQTT 6", b"\x10\x0d\0\x04MQTT\x06\x02\0\0\0\0\0", Some(&[0x84])),
        (
            "MQTT level 3",
            b"\x10\x0d\0\x04MQTT\x03\x02\0\0\0\x01x",
            Some(&[1]),
        ),
        (
            "MQIsdp level 5",
            b"\x10\x0f\0\x06MQIsdp\x05\x02\0\0\0\x01x",
            Some(&[1]),
        ),
        (
            "another protocol's name",
            b"\x10\x0d\0\x04MQTX\x04\x02\0\0\0\x01x",
            Some(&[1]),
        ),
        (
            "reserved flag, 5",
            b"\x10\x0e\0\x04MQTT\x05\x03\0\0\0\0\x01x",
            Some(&[0x81]),
        ),
        // [MQTT-3.1.4-1] of 3.1.1: closed without a CONNACK.
        (
            "reserved flag, 3.1.1",
            b"\x10\x0d\0\x04MQTT\x04\x03\0\0\0\x01x",
            None,
        ),
        (
            "password without user name, 3.1.1",
            b"\x10\x10\0\x04MQTT\x04\x42\0\0\0\x01x\0\x01p",
            None,
        ),
        (
            "will with QoS 3, 5",
            b"\x10\x14\0\x04MQTT\x05\x1e\0\0\0\0\x01x\0\0\x01w\0\x01m",
            Some(&[0x81]),
        ),
        (
            "client id not UTF-8, 5",
            b"\x10\x0e\0\x04MQTT\x05\x02\0\0\0\0\x01\xff",
            Some(&[0x81]),
        ),
        (
            "a field past the end, 5",
            b"\x10\x0e\0\x04MQTT\x05\x02\0\0\0\0\x09x",
            Some(&[0x81]),
        ),
    ];
    for (name, bytes, code) in rows {
        let mut client = Client::open(&broker, Version::V5);
        client.send_bytes(bytes);
        let heard = client.hear_out();
        match code {
            None => assert_eq!(heard, [], "{name}: closed without a word"),
            Some(code) => {
                assert_eq!(heard.first(), Some(&0x20), "{name}: a CONNACK, {heard:x?}");
                assert_eq!(
                    &heard[2..4],
                    [&[0], code].concat(),
                    "{name}: no session, code; {heard:x?}"
                );
            }
        }
    }
    witness.finish();
}

#[test]
fn whoever_does_not_begin_with_connect_hears_nothing() {
    let broker = Broker::start("");
    let rows: [(&str, &[u8]); 6] = [
        ("PUBLISH", b"\x30\x04\0\x01a\0"),
        ("PINGREQ", b"\xc0\0"),
        ("type 0", b"\0\0"),
        ("AUTH", b"\xf0\0"),
        ("HTTP", b"GET / HTTP/1.1\r\nHost: broker\r\n\r\n"),
        ("DISCONNECT", b"\xe0\0"),
    ];
    for (name, bytes) in rows {
        let mut client = Client::open(&broker, Version::V5);
        client.send_bytes(bytes);
        assert_eq!(client.hear_out(), [], "{name}");
    }
}

#[test]
fn a_connect_larger_than_strangers_may_send_is_closed_before_it_has_come() {
    let broker = Broker::start("[limits]\nconnect_packet_bytes_max = \"1KiB\"\n");
    let mut client = Client::open(&broker, Version::V5);
    // Declares 256 MiB and sends next to nothing of it.
    client.send_bytes(b"\x10\xff\xff\xff\x7f\0\x04MQTT\x05\x02\0\0\0\0\0");
    assert_eq!(client.hear_out(), []);
    Client::connect(&broker, v5("modest")).disconnect();
}

#[test]
fn whoever_is_silent_or_slow_with_connect_is_closed() {
    let broker = Broker::start("[limits]\nconnect_timeout = \"200ms\"\n");
    let mut silent = Client::open(&broker, Version::V5);
    let mut slow = Client::open(&broker, Version::V5);
    slow.send_bytes(b"\x10\x0e\0\x04MQ");
    silent.expect_closed();
    slow.expect_closed();
}

#[test]
fn client_ids_are_assigned_and_never_twice() {
    let broker = Broker::start("");
    let first = Client::connect(&broker, v5(""));
    let mut second = Client::connect(&broker, v5(""));
    let assigned = |client: &Client| {
        client
            .connack()
            .properties
            .assigned_client_identifier
            .clone()
            .expect("assigned")
    };
    assert_ne!(assigned(&first), assigned(&second));
    // MQTT 3.1.1 cannot be told, but two of them do not throw each other out either.
    let mut third = Client::connect(&broker, v311(""));
    let _fourth = Client::connect(&broker, v311(""));
    third.expect_nothing();
    second.expect_nothing();
}

#[test]
fn mqtt_5_clients_are_told_what_the_broker_takes() {
    let broker = Broker::start(
        "[limits]\nqos_max = 1\npacket_bytes_max = \"64KiB\"\nreceive_maximum = 7\ntopic_alias_maximum = 3\nkeep_alive_max = \"50s\"\n\
         [session]\nexpiry_max = \"60s\"\n",
    );
    let asked = ConnectProperties {
        session_expiry_interval: Some(u32::MAX),
        ..ConnectProperties::default()
    };
    let client = Client::connect(
        &broker,
        Connect {
            properties: asked,
            ..v5("curious")
        },
    );
    let told = &client.connack().properties;
    assert_eq!(told.maximum_qos, Some(QoS::AtLeastOnce));
    assert_eq!(told.maximum_packet_size.map(NonZeroU32::get), Some(64 << 10));
    assert_eq!(told.receive_maximum.map(NonZeroU16::get), Some(7));
    assert_eq!(told.topic_alias_maximum, Some(3));
    assert_eq!(told.server_keep_alive, Some(50));
    assert_eq!(told.session_expiry_interval, Some(60));
}

// ---- bad packets

/// What follows a good CONNECT of MQTT 5, and the reason code of the DISCONNECT that it earns.
const BAD_PACKETS: [(&str, &[u8], DisconnectReason); 37] = {
    use DisconnectReason as R;
    [
        ("packet type 0", b"\0\0", R::ProtocolError),
        (
            "length of five bytes",
            b"\x30\xff\xff\xff\xff\x7f",
            R::MalformedPacket,
        ),
        ("length that is not minimal", b"\xc0\x80\0", R::MalformedPacket),
        ("PINGREQ with flags", b"\xc1\0", R::MalformedPacket),
        ("PINGREQ with a body", b"\xc0\x01\0", R::MalformedPacket),
        (
            "SUBSCRIBE without its flag",
            b"\x80\x07\0\x01\0\0\x01a\0",
            R::MalformedPacket,
        ),
        (
            "PUBLISH with QoS 3",
            b"\x36\x06\0\x01a\0\x01\0",
            R::MalformedPacket,
        ),
        (
            "PUBLISH with DUP and QoS 0",
            b"\x38\x04\0\x01a\0",
            R::MalformedPacket,
        ),
        ("PUBLISH to +", b"\x30\x04\0\x01+\0", R::TopicNameInvalid),
        ("PUBLISH to a/#", b"\x30\x06\0\x03a/#\0", R::TopicNameInvalid),
        ("PUBLISH to nothing", b"\x30\x03\0\0\0", R::ProtocolError),
        (
            "PUBLISH, topic not UTF-8",
            b"\x30\x04\0\x01\xff\0",
            R::MalformedPacket,
        ),
        (
            "PUBLISH, topic with U+0000",
            b"\x30\x04\0\x01\0\0",
            R::MalformedPacket,
        ),
        (
            "PUBLISH, topic with a surrogate",
            b"\x30\x06\0\x03\xed\xa0\x80\0",
            R::MalformedPacket,
        ),
        (
            "PUBLISH with packet id 0",
            b"\x32\x06\0\x01a\0\0\0",
            R::ProtocolError,
        ),
        (
            "PUBLISH that ends in its topic",
            b"\x30\x03\0\x05a",
            R::MalformedPacket,
        ),
        (
            "topic alias 0",
            b"\x30\x07\0\x01a\x03\x23\0\0",
            R::TopicAliasInvalid,
        ),
        (
            "topic alias above the maximum",
            b"\x30\x07\0\x01a\x03\x23\xff\xff",
            R::TopicAliasInvalid,
        ),
        (
            "topic alias that stands for nothing",
            b"\x30\x06\0\0\x03\x23\0\x05",
            R::ProtocolError,
        ),
        (
            "subscription identifier from a client",
            b"\x30\x06\0\x01a\x02\x0b\x01",
            R::ProtocolError,
        ),
        (
            "property twice",
            b"\x30\x08\0\x01a\x04\x01\0\x01\0",
            R::ProtocolError,
        ),
        (
            "property of another packet",
            b"\x30\x07\0\x01a\x03\x21\0\x01",
            R::MalformedPacket,
        ),
        (
            "property that does not exist",
            b"\x30\x06\0\x01a\x02\x7e\0",
            R::MalformedPacket,
        ),
        (
            "response topic with a wildcard",
            b"\x30\x08\0\x01a\x04\x08\0\x01#",
            R::TopicNameInvalid,
        ),
        ("SUBSCRIBE without filters", b"\x82\x03\0\x01\0", R::ProtocolError),
        (
            "SUBSCRIBE cut before the options",
            b"\x82\x06\0\x01\0\0\x01a",
            R::MalformedPacket,
        ),
        (
            "SUBSCRIBE with QoS 3",
            b"\x82\x07\0\x01\0\0\x01a\x03",
            R::ProtocolError,
        ),
        (
            "SUBSCRIBE with reserved options",
            b"\x82\x07\0\x01\0\0\x01a\xc0",
            R::MalformedPacket,
        ),
        (
            "SUBSCRIBE with retain handling 3",
            b"\x82\x07\0\x01\0\0\x01a\x30",
            R::ProtocolError,
        ),
        (
            "SUBSCRIBE with packet id 0",
            b"\x82\x07\0\0\0\0\x01a\0",
            R::ProtocolError,
        ),
        (
            "no-local on a shared subscription",
            b"\x82\x10\0\x01\0\0\x0a$share/g/a\x04",
            R::ProtocolError,
        ),
        (
            "UNSUBSCRIBE without filters",
            b"\xa2\x03\0\x01\0",
            R::ProtocolError,
        ),
        ("CONNACK from a client", b"\x20\x03\0\0\0", R::ProtocolError),
        ("SUBACK from a client", b"\x90\x04\0\x01\0\0", R::ProtocolError),
        ("AUTH without a method", b"\xf0\0", R::ProtocolError),
        (
            "DISCONNECT that raises the session expiry",
            b"\xe0\x07\0\x05\x11\0\0\0\x0a",
            R::ProtocolError,
        ),
        ("2 MiB, declared", b"\x30\xff\xff\x7f\0\x01a", R::PacketTooLarge),
    ]
};

#[test]
fn bad_packets_end_their_own_connection_with_the_right_reason() {
    let broker = Broker::start("");
    let witness = Witness::start(&broker, "bad-packets");
    for (name, bytes, reason) in BAD_PACKETS {
        let mut client = Client::connect(&broker, v5("clumsy"));
        client.send_bytes(bytes);
        let disconnect = client.expect::<Disconnect>();
        assert_eq!(disconnect.reason, reason, "{name}");
        client.expect_closed();
    }
    witness.finish();
}

/// MQTT 3.1.1 has no word for it: the connection is closed.
#[test]
fn bad_packets_of_mqtt_3_end_their_own_connection() {
    let broker = Broker::start("");
    let witness = Witness::start(&broker, "bad-packets-of-3");
    let rows: [(&str, &[u8]); 12] = [
        ("PUBLISH with QoS 3", b"\x36\x05\0\x01a\0\x01"),
        ("PUBLISH to +", b"\x30\x03\0\x01+"),
        ("PUBLISH to nothing", b"\x30\x02\0\0"),
        ("PUBLISH with packet id 0", b"\x32\x05\0\x01a\0\0"),
        ("SUBSCRIBE without filters", b"\x82\x02\0\x01"),
        ("SUBSCRIBE with options of MQTT 5", b"\x82\x06\0\x01\0\x01a\x04"),
        ("PUBREL without its flag", b"\x60\x02\0\x01"),
        ("AUTH", b"\xf0\0"),
        ("DISCONNECT with a body", b"\xe0\x01\0"),
        ("SUBACK from a client", b"\x90\x03\0\x01\0"),
        ("a second CONNECT", b"\x10\x0d\0\x04MQTT\x04\x02\0\0\0\x01x"),
        ("2 MiB, declared", b"\x30\xff\xff\x7f\0\x01a"),
    ];
    for (name, bytes) in rows {
        let mut client = Client::connect(&broker, v311("clumsy"));
        client.send_bytes(bytes);
        assert_eq!(client.hear_out(), [], "{name}");
    }
    witness.finish();
}

#[test]
fn a_second_connect_ends_the_connection_and_leaves_the_will() {
    let broker = Broker::start("");
    let mut heir = Client::connect(&broker, v5("heir"));
    heir.subscribe("wills/#", QoS::AtMostOnce);
    let mut client = Client::connect(
        &broker,
        Connect {
            will: Some(will("wills/twice", "gone")),
            ..v5("twice")
        },
    );
    client.send(Packet::Connect(Box::new(v5("twice"))));
    client.expect_disconnect(DisconnectReason::ProtocolError);
    assert_eq!(heir.receive().brief(), ("wills/twice", "gone"));
}

#[test]
fn packets_with_more_than_the_limits_allow_end_the_connection() {
    let broker = Broker::start(
        "[limits]\nfilters_max = 3\nuser_properties_max = 2\ntopic_levels_max = 4\npacket_bytes_max = \"2KiB\"\n",
    );
    let long = publish("a/b/c/d/e", "", QoS::AtMostOnce, 1);
    let mut talkative = publish("a", "", QoS::AtMostOnce, 1);
    let pair = (ByteString::from_static("k"), ByteString::from_static("v"));
    talkative.properties = PublishPropertyValues {
        user_properties: vec![pair; 3],
        ..Default::default()
    }
    .into();
    let rows = [
        (
            "topic levels",
            Packet::Publish(long),
            DisconnectReason::TopicNameInvalid,
        ),
        (
            "user properties",
            Packet::Publish(talkative),
            DisconnectReason::QuotaExceeded,
        ),
        ("filters", subscribe_to(4), DisconnectReason::QuotaExceeded),
        (
            "bytes",
            Packet::Publish(publish("a", [0; 2048], QoS::AtMostOnce, 1)),
            DisconnectReason::PacketTooLarge,
        ),
    ];
    for (name, packet, reason) in rows {
        let mut client = Client::connect(&broker, v5("immoderate"));
        client.send(packet);
        assert_eq!(client.expect::<Disconnect>().reason, reason, "{name}");
        client.expect_closed();
    }
    let mut client = Client::connect(&broker, v5("moderate"));
    client.send(subscribe_to(3));
    client.expect::<hookwire_protocol::Suback>();
    client.publish("a/b/c/d", [0; 1024], QoS::AtLeastOnce);
}

fn subscribe_to(filters: u16) -> Packet {
    let filter = |number: u16| hookwire_protocol::SubscribeFilter {
        filter: ByteString::from(format!("f/{number}")),
        options: hookwire_protocol::SubscriptionOptions::default(),
    };
    Packet::Subscribe(hookwire_protocol::Subscribe {
        packet_id: hookwire_protocol::PacketId::FIRST,
        subscription_identifier: None,
        user_properties: Vec::new(),
        filters: (0..filters).map(filter).collect(),
    })
}

#[test]
fn more_unfinished_messages_than_the_receive_maximum_end_the_connection() {
    let broker = Broker::start("[limits]\nreceive_maximum = 2\n");
    let mut client = Client::connect(&broker, v5("hasty"));
    for id in 1..=3 {
        client.send(Packet::Publish(publish("t", "", QoS::ExactlyOnce, id)));
    }
    for _ in 1..=2 {
        client.expect::<hookwire_protocol::Pubrec>();
    }
    client.expect_disconnect(DisconnectReason::ReceiveMaximumExceeded);
}

#[test]
fn acknowledgements_of_nothing_do_no_harm() {
    use hookwire_protocol::{PacketId, Puback, Pubcomp, Pubrec, Pubrel, PubrelReason};
    let broker = Broker::start("");
    let mut client = Client::connect(&broker, v5("confused"));
    let id = PacketId::new(7).expect("not zero");
    client.send(Packet::Puback(Puback::new(id, PublishReason::Success)));
    client.send(Packet::Pubcomp(Pubcomp::new(id, PubrelReason::Success)));
    client.expect_nothing();
    client.send(Packet::Pubrec(Pubrec::new(id, PublishReason::Success)));
    assert_eq!(
        client.expect::<Pubrel>().reason,
        PubrelReason::PacketIdentifierNotFound
    );
    client.send(Packet::Pubrel(Pubrel::new(id, PubrelReason::Success)));
    assert_eq!(
        client.expect::<Pubcomp>().reason,
        PubrelReason::PacketIdentifierNotFound
    );
    client.expect_nothing();
}

#[test]
fn topics_of_the_broker_cannot_be_published_to() {
    // Its own figures would come in between.
    let broker = Broker::start("sys_interval = \"0s\"\n");
    let mut client = Client::connect(&broker, v5("bold"));
    client.subscribe("$SYS/#", QoS::AtMostOnce);
    for topic in [
        "$SYS/broker/version",
        "$SYS",
        "$share/g/a",
        "$share",
        "$CONTROL/x",
    ] {
        assert_eq!(
            client.publish(topic, "mine", QoS::AtLeastOnce),
            PublishReason::NotAuthorized,
            "{topic}"
        );
        let leaving = Connect {
            will: Some(will(topic, "mine")),
            ..v5("bolder")
        };
        let refused = Client::refused(&broker, leaving);
        assert_eq!(refused.reason, ConnectReason::NotAuthorized, "a will for {topic}");
    }
    client.expect_nothing();
}

#[test]
fn what_comes_before_a_header_that_is_none_counts() {
    let broker = Broker::start("");
    let mut watcher = Client::connect(&broker, v5("watcher"));
    watcher.subscribe("a", QoS::AtMostOnce);
    let mut client = Client::connect(&broker, v5("broken"));
    // A PUBLISH of QoS 1, and in the same breath a length of five bytes.
    client.send_bytes(b"\x32\x07\0\x01a\0\x01\0x\x30\xff\xff\xff\xff\x7f");
    assert_eq!(client.expect::<Puback>().reason, PublishReason::Success);
    client.expect_disconnect(DisconnectReason::MalformedPacket);
    assert_eq!(watcher.receive().payload, "x");
}

#[test]
fn packets_may_come_byte_by_byte_or_all_at_once() {
    let broker = Broker::start("");
    // CONNECT, SUBSCRIBE to a, two PUBLISH to a, PINGREQ.
    let script: &[u8] =
        b"\x10\x0d\0\x04MQTT\x04\x02\0\0\0\x01x\x82\x06\0\x01\0\x01a\0\x30\x04\0\x01a1\x30\x04\0\x01a2\xc0\0";
    let answer: &[u8] = b"\x20\x02\0\0\x90\x03\0\x01\0\x30\x04\0\x01a1\x30\x04\0\x01a2\xd0\0";
    for piece in [1, 2, 3, 5, 7, script.len()] {
        let mut client = Client::open(&broker, Version::V3_1_1);
        for bytes in script.chunks(piece) {
            client.send_bytes(bytes);
        }
        client.send_bytes(b"\xe0\0");
        assert_eq!(client.hear_out(), answer, "in pieces of {piece}");
    }
}

#[test]
fn a_message_larger_than_its_recipient_takes_is_not_sent_to_it() {
    let broker = Broker::start("");
    let small = ConnectProperties {
        maximum_packet_size: NonZeroU32::new(64),
        ..ConnectProperties::default()
    };
    let mut small = Client::connect(
        &broker,
        Connect {
            properties: small,
            ..v5("small")
        },
    );
    let mut large = Client::connect(&broker, v5("large"));
    small.subscribe("t", QoS::AtLeastOnce);
    large.subscribe("t", QoS::AtLeastOnce);
    let mut sender = Client::connect(&broker, v5("sender"));
    sender.publish("t", "x".repeat(100), QoS::AtLeastOnce);
    sender.publish("t", "fits", QoS::AtLeastOnce);
    assert_eq!(small.receive().payload, "fits");
    assert_eq!(large.receive_all(2)[1].payload, "fits");
}

#[test]
fn a_topic_alias_stands_for_its_topic() {
    let broker = Broker::start("");
    let mut listener = Client::connect(&broker, v311("listener"));
    listener.subscribe("#", QoS::AtMostOnce);
    let mut sender = Client::connect(&broker, v5("sender"));
    let alias = NonZeroU16::new(5);
    let named = publish("long/topic", "1", QoS::AtMostOnce, 1);
    let topic = named.topic.name().cloned().expect("it has a name");
    sender.send(Packet::Publish(Publish {
        topic: PublishTopic::Name { topic, alias },
        ..named.clone()
    }));
    let short = PublishTopic::Alias(alias.expect("not zero"));
    sender.send(Packet::Publish(Publish {
        topic: short,
        payload: "2".into(),
        ..named
    }));
    let heard: Vec<_> = listener.receive_all(2);
    assert_eq!(
        [heard[0].brief(), heard[1].brief()],
        [("long/topic", "1"), ("long/topic", "2")]
    );
}

// ---- room

#[test]
fn the_connection_too_many_is_refused_and_the_others_go_on() {
    let broker = Broker::start("[limits]\nconnections_max = 2\n");
    let mut first = Client::connect(&broker, v5("first"));
    let second = Client::connect(&broker, v311("second"));
    first.subscribe("t", QoS::AtLeastOnce);
    assert_eq!(
        Client::refused(&broker, v5("third")).reason,
        ConnectReason::ServerBusy
    );
    assert_eq!(
        Client::refused(&broker, v311("third")).reason,
        ConnectReason::ServerUnavailable
    );
    first.publish("t", "still here", QoS::AtLeastOnce);
    assert_eq!(first.receive().payload, "still here");
    // The room of one who has left is free again once the broker has seen it leave.
    second.disconnect();
    let again = std::iter::repeat_with(|| {
        let mut client = Client::begin(&broker, v5("third"));
        (client.expect::<Connack>().reason, client)
    });
    again
        .take(1000)
        .find(|(reason, _)| *reason == ConnectReason::Success)
        .expect("room for one");
}

#[test]
fn a_listener_has_room_of_its_own() {
    let broker = Broker::start(
        "[[listener]]\nname = \"small\"\naddress = \"127.0.0.1:0\"\nconnections_max = 1\n\
         [[listener]]\nname = \"other\"\naddress = \"127.0.0.1:0\"\n",
    );
    let other = broker.wait_log("listening on ");
    assert!(other.contains("other"), "{other}");
    let _first = Client::connect(&broker, v5("first"));
    assert_eq!(
        Client::refused(&broker, v5("second")).reason,
        ConnectReason::ServerBusy
    );
    broker.wait_log("no room for another connection");
}

#[test]
fn the_session_too_many_is_refused_and_the_others_go_on() {
    let broker = Broker::start("[session]\nsessions_max = 2\n");
    let kept = ConnectProperties {
        session_expiry_interval: Some(100),
        ..ConnectProperties::default()
    };
    let away = Connect {
        properties: kept,
        clean_start: false,
        ..v5("away")
    };
    Client::connect(&broker, away.clone()).disconnect();
    let mut present = Client::connect(&broker, v5("present"));
    assert_eq!(
        Client::refused(&broker, v5("new")).reason,
        ConnectReason::QuotaExceeded
    );
    assert_eq!(
        Client::refused(&broker, v311("new")).reason,
        ConnectReason::ServerUnavailable
    );
    present.expect_nothing();
    // Who has a session comes back to it.
    assert!(Client::connect(&broker, away).connack().session_present);
}

#[test]
fn a_full_store_of_retained_messages_refuses_new_topics() {
    let broker = Broker::start("[limits]\nretained_messages_max = 1\n");
    let mut client = Client::connect(&broker, v5("c"));
    assert!(!client.retain("a", "1").is_error());
    assert_eq!(client.retain("b", "1"), PublishReason::QuotaExceeded);
    assert!(!client.retain("a", "2").is_error());
    assert!(!client.retain("a", "").is_error());
    assert!(!client.retain("b", "1").is_error());
}

#[test]
fn subscriptions_of_one_client_are_limited() {
    let broker = Broker::start("[session]\nsubscriptions_max = 2\n");
    let mut client = Client::connect(&broker, v5("c"));
    client.subscribe("a", QoS::AtMostOnce);
    client.subscribe("b", QoS::AtMostOnce);
    assert_eq!(
        client.try_subscribe("c", QoS::AtMostOnce),
        SubscribeReason::QuotaExceeded
    );
    client.subscribe("a", QoS::AtLeastOnce);
    client.unsubscribe("b");
    client.subscribe("c", QoS::AtMostOnce);
}

/// A client that takes nothing costs the publisher nothing, and the others neither.
#[test]
fn a_client_that_does_not_read_is_left_behind() {
    let broker = Broker::start("[limits]\noutbox_bytes_max = \"1MiB\"\nwrite_timeout = \"100ms\"\n");
    let mut reading = Client::connect(&broker, v5("reading"));
    reading.subscribe("t", QoS::AtMostOnce);
    let mut heir = Client::connect(&broker, v5("heir"));
    heir.subscribe("stalled", QoS::AtMostOnce);
    let leaving = Connect {
        will: Some(will("stalled", "gone")),
        ..v5("stalled")
    };
    let mut stalled = Client::connect(&broker, leaving);
    stalled.subscribe("t", QoS::AtMostOnce);
    let mut sender = Client::connect(&broker, v5("sender"));
    let payload = vec![b'x'; 64 << 10];
    // Enough for the buffers of both ends of the stalled connection, and then some.
    for _ in 0..400 {
        sender.publish("t", &payload, QoS::AtLeastOnce);
        assert_eq!(reading.receive().payload.len(), payload.len());
    }
    assert_eq!(heir.receive().brief(), ("stalled", "gone"));
}
