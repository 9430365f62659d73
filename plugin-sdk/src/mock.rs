//! The host in unit tests: `cargo test` of a plugin runs natively, and the modules of the host are answered by this.
//!
//! ```
//! use hookwire_plugin::mock::{self, Mock};
//! use hookwire_plugin::prelude::*;
//! # #[derive(Deserialize)]
//! # struct Config { max_bytes: usize }
//! # struct SizeLimit(Config);
//! # impl Plugin for SizeLimit {
//! #     type Config = Config;
//! #     fn new(config: Config) -> Result<Self, Problems> { Ok(Self(config)) }
//! # }
//! # impl OnPublish for SizeLimit {
//! #     fn on_publish(&self, message: &Message<'_>) -> Verdict {
//! #         hookwire_plugin::log::info!("{}", message.topic());
//! #         if message.payload().len() > self.0.max_bytes { Verdict::drop() } else { Verdict::pass() }
//! #     }
//! # }
//!
//! let host = Mock::new();
//! let plugin: SizeLimit = mock::plugin(r#"{ "max_bytes": 3 }"#)?;
//! assert_eq!(plugin.on_publish(&Message::new("a/b", "long")), Verdict::Drop);
//! assert_eq!(host.log_lines(), ["info: a/b"]);
//! # Ok::<(), Problems>(())
//! ```

mod answer;
mod component;
pub(crate) mod host;
mod question;
mod subject;

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::bindings::clients::Client;
use crate::bindings::types::{ClientKey, Message as MessageBuf};
use crate::bindings::{http, publish, signatures};
use crate::plugin::Plugin;
use crate::problem::Problems;
use crate::{clients, component as plugin_component};

pub use subject::Subject;

/// Makes a plugin from its `config` table, written as JSON, as the broker does. [`Mock::subject`] makes one that may be the
/// component as well.
pub fn plugin<P: Plugin>(config: &str) -> Result<P, Problems> {
    plugin_component::make_plugin(config).map_err(Problems)
}

/// Whether a signature is good: of which algorithm, by which key, of what, and the signature.
pub type VerifySignature = fn(signatures::Algorithm, &[u8], &[u8], &[u8]) -> bool;

/// The host of the present thread: empty when made, and every test has its own.
#[derive(Debug)]
pub struct Mock(());

impl Mock {
    /// Forgets what any mock of this thread knew and recorded.
    #[expect(clippy::new_without_default, reason = "it changes the thread's state")]
    pub fn new() -> Self {
        HOST.set(Host::NEW);
        clients::forget_all();
        Self(())
    }

    /// Makes a client known.
    pub fn add_client(&self, key: ClientKey, client: Client) {
        HOST.with_borrow_mut(|host| host.clients.insert(key, client));
    }

    /// Keys of the clients that were disconnected, in order.
    pub fn disconnected(&self) -> Vec<ClientKey> {
        HOST.with_borrow(|host| host.disconnected.clone())
    }

    /// Keys of the clients whose answers were to be forgotten, in order.
    pub fn forgotten(&self) -> Vec<ClientKey> {
        HOST.with_borrow(|host| host.forgotten.clone())
    }

    /// Keys of the clients whose rights were to be looked at again, in order.
    pub fn reauthorized(&self) -> Vec<ClientKey> {
        HOST.with_borrow(|host| host.reauthorized.clone())
    }

    /// The retained messages, in the order of their topics.
    pub fn retained(&self) -> Vec<MessageBuf> {
        HOST.with_borrow(|host| host.retained.values().cloned().collect())
    }

    /// Grants a secret.
    pub fn add_secret(&self, name: impl Into<String>, secret: impl Into<Vec<u8>>) {
        HOST.with_borrow_mut(|host| host.secrets.insert(name.into(), secret.into()));
    }

    /// Makes a text the hash of a password. No other is one for [`password::verify`](crate::password::verify).
    pub fn add_password(&self, encoded: impl Into<String>, password: impl Into<Vec<u8>>) {
        HOST.with_borrow_mut(|host| host.passwords.insert(encoded.into(), password.into()));
    }

    /// From now on this says whether a signature is good. Without it none is.
    pub fn verify_signatures_with(&self, verify: VerifySignature) {
        HOST.with_borrow_mut(|host| host.verify_signature = Some(verify));
    }

    /// Limits the token buckets to so many.
    pub fn limit_rate_limit_keys(&self, keys: usize) {
        HOST.with_borrow_mut(|host| host.rate_limit_keys_max = keys);
    }

