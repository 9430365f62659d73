//! Tests of the plugin as the broker sees it.

use std::time::Duration;

use hookwire_plugin::mock::{self, Mock};

use super::*;

const CAUSES: [Cause; 7] = [
    Cause::ConnectionLost,
    Cause::KeepAliveTimeout,
    Cause::ProtocolError,
    Cause::Requested,
    Cause::TakenOver,
    Cause::Kicked,
    Cause::ServerShutdown,
];

fn guard(config: &str) -> WillGuard {
    mock::plugin(config).unwrap()
}

/// What is said of a will of client 7 for the topic `state/7`.
fn ask(guard: &WillGuard, cause: Cause) -> WillDecision {
    guard.on_will(7, cause, &Message::new("state/7", "gone"))
}

fn problems(config: &str) -> Vec<(String, String)> {
    let Err(problems) = mock::plugin::<WillGuard>(config) else {
        panic!("accepted: {config}")
    };
    problems
        .0
        .into_iter()
        .map(|problem| (problem.path, problem.message))
        .collect()
}

#[test]
fn without_configuration_wills_wait_ten_seconds() {
    let host = Mock::new();
    let guard = guard("{}");
    assert_eq!(ask(&guard, Cause::ConnectionLost), WillDecision::Delay(10));
    host.advance(Duration::from_secs(10));
    assert_eq!(ask(&guard, Cause::ConnectionLost), WillDecision::Publish);
}

