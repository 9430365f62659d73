//! Plugins that do wrong: what each of them ends, which is one call, and what it does not.

use hookwire_protocol::{
    Connect, ConnectReason, DisconnectReason, Packet, Puback, PublishReason, SubscribeReason,
};
use hookwire_tests::{Broker, Client, QoS, Setup, Witness, guest, plugin, publish, v5, v311, will};

/// The guest of `tests/guests/hostile`, which misbehaves where a topic or client id ends with `/evil`. What is huge has 20 MiB: more than
/// an answer may have.
fn hostile(keys: &str, config: &str) -> String {
    let grants = "grant = { publish = [\"flood/#\"], kv = { bytes = \"64KiB\" } }";
    plugin(
        "hostile",
        guest("hostile"),
        &format!("{grants}\n{keys}"),
        &format!("huge_bytes = 20_971_520\n{config}"),
    )
}

/// What goes wrong at on-publish, with what room, and what the log says.
const FAILING: [(&str, &str, &str); 10] = [
    ("loop", "", "CPU time"),
    ("slow", "", "CPU time"),
    ("memory", "deadline = \"5s\"", "memory"),
    ("panic", "", "hostile as asked"),
    ("recursion", "deadline = \"5s\"", "failed: trap"),
    (
        "huge_answer",
        "deadline = \"5s\"\nmemory = \"64MiB\"",
        "invalid-answer",
    ),
    (
        "huge_text",
        "deadline = \"5s\"\nmemory = \"64MiB\"",
        "invalid-answer",
    ),
    (
        "huge_list",
        "deadline = \"5s\"\nmemory = \"64MiB\"",
        "invalid-answer",
    ),
    ("invalid_topic", "", "invalid-answer"),
    (
        "refuse",
        "may = [\"admit\", \"allow\", \"modify\"]",
        "takes `refuse`",
    ),
];

#[test]
fn a_call_that_fails_ends_that_message_only() {
    for (behaviour, keys, said) in FAILING {
        let broker = Broker::start(&hostile(
            keys,
            &format!("behaviour = {{ on_publish = \"{behaviour}\" }}"),
        ));
        let witness = Witness::start(&broker, behaviour);
        let mut listener = Client::connect(&broker, v5("listener"));
        listener.subscribe("t/#", QoS::AtMostOnce);
        let mut sender = Client::connect(&broker, v5("sender"));
        for round in 0..3 {
            let reason = sender.publish("t/evil", "", QoS::AtLeastOnce);
            assert_eq!(
                reason,
                PublishReason::ImplementationSpecific,
                "{behaviour}, round {round}"
            );
            assert_eq!(
                sender.publish("t/good", "1", QoS::AtLeastOnce),
                PublishReason::Success,
                "{behaviour}"
            );
            assert_eq!(
                sender.publish("t/evil", "", QoS::ExactlyOnce),
                PublishReason::ImplementationSpecific
            );
            sender.publish("t/evil", "", QoS::AtMostOnce);
            assert_eq!(
                sender.publish("t/good", "2", QoS::ExactlyOnce),
                PublishReason::Success,
                "{behaviour}"
            );
            assert_eq!(
                [listener.receive().payload, listener.receive().payload],
                ["1", "2"],
                "{behaviour}"
            );
        }
        listener.expect_nothing();
        let line = broker.wait_log("on-publish failed");
        assert!(line.contains("\"hostile\""), "{behaviour}: {line}");
        assert_ne!(
            broker.log().count(said),
            0,
            "{behaviour}: {said:?} is missing in:\n{}",
            broker.log().story()
        );
        witness.finish();
    }
}

/// The same in the midst of others that came in one segment, and so are judged in one call.
#[test]
fn a_call_that_fails_does_not_take_its_neighbours_along() {
    // A million small properties are too much for a call, not for a frame.
    for (behaviour, keys, _) in FAILING.into_iter().filter(|row| row.0 != "huge_list") {
        let broker = Broker::start(&hostile(
            keys,
            &format!("behaviour = {{ on_publish = \"{behaviour}\" }}"),
        ));
        let mut sender = Client::connect(&broker, v5("sender"));
        let reasons = publish_at_once(&mut sender, &["t/a", "t/evil", "t/b", "t/c"]);
        let neighbours = [&reasons[..1], &reasons[2..]].concat();
        assert_eq!(reasons[1], PublishReason::ImplementationSpecific, "{behaviour}");
        // An answer that cannot be read says nothing about any of its messages.
        if !["huge_answer", "huge_text", "invalid_topic"].contains(&behaviour) {
            assert_eq!(
                neighbours,
                [PublishReason::NoMatchingSubscribers; 3],
                "{behaviour}"
            );
        }
        assert!(
            !sender.publish("t/a", "", QoS::AtLeastOnce).is_error(),
            "{behaviour}: later messages pass"
        );
    }
}

