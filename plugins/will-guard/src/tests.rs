//! Tests of the plugin as the broker sees it.

use hookwire_plugin::mock;

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
    guard.on_will(7, cause, Delays::default(), &Message::new("state/7", "gone"))
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
    assert_eq!(ask(&guard("{}"), Cause::ConnectionLost), WillDecision::Delay(10));
}

#[test]
fn only_clients_that_may_be_back_are_waited_for() {
    let delayed = CAUSES.map(|cause| {
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
fn a_will_is_held_back_once_whoever_held_it() {
    let guard = guard("{}");
    for times in [1, 2] {
        let delays = Delays { times, secs: 1 };
        let decision = guard.on_will(7, Cause::ConnectionLost, delays, &Message::new("state/7", "gone"));
        assert_eq!(decision, WillDecision::Publish);
    }
}

#[test]
fn no_delay_is_no_delay() {
    assert_eq!(
        ask(&guard(r#"{"delay_secs": 0}"#), Cause::ConnectionLost),
        WillDecision::Publish
    );
}

#[test]
fn wills_are_suppressed_by_cause() {
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
    let guard = guard(r##"{"only_topics": ["devices/+/state", "state/#"], "stamp_property": "cause"}"##);
    let decide = |topic| guard.on_will(7, Cause::TakenOver, Delays::default(), &Message::new(topic, ""));
    assert_eq!(decide("devices/7/state"), WillDecision::Suppress);
    assert_eq!(decide("state/7"), WillDecision::Suppress);
    assert_eq!(decide("devices/7"), WillDecision::Publish);
}

#[test]
fn the_cause_is_stamped_on_the_will() {
    let guard = guard(r#"{"stamp_property": "will-cause"}"#);
    let mut properties = PropertiesBuf {
        message_expiry_secs: Some(60),
        ..PropertiesBuf::default()
    };
    properties.push_user_property("will-cause", "forged");
    properties.push_user_property("site", "x");
    let will = Message::new("state/7", "gone").with_properties(&properties);
    let decide = |delays| guard.on_will(7, Cause::KeepAliveTimeout, delays, &will);
    assert_eq!(decide(Delays::default()), WillDecision::Delay(10));

    let mut expected = PropertiesBuf {
        message_expiry_secs: Some(60),
        ..PropertiesBuf::default()
    };
    expected.push_user_property("site", "x");
    expected.push_user_property("will-cause", "keep-alive-timeout");
    let stamped = decide(Delays { times: 1, secs: 10 });
    assert_eq!(stamped, Replacement::properties(expected).into());
}

#[test]
fn a_will_without_properties_is_stamped_as_well() {
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
