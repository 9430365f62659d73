//! A policy of closures, for what the chain makes of answers.

use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use hookwire_hooks::{
    Access, AccessAnswer, AccessDecision, Action, Authentication, ClientKey, Comparison, Credentials,
    DeliverDecision, EnhancedStep, Event, EventClass, Failure, FailureKind, Hook, HookSet, Message,
    OnFailure, Parcel, Pending, Plugin, Recipients, Routing, SubscribeDecision, SubscribeRequest,
    UnsubscribeDecision, Verdict, Verdicts, WillCause, WillDecision, WillDelays,
};
use hookwire_protocol::{SharedFilter, TopicName};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::spawn_blocking;

type Ask<Q, A> = Option<Box<dyn Fn(Q) -> Result<A, Failure> + Send + Sync>>;

/// The client's data of one round of enhanced authentication, and the state of the exchange so far.
pub(super) type Round = (Option<Vec<u8>>, Option<Vec<u8>>);

/// What a shadow is told about its answers.
pub(super) type Compared = Arc<Mutex<Vec<(Hook, Comparison)>>>;

/// Holds up what comes to it, once.
#[derive(Debug, Default)]
pub(super) struct Gate {
    pub(super) is_reached: Notify,
    pub(super) is_open: Notify,
}

#[derive(Default)]
pub(super) struct Policy {
    pub(super) name: &'static str,
    /// How the topics of messages begin that it wants to see; of all but `unwatched/` if it does not say.
    pub(super) topics: Option<&'static str>,
    pub(super) authenticate: Ask<Credentials, Authentication>,
    /// Data of the client, and the state; none at the begin.
    pub(super) exchange: Ask<Round, EnhancedStep>,
    pub(super) authorize: Ask<(Action, String), AccessDecision>,
    /// Whether what `authorize` answers is asked again each time.
    pub(super) forgets: bool,
    /// Whether `authorize` is asked about deliveries too.
    pub(super) asks_deliver: bool,
    pub(super) on_publish: Ask<Message, Verdict>,
    /// Of each run: how many of its messages were pieces of the packets that came with it.
    pub(super) pieces: Option<Pieces>,
    /// Where whoever publishes has to wait.
    pub(super) gate: Option<Arc<Gate>>,
    pub(super) route: Ask<(Message, Recipients), Routing>,
    pub(super) on_subscribe: Ask<SubscribeRequest, SubscribeDecision>,
    pub(super) on_unsubscribe: Ask<SharedFilter, UnsubscribeDecision>,
    pub(super) deliver: Ask<Parcel, DeliverDecision>,
    pub(super) on_will: Ask<(WillCause, WillDelays), WillDecision>,
    pub(super) events: Option<Arc<Mutex<Vec<Event>>>>,
    pub(super) on_failure: Option<OnFailure>,
    /// What came of its answers, if it is a shadow.
    pub(super) shadow: Option<Compared>,
}

/// How many messages of each run were shown where they had been read.
pub(crate) type Pieces = Arc<Mutex<Vec<usize>>>;

/// A plugin that lets messages pass, and looks where they are.
pub(crate) fn locating(pieces: Pieces) -> Arc<dyn Plugin> {
    Arc::new(Policy {
        name: "locator",
        on_publish: Some(Box::new(|_| Ok(Verdict::Pass))),
        pieces: Some(pieces),
        ..Policy::default()
    })
}

/// A plugin that judges messages.
pub(crate) fn judging(
    name: &'static str,
    judge: impl Fn(Message) -> Result<Verdict, Failure> + Send + Sync + 'static,
) -> Arc<dyn Plugin> {
    Arc::new(Policy {
        name,
        on_publish: Some(Box::new(judge)),
        ..Policy::default()
    })
}

pub(crate) fn failure() -> Failure {
    Failure {
        kind: FailureKind::Trap,
        detail: "for the test".into(),
    }
}

impl Policy {
    /// On a thread of its own, where it may block.
    fn step(self: Arc<Self>, round: Round) -> Pending<Result<EnhancedStep, Failure>> {
        let step = move || self.exchange.as_ref().expect("asked only if implemented")(round);
        Box::pin(async move { spawn_blocking(step).await.expect("the test's policy works") })
    }
}

impl Plugin for Policy {
    fn name(&self) -> &str {
        self.name
    }

    fn hooks(&self) -> HookSet {
        let has = [
            (Hook::Authenticate, self.authenticate.is_some()),
            (Hook::AuthenticateEnhanced, self.exchange.is_some()),
            (Hook::Authorize, self.authorize.is_some()),
            (Hook::OnSubscribe, self.on_subscribe.is_some()),
            (Hook::OnUnsubscribe, self.on_unsubscribe.is_some()),
            (Hook::OnPublish, self.on_publish.is_some()),
            (Hook::Route, self.route.is_some()),
            (Hook::Deliver, self.deliver.is_some()),
            (Hook::OnWill, self.on_will.is_some()),
            (Hook::Events, self.events.is_some()),
        ];
        has.into_iter()
            .filter(|(_, has)| *has)
            .fold(HookSet::EMPTY, |set, (hook, _)| set.with(hook))
    }

