//! Between the broker's types and the contract's. What comes from a guest is checked here: it must be such that a client
//! could have sent it.

use std::time::{Duration, Instant};

use bytes::Bytes;
use bytestring::ByteString;
use hookwire_hooks::{Failure, FailureKind, Message, Rejection, Replacement, Source};
use hookwire_protocol::{
    PublishProperties, PublishPropertyValues, PublishReason, QoS, TopicName, Version,
    decode_publish_properties,
};

use crate::bindings::imports::types as wit;
use crate::clock;

/// Longest string or binary value of MQTT: its length is sent in two bytes.
const VALUE_BYTES_MAX: usize = u16::MAX as usize;

/// Most user properties of a packet that a plugin makes, and most bytes of all its properties. Four times what a client
/// may send as a rule, so that a plugin can add some to whatever came.
const USER_PROPERTIES_MAX: usize = 256;
const PROPERTIES_BYTES_MAX: usize = 64 << 10;

/// Topics that only the broker itself publishes to.
const BROKER_TOPICS: &str = "$SYS/";

/// An answer that no guest may give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Invalid(pub(crate) String);

impl Invalid {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl From<Invalid> for Failure {
    fn from(invalid: Invalid) -> Self {
        Self {
            kind: FailureKind::InvalidAnswer,
            detail: invalid.0,
        }
    }
}

pub(crate) fn protocol(version: Version) -> wit::Protocol {
    match version {
        Version::V3_1 => wit::Protocol::Mqtt31,
        Version::V3_1_1 => wit::Protocol::Mqtt311,
        Version::V5 => wit::Protocol::Mqtt5,
    }
}

pub(crate) fn qos_out(qos: QoS) -> wit::Qos {
    match qos {
        QoS::AtMostOnce => wit::Qos::AtMostOnce,
        QoS::AtLeastOnce => wit::Qos::AtLeastOnce,
        QoS::ExactlyOnce => wit::Qos::ExactlyOnce,
    }
}

pub(crate) fn qos_in(qos: wit::Qos) -> QoS {
    match qos {
        wit::Qos::AtMostOnce => QoS::AtMostOnce,
        wit::Qos::AtLeastOnce => QoS::AtLeastOnce,
        wit::Qos::ExactlyOnce => QoS::ExactlyOnce,
    }
}

pub(crate) fn source(source: Source) -> wit::Source {
    match source {
        Source::Client(key) => wit::Source::Client(key.0),
        Source::Will(key) => wit::Source::Will(key.0),
        Source::Plugin { .. } => wit::Source::Plugin,
        // The broker's own messages are not shown to plugins.
        Source::Admin | Source::Broker => wit::Source::Admin,
    }
}

pub(crate) fn publish_reason(reason: wit::PublishReason) -> PublishReason {
    match reason {
        wit::PublishReason::Unspecified => PublishReason::Unspecified,
        wit::PublishReason::ImplementationSpecific => PublishReason::ImplementationSpecific,
        wit::PublishReason::NotAuthorized => PublishReason::NotAuthorized,
        wit::PublishReason::TopicNameInvalid => PublishReason::TopicNameInvalid,
        wit::PublishReason::QuotaExceeded => PublishReason::QuotaExceeded,
        wit::PublishReason::PayloadFormatInvalid => PublishReason::PayloadFormatInvalid,
    }
}

pub(crate) fn user_properties(pairs: &[(ByteString, ByteString)]) -> Vec<wit::UserPropertyParam<'_>> {
    pairs
        .iter()
        .map(|(name, value)| wit::UserPropertyParam { name, value })
        .collect()
}

pub(crate) fn owned_user_properties(pairs: &[(ByteString, ByteString)]) -> Vec<wit::UserPropertyResult> {
    pairs
        .iter()
        .map(|(name, value)| wit::UserPropertyResult {
            name: name.to_string(),
            value: value.to_string(),
        })
        .collect()
}

/// What a plugin asked to be shown of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) payload: bool,
    pub(crate) properties: bool,
}

impl Shown {
    pub(crate) fn payload(self, message: &Message) -> &[u8] {
        if self.payload { &message.payload } else { &[] }
    }

    pub(crate) fn properties(self, message: &Message) -> Option<&PublishPropertyValues> {
        if self.properties {
            message.properties.values()
        } else {
            None
        }
    }
}

