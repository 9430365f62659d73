//! Asked for each filter of an UNSUBSCRIBE.

use crate::bindings::on_unsubscribe::exports::hookwire::plugin::on_unsubscribe as binding;
use crate::bindings::types::ClientKey;
use crate::component::{Component, with_plugin};
use crate::plugin::Plugin;

pub use binding::{Decision, Request, UnsubscribeReason};

/// The hook `on-unsubscribe`. What [`OnSubscribe`](crate::on_subscribe::OnSubscribe) has changed is found without it.
pub trait OnUnsubscribe: Plugin {
    /// Decides what subscription ends.
    fn on_unsubscribe(&self, client: ClientKey, request: &Request) -> Decision;
}

impl<C: Component<Plugin: OnUnsubscribe>> binding::Guest for C {
    fn on_unsubscribe(client: ClientKey, request: Request) -> Decision {
        with_plugin::<C, _>(|plugin| plugin.on_unsubscribe(client, &request))
    }
}

impl Request {
    /// A filter that is not shared, for tests.
    pub fn new(filter: impl Into<String>) -> Self {
        Self {
            filter: filter.into(),
            share: None,
        }
    }
}

impl From<Request> for Decision {
    fn from(request: Request) -> Self {
        Self::Replace(request)
    }
}

impl From<UnsubscribeReason> for Decision {
    fn from(reason: UnsubscribeReason) -> Self {
        Self::Reject(reason)
    }
}
