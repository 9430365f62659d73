//! Tests of the plugin as the broker sees it.

use hookwire_plugin::clients::Client;
use hookwire_plugin::mock::{self, Mock};

use super::*;

/// Clients 1 `sensor-1` of alice, 2 `gateway-7` without a user name, 3 `+` of `#`, 4 `$SYS` of `a/b`.
fn known_clients() -> Mock {
    let host = Mock::new();
    let clients = [
        ("sensor-1", Some("alice")),
        ("gateway-7", None),
        ("+", Some("#")),
        ("$SYS", Some("a/b")),
    ];
    for (key, (id, username)) in (1..).zip(clients) {
        host.add_client(
            key,
            Client {
                username: username.map(str::to_owned),
                ..Client::new(id)
            },
        );
    }
    host
}

fn acl(config: &str) -> Acl {
    mock::plugin(config).unwrap()
}

#[track_caller]
fn check(acl: &Acl, cases: &[(ClientKey, Action, &str, bool)]) {
    for &(client, action, topic, allowed) in cases {
        let answer = acl.authorize(&Access::new(client, action, topic));
        let expected = if allowed {
            Decision::Allow
        } else {
            Decision::Deny(None)
        };
        assert_eq!(answer.decision, expected, "client {client}, {action:?} {topic}");
    }
}

fn problems(config: &str) -> Vec<(String, String)> {
    let Err(problems) = mock::plugin::<Acl>(config) else {
        panic!("accepted")
    };
    problems
        .0
        .into_iter()
        .map(|problem| (problem.path, problem.message))
        .collect()
}

#[test]
fn no_rules_deny_everything() {
    let _host = known_clients();
    for config in ["{}", r##"{"rules": [], "acl": ""}"##] {
        let acl = acl(config);
        check(
            &acl,
            &[
                (1, Action::Publish, "a", false),
                (1, Action::Subscribe, "a", false),
            ],
        );
    }
}

#[test]
fn the_first_match_decides() {
    let _host = known_clients();
    let acl = acl(r##"{"rules": [
        {"deny": "publish", "topic": "a/secret"},
        {"allow": "publish", "topic": "a/#"},
        {"deny": "all", "topic": "#"},
        {"allow": "all", "topic": "b"}
    ]}"##);
    check(
        &acl,
        &[
            (1, Action::Publish, "a/secret", false),
            (1, Action::Publish, "a/x", true),
            (1, Action::Will, "a/x", true),
            (1, Action::Subscribe, "a/x", false),
            (1, Action::Publish, "b", false),
        ],
    );
}

#[test]
fn rules_for_users_and_clients() {
    let _host = known_clients();
    let acl = acl(r##"{"rules": [
        {"allow": "publish", "topic": "u", "user": "al*e"},
        {"allow": "will", "topic": "w", "user": "*"},
        {"allow": "all", "topic": "g/#", "client": "gateway-*"}
    ]}"##);
    check(
        &acl,
        &[
            (1, Action::Publish, "u", true),
            (2, Action::Publish, "u", false),
            (1, Action::Will, "w", true),
            (1, Action::Publish, "w", false),
            (2, Action::Will, "w", false),
            (2, Action::Deliver, "g", true),
            (1, Action::Deliver, "g", false),
        ],
    );
}

#[test]
fn placeholders_are_the_clients_names() {
    let _host = known_clients();
    let acl = acl(r##"{"rules": [
        {"allow": "publish", "topic": "devices/%c/#"},
        {"allow": "subscribe", "topic": "users/x-%u/+"}
    ]}"##);
    check(
        &acl,
        &[
            (1, Action::Publish, "devices/sensor-1/t", true),
            (1, Action::Publish, "devices/sensor-2/t", false),
            (1, Action::Subscribe, "users/x-alice/+", true),
            (1, Action::Subscribe, "users/+/+", false),
            (2, Action::Subscribe, "users/x-/+", false),
        ],
    );
}

