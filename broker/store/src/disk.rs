//! A store on disk.
//!
//! The engine is an LSM tree with a journal (fjall). What it does not do is ours: a checksum in each record, a format
//! number, and the [watermark](crate::watermark) that shows when its last commits are gone.

use std::fs::DirBuilder;
use std::io::{self, ErrorKind};
use std::ops::ControlFlow;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use fjall::{Database, Keyspace, KeyspaceCreateOptions, LsmError, OwnedWriteBatch, PersistMode, Slice};
use parking_lot::{Mutex, RwLock};

use crate::checksum::{open, seal};
use crate::watermark::Watermark;
use crate::{Batch, Op, Room, Space, Store, StoreError, Visit};

/// The format of records that this version writes.
pub const FORMAT: u8 = 2;
/// The oldest one that it reads.
const FORMAT_OLDEST: u8 = 1;

const FORMAT_KEY: &[u8] = b"format";
const COMMIT_KEY: &[u8] = b"commit";

const MIB: u64 = 1 << 20;
/// Bounds the disk that the journal takes, and the time of a start after a crash.
const JOURNAL_BYTES_MAX: u64 = 128 * MIB;
/// What a space with many records gathers in memory before it writes a table.
const MEMTABLE_BYTES: u64 = 16 * MIB;
/// The same for one with few.
const SMALL_MEMTABLE_BYTES: u64 = 4 * MIB;
/// The engine's own threads, which flush and compact.
const WORKERS: usize = 2;
/// With less than this left, an engine that has given up has done so for want of room.
const FULL_BELOW: u64 = 16 * MIB;

/// What is called for each record as it is stored, until it breaks.
type VisitSealed<'a> = dyn FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, StoreError> + 'a;

/// What becomes of a store whose last commits are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataLoss {
    /// It is not opened.
    Refuse,
    /// It is opened with what is left.
    Accept,
}

/// Records on disk.
#[derive(Debug)]
pub struct Disk {
    folder: PathBuf,
    cache_bytes: u64,
    engine: RwLock<Slot>,
    watermark: Mutex<Watermark>,
    /// Number of the last commit.
    committed: AtomicU64,
    /// Number of the last one that survives the loss of power.
    synced: AtomicU64,
}

/// Where the engine is.
#[derive(Debug)]
enum Slot {
    Open(Engine),
    /// There was no room to open it again. There may be, later.
    Full,
    /// It could not be opened again.
    Closed,
}

struct Engine {
    database: Database,
    spaces: [Keyspace; Space::ALL.len()],
    /// Its records are of an older format, which they may keep; the next commit makes the store one of ours. Who only looks at it
    /// leaves it to the version that wrote it.
    is_older: AtomicBool,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Engine")
    }
}

impl Disk {
    /// Opens the store in `folder`, or makes one.
    ///
    /// # Errors
    /// It is damaged, used by another process, or of a format that this version does not know.
    pub fn open(folder: &Path, cache_bytes: u64, loss: DataLoss) -> Result<Self, StoreError> {
        begin_folder(folder)?;
        let engine = Engine::open(folder, cache_bytes)?;
        let committed = engine.begin()?;
        let watermark = open_watermark(&folder.join("watermark"), committed, loss)?;
        Ok(Self {
            folder: folder.to_owned(),
            cache_bytes,
            engine: RwLock::new(Slot::Open(engine)),
            watermark: Mutex::new(watermark),
            committed: AtomicU64::new(committed),
            synced: AtomicU64::new(committed),
        })
    }

    /// Whether there is a store in `folder`.
    pub fn exists(folder: &Path) -> bool {
        folder.join("records").is_dir()
    }

    /// Number of the last commit.
    pub fn committed(&self) -> u64 {
        self.committed.load(Ordering::Acquire)
    }

