//! The thread that writes what many connections record.
//!
//! Everybody adds to one open batch, which has a number. When somebody waits for it, the thread takes it, writes it
//! while the next one fills, and tells all who wait that it is safe: one system call for as many as came meanwhile, and
//! no delay when there is nobody else. A record that is deleted before its batch is taken was never there.
//!
//! What nobody waits for (a message has arrived and is to be forgotten) goes along with the next batch that somebody
//! waits for, or a moment later.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, RwLock, RwLockReadGuard};

use crate::{Batch, Key, Room, Space, Store, StoreError};

/// How long a change that nobody waits for may stay in memory.
const LAZY: Duration = Duration::from_millis(200);
/// How often the store is asked for its size, and takes note of how far it has come.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// … or after so many bytes, if they come faster.
const LOOK_AFTER_BYTES: usize = 16 << 20;
/// How often a store without room is tried again.
const RETRY_EVERY: Duration = Duration::from_millis(250);

/// What an answer waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The disk has it: it survives the loss of power.
    Always,
    /// The system has it: it survives the end of the process. The disk has it so much later, at the latest.
    Interval(Duration),
    /// The system has it, and writes it when it likes.
    Os,
}

/// How the committer works.
#[derive(Debug, Clone)]
pub struct CommitterSettings {
    /// What an answer waits for.
    pub durability: Durability,
    /// Most bytes that the store may take. From nine tenths on it is [`Health::Full`].
    pub bytes_max: u64,
    /// What is to be left on its file system; below it the store is [`Health::Full`].
    pub free_bytes_min: u64,
}

/// How the store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Health {
    /// Everything is taken.
    Good = 0,
    /// There is no room for more. What goes away is still taken note of.
    Full = 1,
    /// It has failed. Nothing more is confirmed until the process is started anew.
    Failed = 2,
}

/// Somebody who waits for a batch.
pub trait Waiter: Send + Sync {
    /// The batch is as safe as configured; or it never will be.
    fn settled(&self, is_safe: bool);
}

/// Records changes, and writes them in batches.
pub struct Committer {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    store: Arc<dyn Store>,
    settings: CommitterSettings,
    open: Mutex<Open>,
    /// Wakes the thread.
    wanted: Condvar,
    /// Held while changes are recorded that belong into one batch.
    whole: RwLock<()>,
    safe: AtomicU64,
    health: AtomicU8,
    waiting: Mutex<BTreeMap<u64, Vec<Arc<dyn Waiter>>>>,
    written: Written,
}

/// The batch that fills.
struct Open {
    batch: Batch,
    number: u64,
    /// Something was recorded, though it may have gone again.
    is_touched: bool,
    is_wanted: bool,
    is_closing: bool,
}

/// What was written since the start.
#[derive(Debug, Default)]
struct Written {
    commits: AtomicU64,
    changes: AtomicU64,
    bytes: AtomicU64,
    used: AtomicU64,
    reads_failed: AtomicU64,
}

impl fmt::Debug for Committer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Committer")
            .field("safe", &self.safe())
            .field("health", &self.health())
            .finish_non_exhaustive()
    }
}

/// Everything that is recorded while this is held goes into one batch.
pub struct Whole<'a>(#[expect(dead_code, reason = "held, not read")] RwLockReadGuard<'a, ()>);

impl fmt::Debug for Whole<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Whole")
    }
}

