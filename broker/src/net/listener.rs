//! Listeners: a bound socket, and the loop that accepts.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use mio::net::TcpListener;
use socket2::{Domain, Protocol, Type};
use tokio::io::unix::AsyncFd;
use tokio::task::{JoinHandle, coop};

use super::foreign::watched;
use super::handshake;
use super::quiet::QuietSockets;
use super::room::{Door, Roomed, Slots};
use super::socket::Socket;
use crate::broker::{Admits, Arrival, Broker};
use crate::clock;
use crate::config::Listener;
use crate::metrics::Tally;

/// Connections that the system holds for us until they are accepted.
const BACKLOG: i32 = 4096;
/// How long accepting rests when the system has no descriptor left.
const REST: Duration = Duration::from_millis(100);

/// A listener that is bound and not served yet.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    name: Arc<str>,
    admits_anonymous: Admits,
    connections_max: usize,
}

impl Bound {
    /// Binds a listener.
    ///
    /// # Errors
    /// The address is taken or not ours.
    pub fn bind(listener: &Listener) -> io::Result<Self> {
        let socket = socket2::Socket::new(
            Domain::for_address(listener.address),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        // Small packets must not wait for the acknowledgement of the last ones. Accepted connections have it from here.
        socket.set_tcp_nodelay(true)?;
        socket.bind(&listener.address.into())?;
        socket.listen(BACKLOG)?;
        Ok(Self {
            listener: TcpListener::from_std(socket.into()),
            name: listener.name.as_str().into(),
            admits_anonymous: Admits {
                without_authenticator: listener.admits_anonymous(false),
                with_authenticator: listener.admits_anonymous(true),
            },
            connections_max: listener.connections_max,
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

    /// Accepts until the task is aborted, and watches with `sockets` what it accepts.
    ///
    /// # Errors
    /// The system cannot watch it.
    pub fn serve(
        self,
        broker: Broker,
        slots: Slots,
        sockets: Arc<QuietSockets>,
    ) -> io::Result<JoinHandle<()>> {
        let way_in = WayIn {
            door: Door::new(slots, self.connections_max),
            broker,
            name: self.name,
            admits_anonymous: self.admits_anonymous,
            listener: watched(self.listener)?,
            sockets,
        };
        Ok(tokio::spawn(async move { way_in.serve().await }))
    }
}

/// A listener that is served.
struct WayIn {
    listener: AsyncFd<TcpListener>,
    sockets: Arc<QuietSockets>,
    door: Arc<Door>,
    broker: Broker,
    name: Arc<str>,
    admits_anonymous: Admits,
}

impl WayIn {
    async fn serve(&self) {
        loop {
            let accepted = accept(&self.listener).await;
            match accepted.and_then(|(stream, peer)| self.admit(stream, peer)) {
                Ok(()) => coop::consume_budget().await,
                Err(error) => {
                    // A connection that died in the queue is nothing; no descriptors is, and asking again at once would not help.
                    tracing::warn!(listener = &*self.name, "cannot accept: {error}");
                    tokio::time::sleep(REST).await;
                }
            }
        }
    }

    fn admit(&self, stream: TcpStream, peer: SocketAddr) -> io::Result<()> {
        let arrival = Arrival {
            address: peer,
            listener: Arc::clone(&self.name),
            admits_anonymous: self.admits_anonymous,
        };
        self.broker.metrics().traffic.add(&Tally {
            sockets: 1,
            ..Tally::default()
        });
        let limits = &self.broker.settings().limits;
        let (room, refusal) = match self.door.enter(peer.ip(), limits, clock::now()) {
            Ok(room) => (room, None),
            Err((limit, reason)) => {
                self.broker.metrics().limits.reached(limit);
                let Some(room) = self.door.wait_outside() else {
                    return Ok(());
                };
                tracing::warn!(%peer, listener = &*self.name, limit = limit.key(), "no room for another connection");
                (room, Some(reason))
            }
        };
        let socket = Socket::new(stream, &self.sockets)?;
        let stream = Roomed::new(socket, room);
        tokio::spawn(handshake::serve(stream, self.broker.clone(), arrival, refusal));
        Ok(())
    }
}

/// The runtime's own listener would have the runtime watch what it accepts.
async fn accept(listener: &AsyncFd<TcpListener>) -> io::Result<(TcpStream, SocketAddr)> {
    loop {
        let mut readable = listener.readable().await?;
        if let Ok(accepted) = readable.try_io(|listener| listener.get_ref().accept()) {
            return accepted.map(|(stream, peer)| (stream.into(), peer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[tokio::test]
    async fn small_packets_to_accepted_connections_do_not_wait() {
        let listener = Listener {
            address: "127.0.0.1:0".parse().unwrap(),
            ..Config::default().listeners.remove(0)
        };
        let bound = Bound::bind(&listener).unwrap();
        let client = TcpStream::connect(bound.address().unwrap()).unwrap();
        let listener = watched(bound.listener).unwrap();
        let (accepted, _) = accept(&listener).await.unwrap();
        assert!(accepted.nodelay().unwrap());
        drop(client);
    }
}
