//! The task of one connection, from its first byte to its end.

use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::Connection;
use crate::net::Stream;

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// One stage of a connection at a time: an async block would have room for all of them, and for what is passed from one to the
/// next, for as long as the connection lives.
pub(in crate::net) enum Serving<S> {
    /// The client is not admitted yet.
    Arriving(Boxed<Option<Box<Connection<S>>>>),
    Connected(Box<Connection<S>>),
    Leaving(Boxed<()>),
    Over,
}

impl<S: Stream> Serving<S> {
    /// `admission` ends with a client that may stay, or with none.
    pub(in crate::net) fn new(
        admission: impl Future<Output = Option<Box<Connection<S>>>> + Send + 'static,
    ) -> Self {
        Self::Arriving(Box::pin(admission))
    }

    /// A client that is admitted. What came right behind its CONNECT is handled at once.
    pub(in crate::net) fn of(mut connection: Box<Connection<S>>) -> Self {
        match connection.handle_input() {
            Ok(()) => {
                // Its CONNACK waits for nobody.
                connection.take_sole_recipient();
                Self::Connected(connection)
            }
            Err(end) => Self::Leaving(Box::pin(connection.leave(end))),
        }
    }
}

impl<S: Stream> Future for Serving<S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let next = match &mut *self {
                Self::Arriving(admission) => match ready!(admission.as_mut().poll(cx)) {
                    Some(connection) => Self::of(connection),
                    None => Self::Over,
                },
                Self::Connected(connection) => {
                    let end = ready!(connection.poll_end(cx));
                    match mem::replace(&mut *self, Self::Over) {
                        Self::Connected(connection) => Self::Leaving(Box::pin(connection.leave(end))),
                        other => other,
                    }
                }
                Self::Leaving(leaving) => {
                    ready!(leaving.as_mut().poll(cx));
                    Self::Over
                }
                Self::Over => return Poll::Ready(()),
            };
            *self = next;
        }
    }
}
