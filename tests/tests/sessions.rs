//! Messages on their way, and what is kept for whom.

use std::collections::BTreeSet;
use std::num::{NonZeroU16, NonZeroU32};

use hookwire_protocol::{
    Connect, ConnectProperties, Disconnect, DisconnectReason, Packet, PublishReason, Pubrec, Pubrel,
    PubrelReason, RetainHandling, Subscribe, SubscribeFilter, SubscriptionOptions, UnsubscribeReason, Will,
};
use hookwire_tests::{Broker, Client, QoS, publish, v5, v31, v311, will};

/// A session that outlives its connection.
fn lasting(client_id: &str) -> Connect {
    let properties = ConnectProperties {
        session_expiry_interval: Some(3600),
        ..ConnectProperties::default()
    };
    Connect {
        clean_start: false,
        properties,
        ..v5(client_id)
    }
}

/// The same in MQTT 3.1.1.
fn lasting_311(client_id: &str) -> Connect {
    Connect {
        clean_start: false,
        ..v311(client_id)
    }
}

// ---- routing

#[test]
fn a_message_reaches_nobody_one_or_everybody() {
    let broker = Broker::start("");
    let mut sender = Client::connect(&broker, v5("sender"));
    assert_eq!(
        sender.publish("t", "0", QoS::AtLeastOnce),
        PublishReason::NoMatchingSubscribers
    );
    let mut listeners = Vec::new();
    for count in [1, 50] {
        while listeners.len() < count {
            let name = format!("listener-{}", listeners.len());
            let mut listener = Client::connect(&broker, if count == 1 { v311(&name) } else { v5(&name) });
            listener.subscribe("t", QoS::AtMostOnce);
            listeners.push(listener);
        }
        assert_eq!(
            sender.publish("t", count.to_string(), QoS::AtLeastOnce),
            PublishReason::Success
        );
        for listener in &mut listeners {
            assert_eq!(listener.receive().payload, count.to_string());
            listener.expect_nothing();
        }
    }
}

#[test]
fn the_broker_filters_by_topic() {
    let broker = Broker::start("");
    let topics = ["a", "/a", "a/", "a/b", "a/b/c", "a//c", "A", "b/a", "$a/b"];
    let rows: [(&str, &[&str]); 12] = [
        ("a", &["a"]),
        ("a/", &["a/"]),
        ("/a", &["/a"]),
        ("+", &["a", "A"]),
        ("+/+", &["/a", "a/", "a/b", "b/a"]),
        ("/+", &["/a"]),
        ("a/+", &["a/", "a/b"]),
        ("a/+/c", &["a/b/c", "a//c"]),
        ("a/#", &["a", "a/", "a/b", "a/b/c", "a//c"]),
        ("#", &["a", "/a", "a/", "a/b", "a/b/c", "a//c", "A", "b/a"]),
        ("$a/#", &["$a/b"]),
        ("+/b", &["a/b"]),
    ];
    let mut sender = Client::connect(&broker, v5("sender"));
    let listener = |&(filter, _): &(&str, &[&str])| {
        let mut client = Client::connect(&broker, v5(&format!("listens to {filter}")));
        client.subscribe(filter, QoS::AtMostOnce);
        client
    };
    let mut listeners: Vec<_> = rows.iter().map(listener).collect();
    for topic in topics {
        sender.publish(topic, "", QoS::AtLeastOnce);
    }
    for ((filter, expected), listener) in rows.iter().zip(&mut listeners) {
        let heard: Vec<_> = expected.iter().map(|_| listener.receive().topic).collect();
        assert_eq!(heard, *expected, "{filter}");
        listener.expect_nothing();
    }
}

