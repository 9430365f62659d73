//! Tests of the plugin as the broker sees it. All hashes are of `secret`, made with Python's `argon2` and `hashlib`.

use hookwire_plugin::authenticate::{RuleAction, TopicRule};
use hookwire_plugin::mock;

use super::*;

const ARGON2: &str =
    "$argon2id$v=19$m=64,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$pbviq+1UUgwZCmLIr4Hgk7mEMsxnRLuOb2HfvIaBwGY";
const PBKDF2: &str = "$7$101$c2FsdHNhbHQxMjM0$ZUDL/DOTpY+j0vU6TLx17Ud6QVkZosWH6ghaAn9+ZXE8Ez+WqSO7budZ+V/w+wbgfVMSVIvQMl6Mf0XvMEwcdg==";
const SHA512: &str = "$6$c2FsdHNhbHQxMjM0$/0C1FrmgYAJVf4u5SX25qtl6BLuzCQ3pnatuw8/FbVp02lFNUTA6iMk28G7KK5mKe/CaMR0Pe2DIa2KARlJ2cA==";

fn plugin(config: &str) -> PasswordFile {
    mock::plugin(config).unwrap_or_else(|problems| panic!("{problems}"))
}

fn three_users() -> PasswordFile {
    let lines = format!("# people\nargon:{ARGON2}\nmosquitto2:{PBKDF2}\r\nmosquitto1:{SHA512}\n");
    plugin(&format!(r#"{{"passwords": {lines:?}}}"#))
}

fn log_in(plugin: &PasswordFile, username: &str, password: &str) -> Outcome {
    plugin.authenticate(&Credentials::new("c").with_password(username, password))
}

fn denied() -> Outcome {
    Outcome::Deny(ConnectReason::BadUserNameOrPassword.into())
}

fn problems(config: &str) -> Vec<(String, String)> {
    let Err(problems) = mock::plugin::<PasswordFile>(config) else { panic!("accepted") };
    problems.0.into_iter().map(|problem| (problem.path, problem.message)).collect()
}

#[test]
fn every_form_of_hash_is_compared() {
    let plugin = three_users();
    for user in ["argon", "mosquitto2", "mosquitto1"] {
        assert_eq!(log_in(&plugin, user, "secret"), Outcome::allow(Grant::default()), "{user}");
        for wrong in ["Secret", "", "secrets", "secre"] {
            assert_eq!(log_in(&plugin, user, wrong), denied(), "{user} {wrong:?}");
        }
    }
}

#[test]
fn argon2_with_lanes_and_rounds() {
    let hash = "$argon2id$v=19$m=64,t=2,p=2$MDEyMzQ1Njc4OWFiY2RlZg$bmZ+86knWgTqt4vDSyS8UEzA/fmIy/6TbXnpyTZIYqA";
    let plugin = plugin(&format!(r#"{{"users": [{{"name": "a", "password": "{hash}"}}]}}"#));
    assert_eq!(log_in(&plugin, "a", "hunter2"), Outcome::allow(Grant::default()));
    assert_eq!(log_in(&plugin, "a", "hunter3"), denied());
}

#[test]
fn the_unknown_are_denied() {
    let plugin = three_users();
    assert_eq!(log_in(&plugin, "nobody", "secret"), denied());
    assert_eq!(log_in(&plugin, "", ""), denied());
    assert_eq!(log_in(&plugin, "Argon", "secret"), denied());
    let no_password = Credentials { username: Some("argon".into()), ..Credentials::new("c") };
    assert_eq!(plugin.authenticate(&no_password), denied());
    assert_eq!(log_in(&self::plugin("{}"), "a", ""), denied());
}

#[test]
fn or_left_to_the_next_plugin() {
    let config = |more: &str| format!(r#"{{"passwords": "a:{SHA512}"{more}}}"#);
    let anonymous = Credentials::new("c");
    let unknown = Credentials::new("c").with_password("b", "secret");
    let wrong = Credentials::new("c").with_password("a", "wrong");

    let default = plugin(&config(""));
    assert_eq!(default.authenticate(&anonymous), Outcome::Next);
    assert_eq!(default.authenticate(&unknown), denied());
    let turned = plugin(&config(r#", "anonymous": "deny", "unknown": "next""#));
    assert_eq!(turned.authenticate(&anonymous), denied());
    assert_eq!(turned.authenticate(&unknown), Outcome::Next);
    assert_eq!(turned.authenticate(&wrong), denied());
}

#[test]
fn users_get_what_their_table_says() {
    let plugin = plugin(&format!(
        r##"{{"passwords": "a:{SHA512}", "users": [{{
            "name": "a", "superuser": true, "mount_point": "tenants/a/", "attributes": {{"team": "x"}},
            "rules": [{{"allow": "all", "topic": "d/%c/#"}}, {{"deny": "publish", "topic": "#"}}]
        }}]}}"##
    ));
    let grant = Grant {
        superuser: true,
        mount_point: Some("tenants/a/".into()),
        attributes: vec![UserProperty::new("team", "x")],
        rules: vec![TopicRule::allow(RuleAction::Both, "d/%c/#"), TopicRule::deny(RuleAction::Publish, "#")],
        ..Grant::default()
    };
    assert_eq!(log_in(&plugin, "a", "secret"), Outcome::allow(grant));
}

/// CVE-2018-12551: a blank or malformed line let everyone in.
#[test]
fn malformed_lines_are_named() {
    let lines = format!("a:{SHA512}\n\nb\nc:\n:{SHA512}\nd:plain\ne:$6$x$y\na:{SHA512}\nf:$7$0$c2FsdA==$c2FsdA==");
    let expected = [
        "line 2: expected `user:hash`",
        "line 3: expected `user:hash`",
        "line 4: user `c`: expected a hash that begins with `$argon2id$`, `$7$` or `$6$`",
        "line 5: the user name is empty",
        "line 6: user `d`: expected a hash that begins with `$argon2id$`, `$7$` or `$6$`",
        "line 7: user `e`: the hash is malformed",
        "line 8: there is a user `a` above",
        "line 9: user `f`: the hash is malformed",
    ];
    let expected = expected.map(|text| ("passwords".to_owned(), text.to_owned()));
    assert_eq!(problems(&format!(r#"{{"passwords": {lines:?}}}"#)), expected);
}

#[test]
fn problems_of_users_say_where() {
    let cases = [
        (r#"{"name": "a"}"#.to_owned(), "users.0"),
        (r#"{"name": "a", "password": "x"}"#.to_owned(), "users.0.password"),
        (format!(r#"{{"name": "in-file", "password": "{SHA512}"}}"#), "users.0.password"),
        (format!(r#"{{"name": "a", "password": "{SHA512}", "mount_point": "a"}}"#), "users.0.mount_point"),
        (format!(r#"{{"name": "a", "password": "{SHA512}", "rules": [{{"topic": "a"}}]}}"#), "users.0.rules.0"),
        (
            format!(r#"{{"name": "a", "password": "{SHA512}", "rules": [{{"allow": "all", "topic": "a#"}}]}}"#),
            "users.0.rules.0.topic",
        ),
        (format!(r#"{{"name": "a", "password": "{SHA512}", "rules": [{{"allow": "x", "topic": "a"}}]}}"#), "users.0.rules.0.allow"),
        (format!(r#"{{"name": "a", "password": "{SHA512}"}}, {{"name": "a", "password": "{SHA512}"}}"#), "users.1.name"),
    ];
    for (users, path) in cases {
        let found = problems(&format!(r#"{{"users": [{users}], "passwords": "in-file:{SHA512}"}}"#));
        assert_eq!(found.len(), 1, "{users}");
        assert_eq!(found[0].0, path, "{users}: {}", found[0].1);
        assert!(!found[0].1.contains(SHA512));
    }
}

#[test]
fn malformed_argon2_is_refused() {
    let cases = [
        "$argon2id$v=19$m=64,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg",
        "$argon2id$v=19$m=1,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$pbviq+1UUgwZCmLIr4Hgk7mEMsxnRLuOb2HfvIaBwGY",
        "$argon2id$v=99$m=64,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$pbviq+1UUgwZCmLIr4Hgk7mEMsxnRLuOb2HfvIaBwGY",
        "$argon2x$v=19$m=64,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$pbviq+1UUgwZCmLIr4Hgk7mEMsxnRLuOb2HfvIaBwGY",
        "$argon2id$",
    ];
    for hash in cases {
        assert_eq!(problems(&format!(r#"{{"passwords": "a:{hash}"}}"#)).len(), 1, "{hash}");
    }
}
