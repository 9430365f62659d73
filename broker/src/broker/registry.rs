//! Which session belongs to which client id, and which connection key to which session.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use hashbrown::{HashMap, HashTable};
use hookwire_hooks::ClientKey;
use parking_lot::{Mutex, MutexGuard, RwLock};

use super::client::Client;

/// All sessions.
///
/// Locks, in the order in which they may be held together: `by_id`, a session, `by_key`. What a client stands for is read
/// under each, and nothing is locked while it is.
#[derive(Debug, Default)]
pub(super) struct Registry {
    by_id: Mutex<Sessions>,
    by_key: RwLock<HashMap<ClientKey, Arc<Client>>>,
}

/// The sessions by client id, held for as long as a connect or an end takes: those are in order for each
/// client id.
pub(super) type ById<'a> = MutexGuard<'a, Sessions>;

/// Sessions by client id. Each knows its own: to keep it a second time would take more than all the rest of the table.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    table: HashTable<Arc<Client>>,
    /// Clients choose their ids: nobody is to choose such that all fall on one place.
    hasher: RandomState,
}

impl Sessions {
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn get(&self, client_id: &str) -> Option<&Arc<Client>> {
        let hash = self.hasher.hash_one(client_id);
        self.table.find(hash, |client| client.is_named(client_id))
    }

    /// In place of the one with its client id, if there is one.
    pub(super) fn insert(&mut self, client: Arc<Client>) {
        let Self { table, hasher } = self;
        let id_hash = |client: &Client| client.hash_id(hasher);
        let standing = client.standing();
        let client_id = &*standing.facts.client_id;
        table
            .entry(
                id_hash(&client),
                |other| other.is_named(client_id),
                |other| id_hash(other),
            )
            .insert(client);
    }

    pub(super) fn remove(&mut self, client: &Arc<Client>) {
        let hash = client.hash_id(&self.hasher);
        if let Ok(entry) = self.table.find_entry(hash, |other| Arc::ptr_eq(other, client)) {
            entry.remove();
        }
    }
}

impl Registry {
    /// Locks the sessions.
    pub(super) fn lock(&self) -> ById<'_> {
        self.by_id.lock()
    }

    /// The session of a connection.
    pub(super) fn by_key(&self, key: ClientKey) -> Option<Arc<Client>> {
        self.by_key.read().get(&key).cloned()
    }

    /// A session has a new connection.
    pub(super) fn rekey(&self, old: Option<ClientKey>, new: ClientKey, client: &Arc<Client>) {
        let mut by_key = self.by_key.write();
        if let Some(old) = old {
            by_key.remove(&old);
        }
        by_key.insert(new, Arc::clone(client));
    }

    /// A session is over.
    pub(super) fn forget_key(&self, key: ClientKey) {
        self.by_key.write().remove(&key);
    }

    /// Every session.
    pub(super) fn all(&self) -> Vec<Arc<Client>> {
        self.by_id.lock().table.iter().cloned().collect()
    }
}
