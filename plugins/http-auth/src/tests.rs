use std::time::Duration;

use hookwire_plugin::clients::Client;
use hookwire_plugin::http::{Error, Response};
use hookwire_plugin::mock::{self, Mock};
use hookwire_plugin::prelude::*;

use crate::HttpAuth;

const BOTH: &str = r#"{
    "authenticate": { "url": "https://auth/login" },
    "authorize": { "url": "https://auth/access" },
    "cache_secs": 10
}"#;

fn plugin(config: &str) -> HttpAuth {
    mock::plugin(config).unwrap()
}

fn alice() -> Credentials {
    Credentials::new("lamp").with_password("alice", "secret")
}

fn ok(body: &str) -> Result<Response, Error> {
    Ok(Response::new(200, body))
}

fn status(status: u16) -> Result<Response, Error> {
    Ok(Response::new(status, ""))
}

fn log_in(host: &Mock, plugin: &HttpAuth, answer: Result<Response, Error>) -> Outcome {
    host.answer_http(answer);
    plugin.authenticate(&alice())
}

fn denial(outcome: Outcome) -> ConnectReason {
    match outcome {
        Outcome::Deny(denial) => denial.reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_server_is_told_who_it_is_and_decides() {
    let host = Mock::new();
    let plugin = plugin(BOTH);
    let granted = log_in(
        &host,
        &plugin,
        ok(
            r#"{"result":"allow","superuser":true,"max_qos":1,"attributes":{"team":"a"},
            "rules":[{"deny":"publish","topic":"x/%c"}],"expires_in_secs":60}"#,
        ),
    );
    let Outcome::Allow(grant) = granted else {
        panic!("{granted:?}")
    };
    assert!(grant.superuser && !grant.rules[0].allow);
    assert_eq!(
        (grant.max_qos, grant.expires_in_secs),
        (Some(Qos::AtLeastOnce), Some(60))
    );
    assert_eq!(grant.attributes[0].name, "team");

    let [request] = &host.http_requests()[..] else {
        panic!("not one request")
    };
    assert_eq!(
        (request.method.as_str(), request.url.as_str()),
        ("POST", "https://auth/login")
    );
    let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(
        body,
        serde_json::json!({
            "client_id": "lamp", "username": "alice", "password": "secret",
            "address": "192.0.2.1:50000", "listener": "default", "protocol": "5.0"
        })
    );
}

#[test]
fn statuses_and_words_have_their_meaning() {
    let cases: [(Result<Response, Error>, Option<ConnectReason>); 5] = [
        (status(401), Some(ConnectReason::BadUserNameOrPassword)),
        (status(403), Some(ConnectReason::NotAuthorized)),
        (status(404), Some(ConnectReason::BadUserNameOrPassword)),
        (
            ok(r#"{"result":"deny"}"#),
            Some(ConnectReason::BadUserNameOrPassword),
        ),
        (
            ok(r#"{"result":"deny","reason":"banned"}"#),
            Some(ConnectReason::Banned),
        ),
    ];
    for (answer, expected) in cases {
        let host = Mock::new();
        assert_eq!(Some(denial(log_in(&host, &plugin(BOTH), answer))), expected);
    }
    let host = Mock::new();
    assert!(matches!(
        log_in(&host, &plugin(BOTH), status(204)),
        Outcome::Allow(_)
    ));
    let host = Mock::new();
    let next = log_in(&host, &plugin(BOTH), ok(r#"{"result":"next"}"#));
    assert_eq!(next, Outcome::Next);
}

#[test]
fn what_is_not_understood_allows_nothing() {
    for answer in [
        ok("fine"),
        ok("{}"),
        ok(r#"{"superuser":true}"#),
        ok(r#"{"result":"allow","max_qos":3}"#),
        ok(r#"{"result":"allow","rules":[{"topic":"a"}]}"#),
        ok(r#"{"result":"allow","mount_point":"a"}"#),
        ok(r#"{"result":"deny","reason":"because"}"#),
        ok(r#"{"result":"disconnect"}"#),
        status(302),
        status(500),
        Err(Error::Timeout),
        Err(Error::TooLarge),
        Err(Error::Denied("not granted".to_owned())),
        Err(Error::InvalidRequest("not a URL".to_owned())),
    ] {
        let host = Mock::new();
        let text = format!("{answer:?}");
        assert_eq!(
            log_in(&host, &plugin(BOTH), answer),
            Outcome::Unavailable,
            "{text}"
        );
    }
}

#[test]
fn an_allowed_log_in_holds_for_a_while() {
    let host = Mock::new();
    let plugin = plugin(BOTH);
    let allow = ok(r#"{"result":"allow","expires_in_secs":8}"#);
    assert!(matches!(log_in(&host, &plugin, allow), Outcome::Allow(_)));
    host.advance(Duration::from_secs(3));
    let Outcome::Allow(grant) = plugin.authenticate(&alice()) else {
        panic!("asked again")
    };
    assert_eq!(grant.expires_in_secs, Some(5), "its end does not move");

    let other_password = Credentials::new("lamp").with_password("alice", "guess");
    host.answer_http(status(401));
    assert!(matches!(plugin.authenticate(&other_password), Outcome::Deny(_)));

    host.advance(Duration::from_secs(8));
    host.answer_http(status(401));
    assert!(matches!(plugin.authenticate(&alice()), Outcome::Deny(_)));
    host.answer_http(ok(r#"{"result":"allow","cache_secs":0}"#));
    assert!(matches!(plugin.authenticate(&alice()), Outcome::Allow(_)));
    assert_eq!(host.http_requests().len(), 4, "the server may say how long");
    assert_eq!(
        plugin.authenticate(&alice()),
        Outcome::Unavailable,
        "nothing was kept"
    );
}

#[test]
fn a_server_that_is_down_is_left_alone_for_longer_and_longer() {
    let host = Mock::new();
    let plugin = plugin(BOTH);
    let asked = |seconds: u64| {
        host.advance(Duration::from_secs(seconds));
        let before = host.http_requests().len();
        assert_eq!(plugin.authenticate(&alice()), Outcome::Unavailable);
        host.http_requests().len() - before
    };
    assert_eq!([asked(0), asked(0), asked(0)], [1, 1, 1]);
    assert_eq!(
        [asked(0), asked(1), asked(1), asked(1)],
        [0, 1, 0, 1],
        "1 s, then 2 s"
    );
    assert_eq!([asked(3), asked(1)], [0, 1], "then 4 s");
    host.advance(Duration::from_secs(8));
    assert!(matches!(log_in(&host, &plugin, status(200)), Outcome::Allow(_)));
    let bob = Credentials::new("lamp").with_password("bob", "secret");
    for _ in 0..2 {
        assert_eq!(plugin.authenticate(&bob), Outcome::Unavailable);
    }
    assert_eq!(host.http_requests().len(), 3 + 3 + 1 + 2, "all is forgotten");
}

#[test]
fn a_server_that_answers_oddly_is_not_down() {
    let host = Mock::new();
    let plugin = plugin(BOTH);
    for _ in 0..10 {
        assert_eq!(log_in(&host, &plugin, ok("?")), Outcome::Unavailable);
    }
    assert_eq!(host.http_requests().len(), 10);
}

#[test]
fn accesses_are_asked_about() {
    let host = Mock::new();
    let plugin = plugin(BOTH);
    host.add_client(7, Client::new("lamp"));
    let access = Access::new(7, Action::Subscribe, "a/+");
    let ask = |answer| {
        host.answer_http(answer);
        plugin.authorize(&access)
    };
    assert_eq!(ask(status(200)), Answer::allow().cached_for_ms(60_000));
    assert_eq!(ask(status(403)), Answer::deny().cached_for_ms(60_000));
    let told = ok(r#"{"result":"disconnect","text":"no","cache_secs":0}"#);
    assert_eq!(ask(told), Decision::Disconnect(Some("no".to_owned())).into());
    assert_eq!(ask(ok(r#"{"result":"next"}"#)).decision, Decision::Next);
    let away = ask(Err(Error::NotInThisHook));
    assert!(matches!(away.decision, Decision::Deny(_)) && away.cache_ms == 0);

    let body: serde_json::Value = serde_json::from_slice(&host.http_requests()[0].body).unwrap();
    assert_eq!(
        (&body["action"], &body["topic"], &body["qos"], &body["client_id"]),
        (&"subscribe".into(), &"a/+".into(), &0.into(), &"lamp".into())
    );
    assert_eq!(
        plugin.authorize(&Access::new(8, Action::Publish, "a")),
        Answer::deny()
    );
}

#[test]
fn requests_are_written_as_configured() {
    let host = Mock::new();
    let get = plugin(
        r#"{ "authenticate": { "url": "https://auth/{username}?c={client_id}", "method": "get",
             "headers": { "x-key": "k-{listener}" } }, "timeout_ms": 300 }"#,
    );
    host.answer_http(status(200));
    let odd = Credentials::new("a&b").with_password("x/../y", "p");
    get.authenticate(&odd);
    let form = plugin(
        r#"{ "authenticate": { "url": "https://auth/", "encoding": "form",
             "body": { "clientid": "{client_id}", "kind": "mqtt" } } }"#,
    );
    host.answer_http(status(200));
    form.authenticate(&odd);

    let requests = host.http_requests();
    assert_eq!(requests[0].url, "https://auth/x%2F..%2Fy?c=a%26b");
    assert_eq!(
        (requests[0].method.as_str(), requests[0].timeout_ms),
        ("GET", Some(300))
    );
    assert_eq!(requests[0].headers[0].value, "k-default");
    assert!(requests[0].body.is_empty());
    assert_eq!(requests[1].body, b"clientid=a%26b&kind=mqtt");
}

#[test]
fn what_is_configured_otherwise_holds_otherwise() {
    let host = Mock::new();
    let plugin = plugin(
        r#"{ "authenticate": { "url": "https://auth/", "deny_statuses": [401], "next_statuses": [404] },
             "anonymous": "next", "when_down": "next" }"#,
    );
    assert_eq!(plugin.authenticate(&Credentials::new("nobody")), Outcome::Next);
    assert_eq!(log_in(&host, &plugin, status(404)), Outcome::Next);
    assert_eq!(log_in(&host, &plugin, status(500)), Outcome::Next);
    assert_eq!(
        plugin.authorize(&Access::new(1, Action::Publish, "a")),
        Answer::next()
    );
}

#[test]
fn slips_in_the_configuration_are_told_all_at_once() {
    let problems = mock::plugin::<HttpAuth>(
        r#"{ "authenticate": { "url": "auth/{user}", "headers": { "x": "{" } }, "timeout_ms": 0 }"#,
    )
    .err()
    .unwrap()
    .to_string();
    for expected in [
        "authenticate.url: unknown placeholder `{user}`",
        "authenticate.headers.x: ",
        "authenticate.url: expected a URL",
        "timeout_ms: 0",
    ] {
        assert!(problems.contains(expected), "{problems}");
    }
    let nothing = mock::plugin::<HttpAuth>("{}").err().unwrap().to_string();
    assert!(nothing.contains("neither `authenticate` nor `authorize`"));
}
