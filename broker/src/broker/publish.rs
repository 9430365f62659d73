//! From a run of PUBLISH packets to their recipients' outboxes.
//!
//! One run is taken in, judged, routed and answered step by step, so that each step's cost (a lock, a call
//! into a plugin, a wake-up) is paid once for many messages:
//!
//! ```text
//! take (session) ─► authorize ─► on-publish ─► route ─► deliver ─► [safe] ─► answer (session) ─► wake recipients
//! ```
//!
//! `[safe]` is where the store comes in: what was routed is recorded on the way, and an answer waits in the session until
//! the batch that it is in is safe. Nobody else waits.

use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytestring::ByteString;
use hookwire_hooks::{
    Access, AccessDecision, Action, Chain, ClientKey, EventClass, EventKind, Fate, Hook, Message,
    PluginPublish, Publication, Recipients, Rejection, Routing, SharedGroup,
};
use hookwire_protocol::{
    Delivery, DisconnectReason, Publish, PublishReason, QoS, SharedFilter, TopicName, Version,
};

use super::access;
use super::client::{Client, Standing};
use super::deliver::Addressee;
use super::publisher::{Answer, Own, Publisher};
use super::{Broker, Connected, NOBODY, Rights, Settings, emission};
use crate::config::Mqtt3Rejected;
use crate::metrics::Limit;
use crate::router::{Matches, Recipient, Replacement, RetainedFull, Subscriber};
use crate::session::Violation;

/// What a run of messages is judged and routed by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Round<'a> {
    /// The policy in force.
    pub(super) chain: &'a Chain,
    /// The settings in force.
    pub(super) settings: &'a Settings,
    /// The present moment.
    pub(super) now: Instant,
    /// Whether the policy wants to be asked about deliveries.
    pub(super) asks_deliver: bool,
}

impl<'a> Round<'a> {
    pub(super) fn new(chain: &'a Chain, settings: &'a Settings, now: Instant) -> Self {
        Self {
            chain,
            settings,
            now,
            asks_deliver: chain.has(Hook::Authorize) && chain.wants_access(Action::Deliver),
        }
    }
}

/// Who is to get a message.
#[derive(Clone, Copy)]
struct Audience<'a> {
    matches: &'a Matches<Arc<Client>>,
    /// The session that published it.
    from: Option<u64>,
    /// What a policy has made of it.
    routing: Option<&'a Routing>,
    /// Whether policies want to judge the deliveries.
    is_judged: bool,
}

/// Whose messages are published.
pub(super) struct Author {
    pub(super) client: Arc<Client>,
    pub(super) key: ClientKey,
    pub(super) standing: Standing,
    pub(super) version: Version,
}

impl Author {
    pub(super) fn of(connected: &Connected) -> Self {
        Self {
            client: Arc::clone(&connected.client),
            key: connected.key,
            standing: connected.standing.clone(),
            version: connected.version,
        }
    }
}

/// What came of a message that no connection waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// As a PUBACK would tell it.
    pub reason: PublishReason,
    /// Reason string.
    pub text: Option<ByteString>,
}

impl From<Rejection> for Published {
    fn from(Rejection { reason, text }: Rejection) -> Self {
        Self { reason, text }
    }
}

/// What came of a message that the policies have let pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Placed {
    /// It went to its subscribers.
    Routed,
    /// It was only to be retained, and is.
    Retained,
    /// There are none, and its publisher is told this.
    Unheard(PublishReason),
    /// A recipient, or the retained messages, have no room for it.
    NoRoom,
    /// A policy made it larger than packets may be.
    TooLarge,
    /// A policy that should have said who gets it has failed.
    Withheld,
}

impl Placed {
    fn reason(self) -> PublishReason {
        match self {
            Self::Routed | Self::Retained => PublishReason::Success,
            Self::Unheard(reason) => reason,
            Self::NoRoom => PublishReason::QuotaExceeded,
            Self::TooLarge | Self::Withheld => PublishReason::ImplementationSpecific,
        }
    }
}

/// Why a connection is closed after a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// The client broke the protocol.
    Violation(Violation),
    /// A policy closed it.
    Policy {
        /// Reason code of the DISCONNECT.
        reason: DisconnectReason,
        /// Reason string.
        text: Option<ByteString>,
    },
}

