//! What one publisher need not look up again.

use hashbrown::HashMap;
use hookwire_protocol::TopicName;

/// Topics remembered for one publisher; beyond it the memo starts anew, which costs a look-up each.
const TOPICS_MAX: usize = 1024;

/// So many topics are remembered at once. Who has more may well come to none of them again, and remembering one costs a third
/// of looking it up: of those, one in [`SAMPLED`] is.
const AT_ONCE_MAX: usize = 64;

/// A topic that comes again and again is soon the one that is taken.
const SAMPLED: u8 = 8;

/// Topic → what was found out about it, for as long as that holds: one generation of whatever it depends on.
#[derive(Debug)]
pub struct Memo<V> {
    generation: u64,
    /// Of the topic that was asked for last.
    last: Option<Found<V>>,
    known: Known<V>,
}

#[derive(Debug)]
struct Known<V> {
    topics: HashMap<TopicName, V>,
    /// How many were passed over since one was taken.
    passed_over: u8,
}

/// A topic, in memory of its own that all messages of that topic may share, and what was found out about it.
pub type Found<V> = (TopicName, V);

impl<V> Default for Memo<V> {
    fn default() -> Self {
        Self {
            generation: 0,
            last: None,
            known: Known::default(),
        }
    }
}

impl<V> Default for Known<V> {
    fn default() -> Self {
        Self {
            topics: HashMap::new(),
            passed_over: 0,
        }
    }
}

impl<V: Clone> Memo<V> {
    /// What is known of a topic, looked up when it is not known or no longer true.
    #[inline]
    pub fn recall(&mut self, generation: u64, topic: &TopicName, look_up: impl FnOnce() -> V) -> &Found<V> {
        if self.generation != generation {
            self.forget();
            self.generation = generation;
        }
        self.last.take_if(|(last, _)| last != topic);
        self.last.get_or_insert_with(|| self.known.find(topic, look_up))
    }

    /// Forgets everything.
    pub fn forget(&mut self) {
        self.last = None;
        self.known = Known::default();
    }
}

impl<V: Clone> Known<V> {
    fn find(&mut self, topic: &TopicName, look_up: impl FnOnce() -> V) -> Found<V> {
        if let Some((topic, value)) = self.topics.get_key_value(topic) {
            return (topic.clone(), value.clone());
        }
        // With memory of its own, so that the memo holds no read buffers.
        let (topic, value) = (topic.detached(), look_up());
        if self.takes_another() {
            self.topics.insert(topic.clone(), value.clone());
        }
        (topic, value)
    }

    fn takes_another(&mut self) -> bool {
        let known = self.topics.len();
        if known >= TOPICS_MAX {
            self.topics.clear();
        } else if known >= AT_ONCE_MAX {
            self.passed_over = (self.passed_over + 1) % SAMPLED;
            return self.passed_over == 0;
        }
        true
    }
}
