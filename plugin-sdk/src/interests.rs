//! What a plugin wants to be asked and shown.

use std::time::Duration;

use crate::bindings::lifecycle::exports::hookwire::plugin::lifecycle::{
    AccessInterest, EventInterest, Interests, MessageInterest,
};

/// Everything but what comes with every message: `authorize` is not asked of each delivery, which costs a call for every
/// recipient, and `events` is not told of acknowledgements and of messages without a recipient. There is no tick.
impl Default for Interests {
    fn default() -> Self {
        Self {
            on_publish: MessageInterest::default(),
            route: MessageInterest::default(),
            deliver: MessageInterest::default(),
            authorize: AccessInterest::PUBLISH | AccessInterest::SUBSCRIBE | AccessInterest::WILL,
            events: EventInterest::CONNECTED
                | EventInterest::DISCONNECTED
                | EventInterest::SESSION
                | EventInterest::SUBSCRIBED
                | EventInterest::DROPPED
                | EventInterest::REFUSED,
            tick_ms: None,
        }
    }
}

impl Interests {
    /// Call `tick` in this interval, 100 ms at the least.
    #[must_use]
    pub fn with_tick(mut self, interval: Duration) -> Self {
        self.tick_ms = Some(u32::try_from(interval.as_millis()).unwrap_or(u32::MAX));
        self
    }
}

/// Every message, with payload and properties.
impl Default for MessageInterest {
    fn default() -> Self {
        Self {
            topics: None,
            payload: true,
            properties: true,
        }
    }
}

impl MessageInterest {
    /// Only messages whose topic matches one of these filters; with no filter none at all.
    pub fn topics(filters: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            topics: Some(filters.into_iter().map(Into::into).collect()),
            ..Self::default()
        }
    }

    /// No message: the hook is not asked.
    pub const fn none() -> Self {
        Self {
            topics: Some(Vec::new()),
            payload: false,
            properties: false,
        }
    }

    /// The payload is not handed over.
    #[must_use]
    pub fn without_payload(mut self) -> Self {
        self.payload = false;
        self
    }

    /// The MQTT 5 properties are not handed over.
    #[must_use]
    pub fn without_properties(mut self) -> Self {
        self.properties = false;
        self
    }
}
