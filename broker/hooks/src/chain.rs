//! The chain: plugins in the order of the configuration, and how their answers combine.
//!
//! Who is asked in which order, what ends the asking, and what a failure means stands in `docs/plugins/chain.md`;
//! `tests/chain.rs` holds this module to it.
//!
//! Plugins that are shadows have no part in any of that: they are asked afterwards, see `shadow.rs`.
//!
//! A chain is one generation of policy and never changes; a reload makes another chain. Failures are logged and counted
//! where they happen, by the plugin; here they only become verdicts.

use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;
use hookwire_protocol::{ConnectReason, PublishReason, TopicName};

use crate::wishes::Wishes;
use crate::{
    Access, AccessAnswer, AccessDecision, Action, Authentication, ClientKey, Credentials, Denial, Event,
    EventClass, Failure, Grant, Hook, HookSet, Message, OnFailure, Plugin, Recipients, Rejection,
    Replacement, Routing, Verdict, Verdicts, WillCause, WillDecision, WillDelays,
};

/// How long an answer holds that no plugin had a part in: until the chain changes.
const FOR_EVER: Duration = Duration::MAX;

/// What the configuration says where no plugin does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Defaults {
    /// Whether an access is allowed about which no plugin decides. `None`: refused where a plugin was asked,
    /// allowed where none wants to be asked.
    pub access: Option<bool>,
}

/// What came of a CONNECT.
#[derive(Debug, Clone)]
pub enum AuthenticationOutcome {
    /// No plugin knew the client.
    Undecided,
    /// Admitted.
    Allow(Box<Grant>),
    /// Refused.
    Deny(Denial),
}

/// What came of an access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessOutcome {
    /// Never [`AccessDecision::Next`].
    pub decision: AccessDecision,
    /// How long the same question has the same answer, as long as the chain stays; zero: not at all.
    pub cache_for: Duration,
}

impl AccessOutcome {
    /// Whether it is allowed.
    pub fn is_allowed(&self) -> bool {
        self.decision == AccessDecision::Allow
    }
}

/// What becomes of a published message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is routed.
    Pass,
    /// Nobody receives it, the publisher sees success.
    Drop,
    /// Nobody receives it, the publisher sees the reason.
    Reject(Box<Rejection>),
    /// Nobody receives it, the publisher is disconnected.
    Disconnect(Box<Rejection>),
}

/// A message on its way through the on-publish hook.
///
/// Small, since a run is many of them, gone through again and again: what few messages have is kept elsewhere.
#[derive(Debug, Clone)]
pub struct Publication {
    /// As the plugins asked so far have changed it. Shared from the start: its recipients will share it.
    pub message: Arc<Message>,
    /// Their judgement so far.
    pub fate: Fate,
    /// For how long its publisher is not read from, milliseconds.
    pub throttle_ms: u32,
    /// The plugin that published it, which is not asked.
    pub origin: Option<Arc<str>>,
    /// What was said about its recipients, if that was asked before it is routed, since a plugin had to be waited for.
    pub routing: Option<Box<Routing>>,
    /// [`Chain::interest_in`] its topic, if somebody knows: then only plugins that may want it are asked whether they do.
    pub interest: Option<HookSet>,
}

impl Publication {
    /// A message that nobody has judged yet.
    pub fn new(message: impl Into<Arc<Message>>) -> Self {
        Self {
            message: message.into(),
            fate: Fate::Pass,
            throttle_ms: 0,
            origin: None,
            routing: None,
            interest: None,
        }
    }

