//! The MQTT 5 properties of a message: a view that decodes what is asked for, and an owned set.

use std::{iter, slice};

use crate::bindings::types::{Properties as PropertiesBuf, UserProperty};
use crate::wire::{Reader, put_mqtt_bytes};

const PAYLOAD_FORMAT: u8 = 0x01;
const MESSAGE_EXPIRY: u8 = 0x02;
const CONTENT_TYPE: u8 = 0x03;
const RESPONSE_TOPIC: u8 = 0x08;
const CORRELATION_DATA: u8 = 0x09;
const SUBSCRIPTION_IDENTIFIER: u8 = 0x0B;
const TOPIC_ALIAS: u8 = 0x23;
const USER_PROPERTY: u8 = 0x26;

/// The MQTT 5 properties of a message, borrowed from it.
///
/// Every look-up walks over the properties in their wire form; nothing is decoded that is not asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Properties<'a>(Form<'a>);

#[derive(Debug, Clone, Copy, Default)]
enum Form<'a> {
    #[default]
    None,
    Wire(&'a [u8]),
    Decoded(&'a PropertiesBuf),
}

impl<'a> Properties<'a> {
    pub(crate) const fn wire(bytes: &'a [u8]) -> Self {
        Self(Form::Wire(bytes))
    }

    pub(crate) const fn decoded(properties: &'a PropertiesBuf) -> Self {
        Self(Form::Decoded(properties))
    }

    /// True when the message has no properties, or the plugin declared that it does not need them.
    pub fn is_empty(&self) -> bool {
        match self.0 {
            Form::None => true,
            Form::Wire(bytes) => bytes.is_empty(),
            Form::Decoded(properties) => *properties == PropertiesBuf::default(),
        }
    }

    /// Payload format indicator: `Some(true)` says that the payload is UTF-8.
    pub fn payload_format_utf8(&self) -> Option<bool> {
        match self.0 {
            Form::Decoded(properties) => properties.payload_format_utf8,
            _ => self.find(|property| match property {
                Property::PayloadFormatUtf8(utf8) => Some(utf8),
                _ => None,
            }),
        }
    }

    /// Message expiry interval, seconds.
    pub fn message_expiry_secs(&self) -> Option<u32> {
        match self.0 {
            Form::Decoded(properties) => properties.message_expiry_secs,
            _ => self.find(|property| match property {
                Property::MessageExpirySecs(secs) => Some(secs),
                _ => None,
            }),
        }
    }

    /// Content type of the payload.
    pub fn content_type(&self) -> Option<&'a str> {
        match self.0 {
            Form::Decoded(properties) => properties.content_type.as_deref(),
            _ => self.find(|property| match property {
                Property::ContentType(text) => Some(text),
                _ => None,
            }),
        }
    }

    /// Where the sender waits for a response.
    pub fn response_topic(&self) -> Option<&'a str> {
        match self.0 {
            Form::Decoded(properties) => properties.response_topic.as_deref(),
            _ => self.find(|property| match property {
                Property::ResponseTopic(topic) => Some(topic),
                _ => None,
            }),
        }
    }

    /// What the sender of a request knows its response by.
    pub fn correlation_data(&self) -> Option<&'a [u8]> {
        match self.0 {
            Form::Decoded(properties) => properties.correlation_data.as_deref(),
            _ => self.find(|property| match property {
                Property::CorrelationData(bytes) => Some(bytes),
                _ => None,
            }),
        }
    }

    /// Names and values in the order sent; names may repeat.
    pub fn user_properties(&self) -> UserProperties<'a> {
        UserProperties(match self.0 {
            Form::None => UserPropertiesForm::Wire(WireProperties::new(&[])),
            Form::Wire(bytes) => UserPropertiesForm::Wire(WireProperties::new(bytes)),
            Form::Decoded(properties) => UserPropertiesForm::Decoded(properties.user_properties.iter()),
        })
    }

    /// The value of the first user property of this name.
    pub fn user_property(&self, name: &str) -> Option<&'a str> {
        self.user_properties()
            .find(|&(found, _)| found == name)
            .map(|(_, value)| value)
    }

    /// A copy to change, for a [`Replacement`](crate::Replacement).
    pub fn to_owned(&self) -> PropertiesBuf {
        if let Form::Decoded(properties) = self.0 {
            return properties.clone();
        }
        let mut owned = PropertiesBuf::default();
        for property in self.wire_properties() {
            match property {
                Property::PayloadFormatUtf8(utf8) => owned.payload_format_utf8 = Some(utf8),
                Property::MessageExpirySecs(secs) => owned.message_expiry_secs = Some(secs),
                Property::ContentType(text) => owned.content_type = Some(text.to_owned()),
                Property::ResponseTopic(topic) => owned.response_topic = Some(topic.to_owned()),
                Property::CorrelationData(bytes) => owned.correlation_data = Some(bytes.to_owned()),
                Property::User(name, value) => owned.user_properties.push(UserProperty::new(name, value)),
                Property::OfOneHop => {}
            }
        }
        owned
    }

    fn find<T>(&self, wanted: impl FnMut(Property<'a>) -> Option<T>) -> Option<T> {
        self.wire_properties().find_map(wanted)
    }

    fn wire_properties(&self) -> WireProperties<'a> {
        WireProperties::new(match self.0 {
            Form::Wire(bytes) => bytes,
            Form::None | Form::Decoded(_) => &[],
        })
    }
}

