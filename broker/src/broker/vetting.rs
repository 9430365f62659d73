//! Rights that change while messages wait: what is no longer for a client is taken back.

use std::sync::Arc;
use std::time::Instant;

use bytestring::ByteString;
use hashbrown::{HashMap, HashSet};
use hookwire_hooks::{Access, AccessDecision, Action, Chain, ClientFacts, ClientKey, DropCause, Message};
use hookwire_protocol::{SharedFilter, TopicFilter, TopicName};

use super::access::{self, AccessMemo};
use super::client::{Client, Standing};
use super::{Broker, subscribe};
use crate::clock;
use crate::session::{Lost, Unsubscribed};

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

    /// A plugin wants the rights of a client looked at again: its subscriptions, and what waits for it. Policies may take
    /// their time over it.
    pub(super) async fn renew_rights(&self, key: ClientKey) {
        let Some(client) = self.0.registry.by_key(key) else {
            return;
        };
        client.forget_answers();
        let (chain, standing) = (self.0.chain.load_full(), client.standing());
        let lost = match self.refused_filters(&chain, &client, &standing).await {
            Ok(refused) => self.cancel(&client, &refused),
            Err(text) => {
                self.kick(key, text);
                return;
            }
        };
        self.take_back(&client, &lost);
        if chain.wants_access(Action::Deliver) || client.is_restricted() {
            self.vet(&chain, &client, &standing, clock::now());
        }
    }

    /// The filters that a client has asked for and may not have any more: what was made of them is not asked about, as when
    /// it subscribed. The error is for a client that is to go.
    async fn refused_filters(
        &self,
        chain: &Chain,
        client: &Client,
        standing: &Standing,
    ) -> Result<Vec<ByteString>, Option<ByteString>> {
        let mut refused = Vec::new();
        if access::is_free(chain, &standing.rights, Action::Subscribe) {
            return Ok(refused);
        }
        let asked_for = client.session().asked_filters();
        for (text, qos) in asked_for {
            let Ok(filter) = SharedFilter::parse(text.clone()) else {
                continue;
            };
            let asked = subscribe::access_of(client, filter.filter.as_str(), qos);
            match access::decide_once(chain, &standing.rights, &asked).await {
                AccessDecision::Allow => {}
                AccessDecision::Next | AccessDecision::Deny(_) => refused.push(text),
                AccessDecision::Disconnect(text) => return Err(text),
            }
        }
        Ok(refused)
    }

    /// Ends subscriptions by the filters that the client has asked for; what they were in the end.
    fn cancel(&self, client: &Arc<Client>, asked: &[ByteString]) -> Vec<ByteString> {
        let mut ended = Vec::new();
        for asked in asked {
            let whole = self.whole();
            let unsubscribed = client.session().unsubscribe(asked);
            drop(whole);
            if let Unsubscribed::Ended(kept) = unsubscribed {
                ended.push(kept.clone());
                self.remove(client, kept);
            }
        }
        ended
    }

    /// What waits for subscriptions that are no more, and for no other, goes.
    fn take_back(&self, client: &Client, lost: &[ByteString]) {
        if lost.is_empty() {
            return;
        }
        let dropped = {
            let mut session = client.session();
            let held = session.subscriptions();
            let kept: Arc<[TopicFilter]> = held.filter_map(|(filter, _)| plain(filter)).collect();
            let gone: Vec<_> = lost.iter().filter_map(plain).collect();
            // What is not in memory cannot be looked at yet.
            session.narrow_replays(lost, &kept);
            session.discard(|topic| {
                gone.iter().any(|filter| filter.matches(topic))
                    && !kept.iter().any(|kept| kept.matches(topic))
            })
        };
        let lost = dropped.iter().map(|message| Lost::of(message, DropCause::Denied));
        self.report_lost(client, lost.collect());
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
        self.0.sessionless.write().add(&standing.facts);
        Known {
            broker: self.clone(),
            key: standing.facts.key,
        }
    }
}

/// The filter of a subscription, without its share.
fn plain(filter: &ByteString) -> Option<TopicFilter> {
    SharedFilter::parse(filter.clone())
        .ok()
        .map(|shared| shared.filter)
}

/// Clients that plugins can look up, although they have no session.
#[derive(Debug, Default)]
pub(super) struct Sessionless(HashMap<ClientKey, Visible>);

#[derive(Debug)]
struct Visible {
    facts: Arc<ClientFacts>,
    /// How many ask about it at this moment.
    askers: usize,
}

impl Sessionless {
    pub(super) fn facts(&self, key: ClientKey) -> Option<Arc<ClientFacts>> {
        Some(Arc::clone(&self.0.get(&key)?.facts))
    }

    fn add(&mut self, facts: &Arc<ClientFacts>) {
        let visible = self.0.entry(facts.key).or_insert_with(|| Visible {
            facts: Arc::clone(facts),
            askers: 0,
        });
        visible.askers += 1;
    }

    /// One asks about it no more.
    fn remove(&mut self, key: ClientKey) {
        if let Some(visible) = self.0.get_mut(&key) {
            visible.askers -= 1;
            if visible.askers == 0 {
                self.0.remove(&key);
            }
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
        self.broker.0.sessionless.write().remove(self.key);
    }
}
