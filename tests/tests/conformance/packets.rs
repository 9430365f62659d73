//! Packets that must not be, each on a connection of its own, which ends for it; and what else they may not do.

use hookwire_protocol::{Disconnect, DisconnectReason, Version};
use hookwire_tests::{Client, QoS};

use super::bytes::bytes;
use super::{BROKER, client};

/// What is wrong; the packet in MQTT 5 and the reason of the DISCONNECT; the packet in MQTT 3.1.1.
struct Row(
    &'static str,
    Option<(&'static str, DisconnectReason)>,
    Option<&'static str>,
);

use DisconnectReason::{
    MalformedPacket as Malformed, ProtocolError, TopicAliasInvalid as AliasInvalid,
    TopicNameInvalid as NameInvalid,
};

fn both(what: &'static str, v5: &'static str, reason: DisconnectReason, v3: &'static str) -> Row {
    Row(what, Some((v5, reason)), Some(v3))
}

fn only_5(what: &'static str, v5: &'static str, reason: DisconnectReason) -> Row {
    Row(what, Some((v5, reason)), None)
}

/// Sends each packet, sees the connection end with the reason, and nobody else harmed.
fn end_their_connection(test: &str, rows: &[Row]) {
    for (place, Row(what, v5, v3)) in rows.iter().enumerate() {
        let packets = [
            v5.map(|(packet, reason)| (Version::V5, packet, reason)),
            v3.map(|packet| (Version::V3_1_1, packet, Malformed)),
        ];
        for (version, packet, reason) in packets.into_iter().flatten() {
            let mut sender = Client::connect(&BROKER, client(version, &format!("{test} {place}")));
            sender.send_bytes(&bytes(packet));
            let heard = sender.hear_out();
            let said = if version == Version::V5 {
                vec![0xE0, 1, reason.code()]
            } else {
                Vec::new()
            };
            assert_eq!(heard, said, "{what}, {}", version.as_str());
        }
    }
    Client::connect(&BROKER, client(Version::V5, &format!("{test} witness"))).disconnect();
}

#[test]
fn strings_are_well_formed_utf_8() {
    end_their_connection(
        "strings",
        &[
            both(
                "overlong or cut short",
                "30 06 0003 61C328 00",
                Malformed,
                "30 05 0003 61C328",
            ),
            both(
                "a surrogate",
                "30 06 0003 EDA080 00",
                Malformed,
                "30 05 0003 EDA080",
            ),
            both(
                "a filter of SUBSCRIBE",
                "82 07 0001 00 0001FF 00",
                Malformed,
                "82 06 0001 0001FF 00",
            ),
            both(
                "a filter of UNSUBSCRIBE",
                "A2 06 0001 00 0001FF",
                Malformed,
                "A2 05 0001 0001FF",
            ),
            only_5("a user property", "30 0B 0001'a' 07 26 0001FF 0001'v'", Malformed),
            only_5("a response topic", "30 08 0001'a' 04 08 0001FF", Malformed),
            only_5("a content type", "30 08 0001'a' 04 03 0001FF", Malformed),
        ],
    );
}

#[test]
fn strings_have_no_null_character() {
    end_their_connection(
        "null",
        &[
            both("a topic", "30 06 0003 610062 00", Malformed, "30 05 0003 610062"),
            both(
                "a filter",
                "82 09 0001 00 0003 610062 00",
                Malformed,
                "82 08 0001 0003 610062 00",
            ),
        ],
    );
}

#[test]
fn lengths_are_written_in_as_few_bytes_as_possible() {
    end_their_connection(
        "lengths",
        &[
            both("five bytes", "30 FFFFFFFF7F", Malformed, "30 FFFFFFFF7F"),
            only_5("of properties, not minimal", "30 05 0001'a' 8000", Malformed),
        ],
    );
}

#[test]
fn reserved_flags_are_as_the_document_says() {
    end_their_connection(
        "flags",
        &[
            both(
                "SUBSCRIBE",
                "80 07 0001 00 0001'a' 00",
                Malformed,
                "80 06 0001 0001'a' 00",
            ),
            both(
                "UNSUBSCRIBE",
                "A0 06 0001 00 0001'a'",
                Malformed,
                "A0 05 0001 0001'a'",
            ),
            both("PUBREL", "60 02 0001", Malformed, "60 02 0001"),
            both("PINGREQ", "C1 00", Malformed, "C1 00"),
            both("DISCONNECT", "E1 00", Malformed, "E1 00"),
            both("PUBACK", "41 02 0001", Malformed, "41 02 0001"),
            only_5("AUTH", "F1 00", Malformed),
        ],
    );
}

#[test]
fn packet_identifiers_are_not_zero() {
    end_their_connection(
        "zero",
        &[
            both(
                "PUBLISH",
                "32 06 0001'a' 0000 00",
                ProtocolError,
                "32 05 0001'a' 0000",
            ),
            both(
                "SUBSCRIBE",
                "82 07 0000 00 0001'a' 00",
                ProtocolError,
                "82 06 0000 0001'a' 00",
            ),
            both(
                "UNSUBSCRIBE",
                "A2 06 0000 00 0001'a'",
                ProtocolError,
                "A2 05 0000 0001'a'",
            ),
        ],
    );
}

#[test]
fn publish_is_what_the_document_allows() {
    end_their_connection(
        "publish",
        &[
            both("QoS 3", "36 06 0001'a' 0001 00", Malformed, "36 05 0001'a' 0001"),
            both("DUP with QoS 0", "38 04 0001'a' 00", Malformed, "38 03 0001'a'"),
            both("no topic", "30 00", Malformed, "30 00"),
            both("an empty topic", "30 03 0000 00", ProtocolError, "30 02 0000"),
            both("a wildcard", "30 04 0001'+' 00", NameInvalid, "30 03 0001'+'"),
            both(
                "another wildcard",
                "30 06 0003'a/#' 00",
                NameInvalid,
                "30 05 0003'a/#'",
            ),
            only_5(
                "a response topic with a wildcard",
                "30 08 0001'a' 04 08 0001'#'",
                NameInvalid,
            ),
            only_5("topic alias 0", "30 07 0001'a' 03 230000", AliasInvalid),
            only_5(
                "a topic alias above the maximum",
                "30 07 0001'a' 03 23FFFF",
                AliasInvalid,
            ),
            only_5(
                "a topic alias that stands for nothing",
                "30 06 0000 03 230001",
                ProtocolError,
            ),
            only_5(
                "a subscription identifier",
                "30 06 0001'a' 02 0B01",
                ProtocolError,
            ),
            only_5("a property twice", "30 08 0001'a' 04 0101 0101", ProtocolError),
            only_5(
                "a property of another packet",
                "30 09 0001'a' 05 1100000001",
                Malformed,
            ),
            only_5("a property that is none", "30 06 0001'a' 02 7F01", Malformed),
        ],
    );
}

#[test]
fn subscribe_is_what_the_document_allows() {
    end_their_connection(
        "subscribe",
        &[
            both("no filter", "82 03 0001 00", ProtocolError, "82 02 0001"),
            both(
                "reserved bits of the options",
                "82 07 0001 00 0001'a' 40",
                Malformed,
                "82 06 0001 0001'a' 04",
            ),
            both(
                "QoS 3",
                "82 07 0001 00 0001'a' 03",
                ProtocolError,
                "82 06 0001 0001'a' 03",
            ),
            both(
                "cut before the options",
                "82 06 0001 00 0001'a'",
                Malformed,
                "82 05 0001 0001'a'",
            ),
            only_5(
                "no local on a shared subscription",
                "82 10 0001 00 000A'$share/g/a' 04",
                ProtocolError,
            ),
            only_5("retain handling 3", "82 07 0001 00 0001'a' 30", ProtocolError),
            only_5(
                "subscription identifier 0",
                "82 09 0001 02 0B00 0001'a' 00",
                ProtocolError,
            ),
        ],
    );
}

#[test]
fn unsubscribe_has_a_filter() {
    end_their_connection(
        "unsubscribe",
        &[both("none", "A2 03 0001 00", ProtocolError, "A2 02 0001")],
    );
}

#[test]
fn reason_codes_are_those_of_the_packet() {
    end_their_connection(
        "reasons",
        &[
            only_5("PUBACK", "40 03 0001 55", Malformed),
            only_5("PUBREC", "50 03 0001 55", Malformed),
            only_5("PUBREL", "62 03 0001 55", Malformed),
            only_5("PUBCOMP", "70 03 0001 55", Malformed),
            only_5("DISCONNECT", "E0 01 55", Malformed),
            only_5("AUTH", "F0 02 55 00", Malformed),
        ],
    );
}

#[test]
fn packets_of_servers_and_reserved_ones_are_not_for_clients() {
    end_their_connection(
        "servers",
        &[
            both("CONNACK", "20 03 000000", ProtocolError, "20 02 0000"),
            both("SUBACK", "90 04 0001 00 00", ProtocolError, "90 03 0001 00"),
            both("UNSUBACK", "B0 04 0001 00 00", ProtocolError, "B0 02 0001"),
            both("CONNACK that is none", "20 01 FF", ProtocolError, "20 01 FF"),
            both(
                "SUBACK with flags",
                "91 04 0001 00 00",
                Malformed,
                "91 03 0001 00",
            ),
            only_5("CONNECT that is none", "10 01 FF", ProtocolError),
            both("PINGRESP", "D0 00", ProtocolError, "D0 00"),
            both("type 0", "00 00", ProtocolError, "00 00"),
            Row("AUTH in MQTT 3.1.1", None, Some("F0 00")),
        ],
    );
}

#[test]
fn the_byte_order_mark_is_a_character_like_others() {
    for version in super::VERSIONS {
        let mut listener = Client::connect(&BROKER, client(version, "bom listener"));
        let topic = format!("\u{FEFF}bom {}", version.as_str());
        listener.subscribe(&topic, QoS::AtMostOnce);
        let mut sender = Client::connect(&BROKER, client(version, "bom sender"));
        sender.publish(topic.trim_start_matches('\u{FEFF}'), "without", QoS::AtLeastOnce);
        sender.publish(&topic, "with", QoS::AtLeastOnce);
        assert_eq!(listener.receive().brief(), (topic.as_str(), "with"));
    }
}

#[test]
fn a_ping_is_answered() {
    for version in super::VERSIONS {
        Client::connect(&BROKER, client(version, "ping")).expect_nothing();
    }
}

/// Nothing that comes behind a DISCONNECT is heard, and the connection is closed.
#[test]
fn disconnect_is_the_last_word() {
    for version in super::VERSIONS {
        let topic = format!("last word {}", version.as_str());
        let mut listener = Client::connect(&BROKER, client(version, "last word listener"));
        listener.subscribe(&topic, QoS::AtMostOnce);
        let mut sender = Client::connect(&BROKER, client(version, "last word"));
        let packet = hookwire_tests::publish(&topic, "too late", QoS::AtMostOnce, 1);
        let mut both = bytes("E0 00");
        let mut late = ::bytes::BytesMut::new();
        hookwire_protocol::encode(&hookwire_protocol::Packet::Publish(packet), version, &mut late);
        both.extend(&late);
        sender.send_bytes(&both);
        sender.expect_closed();
        listener.expect_nothing();
    }
}

/// A session expiry interval is the client's to set; the server's DISCONNECT has none.
#[test]
fn the_servers_disconnect_has_no_session_expiry() {
    let mut first = Client::connect(&BROKER, super::lasting(Version::V5, "no expiry"));
    Client::connect(&BROKER, super::lasting(Version::V5, "no expiry"));
    let disconnect: Disconnect = first.expect();
    assert_eq!(disconnect.reason, DisconnectReason::SessionTakenOver);
    assert_eq!(disconnect.properties.session_expiry_interval, None);
    first.expect_closed();
}