#[test]
fn overlapping_subscriptions_bring_a_message_once_with_the_highest_qos() {
    let broker = Broker::start("");
    let mut listener = Client::connect(&broker, v5("listener"));
    for (number, (filter, qos)) in [("a/#", QoS::AtMostOnce), ("a/+", QoS::ExactlyOnce)]
        .into_iter()
        .enumerate()
    {
        let packet_id = listener.fresh_id();
        let options = SubscriptionOptions {
            qos,
            ..SubscriptionOptions::default()
        };
        listener.send(Packet::Subscribe(Subscribe {
            packet_id,
            subscription_identifier: NonZeroU32::new(u32::try_from(number).expect("small") + 7),
            user_properties: Vec::new(),
            filters: vec![SubscribeFilter {
                filter: filter.into(),
                options,
            }],
        }));
        listener.expect::<hookwire_protocol::Suback>();
    }
    listener.publish("a/b", "once", QoS::ExactlyOnce);
    let message = listener.receive();
    assert_eq!(
        (message.brief(), message.qos),
        (("a/b", "once"), QoS::ExactlyOnce)
    );
    let ids = message
        .properties
        .values()
        .map(|values| BTreeSet::from_iter(values.subscription_identifiers.clone()));
    assert_eq!(ids, Some(BTreeSet::from([7, 8])));
    listener.expect_nothing();
}

#[test]
fn unsubscribing_ends_the_messages() {
    let broker = Broker::start("");
    let mut client = Client::connect(&broker, v5("c"));
    client.subscribe("a", QoS::AtMostOnce);
    assert_eq!(client.unsubscribe("a"), UnsubscribeReason::Success);
    assert_eq!(client.unsubscribe("a"), UnsubscribeReason::NoSubscriptionExisted);
    client.publish("a", "", QoS::AtLeastOnce);
    client.expect_nothing();
}

#[test]
fn no_local_keeps_a_clients_own_messages_from_it() {
    let broker = Broker::start("");
    let mut client = Client::connect(&broker, v5("c"));
    client.subscribe_with(
        "t",
        SubscriptionOptions {
            no_local: true,
            ..SubscriptionOptions::default()
        },
    );
    client.publish("t", "mine", QoS::AtLeastOnce);
    client.expect_nothing();
    Client::connect(&broker, v5("other")).publish("t", "yours", QoS::AtLeastOnce);
    assert_eq!(client.receive().payload, "yours");
}

#[test]
fn a_shared_subscription_brings_each_message_to_one_member() {
    let broker = Broker::start("");
    let mut members = [v5("one"), v311("two"), v5("three")].map(|connect| {
        let mut member = Client::connect(&broker, connect);
        member.subscribe("$share/team/jobs/#", QoS::AtLeastOnce);
        member
    });
    let mut observer = Client::connect(&broker, v5("observer"));
    observer.subscribe("jobs/#", QoS::AtMostOnce);
    let mut sender = Client::connect(&broker, v5("sender"));
    let sent: BTreeSet<String> = (0..60).map(|number| format!("job {number}")).collect();
    for job in &sent {
        sender.publish("jobs/1", job, QoS::AtLeastOnce);
    }
    let heard: BTreeSet<_> = observer
        .receive_all(60)
        .into_iter()
        .map(|message| message.payload)
        .collect();
    assert_eq!(heard, sent);
    let mut done = Vec::new();
    for member in &mut members {
        member.send(Packet::Pingreq);
        let before = done.len();
        while let Some(Packet::Publish(publish)) = member.next_packet() {
            member.acknowledge(publish.delivery);
            done.push(String::from_utf8_lossy(&publish.payload).into_owned());
        }
        assert!(done.len() > before, "each member gets a share");
    }
    assert_eq!(done.len(), sent.len(), "each job once");
    assert_eq!(BTreeSet::from_iter(done), sent);
}

// ---- quality of service

#[test]
fn every_qos_arrives_at_every_other_with_the_lower_of_the_two() {
    let broker = Broker::start("");
    let levels = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
    for (from, to) in [
        (v5("s"), v5("l")),
        (v311("s"), v5("l")),
        (v5("s"), v311("l")),
        (v31("s"), v31("l")),
    ] {
        let mut sender = Client::connect(&broker, from);
        let mut listener = Client::connect(&broker, to);
        for granted in levels {
            listener.subscribe("t", granted);
            for sent in levels {
                sender.publish("t", "x", sent);
                let message = listener.receive();
                assert_eq!(
                    message.qos,
                    sent.min(granted),
                    "sent with {sent}, granted {granted}"
                );
            }
        }
        listener.expect_nothing();
    }
}

