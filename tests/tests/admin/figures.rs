//! What plugins and the store did, as Prometheus is told it.

use hookwire_tests::{Broker, Client, Http, QoS, Setup, guest, plugin, v5};
use serde_json::json;

use super::exposition::{self, Series};
use super::{ADMIN, get};

fn scrape(broker: &Broker) -> Series {
    exposition::read(&Http::get(broker, "/metrics").body)
}

#[track_caller]
fn are(series: &Series, expected: &[(&str, f64)]) {
    for (name, value) in expected {
        assert_eq!(series.get(*name), Some(value), "{name} in {series:#?}");
    }
}

#[test]
fn a_plugin_that_is_left_alone_can_be_seen() {
    let keys = "grant = { publish = [\"x\"], kv = { bytes = \"1KiB\" } }\n\
                breaker = { failures = 2, retry_after = \"1h\", retry_after_max = \"1h\" }";
    let trouble = plugin(
        "p",
        guest("hostile"),
        keys,
        "behaviour = { on_publish = \"panic\" }",
    );
    let broker = Broker::start(&format!("{ADMIN}{trouble}"));
    let mut client = Client::connect(&broker, v5("c"));
    for topic in ["t/evil", "t/evil", "t/good"] {
        client.publish(topic, "", QoS::AtLeastOnce);
    }
    are(
        &scrape(&broker),
        &[
            ("hookwire_plugin_state plugin=p state=circuit-open", 1.0),
            ("hookwire_plugin_circuit_open plugin=p hook=on-publish", 1.0),
            (
                "hookwire_plugin_circuit_opened_total plugin=p hook=on-publish",
                1.0,
            ),
            (
                "hookwire_plugin_failures_total plugin=p hook=on-publish kind=trap",
                2.0,
            ),
            (
                "hookwire_plugin_failures_total plugin=p hook=on-publish kind=circuit-open",
                1.0,
            ),
        ],
    );
    let shown = get(&broker, "/v1/plugins/p");
    assert_eq!(
        (&shown["state"], &shown["limits"]["breaker"]["failures"]),
        (&json!("circuit-open"), &json!(2))
    );
    let health = get(&broker, "/health");
    assert_eq!(health["status"], "degraded");
    assert!(health.to_string().contains("left alone"), "{health}");
}

#[test]
fn it_is_counted_where_a_shadow_differs_from_the_chain() {
    let config = "stamp = \"s\"\nplace = \"none\"\ndeny_prefix = [\"denied/\"]";
    let shadow = plugin(
        "p",
        guest("policy"),
        "mode = \"shadow\"\nmay = [\"refuse\"]",
        config,
    );
    let broker = Broker::start(&format!("{ADMIN}{shadow}"));
    let mut client = Client::connect(&broker, v5("c"));
    for topic in ["denied/x", "free/x", "free/x"] {
        assert!(!client.publish(topic, "", QoS::AtLeastOnce).is_error());
    }
    are(
        &scrape(&broker),
        &[
            ("hookwire_plugin_state plugin=p state=shadow", 1.0),
            (
                "hookwire_plugin_shadow_agreed_total plugin=p hook=on-publish",
                2.0,
            ),
            (
                "hookwire_plugin_shadow_differed_total plugin=p hook=on-publish chain=pass shadow=reject",
                1.0,
            ),
        ],
    );
    let shown = get(&broker, "/v1/plugins/p");
    assert_eq!(
        (&shown["mode"], &shown["may"]),
        (&json!("shadow"), &json!(["refuse"]))
    );
    assert_eq!(get(&broker, "/health")["status"], "ok");
}

#[test]
fn a_plugins_own_histogram_is_one() {
    let grants = "grant = { publish = [\"result\"], retained = { read = [\"kept/#\"], write = [\"kept/+\"] }, \
                  secrets = [\"mine\"], password = true, rate_limit = { keys = 2 }, kv = { bytes = \"1KiB\" }, \
                  metrics = true, clients = true }";
    let toolbox = plugin("toolbox", guest("toolbox"), grants, "hash = \"\"");
    let broker = Broker::start(&format!(
        "{ADMIN}[secrets]\nmine = \"nobody is shown this\"\n{toolbox}"
    ));
    let mut client = Client::connect(&broker, v5("operator"));
    client.subscribe("result", QoS::AtLeastOnce);
    for value in ["0.5", "1.5"] {
        client.publish("tool/observe", value, QoS::AtLeastOnce);
        assert_eq!(client.receive().payload, "observed");
    }
    let histogram = |suffix: &str| format!("hookwire_plugin_histogram_{suffix}");
    let series = scrape(&broker);
    for (suffix, value) in [
        ("bucket plugin=toolbox name=seen le=0.2", 0.0),
        ("bucket plugin=toolbox name=seen le=0.5", 1.0),
        ("bucket plugin=toolbox name=seen le=2", 2.0),
        ("bucket plugin=toolbox name=seen le=+Inf", 2.0),
        ("sum plugin=toolbox name=seen", 2.0),
        ("count plugin=toolbox name=seen", 2.0),
    ] {
        are(&series, &[(&histogram(suffix), value)]);
    }
    let shown = get(&broker, "/v1/plugins/toolbox");
    assert_eq!(shown["grants"]["secrets"], json!(["mine"]));
    assert_eq!(
        shown["grants"]["retained"],
        json!({ "read": ["kept/#"], "write": ["kept/+"] })
    );
    assert!(!shown.to_string().contains("nobody is shown this"), "{shown}");
}

#[test]
fn the_store_has_figures_where_there_is_one() {
    let broker = Broker::start(ADMIN);
    let without = scrape(&broker);
    assert!(!without.keys().any(|name| name.starts_with("hookwire_store")));

    let broker = Setup::new(&format!(
        "data_dir = \"data\"\n[store]\nfree_bytes_min = \"1MiB\"\n{ADMIN}"
    ))
    .start();
    let mut client = Client::connect(&broker, v5("c"));
    client.retain("state", "on");
    let series = scrape(&broker);
    are(
        &series,
        &[
            ("hookwire_store_state state=good", 1.0),
            ("hookwire_store_state state=failed", 0.0),
        ],
    );
    assert!(series["hookwire_store_commits_total"] > 0.0);
    assert!(series["hookwire_store_written_bytes_total"] > 0.0);
    assert_eq!(get(&broker, "/health")["status"], "ok");
}
