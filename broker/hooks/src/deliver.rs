//! Questions and answers of the deliver hook, and how the chain combines them.

use std::sync::Arc;
use std::time::Instant;

use hookwire_protocol::TopicName;

use crate::{Chain, ClientKey, Failure, Hook, Message, OnFailure, Plugin, Replacement};

/// One plugin's answer about one delivery.
#[derive(Debug, Clone)]
pub enum DeliverDecision {
    /// No objection.
    Pass,
    /// This recipient gets it as changed.
    Replace(Box<Replacement>),
    /// This recipient does not get it.
    Drop,
}

/// A message on its way to one recipient.
#[derive(Debug, Clone)]
pub struct Parcel {
    /// To whom.
    pub recipient: ClientKey,
    /// As the plugins asked so far have changed it. Parcels of one message share it.
    pub message: Arc<Message>,
    /// One of them has dropped it.
    pub is_dropped: bool,
}

impl Parcel {
    /// A delivery that nobody has judged yet.
    pub fn new(recipient: ClientKey, message: Arc<Message>) -> Self {
        Self {
            recipient,
            message,
            is_dropped: false,
        }
    }

    fn apply(&mut self, decision: DeliverDecision, now: Instant) {
        match decision {
            DeliverDecision::Pass => {}
            DeliverDecision::Replace(replacement) => {
                self.message = Arc::new(replaced(&self.message, *replacement, now));
            }
            DeliverDecision::Drop => self.is_dropped = true,
        }
    }
}

/// A message that is older keeps the time that it has left, unless the plugin has given it another.
fn replaced(message: &Message, replacement: Replacement, now: Instant) -> Message {
    let mut changed = message.clone();
    replacement.apply(&mut changed);
    if changed.expiry_interval_secs() != message.expiry_interval_secs() {
        changed.start_expiry(now);
    }
    // What came in a frame must not hold on to the whole of it.
    changed.detached()
}

impl Chain {
    /// Whether any plugin wants to judge deliveries of this topic.
    pub fn wants_deliver(&self, topic: &TopicName) -> bool {
        self.has(Hook::Deliver)
            && self
                .listening(Hook::Deliver)
                .any(|plugin| plugin.wants_topic(Hook::Deliver, topic))
    }

    /// Judges deliveries, in order.
    pub fn deliver(&self, parcels: &mut [Parcel], now: Instant) {
        let before = self.shadow_parcels(parcels);
        self.judge_deliveries(parcels, now);
        self.shadow_deliveries(&before, parcels);
    }

    fn judge_deliveries(&self, parcels: &mut [Parcel], now: Instant) {
        for plugin in self.asked(Hook::Deliver) {
            let wanted = wanted(&**plugin, parcels);
            if wanted.is_empty() {
                continue;
            }
            let asked: Vec<&Parcel> = wanted.iter().filter_map(|&at| parcels.get(at)).collect();
            let decisions = plugin.deliver(&asked);
            debug_assert_eq!(decisions.len(), wanted.len(), "a decision for each delivery");
            for (at, decision) in wanted.into_iter().zip(decisions) {
                if let Some(parcel) = parcels.get_mut(at) {
                    let decision = decision.unwrap_or_else(|failure| failed(&**plugin, &failure));
                    parcel.apply(decision, now);
                }
            }
        }
    }
}

/// The places of the parcels that a plugin wants to see. Neighbours of one message are asked for once.
pub(crate) fn wanted(plugin: &dyn Plugin, parcels: &[Parcel]) -> Vec<usize> {
    let mut last: Option<(&Arc<Message>, bool)> = None;
    let mut wanted = Vec::with_capacity(parcels.len());
    for (at, parcel) in parcels
        .iter()
        .enumerate()
        .filter(|(_, parcel)| !parcel.is_dropped)
    {
        let wants = match last {
            Some((message, wants)) if Arc::ptr_eq(message, &parcel.message) => wants,
            _ => plugin.wants_topic(Hook::Deliver, &parcel.message.topic),
        };
        last = Some((&parcel.message, wants));
        if wants {
            wanted.push(at);
        }
    }
    wanted
}

/// The failure itself was logged and counted where it happened.
fn failed(plugin: &dyn Plugin, _: &Failure) -> DeliverDecision {
    match plugin.on_failure(Hook::Deliver) {
        OnFailure::Pass => DeliverDecision::Pass,
        OnFailure::Deny | OnFailure::Disconnect => DeliverDecision::Drop,
    }
}
