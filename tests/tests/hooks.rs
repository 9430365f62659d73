//! What each hook can do, with a real plugin in the real broker.

use bytes::Bytes;
use hookwire_protocol::{
    Connect, ConnectReason, DisconnectReason, Packet, Publish, PublishReason, SubscribeReason,
    UnsubscribeReason,
};
use hookwire_tests::{Broker, Client, QoS, guest, plugin, publish, v5, v311, will};

/// The guest of `tests/guests/hooks` with this configuration.
fn hooks(config: &str) -> String {
    let grants = "grant = { clients = true, publish = [\"answer\"] }";
    plugin("hooks", guest("hooks"), grants, config)
}

fn staying(client_id: &str) -> Connect {
    let mut connect = v5(client_id);
    connect.clean_start = false;
    connect.properties.session_expiry_interval = Some(600);
    connect
}

#[test]
fn a_subscription_is_made_as_the_policy_says_and_ended_as_it_was_asked_for() {
    let broker = Broker::start(&hooks(
        "rewrite = { \"news\" = \"tenant/news\" }\nhold = [\"held\"]",
    ));
    let mut sender = Client::connect(&broker, v5("sender"));
    for connect in [v5("five"), v311("three")] {
        let mut client = Client::connect(&broker, connect);
        client.subscribe("news", QoS::AtLeastOnce);
        client.subscribe("held", QoS::AtMostOnce);
        // Events tell of what is kept.
        broker.wait_log("is subscribed to tenant/news");
        sender.publish("news", "not this", QoS::AtLeastOnce);
        sender.publish("tenant/news", "but this", QoS::AtLeastOnce);
        assert_eq!(client.receive().brief(), ("tenant/news", "but this"));
        client.unsubscribe("held");
        client.unsubscribe("news");
        sender.publish("tenant/news", "no more", QoS::AtLeastOnce);
        sender.publish("held", "still", QoS::AtLeastOnce);
        assert_eq!(client.receive().brief(), ("held", "still"));
        client.expect_nothing();
    }
    let mut five = Client::connect(&broker, v5("five"));
    five.subscribe("held", QoS::AtMostOnce);
    assert_eq!(five.unsubscribe("held"), UnsubscribeReason::NotAuthorized);
    assert_eq!(five.unsubscribe("news"), UnsubscribeReason::NoSubscriptionExisted);
}

#[test]
fn a_subscription_can_be_refused_or_come_without_what_is_retained() {
    let broker = Broker::start(&hooks("reject = [\"full\"]\nwithout_retained = [\"quiet\"]"));
    let mut sender = Client::connect(&broker, v5("sender"));
    sender.retain("quiet", "kept");
    sender.retain("loud", "kept");
    for (connect, refused) in [
        (v5("five"), SubscribeReason::QuotaExceeded),
        (v311("three"), SubscribeReason::Unspecified),
    ] {
        let mut client = Client::connect(&broker, connect);
        assert_eq!(client.try_subscribe("full", QoS::AtMostOnce), refused);
        client.subscribe("quiet", QoS::AtMostOnce);
        client.subscribe("loud", QoS::AtMostOnce);
        assert_eq!(client.receive().topic, "loud");
        client.expect_nothing();
    }
}