    /// Looks at every record of a space, up to a block that the engine cannot use: how many are good, and what is wrong with the
    /// others.
    ///
    /// # Errors
    /// The engine cannot read on.
    pub fn check(&self, space: Space, damaged: &mut dyn FnMut(StoreError)) -> Result<u64, StoreError> {
        self.with(|engine| {
            let mut good = 0;
            let seen = engine.each(space, &[], &mut |key, sealed| {
                match open(space, key, sealed) {
                    Ok(_) => good += 1,
                    Err(error) => damaged(error),
                }
                Ok(ControlFlow::Continue(()))
            });
            match seen {
                Err(error) if error.is_damage() => damaged(error),
                seen => seen?,
            }
            Ok(good)
        })
    }

    /// Gives back the room of what was deleted and replaced.
    ///
    /// # Errors
    /// The engine fails.
    pub fn compact(&self) -> Result<(), StoreError> {
        self.with(|engine| {
            for space in &engine.spaces {
                space.rotate_memtable_and_wait().map_err(of_engine)?;
                space.major_compact().map_err(of_engine)?;
            }
            Ok(())
        })
    }

    fn with<R>(&self, step: impl FnOnce(&Engine) -> Result<R, StoreError>) -> Result<R, StoreError> {
        match &*self.engine.read() {
            Slot::Open(engine) => step(engine),
            Slot::Full => Err(StoreError::Full),
            Slot::Closed => Err(StoreError::Engine("it is closed".into())),
        }
    }

    fn free(&self) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(&self.folder)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    /// The engine gives up for good at the first error, and tells why only then.
    fn is_for_want_of_room(&self, error: &StoreError) -> bool {
        match error {
            StoreError::Io(error) => error.kind() == ErrorKind::StorageFull,
            StoreError::Engine(_) => self.free().is_ok_and(|free| free < FULL_BELOW),
            _ => false,
        }
    }
}

/// Messages are nobody's business but the broker's.
fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// The engine takes a folder without its marker for a new one. That is right only where no store was ever finished: the
/// watermark is made last.
fn begin_folder(folder: &Path) -> Result<(), StoreError> {
    let records = folder.join("records");
    if records.is_dir() && !records.join("version").exists() {
        if folder.join("watermark").exists() {
            return Err(StoreError::Engine("the file records/version is missing".into()));
        }
        // A first start that was cut off.
        std::fs::remove_dir_all(&records)?;
    }
    make_folder(folder)?;
    make_folder(&records)?;
    Ok(())
}

fn open_watermark(path: &Path, committed: u64, loss: DataLoss) -> Result<Watermark, StoreError> {
    let opened = match Watermark::open(path) {
        Err(StoreError::Watermark { .. }) if loss == DataLoss::Accept => {
            Watermark::forget(path)?;
            Watermark::open(path)
        }
        opened => opened,
    };
    let watermark = opened?;
    let confirmed = watermark.confirmed();
    if confirmed <= committed {
        return Ok(watermark);
    }
    match loss {
        DataLoss::Accept => watermark.begin_at(committed),
        DataLoss::Refuse => Err(StoreError::Lost {
            found: committed,
            confirmed,
            missing: confirmed - committed,
        }),
    }
}

impl Engine {
    fn open(folder: &Path, cache_bytes: u64) -> Result<Self, StoreError> {
        let database = Database::builder(folder.join("records"))
            .cache_size(cache_bytes)
            .max_journaling_size(JOURNAL_BYTES_MAX)
            .worker_threads(WORKERS)
            .open()
            .map_err(of_engine)?;
        let mut spaces = Vec::with_capacity(Space::ALL.len());
        for space in Space::ALL {
            let options = || KeyspaceCreateOptions::default().max_memtable_size(memtable_bytes(space));
            spaces.push(database.keyspace(space.as_str(), options).map_err(of_engine)?);
        }
        let spaces = spaces
            .try_into()
            .map_err(|_| StoreError::Engine("a space is missing".into()))?;
        Ok(Self {
            database,
            spaces,
            is_older: AtomicBool::new(false),
        })
    }

    /// Checks the format, or sets it; the number of the last commit.
    fn begin(&self) -> Result<u64, StoreError> {
        match self.get(Space::Meta, FORMAT_KEY)?.as_deref() {
            Some([found]) if (FORMAT_OLDEST..=FORMAT).contains(found) => {
                self.is_older.store(*found < FORMAT, Ordering::Relaxed);
            }
            Some([found]) => {
                return Err(StoreError::Format {
                    found: *found,
                    known: FORMAT,
                });
            }
            Some(_) => return Err(StoreError::corrupt(Space::Meta, FORMAT_KEY, "not a number")),
            None => self.set_format()?,
        }
        self.commit_number()
    }