    /// What a histogram was told, in order.
    pub fn observed(&self, name: &str) -> Vec<f64> {
        HOST.with_borrow(|host| host.observed.get(name).cloned().unwrap_or_default())
    }

    /// Sets the time, milliseconds since 1970-01-01 UTC.
    pub fn set_now_ms(&self, now_ms: u64) {
        HOST.with_borrow_mut(|host| host.now_ms = now_ms);
    }

    /// Lets time pass, on both clocks.
    pub fn advance(&self, time: Duration) {
        HOST.with_borrow_mut(|host| {
            host.now_ms += time.as_millis() as u64;
            host.monotonic_ns += time.as_nanos() as u64;
        });
    }

    /// What was logged, each line as `level: text`.
    pub fn log_lines(&self) -> Vec<String> {
        HOST.with_borrow(|host| host.log_lines.clone())
    }

    /// What was published, in order.
    pub fn published(&self) -> Vec<MessageBuf> {
        HOST.with_borrow(|host| host.published.clone())
    }

    /// From now on `publish` fails like this.
    pub fn refuse_publish(&self, error: publish::Error) {
        HOST.with_borrow_mut(|host| host.publish_error = Some(error));
    }

    /// The sum of a counter; 0 when it was never counted.
    pub fn counter(&self, name: &str) -> u64 {
        HOST.with_borrow(|host| host.counters.get(name).copied().unwrap_or_default())
    }

    /// The last value of a gauge.
    pub fn gauge(&self, name: &str) -> Option<f64> {
        HOST.with_borrow(|host| host.gauges.get(name).copied())
    }

    /// What the next HTTP request is answered that has no answer yet; one beyond them finds no server.
    pub fn answer_http(&self, answer: Result<http::Response, http::Error>) {
        HOST.with_borrow_mut(|host| host.http_answers.push_back(answer));
    }

    /// The HTTP requests so far, in order.
    pub fn http_requests(&self) -> Vec<http::Request> {
        HOST.with_borrow(|host| host.http_requests.clone())
    }

    /// Limits the keys and values of `kv` to so many bytes in all.
    pub fn limit_kv_bytes(&self, bytes: usize) {
        HOST.with_borrow_mut(|host| host.kv_bytes_max = bytes);
    }
}

/// What the mock knows and recorded.
#[derive(Debug)]
struct Host {
    clients: BTreeMap<ClientKey, Client>,
    disconnected: Vec<ClientKey>,
    forgotten: Vec<ClientKey>,
    reauthorized: Vec<ClientKey>,
    retained: BTreeMap<String, MessageBuf>,
    secrets: BTreeMap<String, Vec<u8>>,
    passwords: BTreeMap<String, Vec<u8>>,
    verify_signature: Option<VerifySignature>,
    buckets: BTreeMap<String, Bucket>,
    rate_limit_keys_max: usize,
    observed: BTreeMap<String, Vec<f64>>,
    now_ms: u64,
    monotonic_ns: u64,
    log_lines: Vec<String>,
    published: Vec<MessageBuf>,
    publish_error: Option<publish::Error>,
    counters: BTreeMap<String, u64>,
    gauges: BTreeMap<String, f64>,
    kv: BTreeMap<String, Entry>,
    kv_bytes_max: usize,
    random_state: u64,
    http_answers: VecDeque<Result<http::Response, http::Error>>,
    http_requests: Vec<http::Request>,
}

/// A value of `kv`.
#[derive(Debug, Clone)]
struct Entry {
    value: Vec<u8>,
    /// On the monotonic clock.
    expires_at_ns: Option<u64>,
    /// Written by `increment`.
    number: bool,
}

/// A token bucket of `rate_limit`.
#[derive(Debug)]
struct Bucket {
    tokens: f64,
    /// On the monotonic clock.
    at_ns: u64,
}

impl Host {
    const NEW: Self = Self {
        clients: BTreeMap::new(),
        disconnected: Vec::new(),
        forgotten: Vec::new(),
        reauthorized: Vec::new(),
        retained: BTreeMap::new(),
        secrets: BTreeMap::new(),
        passwords: BTreeMap::new(),
        verify_signature: None,
        buckets: BTreeMap::new(),
        rate_limit_keys_max: 10_000,
        observed: BTreeMap::new(),
        // Some day in 2026: code that confuses the two clocks should fail in a test.
        now_ms: 1_780_000_000_000,
        monotonic_ns: 0,
        log_lines: Vec::new(),
        published: Vec::new(),
        publish_error: None,
        counters: BTreeMap::new(),
        gauges: BTreeMap::new(),
        kv: BTreeMap::new(),
        kv_bytes_max: 1024 * 1024,
        random_state: 0x9E37_79B9_7F4A_7C15,
        http_answers: VecDeque::new(),
        http_requests: Vec::new(),
    };
}

