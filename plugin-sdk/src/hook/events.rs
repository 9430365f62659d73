//! Told what happened: in batches, off the message path, without an answer.

use crate::bindings::events::exports::hookwire::plugin::events as binding;
use crate::component::{Component, with_plugin};
use crate::plugin::Plugin;

pub use binding::{Acked, Connected, Disconnected, Dropped, Event, Refused, Subscribed, What};

/// The hook `events`. When a plugin is too slow, events are dropped and counted; the broker never waits.
pub trait Events: Plugin {
    /// Takes a batch of events, in the order in which they happened.
    fn on_events(&self, events: &[Event]);
}

impl<C: Component<Plugin: Events>> binding::Guest for C {
    fn on_events(events: Vec<Event>) {
        with_plugin::<C, _>(|plugin| plugin.on_events(&events));
    }
}
