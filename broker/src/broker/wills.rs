//! Wills whose connection has ended.

use std::sync::Arc;
use std::time::Instant;

use bytestring::ByteString;
use hashbrown::HashMap;
use hookwire_hooks::{Access, AccessDecision, Action, ClientKey, Fate, Publication, WillOutcome};
use parking_lot::Mutex;

use super::access::{self, AccessMemo};
use super::publish::Publisher;
use super::timers::Due;
use super::{Broker, Rights};
use crate::session::DueWill;

/// A will that waits.
#[derive(Debug, Clone)]
pub(super) struct HeldWill {
    will: DueWill,
    rights: Arc<Rights>,
    /// A policy asked for the wait, not the client.
    by_policy: bool,
}

/// Wills that wait for their delay, by client id.
#[derive(Debug, Default)]
pub(super) struct HeldWills(Mutex<HashMap<ByteString, HeldWill>>);

impl HeldWills {
    fn take(&self, client_id: &ByteString, key: ClientKey) -> Option<HeldWill> {
        let mut wills = self.0.lock();
        let matches = wills.get(client_id).is_some_and(|held| held.will.client == key);
        if matches { wills.remove(client_id) } else { None }
    }
}

impl Broker {
    /// A connection with a will has ended: publishes it now or holds it until it is due.
    pub(super) fn leave_will(
        &self,
        now: Instant,
        client_id: &ByteString,
        will: DueWill,
        rights: Arc<Rights>,
    ) {
        if will.due_at > now {
            self.hold_will(
                client_id,
                HeldWill {
                    will,
                    rights,
                    by_policy: false,
                },
            );
        } else {
            self.publish_will(
                now,
                client_id,
                HeldWill {
                    will,
                    rights,
                    by_policy: false,
                },
            );
        }
    }

    fn hold_will(&self, client_id: &ByteString, held: HeldWill) {
        let due = Due::Will {
            client_id: client_id.clone(),
            key: held.will.client,
        };
        let due_at = held.will.due_at;
        self.0.held_wills.0.lock().insert(client_id.clone(), held);
        self.0.timers.add(due_at, due);
    }

    /// The client is back. Its will is taken away [MQTT-3.1.3-9], unless the session has ended with it: then
    /// a will that only its own delay held is published now.
    pub(super) fn recall_will(&self, now: Instant, client_id: &ByteString, session_ended: bool) {
        let held = self.0.held_wills.0.lock().remove(client_id);
        if let Some(held) = held.filter(|held| session_ended && !held.by_policy) {
            self.publish_will(now, client_id, held);
        }
    }

    /// A held will is due.
    pub(super) fn release_will(&self, now: Instant, client_id: &ByteString, key: ClientKey) {
        if let Some(held) = self.0.held_wills.take(client_id, key) {
            self.publish_will(now, client_id, held);
        }
    }

    /// Wills pass the same policy as every message; there is no back door.
    fn publish_will(&self, now: Instant, client_id: &ByteString, held: HeldWill) {
        let HeldWill { will, rights, .. } = &held;
        let chain = self.0.chain.load_full();
        let mut message = will.message.clone();
        match chain.on_will(will.client, will.cause, &mut message) {
            WillOutcome::Publish => {}
            WillOutcome::Suppress => return tracing::debug!(%client_id, "will suppressed by policy"),
            WillOutcome::Delay(delay) => {
                let due_at = now + delay.min(self.settings().session.will_delay_max);
                let will = DueWill {
                    due_at,
                    ..will.clone()
                };
                return self.hold_will(
                    client_id,
                    HeldWill {
                        will,
                        rights: Arc::clone(rights),
                        by_policy: true,
                    },
                );
            }
        }
        let asked = Access {
            client: will.client,
            action: Action::Will,
            topic: message.topic.as_str(),
            qos: message.qos,
            retain: message.retain,
        };
        let decision = access::decide(&chain, rights, &mut AccessMemo::default(), &asked, now);
        if decision != AccessDecision::Allow || access::is_reserved(message.topic.as_str()) {
            return tracing::debug!(%client_id, topic = message.topic.as_str(), "will refused by policy");
        }
        let mut run = [Publication::new(message)];
        chain.on_publish(&mut run);
        let [publication] = run;
        if publication.fate == Fate::Pass {
            let mut publisher = Publisher::default();
            // A full retained store is the only thing that can be refused here, and there is nobody left to
            // tell.
            let _ = self.route(&chain, &mut publisher, now, publication.message, None);
            publisher.wake_recipients();
        }
    }
}