#[test]
fn a_message_sent_twice_with_qos_2_arrives_once() {
    let broker = Broker::start("");
    let mut listener = Client::connect(&broker, v311("listener"));
    listener.subscribe("t", QoS::ExactlyOnce);
    let mut sender = Client::connect(&broker, lasting_311("sender"));
    let mut message = publish("t", "once", QoS::ExactlyOnce, 9);
    sender.send(Packet::Publish(message.clone()));
    let id = sender.expect::<Pubrec>().packet_id;
    // The PUBREC was lost with the connection, as far as the sender knows.
    sender.lose();
    let mut sender = Client::connect(&broker, lasting_311("sender"));
    assert!(sender.connack().session_present);
    message.dup = true;
    sender.send(Packet::Publish(message.clone()));
    sender.send(Packet::Publish(message));
    for _ in 0..2 {
        assert_eq!(sender.expect::<Pubrec>().packet_id, id);
    }
    for reason in [PubrelReason::Success, PubrelReason::Success] {
        sender.send(Packet::Pubrel(Pubrel::new(id, reason)));
        sender.expect::<hookwire_protocol::Pubcomp>();
    }
    assert_eq!(listener.receive().payload, "once");
    listener.expect_nothing();
}

#[test]
fn unacknowledged_messages_are_sent_again_in_order_when_the_client_is_back() {
    let broker = Broker::start("");
    for (name, connect) in [("5", lasting("five")), ("3.1.1", lasting_311("three"))] {
        let mut listener = Client::connect(&broker, connect.clone());
        listener.subscribe("t", QoS::ExactlyOnce);
        let mut sender = Client::connect(&broker, v5("sender"));
        for (number, qos) in [
            QoS::AtLeastOnce,
            QoS::ExactlyOnce,
            QoS::ExactlyOnce,
            QoS::AtLeastOnce,
        ]
        .iter()
        .enumerate()
        {
            sender.publish("t", number.to_string(), *qos);
        }
        let first: Vec<_> = (0..4).map(|_| listener.expect_publish()).collect();
        // Message 1 has come: only its PUBREL is owed. Message 3 is acknowledged.
        let halfway = first[1].delivery.packet_id().expect("QoS 2");
        listener.send(Packet::Pubrec(Pubrec::new(halfway, PublishReason::Success)));
        listener.expect::<Pubrel>();
        listener.acknowledge(first[3].delivery);
        listener.expect_nothing();
        listener.lose();
        let mut listener = Client::connect(&broker, connect);
        assert!(listener.connack().session_present, "{name}");
        for expected in [&first[0], &first[2]] {
            // The PUBREL may stand between them.
            let again: hookwire_protocol::Publish = listener.answer(|_| true);
            assert!(again.dup, "{name}");
            assert_eq!(
                (again.delivery, &again.payload),
                (expected.delivery, &expected.payload),
                "{name}"
            );
        }
        assert_eq!(listener.expect::<Pubrel>().packet_id, halfway, "{name}");
        listener.expect_nothing();
        listener.disconnect();
    }
}

#[test]
fn no_more_is_on_its_way_to_a_client_than_its_receive_maximum() {
    let broker = Broker::start("");
    let properties = ConnectProperties {
        receive_maximum: NonZeroU16::new(2),
        ..ConnectProperties::default()
    };
    let mut slow = Client::connect(
        &broker,
        Connect {
            properties,
            ..v5("slow")
        },
    );
    slow.subscribe("t", QoS::ExactlyOnce);
    let mut sender = Client::connect(&broker, v5("sender"));
    for number in 0..5 {
        sender.publish("t", number.to_string(), QoS::AtLeastOnce);
    }
    let mut unfinished = vec![slow.expect_publish(), slow.expect_publish()];
    for number in 2..5 {
        slow.expect_nothing();
        slow.acknowledge(unfinished.remove(0).delivery);
        unfinished.push(slow.expect_publish());
        assert_eq!(unfinished[1].payload, number.to_string());
    }
    slow.expect_nothing();
}

