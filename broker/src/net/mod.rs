//! Sockets: listeners, the handshake, and the task of each connection, the one place where socket, clock and
//! session meet.

mod addresses;
mod admin_sockets;
mod connection;
mod descriptors;
mod dial;
mod exchange;
mod foreign;
mod handshake;
mod hearing;
mod listener;
mod quiet;
mod rate;
mod read_buffer;
mod reauthentication;
mod room;
mod socket;
mod stream;
mod writer;

pub use admin_sockets::{AdminSocket, Way, open_admin_sockets};
pub use descriptors::{make_room, raise_limit};
pub use dial::{dial, dial_file};
pub use handshake::serve;
pub use listener::Bound;
pub use quiet::QuietSockets;
pub use room::Slots;
pub use stream::Stream;
