//! What a session sends: the window of messages on their way, what waits behind it, and the packet
//! identifiers.
//!
//! ```text
//!              push                    fill                      PUBACK
//!  deliver ─────────► queue ──────────────────────► AwaitPuback ───────────► gone
//!                     (waits for room in the       AwaitPubrec
//!                      window and in the outbox)        │ PUBREC
//!                                                       ▼
//!                                                  AwaitPubcomp ──PUBCOMP──► gone
//! ```
//!
//! After a reconnect everything in the window is sent again, in order, before anything that waits.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;

use bytestring::ByteString;
use hookwire_hooks::Message;
use hookwire_protocol::{Delivery, PacketId, QoS, SharedFilter, TopicFilter, TopicName};
use smallvec::SmallVec;

use super::journal::{Journal, Place};
use super::queue::{Away, Delivered, Queue, QueueLimits, SubscriptionIds, Waiting};
use super::replay::{Replay, Turn};
use super::window::{Awaits, Inflight, Window, WindowLimits};
use super::{Lost, Replayed, RetainedCopy, Violation};
use crate::metrics::Limit;

/// What had to go for a message, or the message itself.
#[derive(Debug, Default)]
pub(super) struct Unqueued {
    pub(super) lost: SmallVec<[Lost; 1]>,
    /// For each message that only the store had, the limit that it went for.
    pub(super) unread: SmallVec<[Limit; 1]>,
}

/// What an acknowledgement is about, if it is known.
#[derive(Debug)]
pub(super) struct Acknowledged {
    /// `None` where the client had taken the message before.
    pub(super) delivered: Option<Delivered>,
    /// The batch with which the next packet of the exchange is safe to be sent.
    pub(super) commit: u64,
}

/// The next packet that may go out.
#[derive(Debug)]
pub(super) enum Next<'a> {
    Publish {
        /// As it stands in the window; what is sent at most once is not kept.
        delivered: Cow<'a, Delivered>,
        delivery: Delivery,
        dup: bool,
        /// Not before this batch is safe.
        commit: u64,
    },
    Pubrel(PacketId, u64),
}

/// A PUBLISH that may go out, and the batch with which it is safe to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Launched {
    pub(super) delivery: Delivery,
    pub(super) commit: u64,
}

impl Launched {
    /// A message that is written and forgotten.
    pub(super) const AT_MOST_ONCE: Self = Self {
        delivery: Delivery::AtMostOnce,
        commit: 0,
    };
}

/// What most sessions have nothing in is apart.
#[derive(Debug)]
pub(super) struct Outbound {
    window: Window,
    next_id: PacketId,
    /// Identifiers that were in use when numbering last began anew; they are skipped.
    held_over: Box<[PacketId]>,
    queue: Option<Box<Queue>>,
    replays: Option<Box<Replays>>,
    /// Of a session that is to survive the process.
    records: Option<Box<Records>>,
}

/// Retained messages that subscriptions have brought.
#[derive(Debug, Default)]
struct Replays {
    line: VecDeque<Replay>,
    /// Some are being fetched from the store.
    is_fetching: bool,
}

/// What a session has in the store.
#[derive(Debug)]
struct Records {
    journal: Journal,
    next_seq: u64,
    /// The highest number that was sent.
    sent_to: u64,
    /// The highest number that was sent before the broker was started.
    sent_before: u64,
    /// The last batch that something was recorded in, since somebody asked.
    recorded: u64,
    /// Messages are being fetched from the store.
    is_fetching: bool,
}

impl Default for Outbound {
    fn default() -> Self {
        Self {
            window: Window::default(),
            next_id: FIRST_ID,
            held_over: Box::default(),
            queue: None,
            replays: None,
            records: None,
        }
    }
}

impl Records {
    fn new(journal: Journal) -> Self {
        Self {
            journal,
            next_seq: 1,
            sent_to: 0,
            sent_before: 0,
            recorded: 0,
            is_fetching: false,
        }
    }

    /// There is a message of this number.
    fn skip(&mut self, seq: u64) {
        self.next_seq = self.next_seq.max(seq + 1);
    }
}

