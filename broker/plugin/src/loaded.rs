//! A plugin in force.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::{Duration, Instant};

use bytes::Bytes;
use bytestring::ByteString;
use hookwire_hooks::{
    Access, AccessAnswer, Action, AskedAccess, Authentication, ClientKey, Comparison, Credentials,
    DeliverDecision, EnhancedStep, Event, EventClass, Failure, FailureKind, Hook, HookSet, Message,
    OnFailure, Parcel, Pending, Plugin, Recipients, Routing, SubscribeDecision, SubscribeRequest,
    UnsubscribeDecision, Verdict, Verdicts, WillCause, WillDecision, WillDelays,
};
use hookwire_protocol::{SharedFilter, TopicName};
use tracing::Level;
use wasmtime::component::Component;

use crate::breaker::{Breaker, Change};
use crate::comparisons::Comparisons;
use crate::deliveries::Deliveries;
use crate::guest::Budget;
use crate::hook::batch::BatchFailure;
use crate::hook::lifecycle::{Interests, MessageInterest, matches_any};
use crate::hook::{
    authenticate, authenticate_enhanced, authorize, control, events, lifecycle, on_publish, on_subscribe,
    on_unsubscribe, on_will, route,
};
use crate::housekeeping::{Housekeeper, Retired};
use crate::instance::{Instance, at_once};
use crate::pool::Pool;
use crate::publish_frame::{self, PublishFrame};
use crate::run::RunLength;
use crate::services::Services;
use crate::stats::{HookCounters, HookStats, VerdictIndex};
use crate::{InstanceStats, Mode, PluginSpec, PluginState, PluginStats, clock, digest, frame_buffer};

/// A message with a payload of this size that is the first of a run is asked about by itself where that is possible, if the run is not at
/// hand as it was read: the payload is copied once then, into the guest, and not to other pieces before; the call is little beside that.
const BY_ITSELF_MIN: usize = 8 << 10;

/// A plugin that is loaded, configured and healthy. It is asked through [`Plugin`], from any number of threads.
///
/// When the last reference goes away its instances are told to stop, on a thread of the host.
pub struct LoadedPlugin {
    pub(crate) spec: PluginSpec,
    /// Compiled; shared with other plugins that are made of the same bytes.
    pub(crate) component: Component,
    pub(crate) digest: [u8; 32],
    pub(crate) hooks: HookSet,
    /// Exports `on-publish`.
    pub(crate) typed: bool,
    /// Exports `on-publish-batch`.
    pub(crate) batch: bool,
    /// Imports functions that wait.
    pub(crate) waits: bool,
    pub(crate) interests: Interests,
    /// For calls that keep their thread.
    pub(crate) quick_pool: Arc<Pool>,
    /// For calls that may take long; may be the same.
    pub(crate) slow_pool: Arc<Pool>,
    /// A tick is not over yet.
    pub(crate) is_ticking: AtomicBool,
    pub(crate) run_length: RunLength,
    pub(crate) deliveries: Deliveries,
    pub(crate) services: Arc<Services>,
    pub(crate) housekeeper: Arc<Housekeeper>,
    /// One for each hook, in the order of [`Hook::ALL`].
    pub(crate) breakers: [Breaker; Hook::ALL.len()],
    pub(crate) comparisons: Comparisons,
    /// As its component tells it.
    pub(crate) version: Option<String>,
    /// What it stands in for, where it is not what the configuration describes.
    pub(crate) degraded: Option<String>,
    pub(crate) generation: AtomicU64,
}

impl LoadedPlugin {
    /// What it stands in for, and why, where it is not what the configuration describes.
    pub fn degraded(&self) -> Option<&str> {
        self.degraded.as_deref()
    }

    /// Notes the generation of the policy that it comes into force with; a later one changes nothing.
    pub fn came_into_force(&self, generation: u64) {
        let _ = self.generation.compare_exchange(0, generation, Relaxed, Relaxed);
    }

