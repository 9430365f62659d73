//! The exchanges of QoS 1 and 2, in both directions, over one connection and over several.

use std::num::NonZeroU16;

use hookwire_protocol::{
    Delivery, DisconnectReason, Packet, PacketId, Puback, Pubcomp, PublishReason, Pubrec, Pubrel,
    PubrelReason, Version,
};
use hookwire_tests::{Client, QoS, publish};

use super::{BROKER, VERSIONS, client, lasting};

fn id(number: u16) -> PacketId {
    PacketId::new(number).expect("not zero")
}

#[test]
fn every_publish_is_answered_as_its_qos_wants() {
    for version in VERSIONS {
        let topic = format!("answered {}", version.as_str());
        let mut listener = Client::connect(&BROKER, client(version, "answered listener"));
        listener.subscribe(&topic, QoS::ExactlyOnce);
        let mut sender = Client::connect(&BROKER, client(version, "answered"));
        sender.send(Packet::Publish(publish(&topic, "0", QoS::AtMostOnce, 1)));
        sender.expect_nothing();
        sender.send(Packet::Publish(publish(&topic, "1", QoS::AtLeastOnce, 65_535)));
        assert_eq!(sender.expect::<Puback>().packet_id, id(65_535));
        sender.send(Packet::Publish(publish(&topic, "2", QoS::ExactlyOnce, 300)));
        assert_eq!(sender.expect::<Pubrec>().packet_id, id(300));
        sender.send(Packet::Pubrel(Pubrel::new(id(300), PubrelReason::Success)));
        let pubcomp: Pubcomp = sender.expect();
        assert_eq!(
            (pubcomp.packet_id, pubcomp.reason),
            (id(300), PubrelReason::Success)
        );
        let first = listener.expect_publish();
        assert_eq!((first.delivery, first.dup), (Delivery::AtMostOnce, false));
        for payload in ["1", "2"] {
            let message = listener.receive();
            assert_eq!((message.payload.as_str(), message.dup), (payload, false));
        }
    }
}

#[test]
fn a_publisher_is_answered_before_it_is_sent_its_own_message() {
    for version in VERSIONS {
        for filter in ["to myself", "$share/me/to myself"] {
            let mut both = Client::connect(&BROKER, client(version, "to myself"));
            both.subscribe(filter, QoS::ExactlyOnce);
            both.send(Packet::Publish(publish("to myself", "1", QoS::AtLeastOnce, 7)));
            assert_eq!(both.expect::<Puback>().packet_id, id(7));
            assert_eq!(both.receive().payload, "1");
            both.send(Packet::Publish(publish("to myself", "2", QoS::ExactlyOnce, 7)));
            assert_eq!(both.expect::<Pubrec>().packet_id, id(7));
            assert_eq!(both.receive().payload, "2");
        }
    }
}

/// After PUBACK and after PUBCOMP an identifier is free: the same one is another message, DUP or not.
#[test]
fn an_identifier_is_free_once_its_exchange_is_over() {
    for version in VERSIONS {
        let topic = format!("free {}", version.as_str());
        let mut listener = Client::connect(&BROKER, client(version, "free listener"));
        listener.subscribe(&topic, QoS::AtMostOnce);
        let mut sender = Client::connect(&BROKER, client(version, "free"));
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            for (payload, dup) in [("1", false), ("2", false), ("3", true)] {
                let mut packet = publish(&topic, payload, qos, 5);
                packet.dup = dup;
                sender.publish_packet(packet);
                assert_eq!(listener.receive().payload, payload);
            }
        }
    }
}

#[test]
fn a_qos_2_message_that_comes_again_is_delivered_once() {
    for version in VERSIONS {
        let topic = format!("once {}", version.as_str());
        let mut listener = Client::connect(&BROKER, client(version, "once listener"));
        listener.subscribe(&topic, QoS::ExactlyOnce);
        let connect = lasting(version, "once");
        let mut sender = Client::connect(&BROKER, connect.clone());
        for dup in [false, true] {
            let mut packet = publish(&topic, "x", QoS::ExactlyOnce, 5);
            packet.dup = dup;
            sender.send(Packet::Publish(packet));
            assert_eq!(sender.expect::<Pubrec>().packet_id, id(5));
        }
        sender.lose();
        let mut back = Client::connect(&BROKER, connect);
        let mut packet = publish(&topic, "x", QoS::ExactlyOnce, 5);
        packet.dup = true;
        back.send(Packet::Publish(packet));
        assert_eq!(back.expect::<Pubrec>().packet_id, id(5));
        back.send(Packet::Pubrel(Pubrel::new(id(5), PubrelReason::Success)));
        assert_eq!(back.expect::<Pubcomp>().packet_id, id(5));
        assert_eq!(listener.receive().payload, "x");
        listener.expect_nothing();
    }
}

