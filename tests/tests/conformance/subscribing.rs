//! SUBSCRIBE, UNSUBSCRIBE, and what they bring.

use std::num::NonZeroU32;

use bytestring::ByteString;
use hookwire_protocol::{
    DisconnectReason, Packet, PacketId, Publish, Suback, Subscribe, SubscribeFilter, SubscribeReason,
    SubscriptionOptions, Unsuback, Unsubscribe, UnsubscribeReason, UserProperties, Version,
};
use hookwire_tests::{Client, QoS, publish};

use super::{BROKER, VERSIONS, client, lasting};

fn subscribe(id: u16, identifier: Option<u32>, filters: &[(&str, QoS)]) -> Packet {
    let filters = filters.iter().map(|&(filter, qos)| SubscribeFilter {
        filter: ByteString::from(filter),
        options: SubscriptionOptions {
            qos,
            ..SubscriptionOptions::default()
        },
    });
    Packet::Subscribe(Subscribe {
        packet_id: PacketId::new(id).expect("not zero"),
        subscription_identifier: identifier.and_then(NonZeroU32::new),
        user_properties: UserProperties::new(),
        filters: filters.collect(),
    })
}

fn unsubscribe(id: u16, filters: &[&str]) -> Packet {
    Packet::Unsubscribe(Unsubscribe {
        packet_id: PacketId::new(id).expect("not zero"),
        user_properties: UserProperties::new(),
        filters: filters.iter().map(|&filter| ByteString::from(filter)).collect(),
    })
}

#[test]
fn a_suback_has_a_reason_for_each_filter_in_order() {
    for version in VERSIONS {
        let mut asker = Client::connect(&BROKER, client(version, "suback"));
        // Correctly formed, but with more levels than there may be.
        let deep = "/".repeat(1000);
        let filters = [
            ("suback/0", QoS::AtMostOnce),
            (&deep, QoS::AtLeastOnce),
            ("suback/1", QoS::AtLeastOnce),
            ("suback/+", QoS::ExactlyOnce),
        ];
        asker.send(subscribe(4711, None, &filters));
        let suback: Suback = asker.expect();
        assert_eq!(suback.packet_id.get(), 4711);
        let bad = match version {
            Version::V5 => SubscribeReason::TopicFilterInvalid,
            _ => SubscribeReason::Unspecified,
        };
        assert_eq!(
            suback.reasons,
            [
                SubscribeReason::GrantedQos0,
                bad,
                SubscribeReason::GrantedQos1,
                SubscribeReason::GrantedQos2
            ]
        );
    }
}

#[test]
fn filters_have_their_wildcards_in_the_right_places() {
    for version in VERSIONS {
        let mut asker = Client::connect(&BROKER, client(version, "filters"));
        for good in ["#", "+", "a/#", "+/a/+", "/", "+/+", "/+", "a//b", "+/#"] {
            assert_eq!(
                asker.try_subscribe(good, QoS::AtMostOnce),
                SubscribeReason::GrantedQos0
            );
        }
        for bad in [
            "a#",
            "a/#/b",
            "#/a",
            "a+",
            "+a",
            "a/b+/c",
            "",
            "$share//a",
            "$share/g",
            "$share/g/",
            "$share/g+/a",
            "$share/#/a",
        ] {
            for request in [
                subscribe(1, None, &[("fine", QoS::AtMostOnce), (bad, QoS::AtMostOnce)]),
                unsubscribe(1, &["fine", bad]),
            ] {
                let mut asker = Client::connect(&BROKER, client(version, "no filters"));
                asker.send(request);
                asker.expect_disconnect(DisconnectReason::MalformedPacket);
            }
        }
    }
}

#[test]
fn the_same_filter_again_replaces_the_subscription() {
    for version in VERSIONS {
        let topic = format!("again {}", version.as_str());
        let mut sender = Client::connect(&BROKER, client(version, "again by"));
        sender.retain(&topic, "kept");
        let mut listener = Client::connect(&BROKER, client(version, "again"));
        for qos in [QoS::AtMostOnce, QoS::ExactlyOnce, QoS::AtLeastOnce] {
            listener.subscribe(&topic, qos);
            assert_eq!(listener.receive().payload, "kept", "sent again");
            sender.publish(&topic, "live", QoS::ExactlyOnce);
            assert_eq!(listener.receive().qos, qos);
            listener.expect_nothing();
        }
    }
}