impl Broker {
    /// Publishes a run of messages of one client and answers them. What plugins publish meanwhile comes after it. The packets were cut
    /// out of `read`.
    ///
    /// # Errors
    /// The connection has to be closed; everything before the offending message has been published and
    /// answered.
    pub fn publish_run(
        &self,
        connected: &Connected,
        publisher: &mut Publisher,
        now: Instant,
        packets: &mut Vec<Publish>,
        read: &[u8],
    ) -> Result<Duration, Stop> {
        let (chain, settings) = (self.chain(), self.settings());
        let round = &Round::new(&chain, &settings, now);
        emission::behind(|| self.publish_run_in(round, connected, publisher, packets, read))
    }

    fn publish_run_in(
        &self,
        round: &Round<'_>,
        connected: &Connected,
        publisher: &mut Publisher,
        packets: &mut Vec<Publish>,
        read: &[u8],
    ) -> Result<Duration, Stop> {
        let author = Author::of(connected);
        let taken = take(&author, publisher, packets);
        publisher.remember_author(round, &author);
        self.tell_run(publisher);
        judge_format(round, publisher);
        publisher.keep_up(author.client.answers_epoch());
        self.authorize_run(round, &author.standing.rights, publisher);
        if round.chain.has(Hook::OnPublish) {
            round.chain.on_publish_as_read(&mut publisher.run, read);
        }
        self.settle_run(round, &author, publisher, taken)
    }

    /// Tells those who look on what has come in.
    #[inline]
    pub(super) fn tell_run(&self, publisher: &Publisher) {
        if self.watches().is_on() {
            for publication in &publisher.run {
                self.tell_arrived(&publication.message);
            }
        }
    }

    /// Notes on the way what policies want of each topic: whether neighbours are of one topic is seen but once.
    fn authorize_run(&self, round: &Round<'_>, rights: &Rights, publisher: &mut Publisher) {
        let free = access::is_free(round.chain, rights, Action::Publish);
        let is_judged = round.chain.has(Hook::OnPublish);
        let mut run = mem::take(&mut publisher.run);
        for neighbours in run.chunk_by_mut(are_of_one_topic) {
            if is_judged {
                publisher.note_interest(round.chain, neighbours);
            }
            // What the client's grant says, or an answer that is remembered, is said of the topic.
            let mut said_of_all = None;
            for publication in neighbours {
                if is_reserved(&publication.message) {
                    publication.fate = refused(None);
                } else if !free && let Some(asked) = asked_of(&publication.message) {
                    let (decision, basis) = said_of_all.take().unwrap_or_else(|| {
                        access::decide_on_basis(round.chain, rights, &mut publisher.access, &asked, round.now)
                    });
                    self.tell_decided(&asked, basis, &decision, round.chain.generation());
                    said_of_all = basis.is_some().then(|| (decision.clone(), basis));
                    obey(&mut publication.fate, decision);
                }
            }
        }
        publisher.run = run;
    }

    /// Routes and answers what was judged.
    pub(super) fn settle_run(
        &self,
        round: &Round<'_>,
        author: &Author,
        publisher: &mut Publisher,
        taken: Result<(), Stop>,
    ) -> Result<Duration, Stop> {
        let mut stop = taken;
        let mut throttle = Duration::ZERO;
        let mut run = mem::take(&mut publisher.run);
        let mut answers = mem::take(&mut publisher.answers);
        publisher.commit = 0;
        publisher.sole_recipient = None;
        // Where a QoS 2 message is recorded, its identifier is, too: one without the other would lose it or double it.
        let mut whole = if answers.iter().any(is_exactly_once) {
            self.whole()
        } else {
            None
        };
        let mut publications = run.drain(..);
        let mut answered = 0;
        for answer in &mut answers {
            if let Some(publication) = answer.is_judged.then(|| publications.next()).flatten() {
                throttle = throttle.max(Duration::from_millis(u64::from(publication.throttle_ms)));
                if let Err(closed) = self.conclude(round, author, publisher, publication, answer) {
                    stop = Err(closed);
                    break;
                }
            }
            answered += 1;
        }
        drop(publications);
        self.hand_over_bundle(round, publisher, Some(author.client.id()));
        for answer in &mut answers {
            // What was taken before may not be safe yet.
            answer.commit = if answer.is_judged {
                publisher.commit
            } else {
                self.latest_commit()
            };
        }
        // What came after a message that ends the connection was not taken: it may be sent again.
        let unanswered = answers.split_off(answered);
        // Its own messages are recorded behind the answers, and have to be as safe.
        if !publisher.own.is_empty() && author.client.is_durable() {
            whole = whole.or_else(|| self.whole());
            let commit = self.open_commit();
            answers.iter_mut().for_each(|answer| answer.commit = commit);
        }
        let came_alone = answers.len() == 1;
        answer_all(author, &mut answers, &unanswered);
        (publisher.run, publisher.answers) = (run, answers);
        self.hand_over_own(round, publisher);
        drop(whole);
        if came_alone {
            publisher.wake_recipients_of_one();
        } else {
            publisher.wake_recipients();
        }
        throttle = throttle.max(mem::take(&mut publisher.respite));
        stop.map(|()| throttle)
    }