#[test]
fn each_recipient_gets_its_own_of_every_kind_of_message() {
    let broker = Broker::start(&hooks(
        "personal = [\"mail/#\"]\ndeaf = [\"deaf\"]\nanswers = true",
    ));
    let mut clients: Vec<_> = ["one", "two", "deaf"]
        .into_iter()
        .map(|client_id| {
            let mut client = Client::connect(&broker, staying(client_id));
            client.subscribe("mail/#", QoS::AtLeastOnce);
            client.subscribe("open/#", QoS::AtLeastOnce);
            client
        })
        .collect();
    let mut sender = Client::connect(&broker, v5("sender"));
    sender.publish("mail/x", "live", QoS::AtLeastOnce);
    sender.publish("open/x", "as it is", QoS::AtLeastOnce);
    Client::connect(
        &broker,
        Connect {
            will: Some(will("mail/will", "gone")),
            ..v5("dying")
        },
    )
    .lose();
    for (client, name) in clients.iter_mut().zip(["one", "two"]) {
        assert_eq!(client.receive().payload, format!("live for {name}"));
        assert_eq!(client.receive().payload, "as it is");
        assert_eq!(client.receive().payload, format!("gone for {name}"));
    }
    let mut deaf = clients.pop().expect("the last one");
    assert_eq!(deaf.receive().payload, "as it is");
    deaf.expect_nothing();
    // From memory, and from a queue.
    sender.retain("mail/kept", "kept");
    let mut late = Client::connect(&broker, v5("late"));
    late.subscribe("mail/kept", QoS::AtLeastOnce);
    assert_eq!(late.receive().payload, "kept for late");
    let mut two = clients.pop().expect("the second one");
    assert_eq!(two.receive().payload, "kept for two");
    two.disconnect();
    sender.publish("mail/x", "queued", QoS::AtLeastOnce);
    let mut two = Client::connect(&broker, staying("two"));
    assert_eq!(two.receive().payload, "queued for two");
}

/// As the broker itself counts them.
#[test]
fn many_recipients_are_judged_in_few_calls() {
    let config = format!("sys_interval = \"100ms\"\n{}", hooks("personal = [\"mail\"]"));
    let broker = Broker::start(&config);
    let mut clients: Vec<_> = (0..300)
        .map(|n| {
            let mut client = Client::connect(&broker, v5(&format!("c{n}")));
            client.subscribe("mail", QoS::AtMostOnce);
            client
        })
        .collect();
    let mut sender = Client::connect(&broker, v5("sender"));
    sender.publish("mail", "news", QoS::AtLeastOnce);
    for (n, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.receive().payload, format!("news for c{n}"));
    }
    sender.subscribe("$SYS/broker/plugins/hooks/deliver/#", QoS::AtMostOnce);
    let mut calls = String::new();
    loop {
        let figure = sender.receive();
        match figure.topic.rsplit('/').next() {
            Some("calls") => calls = figure.payload,
            Some("messages") if figure.payload == "300" => break,
            _ => {}
        }
    }
    assert_eq!(calls, "2", "calls for 300 deliveries, of which 256 fit into one");
}

#[test]
fn what_a_plugin_publishes_comes_behind_what_it_was_asked_about() {
    let broker = Broker::start(&hooks("answers = true"));
    let mut listener = Client::connect(&broker, v5("listener"));
    listener.subscribe("#", QoS::AtMostOnce);
    let mut sender = Client::connect(&broker, v5("sender"));
    for round in 0..20 {
        sender.publish("ask", round.to_string(), QoS::AtLeastOnce);
        assert_eq!(listener.receive().brief(), ("ask", round.to_string().as_str()));
        assert_eq!(listener.receive().brief(), ("answer", round.to_string().as_str()));
    }
}

