//! The last step to a recipient: whether it may have the message, what policies make of it, and into its outbox.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use hookwire_hooks::{
    Access, AccessDecision, Action, Chain, DropCause, EventClass, EventKind, Hook, Message, Parcel, Source,
};
use hookwire_protocol::SharedFilter;

use super::Broker;
use super::access;
use super::client::{Client, Standing};
use super::publish::Round;
use super::publisher::Publisher;
use crate::config::QueueOverflow;
use crate::metrics::Limit;
use crate::router::{Matches, Recipient, Subscriber};
use crate::session::{Delivered, Lost, Offer, Replayed, Sent};
use crate::watch::Basis;

/// One who is to get a message, and the shared subscription that chose it.
#[derive(Debug)]
pub(super) struct Addressee {
    pub(super) recipient: Recipient<Arc<Client>>,
    pub(super) shared: Option<Arc<SharedFilter>>,
}

impl Addressee {
    pub(super) fn of(recipient: &Recipient<Arc<Client>>, shared: Option<&Arc<SharedFilter>>) -> Self {
        Self {
            recipient: recipient.clone(),
            shared: shared.cloned(),
        }
    }
}

/// A message as one recipient is to get it.
#[derive(Clone, Copy)]
struct Consignment<'a> {
    message: &'a Arc<Message>,
    /// Before policies changed it for this recipient.
    published: &'a Arc<Message>,
    shared: Option<&'a Arc<SharedFilter>>,
}

impl<'a> Consignment<'a> {
    fn new(message: &'a Arc<Message>) -> Self {
        Self {
            message,
            published: message,
            shared: None,
        }
    }

    #[inline]
    fn offer_to(&self, recipient: &'a Recipient<Arc<Client>>) -> Offer<'a> {
        let Self {
            message,
            published,
            shared,
        } = *self;
        let is_changed = !Arc::ptr_eq(message, published);
        Offer {
            message,
            qos: message.qos.min(recipient.qos),
            retain: message.retain && recipient.retain_as_published,
            subscription_ids: &recipient.subscription_ids,
            shared,
            original: (is_changed && shared.is_some()).then_some(published),
        }
    }
}

/// What came of messages for one recipient.
#[derive(Debug, Default)]
struct Receipt {
    has_written: bool,
    has_queued: bool,
    lost: Vec<Lost>,
}

impl Receipt {
    #[inline]
    fn note(&mut self, message: &Arc<Message>, sent: Sent) {
        match sent {
            Sent::Written => self.has_written = true,
            Sent::Queued => self.has_queued = true,
            Sent::Dropped(cause) => self.lost.push(Lost::of(message, cause)),
        }
    }
}

impl Broker {
    /// Gives a message to somebody, if policies let it through.
    pub(super) fn hand_over(
        &self,
        round: &Round<'_>,
        publisher: &mut Publisher,
        message: &Arc<Message>,
        addressee: Addressee,
    ) {
        if wants_deliver(round.chain, message) {
            return self.hand_over_all(round, publisher, message, vec![addressee]);
        }
        let Addressee { recipient, shared } = addressee;
        self.give(round, publisher, message, &recipient, shared.as_ref());
    }

    /// The same for a delivery that no policy wants to judge.
    #[inline]
    pub(super) fn give(
        &self,
        round: &Round<'_>,
        publisher: &mut Publisher,
        message: &Arc<Message>,
        recipient: &Recipient<Arc<Client>>,
        shared: Option<&Arc<SharedFilter>>,
    ) {
        if self.lets_through(round, message, &recipient.subscriber) {
            let consignment = Consignment {
                shared,
                ..Consignment::new(message)
            };
            self.put(round, publisher, recipient, [consignment]);
        }
    }

    /// Gives a message to many, after policies have judged all of these deliveries in as few calls as possible.
    pub(super) fn hand_over_all(
        &self,
        round: &Round<'_>,
        publisher: &mut Publisher,
        message: &Arc<Message>,
        mut addressees: Vec<Addressee>,
    ) {
        addressees.retain(|addressee| self.lets_through(round, message, &addressee.recipient.subscriber));
        let parcel =
            |addressee: &Addressee| Parcel::new(addressee.recipient.subscriber.key(), Arc::clone(message));
        let mut parcels: Vec<_> = addressees.iter().map(parcel).collect();
        round.chain.deliver(&mut parcels, round.now);
        for (addressee, parcel) in addressees.iter().zip(&parcels) {
            let Addressee { recipient, shared } = addressee;
            if let Some(cause) = refusal(round, message, parcel) {
                self.report_lost(&recipient.subscriber, vec![Lost::of(message, cause)]);
                continue;
            }
            let consignment = Consignment {
                message: &parcel.message,
                published: message,
                shared: shared.as_ref(),
            };
            self.put(round, publisher, recipient, [consignment]);
        }
    }