    fn apply(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Pass => {}
            Verdict::Replace(replacement) => self.replace(*replacement),
            Verdict::Drop => self.fate = Fate::Drop,
            Verdict::Reject(rejection) => self.fate = Fate::Reject(Box::new(rejection)),
            Verdict::Disconnect(rejection) => self.fate = Fate::Disconnect(Box::new(rejection)),
            Verdict::Throttle(ms) => self.throttle_ms = self.throttle_ms.max(ms),
        }
    }

    fn replace(&mut self, replacement: Replacement) {
        if replacement.topic.is_some() {
            // What was known is about another topic.
            self.interest = None;
        }
        replacement.apply(Arc::make_mut(&mut self.message));
    }

    /// Whether any plugin may want it at a hook, as far as is known.
    #[inline]
    fn may_be_wanted(&self, hook: Hook) -> bool {
        self.interest.is_none_or(|hooks| hooks.contains(hook))
    }

    /// Whether nothing but its topic could keep it from a plugin.
    fn may_be_judged_by(&self, plugin: &dyn Plugin) -> bool {
        matches!(self.fate, Fate::Pass)
            && self.may_be_wanted(Hook::OnPublish)
            && self
                .origin
                .as_deref()
                .is_none_or(|origin| origin != plugin.name())
    }
}

/// What becomes of a will.
#[derive(Debug, Clone)]
pub enum WillOutcome {
    /// It is published as it now stands.
    Publish,
    /// It is not published.
    Suppress,
    /// Ask again later.
    Delay(Duration),
}

/// One generation of policy.
pub struct Chain {
    generation: u64,
    defaults: Defaults,
    plugins: Vec<Arc<dyn Plugin>>,
    /// What any plugin implements, shadows included.
    hooks: HookSet,
    /// What plugins implement whose answers count.
    enforced: HookSet,
    /// What shadows implement.
    shadowed: HookSet,
    wishes: Wishes,
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.plugins.iter().map(|plugin| plugin.name()).collect();
        f.debug_struct("Chain")
            .field("generation", &self.generation)
            .field("plugins", &names)
            .finish()
    }
}

impl Chain {
    /// A chain of `plugins`, asked in this order.
    pub fn new(generation: u64, plugins: Vec<Arc<dyn Plugin>>, defaults: Defaults) -> Self {
        let hooks_of = |shadow: bool| {
            let plugins = plugins.iter().filter(|plugin| plugin.is_shadow() == shadow);
            let hooks = plugins.flat_map(|plugin| plugin.hooks().iter());
            // An exchange of challenges has one partner only.
            hooks
                .filter(|hook| !shadow || *hook != Hook::AuthenticateEnhanced)
                .fold(HookSet::EMPTY, HookSet::with)
        };
        let (enforced, shadowed) = (hooks_of(false), hooks_of(true));
        Self {
            generation,
            defaults,
            hooks: shadowed.iter().fold(enforced, HookSet::with),
            enforced,
            shadowed,
            wishes: Wishes::of(&plugins),
            plugins,
        }
    }

    /// Counts the chains that were in force before.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// All plugins, in order.
    pub fn plugins(&self) -> &[Arc<dyn Plugin>] {
        &self.plugins
    }

    /// The plugin of this name.
    pub fn plugin(&self, name: &str) -> Option<&Arc<dyn Plugin>> {
        self.plugins.iter().find(|plugin| plugin.name() == name)
    }

    /// Whether any plugin implements a hook; the one branch that a hook costs that nobody has.
    #[inline]
    pub fn has(&self, hook: Hook) -> bool {
        self.hooks.contains(hook)
    }

    /// Whether a shadow implements a hook.
    #[inline]
    pub(crate) fn has_shadow(&self, hook: Hook) -> bool {
        self.shadowed.contains(hook)
    }

    /// Whether any plugin wants to be told of events of this class.
    #[inline]
    pub fn wants_event(&self, class: EventClass) -> bool {
        self.wishes.has_event(class)
    }

    /// Whether any plugin has a say in who may connect, in the one way or the other. A shadow has none.
    pub fn authenticates(&self) -> bool {
        self.enforced.contains(Hook::Authenticate) || self.enforced.contains(Hook::AuthenticateEnhanced)
    }

    /// The plugins whose answers count at a hook, in the order in which they are asked.
    pub fn asked(&self, hook: Hook) -> impl Iterator<Item = &Arc<dyn Plugin>> {
        self.listening(hook).filter(|plugin| !plugin.is_shadow())
    }

