//! Retained messages that only the store has.

use std::sync::Arc;
use std::time::Instant;

use bytestring::ByteString;
use hookwire_hooks::{Message, RetainedAmount};
use hookwire_protocol::{TopicFilter, TopicName};
use hookwire_store::{Space, Store, StoreError};

use super::{Durable, unreadable};
use crate::broker::Broker;
use crate::session::RetainedCopy;
use crate::session::journal::records::decode_retained;

impl Broker {
    /// A retained message, read from the store if it is not in memory; `None` if it is not retained any more, or cannot be
    /// read, which is said. May wait for a disk.
    pub(in crate::broker) fn read_retained(
        &self,
        copy: &Arc<RetainedCopy>,
        now: Instant,
    ) -> Option<Arc<Message>> {
        if let Some(message) = copy.message() {
            return Some(message);
        }
        let durable = self.durable()?;
        let topic = self.0.router.topic_of(copy)?;
        let read = read(&**durable.committer.store(), &topic, copy, now);
        // Whoever replaces it says so before the store hears of it. So what was read is what was meant, unless it was said.
        if copy.is_superseded() {
            return None;
        }
        match read {
            Ok(message) => {
                let message = Arc::new(message);
                durable.resident.load(copy, &message, &durable.committer);
                Some(message)
            }
            Err(error) => {
                tracing::error!("a retained message cannot be read: {error}");
                None
            }
        }
    }

    /// The retained message of a topic.
    pub(in crate::broker) fn retained_message(
        &self,
        topic: &TopicName,
        now: Instant,
    ) -> Option<Arc<Message>> {
        let copy = self.0.router.retained_of(topic, now)?;
        self.read_present(topic, copy, now)
    }

    /// The retained message of a topic that had this one a moment ago.
    fn read_present(
        &self,
        topic: &TopicName,
        mut copy: Arc<RetainedCopy>,
        now: Instant,
    ) -> Option<Arc<Message>> {
        loop {
            let message = self.read_retained(&copy, now);
            if message.is_some() || !copy.is_superseded() {
                return message;
            }
            // Another one has taken its place while it was read: that one it is.
            copy = self.0.router.retained_of(topic, now)?;
        }
    }

    /// So many of the retained messages that a filter matches, in the order of their topics; those behind the topic `after`.
    pub(in crate::broker) fn retained_messages(
        &self,
        filter: &TopicFilter,
        after: Option<&str>,
        amount: RetainedAmount,
        now: Instant,
    ) -> Vec<Arc<Message>> {
        let count = amount.count;
        let (mut found, mut bytes) = (Vec::new(), 0);
        let mut last = after.map(|after| ByteString::from(after.to_owned()));
        loop {
            let page = self.0.router.retained_page(filter, last.as_deref(), count, now);
            let is_last = page.len() < count;
            for (topic, copy) in page {
                if found.len() == count || bytes > amount.bytes {
                    return found;
                }
                if let Some(message) = self.read_present(&topic, copy, now) {
                    bytes += topic.as_str().len() + message.payload.len();
                    found.push(message);
                }
                last = Some(topic.into_byte_string());
            }
            // What could not be read leaves a gap that those behind it fill: whoever gets fewer takes it for the end.
            if is_last || found.len() == count {
                return found;
            }
        }
    }
}

fn read(
    store: &dyn Store,
    topic: &TopicName,
    copy: &RetainedCopy,
    now: Instant,
) -> Result<Message, StoreError> {
    let key = topic.as_str().as_bytes();
    let value = store.get(Space::Retained, key)?;
    let value = value.ok_or_else(|| StoreError::corrupt(Space::Retained, key, "missing"))?;
    let mut message = decode_retained(value, now).map_err(|_| unreadable(Space::Retained, key))?;
    if message.topic != *topic {
        return Err(unreadable(Space::Retained, key));
    }
    // The clock that people set may have jumped since.
    message.expires_at = copy.expires_at();
    message.source = copy.source();
    Ok(message.detached())
}

impl Durable {
    /// What is retained is in memory, and what was retained before is not any more.
    pub(super) fn settle_retained(&self, replacement: crate::router::Replacement, commit: u64) {
        if let Some(before) = replacement.before {
            self.resident.forget(&before);
        }
        if let Some(now) = replacement.now {
            self.resident.add(now, commit, &self.committer);
        }
    }
}