    fn on_failure(&self, hook: Hook) -> OnFailure {
        self.on_failure.unwrap_or_else(|| hook.default_on_failure())
    }

    fn is_shadow(&self) -> bool {
        self.shadow.is_some()
    }

    fn compared(&self, hook: Hook, comparison: Comparison) {
        let shadow = self.shadow.as_ref().expect("only shadows are compared");
        shadow.lock().push((hook, comparison));
    }

    fn wants_access(&self, action: Action) -> bool {
        action != Action::Deliver || self.asks_deliver
    }

    fn wants_topic(&self, _: Hook, topic: &TopicName) -> bool {
        match self.topics {
            Some(start) => topic.as_str().starts_with(start),
            None => !topic.as_str().starts_with("unwatched/"),
        }
    }

    fn authenticate(self: Arc<Self>, who: Arc<Credentials>) -> Pending<Result<Authentication, Failure>> {
        Box::pin(async move {
            self.authenticate.as_ref().expect("asked only if implemented")(Credentials::clone(&who))
        })
    }

    fn begin_authentication(
        self: Arc<Self>,
        _: ByteString,
        data: Option<Bytes>,
        _: Arc<Credentials>,
    ) -> Pending<Result<EnhancedStep, Failure>> {
        self.step((data.map(Vec::from), None))
    }

    fn continue_authentication(
        self: Arc<Self>,
        _: ByteString,
        data: Option<Bytes>,
        state: Vec<u8>,
    ) -> Pending<Result<EnhancedStep, Failure>> {
        self.step((data.map(Vec::from), Some(state)))
    }

    fn authorize(&self, access: &Access<'_>) -> Result<AccessAnswer, Failure> {
        let decide = self.authorize.as_ref().expect("asked only if implemented");
        let decision = decide((access.action, access.topic.to_owned()))?;
        Ok(AccessAnswer {
            decision,
            cache_for: if self.forgets {
                Duration::ZERO
            } else {
                Duration::from_secs(60)
            },
        })
    }

    fn waits_for_messages(&self, _: Hook) -> bool {
        self.gate.is_some()
    }

    fn on_publish_waiting(self: Arc<Self>, messages: Vec<Message>) -> Pending<Verdicts> {
        Box::pin(async move {
            if let Some(gate) = &self.gate {
                gate.is_reached.notify_one();
                gate.is_open.notified().await;
            }
            self.on_publish(&messages.iter().collect::<Vec<_>>())
        })
    }

    fn on_publish_as_read(&self, messages: &[&Message], packets: &[u8]) -> Verdicts {
        if let Some(pieces) = &self.pieces {
            let packets = packets.as_ptr_range();
            let is_piece = |message: &&&Message| packets.contains(&message.topic.as_str().as_ptr());
            pieces.lock().push(messages.iter().filter(is_piece).count());
        }
        self.on_publish(messages)
    }

    fn on_publish(&self, messages: &[&Message]) -> Verdicts {
        let judge = self.on_publish.as_ref().expect("asked only if implemented");
        messages
            .iter()
            .map(|message| judge(Message::clone(message)))
            .collect()
    }

    fn route(&self, message: &Message, recipients: &Recipients) -> Result<Routing, Failure> {
        self.route.as_ref().expect("asked only if implemented")((message.clone(), recipients.clone()))
    }

    fn on_subscribe(&self, _: ClientKey, request: &SubscribeRequest) -> Result<SubscribeDecision, Failure> {
        self.on_subscribe.as_ref().expect("asked only if implemented")(request.clone())
    }

    fn on_unsubscribe(&self, _: ClientKey, filter: &SharedFilter) -> Result<UnsubscribeDecision, Failure> {
        self.on_unsubscribe.as_ref().expect("asked only if implemented")(filter.clone())
    }

    fn deliver(&self, parcels: &[&Parcel]) -> Vec<Result<DeliverDecision, Failure>> {
        let judge = self.deliver.as_ref().expect("asked only if implemented");
        parcels
            .iter()
            .map(|parcel| judge(Parcel::clone(parcel)))
            .collect()
    }

    fn on_will(
        &self,
        _: ClientKey,
        cause: WillCause,
        delays: WillDelays,
        _: &Message,
    ) -> Result<WillDecision, Failure> {
        self.on_will.as_ref().expect("asked only if implemented")((cause, delays))
    }

    fn events(self: Arc<Self>, events: Vec<Event>) -> Pending<()> {
        let heard = self.events.as_ref().expect("asked only if implemented");
        heard.lock().extend(events);
        Box::pin(ready(()))
    }

    fn wants_event(&self, _: EventClass) -> bool {
        true
    }
}
