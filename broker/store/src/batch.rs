//! Changes that belong together.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use smallvec::SmallVec;

use crate::Space;

/// The key of a record. Most are one or two numbers.
pub type Key = SmallVec<[u8; 16]>;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// The record has this value from now on.
    Put(Vec<u8>),
    /// There is no such record any more.
    Delete,
}

#[derive(Debug, Clone)]
struct Change {
    op: Op,
    /// There was no record with this key before the batch, and none of its name will come again.
    is_new: bool,
}

/// Changes that are written together, the last one of each record.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    changes: HashMap<(Space, Key), Change>,
    bytes: usize,
}

impl Batch {
    /// Nothing changes.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// How many records change.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// Bytes of keys and values.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Sets a record.
    pub fn put(&mut self, space: Space, key: Key, value: Vec<u8>) {
        self.change(space, key, Op::Put(value), false);
    }

    /// Sets a record that was never there before: if it is deleted before the batch is written, neither leaves a trace.
    pub fn put_new(&mut self, space: Space, key: Key, value: Vec<u8>) {
        self.change(space, key, Op::Put(value), true);
    }

    /// Deletes a record.
    pub fn delete(&mut self, space: Space, key: Key) {
        match self.changes.entry((space, key)) {
            Entry::Occupied(entry) if entry.get().is_new => {
                let ((_, key), change) = entry.remove_entry();
                self.bytes -= key.len() + change.op.len();
            }
            Entry::Occupied(mut entry) => {
                self.bytes -= entry.get().op.len();
                entry.get_mut().op = Op::Delete;
            }
            Entry::Vacant(entry) => {
                self.bytes += entry.key().1.len();
                entry.insert(Change {
                    op: Op::Delete,
                    is_new: false,
                });
            }
        }
    }

    fn change(&mut self, space: Space, key: Key, op: Op, is_new: bool) {
        self.bytes += op.len();
        match self.changes.entry((space, key)) {
            Entry::Occupied(mut entry) => {
                self.bytes -= entry.get().op.len();
                // Still new if it was.
                entry.get_mut().op = op;
            }
            Entry::Vacant(entry) => {
                self.bytes += entry.key().1.len();
                entry.insert(Change { op, is_new });
            }
        }
    }

    /// What becomes of a record; `None` where the batch does not say.
    pub fn get(&self, space: Space, key: &Key) -> Option<&Op> {
        self.changes.get(&(space, key.clone())).map(|change| &change.op)
    }

    /// Every change, in no order: each is about another record.
    pub fn changes(&self) -> impl Iterator<Item = (Space, &[u8], &Op)> {
        self.changes
            .iter()
            .map(|((space, key), change)| (*space, &key[..], &change.op))
    }
}

impl Op {
    fn len(&self) -> usize {
        match self {
            Self::Put(value) => value.len(),
            Self::Delete => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Key {
        Key::from_slice(text.as_bytes())
    }

    #[test]
    fn what_came_and_went_leaves_no_trace() {
        let mut batch = Batch::default();
        batch.put_new(Space::Queue, key("a"), vec![1; 10]);
        batch.put_new(Space::Queue, key("a"), vec![1; 20]);
        assert_eq!((batch.len(), batch.bytes()), (1, 21));
        batch.delete(Space::Queue, key("a"));
        assert!(batch.is_empty());
        assert_eq!(batch.bytes(), 0);
    }

    #[test]
    fn what_may_have_been_there_before_is_deleted() {
        let mut batch = Batch::default();
        batch.put(Space::Retained, key("a"), vec![1]);
        batch.delete(Space::Retained, key("a"));
        assert_eq!(batch.get(Space::Retained, &key("a")), Some(&Op::Delete));
        batch.put(Space::Retained, key("a"), vec![2]);
        assert_eq!(batch.get(Space::Retained, &key("a")), Some(&Op::Put(vec![2])));
        assert_eq!((batch.len(), batch.bytes()), (1, 2));
    }

    #[test]
    fn spaces_do_not_meet() {
        let mut batch = Batch::default();
        batch.put(Space::Will, key("a"), vec![1]);
        batch.delete(Space::Ban, key("a"));
        assert_eq!(batch.changes().count(), 2);
    }
}
