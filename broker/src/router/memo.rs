//! What one publisher need not look up again.

use hashbrown::HashMap;
use hookwire_protocol::TopicName;

/// Topics remembered for one publisher; beyond it the memo starts anew, which costs a look-up each.
const TOPICS_MAX: usize = 1024;

/// So many topics are remembered at once. Who has more may well come to none of them again, and remembering one costs a third
/// of looking it up: of those, one in [`SAMPLED`] is, by chance. One that comes again and again is so soon enough.
const AT_ONCE_MAX: usize = 64;
const SAMPLED: u8 = 8;

/// Topic → what was found out about it, for as long as that holds: one generation of whatever it depends on.
#[derive(Debug)]
pub struct Memo<V> {
    generation: u64,
    /// Of the topic that was asked for last.
    last: Option<Found<V>>,
    known: HashMap<TopicName, V>,
}

/// A topic, in memory of its own that all messages of that topic may share, and what was found out about it.
pub type Found<V> = (TopicName, V);

impl<V> Default for Memo<V> {
    fn default() -> Self {
        Self {
            generation: 0,
            last: None,
            known: HashMap::new(),
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
        self.last
            .get_or_insert_with(|| find(&mut self.known, topic, look_up))
    }

    /// Forgets everything.
    pub fn forget(&mut self) {
        self.last = None;
        self.known = HashMap::new();
    }
}

fn find<V: Clone>(
    known: &mut HashMap<TopicName, V>,
    topic: &TopicName,
    look_up: impl FnOnce() -> V,
) -> Found<V> {
    if let Some((topic, value)) = known.get_key_value(topic) {
        return (topic.clone(), value.clone());
    }
    if known.len() >= TOPICS_MAX {
        known.clear();
    }
    // With memory of its own, so that the memo holds no read buffers.
    let (topic, value) = (topic.detached(), look_up());
    if known.len() < AT_ONCE_MAX || fastrand::u8(..SAMPLED) == 0 {
        known.insert(topic.clone(), value.clone());
    }
    (topic, value)
}
