//! An application message, as a hook sees it and as a plugin publishes it.

use std::str::Utf8Error;

use serde::Deserialize;

use crate::bindings::types::{ClientKey, Message as MessageBuf, Properties as PropertiesBuf, Qos, Source};
use crate::head::Head;
use crate::properties::Properties;

/// An application message, borrowed: topic, payload and properties lie where the broker put them, nothing is copied.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    pub(crate) head: Head,
    pub(crate) topic: &'a str,
    pub(crate) payload: &'a [u8],
    pub(crate) properties: Properties<'a>,
}

impl<'a> Message<'a> {
    /// A QoS 0 message of no properties from the client with key 1, for tests.
    pub fn new(topic: &'a str, payload: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self {
            head: Head::new(Source::Client(1), Qos::AtMostOnce, false),
            topic,
            payload: payload.as_ref(),
            properties: Properties::default(),
        }
    }

    pub(crate) fn of(source: Source, message: &'a MessageBuf) -> Self {
        Self {
            head: Head::new(source, message.qos, message.retain),
            topic: &message.topic,
            payload: &message.payload,
            properties: message
                .properties
                .as_ref()
                .map(Properties::decoded)
                .unwrap_or_default(),
        }
    }

    /// The same message from another source.
    #[must_use]
    pub const fn with_source(mut self, source: Source) -> Self {
        self.head = Head::new(source, self.qos(), self.retain());
        self
    }

    /// The same message with another QoS.
    #[must_use]
    pub const fn with_qos(mut self, qos: Qos) -> Self {
        self.head = Head::new(self.source(), qos, self.retain());
        self
    }

    /// The same message with the RETAIN flag set or not.
    #[must_use]
    pub const fn with_retain(mut self, retain: bool) -> Self {
        self.head = Head::new(self.source(), self.qos(), retain);
        self
    }

    /// The same message with these properties.
    #[must_use]
    pub const fn with_properties(mut self, properties: &'a PropertiesBuf) -> Self {
        self.properties = Properties::decoded(properties);
        self
    }

    /// The topic name, mount point included.
    #[inline]
    pub const fn topic(&self) -> &'a str {
        self.topic
    }

    /// The payload; empty when the plugin declared that it does not need payloads.
    #[inline]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// The payload, read as JSON.
    ///
    /// # Errors
    /// It is none, or none of this type; [`or_reject`](crate::OrReject::or_reject) makes a rejection of that.
    pub fn json<T: Deserialize<'a>>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(self.payload)
    }

    /// The payload as text.
    ///
    /// # Errors
    /// It is not UTF-8.
    pub fn text(&self) -> Result<&'a str, Utf8Error> {
        std::str::from_utf8(self.payload)
    }

    /// Quality of service that it was published with.
    #[inline]
    pub const fn qos(&self) -> Qos {
        self.head.qos()
    }

    /// The RETAIN flag that it was published with.
    #[inline]
    pub const fn retain(&self) -> bool {
        self.head.retain()
    }

    /// Who put it into the broker.
    #[inline]
    pub const fn source(&self) -> Source {
        self.head.source()
    }

    /// The client that it, or the will that it was, came from; none for a message of anybody else.
    #[inline]
    pub const fn client(&self) -> Option<ClientKey> {
        self.head.client()
    }

    /// Its MQTT 5 properties; empty when it has none or the plugin declared that it does not need them.
    #[inline]
    pub const fn properties(&self) -> Properties<'a> {
        self.properties
    }

    /// A copy, for example to publish it elsewhere.
    pub fn to_owned(&self) -> MessageBuf {
        MessageBuf {
            topic: self.topic.to_owned(),
            payload: self.payload.to_owned(),
            qos: self.qos(),
            retain: self.retain(),
            properties: (!self.properties.is_empty()).then(|| self.properties.to_owned()),
        }
    }
}

/// A message of the plugin's own, for [`publish`](crate::publish::publish).
impl MessageBuf {
    /// A QoS 0 message that is not retained and has no properties. Set the fields for something else.
    pub fn new(topic: impl Into<String>, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            topic: topic.into(),
            payload: payload.into(),
            qos: Qos::AtMostOnce,
            retain: false,
            properties: None,
        }
    }
}
