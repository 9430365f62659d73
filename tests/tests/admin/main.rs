//! The admin endpoint: what it shows, what it does, and to whom. And the commands that use it.

mod dashboard;
mod exposition;
mod figures;
mod hostile;
mod watching;

use std::os::unix::fs::PermissionsExt;

use hookwire_protocol::{Connect, DisconnectReason, PublishReason};
use hookwire_tests::{Broker, Client, Http, QoS, Setup, guest, plugin, v5, v311};
use serde_json::{Value, json};

/// An endpoint where the system chooses.
pub(crate) const ADMIN: &str = "[admin]\naddress = \"127.0.0.1:0\"\n";

#[track_caller]
pub(crate) fn get(broker: &Broker, path: &str) -> Value {
    let reply = Http::get(broker, path);
    assert_eq!(reply.status, 200, "{path}: {}", reply.body);
    serde_json::from_str(&reply.body).unwrap_or_else(|error| panic!("{path}: {error}: {}", reply.body))
}

/// Status and body of a request with JSON.
#[track_caller]
pub(crate) fn post(broker: &Broker, path: &str, json: &str) -> (u16, Value) {
    let reply = Http::ask(broker, "POST", path, Some(json));
    let body = serde_json::from_str(&reply.body).unwrap_or_else(|error| panic!("{error}: {}", reply.body));
    (reply.status, body)
}

/// A plugin that traps at topics that end with `/evil`.
fn trapping() -> String {
    let grants = "grant = { publish = [\"flood/#\"], kv = { bytes = \"64KiB\" } }";
    plugin(
        "trouble",
        guest("hostile"),
        grants,
        "behaviour = { on_publish = \"panic\" }",
    )
}

/// A plugin that stamps messages and answers administrators.
pub(crate) fn policy(stamp: &str) -> String {
    plugin("stamper", guest("policy"), "", &format!("stamp = \"{stamp}\""))
}

#[test]
fn without_a_word_there_is_no_endpoint() {
    let broker = Broker::start("");
    assert_eq!(broker.log().count("admin endpoint"), 0);
}

#[test]
fn plugins_can_be_listed_while_one_traps() {
    let broker = Broker::start(&format!("{ADMIN}{}{}", trapping(), policy("s")));
    let mut sender = Client::connect(&broker, v5("sender"));
    for _ in 0..3 {
        let reason = sender.publish("t/evil", "", QoS::AtLeastOnce);
        assert_eq!(reason, PublishReason::ImplementationSpecific);
        sender.publish("t/good", "", QoS::AtLeastOnce);
    }
    let listed = get(&broker, "/v1/plugins");
    assert_eq!(listed["generation"], 1);
    let trouble = &listed["plugins"][0];
    assert_eq!(trouble["name"], "trouble");
    assert_eq!(trouble["state"], "active");
    assert_eq!(trouble["grants"]["publish"], json!(["flood/#"]));
    assert!(
        trouble["calls"].as_u64().is_some_and(|calls| calls >= 6),
        "{trouble}"
    );
    assert_eq!(trouble["failures"], 3);
    assert_eq!(trouble["stats"]["sha256"].as_str().map(str::len), Some(64));
    let hooks = trouble["stats"]["hooks"].as_array().expect("a list");
    let on_publish = hooks
        .iter()
        .find(|hook| hook["hook"] == "on-publish")
        .expect("it has the hook");
    assert_eq!(on_publish["failures"], json!({ "trap": 3 }));
    assert_eq!(on_publish["verdicts"], json!({ "pass": 3 }));
    assert_eq!(on_publish["circuit"], "closed");
    let error = trouble["stats"]["last_error"].as_str().expect("it failed");
    assert!(error.contains("hostile as asked"), "{error}");
    assert_eq!(get(&broker, "/v1/plugins/trouble")["name"], "trouble");
    assert_eq!(Http::get(&broker, "/v1/plugins/nobody").status, 404);

    let table = broker.command(&["plugin", "list"]);
    assert!(table.success, "{}", table.text);
    let lines: Vec<Vec<&str>> = table
        .text
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(lines[0][..4], ["NAME", "STATE", "GENERATION", "HOOKS"]);
    assert_eq!(lines[1][..3], ["trouble", "active", "1"]);
    assert_eq!(lines[2][..4], ["stamper", "active", "1", "on-publish,control"]);
    assert!(lines[1].contains(&"trap:"), "{}", table.text);
    let shown = broker.command(&["plugin", "show", "trouble"]);
    assert!(shown.text.contains("\"last_error\""), "{}", shown.text);
}

