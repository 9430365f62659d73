//! One client as a state machine: packets and the time go in, encoded packets come out.
//!
//! A [`Session`] knows no sockets and never asks what time it is. It outlives its network connections:
//! [`Session::attach`] begins one, [`Session::detach`] ends it. What needs policy or routing (PUBLISH,
//! SUBSCRIBE) is taken in by one method and answered by another, and the broker does the rest in between.

mod aliases;
mod connect;
mod durable;
mod farewell;
mod inbound;
pub mod journal;
mod keep_alive;
mod link;
mod lost;
mod outbound;
mod outbox;
mod parked;
mod pen;
mod personal_topic;
mod queue;
mod replay;
mod retained_copy;
mod rewrites;
mod safety;
mod subscribing;
mod violation;
mod will;
mod window;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytestring::ByteString;
use hashbrown::HashMap;
use hookwire_hooks::{ClientKey, DropCause, Message, Source, WillCause};
use hookwire_protocol::{
    AckProperties, Connack, Delivery, Packet, PacketId, Puback, Pubcomp, Publish, PublishReason, Pubrec,
    Pubrel, PubrelReason, QoS, SharedFilter, SubscriptionOptions, TopicFilter, TopicName, Version,
};

pub use connect::{Admission, Identity, Refusal, fit_connack, packet_bytes_max};
pub use durable::Wanted;
pub use farewell::Farewell;
pub use inbound::Novelty;
pub use keep_alive::KeepAlive;
pub use link::{Closure, Link};
pub use lost::Lost;
pub use outbox::Outbox;
pub use personal_topic::personal_topic;
pub use queue::{Away, Delivered, Offer, QueueLimits, SubscriptionIds};
pub use replay::Replayed;
pub use retained_copy::{RetainedCopy, RetainedOutline};
pub use violation::Violation;
pub use will::{DueWill, PendingWill};
pub use window::WindowLimits;

use crate::config::Features;
use crate::metrics::{Limit, Tally};
use aliases::Aliases;
use inbound::Inbound;
use outbound::{Launched, Next, Outbound};
use pen::{Pen, Written};
use queue::Fill;
use rewrites::Rewrites;
use safety::Safety;

/// What is agreed for one network connection.
#[derive(Debug, Clone)]
pub struct Terms {
    /// The connection.
    pub key: ClientKey,
    /// MQTT version.
    pub version: Version,
    /// QoS 1 and 2 messages on their way to the client at a time.
    pub window: WindowLimits,
    /// Largest packet that the client takes, bytes.
    pub packet_bytes_max: usize,
    /// Receive Maximum that we announced.
    pub receive_maximum: u16,
    /// Topic Alias Maximum that we announced.
    pub topic_alias_maximum: u16,
    /// Topic aliases that we set: the lower one of its Topic Alias Maximum and our own bound. [MQTT-3.1.2-26]
    pub topic_aliases_sent_max: u16,
    /// Highest QoS that the client may publish with.
    pub qos_max: QoS,
    /// What else it may use.
    pub features: Features,
    /// Whether reason strings and user properties may go with packets that report success or failure.
    /// [MQTT-3.1.2-29]
    pub problem_information: bool,
    /// How long the session outlives the connection.
    pub expiry: Duration,
    /// The most that this can be raised to.
    pub expiry_max: Duration,
    /// Prefix of all its topics.
    pub mount_point: Option<Box<ByteString>>,
    /// The will. Apart, since most sessions have none.
    pub will: Option<Box<PendingWill>>,
    /// Bytes that may wait to be written.
    pub outbox_bytes_max: usize,
    /// What may wait for room in the window, or for the client to come back.
    pub queue: QueueLimits,
    /// Whether QoS 0 messages are kept while the client is away.
    pub queue_qos0: bool,
}

/// What became of a message for one client.
#[derive(Debug)]
pub enum Sent {
    /// It is in the outbox.
    Written,
    /// It waits; a full queue may have dropped others, or itself.
    Queued,
    /// It was dropped.
    Dropped(DropCause),
}

/// How a connection ended, for the session.
#[derive(Debug, Clone)]
pub struct Ending {
    /// The cause, as the will's policy sees it; `None` after a DISCONNECT that takes the will away.
    /// [MQTT-3.14.4-3]
    pub will_cause: Option<WillCause>,
    /// A session expiry interval that came with DISCONNECT.
    pub expiry: Option<Duration>,
}