/// CVE-2017-7650: a client named `+` or `#` got at everybody's topics.
#[test]
fn names_never_act_as_wildcards() {
    let _host = known_clients();
    let acl = acl(r##"{"rules": [{"allow": "all", "topic": "d/%c/#"}, {"allow": "all", "topic": "u/%u"}]}"##);
    check(
        &acl,
        &[
            (3, Action::Publish, "d/sensor-1/t", false),
            (3, Action::Publish, "d/+/t", false),
            (3, Action::Subscribe, "d/+/#", false),
            (3, Action::Subscribe, "u/#", false),
            (4, Action::Publish, "u/a/b", false),
        ],
    );
}

#[test]
fn no_name_opens_the_dollar_topics() {
    let _host = known_clients();
    let acl = acl(r##"{"rules": [{"allow": "all", "topic": "%c/#"}]}"##);
    check(
        &acl,
        &[
            (4, Action::Publish, "$SYS/x", false),
            (1, Action::Publish, "sensor-1/x", true),
        ],
    );
}

#[test]
fn no_name_evades_a_denial() {
    let _host = known_clients();
    let acl = acl(
        r##"{"rules": [{"deny": "all", "topic": "log/%u/x"}, {"deny": "all", "topic": "%c/x"}], "default": "allow"}"##,
    );
    check(
        &acl,
        &[
            (1, Action::Publish, "log/alice/x", false),
            (1, Action::Publish, "log/bob/x", true),
            (2, Action::Publish, "log/bob/x", true),
            (4, Action::Publish, "log/a/b/x", false),
            (4, Action::Publish, "log/bob/x", false),
            (4, Action::Publish, "$SYS/x", false),
            (3, Action::Publish, "anything", false),
        ],
    );
}

#[test]
fn a_subscription_must_be_covered() {
    let _host = known_clients();
    let acl = acl(
        r##"{"rules": [{"allow": "subscribe", "topic": "a/+/c"}, {"allow": "subscribe", "topic": "b/#"}]}"##,
    );
    check(
        &acl,
        &[
            (1, Action::Subscribe, "a/x/c", true),
            (1, Action::Subscribe, "a/+/c", true),
            (1, Action::Subscribe, "a/#", false),
            (1, Action::Subscribe, "#", false),
            (1, Action::Subscribe, "b", true),
            (1, Action::Subscribe, "b/+/#", true),
            (1, Action::Subscribe, "b/#/x", false),
        ],
    );
}

#[test]
fn a_denied_part_is_held_back_at_delivery() {
    let _host = known_clients();
    let acl = acl(
        r##"{"rules": [{"deny": "subscribe", "topic": "a/secret/#"}, {"allow": "subscribe", "topic": "a/#"}]}"##,
    );
    check(
        &acl,
        &[
            (1, Action::Subscribe, "a/#", true),
            (1, Action::Subscribe, "a/secret/x", false),
            (1, Action::Deliver, "a/x", true),
            (1, Action::Deliver, "a/secret/x", false),
        ],
    );
    let all =
        AccessInterest::PUBLISH | AccessInterest::SUBSCRIBE | AccessInterest::WILL | AccessInterest::DELIVER;
    assert_eq!(acl.interests().authorize, all);
}

#[test]
fn or_the_subscription_is_refused() {
    let _host = known_clients();
    let acl = acl(r##"{"overlap": "refuse", "rules": [
            {"deny": "all", "topic": "a/secret/#"}, {"allow": "all", "topic": "a/#"}, {"allow": "all", "topic": "#"}
        ]}"##);
    check(
        &acl,
        &[
            (1, Action::Subscribe, "a/#", false),
            (1, Action::Subscribe, "a/+/x", false),
            (1, Action::Subscribe, "a/+", false),
            (1, Action::Subscribe, "a/public/#", true),
            (1, Action::Subscribe, "+/+/x", false),
            (1, Action::Subscribe, "b/#", true),
        ],
    );
    assert_eq!(acl.interests(), Interests::default());
}

#[test]
fn deliveries_are_asked_about_only_where_they_may_be_denied() {
    let deliver = |config: &str| acl(config).interests() != Interests::default();
    // A subscription may be older than the rules.
    assert!(deliver(r##"{"rules": [{"allow": "all", "topic": "a"}]}"##));
    assert!(deliver(r##"{"acl": "user a\ntopic b"}"##));
    for default in ["allow", "next"] {
        let rules = r##"{"allow": "all", "topic": "a"}, {"deny": "publish", "topic": "b"}"##;
        assert!(!deliver(&format!(
            r##"{{"default": "{default}", "rules": [{rules}]}}"##
        )));
        let denied = r##""acl": "user a\ntopic deny b""##;
        assert!(deliver(&format!(r##"{{"default": "{default}", {denied}}}"##)));
    }
    assert!(deliver(
        r##"{"rules": [{"deny": "deliver", "topic": "b"}], "overlap": "refuse"}"##
    ));
    assert!(!deliver(
        r##"{"rules": [{"deny": "all", "topic": "b"}], "overlap": "refuse"}"##
    ));
}

#[test]
fn defaults() {
    let _host = known_clients();
    let answer = |config| acl(config).authorize(&Access::new(1, Action::Publish, "a"));
    assert_eq!(answer(r##"{"cache_ms": 5}"##), Answer::deny().cached_for_ms(5));
    assert_eq!(
        answer(r##"{"default": "allow"}"##),
        Answer::allow().cached_for_ms(60_000)
    );
    assert_eq!(answer(r##"{"default": "next"}"##), Answer::next());
}

#[test]
fn a_client_that_nobody_knows_is_denied_and_not_remembered() {
    let host = known_clients();
    let acl = acl(r##"{"rules": [{"allow": "all", "topic": "a"}]}"##);
    let ask = |client| acl.authorize(&Access::new(client, Action::Publish, "a"));
    assert_eq!(ask(9), Answer::deny());
    host.add_client(9, Client::new("late"));
    assert_eq!(ask(9).decision, Decision::Allow);
    // 9 and 265 share a place in the cache.
    assert_eq!(ask(265), Answer::deny());
    assert_eq!(ask(9).decision, Decision::Allow);
}

#[test]
fn mosquitto_text() {
    let _host = known_clients();
    let text = r"# a comment
topic read public/#

user alice
topic readwrite a/#
topic deny a/secret
topic write log
topic spaces/are allowed
pattern read d/%c/#
pattern write u/%u/status
pattern deny d/+/off
";
    let acl = acl(&format!(r##"{{"acl": {text:?}}}"##));
    check(
        &acl,
        &[
            (2, Action::Subscribe, "public/x", true),
            (2, Action::Publish, "public/x", false),
            (1, Action::Subscribe, "public/x", false),
            (1, Action::Publish, "a/x", true),
            (1, Action::Publish, "a/secret", false),
            (1, Action::Deliver, "a/secret", false),
            (1, Action::Subscribe, "a/#", true),
            (1, Action::Publish, "log", true),
            (1, Action::Deliver, "log", false),
            (1, Action::Publish, "spaces/are allowed", true),
            (1, Action::Subscribe, "d/sensor-1/#", true),
            (1, Action::Deliver, "d/sensor-1/off", false),
            (1, Action::Will, "u/alice/status", true),
            (2, Action::Publish, "u//status", false),
            (3, Action::Subscribe, "d/+/#", false),
        ],
    );
}

#[test]
fn problems_say_where() {
    let cases = [
        (
            r##"{"rules": [{"allow": "all", "topic": "a/#/b"}]}"##,
            "rules.0.topic",
        ),
        (
            r##"{"rules": [{"allow": "all", "topic": "a"}, {"deny": "all", "topic": "%c#"}]}"##,
            "rules.1.topic",
        ),
        (r##"{"rules": [{"topic": "a"}]}"##, "rules.0"),
        (
            r##"{"rules": [{"allow": "all", "deny": "all", "topic": "a"}]}"##,
            "rules.0",
        ),
        (
            r##"{"rules": [{"allow": "everything", "topic": "a"}]}"##,
            "rules.0.allow",
        ),
        (
            r##"{"rules": [{"allow": "all", "topic": "a", "usr": "x"}]}"##,
            "rules.0.usr",
        ),
        (r##"{"acl": "topic raed a"}"##, "acl"),
    ];
    for (config, path) in cases {
        let found = problems(config);
        assert_eq!(found.len(), 1, "{config}");
        assert_eq!(found[0].0, path, "{config}: {}", found[0].1);
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let found = problems(
        r##"{"rules": [{"topic": "a"}, {"allow": "all", "topic": ""}], "acl": "user\ntopic a#\n\nusr x\npattern"}"##,
    );
    let expected = [
        ("rules.0", "expected either `allow` or `deny`"),
        ("rules.1.topic", "a topic filter must not be empty"),
        ("acl", "line 1: expected a name after `user`"),
        (
            "acl",
            "line 2: `a#`: `#` must be the whole last level of a topic filter",
        ),
        (
            "acl",
            "line 4: expected `user`, `topic` or `pattern`, found `usr`",
        ),
        ("acl", "line 5: ``: a topic filter must not be empty"),
    ];
    assert_eq!(
        found,
        expected.map(|(path, message)| (path.to_owned(), message.to_owned()))
    );
}