    /// How it is.
    pub fn state(&self) -> PluginState {
        if self.degraded.is_some() {
            PluginState::Degraded
        } else if self.hooks.iter().any(|hook| !self.breaker(hook).is_closed()) {
            PluginState::CircuitOpen
        } else if self.spec.mode == Mode::Shadow {
            PluginState::Shadow
        } else {
            PluginState::Active
        }
    }

    fn hook_stats(&self, hook: Hook) -> HookStats {
        let breaker = self.breaker(hook);
        HookStats {
            circuit: breaker.state(),
            circuit_opened: breaker.opened(),
            shadow: (self.spec.mode == Mode::Shadow).then(|| self.comparisons.read(hook)),
            ..self.services.counters.hook_stats(hook)
        }
    }

    /// The sha256 of its component.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// As the configuration describes it.
    pub fn spec(&self) -> &PluginSpec {
        &self.spec
    }

    /// What it did so far.
    pub fn stats(&self) -> PluginStats {
        let counters = &self.services.counters;
        let (kv_entries, kv_bytes) = self.services.lasting.kv.size();
        PluginStats {
            name: self.spec.name.clone(),
            state: self.state(),
            degraded: self.degraded.clone(),
            sha256: digest::hex(&self.digest),
            version: self.version.clone(),
            generation: self.generation.load(Relaxed),
            hooks: self.hooks.iter().map(|hook| self.hook_stats(hook)).collect(),
            instances: self.instance_stats(),
            batch: self.batch,
            batch_retries: counters.batch_retries.load(Relaxed),
            publishes: counters.publishes.load(Relaxed),
            publishes_dropped: counters.publishes_dropped.load(Relaxed),
            log_lines_suppressed: self.services.journal.suppressed(),
            ticks: counters.ticks.load(Relaxed),
            tick_failures: counters.tick_failures.load(Relaxed),
            kv_entries,
            kv_bytes,
            http: counters.http.read(),
            rate_limit_keys: self.services.lasting.buckets.len(),
            last_error: counters.last_error(),
            metrics: self.services.lasting.metrics.all(),
        }
    }

    fn instance_stats(&self) -> InstanceStats {
        let (quick, slow) = (self.quick_pool.stats(), self.slow_pool.stats());
        if Arc::ptr_eq(&self.quick_pool, &self.slow_pool) {
            return quick;
        }
        InstanceStats {
            live: quick.live + slow.live,
            created: quick.created + slow.created,
            discarded: quick.discarded + slow.discarded,
            memory_bytes_peak: quick.memory_bytes_peak.max(slow.memory_bytes_peak),
        }
    }

    /// Takes the idle instances away, so that the next question is put to a new one: for tests, which show by it that
    /// a plugin keeps nothing in an instance that it needs.
    pub fn renew(&self) {
        drop(self.retire());
    }

    fn retire(&self) -> Vec<Instance> {
        let mut instances = self.quick_pool.retire();
        instances.extend(self.slow_pool.retire());
        instances
    }

    /// The value that the plugin stored for a key.
    pub fn stored(&self, key: &str) -> Option<Vec<u8>> {
        self.services.lasting.kv.get(key, self.services.now())
    }

    /// Begins a tick: `tick`, then `health`. One that comes while the last is not over is left out.
    pub(crate) fn tick(self: &Arc<Self>) {
        if self.is_ticking.swap(true, Acquire) {
            return;
        }
        self.services.counters.ticks.fetch_add(1, Relaxed);
        let plugin = Arc::clone(self);
        let task = async move {
            if let Err(trouble) = plugin.round().await {
                plugin.tick_failed(trouble);
            }
            plugin.is_ticking.store(false, Release);
        };
        drop(self.services.foundation.executor.spawn(task));
    }

    /// Ticks once, whatever the plugin wants, and counts nothing: for tests. An error says what brought what.
    pub fn try_tick(self: Arc<Self>) -> Pending<Result<(), String>> {
        let plugin = Arc::clone(&self);
        let round = self
            .services
            .foundation
            .executor
            .spawn(async move { plugin.round().await });
        Box::pin(async move {
            match round {
                Some(round) => round.await.unwrap_or_else(|error| Err(error.to_string())),
                None => Err("the host ends".to_owned()),
            }
        })
    }