    /// Only a store without anything has no format.
    fn set_format(&self) -> Result<(), StoreError> {
        for (space, keyspace) in Space::ALL.iter().zip(&self.spaces) {
            if !keyspace.is_empty().map_err(of_engine)? {
                let reason = "missing, though there are records";
                tracing::error!(space = space.as_str(), "records without a format");
                return Err(StoreError::corrupt(Space::Meta, FORMAT_KEY, reason));
            }
        }
        let mut writing = self.database.batch().durability(Some(PersistMode::SyncAll));
        self.write_format(&mut writing);
        writing.commit().map_err(of_engine)
    }

    fn write_format(&self, writing: &mut OwnedWriteBatch) {
        let format = seal(Space::Meta, FORMAT_KEY, &[FORMAT]);
        writing.insert(self.space(Space::Meta), FORMAT_KEY, format);
    }

    fn commit_number(&self) -> Result<u64, StoreError> {
        let Some(value) = self.get(Space::Meta, COMMIT_KEY)? else {
            return Ok(0);
        };
        let bytes = value
            .try_into()
            .map_err(|_| StoreError::corrupt(Space::Meta, COMMIT_KEY, "not a number"))?;
        Ok(u64::from_be_bytes(bytes))
    }

    fn space(&self, space: Space) -> &Keyspace {
        &self.spaces[space as usize]
    }

    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self.space(space).get(key);
        let Some(sealed) = found.map_err(|error| of_read(error, space, key, "its block is damaged"))? else {
            return Ok(None);
        };
        open(space, key, &sealed).map(|value| Some(value.to_vec()))
    }

    /// Hands the records whose keys begin with `prefix` to `visit`, as they are stored, until it breaks.
    fn each(&self, space: Space, prefix: &[u8], visit: &mut VisitSealed<'_>) -> Result<(), StoreError> {
        let mut last = Slice::from(prefix);
        for record in self.space(space).prefix(prefix) {
            // The engine does not say which record it cannot read.
            let record = record.into_inner();
            let (key, sealed) = record
                .map_err(|error| of_read(error, space, &last, "its block or the next one is damaged"))?;
            if visit(&key, &sealed)?.is_break() {
                break;
            }
            last = key;
        }
        Ok(())
    }

    fn commit(&self, batch: &Batch, number: u64, mode: PersistMode) -> Result<(), StoreError> {
        let mut writing = self.database.batch().durability(Some(mode));
        for (space, key, op) in batch.changes() {
            match op {
                Op::Put(value) => writing.insert(self.space(space), key, seal(space, key, value)),
                Op::Delete => writing.remove(self.space(space), key),
            }
        }
        let number = seal(Space::Meta, COMMIT_KEY, &number.to_be_bytes());
        writing.insert(self.space(Space::Meta), COMMIT_KEY, number);
        if self.is_older.load(Ordering::Relaxed) {
            self.write_format(&mut writing);
        }
        writing.commit().map_err(of_engine)?;
        self.is_older.store(false, Ordering::Relaxed);
        Ok(())
    }
}

impl Store for Disk {
    fn commit(&self, batch: &Batch, sync: bool) -> Result<(), StoreError> {
        let number = self.committed() + 1;
        let mode = if sync {
            PersistMode::SyncData
        } else {
            PersistMode::Buffer
        };
        match self.with(|engine| engine.commit(batch, number, mode)) {
            Err(error) if self.is_for_want_of_room(&error) => Err(StoreError::Full),
            Err(error) => Err(error),
            Ok(()) => {
                self.committed.store(number, Ordering::Release);
                if sync {
                    self.synced.store(number, Ordering::Release);
                }
                Ok(())
            }
        }
    }

