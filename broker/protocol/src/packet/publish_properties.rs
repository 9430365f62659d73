//! The properties of a PUBLISH (3.3.2.3), most of which a will has, too (3.1.3.2).

use std::num::NonZeroU16;

use bytes::Bytes;
use bytestring::ByteString;

use super::publish_head::Properties;
use crate::decode::DecodeLimits;
use crate::error::DecodeError;
use crate::properties::{PropertyId, PropertyReader, UserProperties};
use crate::reader::Reader;
use crate::topic::{TopicLimits, TopicName};
use crate::writer::{Write, Writer};

/// The properties of a message. Most have none, and then this is one null pointer.
#[derive(Debug, Clone, Default)]
pub struct PublishProperties(Option<Box<PublishPropertyValues>>);

impl PublishProperties {
    /// No properties.
    pub const NONE: Self = Self(None);

    /// Whether no property is set.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.values().is_none()
    }

    /// The properties, if any is set.
    #[inline]
    pub fn values(&self) -> Option<&PublishPropertyValues> {
        self.0.as_deref().filter(|values| !values.is_empty())
    }

    /// The properties, to be changed.
    pub fn get_or_insert(&mut self) -> &mut PublishPropertyValues {
        self.0.get_or_insert_default()
    }
}

/// Whether the values are the same; a box of nothing is the same as no box.
impl PartialEq for PublishProperties {
    fn eq(&self, other: &Self) -> bool {
        self.values() == other.values()
    }
}

impl Eq for PublishProperties {}

impl From<PublishPropertyValues> for PublishProperties {
    fn from(values: PublishPropertyValues) -> Self {
        Self((!values.is_empty()).then(|| Box::new(values)))
    }
}

/// The properties that belong to a message rather than to the connection it came by. The topic alias, which
/// does not, is in [`PublishTopic`](super::PublishTopic).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PublishPropertyValues {
    /// Payload format indicator: the payload is UTF-8 text (1) or it is not said what (0).
    pub payload_format_utf8: Option<bool>,
    /// How long the message is worth delivering.
    pub message_expiry_interval_secs: Option<u32>,
    /// Where an answer is expected.
    pub response_topic: Option<TopicName>,
    /// What the answer is to be marked with.
    pub correlation_data: Option<Bytes>,
    /// What kind of content the payload is.
    pub content_type: Option<ByteString>,
    /// User properties.
    pub user_properties: UserProperties,
    /// The identifiers of the subscriptions that the message is for. Only a server sends them
    /// `[MQTT-3.3.4-6]`; what becomes of a client that does is decided by the session.
    pub subscription_identifiers: Vec<u32>,
}

impl PublishPropertyValues {
    /// Whether no property is set.
    pub fn is_empty(&self) -> bool {
        self.payload_format_utf8.is_none()
            && self.message_expiry_interval_secs.is_none()
            && self.response_topic.is_none()
            && self.correlation_data.is_none()
            && self.content_type.is_none()
            && self.user_properties.is_empty()
            && self.subscription_identifiers.is_empty()
    }

    /// Reads the value of a property that a PUBLISH and a will have in common; `false` if `id` is none of
    /// those.
    #[inline]
    pub(super) fn read(
        &mut self,
        id: PropertyId,
        properties: &mut PropertyReader<'_>,
    ) -> Result<bool, DecodeError> {
        match id {
            PropertyId::PayloadFormatIndicator => self.payload_format_utf8 = Some(properties.value().bool()?),
            PropertyId::MessageExpiryInterval => {
                self.message_expiry_interval_secs = Some(properties.value().u32()?);
            }
            // [MQTT-3.3.2-19]
            PropertyId::ContentType => self.content_type = Some(properties.value().string()?),
            PropertyId::ResponseTopic => {
                // A name, without wildcards [MQTT-3.3.2-14].
                let limits = &properties.limits().topic;
                self.response_topic = Some(properties.value().topic(limits)?.ok_or(DecodeError::EmptyTopic)?);
            }
            PropertyId::CorrelationData => self.correlation_data = Some(properties.value().binary()?),
            PropertyId::UserProperty => properties.user_property(&mut self.user_properties)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn read_subscription_identifier(
        &mut self,
        properties: &mut PropertyReader<'_>,
    ) -> Result<(), DecodeError> {
        if self.subscription_identifiers.len() >= properties.limits().subscription_identifiers_max {
            return Err(DecodeError::TooManySubscriptionIdentifiers);
        }
        self.subscription_identifiers
            .push(properties.subscription_identifier()?.get());
        Ok(())
    }

    /// The properties of a message that a will can have, too, but for the user properties, which come last.
    pub(super) fn write_common<W: Writer>(&self, out: &mut W) {
        out.bool_property(PropertyId::PayloadFormatIndicator, self.payload_format_utf8);
        out.u32_property(
            PropertyId::MessageExpiryInterval,
            self.message_expiry_interval_secs,
        );
        self.write_content(out);
    }

    pub(super) fn write_content<W: Writer>(&self, out: &mut W) {
        out.string_property(PropertyId::ContentType, self.content_type.as_deref());
        out.string_property(
            PropertyId::ResponseTopic,
            self.response_topic.as_ref().map(TopicName::as_str),
        );
        out.binary_property(PropertyId::CorrelationData, self.correlation_data.as_ref());
    }
}

/// The properties of a PUBLISH, and the topic alias that is one of them.
#[inline]
pub(super) fn decode_properties(
    body: &mut Reader<'_>,
    limits: &DecodeLimits,
) -> Result<(PublishProperties, Option<NonZeroU16>), DecodeError> {
    let properties = PropertyReader::block(body, limits)?;
    if properties.is_empty() {
        return Ok((PublishProperties::NONE, None));
    }
    let (values, alias) = read_all(properties)?;
    Ok((values.into(), alias))
}

fn read_all(
    mut properties: PropertyReader<'_>,
) -> Result<(PublishPropertyValues, Option<NonZeroU16>), DecodeError> {
    let mut values = PublishPropertyValues::default();
    let mut alias = None;
    while let Some(id) = properties.next()? {
        match id {
            PropertyId::TopicAlias => alias = Some(properties.topic_alias()?),
            PropertyId::SubscriptionIdentifier => values.read_subscription_identifier(&mut properties)?,
            _ if values.read(id, &mut properties)? => {}
            _ => return Err(DecodeError::PropertyNotAllowed),
        }
    }
    Ok((values, alias))
}

/// Writes properties as MQTT 5 has them on the wire, without the length in front.
pub fn encode_publish_properties(values: &PublishPropertyValues, out: &mut Vec<u8>) {
    let properties = Properties {
        values: Some(values),
        message_expiry_interval_secs: None,
        subscription_identifiers: &values.subscription_identifiers,
        topic_alias: None,
    };
    out.reserve(properties.len());
    properties.write(out);
}

/// Reads what [`encode_publish_properties`] writes. A topic alias is refused. No limit but the length of
/// `bytes` applies: how long they may be is for the caller to say.
pub fn decode_publish_properties(bytes: &Bytes) -> Result<PublishPropertyValues, DecodeError> {
    let limits = DecodeLimits {
        user_properties_max: usize::MAX,
        user_property_bytes_max: usize::MAX,
        subscription_identifiers_max: usize::MAX,
        topic: TopicLimits::NONE,
        ..DecodeLimits::default()
    };
    match read_all(PropertyReader::new(Reader::new(bytes), &limits))? {
        (values, None) => Ok(values),
        (_, Some(_)) => Err(DecodeError::PropertyNotAllowed),
    }
}