/// What is left to do when a connection has ended.
#[derive(Debug)]
pub struct Detached {
    /// A will that is now due, or due later.
    pub will: Option<DueWill>,
    /// How long the session is kept; zero: not at all.
    pub expires_in: Duration,
}

/// A PUBLISH taken in: what the broker has to judge and answer.
#[derive(Debug)]
pub struct Taken {
    /// The message.
    pub message: Arc<Message>,
    /// How it was sent, and the identifier that the answer carries.
    pub delivery: Delivery,
    /// Whether it has to be judged and routed at all.
    pub novelty: Novelty,
}

/// What came of an UNSUBSCRIBE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsubscribed {
    /// This subscription is over.
    Ended(ByteString),
    /// The subscription goes on, since another filter of the client means it too.
    StillAsked,
    /// There was none.
    Unknown,
}

/// The state of one client, and its present connection if it has one.
#[derive(Debug)]
pub struct Session {
    terms: Terms,
    link: Option<Arc<Link>>,
    subscriptions: HashMap<ByteString, SubscriptionOptions>,
    rewrites: Rewrites,
    inbound: Inbound,
    outbound: Outbound,
    aliases: Aliases,
    outbox: Outbox,
    /// Bytes that the connection has taken and that its socket does not take.
    unwritten: usize,
    /// What was written, since the connection last asked.
    written: Written,
    /// What did not reach the client, since the broker last asked.
    losses: Option<Box<Losses>>,
    /// Set when the session is over and must take nothing any more.
    ended: bool,
    /// Apart, since there is none without a store.
    safety: Option<Box<Safety>>,
}

/// Messages that did not reach a client.
#[derive(Debug, Default)]
struct Losses {
    lost: Vec<Lost>,
    /// For each message that only the store had, the limit that it was dropped for.
    unread: Vec<Limit>,
}

impl Session {
    /// A session that nobody is connected to yet.
    pub fn new(terms: Terms) -> Self {
        Self {
            terms,
            link: None,
            subscriptions: HashMap::new(),
            rewrites: Rewrites::default(),
            inbound: Inbound::default(),
            outbound: Outbound::default(),
            aliases: Aliases::default(),
            outbox: Outbox::default(),
            unwritten: 0,
            written: Written::default(),
            losses: None,
            ended: false,
            safety: None,
        }
    }

    /// What is agreed for the present or last connection.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// The way to the present connection.
    pub fn link(&self) -> Option<&Arc<Link>> {
        self.link.as_ref()
    }

    /// Whether a client is connected.
    pub fn is_online(&self) -> bool {
        self.link.is_some()
    }

    /// QoS 1 and 2 messages on their way.
    pub fn inflight(&self) -> usize {
        self.outbound.inflight()
    }

    /// Messages that wait.
    pub fn queued(&self) -> usize {
        self.outbound.queued()
    }

    /// Bytes that wait.
    pub fn queued_bytes(&self) -> usize {
        self.outbound.queued_bytes()
    }

    /// What was written since the last call.
    pub fn take_tally(&mut self) -> Tally {
        std::mem::take(&mut self.written).into()
    }

    // ---- connections

    /// Begins a network connection: the CONNACK goes out first, then everything that was not acknowledged, in
    /// order. [MQTT-4.4.0-1]
    pub fn attach(&mut self, now: Instant, terms: Terms, connack: &Connack) -> Arc<Link> {
        let link = Arc::new(Link::default());
        self.clear_output();
        self.inbound
            .attach(terms.receive_maximum, terms.topic_alias_maximum);
        self.outbound.attach(terms.window);
        self.aliases.attach(terms.topic_aliases_sent_max);
        self.terms = terms;
        connack.encode(self.terms.version, self.outbox.tail());
        self.written.packets += 1;
        self.link = Some(Arc::clone(&link));
        self.pump(now);
        link.signal();
        link
    }

