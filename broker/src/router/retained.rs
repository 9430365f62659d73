//! Retained messages.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use hookwire_hooks::Message;
use hookwire_protocol::{TopicFilter, TopicName};

use super::level_tree::{LevelTree, Slot};
use crate::session::RetainedCopy;

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

#[derive(Debug, Default)]
struct Kept(Option<Arc<RetainedCopy>>);

impl Slot for Kept {
    fn is_vacant(&self) -> bool {
        self.0.is_none()
    }
}

/// The last retained message of each topic.
#[derive(Debug, Default)]
pub struct Retained {
    tree: LevelTree<Kept>,
    count: usize,
    bytes: usize,
}

impl Retained {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Their bytes, with what each costs beyond its topic and payload.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether a message would be taken.
    pub fn check(&self, message: &Message, limits: &RetainedLimits) -> Result<(), RetainedFull> {
        if message.payload.is_empty() {
            return Ok(());
        }
        let replaced = self
            .tree
            .get(message.topic.as_str())
            .and_then(|kept| kept.0.as_deref());
        let (count, bytes) = replaced.map_or((0, 0), |copy| (1, cost(&copy.message)));
        if self.count - count + 1 > limits.messages_max {
            Err(RetainedFull::Messages)
        } else if self.bytes - bytes + cost(message) > limits.bytes_max {
            Err(RetainedFull::Bytes)
        } else {
            Ok(())
        }
    }

    /// Keeps a message in place of the last one of its topic; an empty payload only removes.
    /// [MQTT-3.3.1-5..7]
    pub fn keep(&mut self, message: &Message, limits: &RetainedLimits) -> Result<(), RetainedFull> {
        self.check(message, limits)?;
        let copy = (!message.payload.is_empty()).then(|| Arc::new(detached(message)));
        if let Some(copy) = &copy {
            self.count += 1;
            self.bytes += cost(&copy.message);
        }
        let replaced = self.tree.update(message.topic.as_str(), |kept| {
            std::mem::replace(&mut kept.0, copy)
        });
        if let Some(replaced) = replaced {
            replaced.supersede();
            self.count -= 1;
            self.bytes -= cost(&replaced.message);
        }
        Ok(())
    }

    /// The retained messages that a filter matches and that have not expired.
    pub fn matching(&self, filter: &TopicFilter, now: Instant) -> Vec<Arc<RetainedCopy>> {
        let mut found = Vec::new();
        self.tree.matched_by(filter.as_str(), |kept| {
            found.extend(kept.0.iter().filter(|copy| is_alive(copy, now)).cloned());
        });
        found
    }

    /// The retained message of a topic, unless it has expired.
    pub fn of_topic(&self, topic: &TopicName, now: Instant) -> Option<Arc<RetainedCopy>> {
        let kept = self.tree.get(topic.as_str())?;
        kept.0.as_ref().filter(|copy| is_alive(copy, now)).cloned()
    }

    /// The first `count` in the order of their topics, of those that a filter matches, that have not expired and that come
    /// behind the topic `after`. Walks over all that the filter matches, and holds no more than it returns.
    pub fn page(
        &self,
        filter: &TopicFilter,
        after: Option<&str>,
        count: usize,
        now: Instant,
    ) -> Vec<Arc<RetainedCopy>> {
        let mut first = BTreeMap::new();
        self.tree.matched_by(filter.as_str(), |kept| {
            let Some(copy) = kept.0.as_ref().filter(|copy| is_alive(copy, now)) else {
                return;
            };
            let topic = copy.message.topic.as_str();
            if after.is_none_or(|after| topic > after) {
                first.insert(topic, copy);
                if first.len() > count {
                    first.pop_last();
                }
            }
        });
        first.into_values().cloned().collect()
    }

    #[cfg(test)]
    pub(super) fn node_count(&self) -> usize {
        self.tree.node_count()
    }
}

fn is_alive(copy: &RetainedCopy, now: Instant) -> bool {
    copy.message.expires_at.is_none_or(|expires_at| expires_at > now)
}

fn cost(message: &Message) -> usize {
    message.topic.as_str().len() + message.payload.len() + OVERHEAD
}

/// A copy with memory of its own: it may stay for years, the read buffer that the message came in should not.
fn detached(message: &Message) -> RetainedCopy {
    RetainedCopy::new(Arc::new(message.clone().detached()))
}
