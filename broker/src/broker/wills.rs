//! Wills whose connection has ended.

use std::time::{Duration, Instant};

use bytestring::ByteString;
use hashbrown::HashMap;
use hookwire_hooks::{
    Access, AccessDecision, Action, Chain, ClientKey, Message, Publication, WillDelays, WillOutcome,
};
use parking_lot::Mutex;
use tokio::runtime::Handle;

use super::Broker;
use super::access::{self, AccessMemo};
use super::client::Standing;
use super::publish::{Round, refused};
use super::publisher::Publisher;
use super::registry::ById;
use super::timers::Due;
use crate::router::Subscriber;
use crate::session::DueWill;
use crate::watch::Published;

/// A will that waits.
#[derive(Debug, Clone)]
pub(super) struct HeldWill {
    will: DueWill,
    /// Of the client that left it.
    standing: Standing,
    /// How often and how long policies have held it back.
    delays: WillDelays,
    /// The number of its record, or 0.
    record: u64,
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
    /// A connection with a will has ended: publishes it now, or holds it until it is due. The sessions are locked by whoever saw the
    /// connection end, so that the client cannot be back before its will is held.
    pub(super) fn leave_will(&self, now: Instant, by_id: ById<'_>, will: DueWill, standing: Standing) {
        let held = HeldWill {
            will,
            standing,
            delays: WillDelays::default(),
            record: 0,
        };
        if held.will.due_at > now {
            self.hold_will(held);
        } else {
            drop(by_id);
            self.publish_will(now, held);
        }
    }

    fn hold_will(&self, held: HeldWill) {
        let HeldWill {
            will,
            standing,
            delays,
            ..
        } = &held;
        let record = self.record_will(will, standing, *delays);
        self.keep_will(HeldWill { record, ..held });
    }

    /// A will that waited when the broker was stopped, with the number of its record and what policies had done; `None` for
    /// one whose connection ended with the broker.
    pub(super) fn restore_will(
        &self,
        will: DueWill,
        standing: Standing,
        recorded: Option<(u64, WillDelays)>,
    ) {
        let (record, delays) = recorded.unwrap_or_default();
        let held = HeldWill {
            will,
            standing,
            delays,
            record,
        };
        if recorded.is_some() {
            self.keep_will(held);
        } else {
            self.hold_will(held);
        }
    }

    fn keep_will(&self, held: HeldWill) {
        let client_id = held.standing.facts.client_id.clone();
        let due = Due::Will {
            client_id: client_id.clone(),
            key: held.will.client,
        };
        let due_at = held.will.due_at;
        let replaced = self.0.held_wills.0.lock().insert(client_id, held);
        if let Some(replaced) = replaced {
            self.forget_will(replaced.record);
        }
        self.0.timers.add(due_at, due);
    }

    /// A policy has asked for a delay, unless the client has come back while it was asked.
    fn delay_will(&self, now: Instant, delay: Duration, held: HeldWill) {
        let by_id = self.0.registry.lock();
        let is_back = by_id
            .get(&held.standing.facts.client_id)
            .is_some_and(Subscriber::is_online);
        if !is_back {
            self.hold_will(HeldWill {
                will: DueWill {
                    due_at: now + delay,
                    ..held.will
                },
                delays: held.delays.and(delay),
                ..held
            });
        }
    }

    /// The client is back. Its will is taken away [MQTT-3.1.3-9], unless the session has ended with it: then
    /// a will that only its own delay held is published now.
    pub(super) fn recall_will(&self, now: Instant, client_id: &ByteString, session_ended: bool) {
        let held = self.0.held_wills.0.lock().remove(client_id);
        match held {
            Some(held) if session_ended && held.delays.times == 0 => self.publish_will(now, held),
            Some(held) => self.forget_will(held.record),
            None => {}
        }
    }

    /// A held will is due.
    pub(super) fn release_will(&self, now: Instant, client_id: &ByteString, key: ClientKey) {
        if let Some(held) = self.0.held_wills.take(client_id, key) {
            self.publish_will(now, held);
        }
    }

