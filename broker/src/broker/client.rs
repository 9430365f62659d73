//! One session, as everyone in the broker shares it.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use hookwire_hooks::{ClientFacts, ClientKey};
use parking_lot::{MappedMutexGuard, Mutex, MutexGuard, RwLock};
use tokio::sync::Notify;

use super::access::{AccessMemo, Rights};
use crate::router::Subscriber;
use crate::session::Session;

/// A session and what surrounds it. The lock is held for single steps only, never across a hook, a system
/// call or another lock of its kind.
#[derive(Debug)]
pub struct Client {
    id: u64,
    key: AtomicU64,
    online: AtomicBool,
    /// It survives the process.
    durable: bool,
    session: Mutex<Session>,
    standing: RwLock<Standing>,
    /// Its grant has rules about what it may receive.
    restricted: AtomicBool,
    /// Tells those who wait for its connection to end.
    departed: OnceLock<Box<Notify>>,
    /// Answers about messages to this client, shared by all who publish to it.
    deliveries: Mutex<Option<Box<AccessMemo>>>,
    /// Counts how often what policies said of it was to be forgotten.
    answers_epoch: AtomicU64,
}

/// Who is, or was last, connected, and what it may do.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Facts for policies.
    pub facts: Arc<ClientFacts>,
    /// What its grant says.
    pub rights: Arc<Rights>,
}

impl Client {
    pub(super) fn new(id: u64, session: Session, standing: Standing) -> Self {
        Self {
            id,
            key: AtomicU64::new(standing.facts.key.0),
            online: AtomicBool::new(false),
            durable: session.is_durable(),
            session: Mutex::new(session),
            restricted: AtomicBool::new(standing.rights.restricts_delivery()),
            standing: RwLock::new(standing),
            departed: OnceLock::new(),
            deliveries: Mutex::default(),
            answers_epoch: AtomicU64::new(0),
        }
    }

    /// The session, locked.
    #[inline]
    pub fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock()
    }

    /// The session, locked, as long as it is this connection's; `None` when another connection has taken it
    /// over.
    #[inline]
    pub fn session_of(&self, key: ClientKey) -> Option<MutexGuard<'_, Session>> {
        let session = self.session.lock();
        (session.terms().key == key).then_some(session)
    }

    /// Its number, for as long as the session lives.
    pub(super) fn number(&self) -> u64 {
        self.id
    }

    /// Whether the session survives the process.
    #[inline]
    pub(super) fn is_durable(&self) -> bool {
        self.durable
    }

    /// The present or last connection.
    pub fn key(&self) -> ClientKey {
        ClientKey(self.key.load(Ordering::Acquire))
    }

    /// Who is, or was last, connected.
    pub fn standing(&self) -> Standing {
        self.standing.read().clone()
    }

    /// Whether this is its client id, which it has for as long as it lives.
    pub(super) fn is_named(&self, client_id: &str) -> bool {
        self.standing.read().facts.client_id == *client_id
    }

    pub(super) fn hash_id(&self, hasher: &impl BuildHasher) -> u64 {
        hasher.hash_one(&*self.standing.read().facts.client_id)
    }

    pub(super) fn stand(&self, standing: Standing) {
        self.key.store(standing.facts.key.0, Ordering::Release);
        self.restricted
            .store(standing.rights.restricts_delivery(), Ordering::Release);
        *self.standing.write() = standing;
        *self.deliveries.lock() = None;
    }

    /// What policies have said of it so far is to be asked anew.
    pub(super) fn forget_answers(&self) {
        self.answers_epoch.fetch_add(1, Ordering::AcqRel);
        *self.deliveries.lock() = None;
    }

    /// What policies have said of messages to it.
    pub(super) fn deliveries(&self) -> MappedMutexGuard<'_, AccessMemo> {
        MutexGuard::map(self.deliveries.lock(), |memo| &mut **memo.get_or_insert_default())
    }

    /// Tells those who wait for the end of its connection, from here on. Few are ever waited for.
    pub(super) fn departed(&self) -> &Notify {
        self.departed.get_or_init(Box::default)
    }

    /// Its connection has ended.
    pub(super) fn has_departed(&self) {
        if let Some(departed) = self.departed.get() {
            departed.notify_waiters();
        }
    }

    /// Another number whenever the answers about it are to be forgotten.
    #[inline]
    pub(super) fn answers_epoch(&self) -> u64 {
        self.answers_epoch.load(Ordering::Acquire)
    }

    /// Whether its grant has to be asked about each delivery.
    #[inline]
    pub(super) fn is_restricted(&self) -> bool {
        self.restricted.load(Ordering::Relaxed)
    }

    /// Tells what it was before.
    pub(super) fn set_online(&self, online: bool) -> bool {
        self.online.swap(online, Ordering::AcqRel)
    }
}

impl Subscriber for Arc<Client> {
    #[inline]
    fn id(&self) -> u64 {
        self.id
    }

    #[inline]
    fn is_online(&self) -> bool {
        self.online.load(Ordering::Acquire)
    }

    fn backlog(&self) -> usize {
        let session = self.session();
        session.inflight() + session.queued()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hundred thousand of them wait for their clients in memory: what few of them have is behind a pointer.
    #[test]
    fn a_session_has_no_room_for_what_few_have() {
        let bytes = size_of::<Client>();
        // With the counts of an `Arc`, half a KiB.
        assert!(bytes <= 496, "{bytes}");
        // With those, 160 bytes.
        let bytes = size_of::<ClientFacts>();
        assert!(bytes <= 144, "{bytes}");
    }
}