    async fn round(&self) -> Result<(), String> {
        let budget = self.slow();
        let lent = self.lend().await;
        let (healthy, published) = self
            .put_waiting(lent, budget, |instance| Box::pin(visit(instance, budget)))
            .await;
        self.services.publish(published);
        match healthy {
            Ok(Ok(())) => Ok(()),
            Ok(Err(complaint)) => Err(format!("health: {complaint}")),
            Err(failure) => Err(format!("tick: {failure}")),
        }
    }

    fn tick_failed(&self, trouble: String) {
        let counters = &self.services.counters;
        counters.tick_failures.fetch_add(1, Relaxed);
        self.services
            .incidents
            .write(Level::ERROR, &trouble, clock::now());
        counters.error(trouble);
    }

    /// Of a call that keeps its thread.
    pub(crate) fn quick(&self) -> Budget {
        Budget::new(self.spec.deadline)
    }

    /// Of a call that may take long.
    fn slow(&self) -> Budget {
        Budget::slow(self.spec.deadline_slow).waiting()
    }

    fn wait(&self, budget: Budget) -> Duration {
        budget.deadline.max(self.services.limits().instance_wait)
    }

    /// Puts a question to some instance. What the plugin published with a good answer is handed over.
    pub(crate) fn ask<A, E: From<Failure>>(
        &self,
        hook: Hook,
        budget: Budget,
        question: impl FnOnce(&mut Instance) -> Result<A, E>,
    ) -> Result<A, E> {
        let asked_at = clock::now();
        self.admits(hook, asked_at)?;
        let mut waited = None;
        let answer = self.quick_pool.with(self.wait(budget), |instance| {
            waited = Some(instance.take_waited_for());
            let answer = question(instance)?;
            instance.publish();
            Ok(answer)
        });
        // None: there was no instance, and so no call.
        if let Some(waited) = waited {
            let ended_at = clock::now();
            let ran = (ended_at - asked_at).saturating_sub(waited);
            self.counters(hook).call(waited, ran);
            self.called(hook, answer.is_ok(), ended_at);
        }
        answer
    }

    pub(crate) fn breaker(&self, hook: Hook) -> &Breaker {
        &self.breakers[hook as usize]
    }

    /// Whether the plugin may be called at all.
    pub(crate) fn admits(&self, hook: Hook, now: Instant) -> Result<(), Failure> {
        if self.breaker(hook).admits(now) {
            return Ok(());
        }
        Err(Failure {
            kind: FailureKind::CircuitOpen,
            detail: "it failed too often and is not asked for a while".into(),
        })
    }

    /// A call is over. What failed is told by [`failed`](Self::failed), which knows how many questions that were.
    pub(crate) fn called(&self, hook: Hook, is_answered: bool, now: Instant) {
        if is_answered && let Some(change) = self.breaker(hook).succeeded(now) {
            self.circuit_changed(hook, change);
        }
    }

    fn circuit_changed(&self, hook: Hook, change: Change) {
        let hook = hook.as_str();
        let (level, line) = match change {
            Change::Opened(time) => (
                Level::ERROR,
                format!("{hook} fails too often: it is not asked for {time:?}, its failure verdict holds"),
            ),
            Change::Closed => (Level::INFO, format!("{hook} works again: it is asked")),
        };
        self.services.incidents.announce(level, &line);
    }

    /// Counts one question and what came of it.
    pub(crate) fn counted<A>(
        &self,
        hook: Hook,
        answer: Result<A, Failure>,
        index: impl FnOnce(&A) -> VerdictIndex,
    ) -> Result<A, Failure> {
        self.counters(hook).messages(1);
        match &answer {
            Ok(answer) => self.counters(hook).verdict(index(answer)),
            Err(failure) => self.failed(hook, failure, 1),
        }
        answer
    }

    pub(crate) fn counters(&self, hook: Hook) -> &HookCounters {
        self.services.counters.hook(hook)
    }

