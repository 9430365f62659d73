//! The socket of a client, as one of many on which little happens or as one of the busy ones.

use std::io::{self, IoSlice, Read, Write};
use std::mem;
use std::net::{self, Shutdown};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::coop;

use super::Stream;
use super::quiet::{Quiet, QuietSockets};

/// A socket that the runtime watches itself only while much is heard of it, or while it does not take what is written: see
/// [`QuietSockets`].
#[derive(Debug)]
pub(super) enum Socket {
    /// Watched with all others.
    Quiet(Quiet),
    /// Watched by the runtime.
    Busy(Box<Busy>),
    /// Watched by nobody: the system had no room.
    Lost,
}

#[derive(Debug)]
pub(super) struct Busy {
    stream: TcpStream,
    /// The runtime may not have told yet what there is to read.
    is_untold: bool,
    /// Where it belongs when it is quiet again.
    among: Arc<QuietSockets>,
}

impl Socket {
    /// A socket that was just accepted, and does not block.
    pub(super) fn new(stream: net::TcpStream, among: &Arc<QuietSockets>) -> io::Result<Self> {
        Ok(Self::Quiet(among.add(stream)?))
    }

    /// Lets the runtime watch it.
    ///
    /// # Errors
    /// The system has no room; reading tells so, too.
    fn wake_up(&mut self) -> io::Result<()> {
        *self = match mem::replace(self, Self::Lost) {
            Self::Quiet(quiet) => {
                let (stream, among) = quiet.leave()?;
                let stream = TcpStream::from_std(stream)?;
                Self::Busy(Box::new(Busy {
                    stream,
                    is_untold: true,
                    among,
                }))
            }
            other => other,
        };
        Ok(())
    }

