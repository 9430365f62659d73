//! Questions and answers of the authorize hook.

use std::time::Duration;

use bytestring::ByteString;
use hookwire_protocol::QoS;

use crate::ClientKey;

/// What a client wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Publish to a topic.
    Publish,
    /// Subscribe to a filter.
    Subscribe,
    /// Be sent a message.
    Deliver,
    /// Leave a will, or have it published.
    Will,
}

impl Action {
    pub(crate) const ALL: [Self; 4] = [Self::Publish, Self::Subscribe, Self::Deliver, Self::Will];

    /// This action in a set of them.
    pub(crate) const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// One question to the authorize hook.
#[derive(Debug, Clone, Copy)]
pub struct Access<'a> {
    /// Whose right is in question.
    pub client: ClientKey,
    /// What it wants.
    pub action: Action,
    /// Topic name; for [`Action::Subscribe`] the filter without its share prefix.
    pub topic: &'a str,
    /// QoS of the message or subscription.
    pub qos: QoS,
    /// RETAIN flag of the message.
    pub retain: bool,
}

/// A question that outlives its asker, for policies that may wait.
#[derive(Debug, Clone)]
pub struct AskedAccess {
    /// As in [`Access`], and so are the others.
    pub client: ClientKey,
    /// What the client wants.
    pub action: Action,
    /// Topic name or filter.
    pub topic: ByteString,
    /// QoS of the message or subscription.
    pub qos: QoS,
    /// RETAIN flag of the message.
    pub retain: bool,
}

impl AskedAccess {
    /// The question by reference.
    pub fn as_access(&self) -> Access<'_> {
        Access {
            client: self.client,
            action: self.action,
            topic: &self.topic,
            qos: self.qos,
            retain: self.retain,
        }
    }
}

impl From<&Access<'_>> for AskedAccess {
    fn from(access: &Access<'_>) -> Self {
        Self {
            client: access.client,
            action: access.action,
            topic: access.topic.into(),
            qos: access.qos,
            retain: access.retain,
        }
    }
}

/// One plugin's decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessDecision {
    /// No opinion.
    Next,
    /// Allowed.
    Allow,
    /// Refused; reason string.
    Deny(Option<ByteString>),
    /// Refused, and the connection is closed; reason string.
    Disconnect(Option<ByteString>),
}

/// A decision, and how long the same question need not be asked again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessAnswer {
    /// The decision.
    pub decision: AccessDecision,
    /// Zero: ask again.
    pub cache_for: Duration,
}
