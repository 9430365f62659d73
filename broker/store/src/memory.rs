//! A store that lives as long as its process, for tests.

use std::collections::BTreeMap;
use std::ops::Bound;

use parking_lot::RwLock;

use crate::{Batch, Op, Room, Space, Store, StoreError, Visit};

/// Values by space and key.
type Records = BTreeMap<(Space, Vec<u8>), Vec<u8>>;

/// Records in memory.
#[derive(Debug, Default)]
pub struct Memory {
    records: RwLock<Records>,
}

impl Memory {
    /// What somebody would find who opened the store after a crash at this moment.
    #[must_use]
    pub fn after_crash(&self) -> Self {
        Self {
            records: RwLock::new(self.records.read().clone()),
        }
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.records.read().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.records.read().is_empty()
    }
}

impl Store for Memory {
    fn commit(&self, batch: &Batch, _sync: bool) -> Result<(), StoreError> {
        let mut records = self.records.write();
        for (space, key, op) in batch.changes() {
            let key = (space, key.to_vec());
            match op {
                Op::Put(value) => drop(records.insert(key, value.clone())),
                Op::Delete => drop(records.remove(&key)),
            }
        }
        Ok(())
    }

    fn sync(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.records.read().get(&(space, key.to_vec())).cloned())
    }

    fn scan(&self, space: Space, prefix: &[u8], visit: &mut Visit<'_>) -> Result<(), StoreError> {
        let records = self.records.read();
        let first = Bound::Included((space, prefix.to_vec()));
        for ((of, key), value) in records.range((first, Bound::Unbounded)) {
            if *of != space || !key.starts_with(prefix) || visit(key, value).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn mark(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn room(&self) -> Result<Room, StoreError> {
        let records = self.records.read();
        let bytes = records.iter().map(|((_, key), value)| key.len() + value.len());
        Ok(Room {
            used: bytes.sum::<usize>() as u64,
            free: u64::MAX,
        })
    }

    fn reopen(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
