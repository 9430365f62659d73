//! Room for connections, and who takes it up.

use std::io::{self, IoSlice};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use hookwire_protocol::ConnectReason;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Semaphore;

use super::Stream;
use super::addresses::{Addresses, Network};
use crate::config::Limits;
use crate::metrics::Limit;

/// Clients at a time that are told that there is no room; beyond it they are just closed.
const REFUSED_MAX: usize = 64;

/// Room for connections, of all listeners together.
#[derive(Debug, Clone)]
pub struct Slots(Arc<Hall>);

#[derive(Debug)]
struct Hall {
    all: Semaphore,
    refused: Semaphore,
    addresses: Addresses,
}

impl Slots {
    /// Room for so many.
    pub fn new(connections_max: usize) -> Self {
        Self(Arc::new(Hall {
            all: slots(connections_max),
            refused: slots(REFUSED_MAX),
            addresses: Addresses::default(),
        }))
    }
}

fn slots(max: usize) -> Semaphore {
    Semaphore::new(max.min(Semaphore::MAX_PERMITS))
}

/// The way in through one listener.
#[derive(Debug)]
pub(super) struct Door {
    own: Semaphore,
    hall: Slots,
}

/// What a connection takes up for as long as it lives. Every connection has one, so it is a way to what is counted, and not a
/// permit for each count.
#[derive(Debug)]
pub(super) struct Room {
    door: Arc<Door>,
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// Among the connections, as one of its network's.
    Inside(Network),
    /// It is only told that there is no room.
    Outside,
}

impl Door {
    pub(super) fn new(hall: Slots, connections_max: usize) -> Arc<Self> {
        Arc::new(Self {
            own: slots(connections_max),
            hall,
        })
    }

    /// Room for one more connection.
    ///
    /// # Errors
    /// The limit that is reached, and what to say.
    pub(super) fn enter(
        self: &Arc<Self>,
        address: IpAddr,
        limits: &Limits,
        now: Instant,
    ) -> Result<Room, (Limit, ConnectReason)> {
        let Hall { all, addresses, .. } = &*self.hall.0;
        let network = addresses
            .admit(address, limits, now)
            .map_err(|limit| (limit, ConnectReason::ConnectionRateExceeded))?;
        if !take(&self.own) {
            addresses.leave(network);
        } else if !take(all) {
            self.own.add_permits(1);
            addresses.leave(network);
        } else {
            return Ok(self.room(Place::Inside(network)));
        }
        Err((Limit::ConnectionsMax, ConnectReason::ServerBusy))
    }

    /// Room to be told that there is none, if there is at least that.
    pub(super) fn wait_outside(self: &Arc<Self>) -> Option<Room> {
        take(&self.hall.0.refused).then(|| self.room(Place::Outside))
    }

    fn room(self: &Arc<Self>, place: Place) -> Room {
        Room {
            door: Arc::clone(self),
            place,
        }
    }
}

/// Takes a slot, which is to be given back by hand.
fn take(slots: &Semaphore) -> bool {
    slots.try_acquire().map(|permit| permit.forget()).is_ok()
}

impl Drop for Room {
    fn drop(&mut self) {
        let Door { own, hall } = &*self.door;
        match self.place {
            Place::Inside(network) => {
                own.add_permits(1);
                hall.0.all.add_permits(1);
                hall.0.addresses.leave(network);
            }
            Place::Outside => hall.0.refused.add_permits(1),
        }
    }
}

/// A stream with the room that it takes up.
pub(super) struct Roomed<S> {
    stream: S,
    _room: Room,
}

impl<S> Roomed<S> {
    pub(super) fn new(stream: S, room: Room) -> Self {
        Self { stream, _room: room }
    }
}

impl<S: Stream> Stream for Roomed<S> {
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.stream.poll_readable(cx)
    }

    fn is_busy(&self) -> bool {
        self.stream.is_busy()
    }

    fn set_alarm(&self, at: Option<Instant>) -> bool {
        self.stream.set_alarm(at)
    }

    fn poll_alarm(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.stream.poll_alarm(cx)
    }

    fn rest(&mut self) -> io::Result<()> {
        self.stream.rest()
    }
}

impl<S: Stream> AsyncRead for Roomed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: Stream> AsyncWrite for Roomed<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