    pub(crate) fn failed(&self, hook: Hook, failure: &Failure, questions: usize) {
        self.services.counters.failure(hook, failure, questions);
        // That it is not asked was said when its circuit opened.
        if failure.kind == FailureKind::CircuitOpen {
            return;
        }
        let now = clock::now();
        let line = format!("{} failed: {failure}", hook.as_str());
        self.services.incidents.write(Level::ERROR, &line, now);
        // That others had to wait for long is no fault of the plugin's.
        if failure.kind == FailureKind::NoInstance {
            return;
        }
        let asked = self.counters(hook).asked();
        if let Some(change) = self.breaker(hook).failed(now, questions as u64, asked) {
            self.circuit_changed(hook, change);
        }
    }

    /// Which messages it wants at a hook; none where it has no hook that messages meet.
    fn interest(&self, hook: Hook) -> Option<&MessageInterest> {
        let interest = match hook {
            Hook::OnPublish => &self.interests.on_publish,
            Hook::Route => &self.interests.route,
            Hook::Deliver => &self.interests.deliver,
            Hook::Authenticate
            | Hook::AuthenticateEnhanced
            | Hook::Authorize
            | Hook::OnSubscribe
            | Hook::OnUnsubscribe
            | Hook::OnWill
            | Hook::Events
            | Hook::Control => return None,
        };
        self.hooks.contains(hook).then_some(interest)
    }

    /// How many messages may go into one call.
    fn run_len_max(&self) -> usize {
        // A circuit that is not closed lets one call through: better one of one message, whose failure is its own.
        if self.batch && self.breaker(Hook::OnPublish).is_closed() {
            self.run_length.max()
        } else {
            1
        }
    }

    /// One verdict for each of some messages from the front, in one call if possible. `packets` is what they were read as.
    fn judge(&self, messages: &[&Message], packets: &[u8], verdicts: &mut Verdicts) {
        let messages = &messages[..messages.len().min(self.run_len_max())];
        let shown = self.interests.on_publish.shown;
        if let [message] = messages {
            return verdicts.push(self.judge_one(message));
        }
        let bytes_max = self.services.limits().batch_bytes_max;
        frame_buffer::lend(|room| {
            if let Some(frame) = publish_frame::as_read(messages, packets, shown, bytes_max, room) {
                return self.judge_frame(messages, frame, verdicts);
            }
            if self.typed && shown.payload(messages[0]).len() >= BY_ITSELF_MIN {
                return verdicts.push(self.judge_one(messages[0]));
            }
            let frame = publish_frame::of_pieces(messages, shown, bytes_max, room);
            self.judge_frame(messages, frame, verdicts);
        });
    }

    /// One verdict for each message of a frame, which are as many of `messages` from the front.
    fn judge_frame(&self, messages: &[&Message], frame: PublishFrame<'_>, verdicts: &mut Verdicts) {
        match &messages[..frame.len()] {
            [message] => verdicts.push(self.judge_one(message)),
            run => self.judge_run(run, frame, verdicts),
        }
    }

    /// One verdict for each message of a run, whose frame is `frame`.
    fn judge_run(&self, run: &[&Message], frame: PublishFrame<'_>, verdicts: &mut Verdicts) {
        self.counters(Hook::OnPublish).batch(run.len());
        match self.ask_batch(frame) {
            Ok(answers) => {
                self.run_length.in_time(run.len());
                self.counters(Hook::OnPublish).messages(run.len());
                let others = answers.others().iter();
                let answered = others.filter_map(|(_, answer)| answer.as_ref().ok());
                self.counters(Hook::OnPublish).verdicts_beside(
                    on_publish::index(&Verdict::Pass),
                    answers.len() - answers.others().len(),
                    answered.map(on_publish::index),
                );
                verdicts.append(answers);
            }
            Err(BatchFailure {
                failure,
                of_one_message: true,
            }) => {
                if matches!(failure.kind, FailureKind::Deadline | FailureKind::Memory) {
                    self.run_length.overran(run.len());
                }
                self.retry_one_by_one("on-publish-batch", &failure);
                verdicts.extend(run.iter().map(|message| self.judge_one(message)));
            }
            Err(BatchFailure {
                failure,
                of_one_message: false,
            }) => {
                self.counters(Hook::OnPublish).messages(run.len());
                self.failed(Hook::OnPublish, &failure, run.len());
                verdicts.extend(run.iter().map(|_| Err(failure.clone())));
            }
        }
    }