#[test]
fn messages_have_the_lower_qos_of_the_two() {
    for version in VERSIONS {
        let mut sender = Client::connect(&BROKER, client(version, "lower by"));
        for granted in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let topic = format!("lower {} {}", granted.as_u8(), version.as_str());
            let mut listener = Client::connect(&BROKER, client(version, "lower"));
            listener.subscribe(&topic, granted);
            for published in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
                sender.publish(&topic, "x", published);
                assert_eq!(listener.receive().qos, granted.min(published));
            }
        }
    }
}

fn identifiers(packet: &Publish) -> Vec<u32> {
    let values = packet.properties.values();
    let mut identifiers = values.map_or(Vec::new(), |values| values.subscription_identifiers.clone());
    identifiers.sort_unstable();
    identifiers
}

#[test]
fn overlapping_subscriptions_bring_one_message_with_the_identifiers_of_all() {
    let mut listener = Client::connect(&BROKER, client(Version::V5, "overlap"));
    for (id, identifier, filter, qos) in [
        (1, Some(268_435_455), "overlap/#", QoS::AtMostOnce),
        (2, Some(7), "overlap/+", QoS::AtLeastOnce),
        (3, None, "overlap/a", QoS::ExactlyOnce),
        (4, Some(7), "overlap/a/#", QoS::AtMostOnce),
        (5, Some(9), "other", QoS::AtMostOnce),
    ] {
        listener.send(subscribe(id, identifier, &[(filter, qos)]));
        listener.expect::<Suback>();
    }
    let mut sender = Client::connect(&BROKER, client(Version::V5, "overlap by"));
    sender.publish("overlap/a", "x", QoS::ExactlyOnce);
    let packet = listener.expect_publish();
    assert_eq!(packet.delivery.qos(), QoS::ExactlyOnce);
    let mut once = identifiers(&packet);
    once.dedup();
    assert_eq!(once, [7, 268_435_455]);
    listener.acknowledge(packet.delivery);
    listener.expect_nothing();
}

#[test]
fn no_local_keeps_a_clients_own_messages_from_it() {
    let mut own = Client::connect(&BROKER, client(Version::V5, "own"));
    let options = SubscriptionOptions {
        qos: QoS::AtLeastOnce,
        no_local: true,
        ..SubscriptionOptions::default()
    };
    own.subscribe_with("own", options);
    own.publish("own", "mine", QoS::AtLeastOnce);
    own.expect_nothing();
    let mut other = Client::connect(&BROKER, client(Version::V5, "another"));
    other.publish("own", "another's", QoS::AtLeastOnce);
    assert_eq!(own.receive().payload, "another's");
}

#[test]
fn unsubscribing_is_answered_filter_by_filter() {
    for version in VERSIONS {
        let mut asker = Client::connect(&BROKER, client(version, "unsuback"));
        let [one, two] = ["one", "two"].map(|name| format!("unsuback {} {name}", version.as_str()));
        asker.subscribe(&one, QoS::AtMostOnce);
        asker.subscribe(&format!("{two}/+"), QoS::AtMostOnce);
        asker.send(unsubscribe(
            815,
            &[&one, "never", &format!("{two}/#"), &format!("{two}/+")],
        ));
        let unsuback: Unsuback = asker.expect();
        assert_eq!(unsuback.packet_id.get(), 815);
        if version == Version::V5 {
            use UnsubscribeReason::{NoSubscriptionExisted as None, Success};
            assert_eq!(unsuback.reasons, [Success, None, None, Success]);
        }
        let mut sender = Client::connect(&BROKER, client(version, "unsuback by"));
        sender.publish(&one, "x", QoS::AtLeastOnce);
        sender.publish(&format!("{two}/x"), "x", QoS::AtLeastOnce);
        asker.expect_nothing();
        // Nothing to delete, and an answer all the same.
        asker.send(unsubscribe(816, &["never"]));
        assert_eq!(asker.expect::<Unsuback>().packet_id.get(), 816);
    }
}

#[test]
fn a_delivery_that_has_begun_is_completed_after_unsubscribing() {
    for version in VERSIONS {
        let topic = format!("begun {}", version.as_str());
        let mut listener = Client::connect(&BROKER, lasting(version, "begun"));
        listener.subscribe(&topic, QoS::ExactlyOnce);
        let mut sender = Client::connect(&BROKER, client(version, "begun by"));
        sender.publish(&topic, "1", QoS::ExactlyOnce);
        let begun = listener.expect_publish();
        listener.unsubscribe(&topic);
        sender.publish(&topic, "2", QoS::ExactlyOnce);
        listener.acknowledge(begun.delivery);
        listener.expect_nothing();
    }
}

