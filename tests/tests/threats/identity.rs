//! Classes 5 to 8, where they are about who somebody is: wills, sessions, rights.

use std::num::NonZeroU16;

use bytes::BytesMut;
use hookwire_protocol::{
    Connack, Connect, ConnectReason, Packet, PublishReason, PublishTopic, Pubrec, SubscribeReason, TopicName,
    Version,
};
use hookwire_tests::{Broker, Client, QoS, bundled, publish, v5, will};

use super::Oracle;

/// A will with a property that a will may not have, again and again.
#[test]
fn a_bad_will_leaves_nothing_behind() {
    let broker = Broker::start("");
    let oracle = Oracle::watch(&broker, "5.3");
    let mut connect = v5("bad will");
    connect.will = Some(will("will", "gone"));
    let mut bytes = BytesMut::new();
    hookwire_protocol::encode(&Packet::Connect(Box::new(connect)), Version::V5, &mut bytes);
    // The will's properties are empty; a topic alias takes their place.
    let at = bytes
        .windows(5)
        .position(|part| part == b"\0\0\x04wi")
        .expect("no properties");
    bytes[at] = 3;
    for (place, byte) in [0x23, 0, 1].into_iter().enumerate() {
        let mut longer = bytes.split_off(at + 1 + place);
        bytes.extend_from_slice(&[byte]);
        bytes.unsplit(std::mem::take(&mut longer));
    }
    bytes[1] += 3;
    for _ in 0..2000 {
        let mut client = Client::open(&broker, Version::V5);
        client.send_bytes(&bytes);
        let connack: Connack = client.expect();
        assert_eq!(connack.reason, ConnectReason::MalformedPacket);
    }
    oracle.conclude();
}

#[test]
fn a_message_sent_a_hundred_thousand_times_is_one_message() {
    let broker = Broker::start("");
    let oracle = Oracle::watch(&broker, "6.2");
    let mut listener = Client::connect(&broker, v5("once"));
    listener.subscribe("once", QoS::ExactlyOnce);
    let mut sender = Client::connect(&broker, v5("stubborn"));
    let mut packet = publish("once", "x", QoS::ExactlyOnce, 7);
    for _ in 0..1000 {
        for _ in 0..100 {
            sender.send(Packet::Publish(packet.clone()));
            packet.dup = true;
        }
        for _ in 0..100 {
            sender.expect::<Pubrec>();
        }
    }
    assert_eq!(listener.receive().payload, "x");
    listener.expect_nothing();
    assert!(oracle.grown() < 32 << 20, "{}", oracle.grown());
    sender.disconnect();
    listener.disconnect();
    oracle.conclude();
}

#[test]
fn ids_that_look_like_paths_or_keys_are_just_ids() {
    let broker = Broker::start("");
    let ids = [
        "../../x",
        "a/b",
        "a",
        "%2e",
        "session:1",
        "\u{1}",
        "hookwire-0",
        " ",
        "A",
    ];
    let clients: Vec<_> = ids
        .iter()
        .map(|id| {
            let mut connect = v5(id);
            connect.clean_start = false;
            connect.properties.session_expiry_interval = Some(60);
            let client = Client::connect(&broker, connect);
            assert!(!client.connack().session_present, "{id:?} is nobody else's");
            client
        })
        .collect();
    for mut client in clients {
        client.expect_nothing();
    }
}

#[test]
fn of_fifty_connections_with_one_id_one_is_left() {
    let broker = Broker::start("[takeover]\nfight_after = 1000\n");
    let oracle = Oracle::watch(&broker, "7.5");
    let connect = Connect {
        clean_start: false,
        properties: hookwire_protocol::ConnectProperties {
            session_expiry_interval: Some(60),
            ..Default::default()
        },
        ..v5("contested")
    };
    let mut first = Client::connect(&broker, connect.clone());
    first.subscribe("contested", QoS::AtLeastOnce);
    first.lose();
    let mut sender = Client::connect(&broker, v5("contested by"));
    sender.publish("contested", "kept", QoS::AtLeastOnce);
    let handles: Vec<_> = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..50)
            .map(|_| scope.spawn(|| Client::connect(&broker, connect.clone())))
            .collect();
        racers
            .into_iter()
            .map(|racer| racer.join().expect("every one is admitted"))
            .collect()
    });
    // All but one are told that another took over; that one, and only that one, has the session.
    let mut alive = 0;
    for mut client in handles {
        let mut is_closed = false;
        client.send_if_open(Packet::Pingreq);
        loop {
            match client.next_packet() {
                Some(Packet::Publish(publish)) => client.send_if_open(acknowledgement(&publish)),
                Some(Packet::Pingresp) => break,
                Some(_) => {}
                None => {
                    is_closed = true;
                    break;
                }
            }
        }
        alive += usize::from(!is_closed);
        drop(client);
    }
    assert_eq!(alive, 1);
    sender.disconnect();
    oracle.conclude();
}

fn acknowledgement(publish: &hookwire_protocol::Publish) -> Packet {
    let id = publish.delivery.packet_id().expect("QoS 1");
    Packet::Puback(hookwire_protocol::Puback::new(id, PublishReason::Success))
}

/// Its socket is full, and its task waits for room.
#[test]
fn a_connection_that_is_stuck_can_be_taken_over() {
    let broker = Broker::start("");
    let mut stuck = Client::connect(&broker, v5("stuck"));
    stuck.subscribe("stuck", QoS::AtMostOnce);
    let mut sender = Client::connect(&broker, v5("sticking"));
    for _ in 0..200 {
        sender.send(Packet::Publish(publish(
            "stuck",
            vec![7; 100_000],
            QoS::AtMostOnce,
            1,
        )));
    }
    sender.expect_nothing();
    let mut second = Client::connect(&broker, v5("stuck"));
    second.expect_nothing();
}

fn acl(rules: &str) -> Broker {
    let config = format!("rules = [{rules}]\n");
    Broker::start(&bundled("acl", "grant = { clients = true }", &config))
}

#[test]
fn a_share_opens_no_topic() {
    let broker = acl("{ allow = \"all\", topic = \"open/#\" }");
    let mut client = Client::connect(&broker, v5("sharing"));
    assert_eq!(
        client.try_subscribe("$share/g/secret/#", QoS::AtMostOnce),
        SubscribeReason::NotAuthorized
    );
    assert_eq!(
        client.try_subscribe("$share/g/open/#", QoS::AtMostOnce),
        SubscribeReason::GrantedQos0
    );
}

#[test]
fn an_alias_opens_no_topic() {
    let broker = acl("{ allow = \"all\", topic = \"open/#\" }");
    let mut client = Client::connect(&broker, v5("aliasing"));
    let alias = NonZeroU16::new(1);
    for (topic, reason) in [
        (Some("open/a"), PublishReason::NoMatchingSubscribers),
        (None, PublishReason::NoMatchingSubscribers),
        (Some("secret"), PublishReason::NotAuthorized),
        (None, PublishReason::NotAuthorized),
    ] {
        let id = client.fresh_id().get();
        let mut packet = publish("unused", "x", QoS::AtLeastOnce, id);
        packet.topic = match topic {
            Some(topic) => PublishTopic::Name {
                topic: TopicName::new(topic).expect("a topic"),
                alias,
            },
            None => PublishTopic::Alias(alias.expect("not zero")),
        };
        assert_eq!(client.publish_packet(packet), reason, "{topic:?}");
    }
}