    /// Ends the network connection.
    pub fn detach(&mut self, now: Instant, ending: &Ending) -> Detached {
        self.link = None;
        self.clear_output();
        self.inbound.detach();
        self.aliases.attach(0);
        if let Some(expiry) = ending.expiry {
            self.terms.expiry = expiry;
        }
        let expires_in = self.terms.expiry;
        if expires_in.is_zero() {
            // There is nobody whom they could wait for.
            self.outbound.forget_replays();
        }
        let limits = self.queue_limits();
        let unqueued = self.outbound.detach(self.terms.queue_qos0, &limits);
        self.lose(unqueued);
        let will = self.terms.will.take();
        let will = match ending.will_cause {
            Some(cause) => will.map(|will| will.due(self.terms.key, cause, now, expires_in)),
            None => None,
        };
        Detached { will, expires_in }
    }

    /// The session is over: it takes nothing any more.
    pub fn end(&mut self) {
        self.ended = true;
        if let Some(journal) = self.safety.as_mut().and_then(|safety| safety.journal.take()) {
            let rewritten = self.rewrites.all().map(|(asked, _)| asked);
            journal.end(self.subscriptions.keys(), rewritten, self.inbound.unreleased());
        }
        self.outbound.end();
        self.subscriptions.clear();
        self.rewrites = Rewrites::default();
    }

    /// Whether [`Session::end`] was called.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// What a DISCONNECT changes the session expiry to, if it may. [MQTT-3.14.2-2]
    pub fn disconnect_expiry(&self, asked_secs: Option<u32>) -> Result<Option<Duration>, Violation> {
        match asked_secs {
            Some(secs) if secs > 0 && self.terms.expiry.is_zero() => Err(Violation::SessionExpiryRaised),
            Some(secs) => {
                let asked = Duration::from_secs(u64::from(secs));
                Ok(Some(asked.min(self.terms.expiry_max)))
            }
            None => Ok(None),
        }
    }

    // ---- messages from the client

    /// Takes a PUBLISH in.
    pub fn take_publish(&mut self, publish: Publish) -> Result<Taken, Violation> {
        let qos = publish.delivery.qos();
        if qos > self.terms.qos_max {
            return Err(Violation::QosNotSupported);
        }
        // [MQTT-3.2.2-14]
        if publish.retain && !self.terms.features.retain {
            return Err(Violation::RetainNotSupported);
        }
        let values = publish.properties.values();
        if values.is_some_and(|values| !values.subscription_identifiers.is_empty()) {
            return Err(Violation::SubscriptionIdentifier);
        }
        let topic = self.inbound.resolve(publish.topic)?;
        let topic = self.mounted(topic)?;
        let novelty = self.inbound.note(publish.delivery)?;
        let message = Message {
            source: Source::Client(self.terms.key),
            topic,
            payload: publish.payload,
            qos,
            retain: publish.retain,
            properties: publish.properties,
            expires_at: None,
        };
        Ok(Taken {
            message: Arc::new(message),
            delivery: publish.delivery,
            novelty,
        })
    }

    fn mounted(&self, topic: TopicName) -> Result<TopicName, Violation> {
        match self.terms.mount_point.as_deref() {
            None => Ok(topic),
            Some(mount) => TopicName::new(format!("{mount}{topic}")).map_err(|_| Violation::TopicNameInvalid),
        }
    }

    /// Answers a PUBLISH. A client of MQTT 3 knows no refusal: it gets a plain acknowledgement.
    ///
    /// The answer waits until the batch `commit` is safe.
    #[inline]
    pub fn answer_publish(
        &mut self,
        delivery: Delivery,
        reason: PublishReason,
        text: Option<ByteString>,
        commit: u64,
    ) {
        match delivery {
            Delivery::AtMostOnce => {}
            Delivery::AtLeastOnce(packet_id) => {
                let properties = self.problem(text);
                let puback = Puback {
                    packet_id,
                    reason,
                    properties,
                };
                self.write_when_safe(commit, |version, out| puback.encode(version, out));
            }
            Delivery::ExactlyOnce(packet_id) => {
                let is_refused = self.terms.version == Version::V5 && reason.is_error();
                if is_refused {
                    self.forget_publish(delivery);
                }
                let recorded = match self.journal() {
                    Some(journal) if !is_refused => journal.receive(packet_id),
                    _ => 0,
                };
                let commit = commit.max(recorded);
                let properties = self.problem(text);
                let pubrec = Pubrec {
                    packet_id,
                    reason,
                    properties,
                };
                self.write_when_safe(commit, |version, out| pubrec.encode(version, out));
            }
        }
    }

