//! Shared subscriptions: `$share/{ShareName}/{filter}`.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use bytestring::ByteString;

use super::{TopicError, TopicFilter};

const PREFIX: &str = "$share/";

/// The name of a group of subscribers that share their messages: not empty, without `/`, `+`, `#` and U+0000
/// `[MQTT-4.8.2-1]`, `[MQTT-4.8.2-2]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShareName(ByteString);

impl ShareName {
    /// Takes a text as a share name.
    pub fn new(text: impl Into<ByteString>) -> Result<Self, TopicError> {
        let text = text.into();
        if text.is_empty() || text.contains(['/', '+', '#', '\0']) {
            return Err(TopicError::ShareName);
        }
        if text.len() > super::BYTES_MAX {
            return Err(TopicError::TooLong);
        }
        Ok(Self(text))
    }

    /// The name.
    #[inline]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ShareName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for ShareName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for ShareName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// What the filter text of a SUBSCRIBE asks for: a filter, and the group with which the messages are shared.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SharedFilter {
    /// The group, if the text began with `$share/`.
    pub share: Option<ShareName>,
    /// The filter itself, without the group.
    pub filter: TopicFilter,
}

impl SharedFilter {
    /// Takes a filter text apart; both parts are slices of it.
    pub fn parse(text: impl Into<ByteString>) -> Result<Self, TopicError> {
        let text = text.into();
        if text.len() > super::BYTES_MAX {
            return Err(TopicError::TooLong);
        }
        let Some(rest) = text.strip_prefix(PREFIX) else {
            return Ok(Self {
                share: None,
                filter: TopicFilter::new(text)?,
            });
        };
        // A filter has to follow the share name [MQTT-4.8.2-2].
        let (share, filter) = rest.split_once('/').ok_or(TopicError::ShareName)?;
        Ok(Self {
            share: Some(ShareName::new(text.slice_ref(share))?),
            filter: TopicFilter::new(text.slice_ref(filter))?,
        })
    }
}

impl fmt::Display for SharedFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.share {
            Some(share) => write!(f, "{PREFIX}{share}/{}", self.filter),
            None => self.filter.fmt(f),
        }
    }
}

impl FromStr for SharedFilter {
    type Err = TopicError;

    fn from_str(text: &str) -> Result<Self, TopicError> {
        Self::parse(text)
    }
}

/// A filter that is not shared.
impl From<TopicFilter> for SharedFilter {
    fn from(filter: TopicFilter) -> Self {
        Self { share: None, filter }
    }
}
