//! Paths, queries and bodies of requests.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::http::request::Parts;
use percent_encoding::percent_decode_str;

use super::Admin;
use super::reply::{self, Refusal};
use crate::config::AdminSettings;
use crate::metrics::Limit;

/// The parts of a path between its slashes, decoded; `None` when one is no UTF-8 text.
pub(super) fn segments(path: &str) -> Option<Vec<Cow<'_, str>>> {
    let parts = path.strip_prefix('/')?.split('/');
    parts
        .map(|part| percent_decode_str(part).decode_utf8().ok())
        .collect()
}

/// The query of a request. Whoever reads it asks for each key that it may have, then calls [`Query::finish`].
#[derive(Debug)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn of(head: &Parts) -> Self {
        let query = head.uri.query().unwrap_or_default().as_bytes();
        Self(form_urlencoded::parse(query).into_owned().collect())
    }

    /// The text behind a key.
    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        let at = self.0.iter().position(|(name, _)| name == key)?;
        Some(self.0.swap_remove(at).1)
    }

    /// The same, read as something.
    ///
    /// # Errors
    /// It is no such thing.
    pub(super) fn read<T: FromStr<Err: Display>>(&mut self, key: &str) -> Result<Option<T>, Refusal> {
        let read = |text: String| {
            text.parse()
                .map_err(|error| bad(format!("{key}: {text:?}: {error}")))
        };
        self.text(key).map(read).transpose()
    }

    /// Refuses keys that nobody asked for: a misspelt filter must not go unnoticed.
    ///
    /// # Errors
    /// There is one.
    pub(super) fn finish(self) -> Result<(), Refusal> {
        match self.0.first() {
            Some((key, _)) => Err(bad(format!("unknown parameter {key:?}"))),
            None => Ok(()),
        }
    }
}

pub(super) fn bad(text: impl Display) -> Refusal {
    reply::error(StatusCode::BAD_REQUEST, text)
}

/// The JSON that a request brings.
///
/// # Errors
/// It is too large, too slow, or says that it is something else.
pub(super) async fn json_body(
    admin: &Admin,
    settings: &AdminSettings,
    head: &Parts,
    body: Incoming,
) -> Result<Bytes, Refusal> {
    let kind = head.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let essence = kind.map(|kind| kind.split(';').next().unwrap_or_default().trim());
    // Forms of web pages cannot send this kind.
    if !essence.is_some_and(|kind| kind.eq_ignore_ascii_case("application/json")) {
        let text = "the body must be of type application/json";
        return Err(reply::error(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
    }
    let read = Limited::new(body, settings.body_bytes_max).collect();
    match tokio::time::timeout(settings.timeout, read).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            admin.reached(Limit::AdminBodyBytesMax);
            let text = format!("the body is larger than {} bytes", settings.body_bytes_max);
            Err(reply::error(StatusCode::PAYLOAD_TOO_LARGE, text))
        }
        Ok(Err(error)) => Err(bad(error)),
        Err(_) => {
            admin.reached(Limit::AdminTimeout);
            Err(reply::error(
                StatusCode::REQUEST_TIMEOUT,
                "the body came too slowly",
            ))
        }
    }
}

/// Does something that may take its time, on a thread that may wait.
pub(super) async fn wait<R: Send + 'static>(step: impl FnOnce() -> R + Send + 'static) -> Result<R, Refusal> {
    tokio::task::spawn_blocking(step).await.map_err(|error| {
        tracing::error!("a request to the admin endpoint failed: {error}");
        reply::error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the request failed; the log says why",
        )
    })
}

/// Seconds, as `1.5` or `30`; above zero.
pub(super) fn seconds(query: &mut Query, key: &str) -> Result<Option<Duration>, Refusal> {
    let secs: Option<f64> = query.read(key)?;
    let duration = |secs: f64| {
        let duration = Duration::try_from_secs_f64(secs).ok();
        duration
            .filter(|duration| !duration.is_zero())
            .ok_or_else(|| bad(format!("{key}: {secs} is no duration")))
    };
    secs.map(duration).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_may_hold_a_slash() {
        let parts = segments("/v1/clients/a%2Fb%20c").unwrap();
        assert_eq!(parts, ["v1", "clients", "a/b c"]);
        assert_eq!(segments("/v1/%ff"), None);
        assert_eq!(segments("*"), None);
    }

    #[test]
    fn what_nobody_asked_for_is_refused() {
        let query = |text: &str| {
            let uri = format!("/v1/x?{text}");
            Query::of(
                &hyper::Request::builder()
                    .uri(uri)
                    .body(())
                    .unwrap()
                    .into_parts()
                    .0,
            )
        };
        let mut good = query("limit=5&after=a%2Bb");
        assert_eq!(good.read::<usize>("limit").ok().flatten(), Some(5));
        assert_eq!(good.text("after").as_deref(), Some("a+b"));
        assert!(good.finish().is_ok());
        assert!(query("limti=5").finish().is_err());
        assert!(query("limit=many").read::<usize>("limit").is_err());
        for odd in ["0", "-1", "inf", "1e99"] {
            assert!(seconds(&mut query(&format!("s={odd}")), "s").is_err(), "{odd}");
        }
        let half = seconds(&mut query("s=0.5"), "s").ok().flatten();
        assert_eq!(half, Some(Duration::from_millis(500)));
    }
}