    /// Routes a message that was judged, or not, and says so in the answer.
    fn conclude(
        &self,
        round: &Round<'_>,
        author: &Author,
        publisher: &mut Publisher,
        mut publication: Publication,
        answer: &mut Answer,
    ) -> Result<(), Stop> {
        let from = Some(author.client.id());
        let is_owed_silently = is_owed_silently(answer, author.version);
        let fate = mem::replace(&mut publication.fate, Fate::Pass);
        self.tell_fate(&publication.message, &fate);
        let rejection = match fate {
            Fate::Pass => {
                let reason = self.route_next(round, publisher, publication, from);
                if reason == PublishReason::QuotaExceeded && is_owed_silently {
                    return Err(no_room());
                }
                Rejection { reason, text: None }
            }
            Fate::Drop => return Ok(()),
            Fate::Reject(rejection) => *rejection,
            Fate::Disconnect(rejection) => return Err(closed_by_policy(*rejection)),
        };
        let closes = round.settings.session.mqtt_3_rejected == Mqtt3Rejected::Disconnect;
        if closes && is_owed_silently && rejection.reason.is_error() {
            return Err(closed_by_policy(rejection));
        }
        (answer.reason, answer.text) = (rejection.reason, rejection.text.map(Box::new));
        Ok(())
    }

