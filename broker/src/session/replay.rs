//! Retained messages for a new subscription, sent as the window and the outbox allow.

use std::collections::VecDeque;
use std::sync::Arc;

use bytestring::ByteString;
use hookwire_hooks::Message;
use hookwire_protocol::{QoS, TopicFilter, TopicName};

use super::RetainedCopy;
use super::queue::{Delivered, SubscriptionIds};

/// So far ahead retained messages are fetched from the store …
const AHEAD: usize = 128;
/// … unless they are larger: whoever subscribes and does not read may not have us hold much, …
const AHEAD_BYTES: usize = 1 << 20;
/// … when so few are left.
const LOW: usize = 32;

/// A retained message on its way to one client.
#[derive(Debug, Clone)]
pub struct Replayed {
    /// What is retained; what is made of it for one recipient is superseded with it.
    pub copy: Arc<RetainedCopy>,
    /// What the client gets; `None`: only the store has it yet.
    pub message: Option<Arc<Message>>,
}

impl Replayed {
    /// The retained message as it is.
    pub fn new(copy: Arc<RetainedCopy>) -> Self {
        let message = copy.message();
        Self { copy, message }
    }

    fn is_away(&self) -> bool {
        self.message.is_none() && !self.copy.is_superseded()
    }
}

/// What one subscription brought.
#[derive(Debug)]
pub(super) struct Replay {
    /// Of the subscription.
    filter: ByteString,
    messages: VecDeque<Replayed>,
    /// Once the subscription was taken away: what the client has besides, which may cover some of it.
    narrowed: Option<Arc<[TopicFilter]>>,
    qos: QoS,
    subscription_ids: SubscriptionIds,
}

/// What a replay has to give now.
#[derive(Debug)]
pub(super) enum Turn {
    /// Its next message.
    Message(Delivered),
    /// Its next message has to come from the store; it counts for so many bytes in limits.
    Away(usize),
    /// Nothing any more.
    Over,
}

impl Replay {
    pub(super) fn new(
        filter: ByteString,
        messages: Vec<Replayed>,
        qos: QoS,
        subscription_ids: SubscriptionIds,
    ) -> Self {
        Self {
            filter,
            messages: messages.into(),
            narrowed: None,
            qos,
            subscription_ids,
        }
    }

    pub(super) fn filter(&self) -> &str {
        &self.filter
    }

    /// The highest QoS that its messages are sent with.
    pub(super) fn qos(&self) -> QoS {
        self.qos
    }

    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    /// The next one that nothing has taken the place of since.
    pub(super) fn next(&mut self) -> Turn {
        while let Some(Replayed { copy, message }) = self.messages.pop_front() {
            if copy.is_superseded() {
                continue;
            }
            let Some(message) = message else {
                let cost = copy.cost();
                self.messages.push_front(Replayed { copy, message: None });
                return Turn::Away(cost);
            };
            return Turn::Message(self.delivered(message));
        }
        Turn::Over
    }

    /// Its next message is not sent.
    pub(super) fn skip(&mut self) {
        self.messages.pop_front();
    }

    fn delivered(&self, message: Arc<Message>) -> Delivered {
        Delivered {
            qos: message.qos.min(self.qos),
            message,
            retain: true,
            subscription_ids: self.subscription_ids.clone(),
            shared: None,
            original: None,
        }
    }

    /// Takes out what is in memory, for a client that has gone. What only the store has stays, but for what is of QoS 0 or
    /// finds no room: nobody would get that.
    pub(super) fn rest(&mut self, mut has_room: impl FnMut(&RetainedCopy) -> bool) -> Vec<Delivered> {
        let mut here = Vec::new();
        for replayed in std::mem::take(&mut self.messages) {
            if replayed.copy.is_superseded() {
                continue;
            }
            match replayed.message {
                Some(message) => here.push(self.delivered(message)),
                None => {
                    let is_kept = self.qos.min(replayed.copy.qos()) > QoS::AtMostOnce;
                    if is_kept && has_room(&replayed.copy) {
                        self.messages.push_back(replayed);
                    }
                }
            }
        }
        here
    }

    /// The messages that are in memory.
    pub(super) fn here(&self) -> impl Iterator<Item = &Arc<Message>> {
        self.messages
            .iter()
            .filter_map(|replayed| replayed.message.as_ref())
    }

    /// Takes out messages in memory. Those that only the store has are judged when they come.
    pub(super) fn discard(&mut self, is_refused: impl Fn(&TopicName) -> bool) -> Vec<Arc<Message>> {
        let mut dropped = Vec::new();
        self.messages.retain(|replayed| match &replayed.message {
            Some(message) if is_refused(&message.topic) => {
                dropped.push(Arc::clone(message));
                false
            }
            _ => true,
        });
        dropped
    }

    /// Whether it is that of a subscription that was taken away.
    pub(super) fn is_narrowed(&self) -> bool {
        self.narrowed.is_some()
    }

    /// Its subscription was taken away. What comes from the store goes when none of these filters covers it.
    pub(super) fn narrow(&mut self, kept: Arc<[TopicFilter]>) {
        self.narrowed = Some(kept);
    }

    fn is_covered(&self, message: &Message) -> bool {
        let is_matched = |kept: &Arc<[TopicFilter]>| kept.iter().any(|kept| kept.matches(&message.topic));
        self.narrowed.as_ref().is_none_or(is_matched)
    }

    // ---- what only the store has

    /// What is to be fetched, since it is sent soon. What was fetched before and waits still counts; the next one is fetched
    /// however large it is.
    pub(super) fn wanted(&self) -> Vec<Arc<RetainedCopy>> {
        if !self.messages.iter().take(LOW).any(Replayed::is_away) {
            return Vec::new();
        }
        let mut bytes = 0;
        let ahead = self.messages.iter().take(AHEAD);
        ahead
            .filter(|replayed| !replayed.copy.is_superseded())
            .take_while(|replayed| {
                let is_next = bytes == 0;
                bytes += replayed.copy.cost();
                is_next || bytes <= AHEAD_BYTES
            })
            .filter(|replayed| replayed.is_away())
            .map(|replayed| Arc::clone(&replayed.copy))
            .collect()
    }

    /// Of what was wanted, this was found, and may be sent; the rest goes. Looks at no more than what could be wanted: there may
    /// be a million behind it. Gives back what no subscription covers any more.
    pub(super) fn bring_back(
        &mut self,
        wanted: &[Arc<RetainedCopy>],
        found: &[Replayed],
    ) -> Vec<Arc<Message>> {
        let ahead = AHEAD.min(self.messages.len());
        let front = self.messages.drain(..ahead);
        let front: Vec<_> = front
            .filter_map(|replayed| filled(replayed, wanted, found))
            .collect();
        let mut dropped = Vec::new();
        for replayed in front.into_iter().rev() {
            match &replayed.message {
                Some(message) if !self.is_covered(message) => dropped.push(Arc::clone(message)),
                _ => self.messages.push_front(replayed),
            }
        }
        dropped
    }
}

/// A message with what was found, if it was wanted; `None` if it was not found.
fn filled(replayed: Replayed, wanted: &[Arc<RetainedCopy>], found: &[Replayed]) -> Option<Replayed> {
    let is_it = |copy: &Arc<RetainedCopy>| Arc::ptr_eq(copy, &replayed.copy);
    if replayed.message.is_some() || !wanted.iter().any(is_it) {
        return Some(replayed);
    }
    found.iter().find(|found| is_it(&found.copy)).cloned()
}
