//! One loaded plugin, as the chain sees it.

use std::fmt;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;
use hookwire_protocol::{SharedFilter, TopicName};

use crate::{
    Access, AccessAnswer, Action, AskedAccess, Authentication, ClientKey, Comparison, Credentials,
    DeliverDecision, EnhancedStep, Event, EventClass, Failure, FailureKind, Message, OnFailure, Parcel,
    Recipients, Routing, SubscribeDecision, SubscribeRequest, UnsubscribeDecision, Verdicts, WillCause,
    WillDecision, WillDelays,
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
    /// What subscription is made.
    OnSubscribe,
    /// What subscription ends.
    OnUnsubscribe,
    /// What becomes of a message.
    OnPublish,
    /// Who receives it.
    Route,
    /// What one recipient gets of it.
    Deliver,
    /// Whether a will is published.
    OnWill,
    /// What happened.
    Events,
    /// What an administrator asks the plugin.
    Control,
}

impl Hook {
    /// Every hook, in the order in which a message meets them; those that no message meets come last.
    pub const ALL: [Self; 11] = [
        Self::Authenticate,
        Self::AuthenticateEnhanced,
        Self::Authorize,
        Self::OnSubscribe,
        Self::OnUnsubscribe,
        Self::OnPublish,
        Self::Route,
        Self::Deliver,
        Self::OnWill,
        Self::Events,
        Self::Control,
    ];

    /// Those that see a message only if its topic is one that the plugin wants.
    pub const OF_MESSAGES: [Self; 3] = [Self::OnPublish, Self::Route, Self::Deliver];

    /// Name of its WIT interface.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Authenticate => "authenticate",
            Self::AuthenticateEnhanced => "authenticate-enhanced",
            Self::Authorize => "authorize",
            Self::OnSubscribe => "on-subscribe",
            Self::OnUnsubscribe => "on-unsubscribe",
            Self::OnPublish => "on-publish",
            Self::Route => "route",
            Self::Deliver => "deliver",
            Self::OnWill => "on-will",
            Self::Events => "events",
            Self::Control => "control",
        }
    }

    /// Whether it is asked where a call may take long, hash passwords or wait for others; the other hooks are asked in the
    /// middle of a client's traffic.
    pub fn may_take_long(self) -> bool {
        match self {
            Self::Authenticate | Self::AuthenticateEnhanced | Self::Events | Self::Control => true,
            Self::Authorize
            | Self::OnSubscribe
            | Self::OnUnsubscribe
            | Self::OnPublish
            | Self::Route
            | Self::Deliver
            | Self::OnWill => false,
        }
    }

    /// What a failure means where the configuration does not say: hooks that grant something (a connection, an access, a
    /// subscription, a message) refuse, the rest let pass.
    pub fn default_on_failure(self) -> OnFailure {
        match self {
            Self::Authenticate
            | Self::AuthenticateEnhanced
            | Self::Authorize
            | Self::OnSubscribe
            | Self::OnPublish => OnFailure::Deny,
            Self::OnUnsubscribe
            | Self::Route
            | Self::Deliver
            | Self::OnWill
            | Self::Events
            | Self::Control => OnFailure::Pass,
        }
    }
}

/// A set of hooks.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct HookSet(u16);

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

/// An answer that may take its time. Whoever waits for it holds no thread, and may give up: the call goes on to its end, or
/// its deadline, by itself.
pub type Pending<A> = Pin<Box<dyn Future<Output = A> + Send>>;

/// A policy, ready to be asked. One object is called from many threads.
///
/// Methods that return [`Pending`] may take long: nothing of theirs runs on the caller's thread. The others answer at
/// once, on the caller's thread.
pub trait Plugin: Send + Sync {
    /// Its name in the configuration.
    fn name(&self) -> &str;

    /// The hooks that it implements.
    fn hooks(&self) -> HookSet;

    /// What a failure at a hook means.
    fn on_failure(&self, hook: Hook) -> OnFailure;

    /// Whether it is in force only to be watched: it is asked like the others, but its answers are compared with what
    /// the chain does without it, and not applied.
    fn is_shadow(&self) -> bool {
        false
    }

    /// What it would have done in the place of the chain; only asked of a shadow.
    fn compared(&self, _: Hook, _: Comparison) {}

    /// Whether its authorize hook wants to be asked about this action. The answer is the same for as long as the plugin lives.
    fn wants_access(&self, action: Action) -> bool;

