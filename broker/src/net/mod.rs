//! Sockets: listeners, the handshake, and the task of each connection, the one place where socket, clock and
//! session meet.

mod addresses;
mod connection;
mod descriptors;
mod exchange;
mod handshake;
mod hearing;
mod listener;
mod rate;
mod read_buffer;
mod reauthentication;
mod stream;
mod writer;

pub use descriptors::raise_limit;
pub use handshake::serve;
pub use listener::{Bound, Slots};
pub use stream::Stream;
