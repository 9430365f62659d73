//! Who published what is retained, for brokers that ask again whether they still may.

use std::sync::Arc;
use std::time::Instant;

use hashbrown::HashMap;
use hookwire_hooks::{Access, AccessDecision, Action, Chain, Message};
use hookwire_protocol::TopicName;
use parking_lot::Mutex;

use super::Broker;
use super::access::{self, AccessMemo};
use super::client::Standing;
use crate::router::Subscriber;
use crate::session::RetainedCopy;

/// So many publishers are no reason to look for those whose message has gone.
const FEW: usize = 1024;

/// The publisher of each retained message, as long as `check_retain_source` is set.
#[derive(Debug, Default)]
pub(super) struct RetainedSources(Mutex<ByTopic>);

#[derive(Debug, Default)]
struct ByTopic {
    noted: HashMap<TopicName, Noted, std::hash::RandomState>,
    /// With so many, those are looked for whose message has gone.
    swept_at: usize,
}

/// Who published one message. Another one on the same topic is somebody else's.
#[derive(Debug)]
struct Noted {
    copy: Arc<RetainedCopy>,
    standing: Standing,
}

impl RetainedSources {
    /// Nobody asks any more.
    pub(super) fn clear(&self) {
        *self.0.lock() = ByTopic::default();
    }

    /// A message was retained, and this client has published it.
    pub(super) fn note(&self, topic: TopicName, copy: Arc<RetainedCopy>, standing: Standing, now: Instant) {
        self.0.lock().insert(topic, Noted { copy, standing }, now);
    }

    fn forget(&self, topic: &TopicName) {
        self.0.lock().noted.remove(topic);
    }

    fn of(&self, topic: &TopicName, copy: &Arc<RetainedCopy>) -> Option<Standing> {
        let by_topic = self.0.lock();
        let noted = by_topic.noted.get(topic)?;
        Arc::ptr_eq(&noted.copy, copy).then(|| noted.standing.clone())
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.lock().noted.len()
    }
}

impl ByTopic {
    /// A message goes by itself when it expires. What has gone is never more than what is there, or a few.
    fn insert(&mut self, topic: TopicName, noted: Noted, now: Instant) {
        self.noted.insert(topic, noted);
        if self.noted.len() > self.swept_at.max(FEW) {
            self.noted
                .retain(|_, noted| !noted.copy.is_superseded() && !noted.copy.is_expired(now));
            self.swept_at = 2 * self.noted.len();
        }
    }
}

impl Broker {
    /// Takes note of who published what is retained now, before anybody else changes it.
    pub(super) fn note_retained(
        &self,
        message: &Message,
        copy: Option<&Arc<RetainedCopy>>,
        source: Option<&Standing>,
        now: Instant,
    ) {
        let sources = &self.0.retained_sources;
        match (copy, source) {
            (Some(copy), Some(standing)) => {
                sources.note(message.topic.detached(), Arc::clone(copy), standing.clone(), now);
            }
            _ => sources.forget(&message.topic),
        }
    }

    /// Whether the publisher of a retained message may publish it still.
    pub(super) fn source_is_good(
        &self,
        chain: &Chain,
        copy: &Arc<RetainedCopy>,
        message: &Message,
        now: Instant,
    ) -> bool {
        let Some(standing) = self.0.retained_sources.of(&message.topic, copy) else {
            return true;
        };
        let asked = Access {
            client: standing.facts.key,
            action: Action::Publish,
            topic: message.topic.as_str(),
            qos: message.qos,
            retain: true,
        };
        let decide = || access::decide(chain, &standing.rights, &mut AccessMemo::default(), &asked, now);
        let is_here = self.0.registry.by_key(standing.facts.key);
        let decision = match is_here.filter(Subscriber::is_online) {
            Some(_) => decide(),
            None => self.with_facts(&standing, decide),
        };
        decision == AccessDecision::Allow
    }
}
