//! A plugin whose calls can be looked at.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hookwire_hooks::{Access, AccessAnswer, Action, Authentication, Call, ClientFacts, ClientKey, Credentials, DeliverDecision, EnhancedStep, Event, EventClass, Failure, Hook, HookSet, Host, Message, OnFailure, Parcel, Plugin, Recipients, Routing, SubscribeDecision, SubscribeRequest, UnsubscribeDecision, Verdict, WillCause, WillDecision, WillDelays};
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

    fn wants_access(&self, action: Action) -> bool {
        self.plugin.wants_access(action)
    }

    #[inline]
    fn wants_topic(&self, hook: Hook, topic: &TopicName) -> bool {
        self.plugin.wants_topic(hook, topic)
    }

    fn authenticate(&self, who: &Credentials) -> Result<Authentication, Failure> {
        ask!(self, self.plugin.authenticate(who), answer => Call::Authenticate { who, answer: &answer })
    }

    fn begin_authentication(
        &self,
        method: &str,
        data: Option<&[u8]>,
        who: &Credentials,
    ) -> Result<EnhancedStep, Failure> {
        ask!(self, self.plugin.begin_authentication(method, data, who), answer => Call::BeginAuthentication {
            method,
            data,
            who,
            answer: &answer,
        })
    }

    fn continue_authentication(
        &self,
        method: &str,
        data: Option<&[u8]>,
        state: &[u8],
    ) -> Result<EnhancedStep, Failure> {
        ask!(self, self.plugin.continue_authentication(method, data, state), answer => {
            Call::ContinueAuthentication {
                method,
                data,
                state,
                answer: &answer,
            }
        })
    }

    fn authorize(&self, access: &Access<'_>) -> Result<AccessAnswer, Failure> {
        ask!(self, self.plugin.authorize(access), answer => Call::Authorize { access, answer: &answer })
    }

    fn on_publish(&self, messages: &[&Message]) -> Vec<Result<Verdict, Failure>> {
        let began = self.begin();
        let answers = self.plugin.on_publish(messages);
        if let Some(began) = began {
            let calls = messages.iter().zip(&answers);
            self.tell_each(began, calls.map(|(message, answer)| Call::OnPublish { message, answer }));
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
            self.tell_each(began, calls.map(|(parcel, answer)| Call::Deliver { parcel, answer }));
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

    fn events(&self, events: &[Event]) {
        ask!(self, self.plugin.events(events), _told => Call::Events { events });
    }

    fn wants_event(&self, class: EventClass) -> bool {
        self.plugin.wants_event(class)
    }

    fn control(&self, request: &str) -> Result<Result<String, String>, Failure> {
        ask!(self, self.plugin.control(request), answer => Call::Control { request, answer: &answer })
    }

    fn figures(&self) -> Vec<(String, String)> {
        self.plugin.figures()
    }
}
