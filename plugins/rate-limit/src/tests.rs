//! Tests of the plugin as the broker sees it.

use hookwire_plugin::clients::Client;
use hookwire_plugin::mock::{self, Mock};

use super::*;

fn plugin(limits: &str) -> RateLimit {
    mock::plugin(&format!(r#"{{"limits": [{limits}]}}"#)).unwrap()
}

/// Clients 1 (ada, from 192.0.2.1), 2 (ada, from 192.0.2.2) and 3 (no name, from 192.0.2.1).
fn host() -> Mock {
    let host = Mock::new();
    let client = |id: &str, username: Option<&str>, address: &str| Client {
        username: username.map(str::to_owned),
        address: address.to_owned(),
        ..Client::new(id)
    };
    host.add_client(1, client("one", Some("ada"), "192.0.2.1:5000"));
    host.add_client(2, client("two", Some("ada"), "192.0.2.2:5000"));
    host.add_client(3, client("three", None, "192.0.2.1:6000"));
    host
}

fn publish(plugin: &RateLimit, client: ClientKey, topic: &str, payload: &str) -> Verdict {
    plugin.on_publish(&Message::new(topic, payload).with_source(Source::Client(client)))
}

/// Whether each of these clients may publish one more.
fn pass(plugin: &RateLimit, clients: &[ClientKey]) -> Vec<bool> {
    clients
        .iter()
        .map(|client| publish(plugin, *client, "a", "x") == Verdict::Pass)
        .collect()
}

#[test]
fn above_its_rate_a_client_is_slowed() {
    let host = host();
    let plugin = plugin(r#"{"messages_per_second": 2, "burst": 3}"#);
    assert_eq!(pass(&plugin, &[1, 1, 1]), [true; 3]);
    assert_eq!(publish(&plugin, 1, "a", "x"), Verdict::Throttle(500));
    assert_eq!(
        publish(&plugin, 1, "a", "x"),
        Verdict::Throttle(1000),
        "the debt grows"
    );
    assert_eq!(
        publish(&plugin, 3, "a", "x"),
        Verdict::Pass,
        "others are not slowed"
    );
    host.advance(Duration::from_secs(1));
    assert_eq!(publish(&plugin, 1, "a", "x"), Verdict::Throttle(500));
    host.advance(Duration::from_millis(1500));
    assert_eq!(publish(&plugin, 1, "a", "x"), Verdict::Pass, "paid off");
    assert_eq!(host.counter("above_limit_0"), 3);
}

#[test]
fn no_wait_is_longer_than_a_minute() {
    let _host = host();
    let plugin = plugin(r#"{"messages_per_second": 0.001}"#);
    assert_eq!(pass(&plugin, &[1]), [true]);
    assert_eq!(publish(&plugin, 1, "a", "x"), Verdict::Throttle(60_000));
}

#[test]
fn a_message_may_be_dropped_rejected_or_the_end_of_a_connection() {
    let text = "above the limit l";
    let cases = [
        ("drop", Verdict::Drop),
        ("reject", Verdict::reject(Reason::QuotaExceeded, text)),
        ("disconnect", Verdict::disconnect(Reason::QuotaExceeded, text)),
    ];
    for (excess, expected) in cases {
        let host = host();
        let plugin = plugin(&format!(
            r#"{{"name": "l", "messages_per_second": 1, "excess": "{excess}"}}"#
        ));
        assert_eq!(pass(&plugin, &[1]), [true]);
        for _ in 0..5 {
            assert_eq!(publish(&plugin, 1, "a", "x"), expected);
        }
        host.advance(Duration::from_secs(1));
        assert_eq!(
            pass(&plugin, &[1]),
            [true],
            "{excess}: what was refused costs nothing"
        );
    }
}

#[test]
fn buckets_are_of_clients_users_addresses_topics_or_all() {
    let cases = [
        ("client", [true, true, true]),
        ("user", [true, false, true]),
        ("address", [true, true, false]),
        ("topic", [true, false, false]),
        ("all", [true, false, false]),
    ];
    for (per, expected) in cases {
        let _host = host();
        let plugin = plugin(&format!(
            r#"{{"per": "{per}", "messages_per_second": 1, "excess": "drop"}}"#
        ));
        assert_eq!(pass(&plugin, &[1, 2, 3]), expected, "{per}");
    }
}

#[test]
fn messages_of_plugins_count_for_topics_and_for_all() {
    for (per, counts) in [("client", false), ("user", false), ("topic", true), ("all", true)] {
        let _host = host();
        let plugin = plugin(&format!(
            r#"{{"per": "{per}", "messages_per_second": 1, "excess": "drop"}}"#
        ));
        let message = Message::new("a", "x").with_source(Source::Plugin);
        let verdicts = [plugin.on_publish(&message), plugin.on_publish(&message)];
        assert_eq!(verdicts[1] == Verdict::Drop, counts, "{per}");
    }
}

#[test]
fn a_client_that_is_gone_has_a_bucket_too() {
    let _host = host();
    let plugin = plugin(r#"{"messages_per_second": 1, "excess": "drop"}"#);
    let will = |key| plugin.on_publish(&Message::new("a", "x").with_source(Source::Will(key)));
    assert_eq!(
        [will(8), will(8), will(9)],
        [Verdict::Pass, Verdict::Drop, Verdict::Pass]
    );
}

#[test]
fn bytes_are_those_of_topic_and_payload() {
    let _host = host();
    let plugin = plugin(r#"{"bytes_per_second": 10, "burst": 20, "excess": "drop"}"#);
    assert_eq!(publish(&plugin, 1, "a", "123456789"), Verdict::Pass);
    assert_eq!(publish(&plugin, 1, "a", "1234567890"), Verdict::Drop, "11 of 10");
    assert_eq!(publish(&plugin, 1, "a", "123456789"), Verdict::Pass);
    let large = "x".repeat(1000);
    assert_eq!(publish(&plugin, 1, "a", &large), Verdict::Drop);
    assert_eq!(
        publish(&plugin, 3, "a", &large),
        Verdict::Pass,
        "the whole bucket, and no more"
    );
    assert!(plugin.interests().on_publish.payload);
}

#[test]
fn limits_are_about_topics_and_not_about_everyone() {
    let _host = host();
    let plugin = plugin(
        r#"{"topic": "slow/#", "messages_per_second": 1, "excess": "drop"},
           {"name": "rest", "messages_per_second": 1, "burst": 2, "excess": "reject", "except_users": ["ada"]}"#,
    );
    let topics = |client, topics: &[&str]| -> Vec<bool> {
        let verdicts = topics.iter().map(|topic| publish(&plugin, client, topic, "x"));
        verdicts.map(|verdict| verdict == Verdict::Pass).collect()
    };
    assert_eq!(
        topics(1, &["slow/1", "slow/2", "fast", "fast", "fast"]),
        [true, false, true, true, true]
    );
    assert_eq!(topics(3, &["slow/1", "fast", "fast"]), [true, true, false]);
    assert_eq!(plugin.interests().on_publish.topics.unwrap(), ["slow/#", "#"]);
    assert!(!plugin.interests().on_publish.payload && !plugin.interests().on_publish.properties);
}

#[test]
fn what_happens_can_be_logged() {
    let host = host();
    let plugin: RateLimit = mock::plugin(
        r#"{"log": true, "limits": [{"name": "l", "messages_per_second": 1, "excess": "drop"}]}"#,
    )
    .unwrap();
    pass(&plugin, &[1, 1]);
    assert_eq!(host.log_lines(), [r#"info: "a" is above l: dropped"#]);
}

#[test]
fn mistakes_are_told() {
    let cases = [
        ("", "limits", "no limit at all"),
        ("{}", "limits.0", "expected either"),
        (
            r#"{"messages_per_second": 1, "bytes_per_second": 1}"#,
            "limits.0",
            "expected either",
        ),
        (
            r#"{"messages_per_second": 0}"#,
            "limits.0.messages_per_second",
            "above 0",
        ),
        (
            r#"{"bytes_per_second": -5}"#,
            "limits.0.bytes_per_second",
            "above 0",
        ),
        (
            r#"{"messages_per_second": 1, "topic": "a/#/b"}"#,
            "limits.0.topic",
            "last level",
        ),
        (
            r#"{"messages_per_second": 1, "name": "A B"}"#,
            "limits.0.name",
            "characters",
        ),
        (
            r#"{"messages_per_second": 1, "excess": "shout"}"#,
            "limits.0.excess",
            "unknown variant",
        ),
        (
            r#"{"name": "a", "messages_per_second": 1}, {"name": "a", "messages_per_second": 1}"#,
            "limits.1.name",
            "above",
        ),
    ];
    for (limits, path, text) in cases {
        let Err(problems) = mock::plugin::<RateLimit>(&format!(r#"{{"limits": [{limits}]}}"#)) else {
            panic!("accepted: {limits}")
        };
        let problem = &problems.0[0];
        assert!(
            problem.path == path && problem.message.contains(text),
            "{limits}: {problems}"
        );
    }
}
