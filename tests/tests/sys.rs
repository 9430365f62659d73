//! `$SYS`: what the broker tells about itself.

use hookwire_protocol::{Connect, DisconnectReason, PublishReason};
use hookwire_tests::{Broker, Client, QoS, RealClient, guest, plugin, v5, v311};

const FAST: &str = "sys_interval = \"100ms\"\n";

/// Waits until a figure has a value. It is sent what there is, then what changes.
#[track_caller]
fn wait(broker: &Broker, figure: &str, value: &str) {
    let topic = format!("$SYS/broker/{figure}");
    // A client that counts itself as little as it can: one connection, one subscription.
    let mut watcher = Client::connect(broker, v5("watcher"));
    watcher.subscribe(&topic, QoS::AtMostOnce);
    while watcher.receive().payload != value {}
    watcher.disconnect();
}

#[test]
fn figures_tell_what_happened() {
    let broker = Broker::start(FAST);
    let mut here = Client::connect(&broker, v5("here"));
    here.subscribe("t/+", QoS::AtLeastOnce);
    here.subscribe("$share/g/jobs", QoS::AtLeastOnce);
    let mut sender = Client::connect(&broker, v5("sender"));
    for _ in 0..5 {
        sender.publish("t/x", "12345678", QoS::AtLeastOnce);
        here.receive();
    }
    sender.retain("kept", "retained");
    for (figure, value) in [
        ("publish/messages/received", "6"),
        ("publish/bytes/received", "48"),
        ("retained messages/count", "1"),
        ("shared_subscriptions/count", "1"),
        ("subscriptions/count", "3"),
        ("clients/connected", "3"),
        ("clients/total", "3"),
        ("messages/inflight", "0"),
        ("policy/generation", "1"),
    ] {
        wait(&broker, figure, value);
    }
}

#[test]
fn what_waits_and_what_was_lost_is_counted() {
    let broker = Broker::start(&format!("{FAST}[session]\nqueue_messages_max = 2\n"));
    let away = Connect {
        clean_start: false,
        ..v311("away")
    };
    let mut client = Client::connect(&broker, away);
    client.subscribe("t", QoS::AtLeastOnce);
    client.disconnect();
    let mut sender = Client::connect(&broker, v5("sender"));
    for _ in 0..5 {
        sender.publish("t", "x", QoS::AtLeastOnce);
    }
    wait(&broker, "messages/stored", "2");
    wait(&broker, "publish/messages/dropped", "3");
    wait(&broker, "limits/session.queue_messages_max", "3");
    wait(&broker, "clients/disconnected", "1");
}

#[test]
fn it_is_the_brokers_alone() {
    let broker = Broker::start(FAST);
    wait(&broker, "clients/connected", "1");
    let mut client = Client::connect(&broker, v5("c"));
    for filter in ["#", "+/#", "+/broker/uptime"] {
        client.subscribe(filter, QoS::AtMostOnce);
    }
    client.expect_nothing();
    assert_eq!(
        client.publish("$SYS/broker/uptime", "forever", QoS::AtLeastOnce),
        PublishReason::NotAuthorized
    );
    assert_eq!(
        client.retain("$SYS/broker/mine", "x"),
        PublishReason::NotAuthorized
    );
    client.expect_nothing();
}

#[test]
fn it_can_be_turned_off_and_on_while_the_broker_runs() {
    let broker = Broker::start(FAST);
    wait(&broker, "clients/connected", "1");
    broker.edit_config("sys_interval = \"0s\"\n");
    broker.wait_log("settings in force");
    let mut client = Client::connect(&broker, v5("c"));
    client.subscribe("$SYS/broker/version", QoS::AtMostOnce);
    while !client.receive().payload.is_empty() {}
    broker.edit_config(FAST);
    assert!(client.receive().payload.starts_with("hookwire"));
}

#[test]
fn a_plugin_that_fails_can_be_seen() {
    let grants = "grant = { publish = [\"flood/#\"], kv = { bytes = \"64KiB\" } }";
    let behaviour = "behaviour = { on_publish = \"panic\" }";
    let hostile = plugin("trouble", guest("hostile"), grants, behaviour);
    let broker = Broker::start(&format!("{FAST}{hostile}"));
    let mut sender = Client::connect(&broker, v5("sender"));
    for _ in 0..3 {
        sender.publish("t/evil", "", QoS::AtLeastOnce);
    }
    wait(&broker, "plugins/trouble/failures", "3");
    wait(&broker, "plugins/trouble/on-publish/failures/trap", "3");
}

#[test]
fn limits_that_are_reached_can_be_seen() {
    let broker = Broker::start(&format!("{FAST}[limits]\nreceive_maximum = 1\n"));
    let mut sender = Client::connect(&broker, v5("sender"));
    for id in [1, 2] {
        sender.send(hookwire_protocol::Packet::Publish(hookwire_tests::publish(
            "t",
            "x",
            QoS::ExactlyOnce,
            id,
        )));
    }
    sender.expect::<hookwire_protocol::Pubrec>();
    sender.expect_disconnect(DisconnectReason::ReceiveMaximumExceeded);
    wait(&broker, "limits/limits.receive_maximum", "1");
}

#[test]
fn mosquitto_sub_reads_it() {
    let broker = Broker::start(FAST);
    let arguments = [
        "-v",
        "-t",
        "$SYS/broker/version",
        "-t",
        "$SYS/broker/uptime",
        "-C",
        "2",
    ];
    let heard = RealClient::mosquitto(&broker, "mosquitto_sub", &arguments).finish();
    assert!(heard.contains("$SYS/broker/version hookwire version "), "{heard}");
    assert!(heard.contains(" seconds"), "{heard}");
}