impl Committer {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system has no thread left, or the store does not say how large it is.
    pub fn start(store: Arc<dyn Store>, settings: CommitterSettings) -> Result<Self, StoreError> {
        let room = store.room()?;
        let shared = Arc::new(Shared {
            store,
            settings,
            open: Mutex::new(Open {
                batch: Batch::default(),
                number: 1,
                is_touched: false,
                is_wanted: false,
                is_closing: false,
            }),
            wanted: Condvar::new(),
            whole: RwLock::new(()),
            safe: AtomicU64::new(0),
            health: AtomicU8::new(Health::Good as u8),
            waiting: Mutex::default(),
            written: Written::default(),
        });
        shared.judge(room);
        let serving = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("hookwire-store".into())
            .spawn(move || serve(&serving))?;
        Ok(Self {
            shared,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// The store behind it. What is recorded is there once it is safe.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.shared.store
    }

    /// Sets a record; the number of the batch that it is in.
    pub fn put(&self, space: Space, key: Key, value: Vec<u8>) -> u64 {
        self.record(|batch| batch.put(space, key, value))
    }

    /// Sets a record that was never there before; see [`Batch::put_new`].
    pub fn put_new(&self, space: Space, key: Key, value: Vec<u8>) -> u64 {
        self.record(|batch| batch.put_new(space, key, value))
    }

    /// Deletes a record.
    pub fn delete(&self, space: Space, key: Key) -> u64 {
        self.record(|batch| batch.delete(space, key))
    }

    /// Several changes at once; the number of the batch that they are in.
    pub fn record(&self, change: impl FnOnce(&mut Batch)) -> u64 {
        let mut open = self.shared.open.lock();
        if self.health() == Health::Failed {
            // It will never be written, and must not pile up.
            return open.number;
        }
        change(&mut open.batch);
        if !open.is_touched {
            open.is_touched = true;
            // The thread sleeps without an end as long as there is nothing.
            self.shared.wanted.notify_one();
        }
        open.number
    }

    /// Keeps the open batch open: what is recorded until this is dropped is safe together or not at all.
    pub fn whole(&self) -> Whole<'_> {
        Whole(self.shared.whole.read_recursive())
    }

    /// The number behind which everything is that was recorded until now.
    pub fn latest(&self) -> u64 {
        let open = self.shared.open.lock();
        if open.is_touched {
            open.number
        } else {
            open.number - 1
        }
    }

    /// The number of the open batch: that of the next change, as long as [`Committer::whole`] is held.
    pub fn open(&self) -> u64 {
        self.shared.open.lock().number
    }

    /// The last batch that is safe.
    #[inline]
    pub fn safe(&self) -> u64 {
        self.shared.safe.load(Ordering::Acquire)
    }

    /// Whether a batch is safe.
    #[inline]
    pub fn is_safe(&self, number: u64) -> bool {
        number <= self.safe()
    }

    /// Has somebody told when a batch is safe, or will never be; at once, if that is known already.
    pub fn wait(&self, number: u64, waiter: Arc<dyn Waiter>) {
        {
            let mut waiting = self.shared.waiting.lock();
            if !self.is_safe(number) && self.health() != Health::Failed {
                waiting.entry(number).or_default().push(waiter);
                drop(waiting);
                return self.want(number);
            }
        }
        waiter.settled(self.is_safe(number));
    }

    fn want(&self, number: u64) {
        let mut open = self.shared.open.lock();
        if open.number == number && !open.is_wanted {
            open.is_wanted = true;
            open.is_touched = true;
            self.shared.wanted.notify_one();
        }
    }

    /// How the store is.
    #[inline]
    pub fn health(&self) -> Health {
        Health::of(self.shared.health.load(Ordering::Acquire))
    }

    /// Batches, changes and bytes written since the start, and the bytes that the store took at the last look.
    pub fn written(&self) -> (u64, u64, u64, u64) {
        let Written {
            commits,
            changes,
            bytes,
            used,
            ..
        } = &self.shared.written;
        let [commits, changes, bytes, used] =
            [commits, changes, bytes, used].map(|count| count.load(Ordering::Relaxed));
        (commits, changes, bytes, used)
    }

    /// A record that is there could not be read. What is damaged stays so, and only that record is concerned; what passes is
    /// no failure either. If it was the system, the store has failed, as it has when it cannot write; what was read and
    /// what is read later may be believed.
    pub fn note_failed_read(&self, error: &StoreError) {
        self.shared.written.reads_failed.fetch_add(1, Ordering::Relaxed);
        if error.is_passing() {
            tracing::warn!("the store cannot be read at the moment: {error}");
        } else if !error.is_damage() && self.health() != Health::Failed {
            tracing::error!("the store cannot be read, nothing more is confirmed: {error}");
            self.shared.fail();
        }
    }

    /// Reads that have failed since the start.
    pub fn reads_failed(&self) -> u64 {
        self.shared.written.reads_failed.load(Ordering::Relaxed)
    }

    /// Writes what is there, and ends the thread. What is recorded later is lost.
    pub fn close(&self) {
        {
            let mut open = self.shared.open.lock();
            open.is_closing = true;
            self.shared.wanted.notify_one();
        }
        let thread = self.thread.lock().take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the thread of the store has panicked");
        }
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.close();
    }
}

impl Health {
    const fn of(byte: u8) -> Self {
        match byte {
            0 => Self::Good,
            1 => Self::Full,
            _ => Self::Failed,
        }
    }

    /// For people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Full => "full",
            Self::Failed => "failed",
        }
    }
}

// ---- the thread