    /// Whether `hook`, one of [`Hook::OF_MESSAGES`], wants to see messages of this topic. The answer is the same for as long as the
    /// plugin lives, so that whoever publishes to a topic again need not ask again.
    fn wants_topic(&self, hook: Hook, topic: &TopicName) -> bool;

    /// Whether that is so of every topic there is; then nobody need ask about each.
    fn wants_every_topic(&self, _: Hook) -> bool {
        false
    }

    /// Who may connect.
    fn authenticate(self: Arc<Self>, who: Arc<Credentials>) -> Pending<Result<Authentication, Failure>>;

    /// The first step of an exchange.
    fn begin_authentication(
        self: Arc<Self>,
        method: ByteString,
        data: Option<Bytes>,
        who: Arc<Credentials>,
    ) -> Pending<Result<EnhancedStep, Failure>>;

    /// A further step; `state` is what came with its last challenge.
    fn continue_authentication(
        self: Arc<Self>,
        method: ByteString,
        data: Option<Bytes>,
        state: Vec<u8>,
    ) -> Pending<Result<EnhancedStep, Failure>>;

    /// Asked about one access.
    fn authorize(&self, access: &Access<'_>) -> Result<AccessAnswer, Failure>;

    /// Asked about one filter of a SUBSCRIBE.
    fn on_subscribe(
        &self,
        client: ClientKey,
        request: &SubscribeRequest,
    ) -> Result<SubscribeDecision, Failure>;

    /// Asked about one filter of an UNSUBSCRIBE.
    fn on_unsubscribe(
        &self,
        client: ClientKey,
        filter: &SharedFilter,
    ) -> Result<UnsubscribeDecision, Failure>;

    /// One verdict for each message, in order. All messages are of one connection and all are wanted.
    fn on_publish(&self, messages: &[&Message]) -> Verdicts;

    /// The same of messages of one client, with the bytes that they were read as: topics and payloads that are pieces of those can be
    /// handed on together. The bytes may hold other packets too, which this plugin is perhaps not to see.
    fn on_publish_as_read(&self, messages: &[&Message], packets: &[u8]) -> Verdicts {
        let _ = packets;
        self.on_publish(messages)
    }

    /// Asked about the recipients of one message.
    fn route(&self, message: &Message, recipients: &Recipients) -> Result<Routing, Failure>;

    /// One decision for each delivery, in order. All are wanted.
    fn deliver(&self, parcels: &[&Parcel]) -> Vec<Result<DeliverDecision, Failure>>;

    /// Asked about a will.
    fn on_will(
        &self,
        client: ClientKey,
        cause: WillCause,
        delays: WillDelays,
        message: &Message,
    ) -> Result<WillDecision, Failure>;

    /// Told what happened.
    fn events(self: Arc<Self>, events: Vec<Event>) -> Pending<()>;

    /// Whether its events hook wants to be told of events of this class.
    fn wants_event(&self, class: EventClass) -> bool;

    /// Whether it may wait for others when it is asked about such an access: then it is asked by
    /// [`authorize_waiting`](Self::authorize_waiting) wherever the client can be made to wait.
    fn waits_for_access(&self, _: Action) -> bool {
        false
    }

    /// The same for `hook` ([`Hook::OnPublish`] or [`Hook::Route`]).
    fn waits_for_messages(&self, _: Hook) -> bool {
        false
    }

    /// As [`authorize`](Self::authorize), and may wait.
    fn authorize_waiting(self: Arc<Self>, access: AskedAccess) -> Pending<Result<AccessAnswer, Failure>> {
        Box::pin(ready(self.authorize(&access.as_access())))
    }

    /// As [`on_publish`](Self::on_publish), and may wait.
    fn on_publish_waiting(self: Arc<Self>, messages: Vec<Message>) -> Pending<Verdicts> {
        Box::pin(ready(self.on_publish(&messages.iter().collect::<Vec<_>>())))
    }

    /// As [`route`](Self::route), and may wait.
    fn route_waiting(
        self: Arc<Self>,
        message: Message,
        recipients: Recipients,
    ) -> Pending<Result<Routing, Failure>> {
        Box::pin(ready(self.route(&message, &recipients)))
    }

    /// Asked by an administrator; the answer is the plugin's own: JSON, or a text for a person. A plugin without the hook has
    /// no answer.
    fn control(self: Arc<Self>, request: String) -> Pending<Result<Result<String, String>, Failure>> {
        drop(request);
        Box::pin(ready(Err(Failure {
            kind: FailureKind::InvalidAnswer,
            detail: "the hook is not exported".into(),
        })))
    }

    /// What it did so far, for people: names, of which `/` makes levels, and values.
    fn figures(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}