    /// Messages that are judged by one policy under one set of settings. What plugins publish meanwhile comes after them.
    pub(super) fn with_round<R>(&self, now: Instant, step: impl FnOnce(&Round<'_>) -> R) -> R {
        let (chain, settings) = (self.0.chain.load_full(), self.0.settings.load_full());
        emission::behind(|| step(&Round::new(&chain, &settings, now)))
    }

    /// A message of a plugin: judged by all other plugins, then routed.
    pub(super) fn publish_of_plugin(&self, publisher: &mut Publisher, now: Instant, publish: PluginPublish) {
        let is_only_kept = publish.is_only_kept;
        let publication = Publication {
            origin: Some(publish.plugin),
            ..Publication::new(publish.message)
        };
        self.tell_arrived(&publication.message);
        // Whatever is refused here, the plugin has been answered long since.
        self.with_round(now, |round| {
            if is_only_kept {
                let mut run = [publication];
                round.chain.on_publish(&mut run);
                let [publication] = run;
                self.keep_judged(round, publication);
            } else {
                self.publish_one(round, publisher, publication);
            }
        });
    }

    /// A message of an administrator: judged by all plugins, then routed. Its source is [`Source::Admin`].
    ///
    /// [`Source::Admin`]: hookwire_hooks::Source::Admin
    pub fn publish_as_admin(&self, now: Instant, message: Message) -> Published {
        if let Some(refusal) = self.refuse_reserved(&message) {
            return refusal;
        }
        let mut publisher = Publisher::default();
        let publication = Publication::new(message);
        let answer = self.with_round(now, |round| self.publish_one(round, &mut publisher, publication));
        publisher.wake_recipients();
        answer
    }

    /// A message of an administrator has come in; what is said about it, if its topic is nobody's but the broker's.
    pub(super) fn refuse_reserved(&self, message: &Message) -> Option<Published> {
        self.tell_arrived(message);
        access::is_reserved(message.topic.as_str()).then(|| {
            self.tell_fate(message, &refused(None));
            not_authorized(None).into()
        })
    }

    /// Puts a message that no connection waits for to the policies, and routes it if they let it pass.
    pub(super) fn publish_one(
        &self,
        round: &Round<'_>,
        publisher: &mut Publisher,
        publication: Publication,
    ) -> Published {
        let mut run = [publication];
        round.chain.on_publish(&mut run);
        let [publication] = run;
        self.tell_fate(&publication.message, &publication.fate);
        let reason = match publication.fate {
            Fate::Pass => self.route(round, publisher, publication.message, None),
            Fate::Drop => PublishReason::Success,
            Fate::Reject(rejection) | Fate::Disconnect(rejection) => return (*rejection).into(),
        };
        Published { reason, text: None }
    }

    pub(super) fn matching(
        &self,
        publisher: &mut Publisher,
        topic: &TopicName,
        from: Option<u64>,
    ) -> Arc<Matches<Arc<Client>>> {
        let (_, matches) = self.0.router.matching(&mut publisher.memo, topic, from);
        Arc::clone(matches)
    }

    /// Retains a message that goes to nobody, if the policies have let it pass and none has taken its RETAIN flag off.
    pub(super) fn keep_judged(&self, round: &Round<'_>, publication: Publication) {
        let Publication {
            fate, mut message, ..
        } = publication;
        self.tell_fate(&message, &fate);
        if fate != Fate::Pass || !message.retain {
            return;
        }
        let subject = self.subject_of(&message);
        begin(&mut message, round.now);
        let placed = if message.payload.len() > round.settings.limits.decode.packet_bytes_max {
            Placed::TooLarge
        } else {
            let topic = message.topic.detached();
            keep(&mut message, topic);
            let kept = self.retain(round, &message, None);
            kept.map_or(Placed::NoRoom, |_| Placed::Retained)
        };
        if let Some(subject) = subject {
            self.tell_placed(&subject, placed);
        }
    }

    /// Keeps a message if it is to be retained, and puts it into the outboxes of all whom it concerns.
    pub(super) fn route(
        &self,
        round: &Round<'_>,
        publisher: &mut Publisher,
        message: Arc<Message>,
        from: Option<u64>,
    ) -> PublishReason {
        self.route_judged(round, publisher, Publication::new(message), from)
    }

    /// The same for a message about whose recipients policies may have been asked before.
    pub(super) fn route_judged(
        &self,
        round: &Round<'_>,
        publisher: &mut Publisher,
        publication: Publication,
        from: Option<u64>,
    ) -> PublishReason {
        let reason = self.route_next(round, publisher, publication, from);
        self.hand_over_bundle(round, publisher, from);
        reason
    }

    /// The same for one of several messages; what goes to the same recipients is handed over by
    /// [`Broker::hand_over_bundle`].
    fn route_next(
        &self,
        round: &Round<'_>,
        publisher: &mut Publisher,
        publication: Publication,
        from: Option<u64>,
    ) -> PublishReason {
        let subject = self.subject_of(&publication.message);
        let placed = self.place(round, publisher, publication, from);
        if let Some(subject) = subject {
            self.tell_placed(&subject, placed);
        }
        placed.reason()
    }

    fn place(
        &self,
        round: &Round<'_>,
        publisher: &mut Publisher,
        publication: Publication,
        from: Option<u64>,
    ) -> Placed {
        let Publication {
            mut message,
            routing,
            interest,
            ..
        } = publication;
        let interest = interest.unwrap_or_else(|| publisher.interest(round.chain, &message.topic));
        begin(&mut message, round.now);
        // Clients' packets are within it; what a plugin made of one may not be.
        if message.payload.len() > round.settings.limits.decode.packet_bytes_max {
            return Placed::TooLarge;
        }
        let asks_route = routing.is_none() && interest.contains(Hook::Route);
        if asks_route {
            // What came before is not to wait for a policy, nor to be a victim of what it does.
            self.hand_over_bundle(round, publisher, from);
        }
        let mut found = self.0.router.matching(&mut publisher.memo, &message.topic, from);
        let (_, matches) = found;
        if !self.has_room(round, &message, matches) {
            return Placed::NoRoom;
        }
        let asked = asks_route.then(|| round.chain.route(&message, &recipients_of(matches)));
        let routing = routing.map(|routing| *routing).or(asked);
        if routing.as_ref().is_some_and(|routing| routing.withheld) {
            return Placed::Withheld;
        }
        if message.retain {
            keep(&mut message, found.0.clone());
            let Some(commit) = self.retain(round, &message, publisher.author.as_ref()) else {
                return Placed::NoRoom;
            };
            publisher.commit = publisher.commit.max(commit);
            if routing.is_none() {
                // Whoever has subscribed since has perhaps not been sent what is retained now.
                found = self.0.router.matching(&mut publisher.memo, &message.topic, from);
            }
        }
        let has_copies = routing.as_ref().is_some_and(|routing| !routing.copies.is_empty());
        let (topic, matches) = found;
        if matches.is_empty() && !has_copies {
            if matches.withheld == 0 {
                self.report_unrouted(&message);
            }
            return Placed::Unheard(unheard(&message, matches.withheld));
        }
        if message.qos > QoS::AtMostOnce && !message.retain {
            keep(&mut message, topic.clone());
        }
        let is_judged = interest.contains(Hook::Deliver);
        if routing.is_none() && !is_judged && self.may_bundle(round, &message, matches) {
            if !publisher.bundle.is_for(matches) {
                let matches = Arc::clone(matches);
                self.hand_over_bundle(round, publisher, from);
                publisher.bundle.address(matches);
            }
            publisher.bundle.add(message);
            return Placed::Routed;
        }
        let matches = Arc::clone(matches);
        self.hand_over_bundle(round, publisher, from);
        let audience = Audience {
            matches: &matches,
            from,
            routing: routing.as_ref(),
            is_judged,
        };
        self.fan_out(round, publisher, &message, audience);
        for topic in routing.iter().flat_map(|routing| &routing.copies) {
            self.fan_out_copy(round, publisher, &message, topic, from);
        }
        Placed::Routed
    }

    /// The batch with which it is safe, or 0; `None` when there is no room. `author` publishes it, where that is to be remembered.
    fn retain(&self, round: &Round<'_>, message: &Arc<Message>, author: Option<&Standing>) -> Option<u64> {
        let grows = !message.payload.is_empty();
        if grows && self.0.memory.is_full() {
            self.0.metrics.limits.reached(Limit::MemoryMax);
            return None;
        }
        if grows && !self.store_has_room() {
            self.0.metrics.limits.reached(Limit::StoreBytesMax);
            return None;
        }
        let is_checked = round.settings.session.check_retain_source;
        let source = author.filter(|_| grows && is_checked);
        let mut commit = 0;
        let record = |replacement: Replacement| {
            if is_checked {
                self.note_retained(message, replacement.now.as_ref(), source, round.now);
            }
            commit = self.record_retained(message, source, replacement);
        };
        let limits = round.settings.retained_limits();
        let kept = self.0.router.retain(message, &limits, record);
        if let Err(full) = kept {
            self.0.metrics.limits.reached(match full {
                RetainedFull::Messages => Limit::RetainedMessagesMax,
                RetainedFull::Bytes => Limit::RetainedBytesMax,
            });
            return None;
        }
        Some(commit)
    }

    /// A copy passes `route` no second time.
    fn fan_out_copy(
        &self,
        round: &Round<'_>,
        publisher: &mut Publisher,
        message: &Message,
        topic: &TopicName,
        from: Option<u64>,
    ) {
        let copy = Message {
            topic: topic.clone(),
            ..message.clone()
        };
        let matches = self.matching(publisher, &copy.topic, from);
        let audience = Audience {
            matches: &matches,
            from,
            routing: None,
            is_judged: publisher
                .interest(round.chain, &copy.topic)
                .contains(Hook::Deliver),
        };
        self.fan_out(round, publisher, &Arc::new(copy), audience);
    }

    fn fan_out(
        &self,
        round: &Round<'_>,
        publisher: &mut Publisher,
        message: &Arc<Message>,
        audience: Audience<'_>,
    ) {
        let is_own = |recipient: &Recipient<Arc<Client>>| audience.from == Some(recipient.subscriber.id());
        if !audience.is_judged {
            return self.address(round, message, audience, |recipient, shared| {
                if is_own(recipient) {
                    publisher.answer_before(message, Addressee::of(recipient, shared));
                } else {
                    self.give(round, publisher, message, recipient, shared);
                }
            });
        }
        let mut addressees = Vec::with_capacity(audience.matches.recipients.len());
        self.address(round, message, audience, |recipient, shared| {
            let addressee = Addressee::of(recipient, shared);
            if is_own(recipient) {
                publisher.answer_before(message, addressee);
            } else {
                addressees.push(addressee);
            }
        });
        self.hand_over_all(round, publisher, message, addressees);
    }

    fn hand_over_own(&self, round: &Round<'_>, publisher: &mut Publisher) {
        let mut own = mem::take(&mut publisher.own);
        for Own { message, addressee } in own.drain(..) {
            self.hand_over(round, publisher, &message, addressee);
        }
        publisher.own = own;
    }

    /// Tells each one who is to get a message, and the shared subscription that chose it.
    #[inline]
    fn address(
        &self,
        round: &Round<'_>,
        message: &Message,
        audience: Audience<'_>,
        mut to: impl FnMut(&Recipient<Arc<Client>>, Option<&Arc<SharedFilter>>),
    ) {
        let Audience {
            matches,
            from,
            routing,
            ..
        } = audience;
        for recipient in &matches.recipients {
            if routing.is_none_or(|routing| routing.includes(recipient.subscriber.key())) {
                to(recipient, None);
            }
        }
        for (at, group) in matches.groups.iter().enumerate() {
            let picked = routing.and_then(|routing| routing.pick(at));
            let member = picked
                .and_then(|key| group.members.iter().find(|member| member.subscriber.key() == key))
                .or_else(|| self.choose(round, group, message, from));
            if let Some(member) = member {
                to(&Recipient::of(member), Some(&group.filter));
            }
        }
    }

    /// Tells plugins of a message that nobody has subscribed to.
    fn report_unrouted(&self, message: &Message) {
        if !self.chain().wants_event(EventClass::Unrouted) {
            return;
        }
        let facts = message.source.client().and_then(|key| self.facts(key));
        let (key, client_id) = match &facts {
            Some(facts) => (facts.key, facts.client_id.clone()),
            None => (NOBODY, ByteString::new()),
        };
        let topic = || EventKind::Unrouted(message.topic.as_str().into());
        self.emit(key, &client_id, topic);
    }

    /// A message of the broker itself: kept, and given to those who may have it. Policies about messages do not see it.
    pub(super) fn publish_own(&self, round: &Round<'_>, publisher: &mut Publisher, message: &Arc<Message>) {
        self.0.router.retain_own(message);
        let matches = self.matching(publisher, &message.topic, None);
        let audience = Audience {
            matches: &matches,
            from: None,
            routing: None,
            is_judged: false,
        };
        self.fan_out(round, publisher, message, audience);
    }
}

/// A payload that is not what its publisher says it is goes no further. [MQTT-3.3.2-4] leaves it to us whether to look.
pub(super) fn judge_format(round: &Round<'_>, publisher: &mut Publisher) {
    if !round.settings.limits.payload_format_check {
        return;
    }
    for publication in &mut publisher.run {
        if publication.message.breaks_its_payload_format() {
            publication.fate = Fate::Reject(Box::new(Rejection {
                reason: PublishReason::PayloadFormatInvalid,
                text: None,
            }));
        }
    }
}

/// Whether two neighbours in a run need be looked up but once.
pub(super) fn are_of_one_topic(one: &Publication, other: &Publication) -> bool {
    one.message.topic == other.message.topic
}

pub(super) fn is_reserved(message: &Message) -> bool {
    let topic = message.topic.as_str();
    topic.starts_with('$') && access::is_reserved(topic)
}

/// The question whether a client may publish its message.
pub(super) fn asked_of(message: &Message) -> Option<Access<'_>> {
    Some(Access {
        client: message.source.client()?,
        action: Action::Publish,
        topic: message.topic.as_str(),
        qos: message.qos,
        retain: message.retain,
    })
}

