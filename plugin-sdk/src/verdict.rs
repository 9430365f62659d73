//! What a plugin says of a published message.

use crate::bindings::types::{
    Properties as PropertiesBuf, PublishReason as Reason, Qos, Rejection, Replacement, Verdict,
};

impl Verdict {
    /// No objection: the next plugin is asked.
    pub const fn pass() -> Self {
        Self::Pass
    }

    /// Nobody receives it; the publisher is told that all went well.
    pub const fn drop() -> Self {
        Self::Drop
    }

    /// The message goes on as changed.
    pub const fn replace(replacement: Replacement) -> Self {
        Self::Replace(replacement)
    }

    /// Nobody receives it; the publisher gets the reason code and, for a person, the text.
    pub fn reject(reason: Reason, text: impl Into<String>) -> Self {
        Self::Reject(Rejection::new(reason, text))
    }

    /// Nobody receives it and the publisher's connection is closed.
    pub fn disconnect(reason: Reason, text: impl Into<String>) -> Self {
        Self::Disconnect(Rejection::new(reason, text))
    }

    /// It goes on, but the publisher is not read from for so many milliseconds (60,000 at the most).
    pub const fn throttle(ms: u32) -> Self {
        Self::Throttle(ms)
    }
}

/// Judge in a function that returns `Result<Verdict, Rejection>`, where `?` works, and answer with `.into()`.
impl<R: Into<Rejection>> From<Result<Self, R>> for Verdict {
    fn from(result: Result<Self, R>) -> Self {
        result.unwrap_or_else(|rejection| Self::Reject(rejection.into()))
    }
}

impl From<Replacement> for Verdict {
    fn from(replacement: Replacement) -> Self {
        Self::Replace(replacement)
    }
}

impl From<Rejection> for Verdict {
    fn from(rejection: Rejection) -> Self {
        Self::Reject(rejection)
    }
}

impl Rejection {
    /// A refusal with a text for a person.
    pub fn new(reason: Reason, text: impl Into<String>) -> Self {
        Self {
            reason,
            text: Some(text.into()),
        }
    }
}

impl From<Reason> for Rejection {
    fn from(reason: Reason) -> Self {
        Self { reason, text: None }
    }
}

impl Replacement {
    /// Replaces the topic.
    pub fn topic(topic: impl Into<String>) -> Self {
        Self::default().and_topic(topic)
    }

    /// Replaces the payload.
    pub fn payload(payload: impl Into<Vec<u8>>) -> Self {
        Self::default().and_payload(payload)
    }

    /// Replaces the whole set of properties.
    pub fn properties(properties: PropertiesBuf) -> Self {
        Self::default().and_properties(properties)
    }

    /// Replaces the topic as well.
    #[must_use]
    pub fn and_topic(mut self, topic: impl Into<String>) -> Self {
        self.topic = Some(topic.into());
        self
    }

    /// Replaces the payload as well.
    #[must_use]
    pub fn and_payload(mut self, payload: impl Into<Vec<u8>>) -> Self {
        self.payload = Some(payload.into());
        self
    }

    /// Replaces the QoS as well.
    #[must_use]
    pub const fn and_qos(mut self, qos: Qos) -> Self {
        self.qos = Some(qos);
        self
    }

    /// Sets the RETAIN flag as well; `false` keeps the message from being retained.
    #[must_use]
    pub const fn and_retain(mut self, retain: bool) -> Self {
        self.retain = Some(retain);
        self
    }

    /// Replaces the whole set of properties as well.
    #[must_use]
    pub fn and_properties(mut self, properties: PropertiesBuf) -> Self {
        self.properties = Some(properties);
        self
    }
}

/// Leaves everything as it is.
impl Default for Replacement {
    fn default() -> Self {
        Self {
            topic: None,
            payload: None,
            qos: None,
            retain: None,
            properties: None,
        }
    }
}
