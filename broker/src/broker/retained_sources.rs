//! Who published what is retained, for brokers that ask again whether they still may.

use hashbrown::HashMap;
use hookwire_hooks::{Access, AccessDecision, Action, Chain, Message, Source};
use hookwire_protocol::TopicName;
use parking_lot::Mutex;

use super::Broker;
use super::access::{self, AccessMemo};
use super::client::Standing;
use crate::router::Subscriber;

/// The publisher of each retained message, as long as `check_retain_source` is set.
#[derive(Debug, Default)]
pub(super) struct RetainedSources(Mutex<HashMap<TopicName, Standing, std::hash::RandomState>>);

impl Broker {
    /// Takes note of who published a message that was retained.
    pub(super) fn note_retained(&self, message: &Message, is_checked: bool) {
        if !is_checked {
            return;
        }
        let standing = match message.source {
            Source::Client(key) if !message.payload.is_empty() => self.0.registry.by_key(key),
            _ => None,
        };
        let mut sources = self.0.retained_sources.0.lock();
        match standing {
            Some(client) => drop(sources.insert(message.topic.detached(), client.standing())),
            None => drop(sources.remove(&message.topic)),
        }
    }

    /// Whether the publisher of a retained message may publish it still.
    pub(super) fn source_is_good(&self, chain: &Chain, message: &Message, now: std::time::Instant) -> bool {
        let source = self.0.retained_sources.0.lock().get(&message.topic).cloned();
        let Some(standing) = source else { return true };
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
