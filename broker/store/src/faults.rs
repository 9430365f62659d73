//! A store that fails when it is told to, for tests.

use std::io;

use parking_lot::Mutex;

use crate::{Batch, Room, Space, Store, StoreError, Visit};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// There is no room for the commit, until [`Faulty::make_room`].
    Full,
    /// The commit fails, or is torn: nothing of it is there.
    Write,
    /// The commit is written, and the system says that it could not be made safe.
    Sync,
}

/// A store around another, in which the n-th commit goes wrong.
#[derive(Debug)]
pub struct Faulty<S> {
    inner: S,
    plan: Mutex<Plan>,
}

#[derive(Debug, Default)]
struct Plan {
    /// Commits until then, and what happens.
    next: Option<(usize, Fault)>,
    is_full: bool,
    is_dead: bool,
    commits: usize,
}

impl<S> Faulty<S> {
    /// Around `inner`; nothing goes wrong yet.
    pub fn new(inner: S) -> Self {
        Self {
            inner,
            plan: Mutex::default(),
        }
    }

    /// The commit after `good` more ones goes wrong.
    pub fn fail_after(&self, good: usize, fault: Fault) {
        self.plan.lock().next = Some((good, fault));
    }

    /// The disk has room again.
    pub fn make_room(&self) {
        self.plan.lock().is_full = false;
    }

    /// Commits that came to the store below.
    pub fn commits(&self) -> usize {
        self.plan.lock().commits
    }

    /// The store below.
    pub fn inner(&self) -> &S {
        &self.inner
    }
}

fn failed(what: &'static str) -> StoreError {
    StoreError::Io(io::Error::other(what))
}

impl<S: Store> Store for Faulty<S> {
    fn commit(&self, batch: &Batch, sync: bool) -> Result<(), StoreError> {
        let mut plan = self.plan.lock();
        if plan.is_dead {
            return Err(failed("failed before"));
        }
        if plan.is_full {
            return Err(StoreError::Full);
        }
        match plan.next.take() {
            Some((0, Fault::Full)) => {
                plan.is_full = true;
                return Err(StoreError::Full);
            }
            Some((0, Fault::Sync)) => {
                plan.is_dead = true;
                self.inner.commit(batch, sync)?;
                return Err(failed("cannot sync"));
            }
            Some((0, Fault::Write)) => {
                plan.is_dead = true;
                return Err(failed("cannot write"));
            }
            Some((left, fault)) => plan.next = Some((left - 1, fault)),
            None => {}
        }
        plan.commits += 1;
        drop(plan);
        self.inner.commit(batch, sync)
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.inner.sync()
    }

    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.get(space, key)
    }

    fn scan(&self, space: Space, from: &[u8], visit: &mut Visit<'_>) -> Result<(), StoreError> {
        self.inner.scan(space, from, visit)
    }

    fn mark(&self) -> Result<(), StoreError> {
        self.inner.mark()
    }

    fn room(&self) -> Result<Room, StoreError> {
        let room = self.inner.room()?;
        let is_full = self.plan.lock().is_full;
        Ok(Room {
            free: if is_full { 0 } else { room.free },
            ..room
        })
    }

    fn reopen(&self) -> Result<(), StoreError> {
        self.inner.reopen()
    }
}
