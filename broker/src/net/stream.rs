//! What a connection needs of its transport: TCP today; TLS and WebSocket streams are of the same kind.

use std::io;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::net::{TcpStream, UnixStream};

/// A byte stream to a client.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Whether there may be something to read, so that a buffer for it is only made then. A stream that cannot tell is tried.
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        let _ = cx;
        Poll::Ready(())
    }

    /// Whether it takes memory that [`Stream::rest`] would give back.
    fn is_busy(&self) -> bool {
        false
    }

    /// Sets an alarm at about that time, or none; the last one is off. False where the task needs a timer for that.
    fn set_alarm(&self, at: Option<Instant>) -> bool {
        let _ = at;
        false
    }

    /// Ready once the alarm has rung, which may be a second late.
    fn poll_alarm(&self, cx: &mut Context<'_>) -> Poll<()> {
        let _ = cx;
        Poll::Pending
    }

    /// Nothing has come for a while: gives memory back until something does.
    ///
    /// # Errors
    /// The system has no room: the stream has ended with that.
    fn rest(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for TcpStream {
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        // An error is read again, and told then.
        self.poll_read_ready(cx).map(drop)
    }
}

impl Stream for UnixStream {}

impl<S: Stream + ?Sized> Stream for Box<S> {
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        (**self).poll_readable(cx)
    }

    fn is_busy(&self) -> bool {
        (**self).is_busy()
    }

    fn set_alarm(&self, at: Option<Instant>) -> bool {
        (**self).set_alarm(at)
    }

    fn poll_alarm(&self, cx: &mut Context<'_>) -> Poll<()> {
        (**self).poll_alarm(cx)
    }

    fn rest(&mut self) -> io::Result<()> {
        (**self).rest()
    }
}

impl Stream for DuplexStream {}
