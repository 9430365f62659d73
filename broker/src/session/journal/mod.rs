//! What a session records, so that it is there again after the process was killed. `FORMAT.md` of the store says what
//! the records look like.
//!
//! A message for a session has a number from the moment at which it is the session's. Its packet identifier follows from
//! the number, so that after a restart it is sent again under the same one, without a record of its own for that.

mod codec;
pub mod keys;
mod ledger;
mod message;
pub mod records;

#[cfg(test)]
mod tests;

use std::num::NonZeroU64;
use std::sync::Arc;

use hookwire_protocol::{PacketId, SubscriptionOptions};
use hookwire_store::{Committer, Space};

pub use codec::Unreadable;
pub use ledger::{Entry, Ledger};
pub use records::SessionRecord;

use super::Delivered;

/// Where a message of a session is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its number among the messages of the session.
    pub seq: u64,
    /// The record with its content, if that is stored apart.
    pub body: Option<NonZeroU64>,
    /// The batch that it is safe with; 0 for what was there at the start.
    pub commit: u64,
}

impl Place {
    /// The packet identifier that it is sent with.
    pub fn packet_id(&self) -> PacketId {
        packet_id(self.seq)
    }
}

/// The packet identifier of the n-th message of a session.
pub fn packet_id(seq: u64) -> PacketId {
    let number = u16::try_from(seq % u64::from(u16::MAX)).unwrap_or(0);
    // 0 to 65,534, plus one.
    PacketId::new(number.wrapping_add(1)).unwrap_or(super::outbound::FIRST_ID)
}

/// The records of one session.
#[derive(Debug, Clone)]
pub struct Journal {
    ledger: Arc<Ledger>,
    session: u64,
}

impl Journal {
    /// Those of the session with this number.
    pub fn new(ledger: Arc<Ledger>, session: u64) -> Self {
        Self { ledger, session }
    }

    fn committer(&self) -> &Committer {
        self.ledger.committer()
    }

    /// Whether a batch is safe.
    pub(super) fn is_safe(&self, commit: u64) -> bool {
        self.committer().is_safe(commit)
    }

    /// A message is this session's.
    pub(super) fn put(&self, seq: u64, delivered: &Delivered) -> Place {
        self.ledger.put(self.session, seq, delivered)
    }

    /// It is no more, for whatever reason.
    pub(super) fn remove(&self, place: &Place) -> u64 {
        self.ledger.remove(self.session, place, |_| {})
    }

    /// The client has a QoS 2 message: from here on only its identifier matters.
    pub(super) fn release(&self, id: PacketId, place: &Place) -> u64 {
        let key = keys::packet(self.session, id);
        self.ledger.remove(self.session, place, |batch| {
            batch.put(Space::Release, key, records::encode_number(place.seq));
        })
    }

    /// An exchange of QoS 2 is over.
    pub(super) fn forget_release(&self, id: PacketId) -> u64 {
        self.committer()
            .delete(Space::Release, keys::packet(self.session, id))
    }

    /// A QoS 2 message of the client was taken.
    pub(super) fn receive(&self, id: PacketId) -> u64 {
        let key = keys::packet(self.session, id);
        self.committer().put(Space::Received, key, Vec::new())
    }

    /// Its identifier is free again.
    pub(super) fn forget_received(&self, id: PacketId) -> u64 {
        self.committer()
            .delete(Space::Received, keys::packet(self.session, id))
    }

    /// A subscription is made or replaced.
    pub(super) fn subscribe(&self, filter: &str, options: SubscriptionOptions, id: Option<u32>) -> u64 {
        let key = keys::subscription(self.session, filter);
        self.committer().put(
            Space::Subscription,
            key,
            records::encode_subscription(options, id),
        )
    }

    /// A subscription is gone.
    pub(super) fn unsubscribe(&self, filter: &str) -> u64 {
        let key = keys::subscription(self.session, filter);
        self.committer().delete(Space::Subscription, key)
    }

    /// A filter of the client is kept as another one, or is no more.
    pub(super) fn rewrite(&self, asked: &str, kept: Option<&str>) -> u64 {
        let key = keys::subscription(self.session, asked);
        match kept {
            Some(kept) => {
                let record = kept.as_bytes().to_vec();
                self.committer().put(Space::Rewrite, key, record)
            }
            None => self.committer().delete(Space::Rewrite, key),
        }
    }

    /// What the session is.
    pub(super) fn keep(&self, record: &SessionRecord) -> u64 {
        self.committer()
            .put(Space::Session, keys::session(self.session), record.encode())
    }

    /// The session is over; its messages are removed by themselves.
    pub(super) fn end(
        &self,
        filters: impl Iterator<Item = impl AsRef<str>>,
        rewritten: impl Iterator<Item = impl AsRef<str>>,
        received: impl Iterator<Item = PacketId>,
    ) {
        self.committer().record(|batch| {
            batch.delete(Space::Session, keys::session(self.session));
            for filter in filters {
                batch.delete(
                    Space::Subscription,
                    keys::subscription(self.session, filter.as_ref()),
                );
            }
            for asked in rewritten {
                batch.delete(Space::Rewrite, keys::subscription(self.session, asked.as_ref()));
            }
            for id in received {
                batch.delete(Space::Received, keys::packet(self.session, id));
            }
        });
    }
}
