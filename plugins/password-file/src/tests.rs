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
    plugin(&format!(r#"{{"users": {lines:?}}}"#))
}

fn log_in(plugin: &PasswordFile, username: &str, password: &str) -> Outcome {
    plugin.authenticate(&Credentials::new("c").with_password(username, password))
}

fn denied() -> Outcome {
    Outcome::Deny(ConnectReason::BadUserNameOrPassword.into())
}

fn problems(config: &str) -> Vec<(String, String)> {
    let Err(problems) = mock::plugin::<PasswordFile>(config) else {
        panic!("accepted")
    };
    problems
        .0
        .into_iter()
        .map(|problem| (problem.path, problem.message))
        .collect()
}

#[test]
fn every_form_of_hash_is_compared() {
    let plugin = three_users();
    for user in ["argon", "mosquitto2", "mosquitto1"] {
        assert_eq!(
            log_in(&plugin, user, "secret"),
            Outcome::allow(Grant::default()),
            "{user}"
        );
        for wrong in ["Secret", "", "secrets", "secre"] {
            assert_eq!(log_in(&plugin, user, wrong), denied(), "{user} {wrong:?}");
        }
    }
}

/// The lines are those of `mosquitto_passwd` 2.0.11, untouched.
#[test]
fn what_mosquitto_passwd_writes_is_read() {
    let lines = [
        "alice:$6$PMYFYa4jbMG365Hf$Ln9rML6dj3dXV1R1ZcUsQwXF6T7XYStkXNk0Nlq/lnvxpTASR3Ox+ArvXMgzuPJMyeDuG8wrOzwDZk1LvJFdhg==",
        "alice:$7$101$7ndr3HOuPohy/3aO$GxTg+P4bHMYD47k2ogvKZlgdjtptdIy08EIt7YKNtfzuLjRkT3PfxNIBisGouslDqstuRH47Ig3tdu2aJ8gDoQ==",
    ];
    for line in lines {
        let plugin = plugin(&format!(r#"{{"users": "{line}\n"}}"#));
        assert_eq!(
            log_in(&plugin, "alice", "secret"),
            Outcome::allow(Grant::default()),
            "{line}"
        );
        assert_eq!(log_in(&plugin, "alice", "secret2"), denied(), "{line}");
    }
}

#[test]
fn every_variant_of_argon2_is_compared() {
    let hashes = [
        "$argon2i$v=19$m=64,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$ydL2ZvaZLpzZK5nm2nRpR7psvxJVKIpRvQcD9QiFzUw",
        "$argon2d$v=19$m=64,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$Scqi27ZnsiOaL27KNyuCLBOAsVFCBP20bwq56zO4piI",
        "$argon2i$v=16$m=64,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$wdBEfc7eZNM6BGq5NevQMWvgBhDfrgaBUgiZf/EDFmQ",
        "$argon2id$v=19$m=128,t=3,p=4$MDEyMzQ1Njc4OWFiY2RlZg$j8efxso/Kt7OL0Mcm0SXhJ2SGQL7pvjzgICcQdlb7VA",
    ];
    for hash in hashes {
        let plugin = plugin(&format!(r#"{{"users": "a:{hash}"}}"#));
        assert_eq!(
            log_in(&plugin, "a", "secret"),
            Outcome::allow(Grant::default()),
            "{hash}"
        );
        assert_eq!(log_in(&plugin, "a", "Secret"), denied(), "{hash}");
    }
}

#[test]
fn argon2_with_lanes_and_rounds() {
    let hash =
        "$argon2id$v=19$m=64,t=2,p=2$MDEyMzQ1Njc4OWFiY2RlZg$bmZ+86knWgTqt4vDSyS8UEzA/fmIy/6TbXnpyTZIYqA";
    let plugin = plugin(&format!(r#"{{"user": [{{"name": "a", "password": "{hash}"}}]}}"#));
    assert_eq!(log_in(&plugin, "a", "hunter2"), Outcome::allow(Grant::default()));
    assert_eq!(log_in(&plugin, "a", "hunter3"), denied());
}

#[test]
fn the_unknown_are_denied() {
    let plugin = three_users();
    assert_eq!(log_in(&plugin, "nobody", "secret"), denied());
    assert_eq!(log_in(&plugin, "", ""), denied());
    assert_eq!(log_in(&plugin, "Argon", "secret"), denied());
    let no_password = Credentials {
        username: Some("argon".into()),
        ..Credentials::new("c")
    };
    assert_eq!(plugin.authenticate(&no_password), denied());
}

#[test]
fn or_left_to_the_next_plugin() {
    let config = |more: &str| format!(r#"{{"users": "a:{SHA512}"{more}}}"#);
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
        r##"{{"users": "a:{SHA512}", "user": [{{
            "name": "a", "superuser": true, "mount_point": "tenants/a/", "attributes": {{"team": "x"}},
            "rules": [{{"allow": "all", "topic": "d/%c/#"}}, {{"deny": "publish", "topic": "#"}}]
        }}]}}"##
    ));
    let grant = Grant {
        superuser: true,
        mount_point: Some("tenants/a/".into()),
        attributes: vec![UserProperty::new("team", "x")],
        rules: vec![
            TopicRule::allow(RuleAction::Both, "d/%c/#"),
            TopicRule::deny(RuleAction::Publish, "#"),
        ],
        ..Grant::default()
    };
    assert_eq!(log_in(&plugin, "a", "secret"), Outcome::allow(grant));
}

/// CVE-2018-12551: a malformed line let everyone in.
#[test]
fn malformed_lines_are_named() {
    let lines =
        format!("a:{SHA512}\n\nb\nc:\n:{SHA512}\nd:plain\ne:$6$x$y\na:{SHA512}\nf:$7$0$c2FsdA==$c2FsdA==");
    let expected = [
        "line 3: expected `name:hash`",
        "line 4: user `c`: expected a hash that begins with `$argon2id$`, `$2b$`, `$pbkdf2-sha512$`, `$7$` or `$6$`",
        "line 5: the user name is empty",
        "line 6: user `d`: expected a hash that begins with `$argon2id$`, `$2b$`, `$pbkdf2-sha512$`, `$7$` or `$6$`",
        "line 7: user `e`: the hash is malformed",
        "line 8: there is a user `a` above",
        "line 9: user `f`: the hash is malformed",
    ];
    let expected = expected.map(|text| ("users".to_owned(), text.to_owned()));
    assert_eq!(problems(&format!(r#"{{"users": {lines:?}}}"#)), expected);
}

#[test]
fn problems_of_users_say_where() {
    let cases = [
        (r#"{"name": "a"}"#.to_owned(), "user.0"),
        (r#"{"name": "a", "password": "x"}"#.to_owned(), "user.0.password"),
        (
            format!(r#"{{"name": "in-file", "password": "{SHA512}"}}"#),
            "user.0.password",
        ),
        (
            format!(r#"{{"name": "a", "password": "{SHA512}", "mount_point": "a"}}"#),
            "user.0.mount_point",
        ),
        (
            format!(r#"{{"name": "a", "password": "{SHA512}", "rules": [{{"topic": "a"}}]}}"#),
            "user.0.rules.0",
        ),
        (
            format!(
                r#"{{"name": "a", "password": "{SHA512}", "rules": [{{"allow": "all", "topic": "a#"}}]}}"#
            ),
            "user.0.rules.0.topic",
        ),
        (
            format!(r#"{{"name": "a", "password": "{SHA512}", "rules": [{{"allow": "x", "topic": "a"}}]}}"#),
            "user.0.rules.0.allow",
        ),
        (
            format!(r#"{{"name": "a", "password": "{SHA512}"}}, {{"name": "a", "password": "{SHA512}"}}"#),
            "user.1.name",
        ),
    ];
    for (users, path) in cases {
        let found = problems(&format!(r#"{{"user": [{users}], "users": "in-file:{SHA512}"}}"#));
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
        "$argon2id$v=19$m=64,t=1,p=1$MDEyMw$pbviq+1UUgwZCmLIr4Hgk7mEMsxnRLuOb2HfvIaBwGY",
    ];
    for hash in cases {
        assert_eq!(
            problems(&format!(r#"{{"users": "a:{hash}"}}"#)).len(),
            1,
            "{hash}"
        );
    }
}

#[test]
fn blank_lines_and_comments_say_nothing() {
    let lines = format!("\n# people\n\r\n  \na:{SHA512}\n\n");
    let plugin = plugin(&format!(r#"{{"users": {lines:?}}}"#));
    assert_eq!(log_in(&plugin, "a", "secret"), Outcome::allow(Grant::default()));
    assert_eq!(log_in(&plugin, "# people", "secret"), denied());
    assert_eq!(log_in(&plugin, "", ""), denied());
}

/// With `unknown = "next"` it would let in whoever the listener lets in.
#[test]
fn no_user_at_all_is_refused() {
    let text = "no user at all: expected lines of `name:hash`, or a list `user`";
    for config in [
        "{}",
        r##"{"users": ""}"##,
        r##"{"users": "\n# nobody\n", "user": [], "unknown": "next"}"##,
    ] {
        assert_eq!(
            problems(config),
            [("users".to_owned(), text.to_owned())],
            "{config}"
        );
    }
}

#[test]
fn costs_beyond_reason_are_refused() {
    let argon2 = |costs: &str| {
        format!("$argon2id$v=19${costs}$MDEyMzQ1Njc4OWFiY2RlZg$pbviq+1UUgwZCmLIr4Hgk7mEMsxnRLuOb2HfvIaBwGY")
    };
    let pbkdf2 = |iterations: &str| PBKDF2.replace("$101$", &format!("${iterations}$"));
    let cases = [
        (
            argon2("m=262145,t=1,p=1"),
            "m of the hash is too large, allowed are 262144",
        ),
        (
            argon2("m=4294967295,t=1,p=1"),
            "m of the hash is too large, allowed are 262144",
        ),
        (
            argon2("m=64,t=17,p=1"),
            "t of the hash is too large, allowed are 16",
        ),
        (
            argon2("m=64,t=1,p=5"),
            "p of the hash is too large, allowed are 4",
        ),
        (
            pbkdf2("10000001"),
            "the number of iterations of the hash is too large, allowed are 10000000",
        ),
        (pbkdf2("4294967296"), "the hash is malformed"),
    ];
    for (hash, text) in cases {
        let found = problems(&format!(r#"{{"users": "a:{hash}"}}"#));
        assert_eq!(found, [("users".to_owned(), format!("line 1: user `a`: {text}"))]);
    }
    for hash in [argon2("m=262144,t=16,p=4"), pbkdf2("10000000")] {
        assert!(hash.parse::<Hash>().is_ok(), "{hash}");
    }
}

/// A user whose line cannot be read has not been forgotten, and is told of once.
#[test]
fn a_problem_is_told_once() {
    let found = problems(r#"{"users": "a:oops", "user": [{"name": "a", "superuser": true}]}"#);
    let text = "line 1: user `a`: expected a hash that begins with `$argon2id$`, `$2b$`, `$pbkdf2-sha512$`, `$7$` or `$6$`";
    assert_eq!(found, [("users".to_owned(), text.to_owned())]);
}

#[test]
fn rules_and_mount_point_are_those_of_the_broker() {
    let user = |more: &str| format!(r##"{{"user": [{{"name": "a", "password": "{SHA512}", {more}}}]}}"##);
    for bad in [
        r#""mount_point": """#,
        r##""mount_point": "a/#/""##,
        r#""mount_point": "$SYS/""#,
    ] {
        assert_eq!(problems(&user(bad))[0].0, "user.0.mount_point", "{bad}");
    }
    let both = r#""rules": [{"allow": "all", "deny": "all", "topic": "a"}]"#;
    assert_eq!(problems(&user(both))[0].0, "user.0.rules.0");
    let good = plugin(&user(r#""rules": [{"deny": "subscribe", "topic": "%u/+/%c"}]"#));
    let grant = Grant {
        rules: vec![TopicRule::deny(RuleAction::Subscribe, "%u/+/%c")],
        ..Grant::default()
    };
    assert_eq!(log_in(&good, "a", "secret"), Outcome::allow(grant));
}

/// The first file leaves a user that it does not know to the second, and a wrong password to nobody.
#[test]
fn files_can_be_chained() {
    let first = plugin(&format!(r#"{{"users": "a:{SHA512}", "unknown": "next"}}"#));
    let second = plugin(&format!(r#"{{"users": "b:{SHA512}"}}"#));
    assert_eq!(log_in(&first, "b", "secret"), Outcome::Next);
    assert_eq!(log_in(&second, "b", "secret"), Outcome::allow(Grant::default()));
    assert_eq!(log_in(&first, "a", "wrong"), denied());
    assert_eq!(log_in(&second, "c", "secret"), denied());
}
