//! What a session has to do with the store: it records what must survive the process, is restored from it, and fetches
//! messages that only the store has.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytestring::ByteString;
use hookwire_hooks::DropCause;
use hookwire_protocol::{Delivery, PacketId, SubscriptionOptions};

use super::journal::records::Owner;
use super::journal::{Journal, Ledger, Place, SessionRecord};
use super::outbound::Unqueued;
use super::safety::Safety;
use super::{Away, Delivered, Lost, Outbox, Replayed, RetainedCopy, Session};
use crate::metrics::Limit;

/// What is to be fetched from the store for one client.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Messages of its queue.
    pub queued: Vec<Away>,
    /// Retained messages that a subscription has brought.
    pub retained: Vec<Arc<RetainedCopy>>,
}

impl Wanted {
    /// Whether there is nothing to fetch.
    pub fn is_empty(&self) -> bool {
        self.queued.is_empty() && self.retained.is_empty()
    }
}

impl Session {
    /// There is a store: answers wait for what is recorded in it.
    #[must_use]
    pub fn with_ledger(mut self, ledger: Arc<Ledger>) -> Self {
        self.safety = Some(Box::new(Safety::new(ledger)));
        self
    }

    /// The session is to survive the process, under this number.
    #[must_use]
    pub fn with_journal(mut self, number: u64) -> Self {
        if let Some(safety) = &mut self.safety {
            let journal = Journal::new(Arc::clone(&safety.ledger), number);
            self.outbound.keep_in(journal.clone());
            safety.journal = Some(journal);
        }
        self
    }

    /// Whether it survives the process.
    pub fn is_durable(&self) -> bool {
        self.journal().is_some()
    }

    pub(super) fn journal(&self) -> Option<&Journal> {
        self.safety.as_ref()?.journal.as_ref()
    }

    /// Records what the session is; the batch that this is in.
    pub fn record(&self, owner: Owner, gone_at_ms: Option<u64>) -> u64 {
        let Some(journal) = self.journal() else { return 0 };
        let will = self.terms.will.clone().map(|will| {
            let delay = will.delay();
            (will.into_message(self.terms.key), delay)
        });
        journal.keep(&SessionRecord {
            owner,
            expiry: self.terms.expiry,
            gone_at_ms,
            sent_to: self.outbound.sent_to(),
            mount_point: self.terms.mount_point.as_deref().cloned(),
            will,
        })
    }

    /// Records that a QoS 2 message was taken, unless its exchange is over.
    pub fn record_received(&self, delivery: Delivery) {
        if let (Delivery::ExactlyOnce(id), Some(journal)) = (delivery, self.journal())
            && self.inbound.is_unreleased(id)
        {
            journal.receive(id);
        }
    }

    /// Nothing is sent before this batch is safe.
    pub fn hold_output(&mut self, commit: u64) {
        if let Some(safety) = self.safety.as_mut().filter(|safety| !safety.is_safe(commit)) {
            safety.held_for = commit;
        }
    }

    /// The last batch that messages were recorded in since the last call, or 0.
    #[inline]
    pub fn take_recorded(&mut self) -> u64 {
        self.outbound.take_recorded()
    }

    /// Limits for which messages were dropped since the last call that only the store had.
    pub fn take_dropped_unread(&mut self) -> Vec<Limit> {
        match &mut self.losses {
            Some(losses) => std::mem::take(&mut losses.unread),
            None => Vec::new(),
        }
    }

    /// Messages that are sent soon and that only the store has; each is asked for once. For a client that is away these are
    /// retained messages only, which are to wait with the others.
    pub fn take_wanted(&mut self) -> Wanted {
        let queued = match self.link {
            Some(_) => self.outbound.take_wanted(),
            None => Vec::new(),
        };
        Wanted {
            queued,
            retained: self.outbound.take_wanted_retained(),
        }
    }

