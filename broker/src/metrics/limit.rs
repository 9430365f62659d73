//! Limits of the configuration that can be reached, each counted under its own name.

use std::sync::atomic::{AtomicU64, Ordering};

use hookwire_protocol::DecodeError;

macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident = $key:literal,)+) => {
        /// A limit that was reached: something was refused, dropped, lowered or slowed for it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Limit {
            $($(#[$doc])* $name,)+
        }

        impl Limit {
            /// Each of them.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// Its key in the configuration, table included.
            pub const fn key(self) -> &'static str {
                match self {
                    $(Self::$name => $key,)+
                }
            }
        }
    };
}

limits! {
    /// No CONNECT in time.
    ConnectTimeout = "limits.connect_timeout",
    /// No room for another connection, at its listener or at all.
    ConnectionsMax = "limits.connections_max",
    /// An exchange of challenges without end.
    AuthenticationRoundsMax = "limits.authentication_rounds_max",
    /// A CONNECT larger than strangers may send.
    ConnectPacketBytesMax = "limits.connect_packet_bytes_max",
    /// A packet that is too large.
    PacketBytesMax = "limits.packet_bytes_max",
    /// A packet with too many user properties.
    UserPropertiesMax = "limits.user_properties_max",
    /// A packet with too many bytes of user properties.
    UserPropertyBytesMax = "limits.user_property_bytes_max",
    /// A SUBSCRIBE or UNSUBSCRIBE with too many filters.
    FiltersMax = "limits.filters_max",
    /// A topic or filter with too many levels.
    TopicLevelsMax = "limits.topic_levels_max",
    /// A topic or filter with too many bytes.
    TopicBytesMax = "limits.topic_bytes_max",
    /// A client id with too many bytes.
    ClientIdBytesMax = "limits.client_id_bytes_max",
    /// A client id of MQTT 3.1 with too many bytes.
    Mqtt31ClientIdBytesMax = "limits.mqtt_3_1_client_id_bytes_max",
    /// A keep alive that was lowered or refused.
    KeepAliveMax = "limits.keep_alive_max",
    /// More QoS 1 and 2 messages on their way than we take.
    ReceiveMaximum = "limits.receive_maximum",
    /// A topic alias above the maximum.
    TopicAliasMaximum = "limits.topic_alias_maximum",
    /// A QoS above the maximum, refused or lowered.
    QosMax = "limits.qos_max",
    /// A QoS 0 message that found the outbox full.
    OutboxBytesMax = "limits.outbox_bytes_max",
    /// A client that did not take what was written to it.
    WriteTimeout = "limits.write_timeout",
    /// A client that published too many messages.
    MessagesPerSecondMax = "limits.messages_per_second_max",
    /// A client that sent too many bytes.
    BytesPerSecondMax = "limits.bytes_per_second_max",
    /// A connection too many from one address.
    ConnectionsPerAddressMax = "limits.connections_per_address_max",
    /// A connection too soon from one address.
    ConnectsPerAddressPerSecond = "limits.connects_per_address_per_second",
    /// Something that was slowed or refused since too little memory is left.
    MemoryMax = "limits.memory_max",
    /// A retained message too many.
    RetainedMessagesMax = "limits.retained_messages_max",
    /// A retained message that is too large for what is left.
    RetainedBytesMax = "limits.retained_bytes_max",
    /// A session too many.
    SessionsMax = "session.sessions_max",
    /// A session expiry that was lowered.
    ExpiryMax = "session.expiry_max",
    /// A subscription too many.
    SubscriptionsMax = "session.subscriptions_max",
    /// A message too many for the queue of a session.
    QueueMessagesMax = "session.queue_messages_max",
    /// A message that is too large for what is left of the queue of a session.
    QueueBytesMax = "session.queue_bytes_max",
    /// A subscription of a session that many retained messages wait for already.
    RetainedWaitingMax = "session.retained_waiting_max",
    /// A will delay that was lowered.
    WillDelayMax = "session.will_delay_max",
    /// Something that was refused since the store, or its disk, is full, or has failed.
    StoreBytesMax = "store.bytes_max",
    /// A connection to the admin endpoint too many.
    AdminConnectionsMax = "admin.connections_max",
    /// A request to the admin endpoint, or its taker, that was too slow.
    AdminTimeout = "admin.timeout",
    /// A request to the admin endpoint with too large a body.
    AdminBodyBytesMax = "admin.body_bytes_max",
    /// A watch too many.
    AdminWatchesMax = "admin.watches_max",
    /// A client that is banned by its client id, user name or address.
    Ban = "ban",
    /// A client that connected too often, or is banned for it.
    Flapping = "flapping.connects_max",
    /// A connect that had to wait for the end of a fight.
    TakeoverFight = "takeover.fight_after",
}

impl Limit {
    /// The limit that a packet breaks, if it is one that is wrong with it.
    pub fn broken_by(error: DecodeError) -> Option<Self> {
        Some(match error {
            DecodeError::PacketTooLarge => Self::PacketBytesMax,
            DecodeError::TooManyUserProperties => Self::UserPropertiesMax,
            DecodeError::UserPropertiesTooLarge => Self::UserPropertyBytesMax,
            DecodeError::TooManyFilters => Self::FiltersMax,
            DecodeError::TooManyTopicLevels => Self::TopicLevelsMax,
            DecodeError::TopicTooLong => Self::TopicBytesMax,
            _ => return None,
        })
    }
}

/// How often each was reached since the start.
#[derive(Debug)]
pub struct LimitCounts([AtomicU64; Limit::ALL.len()]);

impl Default for LimitCounts {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl LimitCounts {
    /// Counts one.
    pub fn reached(&self, limit: Limit) {
        self.add(limit, 1);
    }

    /// Counts the limit that a packet breaks, if it is one that is wrong with it.
    pub fn reached_by(&self, error: DecodeError) {
        if let Some(limit) = Limit::broken_by(error) {
            self.reached(limit);
        }
    }

    /// Counts several.
    pub fn add(&self, limit: Limit, times: u64) {
        if let Some(count) = self.0.get(limit as usize) {
            count.fetch_add(times, Ordering::Relaxed);
        }
    }

    /// How often one was reached.
    pub fn get(&self, limit: Limit) -> u64 {
        self.0
            .get(limit as usize)
            .map_or(0, |count| count.load(Ordering::Relaxed))
    }
}
