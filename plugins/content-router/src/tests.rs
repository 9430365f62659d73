//! Tests of the plugin as the broker sees it.

use hookwire_plugin::mock::{self, Mock};

use super::*;
use crate::allocations;

fn router(rules: &str) -> ContentRouter {
    mock::plugin(&format!(r#"{{"rules": [{rules}]}}"#)).unwrap()
}

fn copies(router: &ContentRouter, message: &Message<'_>) -> Vec<String> {
    match router.route(message, &Recipients::default()) {
        RouteDecision::Default => Vec::new(),
        RouteDecision::Change(routing) => {
            assert_eq!(
                Routing {
                    copies: Vec::new(),
                    ..routing.clone()
                },
                Routing::default()
            );
            routing.copies
        }
    }
}

fn rewritten(topic: &str) -> Verdict {
    Replacement::topic(topic).into()
}

/// Paths and messages of what is wrong.
fn problems(config: &str) -> Vec<(String, String)> {
    let Err(problems) = mock::plugin::<ContentRouter>(config) else {
        panic!("accepted: {config}")
    };
    problems
        .0
        .into_iter()
        .map(|problem| (problem.path, problem.message))
        .collect()
}

#[test]
fn messages_of_other_topics_pass() {
    let router = router(r#"{"topic": "a/+", "drop": true}, {"topic": "a/#", "copy_to": "b"}"#);
    assert_eq!(router.on_publish(&Message::new("b/a", "")), Verdict::pass());
    assert!(copies(&router, &Message::new("b/a", "")).is_empty());
}

#[test]
fn hot_readings_are_copied() {
    let router =
        router(r#"{"topic": "s/+/data", "field": "/temperature", "above": 80, "copy_to": "alerts/{1}"}"#);
    let copied = |payload| copies(&router, &Message::new("s/7/data", payload));
    assert_eq!(copied(r#"{"temperature": 80.5}"#), ["alerts/7"]);
    for payload in [
        r#"{"temperature": 80}"#,
        r#"{"temperature": "90"}"#,
        r#"{"humidity": 90}"#,
        "90",
        "",
    ] {
        assert!(copied(payload).is_empty(), "{payload}");
    }
    assert_eq!(
        router.on_publish(&Message::new("s/7/data", r#"{"temperature": 99}"#)),
        Verdict::pass()
    );
}

#[test]
fn all_matching_copies_apply_and_each_topic_once() {
    let router = router(
        r##"{"topic": "a/#", "copy_to": "x/{topic}"}, {"topic": "a/+", "copy_to": "y/{1}"},
        {"topic": "a/b", "copy_to": "y/b"}, {"topic": "a/b", "copy_to": "{topic}"}, {"topic": "c", "copy_to": "z"}"##,
    );
    assert_eq!(copies(&router, &Message::new("a/b", "")), ["x/a/b", "y/b"]);
}

#[test]
fn a_copy_that_cannot_be_named_is_left_out_and_logged() {
    let host = Mock::new();
    let router = router(r#"{"topic": "a/+", "copy_to": "{1}/x"}, {"topic": "a/+", "copy_to": "y"}"#);
    assert_eq!(copies(&router, &Message::new("a/$SYS", "")), ["y"]);
    assert_eq!(
        host.log_lines(),
        [r#"warn: no copy of "a/$SYS": the result of copy_to is no topic"#]
    );
}

#[test]
fn the_first_of_rewrite_drop_and_reject_wins() {
    let router = router(
        r##"{"topic": "a/1", "drop": true}, {"topic": "a/2", "reject": "no"}, {"topic": "a/#", "rewrite": "b/{#}"},
        {"topic": "a/#", "drop": true}, {"topic": "a/#", "rewrite": "c"}"##,
    );
    assert_eq!(router.on_publish(&Message::new("a/1", "")), Verdict::drop());
    assert_eq!(
        router.on_publish(&Message::new("a/2", "")),
        Verdict::reject(Reason::ImplementationSpecific, "no")
    );
    assert_eq!(router.on_publish(&Message::new("a/3/x", "")), rewritten("b/3/x"));
    assert_eq!(router.on_publish(&Message::new("a", "")), rewritten("b"));
}

#[test]
fn a_rewritten_topic_is_not_rewritten_again() {
    let router = router(r##"{"topic": "a/#", "rewrite": "a/b/{#}"}, {"topic": "b", "rewrite": "a"}"##);
    assert_eq!(router.on_publish(&Message::new("a/x", "")), rewritten("a/b/x"));
    assert_eq!(router.on_publish(&Message::new("b", "")), rewritten("a"));
}

#[test]
fn a_rewrite_that_yields_no_topic_refuses_the_message() {
    let router = router(r#"{"topic": "a/+", "rewrite": "{1}/x"}"#);
    let refused = Verdict::reject(Reason::TopicNameInvalid, "the topic cannot be rewritten");
    assert_eq!(router.on_publish(&Message::new("a/$SYS", "")), refused);
    assert_eq!(router.on_publish(&Message::new("a/b", "")), rewritten("b/x"));
}

#[test]
fn a_rewrite_to_the_same_topic_passes_and_ends_the_search() {
    let router = router(r##"{"topic": "a/1", "rewrite": "{topic}"}, {"topic": "a/#", "drop": true}"##);
    assert_eq!(router.on_publish(&Message::new("a/1", "")), Verdict::pass());
    assert_eq!(router.on_publish(&Message::new("a/2", "")), Verdict::drop());
}

#[test]
fn retained_messages_are_not_retained_also_when_rewritten() {
    let router = router(r#"{"topic": "a", "rewrite": "b"}, {"topic": "+", "retain": false}"#);
    let retained = |topic| router.on_publish(&Message::new(topic, "").with_retain(true));
    assert_eq!(retained("a"), Replacement::topic("b").and_retain(false).into());
    assert_eq!(retained("c"), Replacement::default().and_retain(false).into());
    assert_eq!(router.on_publish(&Message::new("c", "")), Verdict::pass());
}

#[test]
fn payloads_are_refused_for_what_is_in_them() {
    let router = router(
        r#"{"topic": "a", "field": "id", "exists": false, "reject": "no id"},
        {"topic": "a", "field": "/unit", "not_equals": "C", "reject": "Celsius only"}"#,
    );
    let judge = |payload| router.on_publish(&Message::new("a", payload));
    let no_id = Verdict::reject(Reason::PayloadFormatInvalid, "no id");
    assert_eq!(judge("not json"), no_id);
    assert_eq!(judge("{}"), no_id);
    assert_eq!(
        judge(r#"{"id": 1, "unit": "F"}"#),
        Verdict::reject(Reason::PayloadFormatInvalid, "Celsius only")
    );
    assert_eq!(judge(r#"{"id": 1, "unit": "C"}"#), Verdict::pass());
    assert_eq!(judge(r#"{"id": 1}"#), Verdict::pass());
}

#[test]
fn large_payloads_are_not_parsed() {
    let config =
        r#"{"max_payload": 10, "rules": [{"topic": "a", "field": "x", "exists": false, "drop": true}]}"#;
    let small: ContentRouter = mock::plugin(config).unwrap();
    assert_eq!(
        small.on_publish(&Message::new("a", r#"{"y":1}   "#)),
        Verdict::drop()
    );
    assert_eq!(
        small.on_publish(&Message::new("a", r#"{"y":1}    "#)),
        Verdict::pass()
    );
    let default = router(r#"{"topic": "a", "field": "x", "equals": 1, "drop": true}"#);
    let padded = |bytes: usize| [r#"{"x":1}"#, &" ".repeat(bytes - 7)].concat();
    assert_eq!(
        default.on_publish(&Message::new("a", &padded(65_536))),
        Verdict::drop()
    );
    assert_eq!(
        default.on_publish(&Message::new("a", &padded(65_537))),
        Verdict::pass()
    );
}

#[test]
fn user_properties_are_compared() {
    let router = router(
        r#"{"topic": "a", "property": "level", "above": 3, "copy_to": "alerts"},
        {"topic": "a", "property": "tenant", "exists": false, "reject": "no tenant"}"#,
    );
    let mut properties = PropertiesBuf::default();
    properties.push_user_property("level", "4");
    let message = Message::new("a", "").with_properties(&properties);
    assert_eq!(copies(&router, &message), ["alerts"]);
    assert_eq!(
        router.on_publish(&message),
        Verdict::reject(Reason::ImplementationSpecific, "no tenant")
    );
    properties.push_user_property("tenant", "");
    let message = Message::new("a", "").with_properties(&properties);
    assert_eq!(router.on_publish(&message), Verdict::pass());
    assert!(copies(&router, &Message::new("a", "")).is_empty());
}

#[test]
fn interests_are_those_of_each_hooks_rules() {
    let router = router(
        r##"{"topic": "a/#", "field": "x", "exists": true, "copy_to": "c"}, {"topic": "a/#", "copy_to": "d"},
        {"topic": "b", "property": "x", "exists": true, "drop": true}, {"topic": "e", "retain": false}"##,
    );
    let interests = router.interests();
    assert_eq!(
        interests.route,
        MessageInterest::topics(["a/#"]).without_properties()
    );
    assert_eq!(
        interests.on_publish,
        MessageInterest::topics(["b", "e"]).without_payload()
    );
}

#[test]
fn a_hook_without_rules_wants_no_message() {
    let interests = router(r#"{"topic": "a", "copy_to": "b"}"#).interests();
    assert_eq!(interests.on_publish, MessageInterest::none());
    assert_eq!(
        interests.route,
        MessageInterest::topics(["a"])
            .without_payload()
            .without_properties()
    );
    assert_eq!(router("").interests().route, MessageInterest::none());
}

#[test]
fn each_problem_is_named_where_it_is() {
    let cases = [
        (
            r#""topic": "a/#/b", "drop": true"#,
            "rules.0.topic",
            "`#` must be",
        ),
        (
            r#""topic": "a", "copy_to": "b/{1}""#,
            "rules.0.copy_to",
            "no such `+`",
        ),
        (
            r#""topic": "a", "rewrite": "b/+""#,
            "rules.0.rewrite",
            "must not contain",
        ),
        (
            r#""topic": "a", "field": "/x~", "exists": true, "drop": true"#,
            "rules.0.field",
            "JSON pointer",
        ),
        (
            r#""topic": "a", "property": "", "exists": true, "drop": true"#,
            "rules.0.property",
            "not empty",
        ),
        (r#""topic": "a""#, "rules.0", "no action"),
        (
            r#""topic": "a", "drop": true, "retain": false"#,
            "rules.0.retain",
            "the rule has drop already",
        ),
        (r#""topic": "a", "drop": false"#, "rules.0.drop", "expected true"),
        (
            r#""topic": "a", "retain": true"#,
            "rules.0.retain",
            "expected false",
        ),
        (r#""topic": "a", "reject": """#, "rules.0.reject", "not empty"),
        (
            r#""topic": "a", "drop": true, "field": "x""#,
            "rules.0",
            "no comparison",
        ),
        (
            r#""topic": "a", "drop": true, "above": 1"#,
            "rules.0",
            "expected field or property",
        ),
        (
            r#""topic": "a", "drop": true, "field": "x", "property": "x", "above": 1"#,
            "rules.0.property",
            "either field or property",
        ),
        (
            r#""topic": "a", "drop": true, "field": "x", "above": 1, "below": 2"#,
            "rules.0.below",
            "the rule has above already",
        ),
        (
            r#""topic": "a", "drop": true, "field": "x", "above": "1""#,
            "rules.0.above",
            "expected a number",
        ),
        (
            r#""topic": "a", "drop": true, "field": "x", "equals": [1]"#,
            "rules.0.equals",
            "expected a text, a number, true or false",
        ),
        (
            r#""topic": "a", "drop": true, "colour": 1"#,
            "rules.0.colour",
            "unknown field",
        ),
        (r#""drop": true"#, "rules.0", "missing field `topic`"),
    ];
    for (rule, path, message) in cases {
        let found = problems(&format!(r#"{{"rules": [{{{rule}}}]}}"#));
        let [(found_path, found_message)] = found.as_slice() else {
            panic!("{rule}: {found:?}")
        };
        assert!(
            found_path == path && found_message.contains(message),
            "{rule}: {found_path}: {found_message}"
        );
    }
}

#[test]
fn all_problems_are_reported_at_once() {
    let found = problems(
        r#"{"rules": [{"topic": "a", "copy_to": "{9}"}, {"topic": "a", "drop": true},
        {"topic": "+x", "copy_to": "", "field": "a/b", "exists": true}]}"#,
    );
    let paths: Vec<_> = found.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, ["rules.0.copy_to", "rules.2.topic", "rules.2.field"]);
}

#[test]
fn rules_are_required() {
    assert_eq!(problems("{}")[0].1, "missing field `rules`");
}

#[test]
fn messages_that_match_no_rule_cost_no_allocation() {
    let router = router(
        r#"{"topic": "a/+", "field": "/x/0", "equals": "hot", "rewrite": "b"},
        {"topic": "a/+", "property": "level", "equals": 3, "copy_to": "c/{1}"},
        {"topic": "a/+", "field": "y", "above": 1, "copy_to": "c/{1}"}"#,
    );
    let mut properties = PropertiesBuf::default();
    properties.push_user_property("level", "4");
    let allocations = |topic, payload: &str| {
        let message = Message::new(topic, payload).with_properties(&properties);
        let (recipients, before) = (Recipients::default(), allocations::count());
        assert_eq!(router.on_publish(&message), Verdict::Pass);
        assert_eq!(router.route(&message, &recipients), RouteDecision::Default);
        allocations::count() - before
    };
    assert_eq!(allocations("b/x", r#"{"x": ["hot"]}"#), 0);
    assert_eq!(
        allocations("a/x", r#"{"x": ["cold", 1], "y": -0.5, "z": true}"#),
        0
    );
    // An error of the parser is one.
    assert!(allocations("a/x", "not json") > 0);
}