#[test]
fn messages_of_one_publisher_arrive_in_order() {
    let broker = Broker::start("");
    let mut listener = Client::connect(&broker, v5("listener"));
    listener.subscribe("t", QoS::ExactlyOnce);
    let mut sender = Client::connect(&broker, v311("sender"));
    for number in 0..100 {
        let qos = [QoS::AtLeastOnce, QoS::ExactlyOnce][number % 2];
        sender.publish("t", number.to_string(), qos);
        assert_eq!(listener.receive().payload, number.to_string());
    }
    listener.expect_nothing();
}

// ---- sessions

#[test]
fn a_kept_session_holds_messages_by_their_qos() {
    let broker = Broker::start("");
    for (name, connect) in [("5", lasting("five")), ("3.1.1", lasting_311("three"))] {
        let mut listener = Client::connect(&broker, connect.clone());
        assert!(!listener.connack().session_present, "{name}");
        listener.subscribe("t/#", QoS::ExactlyOnce);
        listener.subscribe("low/#", QoS::AtMostOnce);
        listener.disconnect();
        let mut sender = Client::connect(&broker, v5("sender"));
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            sender.publish("t/1", format!("QoS {qos}"), qos);
            sender.publish("low/1", format!("QoS {qos}"), qos);
        }
        let mut listener = Client::connect(&broker, connect.clone());
        assert!(listener.connack().session_present, "{name}");
        let heard: Vec<_> = listener
            .receive_all(2)
            .into_iter()
            .map(|message| (message.topic, message.payload))
            .collect();
        assert_eq!(
            heard,
            [("t/1".into(), "QoS 1".into()), ("t/1".into(), "QoS 2".into())],
            "{name}"
        );
        listener.expect_nothing();
        // The subscriptions are still there; a clean start ends them.
        sender.publish("low/1", "live", QoS::AtMostOnce);
        assert_eq!(listener.receive().payload, "live", "{name}");
        listener.disconnect();
        let mut fresh = Client::connect(
            &broker,
            Connect {
                clean_start: true,
                ..connect
            },
        );
        assert!(!fresh.connack().session_present, "{name}");
        sender.publish("t/1", "unwanted", QoS::AtLeastOnce);
        fresh.expect_nothing();
    }
}

#[test]
fn a_clean_session_holds_nothing() {
    let broker = Broker::start("");
    for (connect, again) in [
        (v5("five"), lasting("five")),
        (v311("three"), lasting_311("three")),
    ] {
        let mut listener = Client::connect(&broker, connect);
        listener.subscribe("t", QoS::AtLeastOnce);
        listener.disconnect();
        Client::connect(&broker, v5("sender")).publish("t", "missed", QoS::AtLeastOnce);
        let mut listener = Client::connect(&broker, again);
        assert!(!listener.connack().session_present);
        listener.expect_nothing();
    }
}

#[test]
fn a_full_queue_drops_the_oldest_or_the_newest() {
    for (overflow, expected) in [("drop-oldest", ["2", "3"]), ("drop-newest", ["0", "1"])] {
        let broker = Broker::start(&format!(
            "[session]\nqueue_messages_max = 2\nqueue_overflow = \"{overflow}\"\nqueue_qos0 = true\n"
        ));
        let mut listener = Client::connect(&broker, lasting("listener"));
        listener.subscribe("t", QoS::AtLeastOnce);
        listener.disconnect();
        let mut sender = Client::connect(&broker, v5("sender"));
        for (number, qos) in [
            QoS::AtLeastOnce,
            QoS::AtMostOnce,
            QoS::AtMostOnce,
            QoS::AtLeastOnce,
        ]
        .iter()
        .enumerate()
        {
            sender.publish("t", number.to_string(), *qos);
        }
        sender.expect_nothing();
        let mut listener = Client::connect(&broker, lasting("listener"));
        let heard: Vec<_> = listener
            .receive_all(2)
            .into_iter()
            .map(|message| message.payload)
            .collect();
        assert_eq!(heard, expected, "{overflow}");
        listener.expect_nothing();
    }
}

