//! Asked whether a client may publish to a topic, subscribe to a filter, be sent a message, or leave a will.

use crate::bindings::authorize::exports::hookwire::plugin::authorize as binding;
use crate::bindings::types::{ClientKey, Qos};
use crate::component::{Component, with_plugin};
use crate::plugin::Plugin;

pub use binding::{Access, Action, Answer, Decision};

/// The hook `authorize`.
pub trait Authorize: Plugin {
    /// Answers one question. Let the broker keep the answer where it can: [`Answer::cached_for_ms`].
    fn authorize(&self, access: &Access) -> Answer;
}

impl<C: Component<Plugin: Authorize>> binding::Guest for C {
    fn authorize(access: Access) -> Answer {
        with_plugin::<C, _>(|plugin| plugin.authorize(&access))
    }
}

impl Access {
    /// A question at QoS 0 without RETAIN, for tests. Set the fields for something else.
    pub fn new(client: ClientKey, action: Action, topic: impl Into<String>) -> Self {
        Self {
            client,
            action,
            topic: topic.into(),
            qos: Qos::AtMostOnce,
            retain: false,
        }
    }
}

impl Answer {
    /// No opinion: the next plugin is asked.
    pub const fn next() -> Self {
        Self {
            decision: Decision::Next,
            cache_ms: 0,
        }
    }

    /// Allowed.
    pub const fn allow() -> Self {
        Self {
            decision: Decision::Allow,
            cache_ms: 0,
        }
    }

    /// Refused without a reason string.
    pub const fn deny() -> Self {
        Self {
            decision: Decision::Deny(None),
            cache_ms: 0,
        }
    }

    /// The broker may answer the same question (client, action, topic) by itself for so many milliseconds.
    #[must_use]
    pub fn cached_for_ms(mut self, ms: u32) -> Self {
        self.cache_ms = ms;
        self
    }
}

impl From<Decision> for Answer {
    fn from(decision: Decision) -> Self {
        Self {
            decision,
            cache_ms: 0,
        }
    }
}