thread_local! {
    static HOST: RefCell<Host> = const { RefCell::new(Host::NEW) };
}

#[cfg(test)]
mod tests {
    use crate::authenticate::Credentials;
    use crate::rate_limit::{self, Rate};
    use crate::{http, kv, metrics, password, publish, retained, secrets, topics};

    use super::*;

    #[test]
    fn kv_keeps_counts_and_forgets() {
        let host = Mock::new();
        let second = Duration::from_secs(1);
        assert_eq!(kv::put("a", b"1", Some(second)), Ok(()));
        assert_eq!(kv::compare_and_swap("a", None, b"2", None), Ok(false));
        assert_eq!(kv::compare_and_swap("b", None, b"2", None), Ok(true));
        assert_eq!(kv::increment("a", 1, None), Err(kv::Error::NotANumber));
        assert_eq!(kv::increment("n", 2, Some(second)), Ok(2));
        assert_eq!(kv::increment("n", -5, None), Ok(-3));
        host.advance(second);
        assert_eq!((kv::get("a"), kv::get("b")), (None, Some(b"2".to_vec())));
        assert_eq!(kv::increment("n", 1, None), Ok(1));
        assert!(kv::delete("b") && !kv::delete("b"));
        assert_eq!(kv::put("", b"", None), Err(kv::Error::KeyInvalid));
        host.limit_kv_bytes(4);
        assert_eq!(kv::put_json("c", &[1, 2], None), Err(kv::Error::QuotaExceeded));
    }

    #[test]
    fn values_travel_as_json() {
        let _host = Mock::new();
        assert_eq!(kv::put_json("c", &(1, "x"), None), Ok(()));
        assert_eq!(kv::get_json("c"), Some((1, "x".to_owned())));
        assert_eq!(kv::get_json::<u8>("c"), None);
    }

    #[test]
    fn clients_are_known_until_the_next_mock() {
        let host = Mock::new();
        host.add_client(1, Client::new("one"));
        assert_eq!(
            clients::get(1).map(|client| client.client_id.clone()).as_deref(),
            Some("one")
        );
        // The same place in the cache.
        assert_eq!(clients::get(1025), None);
        assert!(clients::disconnect(1, None) && !clients::disconnect(2, None));
        assert_eq!(host.disconnected(), [1]);
        let _next = Mock::new();
        assert_eq!(clients::get(1), None);
    }

    #[test]
    fn publishing_is_recorded_or_refused() {
        let host = Mock::new();
        let message = MessageBuf::new("a", "x");
        assert_eq!(publish::publish(&message), Ok(()));
        assert_eq!(
            publish::publish(&MessageBuf::new("a/+", "")),
            Err(publish::Error::TopicNameInvalid)
        );
        host.refuse_publish(publish::Error::NotGranted);
        assert_eq!(publish::publish(&message), Err(publish::Error::NotGranted));
        assert_eq!(host.published(), [message]);
    }

