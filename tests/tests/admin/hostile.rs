//! What strangers, slow clients and web pages can do at the admin endpoint: nothing.

use hookwire_tests::{Broker, Client, Http, HttpReply, QoS, Setup, Witness, v5};
use serde_json::json;

use super::{ADMIN, exposition, get, post};

const TOKEN: &str = "0123456789abcdef";

#[track_caller]
fn raw(broker: &Broker, request: &str) -> HttpReply {
    let mut http = Http::open(broker);
    http.send(request);
    http.reply()
}

/// How often a limit was reached.
#[track_caller]
fn reached(broker: &Broker, limit: &str) -> f64 {
    let series = exposition::read(&Http::get(broker, "/metrics").body);
    series[&format!("hookwire_limit_reached_total limit={limit}")]
}

#[test]
fn the_network_does_not_get_in_without_a_token() {
    let open = "[admin]\naddress = \"0.0.0.0:0\"\n";
    for said in [Setup::new(open).check(), Setup::new(open).start_and_fail()] {
        assert!(!said.success);
        for words in ["hookwire.toml:2: admin.address: ", "it needs a token"] {
            assert!(
                said.text.contains(words),
                "{words:?} is missing in: {}",
                said.text
            );
        }
    }
    let broker = Setup::new(&format!("{open}token = {{ file = \"token.txt\" }}\n"))
        .file("token.txt", format!("{TOKEN}\n"))
        .start();
    let with = |token: &str| {
        let head = "GET /v1/plugins HTTP/1.1\r\nhost: any.example\r\n";
        raw(&broker, &format!("{head}authorization: Bearer {token}\r\n\r\n")).status
    };
    assert_eq!((with(TOKEN), with("0123456789abcdeF"), with("")), (200, 401, 401));
    for path in ["/v1/plugins", "/metrics", "/v1/clients", "/nothing"] {
        let reply = Http::get(&broker, path);
        assert_eq!(
            (reply.status, reply.header("www-authenticate")),
            (401, Some("Bearer")),
            "{path}"
        );
    }
    assert_eq!(post(&broker, "/v1/publish", "{}").0, 401);
    // Whoever starts and stops brokers needs no token, and learns no more than it needs.
    assert_eq!(get(&broker, "/health"), json!({ "status": "ok" }));

    // The same for the commands. The token file is read again when it changes.
    let file = broker.folder().join("token.txt");
    let list = |more: &[&str]| broker.command(&[&["plugin", "list"], more].concat()).success;
    assert!(!list(&[]));
    assert!(list(&["--token-file", &file.to_string_lossy()]));
    broker.edit_file("token.txt", "another-token-of-ours");
    broker.wait_log("settings in force");
    assert_eq!((with(TOKEN), with("another-token-of-ours")), (401, 200));
    assert_eq!(broker.log().count(TOKEN) + broker.log().count("another-token"), 0);
}

#[test]
fn a_web_page_gets_nothing_and_changes_nothing() {
    let broker = Broker::start(ADMIN);
    let mut client = Client::connect(&broker, v5("c"));
    client.subscribe("#", QoS::AtMostOnce);
    for (headers, status) in [
        // A name that its owner had resolved to this machine.
        ("host: evil.example", 421),
        ("host: localhost\r\norigin: http://evil.example", 403),
        ("host: localhost\r\nsec-fetch-site: cross-site", 403),
        // What a form can send without asking first.
        ("host: localhost\r\ncontent-type: text/plain", 415),
        (
            "host: localhost\r\ncontent-type: application/x-www-form-urlencoded",
            415,
        ),
        ("host: localhost", 415),
        ("accept: */*", 400),
        ("host: localhost\r\nhost: localhost", 400),
    ] {
        let body = json!({"topic": "from/a/page", "payload": "x"}).to_string();
        let length = body.len();
        let request =
            format!("POST /v1/publish HTTP/1.1\r\n{headers}\r\ncontent-length: {length}\r\n\r\n{body}");
        let reply = raw(&broker, &request);
        assert_eq!(reply.status, status, "{headers}: {}", reply.body);
        assert_eq!(reply.header("access-control-allow-origin"), None);
    }
    client.expect_nothing();
    assert_eq!(Http::ask(&broker, "OPTIONS", "/v1/publish", None).status, 405);
}