    fn busy(&mut self) -> io::Result<&mut Busy> {
        self.wake_up()?;
        match self {
            Self::Busy(busy) => Ok(busy),
            Self::Quiet(_) | Self::Lost => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl Busy {
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_untold {
            return Poll::Ready(());
        }
        self.stream.poll_readable(cx)
    }

    /// Whoever is told that there is nothing to read takes it for all that the client has said: the socket itself is asked until the
    /// runtime knows.
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.is_untold && self.stream.poll_read_ready(cx).is_pending() {
            let turn = ready!(coop::poll_proceed(cx));
            match (&*SockRef::from(&self.stream)).read(buf.initialize_unfilled()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => {
                    turn.made_progress();
                    return Poll::Ready(read.map(|read| buf.advance(read)));
                }
            }
        }
        self.is_untold = false;
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }

    fn stream(&mut self) -> Pin<&mut TcpStream> {
        Pin::new(&mut self.stream)
    }
}

impl Stream for Socket {
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Quiet(quiet) => quiet.poll_readable(cx),
            Self::Busy(busy) => busy.poll_readable(cx),
            Self::Lost => Poll::Ready(()),
        }
    }

    fn is_busy(&self) -> bool {
        matches!(self, Self::Busy(_))
    }

    fn set_alarm(&self, at: Option<Instant>) -> bool {
        let Self::Quiet(quiet) = self else {
            return false;
        };
        quiet.set_alarm(at);
        true
    }

    fn poll_alarm(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Quiet(quiet) => quiet.poll_alarm(cx),
            Self::Busy(_) | Self::Lost => Poll::Pending,
        }
    }

    fn rest(&mut self) -> io::Result<()> {
        *self = match mem::replace(self, Self::Lost) {
            Self::Busy(busy) => {
                let Busy { stream, among, .. } = *busy;
                let quiet = among.add(stream.into_std()?)?;
                quiet.look_again();
                Self::Quiet(quiet)
            }
            other => other,
        };
        Ok(())
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self::Quiet(quiet) = &*self else {
            return self.busy()?.poll_read(cx, buf);
        };
        let turn = ready!(coop::poll_proceed(cx));
        let is_heard_often = ready!(quiet.poll_read(cx, buf))?;
        turn.made_progress();
        if is_heard_often && let Err(error) = self.wake_up() {
            // What was read counts, and there will be no more.
            tracing::warn!("cannot watch a socket: {error}");
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Self::Quiet(quiet) = &*self {
            let turn = ready!(coop::poll_proceed(cx));
            match quiet.socket().write_vectored(bufs) {
                // Only the runtime tells when there is room again.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => {
                    // What has come before that is read without waiting until it is told of.
                    quiet.look_again();
                    return Poll::Ready(Err(error));
                }
                Ok(written) => {
                    turn.made_progress();
                    return Poll::Ready(Ok(written));
                }
            }
        }
        self.busy()?.stream().poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &*self {
            Self::Quiet(quiet) => Poll::Ready(quiet.socket().shutdown(Shutdown::Write)),
            _ => self.busy()?.stream().poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::future::poll_fn;
    use std::task::Waker;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// Longer than anything takes that comes.
    const PATIENCE: Duration = Duration::from_secs(30);

    /// An accepted socket, and the client's.
    pub(in crate::net) fn pair(among: &Arc<QuietSockets>) -> (Socket, net::TcpStream) {
        let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
        let far = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (near, _) = listener.accept().unwrap();
        near.set_nonblocking(true).unwrap();
        (Socket::new(near, among).unwrap(), far)
    }

    fn is_readable(socket: &Socket) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        socket.poll_readable(&mut cx).is_ready()
    }

    async fn hear(socket: &mut Socket, far: &mut net::TcpStream) {
        far.write_all(b"packet").unwrap();
        let mut heard = [0; 6];
        socket.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"packet");
    }

    #[tokio::test]
    async fn whoever_is_heard_often_is_busy_until_it_rests() {
        let sockets = QuietSockets::watch().unwrap();
        let (mut socket, mut far) = pair(&sockets);
        hear(&mut socket, &mut far).await;
        assert!(!socket.is_busy());
        while !socket.is_busy() {
            hear(&mut socket, &mut far).await;
        }
        hear(&mut socket, &mut far).await;
        far.write_all(b"pac").unwrap();
        socket.rest().unwrap();
        assert!(!socket.is_busy());
        assert!(is_readable(&socket), "before the selector tells");
        far.write_all(b"ket").unwrap();
        let mut heard = [0; 6];
        socket.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"packet", "whenever it came");
        drop(far);
        assert_eq!(socket.read(&mut heard).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn an_end_that_is_told_of_with_what_comes_before_it_is_heard() {
        let sockets = QuietSockets::watch().unwrap();
        let (mut socket, mut far) = pair(&sockets);
        far.write_all(b"packet").unwrap();
        drop(far);
        let mut heard = Vec::new();
        let hearing = tokio::time::timeout(PATIENCE, socket.read_to_end(&mut heard)).await;
        hearing.expect("the end").unwrap();
        assert_eq!(heard, b"packet");
        assert!(!socket.is_busy());
    }

    #[tokio::test]
    async fn what_came_before_a_write_failed_is_read_before_the_selector_tells() {
        let sockets = QuietSockets::watch().unwrap();
        let (mut socket, mut far) = pair(&sockets);
        socket.shutdown().await.unwrap();
        far.write_all(b"packet").unwrap();
        assert!(!is_readable(&socket));
        assert!(socket.write_all(b"packet").await.is_err());
        assert!(is_readable(&socket));
    }

    #[tokio::test(start_paused = true)]
    async fn alarms_ring_in_time_and_not_before() {
        let sockets = QuietSockets::watch().unwrap();
        let (soon, _far) = pair(&sockets);
        let (late, _far) = pair(&sockets);
        let (never, _far) = pair(&sockets);
        let now = tokio::time::Instant::now();
        let in_secs = |secs| Some((now + Duration::from_secs(secs)).into_std());
        assert!(never.set_alarm(in_secs(30)));
        assert!(never.set_alarm(None));
        assert!(late.set_alarm(in_secs(3600)));
        assert!(soon.set_alarm(in_secs(60)));
        for (socket, secs) in [(soon, 60), (late, 3600)] {
            let ringing = poll_fn(|cx| socket.poll_alarm(cx));
            let in_time = tokio::time::timeout(Duration::from_secs(2 * 3600), ringing).await;
            in_time.expect("it rings");
            let passed = now.elapsed();
            assert!((secs..secs + 2).contains(&passed.as_secs()), "{passed:?}");
            assert!(socket.set_alarm(None));
            assert!(
                poll_fn(|cx| Poll::Ready(socket.poll_alarm(cx)))
                    .await
                    .is_pending()
            );
        }
        assert!(poll_fn(|cx| Poll::Ready(never.poll_alarm(cx))).await.is_pending());
    }

    #[tokio::test]
    async fn whoever_has_much_to_say_at_a_time_is_busy() {
        let sockets = QuietSockets::watch().unwrap();
        let (mut socket, mut far) = pair(&sockets);
        let said = vec![7; 64 * 1024];
        far.write_all(&said).unwrap();
        let mut heard = vec![0; said.len()];
        socket.read_exact(&mut heard).await.unwrap();
        assert_eq!(heard, said);
        assert!(socket.is_busy());
    }

    #[tokio::test]
    async fn whoever_does_not_take_what_is_written_is_busy_until_it_does() {
        let sockets = QuietSockets::watch().unwrap();
        let (mut socket, mut far) = pair(&sockets);
        let packet = [IoSlice::new(&[7; 256 * 1024])];
        let write =
            |socket: &mut Socket, cx: &mut Context<'_>| Pin::new(socket).poll_write_vectored(cx, &packet);
        let mut written = 0;
        poll_fn(|cx| {
            while let Poll::Ready(more) = write(&mut socket, cx) {
                written += more.unwrap();
            }
            Poll::Ready(())
        })
        .await;
        assert!(socket.is_busy());
        let taking = tokio::task::spawn_blocking(move || {
            far.read_exact(&mut vec![0; written]).unwrap();
            far
        });
        written = poll_fn(|cx| write(&mut socket, cx)).await.unwrap();
        let mut far = taking.await.unwrap();
        far.read_exact(&mut vec![0; written]).unwrap();
        socket.rest().unwrap();
        hear(&mut socket, &mut far).await;
    }

    #[tokio::test]
    async fn many_are_told_at_a_time_and_leave_nothing_behind() {
        let sockets = QuietSockets::watch().unwrap();
        let pairs: Vec<_> = (0..300).map(|_| pair(&sockets)).collect();
        let hearing = pairs.into_iter().map(|(mut socket, mut far)| {
            far.write_all(b"packet").unwrap();
            tokio::spawn(async move {
                let mut heard = Vec::new();
                socket.read_buf(&mut heard).await.unwrap();
                // The first are all heard before any of the second come.
                tokio::task::yield_now().await;
                hear(&mut socket, &mut far).await;
                heard
            })
        });
        for heard in hearing.collect::<Vec<_>>() {
            assert_eq!(heard.await.unwrap(), b"packet");
        }
        assert_eq!(sockets.watched(), 0);
    }
}