#[test]
fn the_limits_of_a_grant_hold_for_its_client_alone() {
    let broker = Broker::start(
        &("[limits]\nrate_excess = \"disconnect\"\n".to_owned()
            + &hooks(
                "[plugin.config.limits]\nwindow = { receive_maximum = 2 }\nqueue = { queue_messages = 2 }\n\
                 bytes = { queue_bytes = 1000 }\nslow = { messages_per_second = 5 }\nthin = { bytes_per_second = 200 }",
            )),
    );
    let window = Client::connect(&broker, v5("window"));
    let told = window
        .connack()
        .properties
        .receive_maximum
        .map(std::num::NonZero::get);
    assert_eq!(told, Some(2));
    let mut sender = Client::connect(&broker, v5("sender"));
    for (client_id, kept) in [("queue", &["2", "3"][..]), ("bytes", &["0", "1", "2", "3"])] {
        let mut client = Client::connect(&broker, staying(client_id));
        client.subscribe("t", QoS::AtLeastOnce);
        client.disconnect();
        for n in 0..4 {
            sender.publish("t", n.to_string(), QoS::AtLeastOnce);
        }
        let mut client = Client::connect(&broker, staying(client_id));
        let payloads: Vec<_> = client
            .receive_all(kept.len())
            .into_iter()
            .map(|m| m.payload)
            .collect();
        assert_eq!(payloads, kept, "{client_id}");
        client.expect_nothing();
        client.disconnect();
    }
    for client_id in ["slow", "thin"] {
        let mut client = Client::connect(&broker, v5(client_id));
        for n in 0..20 {
            client.send_if_open(Packet::Publish(publish(
                "r",
                "0123456789",
                QoS::AtMostOnce,
                n + 1,
            )));
        }
        client.expect_disconnect(DisconnectReason::MessageRateTooHigh);
    }
    for n in 0..20 {
        sender.send(Packet::Publish(publish(
            "r",
            "0123456789",
            QoS::AtMostOnce,
            n + 1,
        )));
    }
    sender.expect_nothing();
}

#[test]
fn a_client_is_sent_to_another_server() {
    let broker = Broker::start(&hooks("redirect = { \"gone\" = true, \"busy\" = false }"));
    for (client_id, reason) in [
        ("gone", ConnectReason::ServerMoved),
        ("busy", ConnectReason::UseAnotherServer),
    ] {
        let refused = Client::refused(&broker, v5(client_id));
        assert_eq!(refused.reason, reason);
        assert_eq!(
            refused.properties.server_reference.as_deref(),
            Some("other.example:1883")
        );
        assert_eq!(
            Client::refused(&broker, v311(client_id)).reason,
            ConnectReason::ServerUnavailable
        );
        // Both clients, with what MQTT 5 has for it.
        for _ in 0..2 {
            broker.wait_log(&format!("{client_id} was refused: {:#04x}", reason.code()));
        }
    }
}

#[test]
fn plugins_are_told_what_was_taken_and_what_nobody_wanted() {
    let broker = Broker::start(&hooks(""));
    let mut client = Client::connect(&broker, v5("client"));
    assert_eq!(
        client.publish("lonely", "", QoS::AtLeastOnce),
        PublishReason::NoMatchingSubscribers
    );
    assert!(
        broker
            .wait_log("nobody has subscribed")
            .contains("lonely of client")
    );
    client.subscribe("#", QoS::ExactlyOnce);
    for (topic, qos) in [("one", QoS::AtLeastOnce), ("two", QoS::ExactlyOnce)] {
        client.publish(topic, "", qos);
        client.receive();
        assert!(broker.wait_log("has taken").contains(topic));
    }
    // A hook that its plugin has declined for every message is never asked.
    assert_eq!(
        broker.log().count("which was declined"),
        0,
        "{}",
        broker.log().story()
    );
}

#[test]
fn a_qos_2_message_that_is_sent_again_is_judged_once() {
    let broker = Broker::start(&hooks("answers = true"));
    let mut listener = Client::connect(&broker, v5("listener"));
    listener.subscribe("answer", QoS::AtMostOnce);
    let mut sender = Client::connect(&broker, staying("sender"));
    let ask = publish("ask", "once", QoS::ExactlyOnce, 9);
    let again = Publish {
        dup: true,
        payload: Bytes::from_static(b"once"),
        ..ask.clone()
    };
    sender.send(Packet::Publish(ask));
    sender.expect::<hookwire_protocol::Pubrec>();
    sender.send(Packet::Publish(again.clone()));
    sender.expect::<hookwire_protocol::Pubrec>();
    sender.lose();
    let mut sender = Client::connect(&broker, staying("sender"));
    sender.send(Packet::Publish(again));
    sender.expect::<hookwire_protocol::Pubrec>();
    assert_eq!(listener.receive().payload, "once");
    listener.expect_nothing();
}

