//! Asked when a will is about to be published.

use crate::bindings::on_will::exports::hookwire::plugin::on_will as binding;
use crate::bindings::types::{self, ClientKey, Replacement, Source};
use crate::component::{Component, with_plugin};
use crate::message::Message;
use crate::plugin::Plugin;

pub use binding::{Cause, Decision, Delays};

/// The hook `on-will`. The will then passes `authorize` and `on-publish` like any message.
pub trait OnWill: Plugin {
    /// Decides what becomes of one will.
    fn on_will(&self, client: ClientKey, cause: Cause, delays: Delays, message: &Message<'_>) -> Decision;
}

impl<C: Component<Plugin: OnWill>> binding::Guest for C {
    fn on_will(client: ClientKey, cause: Cause, delays: Delays, message: types::Message) -> Decision {
        with_plugin::<C, _>(|plugin| {
            let message = Message::of(Source::Will(client), &message);
            plugin.on_will(client, cause, delays, &message)
        })
    }
}

/// The will was not held back yet.
impl Default for Delays {
    fn default() -> Self {
        Self { times: 0, secs: 0 }
    }
}

impl From<Replacement> for Decision {
    fn from(replacement: Replacement) -> Self {
        Self::Replace(replacement)
    }
}