#[test]
fn a_refused_qos_2_message_leaves_its_identifier_free() {
    let mut sender = Client::connect(&BROKER, client(Version::V5, "refused 2"));
    for _ in 0..20 {
        let reason = sender.publish_packet(publish("$SYS/x", "x", QoS::ExactlyOnce, 5));
        assert_eq!(reason, PublishReason::NotAuthorized);
    }
    assert!(
        !sender
            .publish_packet(publish("open", "x", QoS::ExactlyOnce, 5))
            .is_error()
    );
}

/// The client does not know whether its PUBREL arrived: it is answered whatever the broker knows of the identifier.
#[test]
fn a_released_message_is_released_again_after_a_reconnect() {
    for version in VERSIONS {
        let connect = lasting(version, "released");
        let mut sender = Client::connect(&BROKER, connect.clone());
        for reason in [PubrelReason::Success, PubrelReason::PacketIdentifierNotFound] {
            if reason == PubrelReason::Success {
                sender.send(Packet::Publish(publish("released", "x", QoS::ExactlyOnce, 9)));
                assert_eq!(sender.expect::<Pubrec>().packet_id, id(9));
            }
            sender.lose();
            sender = Client::connect(&BROKER, connect.clone());
            sender.send(Packet::Pubrel(Pubrel::new(id(9), PubrelReason::Success)));
            let pubcomp: Pubcomp = sender.expect();
            assert_eq!(pubcomp.packet_id, id(9));
            if version == Version::V5 {
                assert_eq!(pubcomp.reason, reason);
            }
        }
    }
}

/// QoS 1 and 2 not acknowledged, one released: all is sent again, in order, under the same identifiers, and only after a
/// reconnect.
#[test]
fn what_is_not_acknowledged_is_sent_again_in_order_after_a_reconnect() {
    for version in VERSIONS {
        let topic = format!("resend {}", version.as_str());
        let connect = lasting(version, "resend");
        let mut listener = Client::connect(&BROKER, connect.clone());
        listener.subscribe(&topic, QoS::ExactlyOnce);
        let mut sender = Client::connect(&BROKER, client(version, "resend by"));
        for (payload, qos) in [
            ("1", QoS::ExactlyOnce),
            ("2", QoS::AtLeastOnce),
            ("3", QoS::ExactlyOnce),
            ("4", QoS::AtLeastOnce),
        ] {
            sender.publish(&topic, payload, qos);
        }
        let packets: Vec<_> = (0..4).map(|_| listener.expect_publish()).collect();
        let ids: Vec<_> = packets
            .iter()
            .filter_map(|packet| packet.delivery.packet_id())
            .collect();
        let mut distinct = ids.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), 4, "no identifier twice");
        // The first is released, the second acknowledged.
        listener.send(Packet::Pubrec(Pubrec::new(ids[0], PublishReason::Success)));
        assert_eq!(listener.expect::<Pubrel>().packet_id, ids[0]);
        listener.send(Packet::Puback(Puback::new(ids[1], PublishReason::Success)));
        listener.expect_nothing();
        listener.lose();

        let mut back = Client::connect(&BROKER, connect);
        assert_eq!(
            back.expect::<Pubrel>().packet_id,
            ids[0],
            "released, not published again"
        );
        for place in [2, 3] {
            let again = back.expect_publish();
            assert!(again.dup);
            assert_eq!(again.delivery, packets[place].delivery);
            assert_eq!(again.payload, packets[place].payload);
            back.acknowledge(again.delivery);
        }
        back.send(Packet::Pubcomp(Pubcomp::new(ids[0], PubrelReason::Success)));
        back.expect_nothing();
        back.disconnect();
    }
}