fn serve(shared: &Shared) {
    let working = AssertUnwindSafe(|| Writer::new(shared).work());
    let outcome = catch_unwind(working).unwrap_or_else(|_| Err(StoreError::Engine("it panicked".into())));
    if let Err(error) = outcome {
        tracing::error!("the store has failed, nothing more is confirmed: {error}");
        shared.fail();
    }
}

/// What the thread remembers.
struct Writer<'a> {
    shared: &'a Shared,
    looked_at: Instant,
    bytes_since_look: usize,
    /// Since when something is written that the disk may not have.
    unsynced_since: Option<Instant>,
    is_unmarked: bool,
}

/// What the thread has to do next.
enum Turn {
    /// This batch is to be written.
    Write(Taken),
    /// Something else is due.
    Look,
    /// The store has failed where it was read: what was recorded since was given up.
    Over,
}

/// A batch that was taken.
struct Taken {
    batch: Batch,
    number: u64,
    is_last: bool,
}

#[expect(
    clippy::disallowed_methods,
    reason = "a thread of its own that waits for real time"
)]
fn now() -> Instant {
    Instant::now()
}

impl<'a> Writer<'a> {
    fn new(shared: &'a Shared) -> Self {
        Self {
            shared,
            looked_at: now(),
            bytes_since_look: 0,
            unsynced_since: None,
            is_unmarked: false,
        }
    }

    fn work(mut self) -> Result<(), StoreError> {
        loop {
            let is_last = match self.take() {
                Turn::Over => {
                    self.leave();
                    return Ok(());
                }
                Turn::Look => false,
                Turn::Write(taken) => {
                    let is_last = taken.is_last;
                    self.write(taken)?;
                    is_last
                }
            };
            self.sync_if_due(is_last)?;
            self.look_if_due(is_last)?;
            if is_last {
                return Ok(());
            }
        }
    }

    /// Nothing more is written. What was confirmed is made as safe as it was to become.
    fn leave(&mut self) {
        let left = self.sync_if_due(true).and_then(|()| self.look_if_due(true));
        if let Err(error) = left {
            tracing::error!("what was confirmed last may not survive the loss of power: {error}");
        }
    }

    /// Waits for a batch, or until something else is due.
    fn take(&self) -> Turn {
        {
            let mut open = self.shared.open.lock();
            while !(open.is_wanted || open.is_closing || self.shared.has_failed()) {
                let (wait, is_lazy) = self.patience(open.is_touched);
                match wait {
                    None => self.shared.wanted.wait(&mut open),
                    Some(wait) => {
                        let is_over = self.shared.wanted.wait_for(&mut open, wait).timed_out();
                        if is_over && is_lazy {
                            break;
                        }
                        if is_over {
                            return Turn::Look;
                        }
                    }
                }
            }
        }
        // Whoever records changes that belong together comes to an end first.
        let _cut = self.shared.whole.write();
        let mut open = self.shared.open.lock();
        // Looked at under the lock under which the batch is given up: it is whole, or it is not taken.
        if self.shared.has_failed() {
            return Turn::Over;
        }
        let number = open.number;
        open.number += 1;
        open.is_touched = false;
        open.is_wanted = false;
        Turn::Write(Taken {
            batch: std::mem::take(&mut open.batch),
            number,
            is_last: open.is_closing,
        })
    }

    /// How long to wait at the most, and whether what was recorded is taken then.
    fn patience(&self, is_touched: bool) -> (Option<Duration>, bool) {
        let due = [self.sync_due(), self.look_due()].into_iter().flatten().min();
        let due = due.map(|at| at.saturating_duration_since(now()));
        match (is_touched, due) {
            (true, Some(due)) if due < LAZY => (Some(due), false),
            (true, _) => (Some(LAZY), true),
            (false, due) => (due, false),
        }
    }

    fn write(&mut self, taken: Taken) -> Result<(), StoreError> {
        let Taken {
            batch,
            number,
            is_last,
        } = taken;
        if !batch.is_empty() {
            self.commit(&batch, is_last)?;
            let written = &self.shared.written;
            written.commits.fetch_add(1, Ordering::Relaxed);
            written.changes.fetch_add(batch.len() as u64, Ordering::Relaxed);
            written.bytes.fetch_add(batch.bytes() as u64, Ordering::Relaxed);
            self.bytes_since_look += batch.bytes();
            self.is_unmarked = true;
        }
        self.shared.confirm(number);
        Ok(())
    }