/// The will tells when the session is over: it waits longer than the session lasts, and comes with its end.
#[test]
fn a_session_ends_with_its_expiry() {
    let broker = Broker::start("");
    let mut heir = Client::connect(&broker, v5("heir"));
    heir.subscribe("wills/#", QoS::AtMostOnce);
    let brief = Connect {
        properties: ConnectProperties {
            session_expiry_interval: Some(1),
            ..ConnectProperties::default()
        },
        will: Some(Will {
            delay_interval_secs: 3600,
            ..will("wills/brief", "over")
        }),
        ..lasting("brief")
    };
    Client::connect(&broker, brief.clone()).lose();
    assert_eq!(heir.receive().brief(), ("wills/brief", "over"));
    assert!(!Client::connect(&broker, brief).connack().session_present);
}

#[test]
fn a_disconnect_can_end_the_session_at_once() {
    let broker = Broker::start("");
    let mut client = Client::connect(&broker, lasting("c"));
    let mut goodbye = Disconnect::new(DisconnectReason::NormalDisconnection);
    goodbye.properties.session_expiry_interval = Some(0);
    client.send(Packet::Disconnect(goodbye));
    client.expect_closed();
    assert!(!Client::connect(&broker, lasting("c")).connack().session_present);
}

// ---- one client id, several connections

#[test]
fn the_second_client_with_an_id_throws_the_first_out() {
    let broker = Broker::start("");
    for (old, new) in [
        (v5("same"), v5("same")),
        (v311("same"), v5("same")),
        (v5("same"), v311("same")),
    ] {
        let mut old = Client::connect(&broker, old);
        let mut new = Client::connect(&broker, new);
        old.expect_disconnect(DisconnectReason::SessionTakenOver);
        new.expect_nothing();
    }
}

#[test]
fn a_session_that_is_taken_over_goes_on() {
    let broker = Broker::start("");
    let mut old = Client::connect(&broker, lasting("same"));
    old.subscribe("t", QoS::AtLeastOnce);
    let mut sender = Client::connect(&broker, v5("sender"));
    sender.publish("t", "unacknowledged", QoS::AtLeastOnce);
    old.expect_publish();
    let mut new = Client::connect(&broker, lasting("same"));
    assert!(new.connack().session_present);
    old.expect_disconnect(DisconnectReason::SessionTakenOver);
    let again = new.receive();
    assert_eq!((again.payload.as_str(), again.dup), ("unacknowledged", true));
    sender.publish("t", "next", QoS::AtLeastOnce);
    assert_eq!(new.receive().payload, "next");
    new.expect_nothing();
}

#[test]
fn whoever_is_refused_throws_nobody_out() {
    let broker = Broker::start("[limits]\nqos_max = 1\n");
    let mut present = Client::connect(&broker, v5("same"));
    let loud = Will {
        qos: QoS::ExactlyOnce,
        ..will("w", "")
    };
    Client::refused(
        &broker,
        Connect {
            will: Some(loud),
            ..v5("same")
        },
    );
    present.expect_nothing();
}

/// The back-off is as long as it can be: nobody gets in while the test runs, and the last one who did is left in peace.
#[test]
fn a_fight_for_a_client_id_is_noticed_and_slowed_down() {
    let broker = Broker::start("[takeover]\nfight_after = 3\nbackoff = \"10m\"\nbackoff_max = \"10m\"\n");
    let mut present = Client::connect(&broker, v5("same"));
    for _ in 0..3 {
        let new = Client::connect(&broker, v5("same"));
        present.expect_disconnect(DisconnectReason::SessionTakenOver);
        present = new;
    }
    assert_eq!(broker.log().count("fight"), 0);
    let _waiting = Client::begin(&broker, v5("same"));
    let line = broker.wait_log("fight");
    assert!(line.contains("same") && line.contains("WARN"), "{line}");
    present.expect_nothing();
    // Others are not concerned.
    Client::connect(&broker, v5("other")).disconnect();
}

#[test]
fn a_fight_goes_on_slowly() {
    let broker = Broker::start("[takeover]\nfight_after = 1\nbackoff = \"10ms\"\nbackoff_max = \"20ms\"\n");
    let mut present = Client::connect(&broker, v5("same"));
    for _ in 0..6 {
        let new = Client::connect(&broker, v5("same"));
        present.expect_disconnect(DisconnectReason::SessionTakenOver);
        present = new;
    }
    assert_eq!(broker.log().count("fight"), 1, "told once, not for each round");
    present.expect_nothing();
}

