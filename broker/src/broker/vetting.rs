//! Rights that change while messages wait: what is no longer for a client is taken back.

use std::sync::Arc;
use std::time::Instant;

use hashbrown::HashSet;
use hookwire_hooks::{Access, AccessDecision, Action, Chain, ClientKey, DropCause, Message};
use hookwire_protocol::TopicName;

use super::Broker;
use super::access::{self, AccessMemo};
use super::client::{Client, Standing};
use crate::session::Lost;

impl Broker {
    /// A new policy is in force: looks at what waits for every session.
    pub(super) fn vet_all(&self, chain: &Chain, now: Instant) {
        for client in self.clients() {
            if chain.wants_access(Action::Deliver) || client.is_restricted() {
                self.vet(chain, &client, &client.standing(), now);
            }
        }
    }

    /// A client is about to resume its session, perhaps with other rights than before.
    pub(super) fn vet_before_resume(&self, standing: &Standing, now: Instant) {
        let chain = self.chain();
        if !(chain.wants_access(Action::Deliver) || standing.rights.restricts_delivery()) {
            return;
        }
        let kept = self.0.registry.lock().get(&standing.facts.client_id).cloned();
        if let Some(client) = kept.filter(|client| !self.is_foreign(client, standing)) {
            self.with_facts(standing, || self.vet(&chain, &client, standing, now));
        }
    }

    fn vet(&self, chain: &Chain, client: &Client, standing: &Standing, now: Instant) {
        let waiting = client.session().waiting();
        let is_refused = |message: &Arc<Message>| {
            let asked = Access {
                client: standing.facts.key,
                action: Action::Deliver,
                topic: message.topic.as_str(),
                qos: message.qos,
                retain: message.retain,
            };
            let memo = &mut AccessMemo::default();
            access::decide(chain, &standing.rights, memo, &asked, now) != AccessDecision::Allow
        };
        let refused: HashSet<TopicName> = waiting
            .iter()
            .filter(|message| is_refused(message))
            .map(|message| message.topic.clone())
            .collect();
        if !refused.is_empty() {
            let dropped = client.session().discard(|topic| refused.contains(topic));
            let lost = dropped.iter().map(|message| Lost::of(message, DropCause::Denied));
            self.report_lost(client, lost.collect());
        }
    }

    /// Does something while policies can look up a client that has no session, or not this one.
    pub(super) fn with_facts<R>(&self, standing: &Standing, step: impl FnOnce() -> R) -> R {
        let _known = self.make_known(standing);
        step()
    }

    /// The same, for as long as what is returned lives.
    pub(super) fn make_known(&self, standing: &Standing) -> Known {
        let facts = Arc::clone(&standing.facts);
        let key = facts.key;
        self.0.sessionless.write().insert(key, facts);
        Known {
            broker: self.clone(),
            key,
        }
    }
}

/// A client that plugins can look up, although it has no session.
#[derive(Debug)]
pub(super) struct Known {
    broker: Broker,
    key: ClientKey,
}

impl Drop for Known {
    fn drop(&mut self) {
        self.broker.0.sessionless.write().remove(&self.key);
    }
}
