//! Retained messages, wills that wait, and bans, as records.

use std::sync::Arc;
use std::time::Instant;

use bytestring::ByteString;
use hookwire_hooks::{Action, Message, WillDelays};
use hookwire_protocol::TopicName;
use hookwire_store::{Key, Space};

use super::owner_of;
use crate::broker::Broker;
use crate::broker::client::Standing;
use crate::clock;
use crate::router::Replacement;
use crate::session::DueWill;
use crate::session::journal::records::{Owner, WillRecord, encode_number, encode_retained};

impl Broker {
    /// A message was retained, or what was is cleared; the batch that this is in.
    /// `source` published it, where that is to be known after a restart.
    pub(in crate::broker) fn record_retained(
        &self,
        message: &Message,
        source: Option<&Standing>,
        replacement: Replacement,
    ) -> u64 {
        let Some(durable) = self.durable() else { return 0 };
        let key = Key::from_slice(message.topic.as_str().as_bytes());
        let commit = if message.payload.is_empty() {
            durable.committer.delete(Space::Retained, key)
        } else {
            let source = source.map(|standing| source_of(standing, &message.topic));
            let record = encode_retained(message, source.as_ref());
            durable.committer.put(Space::Retained, key, record)
        };
        durable.settle_retained(replacement, commit);
        commit
    }

    /// A will waits; the number of its record, or 0 where there is no store.
    pub(in crate::broker) fn record_will(
        &self,
        will: &DueWill,
        standing: &Standing,
        delays: WillDelays,
    ) -> u64 {
        let Some(durable) = self.durable() else { return 0 };
        let number = durable.fresh_will();
        let record = WillRecord {
            owner: owner_of(standing),
            message: will.message.clone(),
            cause: will.cause,
            due_at_ms: clock::unix_ms_at(will.due_at),
            delays,
        };
        durable
            .committer
            .put_new(Space::Will, will_key(number), record.encode());
        number
    }

    /// It does not wait any more.
    pub(in crate::broker) fn forget_will(&self, number: u64) {
        if let Some(durable) = self.durable().filter(|_| number > 0) {
            durable.committer.delete(Space::Will, will_key(number));
        }
    }

    /// A client id is banned for a while.
    pub(in crate::broker) fn record_ban(&self, client_id: &ByteString, until: Instant) {
        if let Some(durable) = self.durable() {
            let key = Key::from_slice(client_id.as_bytes());
            let until_ms = encode_number(clock::unix_ms_at(until));
            durable.committer.put(Space::Ban, key, until_ms);
        }
    }
}

/// Of the rights only what decides about the topic, so that it is small however many rules there are.
fn source_of(standing: &Standing, topic: &TopicName) -> Owner {
    let rights = standing.rights.about(Action::Publish, topic);
    owner_of(&Standing {
        facts: Arc::clone(&standing.facts),
        rights: rights.into_shared(),
    })
}

pub(super) fn will_key(number: u64) -> Key {
    Key::from_slice(&number.to_be_bytes())
}
