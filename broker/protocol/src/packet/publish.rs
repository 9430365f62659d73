//! PUBLISH (3.3).

use std::num::NonZeroU16;

use bytes::{Bytes, BytesMut};

use super::publish_properties::decode_properties;
use super::{PublishHead, PublishProperties};
use crate::decode::Decoder;
use crate::error::DecodeError;
use crate::packet_id::PacketId;
use crate::qos::QoS;
use crate::reader::Reader;
use crate::topic::TopicName;
use crate::version::Version;

pub(super) const DUP: u8 = 0b1000;
pub(super) const RETAIN: u8 = 0b0001;

/// A message on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// It may have been sent before.
    pub dup: bool,
    /// It is to be retained, or was.
    pub retain: bool,
    /// Its quality of service, and the packet identifier that goes with it.
    pub delivery: Delivery,
    /// What it is about.
    pub topic: PublishTopic,
    /// What it says.
    pub payload: Bytes,
    /// Properties, MQTT 5 only.
    pub properties: PublishProperties,
}

/// Quality of service and packet identifier of a PUBLISH: one is there if and only if the other needs it
/// `[MQTT-2.2.1-2]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// QoS 0.
    AtMostOnce,
    /// QoS 1.
    AtLeastOnce(PacketId),
    /// QoS 2.
    ExactlyOnce(PacketId),
}

impl Delivery {
    /// The quality of service.
    #[inline]
    pub const fn qos(self) -> QoS {
        match self {
            Self::AtMostOnce => QoS::AtMostOnce,
            Self::AtLeastOnce(_) => QoS::AtLeastOnce,
            Self::ExactlyOnce(_) => QoS::ExactlyOnce,
        }
    }

    /// The packet identifier, which QoS 0 does not have.
    #[inline]
    pub const fn packet_id(self) -> Option<PacketId> {
        match self {
            Self::AtMostOnce => None,
            Self::AtLeastOnce(id) | Self::ExactlyOnce(id) => Some(id),
        }
    }
}

/// The topic of a PUBLISH, as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublishTopic {
    /// A name; if it comes with an alias, the alias stands for it from now on.
    Name {
        /// The name.
        topic: TopicName,
        /// The alias that it gets.
        alias: Option<NonZeroU16>,
    },
    /// No name, but an alias that an earlier PUBLISH introduced.
    Alias(NonZeroU16),
}

impl PublishTopic {
    /// The name, if it was sent.
    #[inline]
    pub fn name(&self) -> Option<&TopicName> {
        match self {
            Self::Name { topic, .. } => Some(topic),
            Self::Alias(_) => None,
        }
    }

    /// The alias, if it was sent.
    #[inline]
    pub fn alias(&self) -> Option<NonZeroU16> {
        match self {
            Self::Name { alias, .. } => *alias,
            Self::Alias(alias) => Some(*alias),
        }
    }
}

/// A name without an alias.
impl From<TopicName> for PublishTopic {
    fn from(topic: TopicName) -> Self {
        Self::Name { topic, alias: None }
    }
}

impl Publish {
    #[inline]
    pub(crate) fn decode(body: &mut Reader<'_>, flags: u8, decoder: &Decoder) -> Result<Self, DecodeError> {
        let qos = QoS::from_u8(flags >> 1 & 0b11).ok_or(DecodeError::QosThree)?; // [MQTT-3.3.1-4]
        let dup = flags & DUP != 0;
        if dup && qos == QoS::AtMostOnce {
            return Err(DecodeError::DupWithoutQos); // [MQTT-3.3.1-2]
        }
        let name = body.topic(&decoder.limits.topic)?; // [MQTT-3.3.2-1], [MQTT-3.3.2-2]
        let delivery = match qos {
            QoS::AtMostOnce => Delivery::AtMostOnce, // [MQTT-2.2.1-2]
            QoS::AtLeastOnce => Delivery::AtLeastOnce(body.packet_id()?),
            QoS::ExactlyOnce => Delivery::ExactlyOnce(body.packet_id()?),
        };
        let (properties, alias) = if decoder.version.is_v5() {
            decode_properties(body, &decoder.limits)?
        } else {
            (PublishProperties::NONE, None)
        };
        let topic = match (name, alias) {
            (Some(topic), alias) => PublishTopic::Name { topic, alias },
            (None, Some(alias)) => PublishTopic::Alias(alias),
            (None, None) => return Err(DecodeError::EmptyTopic), // [MQTT-4.7.3-1], 3.3.2.1
        };
        let payload = body.rest();
        Ok(Self {
            dup,
            retain: flags & RETAIN != 0,
            delivery,
            topic,
            payload,
            properties,
        })
    }

    /// Writes the packet as this version has it. Before MQTT 5 there are no aliases: one without a name
    /// becomes an empty topic there.
    pub fn encode(&self, version: Version, out: &mut BytesMut) {
        let head = self.head();
        out.reserve(head.encoded_len(version));
        head.encode(version, out);
        out.extend_from_slice(&self.payload);
    }

    /// The number of bytes that [`encode`](Self::encode) writes.
    pub fn encoded_len(&self, version: Version) -> usize {
        self.head().encoded_len(version)
    }

    fn head(&self) -> PublishHead<'_> {
        let properties = self.properties.values();
        PublishHead {
            dup: self.dup,
            retain: self.retain,
            delivery: self.delivery,
            topic: self.topic.name().map_or("", TopicName::as_str),
            topic_alias: self.topic.alias(),
            properties,
            message_expiry_interval_secs: None,
            subscription_identifiers: properties.map_or(&[], |values| &values.subscription_identifiers),
            payload_len: self.payload.len(),
        }
    }
}