    /// The plugins that implement a hook, whether or not their answers count.
    pub(crate) fn listening(&self, hook: Hook) -> impl Iterator<Item = &Arc<dyn Plugin>> {
        self.plugins
            .iter()
            .filter(move |plugin| plugin.hooks().contains(hook))
    }

    /// Who may connect.
    pub async fn authenticate(&self, who: &Arc<Credentials>) -> AuthenticationOutcome {
        let outcome = self.decide_authentication(who).await;
        self.shadow_authentication(who, &outcome).await;
        outcome
    }

    async fn decide_authentication(&self, who: &Arc<Credentials>) -> AuthenticationOutcome {
        let unavailable = || AuthenticationOutcome::Deny(Denial::new(ConnectReason::ServerUnavailable));
        for plugin in self.asked(Hook::Authenticate) {
            match Arc::clone(plugin).authenticate(Arc::clone(who)).await {
                Ok(Authentication::Next) => {}
                Ok(Authentication::Allow(grant)) => return AuthenticationOutcome::Allow(grant),
                Ok(Authentication::Deny(denial)) => return AuthenticationOutcome::Deny(denial),
                Ok(Authentication::Unavailable) => return unavailable(),
                Err(_) => match plugin.on_failure(Hook::Authenticate) {
                    OnFailure::Pass => {}
                    OnFailure::Deny | OnFailure::Disconnect => return unavailable(),
                },
            }
        }
        AuthenticationOutcome::Undecided
    }

    /// Whether any plugin wants to be asked about an action.
    #[inline]
    pub fn wants_access(&self, action: Action) -> bool {
        self.wishes.has_action(action)
    }

    /// Whether an action can be refused at all: a plugin wants to be asked about it, or the configuration
    /// says "deny".
    pub fn restricts(&self, action: Action) -> bool {
        self.wants_access(action) || self.default_access(action, false) != AccessDecision::Allow
    }

    /// Whether an access is allowed.
    pub fn authorize(&self, access: &Access<'_>) -> AccessOutcome {
        let mut outcome = self.decide_access(access);
        self.shadow_access(access, &mut outcome);
        outcome
    }

    fn decide_access(&self, access: &Access<'_>) -> AccessOutcome {
        let mut hearing = Hearing::default();
        for plugin in self.asked_about(access.action) {
            if let Some(outcome) = hearing.heed(&**plugin, plugin.authorize(access)) {
                return outcome;
            }
        }
        self.undecided(access.action, &hearing)
    }

    /// Whether any plugin may wait for others when it is asked about an action.
    pub fn waits_for_access(&self, action: Action) -> bool {
        self.wishes.waits_for_action(action)
    }

    /// The same as [`authorize`](Self::authorize), for a client that can be made to wait.
    pub async fn authorize_waiting(&self, access: &Access<'_>) -> AccessOutcome {
        let mut outcome = self.decide_access_waiting(access).await;
        self.shadow_access_waiting(access, &mut outcome).await;
        outcome
    }

    async fn decide_access_waiting(&self, access: &Access<'_>) -> AccessOutcome {
        let mut hearing = Hearing::default();
        for plugin in self.asked_about(access.action) {
            let answer = if plugin.waits_for_access(access.action) {
                Arc::clone(plugin).authorize_waiting(access.into()).await
            } else {
                plugin.authorize(access)
            };
            if let Some(outcome) = hearing.heed(&**plugin, answer) {
                return outcome;
            }
        }
        self.undecided(access.action, &hearing)
    }

    fn asked_about(&self, action: Action) -> impl Iterator<Item = &Arc<dyn Plugin>> {
        self.asked(Hook::Authorize)
            .filter(move |plugin| plugin.wants_access(action))
    }

    fn undecided(&self, action: Action, hearing: &Hearing) -> AccessOutcome {
        AccessOutcome {
            decision: self.default_access(action, hearing.asked),
            cache_for: hearing.cache_for,
        }
    }