/// Iterator over the user properties of a message; see [`Properties::user_properties`].
#[derive(Debug, Clone)]
pub struct UserProperties<'a>(UserPropertiesForm<'a>);

#[derive(Debug, Clone)]
enum UserPropertiesForm<'a> {
    Wire(WireProperties<'a>),
    Decoded(slice::Iter<'a, UserProperty>),
}

impl<'a> Iterator for UserProperties<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            UserPropertiesForm::Wire(properties) => properties.find_map(|property| match property {
                Property::User(name, value) => Some((name, value)),
                _ => None,
            }),
            UserPropertiesForm::Decoded(properties) => properties
                .next()
                .map(|property| (property.name.as_str(), property.value.as_str())),
        }
    }
}

/// One property in wire form.
enum Property<'a> {
    PayloadFormatUtf8(bool),
    MessageExpirySecs(u32),
    ContentType(&'a str),
    ResponseTopic(&'a str),
    CorrelationData(&'a [u8]),
    User(&'a str, &'a str),
    /// Topic alias or subscription identifier: between two neighbours, not part of the message.
    OfOneHop,
}

/// Walks over properties in wire form; ends at the first that is not well-formed.
#[derive(Debug, Clone)]
struct WireProperties<'a>(Reader<'a>);

impl<'a> WireProperties<'a> {
    const fn new(bytes: &'a [u8]) -> Self {
        Self(Reader::new(bytes))
    }

    fn read(reader: &mut Reader<'a>) -> Option<Property<'a>> {
        Some(match reader.u8()? {
            PAYLOAD_FORMAT => Property::PayloadFormatUtf8(reader.u8()? == 1),
            MESSAGE_EXPIRY => Property::MessageExpirySecs(u32::from_be_bytes(reader.array()?)),
            CONTENT_TYPE => Property::ContentType(reader.mqtt_str()?),
            RESPONSE_TOPIC => Property::ResponseTopic(reader.mqtt_str()?),
            CORRELATION_DATA => Property::CorrelationData(reader.mqtt_bytes()?),
            USER_PROPERTY => Property::User(reader.mqtt_str()?, reader.mqtt_str()?),
            SUBSCRIPTION_IDENTIFIER => reader.skip_mqtt_varint().map(|()| Property::OfOneHop)?,
            TOPIC_ALIAS => reader.bytes(2).map(|_| Property::OfOneHop)?,
            _ => return None,
        })
    }
}

impl<'a> Iterator for WireProperties<'a> {
    type Item = Property<'a>;

    fn next(&mut self) -> Option<Property<'a>> {
        let property = Self::read(&mut self.0);
        if property.is_none() {
            self.0 = Reader::new(&[]);
        }
        property
    }
}

/// An owned set of properties, to be changed and put into a [`Replacement`](crate::Replacement).
///
/// MQTT limits each string and the correlation data to 65,535 bytes.
impl PropertiesBuf {
    /// Appends a user property.
    pub fn push_user_property(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.user_properties.push(UserProperty::new(name, value));
    }

    /// Removes all user properties of this name.
    pub fn remove_user_property(&mut self, name: &str) {
        self.user_properties.retain(|property| property.name != name);
    }

    /// The wire form, appended; `None` when a string is longer than MQTT can say. What is appended then is no use.
    pub(crate) fn put_wire(&self, out: &mut Vec<u8>) -> Option<()> {
        if let Some(utf8) = self.payload_format_utf8 {
            out.extend_from_slice(&[PAYLOAD_FORMAT, u8::from(utf8)]);
        }
        if let Some(secs) = self.message_expiry_secs {
            out.push(MESSAGE_EXPIRY);
            out.extend_from_slice(&secs.to_be_bytes());
        }
        let strings = [
            (CONTENT_TYPE, self.content_type.as_deref().map(str::as_bytes)),
            (RESPONSE_TOPIC, self.response_topic.as_deref().map(str::as_bytes)),
            (CORRELATION_DATA, self.correlation_data.as_deref()),
        ];
        for (identifier, bytes) in strings {
            if let Some(bytes) = bytes {
                out.push(identifier);
                put_mqtt_bytes(out, bytes)?;
            }
        }
        for (identifier, property) in iter::repeat(USER_PROPERTY).zip(&self.user_properties) {
            out.push(identifier);
            put_mqtt_bytes(out, property.name.as_bytes())?;
            put_mqtt_bytes(out, property.value.as_bytes())?;
        }
        Some(())
    }
}

#[expect(clippy::derivable_impls, reason = "the type is generated")]
impl Default for PropertiesBuf {
    fn default() -> Self {
        Self {
            payload_format_utf8: None,
            message_expiry_secs: None,
            response_topic: None,
            correlation_data: None,
            content_type: None,
            user_properties: Vec::new(),
        }
    }
}

impl UserProperty {
    /// A name and a value.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn full() -> PropertiesBuf {
        PropertiesBuf {
            payload_format_utf8: Some(true),
            message_expiry_secs: Some(70_000),
            response_topic: Some("answers/1".into()),
            correlation_data: Some(vec![0, 255]),
            content_type: Some("text/plain".into()),
            user_properties: vec![UserProperty::new("a", "1"), UserProperty::new("a", "2")],
        }
    }

    fn wire(properties: &PropertiesBuf) -> Vec<u8> {
        let mut out = Vec::new();
        properties.put_wire(&mut out).unwrap();
        out
    }

    #[test]
    fn wire_form_is_that_of_mqtt() {
        let mut properties = PropertiesBuf {
            message_expiry_secs: Some(1),
            ..PropertiesBuf::default()
        };
        properties.push_user_property("k", "v");
        assert_eq!(
            wire(&properties),
            [0x02, 0, 0, 0, 1, 0x26, 0, 1, b'k', 0, 1, b'v']
        );
    }

    #[test]
    fn both_forms_answer_alike() {
        let (owned, bytes) = (full(), wire(&full()));
        for view in [Properties::wire(&bytes), Properties::decoded(&owned)] {
            assert!(!view.is_empty());
            assert_eq!(view.payload_format_utf8(), Some(true));
            assert_eq!(view.message_expiry_secs(), Some(70_000));
            assert_eq!(view.response_topic(), Some("answers/1"));
            assert_eq!(view.correlation_data(), Some([0, 255].as_slice()));
            assert_eq!(view.content_type(), Some("text/plain"));
            assert_eq!(
                view.user_properties().collect::<Vec<_>>(),
                [("a", "1"), ("a", "2")]
            );
            assert_eq!(view.user_property("a"), Some("1"));
            assert_eq!(view.user_property("b"), None);
            assert_eq!(view.to_owned(), owned);
        }
    }

    #[test]
    fn properties_of_one_hop_are_passed_over() {
        let bytes = [0x23, 0, 7, 0x0B, 0x80, 0x01, 0x26, 0, 1, b'k', 0, 0];
        let view = Properties::wire(&bytes);
        assert_eq!(view.user_property("k"), Some(""));
        assert_eq!(view.to_owned().user_properties.len(), 1);
    }

    #[test]
    fn a_string_that_is_too_long_is_not_written() {
        let mut properties = PropertiesBuf::default();
        properties.push_user_property("k", "x".repeat(65_536));
        assert_eq!(properties.put_wire(&mut Vec::new()), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_walked_to_an_end(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let view = Properties::wire(&bytes);
            let _ = (view.content_type(), view.user_properties().count(), view.to_owned());
        }

        #[test]
        fn cut_anywhere_it_yields_a_prefix(at in 0_usize..60) {
            let bytes = wire(&full());
            let cut = Properties::wire(&bytes[..at.min(bytes.len())]);
            let all: Vec<_> = Properties::wire(&bytes).user_properties().collect();
            let some: Vec<_> = cut.user_properties().collect();
            prop_assert!(all.starts_with(&some));
        }
    }
}
