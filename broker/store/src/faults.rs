//! A store that fails when it is told to, for tests.

use std::io;

use parking_lot::Mutex;

use crate::{Batch, Room, Space, Store, StoreError, Visit};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// There is no room for the commit, until [`Faulty::make_room`].
    Full,
    /// The same, and until then the store is closed: it gives nothing, and says nothing of itself.
    Closed,
    /// The commit fails, or is torn: nothing of it is there.
    Write,
    /// The commit is written, and the system says that it could not be made safe.
    Sync,
}

/// Which reads go wrong. The record is there, and the system does not give it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadFault {
    /// The next so many, and none after them.
    Next(u64),
    /// The one after so many that go well, and none behind it.
    After(u64),
    /// Of so many about one, until [`Faulty::heal_reads`]. The same ones for the same seed.
    OneIn {
        /// Of how many.
        reads: u64,
        /// The seed; not zero.
        seed: u64,
    },
}

/// A store around another, in which the n-th commit goes wrong, or a read.
#[derive(Debug)]
pub struct Faulty<S> {
    inner: S,
    plan: Mutex<Plan>,
    reads: Mutex<ReadPlan>,
}

#[derive(Debug, Default)]
struct ReadPlan {
    fault: Option<ReadFault>,
    failed: u64,
}

#[derive(Debug, Default)]
struct Plan {
    /// Commits until then, and what happens.
    next: Option<(usize, Fault)>,
    is_full: bool,
    is_closed: bool,
    /// How often it was to be opened again while it was closed.
    refused: usize,
    is_dead: bool,
    commits: usize,
    syncs: usize,
    marks: usize,
}

impl<S> Faulty<S> {
    /// Around `inner`; nothing goes wrong yet.
    pub fn new(inner: S) -> Self {
        Self {
            inner,
            plan: Mutex::default(),
            reads: Mutex::default(),
        }
    }

    /// Reads go wrong from now on.
    pub fn fail_reads(&self, fault: ReadFault) {
        self.reads.lock().fault = Some(fault);
    }

    /// All reads go well from now on.
    pub fn heal_reads(&self) {
        self.reads.lock().fault = None;
    }

    /// Reads that went wrong.
    pub fn reads_failed(&self) -> u64 {
        self.reads.lock().failed
    }

    /// The commit after `good` more ones goes wrong.
    pub fn fail_after(&self, good: usize, fault: Fault) {
        self.plan.lock().next = Some((good, fault));
    }

    /// The disk has room again.
    pub fn make_room(&self) {
        let mut plan = self.plan.lock();
        (plan.is_full, plan.is_closed) = (false, false);
    }

    /// How often it was to be opened again, and there was no room.
    pub fn refused(&self) -> usize {
        self.plan.lock().refused
    }

    /// Commits that came to the store below.
    pub fn commits(&self) -> usize {
        self.plan.lock().commits
    }

    /// How often the store below was made safe up to its end, and took note of it.
    pub fn syncs_and_marks(&self) -> (usize, usize) {
        let plan = self.plan.lock();
        (plan.syncs, plan.marks)
    }

    /// The store below.
    pub fn inner(&self) -> &S {
        &self.inner
    }
}

impl Plan {
    /// Whether the store below is there to be asked.
    fn is_open(&self) -> Result<(), StoreError> {
        if self.is_closed {
            return Err(StoreError::Full);
        }
        Ok(())
    }
}

impl ReadPlan {
    /// Whether the next read goes well.
    fn step(&mut self) -> Result<(), StoreError> {
        let fails = match &mut self.fault {
            None => false,
            Some(ReadFault::Next(left)) => {
                let fails = *left > 0;
                *left = left.saturating_sub(1);
                fails
            }
            Some(ReadFault::After(good)) => {
                let left = good.checked_sub(1);
                *good = left.unwrap_or(u64::MAX);
                left.is_none()
            }
            Some(ReadFault::OneIn { reads, seed }) => {
                *seed ^= *seed << 13;
                *seed ^= *seed >> 7;
                *seed ^= *seed << 17;
                seed.is_multiple_of(*reads)
            }
        };
        if fails {
            self.failed += 1;
            return Err(failed("cannot read"));
        }
        Ok(())
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
            Some((0, Fault::Closed)) => {
                (plan.is_full, plan.is_closed) = (true, true);
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
        self.plan.lock().syncs += 1;
        self.inner.sync()
    }

    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.plan.lock().is_open()?;
        self.reads.lock().step()?;
        self.inner.get(space, key)
    }

    fn scan(&self, space: Space, prefix: &[u8], visit: &mut Visit<'_>) -> Result<(), StoreError> {
        self.plan.lock().is_open()?;
        self.reads.lock().step()?;
        self.inner.scan(space, prefix, visit)
    }

    fn mark(&self) -> Result<(), StoreError> {
        self.plan.lock().marks += 1;
        self.inner.mark()
    }

    fn room(&self) -> Result<Room, StoreError> {
        let is_full = {
            let plan = self.plan.lock();
            plan.is_open()?;
            plan.is_full
        };
        let room = self.inner.room()?;
        Ok(Room {
            free: if is_full { 0 } else { room.free },
            ..room
        })
    }

    fn reopen(&self) -> Result<(), StoreError> {
        let mut plan = self.plan.lock();
        plan.refused += usize::from(plan.is_closed);
        plan.is_open()?;
        drop(plan);
        self.inner.reopen()
    }
}
