//! Requests to servers that the configuration names. Grant: `http = ["https://auth.example.com"]`.
//!
//! A request waits for its answer, so it works in hooks that may take long; elsewhere it fails at once with
//! [`Error::NotInThisHook`]. [The contract](https://github.com/hookwire/hookwire/blob/main/wit/http.wit) lists them.

use std::borrow::Cow;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

#[cfg(target_family = "wasm")]
use crate::bindings::http as host;
#[cfg(not(target_family = "wasm"))]
use crate::mock::host::http as host;

pub use crate::bindings::http::{Error, Header, Request, Response};

/// ```no_run
/// use std::time::Duration;
/// use hookwire_plugin::http::Request;
/// let answer = Request::post("https://auth.example.com/login")
///     .bearer("token")
///     .json(&("alice", "lamp"))
///     .timeout(Duration::from_millis(300))
///     .send()?;
/// assert!(answer.is_success());
/// # Ok::<(), hookwire_plugin::http::Error>(())
/// ```
impl Request {
    /// A request without headers and body.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            url: url.into(),
            headers: Vec::new(),
            body: Vec::new(),
            timeout_ms: None,
        }
    }

    /// `GET`.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    /// `POST`.
    pub fn post(url: impl Into<String>) -> Self {
        Self::new("POST", url)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push(Header {
            name: name.into(),
            value: value.into(),
        });
        self
    }

    /// Says who asks, by a token.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets the body to a value as JSON, and says so in a header.
    ///
    /// # Panics
    /// When the value has no form in JSON, such as a map whose keys are not strings.
    #[must_use]
    pub fn json<T: Serialize>(self, value: &T) -> Self {
        let json = serde_json::to_vec(value).expect("a value that has a form in JSON");
        self.header("content-type", "application/json").body(json)
    }

    /// Gives up earlier than the grant does.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout_ms = Some(u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX));
        self
    }

    /// Sends it and waits for the whole answer.
    ///
    /// # Errors
    /// There is no answer. One that says 404 or 500 is one.
    pub fn send(&self) -> Result<Response, Error> {
        host::send(self)
    }
}

impl Response {
    /// An answer, for tests.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// Whether its status is one of 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The first header of this name, in whatever letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|header| header.name.eq_ignore_ascii_case(name))?;
        Some(&found.value)
    }

    /// The body as text; what is not UTF-8 is replaced.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// The body from JSON.
    ///
    /// # Errors
    /// It is no JSON of this type.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }
}

impl Error {
    /// What is wrong, for a person.
    pub fn reason(&self) -> Cow<'_, str> {
        match self {
            Self::Denied(reason) => format!("denied: {reason}").into(),
            Self::NotInThisHook => "this hook may not wait for a server".into(),
            Self::InvalidRequest(reason) => format!("invalid request: {reason}").into(),
            Self::Timeout => "no answer in time".into(),
            Self::TooLarge => "the answer is too large".into(),
            Self::Connect(reason) => format!("no connection: {reason}").into(),
            Self::Protocol(reason) => format!("no valid answer: {reason}").into(),
        }
    }
}