#[test]
fn a_client_of_mqtt_3_is_cut_off_for_a_rejected_message_if_the_configuration_says_so() {
    let rejecting = "[[plugin]]\nname = \"router\"\nbundled = \"content-router\"\n[plugin.config]\n\
                     rules = [{ topic = \"bad/#\", reject = \"no\" }]\n";
    let broker = Broker::start(rejecting);
    let mut three = Client::connect(&broker, v311("three"));
    assert_eq!(
        three.publish("bad/x", "", QoS::AtLeastOnce),
        PublishReason::Success,
        "it cannot be told"
    );
    three.disconnect();
    broker.edit_config(&format!(
        "[session]\nmqtt_3_rejected = \"disconnect\"\n{rejecting}"
    ));
    broker.wait_log("settings in force");
    let mut three = Client::connect(&broker, v311("three"));
    three.send(Packet::Publish(publish("bad/x", "", QoS::AtMostOnce, 1)));
    three.expect_nothing();
    three.send(Packet::Publish(publish("bad/x", "", QoS::AtLeastOnce, 1)));
    three.expect_closed();
    let mut five = Client::connect(&broker, v5("five"));
    assert!(five.publish("bad/x", "", QoS::AtLeastOnce).is_error());
    five.expect_nothing();
}

/// Whoever opens what a failing plugin should have kept shut is told so.
#[test]
fn a_deciding_hook_that_lets_failures_pass_is_warned_of() {
    let broker = Broker::start(&hooks("").replace(
        "grant = ",
        "on_failure = { authenticate = \"pass\", deliver = \"pass\" }\ngrant = ",
    ));
    let story = broker.log().story();
    assert_eq!(
        broker.log().count("what authenticate would refuse goes through"),
        1,
        "{story}"
    );
    assert_eq!(broker.log().count("would refuse goes through"), 1, "{story}");
}

/// What benches measure is a policy that does something, and the same one by both interfaces.
#[test]
fn a_reader_judges_alike_by_the_batch_and_by_the_typed_interface() {
    for reader in [guest("reader"), guest("reader-typed")] {
        let broker = Broker::start(&plugin("reader", reader, "", ""));
        let mut client = Client::connect(&broker, v5("c"));
        let mut judged =
            |topic: &str, payload: &'static [u8]| client.publish(topic, payload, QoS::AtLeastOnce);
        assert_eq!(judged("a", b"text"), PublishReason::NoMatchingSubscribers);
        assert_eq!(judged("a", b"\x1f\x8b\x08"), PublishReason::NotAuthorized);
        assert_eq!(judged("allowed/a", b""), PublishReason::NoMatchingSubscribers);
        assert_eq!(judged("forbidden/a", b""), PublishReason::NotAuthorized);
    }
}

/// Large messages are asked about by themselves or in a frame, small ones together.
#[test]
fn large_and_small_messages_of_one_run_keep_their_order_and_their_verdicts() {
    let broker = Broker::start(&plugin("reader", guest("reader"), "", ""));
    let mut watcher = Client::connect(&broker, v5("watcher"));
    watcher.subscribe("#", QoS::AtMostOnce);
    let sent: Vec<(String, usize)> = (0..60)
        .map(|number| {
            let folder = if number % 5 == 0 { "forbidden" } else { "allowed" };
            let bytes = if number % 3 == 0 { 16 * 1024 } else { 16 };
            (format!("{folder}/{number}"), bytes)
        })
        .collect();
    let packets = sent.iter().map(|(topic, bytes)| {
        let payload = "x".repeat(*bytes);
        Packet::Publish(publish(topic, payload, QoS::AtMostOnce, 1))
    });
    let mut sender = Client::connect(&broker, v5("sender"));
    sender.send_together(packets);
    let allowed = || sent.iter().filter(|(topic, _)| topic.starts_with("allowed"));
    for (message, (topic, bytes)) in watcher.receive_all(allowed().count()).iter().zip(allowed()) {
        assert_eq!((&*message.topic, message.payload.len()), (&**topic, *bytes));
    }
    watcher.expect_nothing();
}
