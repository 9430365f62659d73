//! Class 3, and what strings of class 4 may hold: topics, filters, names.

use std::num::NonZeroU16;

use hookwire_protocol::{
    Packet, PacketId, PublishTopic, Suback, Subscribe, SubscribeFilter, SubscriptionOptions, TopicName,
    UserProperties,
};
use hookwire_tests::{Broker, Client, QoS, publish, v5};

use super::Oracle;

fn subscribe_all(client: &mut Client, filters: &[String]) {
    for (place, chunk) in filters.chunks(200).enumerate() {
        let filters = chunk.iter().map(|filter| SubscribeFilter {
            filter: filter.as_str().into(),
            options: SubscriptionOptions::default(),
        });
        client.send(Packet::Subscribe(Subscribe {
            packet_id: PacketId::new(u16::try_from(place + 1).expect("few chunks")).expect("not zero"),
            subscription_identifier: None,
            user_properties: UserProperties::new(),
            filters: filters.collect(),
        }));
        let suback: Suback = client.answer(|_| true);
        assert!(suback.reasons.iter().all(|reason| !reason.is_error()));
    }
}

/// Each level is a `+` or a name: all match, and none costs the others their time.
#[test]
fn a_forest_of_wildcards_does_not_stop_the_broker() {
    let broker = Broker::start("");
    let oracle = Oracle::watch(&broker, "3.5");
    let filters: Vec<_> = (0..8192_u32)
        .map(|bits| {
            let level = |place: u32| if bits >> place & 1 == 1 { "+" } else { "a" };
            (0..13).map(level).collect::<Vec<_>>().join("/")
        })
        .collect();
    let mut listener = Client::connect(&broker, v5("forest"));
    subscribe_all(&mut listener, &filters);
    let mut sender = Client::connect(&broker, v5("woodcutter"));
    let topic = ["a"; 13].join("/");
    for n in 0..100 {
        sender.publish(&topic, n.to_string(), QoS::AtLeastOnce);
        assert_eq!(
            listener.receive().payload,
            n.to_string(),
            "once, however many match"
        );
    }
    sender.disconnect();
    listener.disconnect();
    oracle.conclude();
}

#[test]
fn one_message_for_a_great_many_subscriptions() {
    let broker = Broker::start("");
    let oracle = Oracle::watch(&broker, "3.6");
    let mut listeners: Vec<_> = (0..50)
        .map(|n| {
            let mut listener = Client::connect(&broker, v5(&format!("overlapping {n}")));
            let filters: Vec<_> = (0..500)
                .map(|k| match k % 3 {
                    0 => format!("wide/+/{k}/#"),
                    1 => format!("wide/x/+/{}", "+/".repeat(k % 7)),
                    _ => format!("wide/{k}/#"),
                })
                .chain(["wide/#".to_owned(), "+/x/#".to_owned(), "wide/+/1".to_owned()])
                .collect();
            subscribe_all(&mut listener, &filters);
            listener
        })
        .collect();
    let mut sender = Client::connect(&broker, v5("wide"));
    sender.publish("wide/x/1", "x", QoS::AtLeastOnce);
    for listener in &mut listeners {
        assert_eq!(listener.receive().payload, "x");
        listener.expect_nothing();
    }
    drop(listeners);
    sender.disconnect();
    oracle.conclude();
}

#[test]
fn subscribing_and_unsubscribing_leaves_nothing_behind() {
    let broker = Broker::start("");
    let oracle = Oracle::watch(&broker, "3.8");
    let mut client = Client::connect(&broker, v5("restless"));
    for _ in 0..20 {
        for n in 0..200 {
            client.subscribe(&format!("restless/{n}/+"), QoS::AtMostOnce);
        }
        for n in 0..200 {
            client.unsubscribe(&format!("restless/{n}/+"));
        }
    }
    assert!(oracle.grown() < 32 << 20, "{}", oracle.grown());
    client.disconnect();
    oracle.conclude();
}

#[test]
fn topics_that_nobody_wants_are_not_remembered() {
    let broker = Broker::start("");
    let oracle = Oracle::watch(&broker, "3.9");
    let mut sender = Client::connect(&broker, v5("talkative"));
    for n in 0..200_000 {
        sender.send(Packet::Publish(publish(
            &format!("nobody/{n}"),
            "x",
            QoS::AtMostOnce,
            1,
        )));
    }
    sender.expect_nothing();
    assert!(oracle.grown() < 32 << 20, "{}", oracle.grown());
    sender.disconnect();
    oracle.conclude();
}

#[test]
fn an_alias_that_is_changed_again_and_again_costs_one_topic() {
    let broker = Broker::start("");
    let oracle = Oracle::watch(&broker, "3.13");
    let mut sender = Client::connect(&broker, v5("fickle"));
    for n in 0..100_000 {
        let mut packet = publish("unused", "x", QoS::AtMostOnce, 1);
        packet.topic = PublishTopic::Name {
            topic: TopicName::new(format!("fickle/{n}")).expect("a topic"),
            alias: NonZeroU16::new(1),
        };
        sender.send(Packet::Publish(packet));
    }
    sender.expect_nothing();
    assert!(oracle.grown() < 32 << 20, "{}", oracle.grown());
    sender.disconnect();
    oracle.conclude();
}

/// Nobody writes lines of the log but the broker.
#[test]
fn names_are_escaped_in_the_log() {
    let broker = Broker::start("log = \"debug\"\n");
    let name = "evil\n2026-01-01 ERROR forged\u{1b}[31m%s\"'";
    let mut client = Client::connect(&broker, v5(name));
    client.expect_nothing();
    client.disconnect();
    broker.wait_log("disconnected");
    let log = broker.log().text();
    assert!(log.contains("evil\\n"), "{log}");
    assert!(
        !log.lines()
            .any(|line| line.starts_with("2026-01-01 ERROR forged"))
    );
    assert!(!log.contains("forged\u{1b}"));
}
