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
    last: Option<(TopicName, Arc<Matches<S>>)>,
    others: HashMap<TopicName, Arc<Matches<S>>>,
}

impl<S> Default for Memo<S> {
    fn default() -> Self {
        Self {
            generation: 0,
            last: None,
            others: HashMap::new(),
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
    ) -> Arc<Matches<S>> {
        if self.generation != generation {
            self.forget();
            self.generation = generation;
        }
        match &self.last {
            Some((last, matches)) if last == topic => Arc::clone(matches),
            _ => self.other(topic, look_up),
        }
    }

    fn other(&mut self, topic: &TopicName, look_up: impl FnOnce() -> Matches<S>) -> Arc<Matches<S>> {
        if self.others.len() >= TOPICS_MAX {
            self.others.clear();
        }
        let matches = match self.others.get(topic) {
            Some(matches) => Arc::clone(matches),
            None => {
                let matches = Arc::new(look_up());
                // With memory of its own, so that the memo holds no read buffers.
                self.others.insert(topic.detached(), Arc::clone(&matches));
                matches
            }
        };
        self.last = Some((topic.detached(), Arc::clone(&matches)));
        matches
    }

    /// Forgets everything.
    pub fn forget(&mut self) {
        self.last = None;
        self.others = HashMap::new();
    }
}
