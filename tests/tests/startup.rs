//! How a broker starts, refuses to start, checks its configuration, and stops.

use hookwire_protocol::{DisconnectReason, Packet};
use hookwire_tests::{Client, QoS, Setup, publish, v5, v311};

#[test]
fn without_a_word_only_this_machine_can_connect() {
    let broker = Setup::new("log = \"info\"\n").start();
    assert!(broker.address().ip().is_loopback());
    Client::connect(&broker, v5("anonymous")).disconnect();
}

#[test]
fn a_listener_on_the_network_does_not_start_by_oversight() {
    for address in ["0.0.0.0:0", "[::]:0"] {
        let open = format!("[[listener]]\nname = \"open\"\naddress = \"{address}\"\n");
        let said = Setup::new(&open).start_and_fail().text;
        for words in [
            "\"open\"",
            address,
            "can be reached from other machines",
            "allow_anonymous = true",
        ] {
            assert!(said.contains(words), "{words:?} is missing in: {said}");
        }
        assert!(!said.contains("listening"), "{said}");
        let setup = Setup::new("# nothing\n").argument("--listen").argument(address);
        assert!(
            setup
                .start_and_fail()
                .text
                .contains("can be reached from other machines")
        );
        let broker = Setup::new(&format!("{open}allow_anonymous = true\n")).start();
        broker.terminate();
        assert!(broker.wait_exit().success());
    }
}

#[test]
fn a_listener_may_refuse_anonymous_clients() {
    use hookwire_protocol::ConnectReason;
    let broker =
        Setup::new("[[listener]]\nname = \"shut\"\naddress = \"127.0.0.1:0\"\nallow_anonymous = false\n")
            .start();
    for connect in [v5("a"), v311("b")] {
        assert_eq!(
            Client::refused(&broker, connect).reason,
            ConnectReason::NotAuthorized
        );
    }
}

#[test]
fn an_address_in_use_is_named() {
    let broker = Setup::new("# nothing\n").start();
    let taken = broker.address();
    let said = Setup::new(&format!(
        "[[listener]]\nname = \"second\"\naddress = \"{taken}\"\n"
    ))
    .start_and_fail()
    .text;
    assert!(
        said.contains("\"second\"") && said.contains(&taken.to_string()),
        "{said}"
    );
}

/// A faulty file, and what is said about it: line, key, and what was expected.
const FAULTS: [(&str, &str, &[&str]); 12] = [
    (
        "unknown key",
        "log = \"info\"\nlistner = 1\n",
        &[":2: listner:", "unknown"],
    ),
    (
        "unknown key in a table",
        "[limits]\npacket_size = 1\n",
        &[":2: limits.packet_size:", "unknown"],
    ),
    (
        "wrong type",
        "[limits]\n\npacket_bytes_max = true\n",
        &[":3: limits.packet_bytes_max:", "1MiB", "boolean"],
    ),
    (
        "not a duration",
        "[limits]\nconnect_timeout = \"soon\"\n",
        &[":2: limits.connect_timeout:"],
    ),
    (
        "out of range",
        "[limits]\nreceive_maximum = 0\n",
        &[":2: limits.receive_maximum:", "1"],
    ),
    ("not TOML", "log = \n", &[":1:"]),
    (
        "bad address",
        "[[listener]]\nname = \"a\"\naddress = \"localhost\"\n",
        &[":3: listener.0.address:"],
    ),
    (
        "missing key",
        "[[listener]]\nname = \"a\"\n",
        &[":1: listener.0: address is missing"],
    ),
    (
        "plugin of no kind",
        "[[plugin]]\nname = \"p\"\n",
        &["plugin.0", "path", "bundled"],
    ),
    (
        "missing file",
        "[[plugin]]\nname = \"p\"\npath = \"none.wasm\"\n",
        &["none.wasm"],
    ),
    (
        "missing file of a plugin's configuration",
        "[[plugin]]\nname = \"p\"\nbundled = \"acl\"\n[plugin.config]\nrules = { file = \"none.txt\" }\n",
        &[":5: ", "none.txt"],
    ),
    (
        "bad topic filter",
        "[[plugin]]\nname = \"p\"\nbundled = \"acl\"\ntopics = [\"a/#/b\"]\n",
        &[":4: plugin.0.topics", "a/#/b"],
    ),
];

#[test]
fn a_faulty_configuration_is_refused_with_file_line_and_key() {
    for (name, config, words) in FAULTS {
        let checked = Setup::new(config).check();
        assert!(!checked.success, "{name}: {}", checked.text);
        let said = Setup::new(config).start_and_fail().text;
        for text in [&checked.text, &said] {
            for word in ["hookwire.toml"].iter().chain(words) {
                assert!(text.contains(word), "{name}: {word:?} is missing in: {text}");
            }
        }
    }
}

#[test]
fn every_fault_is_told_at_once() {
    let checked = Setup::new("log = 1\ndata_dri = \"x\"\n[limits]\nqos_max = 3\n").check();
    assert!(!checked.success);
    for words in [":1: log:", ":2: data_dri:", ":4: limits.qos_max:", "data_dir"] {
        assert!(
            checked.text.contains(words),
            "{words:?} is missing in: {}",
            checked.text
        );
    }
}

#[test]
fn a_good_configuration_is_called_good_without_starting() {
    let checked = Setup::new("[[listener]]\nname = \"a\"\naddress = \"127.0.0.1:1\"\n").check();
    assert!(checked.success, "{}", checked.text);
    assert!(checked.text.contains("ok"), "{}", checked.text);
}

#[test]
fn a_missing_or_empty_file_is_refused() {
    assert!(
        Setup::new("\n")
            .start_and_fail()
            .text
            .contains("the file is empty")
    );
    let gone = Setup::new("# nothing\n")
        .argument("--config")
        .argument("elsewhere.toml");
    assert!(!gone.start_and_fail().success);
}

#[test]
fn sigterm_sends_everybody_home() {
    let broker = Setup::new("# nothing\n").start();
    let mut five = Client::connect(&broker, v5("five"));
    let mut three = Client::connect(&broker, v311("three"));
    five.subscribe("t", QoS::AtLeastOnce);
    // What was accepted before the end is delivered before the end.
    three.publish("t", "last words", QoS::AtLeastOnce);
    broker.terminate();
    assert_eq!(five.receive().payload, "last words");
    five.expect_disconnect(DisconnectReason::ServerShuttingDown);
    three.expect_disconnect(DisconnectReason::ServerShuttingDown);
    assert!(broker.wait_exit().success(), "{}", broker.log().story());
}

/// The first signal lets a client that takes nothing have its time; the second does not.
#[test]
fn a_second_signal_ends_at_once() {
    let broker = Setup::new("shutdown_timeout = \"1h\"\n[limits]\nwrite_timeout = \"1h\"\n").start();
    let mut stalled = Client::connect(&broker, v5("stalled"));
    stalled.subscribe("t", QoS::AtMostOnce);
    let mut sender = Client::connect(&broker, v5("sender"));
    for _ in 0..200 {
        sender.send(Packet::Publish(publish(
            "t",
            vec![b'x'; 64 << 10],
            QoS::AtMostOnce,
            1,
        )));
    }
    sender.expect_nothing();
    broker.terminate();
    broker.wait_log("stopping");
    broker.terminate();
    broker.wait_exit();
}