    /// What was fetched of [`Session::take_wanted`]; `None` for what the store does not have, or what is not for this client any
    /// more. Where that is not all of it, the rest is still to come.
    pub fn bring_back(&mut self, now: Instant, fetched: Vec<(Place, Option<Delivered>)>, is_all: bool) {
        self.outbound.bring_back(fetched, is_all);
        self.pump(now);
    }

    /// What was fetched of the retained messages of [`Session::take_wanted`], and is for this client still. Where that is not all
    /// of them, the rest is still to come.
    pub fn bring_back_retained(
        &mut self,
        now: Instant,
        wanted: &[Arc<RetainedCopy>],
        found: &[Replayed],
        is_all: bool,
    ) {
        let dropped = self.outbound.bring_back_retained(wanted, found, is_all);
        if !dropped.is_empty() {
            let denied = dropped.iter().map(|message| Lost::of(message, DropCause::Denied));
            self.losses.get_or_insert_default().lost.extend(denied);
        }
        if self.link.is_some() {
            self.pump(now);
        } else {
            let limits = self.queue_limits();
            let unqueued = self.outbound.rest_fetched(&limits);
            self.lose(unqueued);
        }
    }

    pub(super) fn lose(&mut self, unqueued: Unqueued) {
        if unqueued.unread.is_empty() && unqueued.lost.is_empty() {
            return;
        }
        let losses = self.losses.get_or_insert_default();
        losses.unread.extend(unqueued.unread);
        losses.lost.extend(unqueued.lost);
    }

    // ---- what waits

    /// Some of it waits for the store. The connection is woken when that has come further.
    pub(super) fn poll_held_output(&mut self, into: &mut Outbox) {
        let Some(safety) = &mut self.safety else { return };
        let committer = safety.ledger.committer();
        let rest = if committer.is_safe(safety.held_for) {
            safety.held_for = 0;
            let rest = safety
                .parked
                .release(|commit| committer.is_safe(commit), &mut self.outbox);
            self.outbox.drain_into(into);
            rest
        } else {
            Some(safety.held_for)
        };
        if let (Some(commit), Some(link)) = (rest, &self.link)
            && safety.awaited != commit
        {
            safety.awaited = commit;
            committer.wait(commit, Arc::clone(link) as Arc<dyn hookwire_store::Waiter>);
        }
    }

    pub(super) fn clear_output(&mut self) {
        self.outbox.clear();
        self.unwritten = 0;
        if let Some(safety) = &mut self.safety {
            safety.clear();
        }
    }

    // ---- restoring

    /// A subscription that is recorded.
    pub fn restore_subscription(&mut self, filter: ByteString, options: SubscriptionOptions) {
        self.subscriptions.insert(filter, options);
    }

    /// A filter of the client that is recorded as kept in the shape of another. False if there is no such subscription.
    pub fn restore_rewrite(&mut self, asked: ByteString, kept: ByteString) -> bool {
        let is_kept = self.subscriptions.contains_key(&kept);
        if is_kept {
            self.rewrites.restore(asked, kept);
        }
        is_kept
    }

    /// A QoS 2 message of the client that waits for its PUBREL.
    pub fn restore_received(&mut self, id: PacketId) {
        self.inbound.restore(id);
    }

    /// A QoS 2 message that the client has; PUBREL is due. In the order in which they were sent.
    pub fn restore_release(&mut self, id: PacketId) {
        self.outbound.restore_release(id);
    }

    /// A message that waits, in order.
    pub fn restore_away(&mut self, away: Away) {
        self.outbound.restore_away(away);
    }

    /// The same, in memory.
    pub fn restore_message(&mut self, place: Place, delivered: Delivered) {
        self.outbound.restore(place, delivered);
    }

    /// Up to where messages were sent before; `None` where that is not known.
    pub fn restore_sent(&mut self, sent_to: Option<u64>, inflight_max: usize) {
        self.outbound.restore_sent(sent_to, inflight_max);
    }

    /// How long it outlives its connection from now on.
    pub fn expiry(&self) -> Duration {
        self.terms.expiry
    }
}
