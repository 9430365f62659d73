//! CONNECT and CONNACK.

use std::num::NonZeroU32;

use hookwire_protocol::{Connack, Connect, ConnectReason, DisconnectReason, Packet, Version};
use hookwire_tests::{Broker, Client, QoS, v5, v311, will};

use super::bytes::bytes;
use super::{BROKER, VERSIONS, client, lasting};

/// What is wrong with a CONNECT, and the CONNECT in MQTT 5 and in 3.1.1.
type Row = (
    &'static str,
    Option<(&'static str, ConnectReason)>,
    Option<&'static str>,
);

/// In 5 the CONNACK says what is wrong, in 3.1.1 there is none.
fn are_refused(rows: &[Row]) {
    for (what, v5, v3) in rows {
        if let Some((packet, reason)) = v5 {
            let mut client = Client::open(&BROKER, Version::V5);
            client.send_bytes(&bytes(packet));
            let connack: Connack = client.expect();
            assert_eq!(connack.reason, *reason, "{what}, 5");
            assert!(!connack.session_present, "{what}");
            client.expect_closed();
        }
        if let Some(packet) = v3 {
            let mut client = Client::open(&BROKER, Version::V3_1_1);
            client.send_bytes(&bytes(packet));
            assert_eq!(client.hear_out(), [], "{what}, 3.1.1");
        }
    }
}

const MALFORMED: ConnectReason = ConnectReason::MalformedPacket;

#[test]
fn flags_and_fields_belong_together() {
    are_refused(&[
        (
            "the reserved flag",
            Some(("10 0E 0004'MQTT' 05 03 003C 00 0001'r'", MALFORMED)),
            Some("10 0D 0004'MQTT' 04 03 003C 0001'r'"),
        ),
        (
            "will QoS without a will",
            Some(("10 0E 0004'MQTT' 05 0A 003C 00 0001'r'", MALFORMED)),
            Some("10 0D 0004'MQTT' 04 0A 003C 0001'r'"),
        ),
        (
            "will retain without a will",
            Some(("10 0E 0004'MQTT' 05 22 003C 00 0001'r'", MALFORMED)),
            Some("10 0D 0004'MQTT' 04 22 003C 0001'r'"),
        ),
        (
            "will QoS 3",
            Some((
                "10 15 0004'MQTT' 05 1E 003C 00 0001'r' 00 0001'w' 0001'x'",
                MALFORMED,
            )),
            Some("10 13 0004'MQTT' 04 1E 003C 0001'r' 0001'w' 0001'x'"),
        ),
        (
            "a will flag without a will",
            Some(("10 0E 0004'MQTT' 05 06 003C 00 0001'r'", MALFORMED)),
            Some("10 0D 0004'MQTT' 04 06 003C 0001'r'"),
        ),
        (
            "a user name without its flag",
            Some(("10 11 0004'MQTT' 05 02 003C 00 0001'r' 0001'u'", MALFORMED)),
            Some("10 10 0004'MQTT' 04 02 003C 0001'r' 0001'u'"),
        ),
        (
            "the flag without a user name",
            Some(("10 0E 0004'MQTT' 05 82 003C 00 0001'r'", MALFORMED)),
            Some("10 0D 0004'MQTT' 04 82 003C 0001'r'"),
        ),
        (
            "a password without its flag",
            Some((
                "10 14 0004'MQTT' 05 82 003C 00 0001'r' 0001'u' 0001'p'",
                MALFORMED,
            )),
            Some("10 13 0004'MQTT' 04 82 003C 0001'r' 0001'u' 0001'p'"),
        ),
        (
            "the flag without a password",
            Some(("10 11 0004'MQTT' 05 C2 003C 00 0001'r' 0001'u'", MALFORMED)),
            Some("10 10 0004'MQTT' 04 C2 003C 0001'r' 0001'u'"),
        ),
        (
            "a password without a user name, before 5",
            None,
            Some("10 10 0004'MQTT' 04 42 003C 0001'r' 0001'p'"),
        ),
        (
            "no client id",
            Some(("10 0B 0004'MQTT' 05 02 003C 00", MALFORMED)),
            Some("10 0A 0004'MQTT' 04 02 003C"),
        ),
    ]);
}

#[test]
fn strings_are_well_formed() {
    are_refused(&[
        (
            "client id",
            Some(("10 0E 0004'MQTT' 05 02 003C 00 0001FF", MALFORMED)),
            Some("10 0D 0004'MQTT' 04 02 003C 0001FF"),
        ),
        (
            "will topic",
            Some((
                "10 15 0004'MQTT' 05 06 003C 00 0001'r' 00 0001FF 0001'x'",
                MALFORMED,
            )),
            Some("10 13 0004'MQTT' 04 06 003C 0001'r' 0001FF 0001'x'"),
        ),
        (
            "user name",
            Some(("10 11 0004'MQTT' 05 82 003C 00 0001'r' 0001FF", MALFORMED)),
            Some("10 10 0004'MQTT' 04 82 003C 0001'r' 0001FF"),
        ),
    ]);
}

/// Where the version can be told, the client is answered in it.
#[test]
fn unknown_protocols_are_refused() {
    for (packet, said) in [
        ("10 0D 0004'MQTT' 06 02 003C 00 0000", "20 03 00 84 00"),
        ("10 0C 0004'MQTT' 03 02 003C 0000", "20 02 00 01"),
        ("10 0E 0006'MQIsdp' 05 02 003C 0000", "20 02 00 01"),
    ] {
        let mut client = Client::open(&BROKER, Version::V5);
        client.send_bytes(&bytes(packet));
        assert_eq!(client.hear_out(), bytes(said), "{packet}");
    }
    let mut stranger = Client::open(&BROKER, Version::V5);
    stranger.send_bytes(&bytes("10 0D 0004'HTTP' 05 02 003C 00 0000"));
    let heard = stranger.hear_out();
    assert!(heard.first().is_none_or(|first| *first == 0x20), "{heard:?}");
    assert_ne!(heard.get(3), Some(&0), "not admitted");
}

/// The very bytes: reserved bits are 0, and nothing stands before it.
#[test]
fn connack_comes_first() {
    let mut client = Client::open(&BROKER, Version::V3_1_1);
    client.send_bytes(&bytes("10 11 0004'MQTT' 04 02 0000 0005'first' C000"));
    client.send_bytes(&bytes("E0 00"));
    assert_eq!(client.hear_out(), bytes("20 02 00 00 D0 00"));
    for version in VERSIONS {
        let mut client = Client::connect(&BROKER, super::client(version, "one connack"));
        client.expect_nothing();
    }
}

#[test]
fn session_present_says_whether_there_was_one() {
    for version in VERSIONS {
        let connect = lasting(version, "present");
        let first = Client::connect(&BROKER, connect.clone());
        assert!(!first.connack().session_present);
        first.disconnect();
        let second = Client::connect(&BROKER, connect.clone());
        assert!(second.connack().session_present);
        second.disconnect();
        let clean = Client::connect(
            &BROKER,
            Connect {
                clean_start: true,
                ..connect.clone()
            },
        );
        assert!(!clean.connack().session_present);
        clean.disconnect();
    }
}

#[test]
fn client_ids_of_23_letters_and_digits_are_allowed() {
    for version in VERSIONS {
        for name in [
            "0",
            "abcdefghijklmnopqrstuvw",
            "ABCDEFGHIJKLMNOPQRSTUVW",
            "xyzXYZ0123456789",
        ] {
            let mut connect = client(version, "");
            connect.client_id = name.into();
            Client::connect(&BROKER, connect).disconnect();
        }
    }
}

#[test]
fn an_empty_client_id_is_given_a_name() {
    let mut first = Client::connect(&BROKER, v5(""));
    let second = Client::connect(&BROKER, v5(""));
    let name = |client: &Client| client.connack().properties.assigned_client_identifier.clone();
    assert!(name(&first).is_some());
    assert_ne!(name(&first), name(&second));
    first.expect_nothing();
    // MQTT 3.1.1 cannot be told the name, and needs a clean session.
    let mut old = Client::connect(&BROKER, v311(""));
    let other = Client::connect(&BROKER, v311(""));
    old.expect_nothing();
    drop(other);
    let keeping = Connect {
        clean_start: false,
        ..v311("")
    };
    let refusal = Client::refused(&BROKER, keeping);
    assert_eq!(refusal.reason, ConnectReason::ClientIdentifierNotValid);
    assert!(!refusal.session_present);
}

#[test]
fn the_second_connection_of_a_client_ends_the_first() {
    for version in VERSIONS {
        let mut first = Client::connect(&BROKER, client(version, "twice"));
        let mut second = Client::connect(&BROKER, client(version, "twice"));
        first.expect_disconnect(DisconnectReason::SessionTakenOver);
        second.expect_nothing();
    }
}

/// Nothing that a refused client has sent behind its CONNECT has any effect.
#[test]
fn a_refused_client_is_not_heard() {
    for version in VERSIONS {
        let topic = format!("refused {}", version.as_str());
        let mut listener = Client::connect(&BROKER, client(version, "refused listener"));
        listener.subscribe(&topic, QoS::AtMostOnce);
        let mut refused = Client::open(&BROKER, version);
        let mut connect = client(version, &"x".repeat(300));
        connect.will = Some(will(&topic, "will"));
        let mut sent = ::bytes::BytesMut::new();
        for packet in [
            Packet::Connect(Box::new(connect)),
            Packet::Publish(hookwire_tests::publish(&topic, "message", QoS::AtMostOnce, 1)),
        ] {
            hookwire_protocol::encode(&packet, version, &mut sent);
        }
        refused.send_bytes(&sent);
        let connack: Connack = refused.expect();
        assert_eq!(connack.reason, ConnectReason::ClientIdentifierNotValid);
        refused.expect_closed();
        listener.expect_nothing();
    }
}

#[test]
fn what_the_broker_does_not_do_is_told_and_refused() {
    let broker = Broker::start("[limits]\nqos_max = 1\nretain_available = false\n");
    let mut client = Client::connect(&broker, v5("c"));
    assert_eq!(client.connack().properties.maximum_qos, Some(QoS::AtLeastOnce));
    assert_eq!(client.connack().properties.retain_available, Some(false));
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let granted = client.try_subscribe("t", qos);
        assert_eq!(
            granted.code(),
            qos.min(QoS::AtLeastOnce).as_u8(),
            "accepted, and lowered"
        );
    }
    let wills = [
        (QoS::ExactlyOnce, false, ConnectReason::QosNotSupported),
        (QoS::AtMostOnce, true, ConnectReason::RetainNotSupported),
    ];
    for (qos, retain, reason) in wills {
        let mut connect = v5("w");
        connect.will = Some(hookwire_protocol::Will {
            qos,
            retain,
            ..will("w", "x")
        });
        assert_eq!(Client::refused(&broker, connect).reason, reason);
    }
    client.send(Packet::Publish(hookwire_tests::publish(
        "t",
        "x",
        QoS::ExactlyOnce,
        1,
    )));
    client.expect_disconnect(DisconnectReason::QosNotSupported);
    let mut client = Client::connect(&broker, v5("c"));
    client.send(Packet::Publish(hookwire_protocol::Publish {
        retain: true,
        ..hookwire_tests::publish("t", "x", QoS::AtMostOnce, 1)
    }));
    client.expect_disconnect(DisconnectReason::RetainNotSupported);
}

