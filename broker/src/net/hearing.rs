//! What a client's input waits for: policies that have to wait for others.

use std::pin::Pin;
use std::task::{Context, Poll};

use hookwire_protocol::{DecodeError, Packet, Subscribe};

use crate::broker::{Consulted, PublishedRun};
use crate::session::Violation;

/// What has come of a question.
pub(super) enum Heard {
    Published(Box<PublishedRun>),
    Consulted(Box<Subscribe>, Consulted),
}

/// What was read behind the packets that are in question.
pub(super) enum Held {
    Packet(Packet),
    Malformed(DecodeError),
    Violation(Violation),
}

/// A question about a client's packets, and what comes after them. The client is not read from until it is answered, so that
/// its packets stay in order.
#[derive(Default)]
pub(super) struct Hearing {
    question: Option<Pin<Box<dyn Future<Output = Heard> + Send>>>,
    held: Option<Box<Held>>,
}

impl Hearing {
    pub(super) fn is_open(&self) -> bool {
        self.question.is_some()
    }

    /// Nothing is asked, and nothing waits for an answer.
    pub(super) fn is_idle(&self) -> bool {
        self.question.is_none() && self.held.is_none()
    }

    pub(super) fn open(&mut self, question: impl Future<Output = Heard> + Send + 'static) {
        self.question = Some(Box::pin(question));
    }

    /// Keeps what is to be handled after it.
    pub(super) fn hold(&mut self, held: Held) {
        self.held = Some(Box::new(held));
    }

    pub(super) fn take_held(&mut self) -> Option<Held> {
        self.held.take().map(|held| *held)
    }

    /// The answer, once.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Heard> {
        let Some(question) = &mut self.question else {
            return Poll::Pending;
        };
        let heard = question.as_mut().poll(cx);
        if heard.is_ready() {
            self.question = None;
        }
        heard
    }
}
