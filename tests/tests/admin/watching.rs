//! `hookwire explain` and `hookwire plugin record`.

use hookwire_protocol::Connect;
use hookwire_tests::{Broker, Client, Http, QoS, RealClient, Setup, bundled, guest, plugin, v5, v311};
use serde_json::{Value, json};

use super::ADMIN;

/// A plugin that refuses what begins with `no/`.
fn refusing() -> String {
    plugin(
        "doorman",
        guest("policy"),
        "",
        "stamp = \"not here\"\nplace = \"none\"\ndeny_prefix = [\"no/\"]",
    )
}

/// Looks on with `hookwire explain`, once it is sure to see what comes next.
#[track_caller]
fn explain(broker: &Broker, arguments: &[&str]) -> RealClient {
    let watching = broker.start_command(&[&["explain", "--json"], arguments].concat());
    watching.wait_line("watching");
    watching
}

/// The lines that it brought, without what is different each time.
fn events(text: &str) -> Vec<Value> {
    let lines = text.lines().filter(|line| line.starts_with('{'));
    let events = lines.map(|line| {
        let mut event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let fields = event.as_object_mut().expect("an object");
        assert!(fields.remove("at_ms").is_some_and(|at| at.is_u64()), "{line}");
        fields.remove("took_us");
        event
    });
    events.collect()
}

#[test]
fn it_is_explained_which_plugin_refused_a_message() {
    let broker = Broker::start(&format!("{ADMIN}{}", refusing()));
    let watching = explain(&broker, &["--topic", "no/#", "--count", "3"]);
    let mut sender = Client::connect(&broker, v5("sender"));
    sender.publish("yes/1", "not watched", QoS::AtLeastOnce);
    sender.publish("no/1", "secret", QoS::AtLeastOnce);
    let text = watching.finish();
    assert!(!text.contains("secret"), "payloads only if asked for: {text}");
    let whose = json!({"client_id": "sender", "topic": "no/1"});
    let with = |more: Value| {
        let mut all = whose.as_object().expect("an object").clone();
        all.extend(more.as_object().expect("an object").clone());
        Value::Object(all)
    };
    let key = events(&text)[0]["source"]["client"].clone();
    assert_eq!(
        events(&text),
        [
            with(
                json!({"event": "published", "source": {"client": key}, "qos": 1, "retain": false,
                        "payload_bytes": 6})
            ),
            with(
                json!({"event": "asked", "plugin": "doorman", "hook": "on-publish", "generation": 1,
                        "answer": {"answer": "reject", "reason": 0x87, "text": "not here"}})
            ),
            with(
                json!({"event": "outcome", "outcome": "rejected", "reason": "not authorized",
                        "reason_code": 0x87, "text": "not here"})
            ),
        ]
    );
}

#[test]
fn a_plugin_that_fails_can_be_seen_to_fail() {
    let grants = "grant = { publish = [\"flood/#\"], kv = { bytes = \"64KiB\" } }";
    let hostile = plugin(
        "trouble",
        guest("hostile"),
        grants,
        "behaviour = { on_publish = \"panic\" }",
    );
    let broker = Broker::start(&format!("{ADMIN}{hostile}"));
    let watching = broker.start_command(&["explain", "--client", "sender", "--count", "5"]);
    watching.wait_line("watching");
    let mut sender = Client::connect(&broker, v5("sender"));
    sender.publish("t/evil", "x", QoS::AtLeastOnce);
    let text = watching.finish();
    assert!(
        text.contains("sender t/evil  published: 1 bytes, QoS 1"),
        "{text}"
    );
    assert!(text.contains("trouble on-publish: failed: trap: "), "{text}");
    assert!(
        text.contains("outcome: rejected, implementation specific error, \"policy failed\""),
        "{text}"
    );
}

#[test]
fn messages_that_no_policy_dropped_are_explained_too() {
    let broker = Broker::start(&format!("{ADMIN}[session]\nqueue_messages_max = 1\n"));
    let mut away = Client::connect(
        &broker,
        Connect {
            clean_start: false,
            ..v311("away")
        },
    );
    away.subscribe("t", QoS::AtLeastOnce);
    away.disconnect();
    let watching = explain(&broker, &["--client", "sender", "--count", "9", "--payload"]);
    let mut sender = Client::connect(&broker, v5("sender"));
    sender.publish("nobody", "", QoS::AtLeastOnce);
    sender.publish("t", "1", QoS::AtLeastOnce);
    sender.publish("t", "2", QoS::AtLeastOnce);
    let told: Vec<_> = events(&watching.finish())
        .iter()
        .map(|event| {
            let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
            let what = ["outcome", "cause", "payload"].map(text).concat();
            (text("event"), text("topic"), text("to"), what)
        })
        .collect();
    let told: Vec<_> = told
        .iter()
        .map(|(event, topic, to, what)| (&**event, &**topic, &**to, &**what))
        .collect();
    assert_eq!(
        told,
        [
            ("published", "nobody", "", ""),
            ("outcome", "nobody", "", "no-subscriber"),
            ("published", "t", "", "1"),
            ("delivered", "t", "away", ""),
            ("outcome", "t", "", "routed"),
            ("published", "t", "", "2"),
            ("delivered", "t", "away", ""),
            ("dropped", "t", "away", "queue-full"),
            ("outcome", "t", "", "routed"),
        ]
    );
}

