//! Retained messages.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

use hookwire_hooks::Message;
use hookwire_protocol::{TopicFilter, TopicName};

use super::level_tree::{At, LevelTree, Slot};
use crate::session::{RetainedCopy, RetainedOutline};

/// What one retained message counts for beyond its topic and payload: nodes, headers, reference counts.
const OVERHEAD: usize = 256;

/// Bounds of all retained messages together.
#[derive(Debug, Clone, Copy)]
pub struct RetainedLimits {
    /// Most messages.
    pub messages_max: usize,
    /// Most bytes.
    pub bytes_max: usize,
}

/// There is no room for another retained message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RetainedFull {
    /// There are too many.
    #[error("the limit of retained messages is reached")]
    Messages,
    /// They are too large.
    #[error("the limit of retained bytes is reached")]
    Bytes,
}

/// What has become of the retained message of a topic.
#[derive(Debug, Default)]
pub struct Replacement {
    /// What was retained before.
    pub before: Option<Arc<RetainedCopy>>,
    /// What is retained now.
    pub now: Option<Arc<RetainedCopy>>,
}

#[derive(Debug, Default)]
struct Kept(Option<Arc<RetainedCopy>>);

impl Slot for Kept {
    fn is_vacant(&self) -> bool {
        self.0.is_none()
    }
}

/// The last retained message of each topic. Of what a store has, only the outline need be here: then the topic is the way
/// to its node, and nowhere else.
#[derive(Debug, Default)]
pub struct Retained {
    tree: LevelTree<Kept>,
    amount: Amount,
}

/// How many there are, and their bytes.
#[derive(Debug, Default, Clone, Copy)]
struct Amount {
    count: usize,
    bytes: usize,
}

impl Amount {
    /// Whether there is room for a message in place of another.
    fn check(
        self,
        message: &Message,
        replaced: Option<&RetainedCopy>,
        limits: &RetainedLimits,
    ) -> Result<(), RetainedFull> {
        let (count, bytes) = replaced.map_or((0, 0), |copy| (1, copy.cost()));
        if message.payload.is_empty() {
            Ok(())
        } else if self.count - count + 1 > limits.messages_max {
            Err(RetainedFull::Messages)
        } else if self.bytes - bytes + cost_of(message) > limits.bytes_max {
            Err(RetainedFull::Bytes)
        } else {
            Ok(())
        }
    }
}

impl Retained {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.amount.count
    }

    /// Their bytes, with what each costs beyond its topic and payload.
    pub fn bytes(&self) -> usize {
        self.amount.bytes
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.amount.count == 0
    }

    /// Whether a message would be taken.
    pub fn check(&self, message: &Message, limits: &RetainedLimits) -> Result<(), RetainedFull> {
        let replaced = self.tree.get(message.topic.as_str());
        self.amount
            .check(message, replaced.and_then(|kept| kept.0.as_deref()), limits)
    }

    /// Keeps a message in place of the last one of its topic; an empty payload only removes. It may stay for years: its memory
    /// should be its own, not the read buffer that it came in. [MQTT-3.3.1-5..7]
    pub fn keep(
        &mut self,
        message: &Arc<Message>,
        limits: &RetainedLimits,
    ) -> Result<Replacement, RetainedFull> {
        let amount = self.amount;
        self.replace(&message.topic, |seat, replaced| {
            amount.check(message, replaced, limits)?;
            let kept = !message.payload.is_empty();
            Ok(kept.then(|| RetainedCopy::here(Arc::clone(message), cost_of(message), seat)))
        })
    }

    /// Keeps the outline of a message that a store has.
    pub fn keep_outline(&mut self, topic: &TopicName, outline: RetainedOutline) -> Option<Arc<RetainedCopy>> {
        let cost = cost(topic, outline.payload_bytes);
        let kept = self.replace(topic, |seat, _| {
            Ok::<_, Infallible>(Some(RetainedCopy::away(outline, cost, seat)))
        });
        let Ok(kept) = kept;
        kept.now
    }

    /// The tree is walked once, and is as it was if what is to be kept cannot be `make`d.
    fn replace<E>(
        &mut self,
        topic: &TopicName,
        make: impl FnOnce(u32, Option<&RetainedCopy>) -> Result<Option<RetainedCopy>, E>,
    ) -> Result<Replacement, E> {
        let replacement = self.tree.update(topic.as_str(), |At(seat), kept| {
            let now = make(seat, kept.0.as_deref())?.map(Arc::new);
            Ok(Replacement {
                before: std::mem::replace(&mut kept.0, now.clone()),
                now,
            })
        })?;
        if let Some(copy) = &replacement.now {
            self.amount.count += 1;
            self.amount.bytes += copy.cost();
        }
        if let Some(copy) = &replacement.before {
            copy.supersede();
            self.amount.count -= 1;
            self.amount.bytes -= copy.cost();
        }
        Ok(replacement)
    }

    /// The retained messages that a filter matches and that have not expired.
    pub fn matching(&self, filter: &TopicFilter, now: Instant) -> Vec<Arc<RetainedCopy>> {
        let mut found = Vec::new();
        self.tree.matched_by(filter.as_str(), |kept| {
            found.extend(kept.0.iter().filter(|copy| !copy.is_expired(now)).cloned());
        });
        found
    }

    /// The retained message of a topic, unless it has expired.
    pub fn of_topic(&self, topic: &TopicName, now: Instant) -> Option<Arc<RetainedCopy>> {
        let kept = self.tree.get(topic.as_str())?;
        kept.0.as_ref().filter(|copy| !copy.is_expired(now)).cloned()
    }

    /// The topic of a retained message; `None` if it is not retained any more.
    pub fn topic_of(&self, copy: &RetainedCopy) -> Option<TopicName> {
        let at = At(copy.seat());
        let kept = self.tree.value_at(at)?.0.as_deref()?;
        if std::ptr::eq(kept, copy) {
            TopicName::new(self.tree.path(at)).ok()
        } else {
            None
        }
    }

    /// The first `count` in the order of their topics, of those that a filter matches, that have not expired and that come
    /// behind the topic `after`. Walks over all that the filter matches, and holds no more than it returns.
    pub fn page(
        &self,
        filter: &TopicFilter,
        after: Option<&str>,
        count: usize,
        now: Instant,
    ) -> Vec<(TopicName, Arc<RetainedCopy>)> {
        let mut first = BTreeMap::<String, _>::new();
        let mut topic = String::new();
        self.tree.matched_by(filter.as_str(), |kept| {
            let Some(copy) = kept.0.as_ref().filter(|copy| !copy.is_expired(now)) else {
                return;
            };
            self.tree.write_path(At(copy.seat()), &mut topic);
            let is_full = first.len() >= count;
            let is_behind = first.last_key_value().is_some_and(|(last, _)| topic > *last);
            if after.is_some_and(|after| *topic <= *after) || (is_full && (is_behind || count == 0)) {
                return;
            }
            first.insert(topic.clone(), copy);
            if is_full {
                first.pop_last();
            }
        });
        let named = |(topic, copy)| Some((TopicName::new(topic).ok()?, Arc::clone(copy)));
        first.into_iter().filter_map(named).collect()
    }

    #[cfg(test)]
    pub(super) fn node_count(&self) -> usize {
        self.tree.node_count()
    }
}

fn cost(topic: &TopicName, payload_bytes: usize) -> usize {
    topic.as_str().len() + payload_bytes + OVERHEAD
}

fn cost_of(message: &Message) -> usize {
    cost(&message.topic, message.payload.len())
}