#[test]
fn a_shared_subscription_respects_what_each_member_was_granted() {
    let mut low = Client::connect(&BROKER, client(Version::V5, "share low"));
    let mut high = Client::connect(&BROKER, client(Version::V5, "share high"));
    low.subscribe("$share/granted/shared", QoS::AtMostOnce);
    high.subscribe("$share/granted/shared", QoS::ExactlyOnce);
    let mut sender = Client::connect(&BROKER, client(Version::V5, "share by"));
    for _ in 0..4 {
        sender.publish("shared", "x", QoS::ExactlyOnce);
    }
    for (member, qos) in [(&mut low, QoS::AtMostOnce), (&mut high, QoS::ExactlyOnce)] {
        for _ in 0..2 {
            assert_eq!(member.receive().qos, qos);
        }
        member.expect_nothing();
    }
}

#[test]
fn a_qos_2_message_stays_with_the_member_that_it_was_sent_to() {
    let connect = lasting(Version::V5, "stays");
    let mut chosen = Client::connect(&BROKER, connect.clone());
    chosen.subscribe("$share/stay/stays", QoS::ExactlyOnce);
    let mut sender = Client::connect(&BROKER, client(Version::V5, "stays by"));
    sender.publish("stays", "x", QoS::ExactlyOnce);
    let first = chosen.expect_publish();
    let mut other = Client::connect(&BROKER, client(Version::V5, "stays other"));
    other.subscribe("$share/stay/stays", QoS::ExactlyOnce);
    chosen.lose();
    other.expect_nothing();
    let mut back = Client::connect(&BROKER, connect);
    let again = back.expect_publish();
    assert_eq!((again.dup, again.delivery), (true, first.delivery));
    back.acknowledge(again.delivery);
    other.expect_nothing();
}

#[test]
fn a_message_that_a_member_refuses_goes_to_nobody_else() {
    let mut refuser = Client::connect(&BROKER, client(Version::V5, "refuses"));
    refuser.subscribe("$share/refuse/refused", QoS::AtLeastOnce);
    let mut sender = Client::connect(&BROKER, client(Version::V5, "refused by"));
    sender.publish("refused", "x", QoS::AtLeastOnce);
    let packet = refuser.expect_publish();
    let mut other = Client::connect(&BROKER, client(Version::V5, "refuses not"));
    other.subscribe("$share/refuse/refused", QoS::AtLeastOnce);
    let id = packet.delivery.packet_id().expect("QoS 1");
    refuser.send(Packet::Puback(hookwire_protocol::Puback::new(
        id,
        hookwire_protocol::PublishReason::ImplementationSpecific,
    )));
    refuser.expect_nothing();
    refuser.disconnect();
    other.expect_nothing();
}

#[test]
fn a_client_publishes_to_no_subscription() {
    let mut sender = Client::connect(&BROKER, client(Version::V5, "to a share"));
    let reason = sender.publish("$share/g/t", "x", QoS::AtLeastOnce);
    assert!(reason.is_error());
    sender.send(Packet::Publish(publish("t", "x", QoS::AtMostOnce, 1)));
    sender.send(Packet::Connect(Box::new(client(Version::V5, "to a share"))));
    sender.expect_disconnect(DisconnectReason::ProtocolError);
}

#[test]
fn several_copies_have_an_identifier_each() {
    let broker = hookwire_tests::Broker::start("[session]\noverlapping_subscriptions = \"each\"\n");
    let mut listener = Client::connect(&broker, hookwire_tests::v5("copies"));
    for (id, identifier, filter) in [
        (1, Some(1), "copies/#"),
        (2, Some(2), "copies/+"),
        (3, None, "copies/a"),
    ] {
        listener.send(subscribe(id, identifier, &[(filter, QoS::AtMostOnce)]));
        listener.expect::<Suback>();
    }
    listener.publish("copies/a", "x", QoS::AtMostOnce);
    let mut copies: Vec<_> = (0..3).map(|_| identifiers(&listener.expect_publish())).collect();
    copies.sort();
    assert_eq!(copies, [vec![], vec![1], vec![2]]);
    listener.expect_nothing();
}

#[test]
fn a_qos_2_message_ends_with_its_members_session() {
    let mut chosen = Client::connect(&BROKER, client(Version::V5, "ends"));
    chosen.subscribe("$share/end/ends", QoS::ExactlyOnce);
    let mut sender = Client::connect(&BROKER, client(Version::V5, "ends by"));
    sender.publish("ends", "x", QoS::ExactlyOnce);
    chosen.expect_publish();
    let mut other = Client::connect(&BROKER, client(Version::V5, "ends other"));
    other.subscribe("$share/end/ends", QoS::ExactlyOnce);
    chosen.disconnect();
    other.expect_nothing();
}