    /// A batch has failed, and its messages are to be judged each by itself.
    pub(crate) fn retry_one_by_one(&self, interface: &str, failure: &Failure) {
        let counters = &self.services.counters;
        counters.batch_retries.fetch_add(1, Relaxed);
        counters.error(format!("{interface}: {failure}"));
    }

    fn judge_one(&self, message: &Message) -> Result<Verdict, Failure> {
        let verdict = if self.typed {
            let shown = self.interests.on_publish.shown;
            let budget = self.quick();
            self.ask(Hook::OnPublish, budget, |instance| {
                at_once(on_publish::ask(instance, budget, message, shown))
            })
        } else {
            frame_buffer::lend(|room| only_one(self.ask_batch(self.frame_of_one(message, room))))
        };
        self.counted(Hook::OnPublish, verdict, on_publish::index)
    }

    /// As [`judge_one`](Self::judge_one), of a plugin that may wait.
    fn judge_waiting(self: &Arc<Self>, message: Message) -> Pending<Result<Verdict, Failure>> {
        let (budget, shown) = (self.slow(), self.interests.on_publish.shown);
        let plugin = Arc::clone(self);
        self.ask_waiting(
            Hook::OnPublish,
            budget,
            move |instance| {
                Box::pin(async move {
                    if plugin.typed {
                        return on_publish::ask(instance, budget, &message, shown).await;
                    }
                    let mut room = Vec::new();
                    let frame = plugin.frame_of_one(&message, &mut room);
                    only_one(on_publish::ask_batch(instance, budget, frame).await)
                })
            },
            |plugin, answer| plugin.counted(Hook::OnPublish, answer, on_publish::index),
        )
    }

    fn frame_of_one<'a>(&self, message: &Message, room: &'a mut Vec<u8>) -> PublishFrame<'a> {
        publish_frame::of_pieces(&[message], self.interests.on_publish.shown, usize::MAX, room)
    }

    fn ask_batch(&self, frame: PublishFrame<'_>) -> Result<Verdicts, BatchFailure> {
        let budget = self.quick();
        self.ask(Hook::OnPublish, budget, |instance| {
            at_once(on_publish::ask_batch(instance, budget, frame))
        })
    }
}

/// The verdict of a batch of one message.
fn only_one(verdicts: Result<Verdicts, BatchFailure>) -> Result<Verdict, Failure> {
    let mut verdicts = verdicts.map_err(|batch| batch.failure)?;
    verdicts.pop().unwrap_or_else(|| {
        Err(Failure {
            kind: FailureKind::InvalidAnswer,
            detail: "no verdict".into(),
        })
    })
}

/// One round of `tick` and `health`.
async fn visit(instance: &mut Instance, budget: Budget) -> Result<Result<(), String>, Failure> {
    lifecycle::tick(instance, budget).await?;
    instance.publish();
    lifecycle::health(instance, budget).await
}

impl Plugin for LoadedPlugin {
    fn name(&self) -> &str {
        &self.spec.name
    }

    fn hooks(&self) -> HookSet {
        self.hooks
    }

    fn on_failure(&self, hook: Hook) -> OnFailure {
        self.spec.on_failure.of(hook)
    }

    fn is_shadow(&self) -> bool {
        self.spec.mode == Mode::Shadow
    }

    fn compared(&self, hook: Hook, comparison: Comparison) {
        self.comparisons.count(hook, comparison);
    }

    fn wants_access(&self, action: Action) -> bool {
        self.hooks.contains(Hook::Authorize) && self.interests.access.wants(action)
    }

    /// What the plugin asked for and what the operator leaves it: both must want the topic.
    fn wants_topic(&self, hook: Hook, topic: &TopicName) -> bool {
        let interest = self.interest(hook);
        interest.is_some_and(|interest| interest.wants(topic)) && matches_any(&self.spec.topics, topic)
    }

