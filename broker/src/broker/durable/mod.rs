//! What the broker keeps in its store, and finds there again.
//!
//! Sessions record by themselves (`session::journal`). Here is the rest: retained messages, wills that wait, bans; whether
//! there is room for more; what is restored at the start; and threads that fetch messages which only the store has.

mod fetcher;
mod kept;
mod plugins;
mod reading;
mod recovery;
mod replays;
mod resident;
mod retained;
mod settled;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hookwire_hooks::{ClientFacts, ClientKey, Message};
use hookwire_store::{Committer, Health, Whole};

use super::client::{Client, Standing};
use super::{Broker, Rights};
use crate::metrics::Limit;
use crate::router::Matches;
use crate::session::Wanted;
use crate::session::journal::Ledger;
use crate::session::journal::records::Owner;
use fetcher::Fetcher;
pub(super) use reading::Owed;
use reading::{ReadError, unreadable};
pub use recovery::Recovered;
use replays::Replays;
use resident::Resident;

/// The store as the broker uses it.
#[derive(Debug)]
pub(super) struct Durable {
    committer: Arc<Committer>,
    ledger: Arc<Ledger>,
    fetcher: Fetcher,
    replays: Replays,
    resident: Resident,
    /// Numbers of wills that wait.
    next_will: AtomicU64,
}

impl Durable {
    /// Over a store that nothing was restored from yet. So many bytes of retained messages may be in memory.
    pub(super) fn new(committer: Arc<Committer>, retained_bytes_max: usize) -> std::io::Result<Self> {
        Ok(Self {
            ledger: Arc::new(Ledger::new(Arc::clone(&committer), 1)),
            fetcher: Fetcher::start(Arc::clone(&committer))?,
            replays: Replays::start()?,
            resident: Resident::new(retained_bytes_max),
            committer,
            next_will: AtomicU64::new(1),
        })
    }

    /// What sessions record with.
    pub(super) fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    fn fresh_will(&self) -> u64 {
        self.next_will.fetch_add(1, Ordering::Relaxed)
    }
}

impl Broker {
    pub(super) fn durable(&self) -> Option<&Durable> {
        self.0.durable.as_ref()
    }

    /// Everything that is recorded while this is held is safe together or not at all.
    pub(super) fn whole(&self) -> Option<Whole<'_>> {
        self.durable().map(|durable| durable.committer.whole())
    }

    /// The batch with which everything is safe that was recorded until now.
    pub(super) fn latest_commit(&self) -> u64 {
        self.durable().map_or(0, |durable| durable.committer.latest())
    }

    /// The batch that the next change is in, as long as it is kept [whole](Self::whole).
    pub(super) fn open_commit(&self) -> u64 {
        self.durable().map_or(0, |durable| durable.committer.open())
    }

    /// How the store is; `None` where there is none.
    pub fn store_health(&self) -> Option<Health> {
        self.durable().map(|durable| durable.committer.health())
    }

    /// Whether the store takes more.
    #[inline]
    pub(super) fn store_has_room(&self) -> bool {
        self.durable()
            .is_none_or(|durable| durable.committer.health() == Health::Good)
    }

    /// Whether a message can be taken, as far as the store is concerned. What it does not have to keep always can.
    pub(super) fn store_takes(&self, message: &Message, matches: &Matches<Arc<Client>>) -> bool {
        if self.store_has_room() {
            return true;
        }
        let recipients = matches.recipients.iter().map(|recipient| &recipient.subscriber);
        let members = matches.groups.iter().flat_map(|group| &group.members);
        let concerned = recipients.chain(members.map(|member| &member.subscriber));
        let takes = !message.retain && !concerned.into_iter().any(|client| client.is_durable());
        if !takes {
            self.0.metrics.limits.reached(Limit::StoreBytesMax);
        }
        takes
    }

    /// Whether no retained messages are on their way from the store to sessions, some of which keep them for their clients.
    pub fn has_replayed(&self) -> bool {
        self.durable().is_none_or(|durable| durable.replays.is_idle())
    }

    /// Writes what is there, and closes the store. Nothing that happens later is kept.
    pub fn close_store(&self) {
        if let Some(durable) = self.durable() {
            durable.committer.close();
        }
    }

    /// Batches, changes and bytes written since the start, and the size of the store.
    pub(super) fn store_figures(&self) -> Option<(u64, u64, u64, u64)> {
        self.durable().map(|durable| durable.committer.written())
    }

    /// Takes note of who a session belongs to, and of its connection; `gone_at_ms` is when that ended. The batch that this
    /// is in.
    pub(super) fn record_session(
        &self,
        session: &crate::session::Session,
        standing: &Standing,
        gone_at_ms: Option<u64>,
    ) -> u64 {
        if session.is_durable() {
            session.record(owner_of(standing), gone_at_ms)
        } else {
            0
        }
    }

    /// Reads that have failed since the start; `None` where there is no store.
    pub fn store_reads_failed(&self) -> Option<u64> {
        self.durable().map(|durable| durable.committer.reads_failed())
    }

    /// Fetches what only the store has of the messages that a client gets next.
    pub fn fetch(&self, client: &Arc<Client>, wanted: Wanted) {
        self.order(client, wanted, 0);
    }

    /// The same for what could not be read so often before.
    fn order(&self, client: &Arc<Client>, wanted: Wanted, failures: u32) {
        let Some(durable) = self.durable() else { return };
        let Wanted { queued, retained } = wanted;
        if !queued.is_empty() {
            durable.fetcher.fetch(self, Arc::clone(client), queued, failures);
        }
        if !retained.is_empty() {
            durable
                .replays
                .fetch(self, Arc::clone(client), retained, failures);
        }
    }
}

pub(super) fn owner_of(standing: &Standing) -> Owner {
    let facts = &standing.facts;
    let (superuser, rules) = standing.rights.parts();
    Owner {
        client_id: facts.client_id.clone(),
        username: facts.username.clone(),
        address: facts.address.to_string(),
        listener: facts.listener.to_string(),
        version: facts.version,
        connected_at_ms: facts.connected_at_ms,
        attributes: facts.attributes.clone(),
        superuser,
        rules,
    }
}

/// The same with a connection of its own, which nobody has.
fn standing_of(owner: Owner, key: ClientKey) -> Option<Standing> {
    let rights = Rights::restored(owner.superuser, owner.rules)?;
    Some(Standing {
        rights: rights.into_shared(),
        facts: Arc::new(ClientFacts {
            key,
            client_id: owner.client_id,
            username: owner.username,
            address: owner.address.into(),
            listener: owner.listener.into(),
            version: owner.version,
            connected_at_ms: owner.connected_at_ms,
            attributes: owner.attributes,
        }),
    })
}
