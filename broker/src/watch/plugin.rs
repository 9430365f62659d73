//! A plugin whose calls can be looked at.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use bytestring::ByteString;
use hookwire_hooks::{
    Access, AccessAnswer, Action, AskedAccess, Authentication, Call, ClientKey, Comparison, Credentials,
    DeliverDecision, EnhancedStep, Event, EventClass, Failure, Hook, HookSet, Host, Message, OnFailure,
    Parcel, Pending, Plugin, Recipients, Routing, SubscribeDecision, SubscribeRequest, UnsubscribeDecision,
    Verdicts, WillCause, WillDecision, WillDelays,
};
use hookwire_protocol::{SharedFilter, TopicName};

use super::{Asked, Happening, Watches, What};
use crate::clock;

/// Hands every question on to the plugin behind it, and tells those who look on. It stands in the chain in the plugin's
/// place, so it has to hand on every method of [`Plugin`].
pub struct WatchedPlugin {
    plugin: Arc<dyn Plugin>,
    generation: u64,
    watches: Arc<Watches>,
    /// Who clients are.
    clients: Arc<dyn Host>,
}

impl WatchedPlugin {
    /// A plugin in a policy of this generation.
    pub fn new(
        plugin: Arc<dyn Plugin>,
        generation: u64,
        watches: Arc<Watches>,
        clients: Arc<dyn Host>,
    ) -> Self {
        Self {
            plugin,
            generation,
            watches,
            clients,
        }
    }

    /// The time at which a call begins, if anybody looks on.
    #[inline]
    fn begin(&self) -> Option<Instant> {
        self.watches.is_on().then(clock::now)
    }

    fn tell(&self, took: Duration, call: &Call<'_>) {
        let facts = call.client().and_then(|key| self.clients.client(key));
        let asked = Asked {
            plugin: self.plugin.name(),
            generation: self.generation,
            is_shadow: self.plugin.is_shadow(),
            took,
            facts: facts.as_ref(),
            call,
        };
        let what = What::Asked(asked);
        let Call::Deliver { parcel, .. } = call else {
            return self.watches.tell(&Happening {
                client: asked.client_id(),
                to: None,
                topic: None,
                what,
            });
        };
        let publisher = parcel.message.source.client();
        let publisher = publisher.and_then(|key| self.clients.client(key));
        self.watches.tell(&Happening {
            client: publisher.as_ref().map(|facts| &*facts.client_id),
            to: asked.client_id(),
            topic: None,
            what,
        });
    }

    /// Tells of each question of one call that had several.
    fn tell_each<'a>(&self, began: Instant, calls: impl ExactSizeIterator<Item = Call<'a>>) {
        let share = began.elapsed() / u32::try_from(calls.len().max(1)).unwrap_or(u32::MAX);
        calls.for_each(|call| self.tell(share, &call));
    }
}

impl std::fmt::Debug for WatchedPlugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WatchedPlugin")
            .field("plugin", &self.plugin.name())
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

/// Asks, and tells those who look on what was answered.
macro_rules! ask {
    ($self:ident, $ask:expr, $answer:ident => $call:expr) => {{
        let began = $self.begin();
        let $answer = $ask;
        if let Some(began) = began {
            $self.tell(began.elapsed(), &$call);
        }
        $answer
    }};
}

/// Waits for an answer and tells those who look on, if there are any when it is asked for.
macro_rules! await_and_tell {
    ($self:ident, $pending:expr, $answer:ident => $call:expr) => {{
        let Some(began) = $self.begin() else {
            return $pending;
        };
        let pending = $pending;
        Box::pin(async move {
            let $answer = pending.await;
            $self.tell(began.elapsed(), &$call);
            $answer
        })
    }};
}

impl Plugin for WatchedPlugin {
    fn name(&self) -> &str {
        self.plugin.name()
    }

    fn hooks(&self) -> HookSet {
        self.plugin.hooks()
    }

    fn on_failure(&self, hook: Hook) -> OnFailure {
        self.plugin.on_failure(hook)
    }

    fn is_shadow(&self) -> bool {
        self.plugin.is_shadow()
    }

    fn compared(&self, hook: Hook, comparison: Comparison) {
        self.plugin.compared(hook, comparison);
    }

    fn wants_access(&self, action: Action) -> bool {
        self.plugin.wants_access(action)
    }

    #[inline]
    fn wants_topic(&self, hook: Hook, topic: &TopicName) -> bool {
        self.plugin.wants_topic(hook, topic)
    }

    fn wants_every_topic(&self, hook: Hook) -> bool {
        self.plugin.wants_every_topic(hook)
    }

    fn authenticate(self: Arc<Self>, who: Arc<Credentials>) -> Pending<Result<Authentication, Failure>> {
        let asked = Arc::clone(&who);
        let answer = Arc::clone(&self.plugin).authenticate(who);
        await_and_tell!(self, answer, answer => Call::Authenticate { who: &asked, answer: &answer })
    }

    fn begin_authentication(
        self: Arc<Self>,
        method: ByteString,
        data: Option<Bytes>,
        who: Arc<Credentials>,
    ) -> Pending<Result<EnhancedStep, Failure>> {
        let asked = (method.clone(), data.clone(), Arc::clone(&who));
        let answer = Arc::clone(&self.plugin).begin_authentication(method, data, who);
        await_and_tell!(self, answer, answer => Call::BeginAuthentication {
            method: &asked.0,
            data: asked.1.as_deref(),
            who: &asked.2,
            answer: &answer,
        })
    }

