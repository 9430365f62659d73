//! What a connection needs of its transport: TCP today; TLS and WebSocket streams are of the same kind.

use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::net::{TcpStream, UnixStream};

/// A byte stream to a client.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Whether there may be something to read, so that a buffer for it is only made then. A stream that cannot tell is tried.
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        let _ = cx;
        Poll::Ready(())
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
}

impl Stream for DuplexStream {}