    fn wants_every_topic(&self, hook: Hook) -> bool {
        let interest = self.interest(hook);
        self.spec.topics.is_empty() && interest.is_some_and(MessageInterest::is_of_every_topic)
    }

    fn authenticate(self: Arc<Self>, who: Arc<Credentials>) -> Pending<Result<Authentication, Failure>> {
        let budget = self.slow();
        self.ask_waiting(
            Hook::Authenticate,
            budget,
            move |instance| Box::pin(async move { authenticate::ask(instance, budget, &who).await }),
            |plugin, answer| plugin.counted(Hook::Authenticate, answer, authenticate::index),
        )
    }

    fn begin_authentication(
        self: Arc<Self>,
        method: ByteString,
        data: Option<Bytes>,
        who: Arc<Credentials>,
    ) -> Pending<Result<EnhancedStep, Failure>> {
        let budget = self.slow();
        self.ask_waiting(
            Hook::AuthenticateEnhanced,
            budget,
            move |instance| {
                Box::pin(async move {
                    authenticate_enhanced::begin(instance, budget, &method, data.as_deref(), &who).await
                })
            },
            |plugin, answer| plugin.counted(Hook::AuthenticateEnhanced, answer, authenticate_enhanced::index),
        )
    }

    fn continue_authentication(
        self: Arc<Self>,
        method: ByteString,
        data: Option<Bytes>,
        state: Vec<u8>,
    ) -> Pending<Result<EnhancedStep, Failure>> {
        let budget = self.slow();
        self.ask_waiting(
            Hook::AuthenticateEnhanced,
            budget,
            move |instance| {
                Box::pin(async move {
                    authenticate_enhanced::proceed(instance, budget, &method, data.as_deref(), &state).await
                })
            },
            |plugin, answer| plugin.counted(Hook::AuthenticateEnhanced, answer, authenticate_enhanced::index),
        )
    }

    fn authorize(&self, access: &Access<'_>) -> Result<AccessAnswer, Failure> {
        let budget = self.quick();
        let answer = self.ask(Hook::Authorize, budget, |instance| {
            at_once(authorize::ask(instance, budget, access))
        });
        self.counted(Hook::Authorize, answer, authorize::index)
    }

    fn on_subscribe(
        &self,
        client: ClientKey,
        request: &SubscribeRequest,
    ) -> Result<SubscribeDecision, Failure> {
        let budget = self.quick();
        let answer = self.ask(Hook::OnSubscribe, budget, |instance| {
            on_subscribe::ask(instance, budget, client, request)
        });
        self.counted(Hook::OnSubscribe, answer, on_subscribe::index)
    }

    fn on_unsubscribe(
        &self,
        client: ClientKey,
        filter: &SharedFilter,
    ) -> Result<UnsubscribeDecision, Failure> {
        let budget = self.quick();
        let answer = self.ask(Hook::OnUnsubscribe, budget, |instance| {
            on_unsubscribe::ask(instance, budget, client, filter)
        });
        self.counted(Hook::OnUnsubscribe, answer, on_unsubscribe::index)
    }

    /// A run of messages is judged in one call where the plugin can do that. If that call traps, overruns its limits or
    /// brings a verdict that no message may have, each message is judged once more by itself, on an instance that is
    /// sound, so that one that no instance survives does not condemn the others. If the answer is no frame of verdicts,
    /// all of them fail.
    fn on_publish(&self, messages: &[&Message]) -> Verdicts {
        self.on_publish_as_read(messages, &[])
    }

    fn on_publish_as_read(&self, messages: &[&Message], packets: &[u8]) -> Verdicts {
        let mut verdicts = Verdicts::default();
        while verdicts.len() < messages.len() {
            self.judge(&messages[verdicts.len()..], packets, &mut verdicts);
        }
        verdicts
    }

    fn route(&self, message: &Message, recipients: &Recipients) -> Result<Routing, Failure> {
        let budget = self.quick();
        let shown = self.interests.route.shown;
        let answer = self.ask(Hook::Route, budget, |instance| {
            at_once(route::ask(instance, budget, message, recipients, shown))
        });
        self.counted(Hook::Route, answer, route::index)
            .map(Option::unwrap_or_default)
    }

