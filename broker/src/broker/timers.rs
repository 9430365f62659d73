//! What is due later: session expiry, delayed wills, reads that failed. One ordered list and one task, no timer for each
//! session.

use std::collections::BTreeMap;
use std::time::Instant;

use bytestring::ByteString;
use hookwire_hooks::ClientKey;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::durable::Owed;

/// Something that is due.
#[derive(Debug)]
pub(super) enum Due {
    /// A session that nobody has resumed since this connection ended.
    SessionExpiry {
        /// Whose.
        client_id: ByteString,
        /// Its last connection.
        key: ClientKey,
    },
    /// The will of this client id.
    Will {
        /// Whose.
        client_id: ByteString,
        /// The connection that left it.
        key: ClientKey,
    },
    /// Another attempt to read what could not be read. Apart, since it is large and rare.
    Read(Box<Owed>),
}

/// The list.
#[derive(Debug, Default)]
pub(super) struct Timers {
    list: Mutex<List>,
    earlier: Notify,
}

#[derive(Debug, Default)]
struct List {
    due: BTreeMap<(Instant, u64), Due>,
    next: u64,
}

impl Timers {
    /// Adds something. It is not taken back: whoever handles it looks whether it still holds.
    pub(super) fn add(&self, at: Instant, due: Due) {
        let mut list = self.list.lock();
        let number = list.next;
        list.next = number.wrapping_add(1);
        let is_first = list
            .due
            .first_key_value()
            .is_none_or(|((first, _), _)| at < *first);
        list.due.insert((at, number), due);
        drop(list);
        if is_first {
            self.earlier.notify_one();
        }
    }

    /// When the first of them is due.
    pub(super) fn next_at(&self) -> Option<Instant> {
        self.list.lock().due.first_key_value().map(|((at, _), _)| *at)
    }

    /// Takes the first one that is due.
    pub(super) fn pop(&self, now: Instant) -> Option<Due> {
        let mut list = self.list.lock();
        let entry = list.due.first_entry().filter(|entry| entry.key().0 <= now)?;
        Some(entry.remove())
    }

    /// Waits until the first is due.
    pub(super) async fn wait(&self) {
        let earlier = self.earlier.notified();
        match self.next_at() {
            None => earlier.await,
            Some(at) => {
                tokio::select! {
                    () = earlier => {}
                    () = tokio::time::sleep_until(at.into()) => {}
                }
            }
        }
    }
}