#[test]
fn a_frame_that_is_none_fails_the_messages_of_its_batch() {
    for behaviour in ["garbage_frame", "short_frame"] {
        let broker = Broker::start(&hostile(
            "",
            &format!("behaviour = {{ on_publish = \"{behaviour}\" }}"),
        ));
        let witness = Witness::start(&broker, behaviour);
        let mut sender = Client::connect(&broker, v5("sender"));
        let reasons = publish_at_once(&mut sender, &["t/a", "t/evil", "t/b"]);
        assert_eq!(reasons, [PublishReason::ImplementationSpecific; 3], "{behaviour}");
        let reasons = publish_at_once(&mut sender, &["t/a", "t/b", "t/c"]);
        assert_eq!(reasons, [PublishReason::NoMatchingSubscribers; 3], "{behaviour}");
        witness.finish();
    }
}

/// Publishes with QoS 1 in one segment; what the broker answered, in order.
fn publish_at_once(client: &mut Client, topics: &[&str]) -> Vec<PublishReason> {
    let mut bytes = bytes::BytesMut::new();
    for (id, topic) in (100..).zip(topics) {
        let packet = Packet::Publish(publish(topic, "", QoS::AtLeastOnce, id));
        hookwire_protocol::encode(&packet, hookwire_protocol::Version::V5, &mut bytes);
    }
    client.send_bytes(&bytes);
    topics.iter().map(|_| client.expect::<Puback>().reason).collect()
}

#[test]
fn the_configuration_says_what_a_failure_means() {
    let looping = "behaviour = { on_publish = \"panic\" }";
    let broker = Broker::start(&hostile("on_failure = \"pass\"", looping));
    let mut client = Client::connect(&broker, v5("c"));
    client.subscribe("#", QoS::AtMostOnce);
    assert_eq!(
        client.publish("t/evil", "passed", QoS::AtLeastOnce),
        PublishReason::Success
    );
    assert_eq!(client.receive().payload, "passed");

    broker.put_in_force(&hostile("on_failure = \"disconnect\"", looping));
    let mut three = Client::connect(&broker, v311("three"));
    three.send(Packet::Publish(publish("t/evil", "", QoS::AtMostOnce, 1)));
    three.expect_closed();
    client.send(Packet::Publish(publish("t/evil", "", QoS::AtMostOnce, 1)));
    client.expect_disconnect(DisconnectReason::ImplementationSpecific);
}

/// An older client knows no reason codes: it is acknowledged, and the message goes nowhere.
#[test]
fn an_mqtt_3_client_gets_a_plain_acknowledgement() {
    let broker = Broker::start(&hostile("", "behaviour = { on_publish = \"loop\" }"));
    let mut client = Client::connect(&broker, v311("three"));
    client.subscribe("#", QoS::AtMostOnce);
    client.publish("t/evil", "", QoS::AtLeastOnce);
    client.publish("t/evil", "", QoS::ExactlyOnce);
    client.expect_nothing();
    client.publish("t/good", "", QoS::ExactlyOnce);
    assert_eq!(client.receive().topic, "t/good");
}

// ---- floods

#[test]
fn a_flood_of_log_lines_is_cut() {
    let broker = Broker::start(&hostile(
        "deadline = \"20s\"",
        "count = 5000\nbehaviour = { on_publish = \"log_flood\" }",
    ));
    let witness = Witness::start(&broker, "log-flood");
    let mut client = Client::connect(&broker, v5("c"));
    assert!(!client.publish("t/evil", "", QoS::AtLeastOnce).is_error());
    witness.finish();
    // Fifty lines a second, and the call took less than ten.
    assert!(
        (1..=500).contains(&broker.log().count("xxxxxxxx")),
        "{} lines",
        broker.log().count("xxxxxxxx")
    );
}

