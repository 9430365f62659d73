//! The bundled plugin `http-auth`, with a server that a test answers for.

use bytes::Bytes;
use bytestring::ByteString;
use hookwire_protocol::{Connect, ConnectReason, PublishReason, QoS, SubscribeReason};
use hookwire_tests::{Broker, Client, Reply, Server, bundled, v5};

fn log_in(client_id: &str, user: &'static str, password: &'static str) -> Connect {
    Connect {
        username: Some(ByteString::from_static(user)),
        password: Some(Bytes::from_static(password.as_bytes())),
        ..v5(client_id)
    }
}

fn http_auth(server: &Server, keys: &str, config: &str) -> String {
    let url = server.url();
    let keys = format!("{keys}\ngrant = {{ http = [{url:?}], clients = true, kv = {{ bytes = \"1MiB\" }} }}");
    let config = format!(
        "{config}\nauthenticate = {{ url = \"{url}/login\" }}\nauthorize = {{ url = \"{url}/access\" }}"
    );
    bundled("http-auth", &keys, &config)
}

fn says(body: &[u8], text: &str) -> bool {
    String::from_utf8_lossy(body).contains(text)
}

/// Knows alice and her password; she may do what is below `alice/`, and everybody may read `news/#`.
fn directory() -> Server {
    Server::start(|asked| match asked.target.as_str() {
        "/login" if says(&asked.body, "\"alice\"") && says(&asked.body, "\"letmein\"") => Reply::ok(
            r#"{"result":"allow","max_qos":1,"rules":[{"allow":"subscribe","topic":"news/#"}],
                "user_properties":{"greeting":"hello"}}"#,
        ),
        "/login" => Reply::status(401),
        "/access" if says(&asked.body, "\"alice/") => Reply::status(204),
        "/access" => Reply::ok(r#"{"result":"deny","text":"not yours"}"#),
        _ => Reply::status(500),
    })
}

#[test]
fn a_server_admits_limits_and_refuses() {
    let server = directory();
    let broker = Broker::start(&http_auth(&server, "async = true", ""));
    let refused = Client::refused(&broker, log_in("lamp", "alice", "guess"));
    assert_eq!(refused.reason, ConnectReason::BadUserNameOrPassword);

    let mut alice = Client::connect(&broker, log_in("lamp", "alice", "letmein"));
    let properties = &alice.connack().properties;
    assert_eq!(properties.user_properties[0].1, "hello");
    assert_eq!(
        alice.try_subscribe("alice/#", QoS::ExactlyOnce),
        SubscribeReason::GrantedQos1
    );
    assert_eq!(
        alice.try_subscribe("bob/#", QoS::AtMostOnce),
        SubscribeReason::NotAuthorized
    );
    let asked = server.requests().len();
    assert_eq!(
        alice.try_subscribe("news/#", QoS::AtMostOnce),
        SubscribeReason::GrantedQos0
    );
    assert_eq!(
        server.requests().len(),
        asked,
        "the broker knows the rules by itself"
    );

    assert_eq!(
        alice.publish("alice/x", "mine", QoS::AtLeastOnce),
        PublishReason::Success
    );
    assert_eq!(alice.receive().payload, "mine");
    assert_eq!(
        alice.publish("bob/x", "", QoS::AtLeastOnce),
        PublishReason::NotAuthorized
    );
}

#[test]
fn answers_hold_for_a_while() {
    let server = directory();
    let broker = Broker::start(&http_auth(&server, "async = true", "cache_secs = 600"));
    for _ in 0..3 {
        Client::connect(&broker, log_in("lamp", "alice", "letmein")).disconnect();
    }
    assert_eq!(server.requests().len(), 1, "one log-in is asked about");
    let mut alice = Client::connect(&broker, log_in("lamp", "alice", "letmein"));
    for _ in 0..5 {
        alice.publish("alice/x", "", QoS::AtLeastOnce);
    }
    assert_eq!(server.requests().len(), 2, "and one topic");
    assert_eq!(
        Client::refused(&broker, log_in("lamp", "alice", "other")).reason,
        ConnectReason::BadUserNameOrPassword
    );
}

#[test]
fn a_server_that_is_down_is_left_alone() {
    let server = Server::start(|_| Reply::status(503));
    let config = "backoff = { failures = 2, first_ms = 60000, longest_ms = 60000 }";
    let broker = Broker::start(&http_auth(&server, "", config));
    for _ in 0..5 {
        let refused = Client::refused(&broker, log_in("lamp", "alice", "letmein"));
        assert_eq!(refused.reason, ConnectReason::ServerUnavailable);
    }
    assert_eq!(server.requests().len(), 2);
    broker.wait_log("the server is left alone for 60s");
}

#[test]
fn a_server_that_is_down_leaves_it_to_the_next_plugin_if_that_is_wanted() {
    let server = Server::start(|_| Reply::status(503));
    let acl = bundled(
        "acl",
        "grant = { clients = true }",
        "rules = [{ allow = \"all\", topic = \"#\" }]",
    );
    let passwords = bundled(
        "password-file",
        "",
        // `letmein`, Argon2id, as cheap as it can be.
        "users = \"alice:$argon2id$v=19$m=1024,t=1,p=1$AZ/G7a8+k5Gnp+zzBA8hdQ$2qCWKQevL5fSj5cNIWS6No0LWn8wxfHU/pzxBj8BDh8\"",
    );
    let broker =
        Broker::start(&(http_auth(&server, "async = true", "when_down = \"next\"") + &passwords + &acl));
    let mut alice = Client::connect(&broker, log_in("lamp", "alice", "letmein"));
    alice.subscribe("any/#", QoS::AtLeastOnce);
}

/// A client cannot choose what is asked by its name.
#[test]
fn a_name_stays_one_part_of_the_url() {
    let server = Server::start(|_| Reply::status(204));
    let url = server.url();
    let broker = Broker::start(&bundled(
        "http-auth",
        &format!("grant = {{ http = [\"{url}/users\"], clients = true, kv = {{ bytes = \"1MiB\" }} }}"),
        &format!("authenticate = {{ url = \"{url}/users/{{username}}\", method = \"GET\" }}"),
    ));
    Client::connect(&broker, log_in("lamp", "a b/c?d", "x")).disconnect();
    assert_eq!(server.requests()[0].target, "/users/a%20b%2Fc%3Fd");
    for odd in ["..", "../admin"] {
        let refused = Client::refused(&broker, log_in("lamp", odd, "x"));
        assert_eq!(refused.reason, ConnectReason::ServerUnavailable, "{odd}");
    }
    assert_eq!(server.requests().len(), 1);
}