// ---- keep alive

#[test]
fn whoever_is_silent_for_one_and_a_half_keep_alives_is_taken_for_dead() {
    let broker = Broker::start("");
    let mut heir = Client::connect(&broker, v5("heir"));
    heir.subscribe("wills/#", QoS::AtMostOnce);
    let silent = |connect, topic| Connect {
        keep_alive_secs: 1,
        will: Some(will(topic, "dead")),
        ..connect
    };
    let mut five = Client::connect(&broker, silent(v5("five"), "wills/5"));
    let mut three = Client::connect(&broker, silent(v311("three"), "wills/3"));
    let mut patient = Client::connect(&broker, v5("patient"));
    five.expect_disconnect(DisconnectReason::KeepAliveTimeout);
    three.expect_disconnect(DisconnectReason::KeepAliveTimeout);
    let wills: BTreeSet<_> = heir
        .receive_all(2)
        .into_iter()
        .map(|message| message.topic)
        .collect();
    assert_eq!(
        wills,
        BTreeSet::from(["wills/3".to_owned(), "wills/5".to_owned()])
    );
    patient.expect_nothing();
}

/// While one client is silent until it is taken for dead, twice over, another speaks whenever the first is cut off.
#[test]
fn whoever_speaks_is_not_taken_for_dead() {
    let broker = Broker::start("");
    let alive = |id| Connect {
        keep_alive_secs: 2,
        ..v5(id)
    };
    let mut speaking = Client::connect(&broker, alive("speaking"));
    for _ in 0..2 {
        let mut silent = Client::connect(
            &broker,
            Connect {
                keep_alive_secs: 1,
                ..v5("silent")
            },
        );
        silent.expect_disconnect(DisconnectReason::KeepAliveTimeout);
        speaking.expect_nothing();
    }
}

// ---- wills

#[test]
fn a_will_is_sent_when_the_connection_is_lost_and_not_when_it_is_ended() {
    let broker = Broker::start("");
    let mut heir = Client::connect(&broker, v5("heir"));
    heir.subscribe("wills/#", QoS::ExactlyOnce);
    for (name, connect) in [("5", v5("c")), ("3.1.1", v311("c")), ("3.1", v31("c"))] {
        let connect = Connect {
            will: Some(will("wills/c", name)),
            ..connect
        };
        Client::connect(&broker, connect.clone()).disconnect();
        heir.expect_nothing();
        Client::connect(&broker, connect).lose();
        let message = heir.receive();
        assert_eq!(
            (message.brief(), message.qos),
            (("wills/c", name), QoS::AtLeastOnce)
        );
    }
    heir.expect_nothing();
}

#[test]
fn a_client_may_ask_for_its_will() {
    let broker = Broker::start("");
    let mut heir = Client::connect(&broker, v5("heir"));
    heir.subscribe("wills/#", QoS::AtMostOnce);
    let mut client = Client::connect(
        &broker,
        Connect {
            will: Some(will("wills/c", "asked")),
            ..v5("c")
        },
    );
    client.send(Packet::Disconnect(Disconnect::new(
        DisconnectReason::DisconnectWithWill,
    )));
    client.expect_closed();
    assert_eq!(heir.receive().payload, "asked");
}

#[test]
fn a_delayed_will_is_taken_back_when_the_client_returns() {
    let broker = Broker::start("");
    let mut heir = Client::connect(&broker, v5("heir"));
    heir.subscribe("wills/#", QoS::AtMostOnce);
    let delayed = |secs, payload| Connect {
        will: Some(Will {
            delay_interval_secs: secs,
            ..will("wills/c", payload)
        }),
        ..lasting("c")
    };
    Client::connect(&broker, delayed(3600, "taken back")).lose();
    Client::connect(&broker, delayed(1, "late")).lose();
    assert_eq!(heir.receive().payload, "late");
    heir.expect_nothing();
}