#[test]
fn a_flood_of_messages_is_cut() {
    let config = "count = 5000\nbehaviour = { on_publish = \"publish_flood\" }";
    let broker = Broker::start(&hostile("deadline = \"20s\"", config));
    let witness = Witness::start(&broker, "publish-flood");
    let mut client = Client::connect(&broker, v5("c"));
    client.subscribe("flood/#", QoS::AtMostOnce);
    client.publish("t/evil", "", QoS::AtLeastOnce);
    assert!(broker.wait_log("published ").contains("published 64 of 5000"));
    client.receive_all(64);
    client.expect_nothing();
    witness.finish();
}

/// A plugin is not asked about what it published itself; two of them would go on for ever.
#[test]
fn plugins_that_answer_each_other_come_to_an_end() {
    let answering = |name: &str| {
        let keys = "grant = { publish = [\"t/#\"], kv = { bytes = \"64KiB\" } }";
        plugin(
            name,
            guest("hostile"),
            keys,
            "behaviour = { on_publish = \"answer\" }",
        )
    };
    let broker = Broker::start(&format!("{}{}", answering("ping"), answering("pong")));
    let witness = Witness::start(&broker, "ping-pong");
    let mut client = Client::connect(&broker, v5("c"));
    client.subscribe("t/evil", QoS::AtMostOnce);
    client.publish("t/evil", "", QoS::AtLeastOnce);
    // Both answer the client, and then one answers the other, eight times each.
    client.receive_all(1 + 2 * 8);
    broker.wait_log("answered no more");
    broker.wait_log("answered no more");
    client.expect_nothing();
    witness.finish();
}

#[test]
fn a_flood_of_keys_is_cut() {
    let config = "count = 5000\nbehaviour = { on_publish = \"kv_flood\" }";
    let broker = Broker::start(&hostile("deadline = \"20s\"", config));
    let mut client = Client::connect(&broker, v5("c"));
    client.publish("t/evil", "", QoS::AtLeastOnce);
    let line = broker.wait_log("wrote ");
    let wrote = line
        .split("wrote ")
        .nth(1)
        .and_then(|rest| rest.split(' ').next())
        .and_then(|n| n.parse().ok());
    assert!(
        matches!(wrote, Some(1..1025)),
        "64 KiB hold less than 1025 values of 64 bytes: {line}"
    );
}

/// What a plugin keeps is its own by its name: a new configuration finds it.
#[test]
fn what_a_plugin_keeps_outlives_its_configuration() {
    let counting = |slow_ms: u32| {
        let config = format!("slow_ms = {slow_ms}\nbehaviour = {{ on_publish = \"count\" }}");
        hostile("deadline = \"5s\"", &config)
    };
    let broker = Broker::start(&counting(1));
    let mut client = Client::connect(&broker, v5("c"));
    client.publish("t/evil", "", QoS::AtLeastOnce);
    assert!(broker.wait_log("counted ").contains("Ok(1)"));
    broker.put_in_force(&counting(2));
    client.publish("t/evil", "", QoS::AtLeastOnce);
    assert!(broker.wait_log("counted ").contains("Ok(2)"));
}

// ---- the other hooks

/// Whatever a plugin makes of a batch of deliveries, it is answered for, and every recipient gets the message as it is.
#[test]
fn a_failing_delivery_policy_lets_messages_be() {
    for behaviour in [
        "loop",
        "memory",
        "panic",
        "recursion",
        "huge_answer",
        "huge_list",
        "invalid_topic",
        "garbage_frame",
        "short_frame",
        "refuse",
    ] {
        let broker = Broker::start(&hostile(
            "deadline = \"1s\"\nmemory = \"64MiB\"\nmay = [\"admit\", \"allow\", \"modify\"]",
            &format!("behaviour = {{ deliver = \"{behaviour}\" }}"),
        ));
        let witness = Witness::start(&broker, behaviour);
        let mut recipients: Vec<_> = (0..3)
            .map(|n| {
                let mut client = Client::connect(&broker, v5(&format!("c{n}")));
                client.subscribe("t/#", QoS::AtMostOnce);
                client
            })
            .collect();
        let mut sender = Client::connect(&broker, v5("sender"));
        for topic in ["t/evil", "t/good"] {
            sender.publish(topic, "x", QoS::AtLeastOnce);
            for client in &mut recipients {
                assert_eq!(client.receive().brief(), (topic, "x"), "{behaviour}");
            }
        }
        witness.finish();
    }
}

