//! Topic names: what a message is published to.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use bytestring::ByteString;

use super::{BYTES_MAX, Scan, TopicError, TopicLimits};

/// A valid topic name: not empty, no wildcard, no U+0000, at most 65535 bytes. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicName(ByteString);

impl TopicName {
    /// Takes a text as a topic name, or says why it is none.
    pub fn new(text: impl Into<ByteString>) -> Result<Self, TopicError> {
        Self::with_limits(text.into(), &TopicLimits::NONE)
    }

    /// One pass finds everything: what is forbidden and how many levels there are.
    #[inline]
    pub(crate) fn with_limits(text: ByteString, limits: &TopicLimits) -> Result<Self, TopicError> {
        if text.is_empty() {
            return Err(TopicError::Empty); // [MQTT-4.7.3-1]
        }
        if text.len() > BYTES_MAX {
            return Err(TopicError::TooLong); // [MQTT-4.7.3-3]
        }
        let scan = Scan::of(text.as_bytes());
        if scan.null {
            return Err(TopicError::NullCharacter); // [MQTT-4.7.3-2]
        }
        if scan.wildcard {
            return Err(TopicError::Wildcard); // [MQTT-4.7.0-1]
        }
        limits.check(text.len(), scan.separators)?;
        Ok(Self(text))
    }

    /// The whole name.
    #[inline]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The bytes of the name, shared with whatever it was decoded from.
    #[inline]
    pub fn as_bytes(&self) -> &Bytes {
        self.0.as_bytes()
    }

    /// The name as the string it is made of.
    #[inline]
    pub fn as_byte_string(&self) -> &ByteString {
        &self.0
    }

    /// The string that it is made of.
    pub fn into_byte_string(self) -> ByteString {
        self.0
    }

    /// The same name with memory of its own, for whoever keeps it longer than the buffer that it was decoded from.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self(ByteString::from(self.as_str().to_owned()))
    }

    /// The parts between `/`; there is at least one, and each may be empty.
    #[inline]
    pub fn levels(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// Whether it starts with `$`, which no leading wildcard matches `[MQTT-4.7.2-1]`.
    #[inline]
    pub fn is_dollar(&self) -> bool {
        self.0.starts_with('$')
    }

    /// Whether it is within the limits.
    pub fn check(&self, limits: &TopicLimits) -> Result<(), TopicError> {
        limits.check_text(&self.0)
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for TopicName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for TopicName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl FromStr for TopicName {
    type Err = TopicError;

    fn from_str(text: &str) -> Result<Self, TopicError> {
        Self::new(text)
    }
}

impl TryFrom<Bytes> for TopicName {
    type Error = TopicError;

    fn try_from(bytes: Bytes) -> Result<Self, TopicError> {
        Self::new(ByteString::try_from(bytes).map_err(|_| TopicError::NotUtf8)?)
    }
}