    fn commit(&mut self, batch: &Batch, is_last: bool) -> Result<(), StoreError> {
        let sync = self.shared.settings.durability == Durability::Always;
        loop {
            match self.shared.store.commit(batch, sync) {
                Err(StoreError::Full) if !is_last => self.wait_for_room()?,
                Err(error) => return Err(error),
                Ok(()) => break,
            }
        }
        if !sync && self.unsynced_since.is_none() {
            self.unsynced_since = Some(now());
        }
        Ok(())
    }

    /// Nothing of the batch was written. It stays, and so do those who wait for it.
    fn wait_for_room(&mut self) -> Result<(), StoreError> {
        tracing::error!("no room for the store: messages that it has to keep are refused until there is");
        self.shared.set_health(Health::Full);
        loop {
            {
                let mut open = self.shared.open.lock();
                if open.is_closing {
                    return Err(StoreError::Full);
                }
                self.shared.wanted.wait_for(&mut open, RETRY_EVERY);
            }
            if self.may_have_room()? {
                match self.shared.store.reopen() {
                    Err(StoreError::Full) => {}
                    Err(error) => return Err(error),
                    Ok(()) => return Ok(()),
                }
            }
        }
    }

    /// A store that is closed for want of room says nothing before it is open again: that is tried.
    fn may_have_room(&self) -> Result<bool, StoreError> {
        match self.shared.store.room() {
            Err(StoreError::Full) => Ok(true),
            room => Ok(room?.free >= self.shared.settings.free_bytes_min),
        }
    }

    fn sync_due(&self) -> Option<Instant> {
        match self.shared.settings.durability {
            Durability::Interval(interval) => self.unsynced_since.map(|since| since + interval),
            Durability::Always | Durability::Os => None,
        }
    }

    fn sync_if_due(&mut self, is_last: bool) -> Result<(), StoreError> {
        let is_due = self.sync_due().is_some_and(|due| due <= now());
        if is_due || (is_last && self.unsynced_since.is_some()) {
            self.shared.store.sync()?;
            self.unsynced_since = None;
        }
        Ok(())
    }

    fn look_due(&self) -> Option<Instant> {
        let may_change = self.is_unmarked || self.shared.health() == Health::Full;
        may_change.then(|| self.looked_at + LOOK_EVERY)
    }

    fn look_if_due(&mut self, is_last: bool) -> Result<(), StoreError> {
        let is_due = self.look_due().is_some_and(|due| due <= now());
        if !(is_due || is_last || self.bytes_since_look >= LOOK_AFTER_BYTES) {
            return Ok(());
        }
        if self.is_unmarked && self.shared.settings.durability != Durability::Os {
            self.shared.store.mark()?;
        }
        self.is_unmarked = false;
        self.looked_at = now();
        self.bytes_since_look = 0;
        let room = self.shared.store.room()?;
        self.shared.judge(room);
        Ok(())
    }
}

impl Shared {
    fn health(&self) -> Health {
        Health::of(self.health.load(Ordering::Acquire))
    }

    fn has_failed(&self) -> bool {
        self.health() == Health::Failed
    }

    /// A failure is for good, whatever another thread finds at the same time.
    fn set_health(&self, health: Health) {
        let unless_failed = |now| (now != Health::Failed as u8).then_some(health as u8);
        let _ = self
            .health
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, unless_failed);
    }

    /// Whether there is room for more.
    fn judge(&self, room: Room) {
        self.written.used.store(room.used, Ordering::Relaxed);
        let CommitterSettings {
            bytes_max,
            free_bytes_min,
            ..
        } = self.settings;
        let is_full = room.used >= bytes_max / 10 * 9 || room.free < free_bytes_min;
        let Room { used, free } = room;
        match (self.health(), is_full) {
            (Health::Good, true) => {
                tracing::error!(
                    used,
                    free,
                    "the store is full: messages that it has to keep are refused"
                );
                self.set_health(Health::Full);
            }
            (Health::Full, false) => {
                tracing::info!(used, free, "the store has room again");
                self.set_health(Health::Good);
            }
            _ => {}
        }
    }

    fn confirm(&self, number: u64) {
        self.safe.store(number, Ordering::Release);
        let settled = {
            let mut waiting = self.waiting.lock();
            let later = waiting.split_off(&(number + 1));
            std::mem::replace(&mut *waiting, later)
        };
        for waiter in settled.into_values().flatten() {
            waiter.settled(true);
        }
    }

    fn fail(&self) {
        self.set_health(Health::Failed);
        {
            let mut open = self.open.lock();
            open.batch = Batch::default();
            self.wanted.notify_one();
        }
        let waiting = std::mem::take(&mut *self.waiting.lock());
        for waiter in waiting.into_values().flatten() {
            waiter.settled(false);
        }
    }
}
