//! The durable stores of plugins, as records.

use std::ops::ControlFlow;

use hookwire_hooks::KeptEntry;
use hookwire_store::{Key, Space, StoreError};

use super::unreadable;
use crate::broker::Broker;
use crate::clock;
use crate::session::journal::records::{decode_entry, encode_entry};

impl Broker {
    /// Takes note of an entry, or of its end. Nobody waits for it: a plugin is asked in the middle of a message's way.
    pub(in crate::broker) fn keep_entry(&self, plugin: &str, key: &str, entry: Option<KeptEntry>) {
        let Some(durable) = self.durable() else { return };
        let mut record = prefix(plugin);
        record.extend_from_slice(key.as_bytes());
        match entry {
            Some(entry) => durable.committer.put(Space::Plugin, record, encode_entry(&entry)),
            None => durable.committer.delete(Space::Plugin, record),
        };
    }

    /// The entries of a plugin.
    ///
    /// # Errors
    /// One of them cannot be read: without it the others are another store.
    pub(in crate::broker) fn kept_entries(
        &self,
        plugin: &str,
    ) -> Result<Vec<(String, KeptEntry)>, StoreError> {
        let Some(durable) = self.durable() else {
            return Ok(Vec::new());
        };
        let (prefix, now) = (prefix(plugin), clock::now());
        let (mut kept, mut damaged) = (Vec::new(), None);
        let scanned = durable
            .committer
            .store()
            .scan(Space::Plugin, &prefix, &mut |record, value| {
                let key = record.get(prefix.len()..).unwrap_or_default();
                match (std::str::from_utf8(key), decode_entry(value.to_vec(), now)) {
                    (Ok(key), Ok(Some(entry))) => kept.push((key.to_owned(), entry)),
                    (Ok(_), Ok(None)) => {
                        durable.committer.delete(Space::Plugin, Key::from_slice(record));
                    }
                    _ => {
                        damaged = Some(unreadable(Space::Plugin, record));
                        return ControlFlow::Break(());
                    }
                }
                ControlFlow::Continue(())
            });
        let whole = scanned.and_then(|()| damaged.map_or(Ok(kept), Err));
        whole.inspect_err(|error| durable.note_failed_read(error))
    }
}

/// No name is the beginning of another's: its length is in front.
fn prefix(plugin: &str) -> Key {
    let mut prefix = Key::new();
    prefix.extend_from_slice(&u32::try_from(plugin.len()).unwrap_or(u32::MAX).to_be_bytes());
    prefix.extend_from_slice(plugin.as_bytes());
    prefix
}