    /// What packets for the client are written with, and what waits beside it.
    #[inline]
    fn pen(&mut self) -> (Pen<'_>, &mut Outbound) {
        let pen = Pen {
            terms: &self.terms,
            aliases: &mut self.aliases,
            outbox: &mut self.outbox,
            unwritten: self.unwritten,
            tally: &mut self.written,
            safety: self.safety.as_deref_mut(),
        };
        (pen, &mut self.outbound)
    }

    /// See [`Pen::write_when_safe`].
    #[inline]
    fn write_when_safe(&mut self, commit: u64, encode: impl FnOnce(Version, &mut bytes::BytesMut)) {
        self.pen().0.write_when_safe(commit, encode);
    }

    /// A PUBLISH that was taken in is not answered, since the connection is closed for it or before it.
    pub fn forget_publish(&mut self, delivery: Delivery) {
        if let Delivery::ExactlyOnce(packet_id) = delivery {
            self.inbound.refuse(packet_id);
            if let Some(journal) = self.journal() {
                journal.forget_received(packet_id);
            }
        }
    }

    /// Handles a PUBREL and answers it.
    pub fn handle_pubrel(&mut self, pubrel: &Pubrel) {
        let packet_id = pubrel.packet_id;
        let reason = self.inbound.release(packet_id);
        // A client that has its PUBCOMP may use the identifier again.
        let commit = match self.journal() {
            Some(journal) if reason == PubrelReason::Success => journal.forget_received(packet_id),
            _ => 0,
        };
        let pubcomp = Pubcomp {
            packet_id,
            reason,
            properties: AckProperties::default(),
        };
        self.write_when_safe(commit, |version, out| pubcomp.encode(version, out));
    }

    /// A reason string is left away for clients that do not want any [MQTT-3.1.2-29], and when the packet would grow
    /// beyond what the client takes [MQTT-3.4.2-2].
    fn problem(&self, text: Option<ByteString>) -> AckProperties {
        let fits = |text: &ByteString| ACK_BYTES_MAX + text.len() <= self.terms.packet_bytes_max;
        let reason_string = text.filter(|text| self.terms.problem_information && fits(text));
        AckProperties {
            reason_string,
            user_properties: Vec::new(),
        }
    }

    // ---- acknowledgements from the client

    /// Handles a PUBACK; gives back what the client has taken with it. What waits for the room that it makes is let out with
    /// the next [`Session::pump`] or [`Session::poll_output`].
    ///
    /// # Errors
    /// The message waits for another acknowledgement.
    #[inline]
    pub fn handle_puback(
        &mut self,
        packet_id: PacketId,
        reason: PublishReason,
    ) -> Result<Option<Delivered>, Violation> {
        let finished = self.outbound.puback(packet_id)?;
        let delivered = finished.and_then(|finished| finished.delivered);
        Ok(delivered.filter(|_| !reason.is_error()))
    }

    /// Handles a PUBREC: PUBREL is due, also for an identifier that is not known [MQTT-4.3.3-4]. Gives back what the client has
    /// taken with it.
    ///
    /// # Errors
    /// The message waits for another acknowledgement.
    pub fn handle_pubrec(&mut self, now: Instant, pubrec: &Pubrec) -> Result<Option<Delivered>, Violation> {
        let packet_id = pubrec.packet_id;
        if pubrec.reason.is_error() {
            if self.outbound.pubrec_refused(packet_id)? {
                self.pump(now);
            }
            return Ok(None);
        }
        let known = self.outbound.pubrec(packet_id)?;
        let (reason, commit) = match &known {
            Some(known) => (PubrelReason::Success, known.commit),
            None => (PubrelReason::PacketIdentifierNotFound, 0),
        };
        self.pen().0.write_pubrel(packet_id, reason, commit);
        Ok(known.and_then(|known| known.delivered))
    }

    /// Handles a PUBCOMP.
    ///
    /// # Errors
    /// The message waits for another acknowledgement.
    pub fn handle_pubcomp(&mut self, now: Instant, pubcomp: &Pubcomp) -> Result<(), Violation> {
        if self.outbound.pubcomp(pubcomp.packet_id)? {
            self.pump(now);
        }
        Ok(())
    }

    // ---- messages to the client

