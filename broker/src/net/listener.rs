//! Listeners: a bound socket, and the loop that accepts.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hookwire_protocol::ConnectReason;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

use super::addresses::{Addresses, Visit};
use super::handshake;
use crate::broker::{Admits, Arrival, Broker};
use crate::clock;
use crate::config::Listener;
use crate::metrics::{Limit, Tally};

/// Connections that the system holds for us until they are accepted.
const BACKLOG: i32 = 4096;
/// How long accepting rests when the system has no descriptor left.
const REST: Duration = Duration::from_millis(100);
/// Clients at a time that are told that there is no room; beyond it they are just closed.
const REFUSED_MAX: usize = 64;

/// Room for connections, of all listeners together.
#[derive(Debug, Clone)]
pub struct Slots {
    all: Arc<Semaphore>,
    refused: Arc<Semaphore>,
    addresses: Addresses,
}

impl Slots {
    /// Room for so many.
    pub fn new(connections_max: usize) -> Self {
        Self {
            all: Arc::new(Semaphore::new(connections_max.min(Semaphore::MAX_PERMITS))),
            refused: Arc::new(Semaphore::new(REFUSED_MAX)),
            addresses: Addresses::default(),
        }
    }
}

/// A listener that is bound and not served yet.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    name: String,
    admits_anonymous: Admits,
    own_slots: Arc<Semaphore>,
}

impl Bound {
    /// Binds a listener.
    ///
    /// # Errors
    /// The address is taken or not ours.
    pub fn bind(listener: &Listener) -> io::Result<Self> {
        let socket = Socket::new(
            Domain::for_address(listener.address),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&listener.address.into())?;
        socket.listen(BACKLOG)?;
        Ok(Self {
            listener: TcpListener::from_std(socket.into())?,
            name: listener.name.clone(),
            admits_anonymous: Admits {
                without_authenticator: listener.admits_anonymous(false),
                with_authenticator: listener.admits_anonymous(true),
            },
            own_slots: Arc::new(Semaphore::new(
                listener.connections_max.min(Semaphore::MAX_PERMITS),
            )),
        })
    }

    /// Its name in the configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address in use, with the port that the system chose.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Accepts until the task is aborted.
    pub fn serve(self, broker: Broker, slots: Slots) -> JoinHandle<()> {
        tokio::spawn(async move {
            loop {
                match self.listener.accept().await {
                    Ok((stream, peer)) => self.admit(stream, peer, &broker, &slots),
                    Err(error) => {
                        // A connection that died in the queue is nothing; no descriptors is, and asking again
                        // at once would not help.
                        tracing::warn!(listener = self.name, "cannot accept: {error}");
                        tokio::time::sleep(REST).await;
                    }
                }
            }
        })
    }

    fn admit(&self, stream: TcpStream, peer: SocketAddr, broker: &Broker, slots: &Slots) {
        let arrival = Arrival {
            address: peer,
            listener: self.name.clone(),
            admits_anonymous: self.admits_anonymous,
        };
        // Small packets must not wait for the acknowledgement of the last ones.
        if let Err(error) = stream.set_nodelay(true) {
            return tracing::debug!(%peer, "{error}");
        }
        broker.metrics().traffic.add(&Tally {
            sockets: 1,
            ..Tally::default()
        });
        match self.room(peer, broker, slots) {
            Ok(room) => {
                let serving = handshake::serve(stream, broker.clone(), arrival, None);
                tokio::spawn(within(room, serving));
            }
            Err((limit, reason)) => {
                broker.metrics().limits.reached(limit);
                if let Ok(room) = slots.refused.clone().try_acquire_owned() {
                    tracing::warn!(%peer, listener = self.name, limit = limit.key(), "no room for another connection");
                    let serving = handshake::serve(stream, broker.clone(), arrival, Some(reason));
                    tokio::spawn(within(room, serving));
                }
            }
        }
    }

    /// Room for one more connection; else the limit that is reached, and what to say.
    fn room(&self, peer: SocketAddr, broker: &Broker, slots: &Slots) -> Result<Room, (Limit, ConnectReason)> {
        let visit = slots
            .addresses
            .admit(peer.ip(), &broker.settings().limits, clock::now())
            .map_err(|limit| (limit, ConnectReason::ConnectionRateExceeded))?;
        let slot = |slots: &Arc<Semaphore>| {
            let slot = slots.clone().try_acquire_owned();
            slot.map_err(|_| (Limit::ConnectionsMax, ConnectReason::ServerBusy))
        };
        Ok((visit, slot(&self.own_slots)?, slot(&slots.all)?))
    }
}

/// What a connection takes up for as long as it lives.
type Room = (Visit, OwnedSemaphorePermit, OwnedSemaphorePermit);

/// The room is given back when the connection has ended.
async fn within<R: Send>(room: R, serving: impl Future<Output = ()>) {
    serving.await;
    drop(room);
}