/// An answer that still holds is not asked for again; it is told by what the message was refused.
#[test]
fn a_remembered_answer_is_explained() {
    let acl = bundled(
        "acl",
        "grant = { clients = true }",
        "default = \"deny\"\nrules = [{ allow = \"all\", topic = \"a/#\" }]",
    );
    let broker = Broker::start(&format!("{ADMIN}{acl}"));
    let watching = explain(&broker, &["--topic", "b", "--count", "6"]);
    let mut sender = Client::connect(&broker, v5("sender"));
    sender.publish("b", "", QoS::AtLeastOnce);
    sender.publish("b", "", QoS::AtLeastOnce);
    let events = events(&watching.finish());
    assert_eq!(
        (&events[1]["event"], &events[1]["answer"]["answer"]),
        (&json!("asked"), &json!("deny"))
    );
    assert_eq!(
        (&events[4]["event"], &events[4]["by"], &events[4]["decision"]),
        (&json!("decided"), &json!("remembered-answer"), &json!("deny"))
    );
}

#[test]
fn a_watch_has_a_subject_and_an_end() {
    let broker = Broker::start(&format!("{ADMIN}watches_max = 1\n"));
    assert_eq!(Http::get(&broker, "/v1/explain").status, 400);
    assert_eq!(Http::get(&broker, "/v1/explain?topic=a%2F%23%2Fb").status, 400);
    assert_eq!(Http::get(&broker, "/v1/explain?topic=a&secnods=1").status, 400);
    let over = Http::get(&broker, "/v1/explain?topic=a&seconds=0.05");
    assert_eq!((over.status, over.body.as_str()), (200, ""));
    // Who goes away makes room for others.
    let mut first = Http::open(&broker);
    first.send("GET /v1/explain?topic=a HTTP/1.1\r\nhost: localhost\r\n\r\n");
    assert_eq!(first.begin().status, 200);
    drop(first);
    while Http::get(&broker, "/v1/explain?topic=a&seconds=0.05").status == 429 {}
}

#[track_caller]
fn recorded(broker: &Broker, file: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(broker.folder().join(file)).expect("the recording is there");
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

#[test]
fn what_a_plugin_is_asked_can_be_recorded() {
    let broker = Broker::start(&format!("{ADMIN}{}", refusing()));
    let recording =
        broker.start_command(&["plugin", "record", "doorman", "--out", "r.ndjson", "--count", "2"]);
    recording.wait_line("recording");
    let mut sender = Client::connect(&broker, v5("sender"));
    sender.publish("yes", "a", QoS::AtLeastOnce);
    sender.publish("no/1", "b", QoS::AtLeastOnce);
    assert!(recording.finish().contains("2 questions recorded"));
    let lines = recorded(&broker, "r.ndjson");
    assert_eq!(
        (
            &lines[0]["hookwire_recording"],
            &lines[0]["plugin"],
            &lines[0]["generation"]
        ),
        (&json!(1), &json!("doorman"), &json!(1))
    );
    assert_eq!(lines[1]["hook"], "on-publish");
    assert_eq!(lines[1]["question"]["message"]["payload"], "a");
    assert_eq!(lines[1]["clients"][0]["client_id"], "sender");
    assert_eq!(lines[1]["answer"], json!({"answer": "pass"}));
    assert_eq!(lines[2]["answer"]["answer"], "reject");
    assert_eq!(lines.len(), 3);

    let nobody = broker.command(&["plugin", "record", "nobody", "--out", "none.ndjson"]);
    assert!(
        !nobody.success && nobody.text.contains("no plugin \"nobody\""),
        "{}",
        nobody.text
    );
    assert!(!broker.folder().join("none.ndjson").exists());
}

#[test]
fn passwords_are_recorded_only_if_asked_for() {
    let plugin = bundled(
        "password-file",
        "memory = \"32MiB\"",
        "users = { file = \"users\" }",
    );
    // What mosquitto_passwd makes of "hunter2 in the file" is of no interest here: nobody gets in.
    let broker = Setup::new(&format!("{ADMIN}{plugin}"))
        .file("users", "ada:$7$101$AAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==\n")
        .start();
    for (more, is_shown) in [(&[][..], false), (&["--with-secrets"][..], true)] {
        let arguments = [
            "plugin",
            "record",
            "password-file",
            "--out",
            "r.ndjson",
            "--count",
            "1",
        ];
        let recording = broker.start_command(&[&arguments, more].concat());
        recording.wait_line("recording");
        let connect = Connect {
            username: Some("ada".into()),
            password: Some("hunter2".into()),
            ..v5("c")
        };
        Client::refused(&broker, connect);
        recording.finish();
        let lines = recorded(&broker, "r.ndjson");
        let password = &lines[1]["question"]["password"];
        let expected = if is_shown {
            json!("hunter2")
        } else {
            json!({"redacted": true})
        };
        assert_eq!((password, &lines[0]["secrets"]), (&expected, &json!(is_shown)));
        assert_eq!(lines[1]["question"]["username"], "ada");
    }
}
