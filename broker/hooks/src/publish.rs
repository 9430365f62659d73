//! Answers of the on-publish hook.

use bytes::Bytes;
use bytestring::ByteString;
use hookwire_protocol::{DisconnectReason, PublishProperties, PublishReason, QoS, TopicName};

use crate::Message;

/// A refusal of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Reason code of the PUBACK or PUBREC.
    pub reason: PublishReason,
    /// Reason string.
    pub text: Option<ByteString>,
}

impl Rejection {
    /// The reason code when the connection is closed for it.
    pub fn disconnect_reason(&self) -> DisconnectReason {
        match self.reason {
            PublishReason::ImplementationSpecific => DisconnectReason::ImplementationSpecific,
            PublishReason::NotAuthorized => DisconnectReason::NotAuthorized,
            PublishReason::TopicNameInvalid => DisconnectReason::TopicNameInvalid,
            PublishReason::QuotaExceeded => DisconnectReason::QuotaExceeded,
            PublishReason::PayloadFormatInvalid => DisconnectReason::PayloadFormatInvalid,
            _ => DisconnectReason::Unspecified,
        }
    }
}

/// A changed message; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct Replacement {
    /// New topic name.
    pub topic: Option<TopicName>,
    /// New payload.
    pub payload: Option<Bytes>,
    /// New QoS.
    pub qos: Option<QoS>,
    /// New RETAIN flag.
    pub retain: Option<bool>,
    /// New set of properties.
    pub properties: Option<PublishProperties>,
}

impl Replacement {
    /// Writes the change into a message.
    pub fn apply(self, message: &mut Message) {
        if let Some(topic) = self.topic {
            message.topic = topic;
        }
        if let Some(payload) = self.payload {
            message.payload = payload;
        }
        if let Some(qos) = self.qos {
            message.qos = qos;
        }
        if let Some(retain) = self.retain {
            message.retain = retain;
        }
        if let Some(properties) = self.properties {
            message.properties = properties;
        }
    }
}

/// One plugin's answer about one message.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// No objection.
    Pass,
    /// Goes on as changed.
    Replace(Box<Replacement>),
    /// Nobody receives it, the publisher sees success.
    Drop,
    /// Nobody receives it, the publisher sees the reason.
    Reject(Rejection),
    /// Nobody receives it, the publisher is disconnected.
    Disconnect(Rejection),
    /// Goes on; the publisher is not read from for so many milliseconds.
    Throttle(u32),
}