#[test]
fn a_failing_subscription_policy_makes_none() {
    for behaviour in ["recursion", "huge_answer", "invalid_topic"] {
        let broker = Broker::start(&hostile(
            "deadline = \"1s\"\nmemory = \"64MiB\"",
            &format!("behaviour = {{ on_subscribe = \"{behaviour}\", on_unsubscribe = \"{behaviour}\" }}"),
        ));
        let mut client = Client::connect(&broker, v5("c"));
        assert_eq!(
            client.try_subscribe("t/evil", QoS::AtMostOnce),
            SubscribeReason::ImplementationSpecific,
            "{behaviour}"
        );
        client.subscribe("t/good", QoS::AtMostOnce);
        assert_eq!(
            client.unsubscribe("t/evil"),
            hookwire_protocol::UnsubscribeReason::NoSubscriptionExisted,
            "{behaviour}: it failed, and there was none"
        );
        client.publish("t/good", "", QoS::AtLeastOnce);
        assert_eq!(client.receive().topic, "t/good");
    }
}

#[test]
fn a_failing_authenticator_admits_nobody_and_harms_nobody() {
    for behaviour in [
        "loop",
        "memory",
        "panic",
        "recursion",
        "huge_answer",
        "huge_text",
        "huge_list",
        "invalid_topic",
    ] {
        let broker = Broker::start(&hostile(
            "deadline_slow = \"500ms\"\nmemory = \"64MiB\"",
            &format!("behaviour = {{ authenticate = \"{behaviour}\" }}"),
        ));
        let witness = Witness::start(&broker, behaviour);
        // A grant that makes no sense is the plugin's fault too, but not a failed call.
        let reasons = [
            ConnectReason::ServerUnavailable,
            ConnectReason::ImplementationSpecific,
        ];
        assert!(
            reasons.contains(&Client::refused(&broker, v5("c/evil")).reason),
            "{behaviour}"
        );
        assert_eq!(
            Client::refused(&broker, v311("c/evil")).reason,
            ConnectReason::ServerUnavailable,
            "{behaviour}"
        );
        Client::connect(&broker, v5("c/good")).disconnect();
        witness.finish();
    }
}

#[test]
fn a_failing_authorizer_denies() {
    for behaviour in ["loop", "memory", "panic", "recursion", "huge_answer"] {
        let broker = Broker::start(&hostile(
            "deadline = \"1s\"\nmemory = \"64MiB\"",
            &format!("behaviour = {{ authorize = \"{behaviour}\" }}"),
        ));
        let witness = Witness::start(&broker, behaviour);
        let mut client = Client::connect(&broker, v5("c"));
        assert_eq!(
            client.try_subscribe("t/evil", QoS::AtMostOnce),
            SubscribeReason::NotAuthorized,
            "{behaviour}"
        );
        assert_eq!(
            client.publish("t/evil", "", QoS::AtLeastOnce),
            PublishReason::NotAuthorized,
            "{behaviour}"
        );
        let reason = Client::refused(
            &broker,
            Connect {
                will: Some(will("t/evil", "")),
                ..v5("w")
            },
        )
        .reason;
        assert_eq!(reason, ConnectReason::NotAuthorized, "{behaviour}");
        client.subscribe("t/good", QoS::AtMostOnce);
        client.publish("t/good", "", QoS::AtLeastOnce);
        assert_eq!(client.receive().topic, "t/good", "{behaviour}");
        witness.finish();
    }
}

#[test]
fn a_failing_router_leaves_the_routes_as_they_are() {
    for behaviour in [
        "loop",
        "memory",
        "panic",
        "recursion",
        "huge_answer",
        "huge_list",
        "invalid_topic",
    ] {
        let broker = Broker::start(&hostile(
            "deadline = \"1s\"\nmemory = \"64MiB\"",
            &format!("behaviour = {{ route = \"{behaviour}\" }}"),
        ));
        let witness = Witness::start(&broker, behaviour);
        let mut client = Client::connect(&broker, v5("c"));
        client.subscribe("t/#", QoS::AtMostOnce);
        client.publish("t/evil", "", QoS::AtLeastOnce);
        assert_eq!(client.receive().topic, "t/evil", "{behaviour}");
        client.expect_nothing();
        witness.finish();
    }
    let broker = Broker::start(&hostile("", "behaviour = { route = \"refuse\" }"));
    let mut client = Client::connect(&broker, v5("c"));
    client.subscribe("t/#", QoS::AtMostOnce);
    client.publish("t/evil", "", QoS::AtLeastOnce);
    client.expect_nothing();
}

