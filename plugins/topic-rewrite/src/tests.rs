//! Tests of the plugin as the broker sees it.

use hookwire_plugin::mock;

use super::*;

fn plugin(rules: &str) -> TopicRewrite {
    mock::plugin(&format!(r#"{{"rules": [{rules}]}}"#)).unwrap()
}

/// What a message's topic becomes.
fn published(plugin: &TopicRewrite, topic: &str) -> String {
    match plugin.on_publish(&Message::new(topic, "x")) {
        Verdict::Pass => topic.to_owned(),
        Verdict::Replace(replacement) => {
            assert!(replacement.payload.is_none() && replacement.properties.is_none());
            replacement.topic.unwrap()
        }
        other => format!("{other:?}"),
    }
}

#[test]
fn the_first_rule_that_matches_renames_once() {
    let plugin = plugin(
        r#"{"from": "legacy/+/temp", "to": "sensors/{1}/temperature"},
           {"from": "legacy/#", "to": "old/{#}"},
           {"from": "old/#", "to": "never/{#}"},
           {"from": "a/+/+", "to": "{2}/{1}"},
           {"from": "same/+", "to": "{topic}"}"#,
    );
    let cases = [
        ("legacy/7/temp", "sensors/7/temperature"),
        ("legacy/7/hum", "old/7/hum"),
        ("legacy", "old"),
        ("old/x", "never/x"),
        ("a/b/c", "c/b"),
        ("same/1", "same/1"),
        ("other", "other"),
    ];
    for (topic, expected) in cases {
        assert_eq!(published(&plugin, topic), expected, "{topic}");
    }
}

#[test]
fn a_topic_that_cannot_be_renamed_is_refused() {
    let plugin = plugin(r#"{"from": "a/+", "to": "{1}"}"#);
    let refused = Verdict::reject(Reason::TopicNameInvalid, "the topic cannot be rewritten");
    for topic in ["a/", "a/$SYS", "a/$share"] {
        assert_eq!(plugin.on_publish(&Message::new(topic, "x")), refused, "{topic}");
    }
    assert_eq!(published(&plugin, "a/b"), "b");
}

fn subscribed(plugin: &TopicRewrite, filter: &str) -> String {
    let request = SubscribeRequest {
        qos: Qos::AtLeastOnce,
        no_local: true,
        ..SubscribeRequest::new(filter)
    };
    match plugin.on_subscribe(1, &request) {
        SubscribeDecision::Pass => filter.to_owned(),
        SubscribeDecision::Replace(made) => {
            assert_eq!(request.with_filter(&made.filter), made, "all else stays");
            made.filter
        }
        other => format!("{other:?}"),
    }
}

#[test]
fn subscriptions_follow() {
    let plugin = plugin(
        r#"{"from": "legacy/+/temp", "to": "sensors/{1}/temperature"},
           {"from": "legacy/#", "to": "old/{#}"},
           {"at": ["subscribe"], "from": "x/+", "to": "{1}-x"},
           {"at": ["publish"], "from": "only/#", "to": "published/{#}"}"#,
    );
    let cases = [
        ("legacy/7/temp", "sensors/7/temperature"),
        ("legacy/+/temp", "sensors/+/temperature"),
        ("legacy/#", "old/#"),
        ("legacy/+/+", "old/+/+"),
        ("#", "#"),
        ("+/7/temp", "+/7/temp"),
        ("only/#", "only/#"),
        ("x/1", "1-x"),
    ];
    for (filter, expected) in cases {
        assert_eq!(subscribed(&plugin, filter), expected, "{filter}");
    }
    let reason = SubscribeReason::TopicFilterInvalid;
    assert_eq!(
        plugin.on_subscribe(1, &SubscribeRequest::new("x/+")),
        reason.into()
    );
    assert_eq!(published(&plugin, "x/1"), "x/1");
}

#[test]
fn recipients_may_be_told_another_name() {
    let plugin = plugin(
        r#"{"at": ["deliver"], "from": "sensors/+/temperature", "to": "legacy/{1}/temp"}, {"at": ["deliver"], "from": "a/+", "to": "{1}"}"#,
    );
    let told = |topic: &str| match plugin.deliver(1, &Message::new(topic, "x")) {
        DeliverDecision::Replace(replacement) => replacement.topic.unwrap(),
        _ => topic.to_owned(),
    };
    assert_eq!(told("sensors/7/temperature"), "legacy/7/temp");
    assert_eq!(told("other"), "other");
    assert_eq!(told("a/"), "a/", "better than nothing");
    assert_eq!(
        published(&plugin, "sensors/7/temperature"),
        "sensors/7/temperature"
    );
    let interests = plugin.interests();
    assert_eq!(
        interests.deliver.topics.unwrap(),
        ["a/+", "sensors/+/temperature"]
    );
    assert_eq!(
        interests.on_publish.topics.unwrap(),
        [""; 0],
        "nobody pays for what is not wanted"
    );
}

#[test]
fn mistakes_are_told() {
    let cases = [
        (r#"{"from": "a/#/b", "to": "x"}"#, "rules.0.from"),
        (r#"{"from": "a/+", "to": "{2}"}"#, "rules.0.to"),
        (r#"{"from": "a/+", "to": "b/#"}"#, "rules.0.to"),
        (r#"{"from": "a", "to": "$SYS/a"}"#, "rules.0.to"),
        (r#"{"from": "a", "to": "b", "at": []}"#, "rules.0.at"),
        (r#"{"from": "a", "to": "b", "at": ["home"]}"#, "rules.0.at.0"),
    ];
    for (rules, path) in cases {
        let Err(problems) = mock::plugin::<TopicRewrite>(&format!(r#"{{"rules": [{rules}]}}"#)) else {
            panic!("accepted: {rules}")
        };
        assert_eq!(problems.0[0].path, path, "{rules}: {problems}");
    }
}
