//! Gathered writes of an outbox, and the end of them.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Stream;
use crate::session::Outbox;

/// Segments in one system call.
const SLICES_MAX: usize = 64;

/// Writes as much as the socket takes; ready when nothing is left.
pub(super) fn poll_flush<S: Stream>(
    stream: &mut S,
    out: &mut Outbox,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    while !out.is_empty() {
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let mut used = 0;
        for (slice, bytes) in slices.iter_mut().zip(out.slices()) {
            *slice = IoSlice::new(bytes);
            used += 1;
        }
        let written = ready!(Pin::new(&mut *stream).poll_write_vectored(cx, &slices[..used]))?;
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        out.advance(written);
    }
    Poll::Ready(Ok(()))
}

/// Ends a stream so that what was written arrives: a socket that is closed with something unread in it takes it back, so all that the
/// other side still sends is read until it ends, too. That may be never.
pub(super) async fn finish<S: Stream>(stream: &mut S) -> io::Result<()> {
    stream.shutdown().await?;
    let mut unread = [0; 1024];
    while stream.read(&mut unread).await? > 0 {}
    Ok(())
}