pub(super) fn obey(fate: &mut Fate, decision: AccessDecision) {
    match decision {
        AccessDecision::Allow => {}
        AccessDecision::Next => *fate = refused(None),
        AccessDecision::Deny(text) => *fate = refused(text),
        AccessDecision::Disconnect(text) => *fate = Fate::Disconnect(Box::new(not_authorized(text))),
    }
}

/// What the publisher of a message is told that nobody is to get. With QoS 2 that is not said: it would stand in the PUBREC, in the
/// middle of the exchange, where clients look for success or failure only.
fn unheard(message: &Message, withheld: usize) -> PublishReason {
    if message.qos == QoS::ExactlyOnce || withheld > 0 {
        PublishReason::Success
    } else {
        PublishReason::NoMatchingSubscribers
    }
}

/// An acknowledgement that can say nothing but that all is well.
fn is_owed_silently(answer: &Answer, version: Version) -> bool {
    version != Version::V5 && answer.delivery != Delivery::AtMostOnce
}

fn closed_by_policy(rejection: Rejection) -> Stop {
    Stop::Policy {
        reason: rejection.disconnect_reason(),
        text: rejection.text,
    }
}

fn is_exactly_once(answer: &Answer) -> bool {
    matches!(answer.delivery, Delivery::ExactlyOnce(_))
}