/// A message ready to be shown to a guest. It borrows all but the list of user properties.
pub(crate) struct MessageView<'a> {
    message: &'a Message,
    shown: Shown,
    user_properties: Vec<wit::UserPropertyParam<'a>>,
}

impl<'a> MessageView<'a> {
    pub(crate) fn new(message: &'a Message, shown: Shown) -> Self {
        let user_properties = shown
            .properties(message)
            .map_or_else(Vec::new, |values| user_properties(&values.user_properties));
        Self {
            message,
            shown,
            user_properties,
        }
    }

    pub(crate) fn param(&self) -> wit::MessageParam<'_> {
        wit::MessageParam {
            topic: self.message.topic.as_str(),
            payload: self.shown.payload(self.message),
            qos: qos_out(self.message.qos),
            retain: self.message.retain,
            properties: self
                .shown
                .properties(self.message)
                .map(|values| wit::PropertiesParam {
                    payload_format_utf8: values.payload_format_utf8,
                    message_expiry_secs: values.message_expiry_interval_secs,
                    response_topic: values.response_topic.as_ref().map(TopicName::as_str),
                    correlation_data: values.correlation_data.as_deref(),
                    content_type: values.content_type.as_deref(),
                    user_properties: &self.user_properties,
                }),
        }
    }
}

/// A message for a guest to keep.
pub(crate) fn owned_message(message: &Message) -> wit::MessageResult {
    wit::MessageResult {
        topic: message.topic.as_str().to_owned(),
        payload: message.payload.to_vec(),
        qos: qos_out(message.qos),
        retain: message.retain,
        properties: message.properties.values().map(owned_properties),
    }
}

fn owned_properties(values: &PublishPropertyValues) -> wit::PropertiesResult {
    wit::PropertiesResult {
        payload_format_utf8: values.payload_format_utf8,
        message_expiry_secs: values.message_expiry_interval_secs,
        response_topic: values
            .response_topic
            .as_ref()
            .map(|topic| topic.as_str().to_owned()),
        correlation_data: values.correlation_data.as_ref().map(|data| data.to_vec()),
        content_type: values.content_type.as_ref().map(ToString::to_string),
        user_properties: owned_user_properties(&values.user_properties),
    }
}

/// A topic name that a plugin may publish to.
pub(crate) fn topic(name: impl Into<ByteString>) -> Result<TopicName, Invalid> {
    let name: ByteString = name.into();
    if name.starts_with(BROKER_TOPICS) {
        return Err(Invalid::new(format!(
            "`{BROKER_TOPICS}` topics are the broker's own"
        )));
    }
    TopicName::new(name).map_err(|error| Invalid(format!("not a topic name: {error}")))
}

/// A string that fits into a packet.
pub(crate) fn text(text: impl Into<ByteString>) -> Result<ByteString, Invalid> {
    let text: ByteString = text.into();
    if text.len() > VALUE_BYTES_MAX {
        return Err(Invalid(format!(
            "a string of {} bytes, allowed are {VALUE_BYTES_MAX}",
            text.len()
        )));
    }
    if text.contains('\0') {
        return Err(Invalid::new("a string with U+0000"));
    }
    Ok(text)
}

pub(crate) fn optional_text(value: Option<String>) -> Result<Option<ByteString>, Invalid> {
    value.map(text).transpose()
}

fn binary(bytes: Vec<u8>) -> Result<Bytes, Invalid> {
    if bytes.len() > VALUE_BYTES_MAX {
        return Err(Invalid(format!(
            "binary data of {} bytes, allowed are {VALUE_BYTES_MAX}",
            bytes.len()
        )));
    }
    Ok(bytes.into())
}

pub(crate) fn user_properties_in(
    pairs: Vec<wit::UserPropertyResult>,
) -> Result<Vec<(ByteString, ByteString)>, Invalid> {
    let bytes = pairs.iter().map(|pair| pair.name.len() + pair.value.len()).sum();
    check_properties(pairs.len(), bytes)?;
    pairs
        .into_iter()
        .map(|pair| Ok((text(pair.name)?, text(pair.value)?)))
        .collect()
}

fn check_properties(user_properties: usize, bytes: usize) -> Result<(), Invalid> {
    if user_properties > USER_PROPERTIES_MAX {
        return Err(Invalid(format!(
            "{user_properties} user properties, allowed are {USER_PROPERTIES_MAX}"
        )));
    }
    if bytes > PROPERTIES_BYTES_MAX {
        return Err(Invalid(format!(
            "{bytes} bytes of properties, allowed are {PROPERTIES_BYTES_MAX}"
        )));
    }
    Ok(())
}

