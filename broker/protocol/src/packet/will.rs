//! The will of a client: a message that the server publishes when the connection ends unexpectedly (3.1.3.2
//! to 3.1.3.4).

use bytes::Bytes;

use crate::decode::DecodeLimits;
use crate::error::DecodeError;
use crate::packet::{PublishProperties, PublishPropertyValues};
use crate::properties::{PropertyId, PropertyReader};
use crate::qos::QoS;
use crate::reader::Reader;
use crate::topic::TopicName;
use crate::version::Version;
use crate::writer::{Write, Writer};

/// A message to be published when the connection ends without a DISCONNECT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Will {
    /// Its topic.
    pub topic: TopicName,
    /// Its payload.
    pub payload: Bytes,
    /// Its quality of service.
    pub qos: QoS,
    /// It is to be retained.
    pub retain: bool,
    /// How long the server waits for the client to come back, MQTT 5 only.
    pub delay_interval_secs: u32,
    /// Properties of the message, MQTT 5 only. A will has no subscription identifiers.
    pub properties: PublishProperties,
}

impl Will {
    /// Reads the will from where it stands in the payload of a CONNECT.
    pub(super) fn decode(
        body: &mut Reader<'_>,
        qos: QoS,
        retain: bool,
        version: Version,
        limits: &DecodeLimits,
    ) -> Result<Self, DecodeError> {
        let mut delay_interval_secs = 0;
        let mut values = PublishPropertyValues::default();
        if version.is_v5() {
            let mut properties = PropertyReader::block(body, limits)?;
            while let Some(id) = properties.next()? {
                match id {
                    PropertyId::WillDelayInterval => delay_interval_secs = properties.value().u32()?,
                    _ if values.read(id, &mut properties)? => {}
                    _ => return Err(DecodeError::PropertyNotAllowed),
                }
            }
        }
        let topic = body.topic(&limits.topic)?.ok_or(DecodeError::EmptyTopic)?; // [MQTT-3.1.3-11]
        let payload = body.binary()?;
        Ok(Self {
            topic,
            payload,
            qos,
            retain,
            delay_interval_secs,
            properties: values.into(),
        })
    }

    pub(super) fn write<W: Writer>(&self, version: Version, out: &mut W) {
        if version.is_v5() {
            out.properties(&Properties(self));
        }
        out.string(self.topic.as_str());
        out.binary(&self.payload);
    }
}

struct Properties<'a>(&'a Will);

impl Write for Properties<'_> {
    fn write<W: Writer>(&self, out: &mut W) {
        let Self(will) = self;
        let values = will.properties.values();
        if let Some(values) = values {
            values.write_common(out);
        }
        let delay = (will.delay_interval_secs != 0).then_some(will.delay_interval_secs);
        out.u32_property(PropertyId::WillDelayInterval, delay);
        if let Some(values) = values {
            out.user_properties(&values.user_properties);
        }
    }
}