#[test]
fn metrics_are_what_prometheus_reads() {
    let broker = Broker::start(&format!("{ADMIN}[limits]\nreceive_maximum = 1\n{}", trapping()));
    let mut sender = Client::connect(&broker, v5("sender"));
    for topic in ["t/evil", "t/evil", "t/good"] {
        sender.publish(topic, "12345678", QoS::AtLeastOnce);
    }
    let reply = Http::get(&broker, "/metrics");
    assert_eq!(
        reply.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    let series = exposition::read(&reply.body);
    for (name, value) in [
        ("hookwire_clients_connected", 1.0),
        ("hookwire_publishes_received_total", 3.0),
        ("hookwire_publish_bytes_received_total", 24.0),
        ("hookwire_policy_generation", 1.0),
        ("hookwire_policy_refused", 0.0),
        ("hookwire_limit_reached_total limit=limits.receive_maximum", 0.0),
        (
            "hookwire_plugin_failures_total plugin=trouble hook=on-publish kind=trap",
            2.0,
        ),
        (
            "hookwire_plugin_failures_total plugin=trouble hook=on-publish kind=deadline",
            0.0,
        ),
        (
            "hookwire_plugin_verdicts_total plugin=trouble hook=on-publish verdict=pass",
            1.0,
        ),
        (
            "hookwire_plugin_questions_total plugin=trouble hook=on-publish",
            3.0,
        ),
        ("hookwire_plugin_instances_discarded_total plugin=trouble", 2.0),
        ("hookwire_plugin_state plugin=trouble state=active", 1.0),
        ("hookwire_plugin_state plugin=trouble state=failed", 0.0),
        ("hookwire_plugin_circuit_open plugin=trouble hook=on-publish", 0.0),
        (
            "hookwire_plugin_call_seconds_count plugin=trouble hook=on-publish",
            3.0,
        ),
        (
            "hookwire_plugin_call_seconds_bucket plugin=trouble hook=on-publish le=+Inf",
            3.0,
        ),
    ] {
        assert_eq!(series.get(name), Some(&value), "{name} in:\n{}", reply.body);
    }
    assert!(series["hookwire_plugin_call_seconds_sum plugin=trouble hook=on-publish"] > 0.0);
    assert!(series["hookwire_memory_bytes"] > 1e6);
    let limits = series
        .keys()
        .filter(|name| name.starts_with("hookwire_limit_reached_total"));
    assert!(limits.count() > 20, "each limit is there before it is reached");
}

#[test]
fn an_administrator_can_ask_a_plugin() {
    let broker = Broker::start(&format!("{ADMIN}{}{}", policy("g1"), trapping()));
    let ask = |request: &str| post(&broker, "/v1/plugins/stamper/control", request);
    assert_eq!(ask("\"stamp\""), (200, json!("g1")));
    assert_eq!(ask(r#"{"echo": "zwölf"}"#), (200, json!("zwölf")));
    assert_eq!(ask(r#"{"echo": ""}"#), (422, json!({"error": "nothing to say"})));
    let (status, refused) = ask(r#"{"sing": 1}"#);
    assert_eq!(status, 422);
    assert!(
        refused["error"]
            .as_str()
            .expect("a text")
            .starts_with("unknown variant `sing`"),
        "{refused}"
    );
    let (status, _) = ask("no JSON");
    assert_eq!(status, 400);
    let (status, failed) = ask("\"panic\"");
    assert_eq!((status, &failed["failure"]), (502, &json!("trap")));
    assert!(
        failed["error"]
            .as_str()
            .expect("a text")
            .contains("panicked as asked"),
        "{failed}"
    );
    assert_eq!(ask("\"stamp\""), (200, json!("g1")), "another instance answers");
    assert_eq!(post(&broker, "/v1/plugins/trouble/control", "1").0, 501);
    assert_eq!(post(&broker, "/v1/plugins/nobody/control", "1").0, 404);

    let told = broker.command(&["plugin", "control", "stamper", "\"stamp\""]);
    assert_eq!((told.success, told.text.trim()), (true, "\"g1\""));
    let told = broker.command(&["plugin", "control", "stamper", r#"{"echo": ""}"#]);
    assert_eq!(
        (told.success, told.text.trim()),
        (false, "hookwire: nothing to say")
    );
}

/// … and a plugin that never answers holds up nobody.
#[test]
fn a_plugin_that_loops_when_it_is_asked_is_cut_off() {
    let slow = plugin(
        "stamper",
        guest("policy"),
        "deadline_slow = \"50ms\"",
        "stamp = \"x\"",
    );
    let broker = Broker::start(&format!("{ADMIN}{slow}"));
    let (status, failed) = post(&broker, "/v1/plugins/stamper/control", "\"loop\"");
    assert_eq!((status, &failed["failure"]), (504, &json!("deadline")));
}

#[test]
fn a_reload_answers_with_what_came_of_it() {
    let before = format!("{ADMIN}{}", policy("one"));
    let broker = Broker::start(&before);
    let reload = || {
        let reply = Http::ask(&broker, "POST", "/v1/reload", None);
        let body: Value = serde_json::from_str(&reply.body).expect("JSON");
        (reply.status, body)
    };
    assert_eq!(reload().1["outcome"], "unchanged");

    broker.edit_config(&format!("{ADMIN}{}", policy("two")));
    // Whether the watcher or the request comes first is all the same.
    let (status, reloaded) = reload();
    assert_eq!((status, &reloaded["generation"]), (200, &json!(2)), "{reloaded}");
    assert_eq!(
        post(&broker, "/v1/plugins/stamper/control", "\"stamp\"").1,
        json!("two")
    );
    assert_eq!(
        get(&broker, "/v1/plugins")["plugins"][0]["stats"]["generation"],
        2
    );

    broker.edit_config(&format!("{ADMIN}[limits]\nqos = 3\n"));
    let (status, refused) = reload();
    assert_eq!((status, &refused["outcome"]), (422, &json!("refused")));
    let problem = &refused["problems"][0];
    assert_eq!(
        (&problem["line"], &problem["key"]),
        (&json!(4), &json!("limits.qos"))
    );
    let health = get(&broker, "/health");
    assert_eq!(health["status"], "degraded");
    assert!(
        health["problems"][0]
            .as_str()
            .expect("a text")
            .contains("refused"),
        "{health}"
    );
    let said = broker.command(&["reload"]);
    assert!(
        !said.success && said.text.contains("hookwire.toml:4: limits.qos: unknown key"),
        "{}",
        said.text
    );
    let listed = broker.command(&["plugin", "list"]);
    assert!(
        listed.text.contains("the configuration file is refused: "),
        "{}",
        listed.text
    );

    broker.edit_config(&before);
    assert!(broker.command(&["reload"]).success);
    assert_eq!(get(&broker, "/health")["status"], "ok");
}

#[test]
fn clients_can_be_looked_at_and_thrown_out() {
    let broker = Broker::start(ADMIN);
    let mut lamp = Client::connect(
        &broker,
        Connect {
            username: Some("ada".into()),
            ..v311("lamp/1 ä")
        },
    );
    lamp.subscribe("lamps/+", QoS::AtLeastOnce);
    let _other = Client::connect(&broker, v5("other"));
    let listed = get(&broker, "/v1/clients");
    assert_eq!(listed["clients"].as_array().map(Vec::len), Some(2));
    let first = get(&broker, "/v1/clients?limit=1");
    assert_eq!(
        (&first["clients"][0]["client_id"], &first["next"]),
        (&json!("lamp/1 ä"), &json!("lamp/1 ä"))
    );
    let second = get(&broker, "/v1/clients?limit=1&after=lamp%2F1%20%C3%A4");
    assert_eq!(
        (&second["clients"][0]["client_id"], &second["next"]),
        (&json!("other"), &Value::Null)
    );
    assert_eq!(Http::get(&broker, "/v1/clients?limit=0").status, 400);

    let details = get(&broker, "/v1/clients/lamp%2F1%20%C3%A4");
    assert_eq!(
        (&details["username"], &details["connected"], &details["version"]),
        (&json!("ada"), &json!(true), &json!("3.1.1"))
    );
    assert_eq!(details["filters"]["lamps/+"]["qos"], 1);
    let table = broker.command(&["clients"]);
    assert!(
        table.text.contains("lamp/1 ä") && table.text.contains("ada"),
        "{}",
        table.text
    );

    assert_eq!(
        Http::ask(&broker, "DELETE", "/v1/clients/nobody", None).status,
        404
    );
    assert!(broker.command(&["clients", "kick", "other"]).success);
    assert_eq!(
        Http::ask(&broker, "DELETE", "/v1/clients/lamp%2F1%20%C3%A4", None).status,
        204
    );
    lamp.expect_closed();
    assert_eq!(Http::get(&broker, "/v1/clients/lamp").status, 404);
    // Who changes something leaves a trace.
    broker.wait_log("admin request");
}

#[test]
fn a_client_of_mqtt_5_is_told_that_it_was_an_administrator() {
    let broker = Broker::start(ADMIN);
    let mut client = Client::connect(&broker, v5("c"));
    assert_eq!(Http::ask(&broker, "DELETE", "/v1/clients/c", None).status, 204);
    client.expect_disconnect(DisconnectReason::AdministrativeAction);
}

/// There is no back door: an administrator's message passes the same policy as anybody's.
#[test]
fn an_administrators_message_is_judged_like_any() {
    let deny = plugin(
        "stamper",
        guest("policy"),
        "",
        "stamp = \"s\"\nplace = \"payload\"\ndeny_prefix = [\"no/\"]",
    );
    let broker = Broker::start(&format!("{ADMIN}{deny}"));
    let mut listener = Client::connect(&broker, v5("listener"));
    listener.subscribe("#", QoS::AtLeastOnce);
    let publish = |message: Value| post(&broker, "/v1/publish", &message.to_string());
    let (status, body) = publish(json!({"topic": "a/b", "payload": "x", "qos": 1}));
    assert_eq!((status, &body["outcome"]), (200, &json!("published")));
    let message = listener.receive();
    assert_eq!((message.topic.as_str(), message.payload.as_str()), ("a/b", "x|s"));
    let (status, body) = publish(json!({"topic": "no/way", "payload": "x"}));
    assert_eq!(
        (status, &body["reason"], &body["text"]),
        (403, &json!("not authorized"), &json!("s"))
    );
    assert_eq!(
        publish(json!({"topic": "$SYS/broker/version", "payload": "x"})).0,
        403
    );
    for odd in [
        json!({"topic": "a/+"}),
        json!({"topic": "a", "qos": 3}),
        json!({"topic": "a", "payload": "x", "payload_base64": "eA=="}),
        json!({"topic": "a", "pyload": "x"}),
    ] {
        assert_eq!(publish(odd.clone()).0, 400, "{odd}");
    }
    let (status, _) = publish(json!({"topic": "bytes", "payload_base64": "AAE=", "retain": true}));
    assert_eq!(status, 200);
    assert_eq!(listener.receive().topic, "bytes");
    listener.expect_nothing();
}

#[test]
fn a_plugin_that_was_left_out_is_not_forgotten() {
    let optional = "[[plugin]]\nname = \"gone\"\npath = \"none.wasm\"\noptional = true\n";
    let broker = Broker::start(&format!("{ADMIN}{optional}"));
    let gone = get(&broker, "/v1/plugins/gone");
    assert_eq!((&gone["state"], &gone["stats"]), (&json!("failed"), &Value::Null));
    assert!(
        gone["error"].as_str().expect("a text").contains("none.wasm"),
        "{gone}"
    );
    assert_eq!(get(&broker, "/health")["status"], "degraded");
    let listed = broker.command(&["plugin", "list"]);
    assert!(listed.text.contains("failed"), "{}", listed.text);
}

#[test]
fn it_is_ready_when_clients_may_come() {
    let broker = Broker::start(ADMIN);
    // The log says that it listens before it says that it is ready to whoever asks at that very moment.
    while Http::get(&broker, "/ready").status != 200 {}
    assert_eq!(get(&broker, "/ready"), json!({ "ready": true }));
    assert_eq!(get(&broker, "/health")["status"], "ok");
}

#[test]
fn a_file_is_an_endpoint_too() {
    let broker = Setup::new("[admin]\nsocket = \"admin.sock\"\n").start();
    let socket = broker.folder().join("admin.sock");
    let config = broker.folder().join("hookwire.toml");
    for place in [
        ["--admin", &socket.to_string_lossy()],
        ["--config", &config.to_string_lossy()],
    ] {
        let listed = Setup::run(&["plugin", "list", place[0], place[1]]);
        assert!(listed.success, "{}", listed.text);
    }
    let mode = std::fs::metadata(&socket)
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    broker.terminate();
    assert!(broker.wait_exit().success());
    assert!(!socket.exists(), "it is taken away at the end");
}