    fn continue_authentication(
        self: Arc<Self>,
        method: ByteString,
        data: Option<Bytes>,
        state: Vec<u8>,
    ) -> Pending<Result<EnhancedStep, Failure>> {
        let asked = (method.clone(), data.clone(), state.clone());
        let answer = Arc::clone(&self.plugin).continue_authentication(method, data, state);
        await_and_tell!(self, answer, answer => Call::ContinueAuthentication {
            method: &asked.0,
            data: asked.1.as_deref(),
            state: &asked.2,
            answer: &answer,
        })
    }

    fn authorize(&self, access: &Access<'_>) -> Result<AccessAnswer, Failure> {
        ask!(self, self.plugin.authorize(access), answer => Call::Authorize { access, answer: &answer })
    }

    fn on_publish(&self, messages: &[&Message]) -> Verdicts {
        self.on_publish_as_read(messages, &[])
    }

    fn on_publish_as_read(&self, messages: &[&Message], packets: &[u8]) -> Verdicts {
        let began = self.begin();
        let answers = self.plugin.on_publish_as_read(messages, packets);
        if let Some(began) = began {
            let calls = messages.iter().zip(answers.iter());
            self.tell_each(
                began,
                calls.map(|(message, answer)| Call::OnPublish { message, answer }),
            );
        }
        answers
    }

    fn route(&self, message: &Message, recipients: &Recipients) -> Result<Routing, Failure> {
        ask!(self, self.plugin.route(message, recipients), answer => Call::Route {
            message,
            recipients,
            answer: &answer,
        })
    }

    fn on_subscribe(
        &self,
        client: ClientKey,
        request: &SubscribeRequest,
    ) -> Result<SubscribeDecision, Failure> {
        ask!(self, self.plugin.on_subscribe(client, request), answer => Call::OnSubscribe {
            client,
            request,
            answer: &answer,
        })
    }

    fn on_unsubscribe(
        &self,
        client: ClientKey,
        filter: &SharedFilter,
    ) -> Result<UnsubscribeDecision, Failure> {
        ask!(self, self.plugin.on_unsubscribe(client, filter), answer => Call::OnUnsubscribe {
            client,
            filter,
            answer: &answer,
        })
    }

    fn deliver(&self, parcels: &[&Parcel]) -> Vec<Result<DeliverDecision, Failure>> {
        let began = self.begin();
        let answers = self.plugin.deliver(parcels);
        if let Some(began) = began {
            let calls = parcels.iter().zip(&answers);
            self.tell_each(
                began,
                calls.map(|(parcel, answer)| Call::Deliver { parcel, answer }),
            );
        }
        answers
    }

    fn on_will(
        &self,
        client: ClientKey,
        cause: WillCause,
        delays: WillDelays,
        message: &Message,
    ) -> Result<WillDecision, Failure> {
        ask!(self, self.plugin.on_will(client, cause, delays, message), answer => Call::OnWill {
            client,
            cause,
            delays,
            message,
            answer: &answer,
        })
    }

    fn events(self: Arc<Self>, events: Vec<Event>) -> Pending<()> {
        let Some(began) = self.begin() else {
            return Arc::clone(&self.plugin).events(events);
        };
        let told = Arc::clone(&self.plugin).events(events.clone());
        Box::pin(async move {
            told.await;
            self.tell(began.elapsed(), &Call::Events { events: &events });
        })
    }

    fn wants_event(&self, class: EventClass) -> bool {
        self.plugin.wants_event(class)
    }

    fn waits_for_access(&self, action: Action) -> bool {
        self.plugin.waits_for_access(action)
    }

    fn waits_for_messages(&self, hook: Hook) -> bool {
        self.plugin.waits_for_messages(hook)
    }

    fn authorize_waiting(self: Arc<Self>, access: AskedAccess) -> Pending<Result<AccessAnswer, Failure>> {
        let asked = access.clone();
        let answer = Arc::clone(&self.plugin).authorize_waiting(access);
        await_and_tell!(self, answer, answer => Call::Authorize {
            access: &asked.as_access(),
            answer: &answer,
        })
    }

    fn on_publish_waiting(self: Arc<Self>, messages: Vec<Message>) -> Pending<Verdicts> {
        let Some(began) = self.begin() else {
            return Arc::clone(&self.plugin).on_publish_waiting(messages);
        };
        let answers = Arc::clone(&self.plugin).on_publish_waiting(messages.clone());
        Box::pin(async move {
            let answers = answers.await;
            let calls = messages.iter().zip(answers.iter());
            self.tell_each(
                began,
                calls.map(|(message, answer)| Call::OnPublish { message, answer }),
            );
            answers
        })
    }

    fn route_waiting(
        self: Arc<Self>,
        message: Message,
        recipients: Recipients,
    ) -> Pending<Result<Routing, Failure>> {
        let Some(began) = self.begin() else {
            return Arc::clone(&self.plugin).route_waiting(message, recipients);
        };
        let answer = Arc::clone(&self.plugin).route_waiting(message.clone(), recipients.clone());
        Box::pin(async move {
            let answer = answer.await;
            let call = Call::Route {
                message: &message,
                recipients: &recipients,
                answer: &answer,
            };
            self.tell(began.elapsed(), &call);
            answer
        })
    }

    fn control(self: Arc<Self>, request: String) -> Pending<Result<Result<String, String>, Failure>> {
        let asked = request.clone();
        let answer = Arc::clone(&self.plugin).control(request);
        await_and_tell!(self, answer, answer => Call::Control {
            request: &asked,
            answer: &answer,
        })
    }

    fn figures(&self) -> Vec<(String, String)> {
        self.plugin.figures()
    }
}