/// The lowest packet identifier.
pub(super) const FIRST_ID: PacketId = match PacketId::new(1) {
    Some(id) => id,
    None => unreachable!(),
};

impl Outbound {
    /// A new network connection: everything in the window has to be sent again. [MQTT-4.4.0-1]
    pub(super) fn attach(&mut self, limits: WindowLimits) {
        self.window.attach(limits);
    }

    /// The connection is gone. QoS 0 messages are not kept; retained messages of QoS 1 and 2 that a SUBSCRIBE brought and that
    /// had no room yet wait with the others from here on. Those that find no room there are given back: none pushes out what
    /// was published since, whatever the policy of the queue.
    pub(super) fn detach(&mut self, keep_qos0: bool, limits: &QueueLimits) -> Unqueued {
        if !keep_qos0 {
            let dropped = self.extract(|delivered| delivered.qos == QoS::AtMostOnce);
            self.erase_all(&dropped);
        }
        let unqueued = self.rest_replays(limits);
        if let Some(queue) = &mut self.queue {
            queue.rest();
        }
        self.spill(false);
        unqueued
    }

    /// Nobody is there to send retained messages to: those that are in memory wait with the others. Those that only the store
    /// has follow when they are fetched, as far as there will be room.
    fn rest_replays(&mut self, limits: &QueueLimits) -> Unqueued {
        let mut unqueued = Unqueued::default();
        let Some(mut replays) = self.replays.take() else {
            return unqueued;
        };
        for replay in &mut replays.line {
            let here = replay.rest(|copy| {
                let lacking = self.queue_lacks(copy.cost(), limits);
                unqueued.unread.extend(lacking);
                lacking.is_none()
            });
            for delivered in here {
                self.rest_one(delivered, limits, &mut unqueued);
            }
        }
        replays.line.retain(|replay| replay.len() > 0);
        self.replays = Some(replays);
        unqueued
    }

    /// The same for what was fetched since: only the first of them have to be looked at.
    pub(super) fn rest_fetched(&mut self, limits: &QueueLimits) -> Unqueued {
        let mut unqueued = Unqueued::default();
        let Some(mut replays) = self.replays.take() else {
            return unqueued;
        };
        while let Some(replay) = replays.line.front_mut() {
            if self.rest_front(replay, limits, &mut unqueued) {
                break;
            }
            replays.line.pop_front();
        }
        self.replays = Some(replays);
        unqueued
    }

    /// True when there is more of it to be fetched.
    fn rest_front(&mut self, replay: &mut Replay, limits: &QueueLimits, unqueued: &mut Unqueued) -> bool {
        loop {
            match replay.next() {
                Turn::Message(delivered) => self.rest_one(delivered, limits, unqueued),
                Turn::Over => return false,
                Turn::Away(cost) => {
                    let Some(limit) = self.queue_lacks(cost, limits) else {
                        return true;
                    };
                    unqueued.unread.push(limit);
                    replay.skip();
                }
            }
        }
    }

    fn rest_one(&mut self, delivered: Delivered, limits: &QueueLimits, unqueued: &mut Unqueued) {
        if delivered.qos == QoS::AtMostOnce {
            return;
        }
        match self.queue_lacks(delivered.cost(), limits) {
            Some(limit) => unqueued.lost.push(Lost::over(limit, delivered.message)),
            None => self.push(delivered),
        }
    }

    /// Whether a message may skip the queue.
    #[inline]
    pub(super) fn is_clear(&self, qos: QoS) -> bool {
        self.is_queue_empty()
            && (qos == QoS::AtMostOnce || (!self.window.has_unsent() && self.window.has_room()))
    }

    /// Whether something waits that is not yet on its way.
    #[inline]
    pub(super) fn has_backlog(&self) -> bool {
        self.window.has_unsent()
            || !self.is_queue_empty()
            || self
                .replays
                .as_ref()
                .is_some_and(|replays| !replays.line.is_empty())
    }