    fn sync(&self) -> Result<(), StoreError> {
        let number = self.committed();
        self.with(|engine| engine.database.persist(PersistMode::SyncData).map_err(of_engine))?;
        self.synced.store(number, Ordering::Release);
        Ok(())
    }

    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.with(|engine| engine.get(space, key))
    }

    fn scan(&self, space: Space, prefix: &[u8], visit: &mut Visit<'_>) -> Result<(), StoreError> {
        self.with(|engine| {
            engine.each(space, prefix, &mut |key, sealed| {
                Ok(visit(key, open(space, key, sealed)?))
            })
        })
    }

    fn mark(&self) -> Result<(), StoreError> {
        let synced = self.synced.load(Ordering::Acquire);
        self.watermark.lock().confirm(synced)?;
        Ok(())
    }

    fn room(&self) -> Result<Room, StoreError> {
        let used = self.with(|engine| engine.database.disk_space().map_err(of_engine))?;
        Ok(Room {
            used,
            free: self.free()?,
        })
    }

    fn reopen(&self) -> Result<(), StoreError> {
        let mut slot = self.engine.write();
        // The lock of its folder goes with the old one.
        *slot = Slot::Closed;
        let anew = Engine::open(&self.folder, self.cache_bytes);
        let anew = anew.and_then(|anew| anew.begin().map(|committed| (anew, committed)));
        let (anew, committed) = match anew {
            Err(error) if self.is_for_want_of_room(&error) => {
                *slot = Slot::Full;
                return Err(StoreError::Full);
            }
            anew => anew?,
        };
        let confirmed = self.synced.load(Ordering::Acquire);
        if committed < confirmed {
            return Err(StoreError::Lost {
                found: committed,
                confirmed,
                missing: confirmed - committed,
            });
        }
        self.committed.store(committed, Ordering::Release);
        *slot = Slot::Open(anew);
        Ok(())
    }
}

fn memtable_bytes(space: Space) -> u64 {
    match space {
        Space::Queue | Space::Message | Space::Retained => MEMTABLE_BYTES,
        _ => SMALL_MEMTABLE_BYTES,
    }
}

/// What the engine says when it is to read a record. It has checksums of its own, and looks at them before anybody sees ours.
fn of_read(error: fjall::Error, space: Space, key: &[u8], reason: &'static str) -> StoreError {
    match error {
        fjall::Error::Storage(error) if is_damage(&error) => StoreError::corrupt(space, key, reason),
        other => of_engine(other),
    }
}

/// Whether a block of a table is not what was written.
fn is_damage(error: &LsmError) -> bool {
    match error {
        // The file ends before the block does.
        LsmError::Io(error) => error.kind() == ErrorKind::UnexpectedEof,
        LsmError::ChecksumMismatch { .. }
        | LsmError::InvalidTag(_)
        | LsmError::InvalidHeader(_)
        | LsmError::InvalidTrailer
        | LsmError::Decompress(_) => true,
        _ => false,
    }
}

fn of_engine(error: fjall::Error) -> StoreError {
    match error {
        fjall::Error::Io(error) | fjall::Error::Storage(LsmError::Io(error)) => StoreError::Io(error),
        fjall::Error::Locked => StoreError::InUse,
        other => StoreError::Engine(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Key;

    #[test]
    fn while_it_is_closed_for_want_of_room_it_is_full_and_has_not_failed() {
        let folder = tempfile::tempdir().unwrap();
        let store = Disk::open(folder.path(), MIB, DataLoss::Refuse).unwrap();
        let mut batch = Batch::default();
        batch.put(Space::Queue, Key::from_slice(b"key"), b"value".to_vec());
        store.commit(&batch, true).unwrap();
        *store.engine.write() = Slot::Full;
        let errors = [
            store.get(Space::Queue, b"key").unwrap_err(),
            store
                .scan(Space::Queue, &[], &mut |_, _| ControlFlow::Continue(()))
                .unwrap_err(),
            store.commit(&batch, true).unwrap_err(),
            store.room().unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(error, StoreError::Full), "{error}");
            assert!(error.is_passing() && !error.is_damage());
        }
        store.reopen().unwrap();
        assert_eq!(store.get(Space::Queue, b"key").unwrap().unwrap(), b"value");
    }
}