/// A client of MQTT 3 cannot be told that there is no room: it keeps its message, and comes back with it.
fn no_room() -> Stop {
    Stop::Policy {
        reason: DisconnectReason::QuotaExceeded,
        text: Some(ByteString::from_static("no room for a message")),
    }
}

pub(super) fn take(
    author: &Author,
    publisher: &mut Publisher,
    packets: &mut Vec<Publish>,
) -> Result<(), Stop> {
    let Some(mut session) = author.client.session_of(author.key) else {
        packets.clear();
        return Ok(());
    };
    for publish in packets.drain(..) {
        publisher.accept(session.take_publish(publish).map_err(Stop::Violation)?);
    }
    Ok(())
}

fn answer_all(author: &Author, answers: &mut Vec<Answer>, unanswered: &[Answer]) {
    let is_owed = |answer: &Answer| answer.delivery != Delivery::AtMostOnce;
    if !answers.iter().any(is_owed) && unanswered.is_empty() {
        return answers.clear();
    }
    let client = &author.client;
    if let Some(mut session) = client.session_of(author.key) {
        for answer in answers.drain(..) {
            let text = answer.text.map(|text| *text);
            session.answer_publish(answer.delivery, answer.reason, text, answer.commit);
        }
        // What was taken before is still taken.
        for answer in unanswered.iter().filter(|answer| answer.is_judged) {
            session.forget_publish(answer.delivery);
        }
    } else if client.is_durable() {
        // Another connection has taken over: it is told when the message comes again. That it was taken is recorded with it.
        let session = client.session();
        let taken = answers.iter().filter(|answer| !answer.reason.is_error());
        taken.for_each(|answer| session.record_received(answer.delivery));
    }
    answers.clear();
}