    /// Whether a message that no policy changes for one of its recipients may wait for those that follow it to the same ones:
    /// whether there is room for those that follow does not depend on it, nobody gets it twice (it would get the next one
    /// between), and no subscription brings it as retained meanwhile.
    #[inline]
    pub(super) fn may_bundle(
        &self,
        round: &Round<'_>,
        message: &Message,
        matches: &Matches<Arc<Client>>,
    ) -> bool {
        let rejects = round.settings.session.queue_overflow == QueueOverflow::RejectPublisher;
        let may_find_no_room = rejects || self.0.memory.is_full();
        let may_be_doubled = message.retain || matches.is_repeating;
        matches.groups.is_empty() && !(may_be_doubled || may_find_no_room || self.watches().is_on())
    }

    /// Gives what was bundled to its recipients.
    pub(super) fn hand_over_bundle(&self, round: &Round<'_>, publisher: &mut Publisher, from: Option<u64>) {
        let Some((matches, messages)) = publisher.bundle.take() else {
            return;
        };
        for recipient in &matches.recipients {
            let client = &recipient.subscriber;
            let consignments = messages.iter().map(Consignment::new);
            if from == Some(client.id()) {
                let addressee = || Addressee::of(recipient, None);
                messages
                    .iter()
                    .for_each(|message| publisher.answer_before(message, addressee()));
            } else if asks_about(round, client) {
                let permitted = self.permitted(round, client, &messages);
                self.put(
                    round,
                    publisher,
                    recipient,
                    permitted.iter().map(Consignment::new),
                );
            } else {
                self.put(round, publisher, recipient, consignments);
            }
        }
        publisher.bundle.reuse(messages);
    }

    /// Whether a client has the right to get a message; where not, it is reported.
    #[inline]
    fn lets_through(&self, round: &Round<'_>, message: &Arc<Message>, client: &Arc<Client>) -> bool {
        if !asks_about(round, client) || self.may_receive(round.chain, client, message, round.now) {
            return true;
        }
        self.report_lost(client, vec![Lost::of(message, DropCause::Denied)]);
        false
    }