#[test]
fn what_would_make_a_connack_too_large_is_left_away() {
    let refuse = "[session]\nsessions_max = 1\n";
    let broker = Broker::start(refuse);
    let _first = Client::connect(&broker, v5("first"));
    for (bytes_max, has_text) in [(None, true), (NonZeroU32::new(20), false)] {
        let mut connect = v5("second");
        connect.properties.request_problem_information = true;
        connect.properties.maximum_packet_size = bytes_max;
        let connack = Client::refused(&broker, connect);
        assert_eq!(connack.reason, ConnectReason::QuotaExceeded);
        assert_eq!(connack.properties.reason_string.is_some(), has_text);
    }
}

/// A CONNACK that admits says what the broker takes; one that refuses is shorter.
#[test]
fn a_client_that_takes_no_connack_is_sent_none() {
    for (bytes_max, said) in [(1, ""), (4, ""), (5, "20 03 00 95 00"), (15, "20 03 00 95 00")] {
        let mut connect = client(Version::V5, "takes nothing");
        connect.properties.maximum_packet_size = NonZeroU32::new(bytes_max);
        let mut client = Client::begin(&BROKER, connect);
        assert_eq!(client.hear_out(), bytes(said), "{bytes_max}");
    }
}

#[test]
fn response_information_is_for_those_who_ask() {
    let broker = Broker::start("[session]\nresponse_information = \"answers/%c/\"\n");
    for (asks, told) in [(false, None), (true, Some("answers/me/"))] {
        let mut connect = v5("me");
        connect.properties.request_response_information = asks;
        let client = Client::connect(&broker, connect);
        let information = client.connack().properties.response_information.clone();
        assert_eq!(information.as_deref(), told);
        client.disconnect();
    }
}

#[test]
fn a_server_keep_alive_is_told_and_without_one_the_clients_holds() {
    let broker = Broker::start("[limits]\nkeep_alive_max = \"60s\"\n");
    for (asked, told) in [(30, None), (600, Some(60)), (0, Some(60))] {
        let mut connect = v5("k");
        connect.keep_alive_secs = asked;
        let client = Client::connect(&broker, connect);
        assert_eq!(client.connack().properties.server_keep_alive, told, "{asked}");
        client.disconnect();
    }
}