/// A message is under way from here on.
fn begin(message: &mut Arc<Message>, now: Instant) {
    if message.expiry_interval_secs().is_some() || message.expires_at.is_some() {
        Arc::make_mut(message).start_expiry(now);
    }
}

/// A message of QoS 1 or 2 may wait long for its acknowledgement, or for its recipient, one that is retained stays: it must
/// not hold on to the read buffer that it came in, with everything else that came in it.
fn keep(message: &mut Arc<Message>, topic: TopicName) {
    Arc::make_mut(message).detach_under(topic);
}

pub(super) fn recipients_of(matches: &Matches<Arc<Client>>) -> Recipients {
    let groups = matches.groups.iter().map(|group| SharedGroup {
        share: ByteString::from(group.filter.share.as_ref().map_or("", |share| share.as_ref())),
        filter: ByteString::from(group.filter.filter.as_str()),
        members: group
            .members
            .iter()
            .map(|member| member.subscriber.key())
            .collect(),
    });
    Recipients {
        clients: matches
            .recipients
            .iter()
            .map(|recipient| recipient.subscriber.key())
            .collect(),
        groups: groups.collect(),
    }
}

pub(super) fn refused(text: Option<ByteString>) -> Fate {
    Fate::Reject(Box::new(not_authorized(text)))
}

fn not_authorized(text: Option<ByteString>) -> Rejection {
    Rejection {
        reason: PublishReason::NotAuthorized,
        text,
    }
}
