//! Tests of the plugin as the broker sees it.

use hookwire_plugin::Protocol;
use hookwire_plugin::mock::{self, Mock};

use super::*;

fn plugin(config: &str) -> Stamp {
    mock::plugin(config).unwrap()
}

fn host() -> Mock {
    let host = Mock::new();
    host.set_now_ms(1_780_000_000_123);
    host.add_client(
        1,
        Client {
            username: Some("ada".to_owned()),
            attributes: vec![UserProperty::new("team", "north")],
            protocol: Protocol::Mqtt311,
            ..Client::new("lamp")
        },
    );
    host.add_client(2, Client::new("nameless"));
    host
}

/// The user properties of a message after it was stamped.
fn stamped(plugin: &Stamp, message: &Message<'_>) -> Vec<(String, String)> {
    let Verdict::Replace(replacement) = plugin.on_publish(message) else {
        panic!("not stamped")
    };
    let properties = replacement.properties.unwrap().user_properties;
    properties
        .into_iter()
        .map(|property| (property.name, property.value))
        .collect()
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[test]
fn without_configuration_name_and_time_are_said() {
    let _host = host();
    let plugin = plugin("{}");
    let expected = [
        pair("publisher-client-id", "lamp"),
        pair("published-at", "2026-05-28T20:26:40.123Z"),
        pair("publisher-username", "ada"),
    ];
    assert_eq!(stamped(&plugin, &Message::new("a", "x")), expected);
    let nameless = Message::new("a", "x").with_source(Source::Client(2));
    assert_eq!(
        stamped(&plugin, &nameless).len(),
        2,
        "what is not known is not said"
    );
}

#[test]
fn what_others_claim_is_taken_away() {
    let _host = host();
    let plugin = plugin(r#"{"properties": {"client_id": "from", "username": "user"}}"#);
    let mut spoofed = PropertiesBuf::default();
    for (name, value) in [
        ("from", "boss"),
        ("kept", "1"),
        ("from", "other"),
        ("user", "root"),
        ("kept", "2"),
    ] {
        spoofed.push_user_property(name, value);
    }
    spoofed.content_type = Some("text/plain".to_owned());
    let kept = [pair("kept", "1"), pair("kept", "2")];
    let message = Message::new("a", "x").with_properties(&spoofed);
    assert_eq!(
        stamped(&plugin, &message),
        [&kept[..], &[pair("from", "lamp"), pair("user", "ada")]].concat()
    );
    // Nobody knows whose it is: then nobody says so.
    for source in [Source::Plugin, Source::Will(9), Source::Client(9)] {
        assert_eq!(stamped(&plugin, &message.with_source(source)), kept, "{source:?}");
    }
    let Verdict::Replace(replacement) = plugin.on_publish(&message) else {
        panic!("not stamped")
    };
    assert_eq!(
        replacement.properties.unwrap().content_type.as_deref(),
        Some("text/plain")
    );
    assert!(replacement.topic.is_none() && replacement.payload.is_none());
}

#[test]
fn every_fact_can_be_said() {
    let _host = host();
    let facts = [
        ("client_id", "lamp"),
        ("username", "ada"),
        ("address", "192.0.2.1:50000"),
        ("listener", "default"),
        ("protocol", "3.1.1"),
        ("attribute.team", "north"),
        ("source", "will"),
        ("time", "2026-05-28T20:26:40.123Z"),
        ("time_ms", "1780000000123"),
    ];
    let message = Message::new("a", "x").with_source(Source::Will(1));
    for (fact, value) in facts {
        let plugin = plugin(&format!(r#"{{"properties": {{"{fact}": "p"}}}}"#));
        assert_eq!(stamped(&plugin, &message), [pair("p", value)], "{fact}");
    }
    let plugin = plugin(r#"{"properties": {"attribute.other": "p"}}"#);
    assert!(stamped(&plugin, &message).is_empty());
}

#[test]
fn only_properties_of_some_topics_are_asked_for() {
    let interest = plugin(r#"{"topics": ["a/#", "b"]}"#).interests().on_publish;
    assert_eq!(interest.topics.unwrap(), ["a/#", "b"]);
    assert!(!interest.payload && interest.properties);
    assert!(plugin("{}").interests().on_publish.topics.is_none());
}

#[test]
fn mistakes_are_told() {
    let cases = [
        (r#"{"topics": ["a/#/b"]}"#, "topics.0"),
        (r#"{"properties": {}}"#, "properties"),
        (r#"{"properties": {"color": "c"}}"#, "properties.color"),
        (r#"{"properties": {"client_id": ""}}"#, "properties.client_id"),
        (
            r#"{"properties": {"client_id": "p", "username": "p"}}"#,
            "properties.username",
        ),
    ];
    for (config, path) in cases {
        let Err(problems) = mock::plugin::<Stamp>(config) else {
            panic!("accepted: {config}")
        };
        assert_eq!(problems.0[0].path, path, "{config}");
    }
}
