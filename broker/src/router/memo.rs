//! What one publisher need not look up again.

use std::sync::Arc;

use hashbrown::HashMap;
use hookwire_protocol::TopicName;

use super::Matches;

/// Topics remembered for one publisher; beyond it the memo starts anew, which costs a look-up in the tree
/// each.
const TOPICS_MAX: usize = 1024;

/// Topic → who receives it, as long as no subscription changes.
#[derive(Debug)]
pub struct Memo<S> {
    generation: u64,
    /// Of the topic that was asked for last.
    last: Option<Found<S>>,
    known: Known<S>,
}

type Known<S> = HashMap<TopicName, Arc<Matches<S>>>;

/// A topic, in memory of its own that all messages of that topic may share, and who receives it.
pub type Found<S> = (TopicName, Arc<Matches<S>>);

impl<S> Default for Memo<S> {
    fn default() -> Self {
        Self {
            generation: 0,
            last: None,
            known: HashMap::new(),
        }
    }
}

impl<S> Memo<S> {
    /// The matches of a topic, looked up when they are not known or no longer true.
    #[inline]
    pub fn matches(
        &mut self,
        generation: u64,
        topic: &TopicName,
        look_up: impl FnOnce() -> Matches<S>,
    ) -> &Found<S> {
        if self.generation != generation {
            self.forget();
            self.generation = generation;
        }
        self.last.take_if(|(last, _)| last != topic);
        self.last
            .get_or_insert_with(|| find(&mut self.known, topic, look_up))
    }

    /// Forgets everything.
    pub fn forget(&mut self) {
        self.last = None;
        self.known = HashMap::new();
    }
}

fn find<S>(known: &mut Known<S>, topic: &TopicName, look_up: impl FnOnce() -> Matches<S>) -> Found<S> {
    if let Some((topic, matches)) = known.get_key_value(topic) {
        return (topic.clone(), Arc::clone(matches));
    }
    if known.len() >= TOPICS_MAX {
        known.clear();
    }
    // With memory of its own, so that the memo holds no read buffers.
    let (topic, matches) = (topic.detached(), Arc::new(look_up()));
    known.insert(topic.clone(), Arc::clone(&matches));
    (topic, matches)
}