    #[test]
    fn requests_are_recorded_and_answered_in_turn() {
        let host = Mock::new();
        host.answer_http(Ok(http::Response::new(200, r#"{"ok":true}"#)));
        host.answer_http(Err(http::Error::Timeout));
        let request = http::Request::post("https://h/x").bearer("t").json(&[1]);
        let answer = request.send().unwrap();
        assert!(answer.is_success() && answer.json::<serde_json::Value>().unwrap()["ok"] == true);
        assert_eq!(request.send(), Err(http::Error::Timeout));
        assert!(matches!(request.send(), Err(http::Error::Connect(_))));
        let [first, ..] = &host.http_requests()[..] else {
            panic!("no request");
        };
        assert_eq!(
            (first.method.as_str(), first.body.as_slice()),
            ("POST", b"[1]".as_slice())
        );
        assert_eq!(first.headers[0].value, "Bearer t");
    }

    #[test]
    fn clients_are_forgotten_and_reauthorized() {
        let host = Mock::new();
        host.add_client(1, Client::new("one"));
        assert!(clients::forget(1) && !clients::forget(2));
        assert!(clients::reauthorize(1) && !clients::reauthorize(2));
        assert_eq!((host.forgotten(), host.reauthorized()), (vec![1], vec![1]));
    }

    #[test]
    fn retained_messages_are_kept_and_listed() {
        let host = Mock::new();
        for topic in ["a/1", "a/2", "a/3", "b"] {
            assert_eq!(retained::put(&MessageBuf::new(topic, "x")), Ok(()));
        }
        assert_eq!(retained::delete("b"), Ok(()));
        assert_eq!(host.retained().len(), 3);
        assert!(
            retained::get("a/1")
                .unwrap()
                .is_some_and(|message| message.retain)
        );
        assert_eq!(retained::get("b"), Ok(None));
        assert_eq!(retained::get("a/+"), Err(retained::Error::TopicNameInvalid));
        let page = retained::find("a/+", 2, None).unwrap();
        assert_eq!((page.messages.len(), page.cursor.as_deref()), (2, Some("a/2")));
        let mut topics = Vec::new();
        retained::for_each("a/#", |message| topics.push(message.topic)).unwrap();
        assert_eq!(topics, ["a/1", "a/2", "a/3"]);
    }

    #[test]
    fn keys_come_in_pages() {
        let _host = Mock::new();
        for key in ["a/1", "a/2", "a/3", "b"] {
            kv::put(key, b"", None).unwrap();
        }
        let page = kv::keys("a/", 2, None);
        assert_eq!((page.keys.len(), page.cursor.as_deref()), (2, Some("a/2")));
        let page = kv::keys("a/", 2, page.cursor.as_deref());
        assert_eq!((page.keys, page.cursor), (vec!["a/3".to_owned()], None));
    }

    #[test]
    fn secrets_and_passwords_are_those_of_the_test() {
        let host = Mock::new();
        host.add_secret("key", "s3cret");
        assert_eq!(
            (secrets::get("key"), secrets::get("other")),
            (Some(b"s3cret".to_vec()), None)
        );
        host.add_password("$hash", "letmein");
        assert_eq!(password::verify("$hash", b"letmein"), Ok(true));
        assert_eq!(password::verify("$hash", b"letmeout"), Ok(false));
        assert_eq!(password::verify("$other", b""), Err(password::Error::Unsupported));
    }

    #[test]
    fn a_signature_is_good_when_the_test_says_so() {
        let host = Mock::new();
        let verify = |signature: &[u8]| {
            crate::signatures::verify(signatures::Algorithm::Ed25519, b"key", b"message", signature)
        };
        assert!(!verify(b"good"));
        host.verify_signatures_with(|_, key, _, signature| key == b"key" && signature == b"good");
        assert!(verify(b"good") && !verify(b"bad"));
    }

    #[test]
    fn buckets_fill_as_time_passes() {
        let host = Mock::new();
        let rate = Rate {
            per_second: 1.0,
            burst: 2.0,
        };
        assert_eq!(rate_limit::take("a", rate, 2.0), Ok(()));
        assert_eq!(rate_limit::take("a", rate, 1.0), Err(Duration::from_secs(1)));
        assert_eq!(
            rate_limit::take_on_credit("a", rate, 1.0),
            Err(Duration::from_secs(1))
        );
        host.advance(Duration::from_secs(1));
        assert_eq!(rate_limit::take("a", rate, 1.0), Err(Duration::from_secs(1)));
        host.limit_rate_limit_keys(1);
        assert!(rate_limit::take("b", rate, 1.0).is_err());
    }

    #[test]
    fn histograms_remember_what_they_are_told() {
        let host = Mock::new();
        metrics::observe("took", 0.5);
        metrics::observe("took", 2.0);
        assert_eq!(host.observed("took"), [0.5, 2.0]);
    }

    #[test]
    fn topics_are_checked_as_the_broker_does() {
        assert!(topics::valid_name("a/b") && !topics::valid_name("a/+"));
        assert!(topics::valid_filter("a/+") && !topics::valid_filter("a+"));
        assert!(topics::matches("a/+", "a/b") && !topics::matches("a/+", "a/+"));
    }

    #[test]
    fn credentials_for_tests() {
        let who = Credentials::new("c").with_password("u", "p");
        assert_eq!(
            (who.username.as_deref(), who.password.as_deref()),
            (Some("u"), Some(b"p".as_slice()))
        );
    }
}
