//! Answers.

use std::convert::Infallible;
use std::fmt::Display;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::{Response, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::Sleep;

use crate::watch::Lines;

/// An answer.
pub(super) type Reply = Response<Content>;

/// Why a request is not answered. It is made an answer at last, since it is much smaller.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    /// With `error`, a text for a person.
    pub(super) body: Value,
}

impl From<Refusal> for Reply {
    fn from(Refusal { status, body }: Refusal) -> Self {
        json(status, &body)
    }
}

/// What an answer carries.
pub(super) enum Content {
    /// All of it, until it is sent.
    Whole(Option<Bytes>),
    /// Lines as they come.
    Lines(Stream),
}

/// Lines of a watch, until that ends or its time is over.
pub(super) struct Stream {
    pub(super) first: Option<Bytes>,
    pub(super) lines: Lines,
    pub(super) until: Pin<Box<Sleep>>,
}

impl Body for Content {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Lines(stream) => stream
                .poll_next(context)
                .map(|line| line.map(|line| Ok(Frame::data(line)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Lines(_) => SizeHint::default(),
        }
    }
}

impl Stream {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(first));
        }
        if let Poll::Ready(line) = self.lines.poll_next(context) {
            return Poll::Ready(line);
        }
        self.until.as_mut().poll(context).map(|()| None)
    }
}

fn with(status: StatusCode, kind: &'static str, content: Content) -> Reply {
    let mut reply = Response::new(content);
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    reply
}

pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Reply {
    match serde_json::to_vec(value) {
        Ok(mut bytes) => {
            bytes.push(b'\n');
            with(status, "application/json", Content::Whole(Some(bytes.into())))
        }
        Err(reason) => {
            tracing::error!("an answer of the admin endpoint cannot be written: {reason}");
            error(StatusCode::INTERNAL_SERVER_ERROR, "the answer cannot be written").into()
        }
    }
}

pub(super) fn ok(value: &impl Serialize) -> Reply {
    json(StatusCode::OK, value)
}

/// `{"error": "…"}`
pub(super) fn error(status: StatusCode, text: impl Display) -> Refusal {
    Refusal {
        status,
        body: json!({ "error": text.to_string() }),
    }
}

pub(super) fn text(kind: &'static str, text: String) -> Reply {
    with(StatusCode::OK, kind, Content::Whole(Some(text.into())))
}

pub(super) fn empty() -> Reply {
    let mut reply = Response::new(Content::Whole(None));
    *reply.status_mut() = StatusCode::NO_CONTENT;
    reply
}

pub(super) fn lines(stream: Stream) -> Reply {
    with(StatusCode::OK, "application/x-ndjson", Content::Lines(stream))
}

pub(super) fn with_header(mut reply: Reply, name: HeaderName, value: &'static str) -> Reply {
    reply.headers_mut().insert(name, HeaderValue::from_static(value));
    reply
}
