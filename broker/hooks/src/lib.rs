//! The hook chain: which policy is asked at which hook, in what order, how verdicts combine, what a failure
//! means.
//!
//! The broker calls a [`Chain`]; a chain asks [`Plugin`]s; a plugin may call back through [`Host`]. This
//! crate knows neither wasmtime nor sockets, so the rules of the chain can be read, and tested, without
//! either.
#![forbid(unsafe_code)]

mod access;
mod authenticate;
mod call;
mod chain;
mod client;
mod deliver;
mod enhanced;
mod event;
mod failure;
mod host;
mod message;
mod plugin;
mod publish;
mod route;
mod shadow;
mod subscribe;
mod surroundings;
mod verdicts;
mod will;
mod wishes;

pub use access::{Access, AccessAnswer, AccessDecision, Action, AskedAccess};
pub use authenticate::{Authentication, Credentials, Denial, Grant, RuleAction, TopicRule};
pub use call::{Call, Matter};
pub use chain::{AccessOutcome, AuthenticationOutcome, Chain, Defaults, Fate, Publication, WillOutcome};
pub use client::{ClientFacts, ClientKey};
pub use deliver::{DeliverDecision, Parcel};
pub use enhanced::{EnhancedOutcome, EnhancedStep, Exchange};
pub use event::{DropCause, Event, EventClass, EventKind};
pub use failure::{Failure, FailureKind, FailureRules, OnFailure};
pub use host::{Host, KeptEntry, NoHost, PluginPublish, RetainedAmount, Unread};
pub use message::{Message, Source};
pub use plugin::{Hook, HookSet, Pending, Plugin};
pub use publish::{Rejection, Replacement, Verdict};
pub use route::{Pick, Recipients, Routing, SharedGroup};
pub use shadow::Comparison;
pub use subscribe::{
    SubscribeDecision, SubscribeOutcome, SubscribeRequest, UnsubscribeDecision, UnsubscribeOutcome,
};
pub use surroundings::Surroundings;
pub use verdicts::Verdicts;
pub use will::{WillCause, WillDecision, WillDelays};