#[test]
fn a_failing_will_policy_lets_the_will_be() {
    for behaviour in [
        "loop",
        "memory",
        "panic",
        "recursion",
        "huge_answer",
        "invalid_topic",
    ] {
        let broker = Broker::start(&hostile(
            "deadline = \"1s\"\nmemory = \"64MiB\"",
            &format!("behaviour = {{ on_will = \"{behaviour}\" }}"),
        ));
        let mut heir = Client::connect(&broker, v5("heir"));
        heir.subscribe("t/#", QoS::AtMostOnce);
        Client::connect(
            &broker,
            Connect {
                will: Some(will("t/evil", "gone")),
                ..v5("c")
            },
        )
        .lose();
        assert_eq!(heir.receive().brief(), ("t/evil", "gone"), "{behaviour}");
    }
    let broker = Broker::start(&hostile("", "behaviour = { on_will = \"refuse\" }"));
    let mut heir = Client::connect(&broker, v5("heir"));
    heir.subscribe("t/#", QoS::AtMostOnce);
    for topic in ["t/evil", "t/good"] {
        Client::connect(
            &broker,
            Connect {
                will: Some(will(topic, "gone")),
                ..v5("c")
            },
        )
        .lose();
    }
    assert_eq!(heir.receive().topic, "t/good");
    heir.expect_nothing();
}

#[test]
fn a_failing_observer_is_not_noticed_by_clients() {
    for behaviour in ["loop", "memory", "panic", "recursion"] {
        let broker = Broker::start(&hostile(
            "deadline_slow = \"100ms\"",
            &format!("behaviour = {{ events = \"{behaviour}\" }}"),
        ));
        let witness = Witness::start(&broker, behaviour);
        Client::connect(&broker, v5("c/evil")).disconnect();
        assert!(
            broker.wait_log("events failed: ").contains("hostile"),
            "{behaviour}"
        );
        Client::connect(&broker, v5("c/evil")).disconnect();
        witness.finish();
    }
}

/// Events reach the plugin, and what it publishes in answer reaches clients: one message for each event of the client.
#[test]
fn an_observer_is_told_and_may_publish() {
    let broker = Broker::start(&hostile(
        "",
        "count = 1\nbehaviour = { events = \"publish_flood\" }",
    ));
    let mut listener = Client::connect(&broker, v5("listener"));
    listener.subscribe("flood/#", QoS::AtMostOnce);
    Client::connect(&broker, v5("c/good")).disconnect();
    let client = Client::connect(&broker, v5("c/evil"));
    assert_eq!(listener.receive().topic, "flood/topic", "connected");
    assert_eq!(listener.receive().topic, "flood/topic", "session created");
    client.disconnect();
    assert_eq!(listener.receive().topic, "flood/topic", "disconnected");
}

#[test]
fn failing_ticks_and_ends_hold_nothing_up() {
    for behaviour in ["loop", "panic"] {
        let broker = Broker::start(&hostile(
            "deadline_slow = \"100ms\"",
            &format!("behaviour = {{ tick = \"{behaviour}\", stop = \"{behaviour}\" }}"),
        ));
        let witness = Witness::start(&broker, behaviour);
        assert!(broker.wait_log("tick").contains("hostile"), "{behaviour}");
        broker.put_in_force("# no plugin\n");
        broker.put_in_force(&hostile("", ""));
        witness.finish();
    }
}

// ---- isolation

/// The guest of `tests/guests/std-probe` wants to look at files, sockets and processes: there is nothing that it could look at.
#[test]
fn a_plugin_that_wants_files_or_sockets_does_not_load() {
    let said = Setup::new(&plugin("probe", guest("std-probe"), "deadline = \"1s\"", ""))
        .start_and_fail()
        .text;
    for word in [
        "\"probe\"",
        "wasi:filesystem/",
        "wasi:sockets/tcp@",
        "wasi:sockets/udp@",
        "no files, sockets or processes",
    ] {
        assert!(said.contains(word), "{word:?} is missing in: {said}");
    }
}
