//! Which session belongs to which client id, and which connection key to which session.

use std::sync::Arc;

use bytestring::ByteString;
use hashbrown::HashMap;
use hookwire_hooks::ClientKey;
use parking_lot::{Mutex, MutexGuard, RwLock};

use super::client::Client;

/// All sessions.
///
/// Locks, in the order in which they may be held together: `by_id`, a session, `by_key`.
#[derive(Debug, Default)]
pub(super) struct Registry {
    by_id: Mutex<HashMap<ByteString, Arc<Client>, std::hash::RandomState>>,
    by_key: RwLock<HashMap<ClientKey, Arc<Client>>>,
}

/// The sessions by client id, held for as long as a connect or an end takes: those are in order for each
/// client id.
pub(super) type ById<'a> = MutexGuard<'a, HashMap<ByteString, Arc<Client>, std::hash::RandomState>>;

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
        self.by_id.lock().values().cloned().collect()
    }
}
