//! What the events hook is told.

use bytestring::ByteString;
use hookwire_protocol::{DisconnectReason, QoS, Version};

use crate::ClientKey;

/// Why a message did not reach a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DropCause {
    /// Its queue was full.
    QueueFull,
    /// It expired while it waited.
    Expired,
    /// It is larger than the client's Maximum Packet Size.
    TooLarge,
    /// The client is away and the message is not kept for it.
    Offline,
    /// A policy refused it.
    Denied,
}

impl DropCause {
    /// As the WIT contract spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue-full",
            Self::Expired => "expired",
            Self::TooLarge => "too-large",
            Self::Offline => "offline",
            Self::Denied => "denied",
        }
    }
}

/// What happened.
#[derive(Debug, Clone)]
pub enum EventKind {
    /// A CONNECT was accepted.
    Connected {
        /// User name in force.
        username: Option<ByteString>,
        /// Remote address and port.
        address: String,
        /// MQTT version.
        version: Version,
        /// Clean Start.
        clean_start: bool,
        /// Keep alive in force, seconds.
        keep_alive_secs: u16,
    },
    /// A connection ended.
    Disconnected {
        /// The reason code that fits best.
        reason: DisconnectReason,
        /// The true reason.
        text: String,
        /// The client ended it.
        by_client: bool,
    },
    /// A new session.
    SessionCreated,
    /// A kept session was resumed.
    SessionResumed,
    /// Another connection took the session over.
    SessionTakenOver,
    /// A kept session reached its expiry.
    SessionExpired,
    /// A subscription was made or replaced.
    Subscribed {
        /// Filter as the client sent it.
        filter: ByteString,
        /// Granted QoS.
        qos: QoS,
    },
    /// A subscription was removed.
    Unsubscribed(ByteString),
    /// A message did not reach this client.
    Dropped {
        /// Its topic.
        topic: ByteString,
        /// Why.
        cause: DropCause,
    },
}

/// One event.
#[derive(Debug, Clone)]
pub struct Event {
    /// Milliseconds since 1970-01-01 UTC.
    pub at_ms: u64,
    /// The connection it is about.
    pub client: ClientKey,
    /// Its client id.
    pub client_id: ByteString,
    /// What happened.
    pub kind: EventKind,
}