    /// A configured "deny" is about what clients ask for; a delivery follows from a subscription that was
    /// allowed.
    fn default_access(&self, action: Action, asked: bool) -> AccessDecision {
        let allow = match self.defaults.access {
            Some(allow) => allow || (action == Action::Deliver && !asked),
            None => !asked,
        };
        if allow {
            AccessDecision::Allow
        } else {
            AccessDecision::Deny(None)
        }
    }

    /// Whether plugins see any messages, at one of [`Hook::OF_MESSAGES`].
    #[inline]
    pub fn sees_messages(&self) -> bool {
        Hook::OF_MESSAGES.into_iter().any(|hook| self.has(hook))
    }

    /// At which of [`Hook::OF_MESSAGES`] plugins, shadows included, want messages of this topic. It stays the same for as long as
    /// the chain is in force.
    pub fn interest_in(&self, topic: &TopicName) -> HookSet {
        let is_wanted = |hook: &Hook| {
            let mut plugins = self.listening(*hook);
            plugins.any(|plugin| plugin.wants_topic(*hook, topic))
        };
        let hooks = Hook::OF_MESSAGES.into_iter().filter(is_wanted);
        hooks.fold(HookSet::EMPTY, HookSet::with)
    }

    /// Judges a run of messages of one connection, in order.
    pub fn on_publish(&self, run: &mut [Publication]) {
        self.on_publish_as_read(run, &[]);
    }

    /// The same, with the packets that the messages were read as; see [`Plugin::on_publish_as_read`].
    pub fn on_publish_as_read(&self, run: &mut [Publication], packets: &[u8]) {
        if !is_any_wanted(run) {
            return;
        }
        let before = self.shadow_copy(run);
        self.judge(run, packets);
        self.shadow_publish(&before, run);
    }

    fn judge(&self, run: &mut [Publication], packets: &[u8]) {
        for plugin in self.asked(Hook::OnPublish) {
            if let Some(Wanted { messages, places }) = Wanted::by(&**plugin, run) {
                let verdicts = plugin.on_publish_as_read(&messages, packets);
                debug_assert_eq!(verdicts.len(), messages.len(), "a verdict for each message");
                apply(&**plugin, run, &places, verdicts);
            }
        }
    }

    /// Whether any plugin may wait for others when it is asked about messages.
    pub fn waits_for_messages(&self) -> bool {
        self.wishes.waits_for_messages
    }

    /// The same as [`on_publish`](Self::on_publish), for a connection that can be made to wait.
    pub async fn on_publish_waiting(&self, run: &mut [Publication]) {
        if !is_any_wanted(run) {
            return;
        }
        let before = self.shadow_copy(run);
        self.judge_waiting(run).await;
        self.shadow_publish_waiting(&before, run).await;
    }

    async fn judge_waiting(&self, run: &mut [Publication]) {
        for plugin in self.asked(Hook::OnPublish) {
            let Some(Wanted { messages, places }) = Wanted::by(&**plugin, run) else {
                continue;
            };
            let verdicts = if plugin.waits_for_messages(Hook::OnPublish) {
                let messages = messages.into_iter().cloned().collect();
                Arc::clone(plugin).on_publish_waiting(messages).await
            } else {
                plugin.on_publish(&messages)
            };
            apply(&**plugin, run, &places, verdicts);
        }
    }

    /// Whether any plugin wants to route messages of this topic.
    pub fn wants_route(&self, topic: &TopicName) -> bool {
        self.has(Hook::Route)
            && self
                .listening(Hook::Route)
                .any(|plugin| plugin.wants_topic(Hook::Route, topic))
    }

    /// How the recipients of a message change.
    pub fn route(&self, message: &Message, recipients: &Recipients) -> Routing {
        let routing = self.decide_route(message, recipients);
        self.shadow_route(message, recipients, &routing);
        routing
    }

    fn decide_route(&self, message: &Message, recipients: &Recipients) -> Routing {
        let mut routing = Routing::default();
        for plugin in self.routers(&message.topic) {
            reroute(&**plugin, &mut routing, plugin.route(message, recipients));
        }
        routing
    }

