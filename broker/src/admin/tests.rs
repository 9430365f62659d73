//! The endpoint in one process, at an in-memory stream, time paused.

use hyper::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::{Duration, Instant};

use super::server::serve_connection;
use super::*;
use crate::broker::Settings;
use crate::broker::tests::policy::judging;
use crate::config::Config;
use crate::metrics::Limit;
use crate::net::Way;
use hookwire_hooks::{Chain, Defaults, Rejection, Verdict};
use hookwire_protocol::PublishReason;

const LOOPBACK: Way = Way::Tcp { is_loopback: true };

fn admin(text: &str) -> Admin {
    let config = Config::parse(text, None, &[]).unwrap();
    let broker = Broker::new(Settings::from(&config)).unwrap();
    Admin::new(broker, Arc::default())
}

fn connect(admin: &Admin, way: Way) -> DuplexStream {
    let (ours, theirs) = duplex(4096);
    tokio::spawn(serve_connection(admin.clone(), theirs, way));
    ours
}

/// Status and everything that is said to a request after which the connection is closed.
async fn ask(admin: &Admin, way: Way, request: &str) -> (StatusCode, String) {
    let mut stream = connect(admin, way);
    let (head, body) = request.split_once("\n\n").unwrap_or((request, ""));
    let head = head.replace('\n', "\r\n");
    let length = body.len();
    let request =
        format!("{head}\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap(), answer)
}

async fn status(admin: &Admin, request: &str) -> u16 {
    ask(admin, LOOPBACK, request).await.0.as_u16()
}

#[tokio::test(start_paused = true)]
async fn it_is_ready_when_it_is_told_so() {
    let admin = admin("");
    assert_eq!(status(&admin, "GET /ready HTTP/1.1").await, 503);
    assert_eq!(status(&admin, "GET /health HTTP/1.1").await, 200);
    admin.set_ready(true);
    assert_eq!(status(&admin, "GET /ready HTTP/1.1").await, 200);
    admin.set_ready(false);
    assert_eq!(status(&admin, "GET /ready HTTP/1.1").await, 503);
}

#[tokio::test(start_paused = true)]
async fn places_have_methods() {
    let admin = admin("");
    for (request, expected) in [
        ("GET /", 200),
        ("POST /", 405),
        ("GET //", 404),
        ("GET /dashboard.html", 404),
        ("GET /v1", 404),
        ("GET /v1/plugins/", 404),
        ("GET /v1/plugins/a/b", 404),
        ("GET /v1/clients/%ff", 404),
        ("POST /v1/plugins", 405),
        ("GET /v1/publish", 405),
        ("PUT /v1/clients/a", 405),
        ("HEAD /v1/plugins", 405),
        ("GET /v1/plugins", 200),
        ("GET /v1/plugins?x=1", 400),
        ("POST /v1/reload", 409),
        ("DELETE /v1/clients/a?session=true", 400),
    ] {
        assert_eq!(
            status(&admin, &format!("{request} HTTP/1.1")).await,
            expected,
            "{request}"
        );
    }
    let (_, refusal) = ask(&admin, LOOPBACK, "POST /v1/clients/a HTTP/1.1").await;
    assert!(refusal.contains("\r\nallow: GET, DELETE\r\n"), "{refusal}");
}

#[tokio::test(start_paused = true)]
async fn a_stranger_is_told_what_it_needs() {
    let admin = admin("[admin]\ntoken = \"0123456789abcdef\"\n");
    for way in [LOOPBACK, Way::Tcp { is_loopback: false }] {
        let (refused, _) = ask(&admin, way, "GET /v1/plugins HTTP/1.1").await;
        assert_eq!(refused, StatusCode::UNAUTHORIZED);
        let (well, said) = ask(&admin, way, "GET /health HTTP/1.1").await;
        assert!(
            well.is_success() && said.ends_with("{\"status\":\"ok\"}\n"),
            "{said}"
        );
    }
    let (served, _) = ask(&admin, Way::File, "GET /v1/plugins HTTP/1.1").await;
    assert_eq!(served, StatusCode::OK);
}

/// A browser has no token before its person gives it one; until then it is told nothing.
#[tokio::test(start_paused = true)]
async fn everybody_gets_the_dashboard_and_nothing_with_it() {
    let admin = admin("[admin]\ntoken = \"0123456789abcdef\"\n");
    for (path, kind) in [
        ("/", "text/html"),
        ("/dashboard.css", "text/css"),
        ("/dashboard.js", "text/javascript"),
    ] {
        let (served, said) = ask(&admin, LOOPBACK, &format!("GET {path} HTTP/1.1")).await;
        assert_eq!(served, StatusCode::OK, "{path}");
        assert!(
            said.contains(&format!("\r\ncontent-type: {kind}; charset=utf-8\r\n")),
            "{said}"
        );
        assert!(said.contains("\r\ncontent-security-policy: default-src 'none'; script-src 'self'"));
        assert!(!said.contains("0123456789abcdef"));
    }
    let refused = ask(&admin, LOOPBACK, "GET /v1/plugins HTTP/1.1").await.0;
    assert_eq!(refused, StatusCode::UNAUTHORIZED, "what the script asks for");
}

#[tokio::test(start_paused = true)]
async fn a_policy_judges_what_an_administrator_publishes() {
    let admin = admin("");
    let judge = judging("judge", |message| {
        Ok(match &*message.payload {
            b"drop" => Verdict::Drop,
            b"reject" => Verdict::Reject(Rejection {
                reason: PublishReason::QuotaExceeded,
                text: Some("enough".into()),
            }),
            _ => Verdict::Pass,
        })
    });
    let chain = Chain::new(1, vec![judge], Defaults::default());
    admin.broker().install(Arc::new(chain));
    for (payload, expected, words) in [
        ("pass", 200, "no-subscriber"),
        ("drop", 200, "published"),
        ("reject", 403, "\"text\":\"enough\""),
    ] {
        let request = format!(
            "POST /v1/publish HTTP/1.1\ncontent-type: application/json\n\n{{\"topic\": \"a\", \"payload\": \"{payload}\"}}"
        );
        let (status, said) = ask(&admin, LOOPBACK, &request).await;
        assert_eq!(status.as_u16(), expected, "{payload}");
        assert!(said.contains(words), "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_is_closed_in_time() {
    let admin = admin("[admin]\ntimeout = \"7s\"\n");
    let began = Instant::now();
    let mut stream = connect(&admin, LOOPBACK);
    stream.write_all(b"GET /health HTTP/1.1\r\n").await.unwrap();
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    let took = began.elapsed();
    assert!(
        (Duration::from_secs(7)..Duration::from_secs(9)).contains(&took),
        "{took:?}"
    );
    assert_eq!(admin.broker().metrics().limits.get(Limit::AdminTimeout), 1);
}

#[tokio::test(start_paused = true)]
async fn who_takes_nothing_is_closed_in_time() {
    let admin = admin("[admin]\ntimeout = \"7s\"\n");
    let mut stream = connect(&admin, LOOPBACK);
    let request = "GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n";
    // More than the stream holds is on its way back, and nobody reads.
    stream.write_all(request.as_bytes()).await.unwrap();
    while admin.broker().metrics().limits.get(Limit::AdminTimeout) == 0 {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