    /// A message for this client.
    #[inline]
    pub fn deliver(&mut self, now: Instant, offer: &Offer<'_>) -> Sent {
        if self.ended {
            return Sent::Dropped(DropCause::Offline);
        }
        if self.link.is_none() {
            return self.deliver_offline(offer);
        }
        let outbox_bytes_max = self.terms.outbox_bytes_max;
        let (mut pen, outbound) = self.pen();
        let fits = pen.output_len() < outbox_bytes_max;
        let is_kept = offer.qos > QoS::AtMostOnce;
        if !(fits && (outbound.is_clear(offer.qos) || !is_kept)) {
            return if is_kept {
                self.enqueue(offer.keep())
            } else {
                Sent::Dropped(DropCause::QueueFull)
            };
        }
        if let Some(cause) = pen.refusal(now, offer, false) {
            return Sent::Dropped(cause);
        }
        let launched = if is_kept {
            outbound.launch(offer.keep())
        } else {
            Launched::AT_MOST_ONCE
        };
        pen.write_publish(now, offer, launched.delivery, false, launched.commit);
        Sent::Written
    }

    /// The limit that keeps a message from being taken without another being dropped for it, if one does. `may_wait` is false
    /// where there is no memory to keep more: then only what can be written at once can be taken.
    pub fn lacks_room(&self, message: &Message, qos: QoS, may_wait: bool) -> Option<Limit> {
        let is_kept = qos > QoS::AtMostOnce || (self.terms.queue_qos0 && self.link.is_none());
        let at_once = self.link.is_some()
            && self.output_len() < self.terms.outbox_bytes_max
            && self.outbound.is_clear(qos);
        if at_once || !is_kept {
            None
        } else if may_wait {
            let cost = Delivered::cost_of(message);
            self.outbound.queue_lacks(cost, &self.queue_limits())
        } else {
            Some(Limit::MemoryMax)
        }
    }

    /// The shared subscriptions with messages that another member may get in place of this client, which is away.
    pub fn transferable(&self) -> Vec<Arc<SharedFilter>> {
        let mut filters: Vec<Arc<SharedFilter>> = Vec::new();
        if self.link.is_none() {
            for filter in self
                .outbound
                .transferable()
                .filter_map(|delivered| delivered.shared.as_ref())
            {
                if !filters.contains(filter) {
                    filters.push(Arc::clone(filter));
                }
            }
        }
        filters
    }

    /// Takes out the messages of [`Session::transferable`] whose shared subscription is wanted, in order; none when the
    /// client is back.
    pub fn transfer(&mut self, is_wanted: impl Fn(&SharedFilter) -> bool) -> Vec<Delivered> {
        if self.link.is_some() {
            return Vec::new();
        }
        self.outbound.transfer(is_wanted)
    }

    /// One message of each topic that waits, or that is to be sent again when the client is back.
    pub fn waiting(&self) -> Vec<Arc<Message>> {
        let mut by_topic = HashMap::new();
        for message in self.outbound.waiting(self.link.is_none()) {
            by_topic
                .entry(message.topic.as_str())
                .or_insert_with(|| Arc::clone(message));
        }
        by_topic.into_values().collect()
    }

    /// Forgets messages of [`Session::waiting`].
    pub fn discard(&mut self, is_refused: impl Fn(&TopicName) -> bool) -> Vec<Arc<Message>> {
        self.outbound.discard(self.link.is_none(), is_refused)
    }

    /// Whether a connected client takes its messages more slowly than they come, so that its publishers should slow down before something
    /// has to be dropped. A client that takes nothing at all is soon full, and then slows nobody any more.
    #[inline]
    pub fn wants_respite(&self) -> bool {
        let outbox = Fill::of(self.output_len(), self.terms.outbox_bytes_max);
        let queue = Fill::of(self.outbound.queued_bytes(), self.terms.queue.bytes_max);
        self.link.is_some() && outbox.max(queue) == Fill::Rising
    }

    fn deliver_offline(&mut self, offer: &Offer<'_>) -> Sent {
        if offer.qos == QoS::AtMostOnce && !self.terms.queue_qos0 {
            return Sent::Dropped(DropCause::Offline);
        }
        self.enqueue(offer.keep())
    }

    /// A burst must not cost a connected client messages that were acknowledged to their publishers: it is bounded in bytes
    /// only.
    fn queue_limits(&self) -> QueueLimits {
        let messages_max = if self.link.is_some() {
            usize::MAX
        } else {
            self.terms.queue.messages_max
        };
        QueueLimits {
            messages_max,
            ..self.terms.queue
        }
    }