#[test]
fn what_a_client_refuses_is_not_sent_again() {
    let connect = lasting(Version::V5, "refusing");
    let mut listener = Client::connect(&BROKER, connect.clone());
    listener.subscribe("refusing", QoS::ExactlyOnce);
    let mut sender = Client::connect(&BROKER, client(Version::V5, "refusing by"));
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        sender.publish("refusing", "x", qos);
        let delivery = listener.expect_publish().delivery;
        let reason = PublishReason::QuotaExceeded;
        listener.send(match delivery {
            Delivery::AtLeastOnce(id) => Packet::Puback(Puback::new(id, reason)),
            Delivery::ExactlyOnce(id) => Packet::Pubrec(Pubrec::new(id, reason)),
            Delivery::AtMostOnce => unreachable!("QoS 1 or 2"),
        });
    }
    listener.expect_nothing();
    listener.lose();
    Client::connect(&BROKER, connect).expect_nothing();
}

/// A message of QoS 1 waits for PUBACK; one of QoS 2 for PUBREC, and then for PUBCOMP.
#[test]
fn another_acknowledgement_than_the_one_that_is_waited_for_ends_the_connection() {
    let answer = |packet: &str, id| match packet {
        "PUBACK" => Packet::Puback(Puback::new(id, PublishReason::Success)),
        "PUBREC" => Packet::Pubrec(Pubrec::new(id, PublishReason::Success)),
        _ => Packet::Pubcomp(Pubcomp::new(id, PubrelReason::Success)),
    };
    for version in VERSIONS {
        let topic = format!("another {}", version.as_str());
        let mut sender = Client::connect(&BROKER, client(version, "another by"));
        for (qos, before, wrong) in [
            (QoS::AtLeastOnce, None, "PUBREC"),
            (QoS::AtLeastOnce, None, "PUBCOMP"),
            (QoS::ExactlyOnce, None, "PUBACK"),
            (QoS::ExactlyOnce, None, "PUBCOMP"),
            (QoS::ExactlyOnce, Some("PUBREC"), "PUBACK"),
        ] {
            let mut listener = Client::connect(&BROKER, client(version, "another"));
            listener.subscribe(&topic, QoS::ExactlyOnce);
            sender.publish(&topic, "x", qos);
            let id = listener
                .expect_publish()
                .delivery
                .packet_id()
                .expect("QoS 1 or 2");
            if let Some(before) = before {
                listener.send(answer(before, id));
                listener.expect::<Pubrel>();
            }
            listener.send(answer(wrong, id));
            listener.expect_disconnect(DisconnectReason::ProtocolError);
        }
    }
}

#[test]
fn no_more_is_on_its_way_than_the_receive_maximum_and_other_packets_still_come() {
    let mut connect = client(Version::V5, "quota");
    connect.properties.receive_maximum = NonZeroU16::new(2);
    let mut listener = Client::connect(&BROKER, connect);
    listener.subscribe("quota", QoS::ExactlyOnce);
    let mut sender = Client::connect(&BROKER, client(Version::V5, "quota by"));
    for payload in ["1", "2", "3"] {
        sender.publish("quota", payload, QoS::ExactlyOnce);
    }
    let first = listener.expect_publish();
    let second = listener.expect_publish();
    listener.expect_nothing();
    assert_eq!(
        listener.publish("quota elsewhere", "x", QoS::AtLeastOnce).code(),
        0x10
    );
    listener.subscribe("quota too", QoS::AtMostOnce);
    // PUBREC alone does not make room, PUBCOMP does.
    let id = first.delivery.packet_id().expect("QoS 2");
    listener.send(Packet::Pubrec(Pubrec::new(id, PublishReason::Success)));
    listener.expect::<Pubrel>();
    listener.expect_nothing();
    listener.send(Packet::Pubcomp(Pubcomp::new(id, PubrelReason::Success)));
    let third = listener.expect_publish();
    assert_eq!(third.payload, "3");
    listener.acknowledge(second.delivery);
    listener.acknowledge(third.delivery);
}

