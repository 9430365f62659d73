//! Messages in JSON.

use bytes::Bytes;
use bytestring::ByteString;
use hookwire_hooks::{ClientKey, Message, Source};
use hookwire_protocol::{PublishProperties, PublishPropertyValues, QoS, TopicName};
use serde::{Deserialize, Serialize};

use super::{Blob, NotAQuestion};

/// Who put a message into the broker: `{"client": 12}`, `{"will": 12}`, `{"plugin": 1}`, `"admin"`, `"broker"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceRecord {
    /// A connection.
    Client(u64),
    /// The will of one.
    Will(u64),
    /// A plugin, in the so-manieth answer to another one's message.
    Plugin(u8),
    /// An administrator.
    Admin,
    /// The broker itself.
    Broker,
}

impl From<Source> for SourceRecord {
    fn from(source: Source) -> Self {
        match source {
            Source::Client(key) => Self::Client(key.0),
            Source::Will(key) => Self::Will(key.0),
            Source::Plugin { hops } => Self::Plugin(hops),
            Source::Admin => Self::Admin,
            Source::Broker => Self::Broker,
        }
    }
}

impl From<SourceRecord> for Source {
    fn from(source: SourceRecord) -> Self {
        match source {
            SourceRecord::Client(key) => Self::Client(ClientKey(key)),
            SourceRecord::Will(key) => Self::Will(ClientKey(key)),
            SourceRecord::Plugin(hops) => Self::Plugin { hops },
            SourceRecord::Admin => Self::Admin,
            SourceRecord::Broker => Self::Broker,
        }
    }
}

/// The MQTT 5 properties of a message; what is not set is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PropertiesRecord {
    /// The payload is UTF-8 text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_format_utf8: Option<bool>,
    /// Message expiry interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_expiry_secs: Option<u32>,
    /// Where an answer is expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_topic: Option<String>,
    /// What the answer is to be marked with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_data: Option<Blob>,
    /// What kind of content the payload is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Pairs of name and value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub user_properties: Vec<(String, String)>,
}

pub(super) fn pairs(properties: &[(ByteString, ByteString)]) -> Vec<(String, String)> {
    let pairs = properties.iter();
    pairs
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect()
}

pub(super) fn pairs_back(properties: Vec<(String, String)>) -> Vec<(ByteString, ByteString)> {
    let pairs = properties.into_iter();
    pairs.map(|(name, value)| (name.into(), value.into())).collect()
}

impl From<&PublishPropertyValues> for PropertiesRecord {
    fn from(values: &PublishPropertyValues) -> Self {
        Self {
            payload_format_utf8: values.payload_format_utf8,
            message_expiry_secs: values.message_expiry_interval_secs,
            response_topic: values
                .response_topic
                .as_ref()
                .map(|topic| topic.as_str().to_owned()),
            correlation_data: values.correlation_data.as_deref().map(Blob::from),
            content_type: values.content_type.as_ref().map(ToString::to_string),
            user_properties: pairs(&values.user_properties),
        }
    }
}

impl PropertiesRecord {
    /// The record of a set of properties; `None` when none is set.
    pub fn of(properties: &PublishProperties) -> Option<Self> {
        properties.values().map(Self::from)
    }

    fn back(self) -> Result<PublishPropertyValues, NotAQuestion> {
        Ok(PublishPropertyValues {
            payload_format_utf8: self.payload_format_utf8,
            message_expiry_interval_secs: self.message_expiry_secs,
            response_topic: self.response_topic.map(topic).transpose()?,
            correlation_data: self.correlation_data.map(|blob| Bytes::from(blob.0)),
            content_type: self.content_type.map(Into::into),
            user_properties: pairs_back(self.user_properties),
            subscription_identifiers: Vec::new(),
        })
    }
}

pub(super) fn topic(text: String) -> Result<TopicName, NotAQuestion> {
    TopicName::new(text.clone()).map_err(|error| NotAQuestion::new(&format!("topic {text:?}"), error))
}

pub(super) fn qos(level: u8) -> Result<QoS, NotAQuestion> {
    QoS::from_u8(level).ok_or_else(|| NotAQuestion::new("qos", format!("{level} is none")))
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MessageRecord {
    /// Who published it.
    pub source: SourceRecord,
    /// Topic name.
    pub topic: String,
    /// Payload.
    pub payload: Blob,
    /// 0, 1 or 2.
    pub qos: u8,
    /// RETAIN.
    pub retain: bool,
    /// Its properties, if it has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub properties: Option<PropertiesRecord>,
}

impl From<&Message> for MessageRecord {
    fn from(message: &Message) -> Self {
        Self {
            source: message.source.into(),
            topic: message.topic.as_str().to_owned(),
            payload: Blob::from(&message.payload[..]),
            qos: message.qos.as_u8(),
            retain: message.retain,
            properties: PropertiesRecord::of(&message.properties),
        }
    }
}

impl TryFrom<MessageRecord> for Message {
    type Error = NotAQuestion;

    fn try_from(record: MessageRecord) -> Result<Self, NotAQuestion> {
        let properties = record.properties.map(PropertiesRecord::back).transpose()?;
        Ok(Self {
            source: record.source.into(),
            topic: topic(record.topic)?,
            payload: record.payload.0.into(),
            qos: qos(record.qos)?,
            retain: record.retain,
            properties: properties.map_or(PublishProperties::NONE, Into::into),
            expires_at: None,
        })
    }
}