    fn enqueue(&mut self, delivered: Delivered) -> Sent {
        let limits = self.queue_limits();
        let delivered = if delivered.qos == QoS::AtMostOnce {
            Delivered {
                message: Arc::new(Message::clone(&delivered.message).detached()),
                ..delivered
            }
        } else {
            delivered
        };
        let unqueued = self.outbound.enqueue(delivered, &limits);
        self.outbound.spill(self.link.is_some());
        self.lose(unqueued);
        Sent::Queued
    }

    /// Retained messages for a subscription. They wait their turn like everything else.
    pub fn replay(
        &mut self,
        now: Instant,
        filter: &ByteString,
        messages: Vec<Replayed>,
        qos: QoS,
        ids: SubscriptionIds,
    ) {
        self.outbound.replay(filter, messages, qos, ids);
        self.pump(now);
    }

    /// These subscriptions were taken away, and `kept` are left: retained messages that only the store has, and that no other
    /// covers, are not sent any more.
    pub fn narrow_replays(&mut self, lost: &[ByteString], kept: &Arc<[TopicFilter]>) {
        self.outbound.narrow_replays(lost, kept);
    }

    /// Retained messages that wait to be sent, apart from those that another SUBSCRIBE with this filter would take the place of.
    pub fn replayed_besides(&self, filter: &str) -> usize {
        self.outbound.replayed_besides(filter)
    }

    /// Lets out what waits, as far as window and outbox have room.
    pub fn pump(&mut self, now: Instant) {
        if self.link.is_none() {
            return;
        }
        let outbox_bytes_max = self.terms.outbox_bytes_max;
        loop {
            let (mut pen, outbound) = self.pen();
            if pen.output_len() >= outbox_bytes_max {
                return;
            }
            let Some(next) = outbound.next() else { return };
            match next {
                Next::Pubrel(id, commit) => pen.write_pubrel(id, PubrelReason::Success, commit),
                Next::Publish {
                    delivered,
                    delivery,
                    dup,
                    commit,
                } => {
                    let offer = delivered.offer();
                    let Some(cause) = pen.refusal(now, &offer, dup) else {
                        pen.write_publish(now, &offer, delivery, dup, commit);
                        continue;
                    };
                    let lost = Lost::of(&delivered.message, cause);
                    drop(delivered);
                    self.outbound.forget(delivery);
                    self.losses.get_or_insert_default().lost.push(lost);
                }
            }
        }
    }

    /// Whether something waits that [`Session::pump`] could let out.
    #[inline]
    pub fn has_backlog(&self) -> bool {
        self.outbound.has_backlog()
    }

    /// Answers a PINGREQ. [MQTT-3.12.4-1]
    pub fn answer_ping(&mut self) {
        self.pen()
            .0
            .write(|version, out| hookwire_protocol::encode(&Packet::Pingresp, version, out));
    }

    // ---- output

    /// Moves what waits to be written behind what `into` still holds, then refills from the backlog.
    pub fn poll_output(&mut self, now: Instant, into: &mut Outbox) {
        self.unwritten = into.len();
        if self.has_backlog() {
            self.pump(now);
        }
        self.unwritten = 0;
        if self.safety.as_ref().is_some_and(|safety| safety.holds()) {
            return self.poll_held_output(into);
        }
        self.outbox.drain_into(into);
    }

    /// The socket is full, and so much of what was taken waits in front of it. It counts until output is taken again.
    pub fn note_unwritten(&mut self, bytes: usize) {
        self.unwritten = bytes;
    }

    /// Bytes that wait to be written.
    #[inline]
    pub fn output_len(&self) -> usize {
        let parked = self.safety.as_ref().map_or(0, |safety| safety.parked.len());
        self.unwritten + self.outbox.len() + parked
    }

    /// Messages that did not reach the client since the last call.
    pub fn take_lost(&mut self) -> Vec<Lost> {
        match &mut self.losses {
            Some(losses) => std::mem::take(&mut losses.lost),
            None => Vec::new(),
        }
    }
}

/// An acknowledgement with a reason string is its length and at most so much: header, identifier, reason, lengths.
const ACK_BYTES_MAX: usize = 16;