    fn deliver(&self, parcels: &[&Parcel]) -> Vec<Result<DeliverDecision, Failure>> {
        self.judge_deliveries(parcels)
    }

    fn on_will(
        &self,
        client: ClientKey,
        cause: WillCause,
        delays: WillDelays,
        message: &Message,
    ) -> Result<WillDecision, Failure> {
        let budget = self.quick();
        let answer = self.ask(Hook::OnWill, budget, |instance| {
            on_will::ask(instance, budget, client, cause, delays, message)
        });
        self.counted(Hook::OnWill, answer, on_will::index)
    }

    fn events(self: Arc<Self>, events: Vec<Event>) -> Pending<()> {
        let budget = self.slow();
        let count = events.len();
        let told = self.ask_waiting(
            Hook::Events,
            budget,
            move |instance| Box::pin(async move { events::tell(instance, budget, &events).await }),
            move |plugin, told: Result<(), Failure>| {
                plugin.counters(Hook::Events).messages(count);
                if let Err(failure) = &told {
                    plugin.failed(Hook::Events, failure, count);
                }
                told
            },
        );
        Box::pin(async move { drop(told.await) })
    }

    /// Where its functions wait, a question that a client can wait for is one of those that may take long.
    fn waits_for_access(&self, action: Action) -> bool {
        let is_rare = matches!(action, Action::Subscribe | Action::Will);
        self.waits && (is_rare || self.spec.may_wait) && self.wants_access(action)
    }

    fn waits_for_messages(&self, hook: Hook) -> bool {
        self.waits && self.spec.may_wait && self.hooks.contains(hook)
    }

    fn authorize_waiting(self: Arc<Self>, access: AskedAccess) -> Pending<Result<AccessAnswer, Failure>> {
        let budget = self.slow();
        self.ask_waiting(
            Hook::Authorize,
            budget,
            move |instance| {
                Box::pin(async move { authorize::ask(instance, budget, &access.as_access()).await })
            },
            |plugin, answer| plugin.counted(Hook::Authorize, answer, authorize::index),
        )
    }

    /// One by one and in order, as the client's own input.
    fn on_publish_waiting(self: Arc<Self>, messages: Vec<Message>) -> Pending<Verdicts> {
        Box::pin(async move {
            let mut verdicts = Verdicts::default();
            for message in messages {
                verdicts.push(self.judge_waiting(message).await);
            }
            verdicts
        })
    }

    fn route_waiting(
        self: Arc<Self>,
        message: Message,
        recipients: Recipients,
    ) -> Pending<Result<Routing, Failure>> {
        let (budget, shown) = (self.slow(), self.interests.route.shown);
        let answer = self.ask_waiting(
            Hook::Route,
            budget,
            move |instance| {
                Box::pin(async move { route::ask(instance, budget, &message, &recipients, shown).await })
            },
            |plugin, answer| plugin.counted(Hook::Route, answer, route::index),
        );
        Box::pin(async move { answer.await.map(Option::unwrap_or_default) })
    }

    fn control(self: Arc<Self>, request: String) -> Pending<Result<Result<String, String>, Failure>> {
        let budget = self.slow();
        self.ask_waiting(
            Hook::Control,
            budget,
            move |instance| Box::pin(async move { control::ask(instance, budget, &request).await }),
            |plugin, answer| plugin.counted(Hook::Control, answer, control::index),
        )
    }

    fn figures(&self) -> Vec<(String, String)> {
        self.stats().figures()
    }

    fn wants_event(&self, class: EventClass) -> bool {
        self.hooks.contains(Hook::Events) && self.interests.events.wants(class)
    }
}

impl fmt::Debug for LoadedPlugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadedPlugin")
            .field("spec", &self.spec)
            .field("hooks", &self.hooks)
            .finish_non_exhaustive()
    }
}

impl Drop for LoadedPlugin {
    fn drop(&mut self) {
        self.housekeeper.retire(Retired {
            instances: self.retire(),
            budget: Budget::new(self.spec.deadline_slow),
        });
    }
}
