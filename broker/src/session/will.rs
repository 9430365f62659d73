//! The will that a connection leaves, and when it is due.

use std::time::{Duration, Instant};

use bytes::Bytes;
use hookwire_hooks::{ClientKey, Message, Source, WillCause};
use hookwire_protocol::{PublishProperties, QoS, TopicName, Will};

/// A will as it waits for the end of its connection.
#[derive(Debug, Clone)]
pub struct PendingWill {
    topic: TopicName,
    payload: Bytes,
    qos: QoS,
    retain: bool,
    properties: PublishProperties,
    delay: Duration,
}

/// A will whose connection has ended.
#[derive(Debug, Clone)]
pub struct DueWill {
    /// Whose it is.
    pub client: ClientKey,
    /// Why its connection ended.
    pub cause: WillCause,
    /// What is to be published.
    pub message: Message,
    /// Not before this time; the session may end earlier, and then so does the wait. [MQTT-3.1.3-9]
    pub due_at: Instant,
}

impl PendingWill {
    /// The will of a CONNECT, with the topic as the broker sees it.
    pub fn new(will: Will, topic: TopicName, delay_max: Duration) -> Self {
        Self {
            topic,
            // Kept as long as the connection: it must not hold on to the read buffer that it came in.
            payload: Bytes::copy_from_slice(&will.payload),
            qos: will.qos,
            retain: will.retain,
            properties: will.properties,
            delay: Duration::from_secs(u64::from(will.delay_interval_secs)).min(delay_max),
        }
    }

    /// Where it goes.
    pub fn topic(&self) -> &TopicName {
        &self.topic
    }

    /// Its QoS.
    pub fn qos(&self) -> QoS {
        self.qos
    }

    /// Its RETAIN flag.
    pub fn retain(&self) -> bool {
        self.retain
    }

    /// The connection has ended; `session_left` is how long the session lives on.
    pub fn due(self, client: ClientKey, cause: WillCause, now: Instant, session_left: Duration) -> DueWill {
        let due_at = now + self.delay.min(session_left);
        DueWill {
            client,
            cause,
            message: self.into_message(client),
            due_at,
        }
    }

    /// How long it is held back.
    pub fn delay(&self) -> Duration {
        self.delay
    }

    /// What is to be published.
    pub fn into_message(self, client: ClientKey) -> Message {
        Message {
            source: Source::Will(client),
            topic: self.topic,
            payload: self.payload,
            qos: self.qos,
            retain: self.retain,
            properties: self.properties,
            expires_at: None,
        }
    }
}
