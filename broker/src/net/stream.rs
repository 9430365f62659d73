//! What a connection needs of its transport: TCP today; TLS and WebSocket streams are of the same kind.

use tokio::io::{AsyncRead, AsyncWrite};

/// A byte stream to a client.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for T {}
