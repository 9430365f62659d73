//! Asked when the recipients of a message are known and the member of each shared group is not yet chosen.

use crate::bindings::route::exports::hookwire::plugin::route as binding;
use crate::bindings::types::{self, Source};
use crate::component::{Component, with_plugin};
use crate::message::Message;
use crate::plugin::Plugin;

pub use binding::{Decision, Pick, Recipients, Routing, SharedGroup};

/// The hook `route`.
pub trait Route: Plugin {
    /// Decides where one message goes.
    fn route(&self, message: &Message<'_>, recipients: &Recipients) -> Decision;
}

impl<C: Component<Plugin: Route>> binding::Guest for C {
    fn route(source: Source, message: types::Message, recipients: Recipients) -> Decision {
        with_plugin::<C, _>(|plugin| plugin.route(&Message::of(source, &message), &recipients))
    }
}

/// Nobody receives it, for tests.
impl Default for Recipients {
    fn default() -> Self {
        Self {
            clients: Vec::new(),
            groups: Vec::new(),
        }
    }
}

/// Leaves everything as it is.
impl Default for Routing {
    fn default() -> Self {
        Self {
            copies: Vec::new(),
            only: None,
            exclude: Vec::new(),
            picks: Vec::new(),
            local_only: false,
        }
    }
}

impl From<Routing> for Decision {
    fn from(routing: Routing) -> Self {
        Self::Change(routing)
    }
}