#[test]
fn a_client_that_is_thrown_out_leaves_its_will() {
    let broker = Broker::start("");
    let mut heir = Client::connect(&broker, v5("heir"));
    heir.subscribe("wills/#", QoS::AtMostOnce);
    let _old = Client::connect(
        &broker,
        Connect {
            will: Some(will("wills/c", "thrown out")),
            ..v5("c")
        },
    );
    let _new = Client::connect(&broker, v5("c"));
    assert_eq!(heir.receive().payload, "thrown out");
}

#[test]
fn a_will_can_be_retained() {
    let broker = Broker::start("");
    let mut heir = Client::connect(&broker, v5("heir"));
    heir.subscribe("wills/#", QoS::AtMostOnce);
    Client::connect(
        &broker,
        Connect {
            will: Some(Will {
                retain: true,
                ..will("wills/c", "gone")
            }),
            ..v5("c")
        },
    )
    .lose();
    assert!(!heir.receive().retain);
    let mut late = Client::connect(&broker, v5("late"));
    late.subscribe("wills/#", QoS::AtMostOnce);
    let message = late.receive();
    assert_eq!((message.brief(), message.retain), (("wills/c", "gone"), true));
}

// ---- retained messages

#[test]
fn a_retained_message_waits_for_new_subscribers() {
    let broker = Broker::start("");
    let mut sender = Client::connect(&broker, v5("sender"));
    let mut early = Client::connect(&broker, v311("early"));
    early.subscribe("t/#", QoS::AtLeastOnce);
    sender.retain("t/1", "old");
    sender.retain("t/1", "new");
    sender.retain("t/2", "deleted");
    sender.retain("t/2", "");
    // For those who are there already it is a message like any other.
    let heard: Vec<_> = early
        .receive_all(4)
        .into_iter()
        .map(|message| (message.payload, message.retain))
        .collect();
    assert_eq!(
        heard,
        ["old", "new", "deleted", ""].map(|payload| (payload.to_owned(), false))
    );
    for connect in [v5("late"), v311("late-311"), v31("late-31")] {
        let mut late = Client::connect(&broker, connect);
        late.subscribe("t/+", QoS::AtLeastOnce);
        let message = late.receive();
        assert_eq!((message.brief(), message.retain), (("t/1", "new"), true));
        late.expect_nothing();
    }
}

#[test]
fn a_subscription_says_which_retained_messages_it_wants() {
    let broker = Broker::start("");
    let mut client = Client::connect(&broker, v5("c"));
    client.retain("t", "kept");
    let options = |retain_handling| SubscriptionOptions {
        retain_handling,
        ..SubscriptionOptions::default()
    };
    client.subscribe_with("t", options(RetainHandling::DoNotSend));
    client.expect_nothing();
    client.subscribe_with("t", options(RetainHandling::SendIfNew));
    client.expect_nothing();
    client.unsubscribe("t");
    client.subscribe_with("t", options(RetainHandling::SendIfNew));
    assert_eq!(client.receive().payload, "kept");
    client.subscribe_with("t", options(RetainHandling::SendAtSubscribe));
    assert_eq!(client.receive().payload, "kept");
    // A shared subscription brings none.
    client.subscribe("$share/g/t", QoS::AtMostOnce);
    client.expect_nothing();
}

#[test]
fn the_retain_flag_can_be_kept_as_published() {
    let broker = Broker::start("");
    let mut client = Client::connect(&broker, v5("c"));
    client.subscribe_with(
        "t",
        SubscriptionOptions {
            retain_as_published: true,
            ..SubscriptionOptions::default()
        },
    );
    client.retain("t", "1");
    assert!(client.receive().retain);
    client.publish("t", "2", QoS::AtMostOnce);
    assert!(!client.receive().retain);
}

/// The two connections are served by two tasks: which of them runs first must not matter.
#[test]
fn what_a_client_says_before_it_reconnects_counts() {
    let broker = Broker::start("[takeover]\nfight_after = 1000\n");
    for round in 0..100 {
        let mut client = Client::connect(&broker, lasting("hasty"));
        assert!(!client.connack().session_present, "round {round}");
        let mut goodbye = Disconnect::new(DisconnectReason::NormalDisconnection);
        goodbye.properties.session_expiry_interval = Some(0);
        client.send(Packet::Disconnect(goodbye));
        client.lose();
    }
}
