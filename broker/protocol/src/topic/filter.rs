//! Topic filters: what a client subscribes to.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use bytestring::ByteString;

use super::{BYTES_MAX, Scan, TopicError, TopicLimits, TopicName};

/// A valid topic filter, with or without wildcards. Cheap to clone.
///
/// A text such as `$share/group/a/+` is a filter like any other here; [`SharedFilter`](super::SharedFilter)
/// takes it apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicFilter(ByteString);

impl TopicFilter {
    /// Takes a text as a topic filter, or says why it is none.
    pub fn new(text: impl Into<ByteString>) -> Result<Self, TopicError> {
        let text = text.into();
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
        if scan.wildcard && !wildcards_are_placed_well(&text) {
            return Err(TopicError::MisplacedWildcard);
        }
        Ok(Self(text))
    }

    /// The whole filter.
    #[inline]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The bytes of the filter, shared with whatever it was decoded from.
    #[inline]
    pub fn as_bytes(&self) -> &Bytes {
        self.0.as_bytes()
    }

    /// The filter as the string it is made of.
    #[inline]
    pub fn as_byte_string(&self) -> &ByteString {
        &self.0
    }

    /// The string that it is made of.
    pub fn into_byte_string(self) -> ByteString {
        self.0
    }

    /// The parts between `/`; a wildcard is always a part of its own.
    #[inline]
    pub fn levels(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// Whether it has a `+` or a `#`, so that it can match more than one name.
    #[inline]
    pub fn has_wildcards(&self) -> bool {
        Scan::of(self.0.as_bytes()).wildcard
    }

    /// Whether a message with this topic name is for a subscription with this filter.
    pub fn matches(&self, topic: &TopicName) -> bool {
        // A wildcard in front does not match a name that starts with `$` [MQTT-4.7.2-1].
        if topic.is_dollar() && self.0.starts_with(['+', '#']) {
            return false;
        }
        let mut names = topic.levels();
        for level in self.levels() {
            match (level, names.next()) {
                ("#", _) => return true, // also where nothing is left: `a/#` matches `a`
                ("+", Some(_)) => {}
                (literal, Some(name)) if literal == name => {}
                _ => return false,
            }
        }
        names.next().is_none()
    }

    /// Whether every name that `other`, the text of a filter, matches is matched by this one.
    pub fn covers(&self, other: &str) -> bool {
        // A filter that begins with `$` and one that does not have no name in common.
        if other.starts_with('$') != self.0.starts_with('$') {
            return false;
        }
        let mut others = other.split('/');
        for level in self.levels() {
            match (level, others.next()) {
                ("#", _) => return true,
                ("+", Some(other)) if other != "#" => {}
                (own, Some(other)) if own == other => {}
                _ => return false,
            }
        }
        others.next().is_none()
    }

    /// Whether it is within the limits.
    pub fn check(&self, limits: &TopicLimits) -> Result<(), TopicError> {
        limits.check_text(&self.0)
    }
}

/// `#` is the whole of the last level `[MQTT-4.7.1-1]`, `+` the whole of any level `[MQTT-4.7.1-2]`.
fn wildcards_are_placed_well(text: &str) -> bool {
    let mut levels = text.split('/').peekable();
    while let Some(level) = levels.next() {
        let well = match level {
            "#" => levels.peek().is_none(),
            "+" => true,
            literal => !literal.contains(['+', '#']),
        };
        if !well {
            return false;
        }
    }
    true
}

impl fmt::Display for TopicFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for TopicFilter {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for TopicFilter {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl FromStr for TopicFilter {
    type Err = TopicError;

    fn from_str(text: &str) -> Result<Self, TopicError> {
        Self::new(text)
    }
}

impl TryFrom<Bytes> for TopicFilter {
    type Error = TopicError;

    fn try_from(bytes: Bytes) -> Result<Self, TopicError> {
        Self::new(ByteString::try_from(bytes).map_err(|_| TopicError::NotUtf8)?)
    }
}

/// Every topic name is also the filter that matches only itself.
impl From<TopicName> for TopicFilter {
    fn from(name: TopicName) -> Self {
        Self(name.into_byte_string())
    }
}