/// What was read from the wire form, checked like what comes as values.
pub(crate) fn properties_from_wire(bytes: &Bytes) -> Result<PublishProperties, Invalid> {
    // Looked at first, so that nothing large is taken apart.
    check_properties(0, bytes.len())?;
    let values = decode_publish_properties(bytes).map_err(|error| Invalid(format!("properties: {error}")))?;
    check_properties(values.user_properties.len(), bytes.len())?;
    if !values.subscription_identifiers.is_empty() {
        return Err(Invalid::new("a publisher sends no subscription identifiers"));
    }
    if let Some(response) = &values.response_topic {
        topic(response.as_str())?;
    }
    Ok(values.into())
}

pub(crate) fn properties(properties: wit::PropertiesResult) -> Result<PublishProperties, Invalid> {
    check_properties(properties.user_properties.len(), properties_len(&properties))?;
    let values = PublishPropertyValues {
        payload_format_utf8: properties.payload_format_utf8,
        message_expiry_interval_secs: properties.message_expiry_secs,
        response_topic: properties.response_topic.map(topic).transpose()?,
        correlation_data: properties.correlation_data.map(binary).transpose()?,
        content_type: optional_text(properties.content_type)?,
        user_properties: user_properties_in(properties.user_properties)?,
        ..PublishPropertyValues::default()
    };
    Ok(values.into())
}

/// Bytes that properties hold, for quotas.
pub(crate) fn properties_len(properties: &wit::PropertiesResult) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let pairs: usize = properties
        .user_properties
        .iter()
        .map(|pair| pair.name.len() + pair.value.len())
        .sum();
    text(&properties.response_topic)
        + text(&properties.content_type)
        + properties.correlation_data.as_ref().map_or(0, Vec::len)
        + pairs
}

/// When a message that arrives now expires.
pub(crate) fn expires_at(properties: &PublishProperties) -> Option<Instant> {
    let secs = properties.values()?.message_expiry_interval_secs?;
    clock::now().checked_add(Duration::from_secs(secs.into()))
}

pub(crate) fn replacement(replacement: wit::Replacement) -> Result<Replacement, Invalid> {
    Ok(Replacement {
        topic: replacement.topic.map(topic).transpose()?,
        payload: replacement.payload.map(Bytes::from),
        qos: replacement.qos.map(qos_in),
        retain: replacement.retain,
        properties: replacement.properties.map(properties).transpose()?,
    })
}

pub(crate) fn rejection(rejection: wit::Rejection) -> Result<Rejection, Invalid> {
    Ok(Rejection {
        reason: publish_reason(rejection.reason),
        text: optional_text(rejection.text)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_that_no_client_could_use_are_invalid() {
        for bad in ["", "a/+", "#", "$SYS/broker", "a\0b"] {
            assert!(topic(bad).is_err(), "{bad:?}");
        }
        for good in ["a", "/", "a/b", "$SYSTEM/x", "$other"] {
            assert!(topic(good).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn texts_fit_into_a_packet() {
        assert!(text("x".repeat(VALUE_BYTES_MAX)).is_ok());
        assert!(text("x".repeat(VALUE_BYTES_MAX + 1)).is_err());
        assert!(text("a\0").is_err());
        assert!(binary(vec![0; VALUE_BYTES_MAX + 1]).is_err());
    }

    #[test]
    fn a_replacement_is_checked_in_every_field() {
        let none = || wit::Replacement {
            topic: None,
            payload: None,
            qos: None,
            retain: None,
            properties: None,
        };
        let properties = |response: &str| {
            Some(wit::PropertiesResult {
                payload_format_utf8: None,
                message_expiry_secs: None,
                response_topic: Some(response.into()),
                correlation_data: None,
                content_type: None,
                user_properties: vec![],
            })
        };
        assert!(replacement(none()).is_ok());
        assert!(
            replacement(wit::Replacement {
                topic: Some("a/#".into()),
                ..none()
            })
            .is_err()
        );
        assert!(
            replacement(wit::Replacement {
                properties: properties("re/+"),
                ..none()
            })
            .is_err()
        );
        assert!(
            replacement(wit::Replacement {
                properties: properties("re/ply"),
                ..none()
            })
            .is_ok()
        );
    }
}
