//! Application messages as tests see them.

use bytes::Bytes;
use hookwire_protocol::{Delivery, PacketId, Publish, PublishProperties, PublishTopic, QoS, TopicName};

/// A message that a client was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Topic name.
    pub topic: String,
    /// Payload; tests send text.
    pub payload: String,
    /// Quality of service.
    pub qos: QoS,
    /// Retain flag.
    pub retain: bool,
    /// It may have been sent before.
    pub dup: bool,
    /// Properties, MQTT 5 only.
    pub properties: PublishProperties,
}

impl Message {
    /// Topic and payload, for short assertions.
    pub fn brief(&self) -> (&str, &str) {
        (&self.topic, &self.payload)
    }
}

impl From<&Publish> for Message {
    fn from(publish: &Publish) -> Self {
        Self {
            topic: publish
                .topic
                .name()
                .map(|topic| topic.as_str().to_owned())
                .unwrap_or_default(),
            payload: String::from_utf8_lossy(&publish.payload).into_owned(),
            qos: publish.delivery.qos(),
            retain: publish.retain,
            dup: publish.dup,
            properties: publish.properties.clone(),
        }
    }
}

/// A PUBLISH without properties; `packet_id` is not looked at with QoS 0.
pub fn publish(topic: &str, payload: impl AsRef<[u8]>, qos: QoS, packet_id: u16) -> Publish {
    let id = || PacketId::new(packet_id).expect("packet ids are not zero");
    Publish {
        dup: false,
        retain: false,
        delivery: match qos {
            QoS::AtMostOnce => Delivery::AtMostOnce,
            QoS::AtLeastOnce => Delivery::AtLeastOnce(id()),
            QoS::ExactlyOnce => Delivery::ExactlyOnce(id()),
        },
        topic: PublishTopic::from(TopicName::new(topic).expect("a valid topic")),
        payload: Bytes::copy_from_slice(payload.as_ref()),
        properties: PublishProperties::NONE,
    }
}
