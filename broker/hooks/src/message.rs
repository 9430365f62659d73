//! The published message, shared by everyone who carries it.

use std::time::{Duration, Instant};

use bytes::Bytes;
use hookwire_protocol::{PublishProperties, QoS, TopicName};

use crate::ClientKey;

/// Who put a message into the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A connected client.
    Client(ClientKey),
    /// The will of a client whose connection ended.
    Will(ClientKey),
    /// A plugin, in the `hops`-th answer to another plugin's message (1 when nobody's).
    Plugin {
        /// Length of the chain of plugin publishes that led to this message.
        hops: u8,
    },
    /// An administrator.
    Admin,
    /// The broker itself: `$SYS`.
    Broker,
}

impl Source {
    /// The client behind the message, if there is one.
    pub fn client(self) -> Option<ClientKey> {
        match self {
            Self::Client(key) | Self::Will(key) => Some(key),
            Self::Plugin { .. } | Self::Admin | Self::Broker => None,
        }
    }

    /// How many plugin publishes led to this message.
    pub fn hops(self) -> u8 {
        match self {
            Self::Plugin { hops } => hops,
            Self::Client(_) | Self::Will(_) | Self::Admin | Self::Broker => 0,
        }
    }
}

/// An application message on its way through the broker.
#[derive(Debug, Clone)]
pub struct Message {
    /// Who published it.
    pub source: Source,
    /// Topic name, mount point included.
    pub topic: TopicName,
    /// Application payload.
    pub payload: Bytes,
    /// The QoS it was published with.
    pub qos: QoS,
    /// The RETAIN flag it was published with.
    pub retain: bool,
    /// MQTT 5 properties that travel with it.
    pub properties: PublishProperties,
    /// When it expires, set when it is routed: plugins may change the interval until then.
    pub expires_at: Option<Instant>,
}

impl Message {
    /// Payloads up to this size, bytes, are copied when they are to be kept for long: a larger one is most of the buffer that
    /// it came in anyway, and one copy of that serves all whom it goes to.
    pub const COPIED_MAX: usize = 16 * 1024;

    /// Starts its message expiry interval. [MQTT-3.3.2-5]
    pub fn start_expiry(&mut self, now: Instant) {
        let secs = self.expiry_interval_secs();
        self.expires_at = secs.map(|secs| now + Duration::from_secs(u64::from(secs)));
    }

    /// Its message expiry interval, as it was published.
    pub fn expiry_interval_secs(&self) -> Option<u32> {
        self.properties
            .values()
            .and_then(|values| values.message_expiry_interval_secs)
    }

    /// A copy whose message expiry interval is what is left of it.
    #[must_use]
    pub fn with_time_left(&self, now: Instant) -> Self {
        let mut copy = self.clone();
        if let Some(expires_at) = self.expires_at {
            let left = expires_at.saturating_duration_since(now).as_secs();
            copy.properties.get_or_insert().message_expiry_interval_secs =
                Some(u32::try_from(left).unwrap_or(u32::MAX));
        }
        copy
    }

    /// Whether it says that its payload is UTF-8 text, and it is not.
    pub fn breaks_its_payload_format(&self) -> bool {
        let says_text = self
            .properties
            .values()
            .is_some_and(|values| values.payload_format_utf8 == Some(true));
        says_text && std::str::from_utf8(&self.payload).is_err()
    }

    /// The same message with memory of its own, for whoever keeps it.
    #[must_use]
    pub fn detached(mut self) -> Self {
        let topic = self.topic.detached();
        self.detach_under(topic);
        self
    }

    /// The same, where its topic is at hand in other memory.
    pub fn detach_under(&mut self, topic: TopicName) {
        self.topic = topic;
        if self.payload.len() <= Self::COPIED_MAX {
            self.payload = Bytes::copy_from_slice(&self.payload);
        }
    }
}
