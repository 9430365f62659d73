//! Asked for each filter of a SUBSCRIBE, after `authorize` has allowed it.

use crate::bindings::on_subscribe::exports::hookwire::plugin::on_subscribe as binding;
use crate::bindings::types::{ClientKey, Qos};
use crate::component::{Component, with_plugin};
use crate::plugin::Plugin;

pub use binding::{Decision, Request, RetainHandling, SubscribeReason};

/// The hook `on-subscribe`.
pub trait OnSubscribe: Plugin {
    /// Decides what subscription is made.
    fn on_subscribe(&self, client: ClientKey, request: &Request) -> Decision;
}

impl<C: Component<Plugin: OnSubscribe>> binding::Guest for C {
    fn on_subscribe(client: ClientKey, request: Request) -> Decision {
        with_plugin::<C, _>(|plugin| plugin.on_subscribe(client, &request))
    }
}

impl Request {
    /// A subscription at QoS 0 with no options, for tests. Set the fields for something else.
    pub fn new(filter: impl Into<String>) -> Self {
        Self {
            filter: filter.into(),
            share: None,
            qos: Qos::AtMostOnce,
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::SendAtSubscribe,
        }
    }

    /// The same with another filter, to answer with.
    #[must_use]
    pub fn with_filter(&self, filter: impl Into<String>) -> Self {
        Self {
            filter: filter.into(),
            ..self.clone()
        }
    }
}

impl From<Request> for Decision {
    fn from(request: Request) -> Self {
        Self::Replace(request)
    }
}

impl From<SubscribeReason> for Decision {
    fn from(reason: SubscribeReason) -> Self {
        Self::Reject(reason)
    }
}
