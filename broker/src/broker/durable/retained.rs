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
    /// A retained message, read from the store if it is not in memory; `None` if it is not retained any more. May wait for a
    /// disk.
    ///
    /// # Errors
    /// It is retained and cannot be read, which was said and counted.
    pub(in crate::broker) fn read_retained(
        &self,
        copy: &Arc<RetainedCopy>,
        now: Instant,
    ) -> Result<Option<Arc<Message>>, StoreError> {
        if let Some(message) = copy.message() {
            return Ok(Some(message));
        }
        let (Some(durable), Some(topic)) = (self.durable(), self.0.router.topic_of(copy)) else {
            return Ok(None);
        };
        let read = read(&**durable.committer.store(), &topic, copy, now);
        // Whoever replaces it says so before the store hears of it. So what was read is what was meant, unless it was said.
        if copy.is_superseded() {
            return Ok(None);
        }
        match read {
            Ok(message) => {
                let message = Arc::new(message);
                durable.resident.load(copy, &message, &durable.committer);
                Ok(Some(message))
            }
            Err(error) => {
                tracing::error!("a retained message cannot be read: {error}");
                durable.note_failed_read(&error);
                Err(error)
            }
        }
    }

    /// The retained message of a topic.
    ///
    /// # Errors
    /// It cannot be read.
    pub(in crate::broker) fn retained_message(
        &self,
        topic: &TopicName,
        now: Instant,
    ) -> Result<Option<Arc<Message>>, StoreError> {
        match self.0.router.retained_of(topic, now) {
            Some(copy) => self.read_present(topic, copy, now),
            None => Ok(None),
        }
    }

    /// The retained message of a topic that had this one a moment ago.
    fn read_present(
        &self,
        topic: &TopicName,
        mut copy: Arc<RetainedCopy>,
        now: Instant,
    ) -> Result<Option<Arc<Message>>, StoreError> {
        loop {
            let message = self.read_retained(&copy, now)?;
            if message.is_some() || !copy.is_superseded() {
                return Ok(message);
            }
            // Another one has taken its place while it was read: that one it is.
            match self.0.router.retained_of(topic, now) {
                Some(another) => copy = another,
                None => return Ok(None),
            }
        }
    }

    /// So many of the retained messages that a filter matches, in the order of their topics; those behind the topic `after`.
    ///
    /// # Errors
    /// One of them cannot be read: a list without it would say that it is not there.
    pub(in crate::broker) fn retained_messages(
        &self,
        filter: &TopicFilter,
        after: Option<&str>,
        amount: RetainedAmount,
        now: Instant,
    ) -> Result<Vec<Arc<Message>>, StoreError> {
        let count = amount.count;
        let (mut found, mut bytes) = (Vec::new(), 0);
        let mut last = after.map(|after| ByteString::from(after.to_owned()));
        loop {
            let page = self.0.router.retained_page(filter, last.as_deref(), count, now);
            let is_last = page.len() < count;
            for (topic, copy) in page {
                if found.len() == count || bytes > amount.bytes {
                    return Ok(found);
                }
                if let Some(message) = self.read_present(&topic, copy, now)? {
                    bytes += topic.as_str().len() + message.payload.len();
                    found.push(message);
                }
                last = Some(topic.into_byte_string());
            }
            // What has gone meanwhile leaves a gap that those behind it fill: whoever gets fewer takes it for the end.
            if is_last || found.len() == count {
                return Ok(found);
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