    /// Bytes that wait.
    #[inline]
    pub(super) fn queued_bytes(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.bytes())
    }

    /// Messages on their way.
    pub(super) fn inflight(&self) -> usize {
        self.window.len()
    }

    /// Messages that wait.
    pub(super) fn queued(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.len())
    }

    #[inline]
    fn is_queue_empty(&self) -> bool {
        self.queue.as_ref().is_none_or(|queue| queue.is_empty())
    }

    fn queue(&mut self) -> &mut Queue {
        self.queue.get_or_insert_default()
    }

    /// Those that wait and are in memory.
    fn queued_here(&self) -> impl Iterator<Item = &Delivered> {
        self.queue.iter().flat_map(|queue| queue.iter())
    }

    /// Takes messages that wait out, in order.
    fn extract(&mut self, is_wanted: impl Fn(&Delivered) -> bool) -> Vec<Waiting> {
        let queue = self.queue.as_mut();
        queue.map_or_else(Vec::new, |queue| queue.extract(is_wanted))
    }

    /// Retained messages that wait, by subscription.
    fn replays(&self) -> impl Iterator<Item = &Replay> {
        self.replays.iter().flat_map(|replays| &replays.line)
    }

    fn replays_mut(&mut self) -> impl Iterator<Item = &mut Replay> {
        self.replays.iter_mut().flat_map(|replays| &mut replays.line)
    }

    fn journal(&self) -> Option<&Journal> {
        self.records.as_ref().map(|records| &records.journal)
    }

    /// The limit that keeps another message from finding room in the queue, if one does.
    pub(super) fn queue_lacks(&self, cost: usize, limits: &QueueLimits) -> Option<Limit> {
        match &self.queue {
            Some(queue) => queue.lacks(cost, limits),
            None => Queue::default().lacks(cost, limits),
        }
    }

    /// Messages that another member of their shared subscription may get in place of this client: those that wait, and
    /// those of QoS 1 that were not acknowledged. One of QoS 2 that was sent stays. [MQTT-4.8.2-4]
    pub(super) fn transferable(&self) -> impl Iterator<Item = &Delivered> {
        let unacknowledged = self.window.iter().filter_map(Inflight::transferable);
        unacknowledged
            .chain(self.queued_here())
            .filter(|delivered| delivered.shared.is_some())
    }

    /// Takes out those of [`Outbound::transferable`] that are wanted, in order. Nobody may be connected.
    pub(super) fn transfer(&mut self, is_wanted: impl Fn(&SharedFilter) -> bool) -> Vec<Delivered> {
        let is_wanted = |delivered: &Delivered| delivered.shared.as_deref().is_some_and(&is_wanted);
        let in_window = |inflight: &Inflight| inflight.transferable().is_some_and(is_wanted);
        let mut taken = self.window.extract(in_window);
        taken.extend(self.extract(is_wanted));
        self.erase_all(&taken);
        taken.into_iter().map(|waiting| waiting.delivered).collect()
    }

    /// Messages that wait; those in the window too, if `with_window`.
    pub(super) fn waiting(&self, with_window: bool) -> impl Iterator<Item = &Arc<Message>> {
        let window = self.window.iter().filter(move |_| with_window);
        let unacknowledged = window.filter_map(|inflight| inflight.delivered.as_ref());
        let replayed = self.replays().flat_map(Replay::here);
        unacknowledged
            .chain(self.queued_here())
            .map(|delivered| &delivered.message)
            .chain(replayed)
    }

    /// Forgets messages of [`Outbound::waiting`]. An exchange of QoS 2 that the client has answered goes on: it has the
    /// message.
    pub(super) fn discard(
        &mut self,
        with_window: bool,
        is_refused_topic: impl Fn(&TopicName) -> bool,
    ) -> Vec<Arc<Message>> {
        let is_refused = |delivered: &Delivered| is_refused_topic(&delivered.message.topic);
        let mut dropped = Vec::new();
        if with_window {
            let in_window = |inflight: &Inflight| inflight.delivered.as_ref().is_some_and(is_refused);
            dropped.extend(self.window.extract(in_window));
        }
        dropped.extend(self.extract(is_refused));
        self.erase_all(&dropped);
        let mut dropped: Vec<_> = dropped
            .into_iter()
            .map(|waiting| waiting.delivered.message)
            .collect();
        for replay in self.replays_mut() {
            dropped.extend(replay.discard(&is_refused_topic));
        }
        dropped
    }

    /// Takes a message in; gives back those that had to go for it, or itself.
    pub(super) fn enqueue(&mut self, delivered: Delivered, limits: &QueueLimits) -> Unqueued {
        let mut unqueued = Unqueued::default();
        let Some(limit) = self.queue_lacks(delivered.cost(), limits) else {
            self.push(delivered);
            return unqueued;
        };
        let Some(removed) = self.queue().make_room(delivered.cost(), limits) else {
            unqueued.lost.push(Lost::over(limit, delivered.message));
            return unqueued;
        };
        self.erase_all(&removed.messages);
        removed.away.iter().for_each(|place| self.erase(Some(place)));
        let lost = |waiting: Waiting| Lost::over(limit, waiting.delivered.message);
        unqueued.lost.extend(removed.messages.into_iter().map(lost));
        unqueued.unread.extend(removed.away.iter().map(|_| limit));
        self.push(delivered);
        unqueued
    }

    fn push(&mut self, delivered: Delivered) {
        let place = self.record(&delivered);
        self.queue().push(Waiting { delivered, place });
    }

    /// Retained messages of a subscription, in place of what it still owes from an earlier SUBSCRIBE.
    pub(super) fn replay(
        &mut self,
        filter: &ByteString,
        messages: Vec<Replayed>,
        qos: QoS,
        subscription_ids: SubscriptionIds,
    ) {
        self.forget_replay(filter);
        if !messages.is_empty() {
            let replay = Replay::new(filter.clone(), messages, qos, subscription_ids);
            self.replays.get_or_insert_default().line.push_back(replay);
        }
    }

    /// Retained messages of this subscription that wait are not sent any more.
    fn forget_replay(&mut self, filter: &str) {
        if let Some(replays) = &mut self.replays {
            replays.line.retain(|replay| replay.filter() != filter);
        }
    }

    /// These subscriptions were taken away, and `kept` are left: retained messages that only the store has, and that no other
    /// covers, are not sent any more. What was taken away before is covered by less now.
    pub(super) fn narrow_replays(&mut self, lost: &[ByteString], kept: &Arc<[TopicFilter]>) {
        let is_lost = |replay: &Replay| lost.iter().any(|lost| **lost == *replay.filter());
        let concerned = |replay: &&mut Replay| replay.is_narrowed() || is_lost(replay);
        for replay in self.replays_mut().filter(concerned) {
            replay.narrow(Arc::clone(kept));
        }
    }

    /// Retained messages that wait are not sent any more.
    pub(super) fn forget_replays(&mut self) {
        if let Some(replays) = &mut self.replays {
            replays.line.clear();
        }
    }

    /// Retained messages that wait, apart from those that another SUBSCRIBE with this filter would take the place of.
    pub(super) fn replayed_besides(&self, filter: &str) -> usize {
        let others = self.replays().filter(|replay| replay.filter() != filter);
        others.map(Replay::len).sum()
    }

    /// Puts a QoS 1 or 2 message into the window.
    #[inline]
    pub(super) fn launch(&mut self, delivered: Delivered) -> Launched {
        let place = self.record(&delivered);
        self.launch_from(delivered, place)
    }

    fn launch_from(&mut self, delivered: Delivered, place: Option<Place>) -> Launched {
        let id = match &place {
            None => self.allocate(),
            Some(place) => {
                if let Some(records) = &mut self.records {
                    records.sent_to = records.sent_to.max(place.seq);
                }
                place.packet_id()
            }
        };
        let (awaits, delivery) = match delivered.qos {
            QoS::AtMostOnce => return Launched::AT_MOST_ONCE,
            QoS::AtLeastOnce => (Awaits::Puback, Delivery::AtLeastOnce(id)),
            QoS::ExactlyOnce => (Awaits::Pubrec, Delivery::ExactlyOnce(id)),
        };
        // A QoS 2 message that its recipient has and we have forgotten would be sent once more, under another identifier.
        let commit = match &place {
            Some(place) if awaits == Awaits::Pubrec => place.commit,
            _ => 0,
        };
        self.window.push(Inflight {
            id,
            awaits,
            sent: true,
            delivered: Some(delivered),
            place,
            commit,
        });
        Launched { delivery, commit }
    }

    /// The next packet that the window lets out: resends first, then what was queued, then retained messages.
    pub(super) fn next(&mut self) -> Option<Next<'_>> {
        if self.window.has_unsent() {
            return self.next_resend();
        }
        let Waiting { delivered, place } = self.next_waiting()?;
        let dup = place.is_some_and(|place| place.seq <= self.sent_before());
        if delivered.qos == QoS::AtMostOnce {
            self.erase(place.as_ref());
            return Some(Next::Publish {
                delivered: Cow::Owned(delivered),
                delivery: Delivery::AtMostOnce,
                dup,
                commit: 0,
            });
        }
        let Launched { delivery, commit } = self.launch_from(delivered, place);
        let delivered = self.window.last()?.delivered.as_ref()?;
        Some(Next::Publish {
            delivered: Cow::Borrowed(delivered),
            delivery,
            dup,
            commit,
        })
    }

    fn next_resend(&mut self) -> Option<Next<'_>> {
        let inflight = self.window.resend()?;
        let (id, commit) = (inflight.id, inflight.commit);
        let (delivered, delivery) = match (inflight.awaits, &inflight.delivered) {
            (Awaits::Puback, Some(delivered)) => (delivered, Delivery::AtLeastOnce(id)),
            (Awaits::Pubrec, Some(delivered)) => (delivered, Delivery::ExactlyOnce(id)),
            _ => return Some(Next::Pubrel(id, commit)),
        };
        Some(Next::Publish {
            delivered: Cow::Borrowed(delivered),
            delivery,
            dup: true,
            commit,
        })
    }

    fn next_waiting(&mut self) -> Option<Waiting> {
        if !self.is_queue_empty() {
            // The front may be of QoS 0 and need no room; looking costs a pop, so only ask when there is room
            // anyway.
            return if self.window.has_room() && self.has_identifier() {
                self.queue().pop()
            } else {
                None
            };
        }
        let has_room = self.window.has_room();
        loop {
            let line = &mut self.replays.as_mut()?.line;
            let replay = line.front_mut()?;
            if !has_room && replay.qos() > QoS::AtMostOnce {
                return None;
            }
            match replay.next() {
                Turn::Over => drop(line.pop_front()),
                Turn::Away(_) => return None,
                Turn::Message(delivered) => {
                    let place = if delivered.qos > QoS::AtMostOnce {
                        self.record(&delivered)
                    } else {
                        None
                    };
                    return Some(Waiting { delivered, place });
                }
            }
        }
    }

    /// Whether the identifier of the next message is free: that of one that waits for its acknowledgement since 65,535 messages
    /// ago is not.
    fn has_identifier(&self) -> bool {
        let place = self.queue.as_ref().and_then(|queue| queue.front_place());
        place.is_none_or(|place| self.window.position(place.packet_id()).is_none())
    }

    /// PUBACK: the message has arrived. `None` when the identifier is not known.
    #[inline]
    pub(super) fn puback(&mut self, id: PacketId) -> Result<Option<Acknowledged>, Violation> {
        self.finish(id, Awaits::Puback)
    }

    /// PUBREC with success: from here on only PUBCOMP is waited for. `None` when the identifier is not known.
    pub(super) fn pubrec(&mut self, id: PacketId) -> Result<Option<Acknowledged>, Violation> {
        let at = self.window.position(id);
        let Some((at, inflight)) = at.and_then(|at| Some((at, self.window.get(at)?))) else {
            return Ok(None);
        };
        if inflight.awaits == Awaits::Puback {
            return Err(Violation::AnotherAcknowledgement);
        }
        let Some((inflight, delivered)) = self.window.release(at) else {
            return Ok(None);
        };
        if let (Some(records), Some(place)) = (&self.records, inflight.place.take()) {
            inflight.commit = records.journal.release(id, &place);
        }
        Ok(Some(Acknowledged {
            delivered,
            commit: inflight.commit,
        }))
    }

    /// PUBREC with an error: the exchange is over. [MQTT-4.3.3-9]
    pub(super) fn pubrec_refused(&mut self, id: PacketId) -> Result<bool, Violation> {
        Ok(self.finish(id, Awaits::Pubrec)?.is_some())
    }

    /// PUBCOMP: the message has arrived exactly once.
    pub(super) fn pubcomp(&mut self, id: PacketId) -> Result<bool, Violation> {
        Ok(self.finish(id, Awaits::Pubcomp)?.is_some())
    }

    /// The message could not be sent: its identifier is free again.
    pub(super) fn forget(&mut self, delivery: Delivery) {
        if let Some(at) = delivery.packet_id().and_then(|id| self.window.position(id))
            && let Some(inflight) = self.window.remove(at)
        {
            self.erase(inflight.place.as_ref());
        }
    }

    #[inline]
    fn finish(&mut self, id: PacketId, awaits: Awaits) -> Result<Option<Acknowledged>, Violation> {
        let at = self.window.position(id);
        let Some((at, inflight)) = at.and_then(|at| Some((at, self.window.get(at)?))) else {
            return Ok(None);
        };
        if inflight.awaits != awaits {
            return Err(Violation::AnotherAcknowledgement);
        }
        let Some(inflight) = self.window.remove(at) else {
            return Ok(None);
        };
        self.erase(inflight.place.as_ref());
        if let Some(journal) = self.journal().filter(|_| awaits == Awaits::Pubcomp) {
            journal.forget_release(id);
        }
        Ok(Some(Acknowledged {
            delivered: inflight.delivered,
            commit: 0,
        }))
    }

    /// A free identifier. Numbers run upwards; those still in use when they begin anew are remembered and
    /// skipped, so that no search through the window is needed for each message.
    #[inline]
    fn allocate(&mut self) -> PacketId {
        loop {
            let id = self.next_id;
            self.next_id = id.next();
            if self.next_id == FIRST_ID {
                self.held_over = self.window.iter().map(|inflight| inflight.id).collect();
            }
            if !(self.held_over.contains(&id) && self.window.position(id).is_some()) {
                return id;
            }
        }
    }

    // ---- what is recorded

    /// The session is to survive the process.
    pub(super) fn keep_in(&mut self, journal: Journal) {
        self.records = Some(Box::new(Records::new(journal)));
    }

    fn record(&mut self, delivered: &Delivered) -> Option<Place> {
        let seq = self.fresh_seq()?;
        let records = self.records.as_mut()?;
        let place = records.journal.put(seq, delivered);
        records.recorded = records.recorded.max(place.commit);
        Some(place)
    }

    /// A number whose identifier is free, where messages are recorded.
    fn fresh_seq(&mut self) -> Option<u64> {
        loop {
            let records = self.records.as_mut()?;
            let seq = records.next_seq;
            records.next_seq += 1;
            if self.window.position(super::journal::packet_id(seq)).is_none() {
                return Some(seq);
            }
        }
    }

    fn sent_before(&self) -> u64 {
        self.records.as_ref().map_or(0, |records| records.sent_before)
    }

    fn erase(&self, place: Option<&Place>) {
        if let (Some(journal), Some(place)) = (self.journal(), place) {
            journal.remove(place);
        }
    }

    fn erase_all(&self, waiting: &[Waiting]) {
        if self.records.is_some() {
            waiting
                .iter()
                .for_each(|waiting| self.erase(waiting.place.as_ref()));
        }
    }

    /// The session is over: nothing of it is left.
    pub(super) fn end(&mut self) {
        let mut ended = std::mem::take(self);
        let Some(Records { journal, .. }) = ended.records.as_deref() else {
            return;
        };
        for inflight in ended.window.iter() {
            match &inflight.place {
                Some(place) => journal.remove(place),
                None => journal.forget_release(inflight.id),
            };
        }
        for place in ended.queue.iter_mut().flat_map(|queue| queue.clear()) {
            journal.remove(&place);
        }
    }

    /// The last batch that something was recorded in since the last call, or 0.
    #[inline]
    pub(super) fn take_recorded(&mut self) -> u64 {
        let records = self.records.as_mut();
        records.map_or(0, |records| std::mem::take(&mut records.recorded))
    }

    /// Leaves to the store what is safe there and not sent soon.
    pub(super) fn spill(&mut self, is_online: bool) {
        if let (Some(records), Some(queue)) = (&self.records, &mut self.queue) {
            queue.spill(is_online, |place| records.journal.is_safe(place.commit));
        }
    }

    /// The highest number that was sent.
    pub(super) fn sent_to(&self) -> u64 {
        self.records.as_ref().map_or(0, |records| records.sent_to)
    }

    /// What is to be fetched from the store now; each is asked for once.
    pub(super) fn take_wanted(&mut self) -> Vec<Away> {
        let (Some(records), Some(queue)) = (&mut self.records, &self.queue) else {
            return Vec::new();
        };
        if records.is_fetching {
            return Vec::new();
        }
        let wanted = queue.wanted();
        records.is_fetching = !wanted.is_empty();
        wanted
    }

    /// What was fetched; messages that the store does not have are gone.
    pub(super) fn bring_back(&mut self, fetched: Vec<(Place, Option<Delivered>)>, is_all: bool) {
        if let Some(records) = &mut self.records {
            records.is_fetching = !is_all;
        }
        for (place, delivered) in fetched {
            let is_lost = delivered.is_none();
            if self.queue().bring_back(&place, delivered) && is_lost {
                self.erase(Some(&place));
            }
        }
    }

    /// Retained messages that are to be fetched from the store now.
    pub(super) fn take_wanted_retained(&mut self) -> Vec<Arc<RetainedCopy>> {
        let Some(replays) = self.replays.as_mut().filter(|replays| !replays.is_fetching) else {
            return Vec::new();
        };
        let wanted = replays.line.front().map_or_else(Vec::new, Replay::wanted);
        replays.is_fetching = !wanted.is_empty();
        wanted
    }

    /// What was fetched of them, and may be sent. Gives back what no subscription covers any more.
    pub(super) fn bring_back_retained(
        &mut self,
        wanted: &[Arc<RetainedCopy>],
        found: &[Replayed],
        is_all: bool,
    ) -> Vec<Arc<Message>> {
        let Some(replays) = &mut self.replays else {
            return Vec::new();
        };
        replays.is_fetching = !is_all;
        let replay = replays.line.front_mut();
        replay.map_or_else(Vec::new, |replay| replay.bring_back(wanted, found))
    }

    /// A message that was there when the broker was started.
    pub(super) fn restore_away(&mut self, away: Away) {
        self.skip(away.place.seq);
        self.queue().push_away(away);
    }

    /// The same, in memory.
    pub(super) fn restore(&mut self, place: Place, delivered: Delivered) {
        self.skip(place.seq);
        self.queue().push(Waiting {
            delivered,
            place: Some(place),
        });
    }

    /// A PUBREL that was due when the broker was started.
    pub(super) fn restore_release(&mut self, id: PacketId) {
        self.window.push(Inflight {
            id,
            awaits: Awaits::Pubcomp,
            sent: false,
            delivered: None,
            place: None,
            commit: 0,
        });
    }

    /// What of it was sent before the broker was started: up to this number, or, if that is not known, as much as may have
    /// been under way.
    pub(super) fn restore_sent(&mut self, sent_to: Option<u64>, inflight_max: usize) {
        let perhaps = || self.queue.as_ref()?.nth_seq(inflight_max.saturating_sub(1));
        let sent_to = sent_to.or_else(perhaps).unwrap_or(0);
        if let Some(records) = &mut self.records {
            records.sent_before = sent_to;
            records.sent_to = sent_to;
            records.skip(sent_to);
        }
    }

    /// There is a recorded message of this number.
    fn skip(&mut self, seq: u64) {
        if let Some(records) = &mut self.records {
            records.skip(seq);
        }
    }
}