    /// The same as [`route`](Self::route), for a connection that can be made to wait.
    pub async fn route_waiting(&self, message: &Message, recipients: &Recipients) -> Routing {
        let routing = self.decide_route_waiting(message, recipients).await;
        self.shadow_route_waiting(message, recipients, &routing).await;
        routing
    }

    async fn decide_route_waiting(&self, message: &Message, recipients: &Recipients) -> Routing {
        let mut routing = Routing::default();
        for plugin in self.routers(&message.topic) {
            let answer = if plugin.waits_for_messages(Hook::Route) {
                Arc::clone(plugin)
                    .route_waiting(message.clone(), recipients.clone())
                    .await
            } else {
                plugin.route(message, recipients)
            };
            reroute(&**plugin, &mut routing, answer);
        }
        routing
    }

    fn routers(&self, topic: &TopicName) -> impl Iterator<Item = &Arc<dyn Plugin>> {
        self.asked(Hook::Route)
            .filter(move |plugin| plugin.wants_topic(Hook::Route, topic))
    }

    /// Whether and how a will is published; changes are written into `message`.
    pub fn on_will(
        &self,
        client: ClientKey,
        cause: WillCause,
        delays: WillDelays,
        message: &mut Message,
    ) -> WillOutcome {
        let before = self.has_shadow(Hook::OnWill).then(|| message.clone());
        let outcome = self.decide_will(client, cause, delays, message);
        if let Some(before) = before {
            self.shadow_will((client, cause, delays), &before, message, &outcome);
        }
        outcome
    }

    fn decide_will(
        &self,
        client: ClientKey,
        cause: WillCause,
        delays: WillDelays,
        message: &mut Message,
    ) -> WillOutcome {
        for plugin in self.asked(Hook::OnWill) {
            match plugin.on_will(client, cause, delays, message) {
                Ok(WillDecision::Publish) => {}
                Ok(WillDecision::Replace(replacement)) => replacement.apply(message),
                Ok(WillDecision::Suppress) => return WillOutcome::Suppress,
                Ok(WillDecision::Delay(delay)) => return WillOutcome::Delay(delay),
                Err(_) => match plugin.on_failure(Hook::OnWill) {
                    OnFailure::Pass => {}
                    OnFailure::Deny | OnFailure::Disconnect => return WillOutcome::Suppress,
                },
            }
        }
        WillOutcome::Publish
    }

    /// Tells every plugin of the events that it wants, shadows too, all at the same time.
    pub async fn events(&self, events: &[Event]) {
        let mut told = Vec::new();
        for plugin in self.listening(Hook::Events) {
            let wanted: Vec<Event> = events
                .iter()
                .filter(|event| plugin.wants_event(event.kind.class()))
                .cloned()
                .collect();
            if !wanted.is_empty() {
                told.push(Arc::clone(plugin).events(wanted));
            }
        }
        for telling in told {
            telling.await;
        }
    }
}

/// The answers to one question about an access so far.
struct Hearing {
    cache_for: Duration,
    asked: bool,
}

impl Default for Hearing {
    fn default() -> Self {
        Self {
            cache_for: FOR_EVER,
            asked: false,
        }
    }
}

impl Hearing {
    /// Takes a plugin's answer in; `None` unless it decides.
    fn heed(&mut self, plugin: &dyn Plugin, answer: Result<AccessAnswer, Failure>) -> Option<AccessOutcome> {
        match answer {
            Ok(answer) => {
                self.asked = true;
                self.cache_for = self.cache_for.min(answer.cache_for);
                (answer.decision != AccessDecision::Next).then_some(AccessOutcome {
                    decision: answer.decision,
                    cache_for: self.cache_for,
                })
            }
            Err(_) => match plugin.on_failure(Hook::Authorize) {
                OnFailure::Pass => {
                    self.cache_for = Duration::ZERO;
                    None
                }
                OnFailure::Deny => Some(failed_access(AccessDecision::Deny(Some(POLICY_FAILED)))),
                OnFailure::Disconnect => Some(failed_access(AccessDecision::Disconnect(Some(POLICY_FAILED)))),
            },
        }
    }
}

