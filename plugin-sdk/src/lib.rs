//! Policies for the Hookwire MQTT broker, written in Rust.
//!
//! A plugin is a WebAssembly component. This crate turns a type that implements [`Plugin`] and a trait for each hook
//! into one:
//!
//! ```
//! use hookwire_plugin::prelude::*;
//!
//! #[derive(Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct Config {
//!     max_bytes: usize,
//! }
//!
//! struct SizeLimit {
//!     config: Config,
//! }
//!
//! impl Plugin for SizeLimit {
//!     type Config = Config;
//!
//!     fn new(config: Config) -> Result<Self, Problems> {
//!         Ok(Self { config })
//!     }
//! }
//!
//! impl OnPublish for SizeLimit {
//!     fn on_publish(&self, message: &Message<'_>) -> Verdict {
//!         if message.payload().len() > self.config.max_bytes {
//!             return Verdict::reject(Reason::QuotaExceeded, "too large");
//!         }
//!         Verdict::pass()
//!     }
//! }
//!
//! hookwire_plugin::export!(SizeLimit: OnPublish);
//! # fn main() {}
//! ```
//!
//! `cargo build --target wasm32-wasip2` makes a component of it that exports `lifecycle` and the hooks named, and
//! imports what it uses of the [host's modules](#modules). `cargo test` needs no WebAssembly: elsewhere these modules
//! are answered by a [`mock`].

#[doc(hidden)]
pub mod bindings;
#[doc(hidden)]
pub mod component;
mod delivery_frame;
mod export;
mod filter;
mod frame;
mod head;
mod hook;
mod host;
mod interests;
mod message;
#[cfg(not(target_family = "wasm"))]
pub mod mock;
#[cfg(doctest)]
mod pages;
mod plugin;
mod problem;
mod properties;
mod publish_frame;
mod refusal;
#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod runtime;
mod template;
mod verdict;
mod wire;

pub use bindings::lifecycle::exports::hookwire::plugin::lifecycle::{
    AccessInterest, EventInterest, Interests, MessageInterest, Problem,
};
pub use bindings::types::{
    ClientKey, Message as MessageBuf, Properties as PropertiesBuf, Protocol, PublishReason as Reason, Qos,
    Rejection, Replacement, Source, UserProperty, Verdict,
};
pub use filter::{Captures, FilterError, TopicFilter, is_topic_name};
pub use hook::{
    authenticate, authenticate_enhanced, authorize, control, deliver, events, on_publish, on_subscribe,
    on_unsubscribe, on_will, route,
};
pub use host::{
    clients, clock, http, kv, log, metrics, password, publish, random, rate_limit, retained, secrets,
    signatures, topics,
};
pub use message::Message;
pub use plugin::{NoConfig, Plugin};
pub use problem::Problems;
pub use properties::{Properties, UserProperties};
pub use refusal::{OrDeny, OrReject};
pub use template::TopicTemplate;

/// What most plugins need. For `#[derive(Deserialize)]` add the crate `serde` with its feature `derive`.
pub mod prelude {
    pub use serde::Deserialize;

    pub use crate::authenticate::{Authenticate, ConnectReason, Credentials, Denial, Grant, Outcome};
    pub use crate::authenticate_enhanced::{AuthenticateEnhanced, Step};
    pub use crate::authorize::{Access, Action, Answer, Authorize, Decision};
    pub use crate::control::Control;
    pub use crate::deliver::{Decision as DeliverDecision, Deliver};
    pub use crate::events::{Event, Events, What};
    pub use crate::on_publish::OnPublish;
    pub use crate::on_subscribe::{
        Decision as SubscribeDecision, OnSubscribe, Request as SubscribeRequest, RetainHandling,
        SubscribeReason,
    };
    pub use crate::on_unsubscribe::{
        Decision as UnsubscribeDecision, OnUnsubscribe, Request as UnsubscribeRequest, UnsubscribeReason,
    };
    pub use crate::on_will::{Cause, Decision as WillDecision, Delays, OnWill};
    pub use crate::route::{Decision as RouteDecision, Recipients, Route, Routing};
    pub use crate::{
        AccessInterest, ClientKey, EventInterest, Interests, Message, MessageBuf, MessageInterest, NoConfig,
        OrDeny, OrReject, Plugin, Problem, Problems, Properties, PropertiesBuf, Qos, Reason, Rejection,
        Replacement, Source, TopicFilter, UserProperty, Verdict, log,
    };
}