#[test]
fn only_clients_that_may_be_back_are_waited_for() {
    let delayed = CAUSES.map(|cause| {
        let _host = Mock::new();
        let decision = ask(&guard(r#"{"suppress_causes": []}"#), cause);
        assert!(
            matches!(decision, WillDecision::Delay(10) | WillDecision::Publish),
            "{cause:?}"
        );
        decision == WillDecision::Delay(10)
    });
    assert_eq!(delayed, [true, true, true, false, false, true, false]);
}

#[test]
fn another_instance_knows_of_the_delay() {
    let _host = Mock::new();
    let config = r#"{"delay_secs": 3600}"#;
    assert_eq!(ask(&guard(config), Cause::Kicked), WillDecision::Delay(3600));
    assert_eq!(ask(&guard(config), Cause::Kicked), WillDecision::Publish);
}

#[test]
fn each_connection_is_waited_for() {
    let _host = Mock::new();
    let guard = guard("{}");
    let will = Message::new("state", "gone");
    assert_eq!(
        guard.on_will(1, Cause::ConnectionLost, &will),
        WillDecision::Delay(10)
    );
    assert_eq!(
        guard.on_will(2, Cause::ConnectionLost, &will),
        WillDecision::Delay(10)
    );
    assert_eq!(
        guard.on_will(1, Cause::ConnectionLost, &will),
        WillDecision::Publish
    );
}

#[test]
fn a_broker_that_asks_late_or_again_gets_no_second_delay() {
    for (delay_secs, late_secs) in [(1, 599), (10, 600), (3600, 599), (3600, 0)] {
        let host = Mock::new();
        let guard = guard(&format!(r#"{{"delay_secs": {delay_secs}}}"#));
        assert_eq!(
            ask(&guard, Cause::ConnectionLost),
            WillDecision::Delay(delay_secs)
        );
        host.advance(Duration::from_secs(u64::from(delay_secs) + late_secs) - Duration::from_millis(1));
        // Plugins after this one may delay the will for an hour, again and again.
        for _ in 0..5 {
            assert_eq!(ask(&guard, Cause::ConnectionLost), WillDecision::Publish);
            host.advance(Duration::from_secs(3600 + late_secs) - Duration::from_millis(1));
        }
    }
}

#[test]
fn what_is_kept_goes_away() {
    let host = Mock::new();
    let guard = guard("{}");
    assert_eq!(ask(&guard, Cause::ConnectionLost), WillDecision::Delay(10));
    host.advance(Duration::from_secs(611));
    assert_eq!(hookwire_plugin::kv::get("7"), None);
}

/// Without memory a will would be delayed for ever.
#[test]
fn a_will_that_cannot_be_remembered_is_published() {
    let host = Mock::new();
    host.limit_kv_bytes(0);
    let guard = guard("{}");
    assert_eq!(ask(&guard, Cause::ConnectionLost), WillDecision::Publish);
    let expected = "warn: a will is published without delay: kv: Error::QuotaExceeded; grant it more bytes";
    assert_eq!(host.log_lines(), [expected]);
}

#[test]
fn no_delay_needs_no_memory() {
    let host = Mock::new();
    host.limit_kv_bytes(0);
    assert_eq!(
        ask(&guard(r#"{"delay_secs": 0}"#), Cause::ConnectionLost),
        WillDecision::Publish
    );
    assert!(host.log_lines().is_empty());
}

#[test]
fn wills_are_suppressed_by_cause() {
    let _host = Mock::new();
    let is_suppressed = |guard: WillGuard| CAUSES.map(|cause| ask(&guard, cause) == WillDecision::Suppress);
    assert_eq!(
        is_suppressed(guard("{}")),
        [false, false, false, false, true, false, false]
    );
    assert_eq!(is_suppressed(guard(r#"{"suppress_causes": []}"#)), [false; 7]);
    let all = CAUSES.map(|cause| format!("{:?}", cause::name(cause))).join(",");
    assert_eq!(
        is_suppressed(guard(&format!(r#"{{"suppress_causes": [{all}]}}"#))),
        [true; 7]
    );
}

#[test]
fn other_topics_are_left_alone() {
    let _host = Mock::new();
    let guard = guard(r##"{"only_topics": ["devices/+/state", "state/#"], "stamp_property": "cause"}"##);
    let decide = |topic| guard.on_will(7, Cause::TakenOver, &Message::new(topic, ""));
    assert_eq!(decide("devices/7/state"), WillDecision::Suppress);
    assert_eq!(decide("state/7"), WillDecision::Suppress);
    assert_eq!(decide("devices/7"), WillDecision::Publish);
}

#[test]
fn the_cause_is_stamped_on_the_will() {
    let _host = Mock::new();
    let guard = guard(r#"{"stamp_property": "will-cause"}"#);
    let mut properties = PropertiesBuf {
        message_expiry_secs: Some(60),
        ..PropertiesBuf::default()
    };
    properties.push_user_property("will-cause", "forged");
    properties.push_user_property("site", "x");
    let will = Message::new("state/7", "gone").with_properties(&properties);
    assert_eq!(
        guard.on_will(7, Cause::KeepAliveTimeout, &will),
        WillDecision::Delay(10)
    );

    let mut expected = PropertiesBuf {
        message_expiry_secs: Some(60),
        ..PropertiesBuf::default()
    };
    expected.push_user_property("site", "x");
    expected.push_user_property("will-cause", "keep-alive-timeout");
    let stamped = guard.on_will(7, Cause::KeepAliveTimeout, &will);
    assert_eq!(stamped, Replacement::properties(expected).into());
}

#[test]
fn a_will_without_properties_is_stamped_as_well() {
    let _host = Mock::new();
    let mut expected = PropertiesBuf::default();
    expected.push_user_property("why", "requested");
    let stamped = ask(&guard(r#"{"stamp_property": "why"}"#), Cause::Requested);
    assert_eq!(stamped, Replacement::properties(expected).into());
}

#[test]
fn each_problem_is_named_where_it_is() {
    let cases = [
        (r#"{"delay_secs": 3601}"#, "delay_secs", "at most 3600"),
        (r#"{"delay_secs": -1}"#, "delay_secs", "invalid value"),
        (
            r#"{"suppress_causes": ["taken-over", "boredom"]}"#,
            "suppress_causes.1",
            "unknown cause `boredom`",
        ),
        (r#"{"only_topics": []}"#, "only_topics", "at least one"),
        (
            r#"{"only_topics": ["a", "a/b+"]}"#,
            "only_topics.1",
            "`+` must be",
        ),
        (r#"{"stamp_property": ""}"#, "stamp_property", "1 to 65,535 bytes"),
        (r#"{"max_per_minute": 5}"#, "max_per_minute", "unknown field"),
    ];
    for (config, path, message) in cases {
        let found = problems(config);
        let [(found_path, found_message)] = found.as_slice() else {
            panic!("{config}: {found:?}")
        };
        assert!(
            found_path == path && found_message.contains(message),
            "{config}: {found_path}: {found_message}"
        );
    }
}

#[test]
fn all_problems_are_reported_at_once() {
    let found = problems(r#"{"delay_secs": 9999, "only_topics": ["", "a#"], "stamp_property": "\u0000"}"#);
    let paths: Vec<_> = found.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(
        paths,
        ["delay_secs", "only_topics.0", "only_topics.1", "stamp_property"]
    );
}