/// Whether any plugin may want to judge any message of a run.
fn is_any_wanted(run: &[Publication]) -> bool {
    run.iter()
        .any(|publication| publication.may_be_wanted(Hook::OnPublish))
}

/// The messages of a run that a plugin wants to see.
struct Wanted<'r> {
    messages: Vec<&'r Message>,
    places: Places,
}

/// Where in a run the messages are that a plugin wants.
enum Places {
    /// All of the run.
    All,
    Some(Vec<usize>),
}

impl Places {
    /// The place in the run of the message that is at this place among those that are wanted.
    fn get(&self, at: usize) -> Option<usize> {
        match self {
            Self::All => Some(at),
            Self::Some(places) => places.get(at).copied(),
        }
    }
}

impl<'r> Wanted<'r> {
    /// `None`: none of them.
    fn by(plugin: &dyn Plugin, run: &'r [Publication]) -> Option<Self> {
        let wants_all = plugin.wants_every_topic(Hook::OnPublish);
        let all = wants_all.then(|| messages_if_all(plugin, run)).flatten();
        let wanted = if let Some(messages) = all {
            Self {
                messages,
                places: Places::All,
            }
        } else {
            let places = places_wanted(plugin, run);
            Self {
                messages: places.iter().map(|&at| &*run[at].message).collect(),
                places: Places::Some(places),
            }
        };
        (!wanted.messages.is_empty()).then_some(wanted)
    }
}

/// The messages of a run, unless one of them is none that a plugin of every topic is asked about.
fn messages_if_all<'r>(plugin: &dyn Plugin, run: &'r [Publication]) -> Option<Vec<&'r Message>> {
    let mut messages = Vec::with_capacity(run.len());
    for publication in run {
        if !publication.may_be_judged_by(plugin) {
            return None;
        }
        messages.push(&*publication.message);
    }
    Some(messages)
}

/// The places of the messages of a run that a plugin wants to see. Neighbours of one topic are asked for once.
fn places_wanted(plugin: &dyn Plugin, run: &[Publication]) -> Vec<usize> {
    let mut wanted = Vec::with_capacity(run.len());
    let mut last: Option<(&TopicName, bool)> = None;
    for (at, publication) in run.iter().enumerate() {
        if !publication.may_be_judged_by(plugin) {
            continue;
        }
        let topic = &publication.message.topic;
        let wants = match last {
            Some((other, wants)) if other == topic => wants,
            _ => plugin.wants_topic(Hook::OnPublish, topic),
        };
        last = Some((topic, wants));
        if wants {
            wanted.push(at);
        }
    }
    wanted
}

fn apply(plugin: &dyn Plugin, run: &mut [Publication], places: &Places, verdicts: Verdicts) {
    for (at, verdict) in verdicts.into_others() {
        let Some(publication) = places.get(at).and_then(|at| run.get_mut(at)) else {
            break;
        };
        match verdict {
            Ok(verdict) => publication.apply(verdict),
            Err(_) => publication.fate = failed_publish(plugin.on_failure(Hook::OnPublish)),
        }
    }
}

fn reroute(plugin: &dyn Plugin, routing: &mut Routing, answer: Result<Routing, Failure>) {
    match answer {
        Ok(next) => routing.then(next),
        Err(_) => match plugin.on_failure(Hook::Route) {
            OnFailure::Pass => {}
            OnFailure::Deny | OnFailure::Disconnect => routing.withheld = true,
        },
    }
}

const POLICY_FAILED: ByteString = ByteString::from_static("policy failed");

fn failed_access(decision: AccessDecision) -> AccessOutcome {
    AccessOutcome {
        decision,
        cache_for: Duration::ZERO,
    }
}

fn failed_publish(on_failure: OnFailure) -> Fate {
    let rejection = Box::new(Rejection {
        reason: PublishReason::ImplementationSpecific,
        text: Some(POLICY_FAILED),
    });
    match on_failure {
        OnFailure::Pass => Fate::Pass,
        OnFailure::Deny => Fate::Reject(rejection),
        OnFailure::Disconnect => Fate::Disconnect(rejection),
    }
}
