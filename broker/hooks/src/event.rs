//! What the events hook is told.

use bytestring::ByteString;
use hookwire_protocol::{ConnectReason, DisconnectReason, QoS, Version};

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

/// What plugins can ask to be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum EventClass {
    /// Connections that begin.
    Connected,
    /// Connections that end.
    Disconnected,
    /// Sessions that are created, resumed, taken over, or expire.
    Session,
    /// Subscriptions that are made or end.
    Subscribed,
    /// Messages that did not reach a client.
    Dropped,
    /// Messages that a client has acknowledged.
    Acked,
    /// Messages without a recipient.
    Unrouted,
    /// CONNECTs that are refused.
    Refused,
}

impl EventClass {
    /// Each of them.
    pub const ALL: [Self; 8] = [
        Self::Connected,
        Self::Disconnected,
        Self::Session,
        Self::Subscribed,
        Self::Dropped,
        Self::Acked,
        Self::Unrouted,
        Self::Refused,
    ];

    /// A bit of its own.
    pub(crate) const fn bit(self) -> u8 {
        1 << self as u8
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
        /// The filter, as the broker keeps it.
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
    /// The client has acknowledged a message that it was sent.
    Acked {
        /// Its topic.
        topic: ByteString,
        /// The QoS it was sent with.
        qos: QoS,
    },
    /// A message that this client has published has no recipient; its topic.
    Unrouted(ByteString),
    /// A CONNECT was refused.
    Refused {
        /// User name, as sent.
        username: Option<ByteString>,
        /// Remote address and port.
        address: String,
        /// MQTT version.
        version: Version,
        /// Reason code of the CONNACK.
        reason: ConnectReason,
        /// Reason string.
        text: Option<ByteString>,
    },
}

impl EventKind {
    /// What one has to ask for to be told of it.
    pub fn class(&self) -> EventClass {
        match self {
            Self::Connected { .. } => EventClass::Connected,
            Self::Disconnected { .. } => EventClass::Disconnected,
            Self::SessionCreated | Self::SessionResumed | Self::SessionTakenOver | Self::SessionExpired => {
                EventClass::Session
            }
            Self::Subscribed { .. } | Self::Unsubscribed(_) => EventClass::Subscribed,
            Self::Dropped { .. } => EventClass::Dropped,
            Self::Acked { .. } => EventClass::Acked,
            Self::Unrouted(_) => EventClass::Unrouted,
            Self::Refused { .. } => EventClass::Refused,
        }
    }
}

/// One event.
#[derive(Debug, Clone)]
pub struct Event {
    /// Milliseconds since 1970-01-01 UTC.
    pub at_ms: u64,
    /// The connection it is about; 0 where there is none.
    pub client: ClientKey,
    /// Its client id.
    pub client_id: ByteString,
    /// What happened.
    pub kind: EventKind,
}