#[test]
fn requests_that_are_none_end_their_connection_alone() {
    let broker = Broker::start(ADMIN);
    let witness = Witness::start(&broker, "odd-requests");
    let long = "x".repeat(10 << 20);
    for request in [
        format!("GET / HTTP/1.1\r\nhost: localhost\r\nx: {long}\r\n\r\n"),
        format!("GET /{long} HTTP/1.1\r\nhost: localhost\r\n\r\n"),
        format!("{}\r\n\r\n", "x: y\r\n".repeat(10_000)),
        "\u{0}\u{1}\u{2}\r\n\r\n".to_owned(),
        "GET / HTTP/9.9\r\n\r\n".to_owned(),
        "POST /v1/publish HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n".to_owned(),
        "POST /v1/publish HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}"
            .to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
    ] {
        let mut http = Http::open(&broker);
        http.send(&request);
        http.closed();
    }
    let many = "a: b\r\n".repeat(100);
    let reply = raw(
        &broker,
        &format!("GET /health HTTP/1.1\r\nhost: localhost\r\n{many}\r\n"),
    );
    assert_eq!(reply.status, 431);
    assert_eq!(Http::get(&broker, "/health").status, 200);
    witness.finish();
}

#[test]
fn a_body_has_an_end() {
    let broker = Broker::start(&format!("{ADMIN}body_bytes_max = \"1KiB\"\ntimeout = \"1s\"\n"));
    let head = "POST /v1/publish HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    let large = "x".repeat(2000);
    assert_eq!(
        raw(&broker, &format!("{head}content-length: 2000\r\n\r\n{large}")).status,
        413
    );
    let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n7d0\r\n{large}\r\n0\r\n\r\n");
    assert_eq!(raw(&broker, &chunked).status, 413);
    assert_eq!(reached(&broker, "admin.body_bytes_max"), 2.0);
    // Announced, and then never sent.
    assert_eq!(
        raw(&broker, &format!("{head}content-length: 1000\r\n\r\n{{")).status,
        408
    );
    assert_eq!(reached(&broker, "admin.timeout"), 1.0);
}

#[test]
fn a_client_that_never_ends_its_request_is_closed() {
    let broker = Broker::start(&format!("{ADMIN}timeout = \"1s\"\n"));
    let mut silent = Http::open(&broker);
    let mut slow = Http::open(&broker);
    slow.send("GET /health HTTP/1.1\r\nhost: localhost\r\nx:");
    // In the meantime others are served.
    assert_eq!(Http::get(&broker, "/health").status, 200);
    slow.closed();
    silent.closed();
    assert!(reached(&broker, "admin.timeout") >= 1.0);
}

#[test]
fn there_are_only_so_many_connections() {
    let broker = Broker::start(&format!("{ADMIN}connections_max = 1\n"));
    let mut first = Http::open(&broker);
    first.send("GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n");
    assert_eq!(first.reply().status, 200);
    Http::open(&broker).closed();
    first.send("GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    let series = exposition::read(&first.reply().body);
    assert_eq!(
        series["hookwire_limit_reached_total limit=admin.connections_max"],
        1.0
    );
    first.closed();
}

/// Who looks on and does not read slows nobody, and is gone after a while.
#[test]
fn a_reader_that_takes_nothing_is_closed() {
    let limits = "timeout = \"1s\"\nwatch_bytes_max = \"1MiB\"\nwatches_max = 1\n";
    let broker = Broker::start(&format!("{ADMIN}{limits}"));
    let mut stalled = Http::open(&broker);
    stalled.send("GET /v1/explain?topic=big&payload=true HTTP/1.1\r\nhost: localhost\r\n\r\n");
    assert_eq!(stalled.begin().status, 200);
    assert_eq!(Http::get(&broker, "/v1/explain?topic=other").status, 429);
    let mut sender = Client::connect(&broker, v5("sender"));
    let payload = "x".repeat(500_000);
    for _ in 0..60 {
        sender.publish("big", &payload, QoS::AtLeastOnce);
    }
    while reached(&broker, "admin.timeout") < 1.0 {}
    assert_eq!(reached(&broker, "admin.watches_max"), 1.0);
    let series = exposition::read(&Http::get(&broker, "/metrics").body);
    assert_eq!(series["hookwire_watches"], 0.0);
}
