//! One loaded plugin, as the chain sees it.

use std::fmt;

use hookwire_protocol::TopicName;

use crate::{
    Access, AccessAnswer, Action, Authentication, ClientKey, Credentials, EnhancedStep, Event, Message,
    Recipients, Routing, Verdict, WillCause, WillDecision,
};

/// The hooks that a chain calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Hook {
    /// Who may connect.
    Authenticate,
    /// Who may connect, by challenge and answer.
    AuthenticateEnhanced,
    /// Who may publish, subscribe, receive, leave a will.
    Authorize,
    /// What becomes of a message.
    OnPublish,
    /// Who receives it.
    Route,
    /// Whether a will is published.
    OnWill,
    /// What happened.
    Events,
}

impl Hook {
    /// Every hook, in the order in which a message meets them.
    pub const ALL: [Self; 7] = [
        Self::Authenticate,
        Self::AuthenticateEnhanced,
        Self::Authorize,
        Self::OnPublish,
        Self::Route,
        Self::OnWill,
        Self::Events,
    ];

    /// Name of its WIT interface.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Authenticate => "authenticate",
            Self::AuthenticateEnhanced => "authenticate-enhanced",
            Self::Authorize => "authorize",
            Self::OnPublish => "on-publish",
            Self::Route => "route",
            Self::OnWill => "on-will",
            Self::Events => "events",
        }
    }

    /// What a failure means where the configuration does not say: access and publish hooks refuse, the rest
    /// let pass.
    pub fn default_on_failure(self) -> OnFailure {
        match self {
            Self::Authenticate | Self::AuthenticateEnhanced | Self::Authorize | Self::OnPublish => {
                OnFailure::Deny
            }
            Self::Route | Self::OnWill | Self::Events => OnFailure::Pass,
        }
    }
}

/// A set of hooks.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct HookSet(u8);

impl HookSet {
    /// No hook.
    pub const EMPTY: Self = Self(0);

    /// This set and one hook more.
    #[must_use]
    pub const fn with(self, hook: Hook) -> Self {
        Self(self.0 | 1 << hook as u8)
    }

    /// Whether a hook is in it.
    pub const fn contains(self, hook: Hook) -> bool {
        self.0 & 1 << hook as u8 != 0
    }

    /// The hooks in it.
    pub fn iter(self) -> impl Iterator<Item = Hook> {
        Hook::ALL.into_iter().filter(move |hook| self.contains(*hook))
    }
}

impl fmt::Debug for HookSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// The verdict that stands in for a plugin that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// Refuse: a CONNECT with "server unavailable", a message with "implementation specific error".
    Deny,
    /// As if the plugin were not there.
    Pass,
    /// Refuse and close the connection.
    Disconnect,
}

/// What kind of failure ended a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The guest trapped.
    Trap,
    /// It used more than its time.
    Deadline,
    /// It wanted more than its memory.
    Memory,
    /// It answered something that no hook may answer.
    InvalidAnswer,
    /// No instance was free, and none could be made, in time.
    NoInstance,
}

impl FailureKind {
    /// As logs and metrics spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trap => "trap",
            Self::Deadline => "deadline",
            Self::Memory => "memory",
            Self::InvalidAnswer => "invalid-answer",
            Self::NoInstance => "no-instance",
        }
    }
}

/// A call that brought no verdict.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}: {detail}", kind.as_str())]
pub struct Failure {
    /// Which kind.
    pub kind: FailureKind,
    /// For a person.
    pub detail: String,
}

/// A policy, ready to be asked. One object is called from many threads.
pub trait Plugin: Send + Sync {
    /// Its name in the configuration.
    fn name(&self) -> &str;

    /// The hooks that it implements.
    fn hooks(&self) -> HookSet;

    /// What a failure at a hook means.
    fn on_failure(&self, hook: Hook) -> OnFailure;

    /// Whether its authorize hook wants to be asked about this action.
    fn wants_access(&self, action: Action) -> bool;

    /// Whether `hook` ([`Hook::OnPublish`] or [`Hook::Route`]) wants to see messages of this topic.
    fn wants_topic(&self, hook: Hook, topic: &TopicName) -> bool;

    /// May take long: never called on a thread that serves clients.
    fn authenticate(&self, who: &Credentials) -> Result<Authentication, Failure>;

    /// The first step of an exchange. May take long, as [`authenticate`](Self::authenticate) may.
    fn begin_authentication(
        &self,
        method: &str,
        data: Option<&[u8]>,
        who: &Credentials,
    ) -> Result<EnhancedStep, Failure>;

    /// A further step; `state` is what came with its last challenge.
    fn continue_authentication(
        &self,
        method: &str,
        data: Option<&[u8]>,
        state: &[u8],
    ) -> Result<EnhancedStep, Failure>;

    /// Asked about one access.
    fn authorize(&self, access: &Access<'_>) -> Result<AccessAnswer, Failure>;

    /// One verdict for each message, in order. All messages are of one connection and all are wanted.
    fn on_publish(&self, messages: &[&Message]) -> Vec<Result<Verdict, Failure>>;

    /// Asked about the recipients of one message.
    fn route(&self, message: &Message, recipients: &Recipients) -> Result<Routing, Failure>;

    /// Asked about a will.
    fn on_will(
        &self,
        client: ClientKey,
        cause: WillCause,
        message: &Message,
    ) -> Result<WillDecision, Failure>;

    /// Told what happened; called from a thread of its own, never from one that serves clients.
    fn events(&self, events: &[Event]);

    /// Whether it wants to be told of such an event.
    fn wants_event(&self, event: &Event) -> bool;

    /// What it did so far, for people: names, of which `/` makes levels, and values.
    fn figures(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}