    /// Wills pass the same policy as every message; there is no back door. Policies can look their client up, although its session may be
    /// over.
    fn publish_will(&self, now: Instant, held: HeldWill) {
        let record = held.record;
        let chain = self.0.chain.load_full();
        let waits = chain.waits_for_access(Action::Will) || chain.waits_for_messages();
        if waits && let Ok(runtime) = Handle::try_current() {
            let broker = self.clone();
            runtime.spawn(async move {
                broker.judge_will_waiting(&chain, now, held).await;
                broker.forget_will(record);
            });
            return;
        }
        let standing = held.standing.clone();
        let mut publisher = Publisher::default();
        self.with_facts(&standing, || {
            self.with_round(now, |round| {
                let judged = self.judge_will(round, held);
                // Published and forgotten in one, so that it is not published again after a restart.
                let _whole = self.whole();
                self.forget_will(record);
                if let Some(message) = judged {
                    // Whatever is refused from here on, there is nobody left to tell.
                    self.publish_one(round, &mut publisher, Publication::new(message));
                }
            });
        });
        publisher.wake_recipients();
    }

    /// The message that comes of it, unless a policy says otherwise.
    fn judge_will(&self, round: &Round<'_>, held: HeldWill) -> Option<Message> {
        let (message, standing) = self.will_to_publish(round.chain, round.now, held)?;
        let asked = access_of(&standing, &message);
        let memo = &mut AccessMemo::default();
        let decision = access::decide(round.chain, &standing.rights, memo, &asked, round.now);
        if self.is_refused(&standing, &message, &decision) {
            return None;
        }
        Some(message)
    }

    /// The same where policies may wait.
    async fn judge_will_waiting(&self, chain: &Chain, now: Instant, held: HeldWill) {
        let _known = self.make_known(&held.standing);
        let Some((message, standing)) = self.will_to_publish(chain, now, held) else {
            return;
        };
        let asked = access_of(&standing, &message);
        let decision = access::decide_once(chain, &standing.rights, &asked).await;
        if self.is_refused(&standing, &message, &decision) {
            return;
        }
        let mut publisher = Publisher::default();
        self.publish_unsolicited_waiting(&mut publisher, Publication::new(message))
            .await;
        publisher.wake_recipients();
    }

    /// The will as policies leave it; none if they suppress or delay it.
    fn will_to_publish(&self, chain: &Chain, now: Instant, held: HeldWill) -> Option<(Message, Standing)> {
        let will = &held.will;
        let mut message = will.message.clone();
        self.tell_arrived(&message);
        match chain.on_will(will.client, will.cause, held.delays, &mut message) {
            WillOutcome::Publish => Some((message, held.standing)),
            WillOutcome::Suppress => {
                let client_id = held.standing.facts.client_id.escape_debug();
                tracing::debug!(%client_id, "will suppressed by policy");
                self.tell_will(&message, Published::Suppressed);
                None
            }
            WillOutcome::Delay(delay) => {
                let delay = delay.min(self.settings().session.will_delay_max);
                self.tell_will(&message, Published::Delayed(delay));
                self.delay_will(now, delay, held);
                None
            }
        }
    }

    fn is_refused(&self, standing: &Standing, message: &Message, decision: &AccessDecision) -> bool {
        let topic = message.topic.as_str();
        let is_refused = *decision != AccessDecision::Allow || access::is_reserved(topic);
        if is_refused {
            let client_id = standing.facts.client_id.escape_debug();
            tracing::debug!(%client_id, topic, "will refused by policy");
            self.tell_fate(message, &refused(None));
        }
        is_refused
    }
}

/// The question whether a client may publish its will: rights may have changed since the CONNECT, and the topic since then.
fn access_of<'m>(standing: &Standing, message: &'m Message) -> Access<'m> {
    Access {
        client: standing.facts.key,
        action: Action::Will,
        topic: message.topic.as_str(),
        qos: message.qos,
        retain: message.retain,
    }
}