#[test]
fn a_client_that_sends_more_than_the_receive_maximum_is_disconnected() {
    let mut sender = Client::connect(&BROKER, client(Version::V5, "too many"));
    let most = sender
        .connack()
        .properties
        .receive_maximum
        .expect("a receive maximum");
    for number in 1..=most.get() {
        sender.send(Packet::Publish(publish(
            "too many",
            "x",
            QoS::ExactlyOnce,
            number,
        )));
        sender.expect::<Pubrec>();
    }
    // Acknowledged ones make room for as many again.
    for number in 1..=most.get() {
        sender.send(Packet::Pubrel(Pubrel::new(id(number), PubrelReason::Success)));
        sender.expect::<Pubcomp>();
    }
    for number in 1..=most.get() {
        sender.send(Packet::Publish(publish(
            "too many",
            "x",
            QoS::ExactlyOnce,
            number,
        )));
        sender.expect::<Pubrec>();
    }
    sender.send(Packet::Publish(publish("too many", "x", QoS::ExactlyOnce, 999)));
    sender.expect_disconnect(DisconnectReason::ReceiveMaximumExceeded);
}

#[test]
fn messages_of_a_publisher_come_in_order() {
    for version in VERSIONS {
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let topic = format!("order {} {}", version.as_str(), qos.as_u8());
            let mut listener = Client::connect(&BROKER, client(version, "order"));
            listener.subscribe(&topic, qos);
            let mut sender = Client::connect(&BROKER, client(version, "order by"));
            for n in 0..50 {
                sender.publish(&topic, n.to_string(), qos);
            }
            let heard: Vec<_> = listener
                .receive_all(50)
                .into_iter()
                .map(|message| message.payload)
                .collect();
            let sent: Vec<_> = (0..50).map(|n| n.to_string()).collect();
            assert_eq!(heard, sent);
        }
    }
}

#[test]
fn acknowledgements_come_in_the_order_of_the_messages() {
    for version in VERSIONS {
        let mut sender = Client::connect(&BROKER, client(version, "ack order"));
        for number in [3, 1, 2] {
            sender.send(Packet::Publish(publish("acks", "x", QoS::AtLeastOnce, number)));
        }
        for number in [3, 1, 2] {
            assert_eq!(sender.expect::<Puback>().packet_id, id(number));
        }
        for number in [6, 4, 5] {
            sender.send(Packet::Publish(publish("acks", "x", QoS::ExactlyOnce, number)));
        }
        for number in [6, 4, 5] {
            assert_eq!(sender.expect::<Pubrec>().packet_id, id(number));
        }
    }
}

#[test]
fn the_dup_flag_of_a_publisher_is_its_own() {
    for version in VERSIONS {
        let topic = format!("dup {}", version.as_str());
        let mut listener = Client::connect(&BROKER, client(version, "dup listener"));
        listener.subscribe(&topic, QoS::ExactlyOnce);
        let mut sender = Client::connect(&BROKER, client(version, "dup"));
        for (number, qos) in [(1, QoS::AtLeastOnce), (2, QoS::ExactlyOnce)] {
            let mut packet = publish(&topic, "x", qos, number);
            packet.dup = true;
            sender.publish_packet(packet);
            assert!(!listener.receive().dup);
        }
    }
}

#[test]
fn a_message_that_was_sent_does_not_expire() {
    let connect = lasting(Version::V5, "sent");
    let mut listener = Client::connect(&BROKER, connect.clone());
    listener.subscribe("sent", QoS::ExactlyOnce);
    let mut sender = Client::connect(&BROKER, client(Version::V5, "sent by"));
    let mut packet = publish("sent", "x", QoS::ExactlyOnce, 1);
    packet.properties.get_or_insert().message_expiry_interval_secs = Some(1);
    sender.publish_packet(packet);
    let first = listener.expect_publish();
    let id = first.delivery.packet_id().expect("QoS 2");
    listener.send(Packet::Pubrec(Pubrec::new(id, PublishReason::Success)));
    listener.expect::<Pubrel>();
    listener.lose();
    super::let_pass(2, "sent");
    let mut back = Client::connect(&BROKER, connect);
    assert_eq!(back.expect::<Pubrel>().packet_id, id);
    back.send(Packet::Pubcomp(Pubcomp::new(id, PubrelReason::Success)));
    back.expect_nothing();
}
