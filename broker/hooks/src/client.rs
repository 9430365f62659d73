//! Who a client is, as policies see it.

use std::sync::Arc;

use bytestring::ByteString;
use hookwire_protocol::Version;

/// One connection of one client; never used twice while the broker runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientKey(pub u64);

/// What the broker knows of a connection, fixed when the CONNECT is accepted.
#[derive(Debug, Clone)]
pub struct ClientFacts {
    /// The connection.
    pub key: ClientKey,
    /// The client id in force: as sent, assigned, or overridden by a grant.
    pub client_id: ByteString,
    /// The user name in force.
    pub username: Option<ByteString>,
    /// Remote address and port.
    pub address: Box<str>,
    /// Name of the listener, shared by its clients.
    pub listener: Arc<str>,
    /// MQTT version.
    pub version: Version,
    /// Milliseconds since 1970-01-01 UTC.
    pub connected_at_ms: u64,
    /// Facts that the admitting plugin attached.
    pub attributes: Vec<(ByteString, ByteString)>,
}