    /// The messages of one topic that a client has the right to get; the others are reported. What its grant says, or an answer
    /// that is remembered, is said of the topic, and so of all of them.
    fn permitted<'m>(
        &self,
        round: &Round<'_>,
        client: &Arc<Client>,
        messages: &'m [Arc<Message>],
    ) -> Cow<'m, [Arc<Message>]> {
        let decide = |message| {
            let (decision, basis) = self.decide_delivery(round.chain, client, message, round.now);
            (decision == AccessDecision::Allow, basis.is_some())
        };
        let Some((first, others)) = messages.split_first() else {
            return Cow::Borrowed(messages);
        };
        let (has_right, is_said_of_all) = decide(first);
        if has_right && is_said_of_all {
            return Cow::Borrowed(messages);
        }
        let (mut permitted, mut lost) = (Vec::new(), Vec::new());
        let mut sort = |message: &Arc<Message>, has_right| {
            if has_right {
                permitted.push(Arc::clone(message));
            } else {
                lost.push(Lost::of(message, DropCause::Denied));
            }
        };
        sort(first, has_right);
        for message in others {
            sort(message, !is_said_of_all && decide(message).0);
        }
        self.report_lost(client, lost);
        Cow::Owned(permitted)
    }

    /// Gives a client messages that it may have, in order.
    #[inline]
    fn put<'c>(
        &self,
        round: &Round<'_>,
        publisher: &mut Publisher,
        recipient: &'c Recipient<Arc<Client>>,
        consignments: impl IntoIterator<Item = Consignment<'c>, IntoIter: Clone>,
    ) {
        let client = &recipient.subscriber;
        let consignments = consignments.into_iter();
        let mut receipt = Receipt::default();
        let mut session = client.session();
        for consignment in consignments.clone() {
            let sent = session.deliver(round.now, &consignment.offer_to(recipient));
            receipt.note(consignment.message, sent);
            if session.wants_respite() {
                publisher.wants_respite();
            }
        }
        publisher.has_recorded(session.take_recorded());
        if receipt.has_written
            && let Some(link) = session.link().filter(|link| link.signal())
        {
            publisher.has_output(link);
        }
        let is_all_written = !receipt.has_queued && receipt.lost.is_empty();
        let (mut lost, unread) = if is_all_written {
            Default::default()
        } else {
            (session.take_lost(), session.take_dropped_unread())
        };
        drop(session);
        self.count_dropped_unread(&unread);
        // While somebody looks on there is one message.
        if self.watches().is_on() && (receipt.has_written || receipt.has_queued) {
            consignments
                .for_each(|consignment| self.tell_delivered(client, consignment.message, receipt.has_queued));
        }
        if receipt.has_queued && self.0.memory.is_scarce() {
            self.0.metrics.limits.reached(Limit::MemoryMax);
            publisher.wants_scarce_respite();
        }
        lost.append(&mut receipt.lost);
        self.report_lost(client, lost);
    }

    /// Rights are looked at again at each delivery: they may have changed since the subscription was made.
    pub(super) fn may_receive(
        &self,
        chain: &Chain,
        client: &Client,
        message: &Message,
        now: Instant,
    ) -> bool {
        let (decision, _) = self.decide_delivery(chain, client, message, now);
        decision == AccessDecision::Allow
    }

    fn decide_delivery(
        &self,
        chain: &Chain,
        client: &Client,
        message: &Message,
        now: Instant,
    ) -> (AccessDecision, Option<Basis>) {
        // Who it is, is looked at behind the lock: with what is forgotten when it is somebody else, so are answers about whom it was.
        let mut memo = client.deliveries();
        let mut asked = Access {
            client: client.key(),
            action: Action::Deliver,
            topic: message.topic.as_str(),
            qos: message.qos,
            retain: message.retain,
        };
        let (decision, basis) = match memo.get(chain.generation(), &asked, now) {
            Some(decision) => (decision, Some(Basis::Memory)),
            None => {
                let Standing { facts, rights } = client.standing();
                asked.client = facts.key;
                access::decide_on_basis(chain, &rights, &mut memo, &asked, now)
            }
        };
        drop(memo);
        self.tell_decided(&asked, basis, &decision, chain.generation());
        (decision, basis)
    }

    /// What policies make of retained messages that a subscription brings.
    pub(super) fn judge_replay(
        &self,
        chain: &Chain,
        client: &Arc<Client>,
        brought: Vec<Replayed>,
        now: Instant,
    ) -> Vec<Replayed> {
        if !chain.has(Hook::Deliver) {
            return brought;
        }
        let is_judged = |message: &Arc<Message>| wants_deliver(chain, message);
        let (judged, rest): (Vec<_>, Vec<_>) = brought
            .into_iter()
            .partition(|replayed| replayed.message.as_ref().is_some_and(is_judged));
        let message = |replayed: &Replayed| replayed.message.clone();
        let messages = judged.iter().filter_map(message);
        let mut parcels: Vec<_> = messages
            .map(|message| Parcel::new(client.key(), message))
            .collect();
        chain.deliver(&mut parcels, now);
        let judged = judged.into_iter().zip(parcels);
        let let_through = judged.filter(|(_, parcel)| !parcel.is_dropped);
        let changed = let_through.map(|(Replayed { copy, .. }, parcel)| Replayed {
            copy,
            message: Some(parcel.message),
        });
        rest.into_iter().chain(changed).collect()
    }

    /// Whether anybody wants to hear what clients have acknowledged.
    pub fn wants_acked(&self) -> bool {
        self.chain().wants_event(EventClass::Acked)
    }

    /// A client has acknowledged what it was sent.
    pub fn report_acked(&self, client: &Client, delivered: &Delivered) {
        if !self.wants_acked() {
            return;
        }
        let standing = client.standing();
        self.emit(standing.facts.key, &standing.facts.client_id, || {
            EventKind::Acked {
                topic: delivered.message.topic.as_str().into(),
                qos: delivered.qos,
            }
        });
    }
}

/// Whether policies, or a client's grant, have a say in what it receives.
#[inline]
fn asks_about(round: &Round<'_>, client: &Client) -> bool {
    round.asks_deliver || client.is_restricted()
}

/// Whether policies want to judge the deliveries of a message. The broker's own are not shown to them.
#[inline]
pub(super) fn wants_deliver(chain: &Chain, message: &Message) -> bool {
    chain.has(Hook::Deliver) && message.source != Source::Broker && chain.wants_deliver(&message.topic)
}

/// Why a delivery is not to be, after policies have judged it.
fn refusal(round: &Round<'_>, published: &Arc<Message>, parcel: &Parcel) -> Option<DropCause> {
    let is_changed = !Arc::ptr_eq(published, &parcel.message);
    if parcel.is_dropped {
        Some(DropCause::Denied)
    } else if is_changed && parcel.message.payload.len() > round.settings.limits.decode.packet_bytes_max {
        Some(DropCause::TooLarge)
    } else {
        None
    }
}
