//! Durable records: what the broker must still know after it was killed.
//!
//! ```text
//!  broker ──put, delete──► Committer (a thread) ──Batch──► Store ──► disk
//!     ▲                        │
//!     └──── Waiter::settled ───┘  the batch is as safe as configured
//! ```
//!
//! A [`Store`] keeps records in order and takes batches whole or not at all. The [`Committer`] gathers what many
//! connections record into one batch, writes it, and tells those who wait. `FORMAT.md` says what is in the records.
//!
//! No tokio and nothing of MQTT here: a store blocks, and its thread is its own.

mod batch;
mod checksum;
mod committer;
mod disk;
mod error;
mod faults;
mod memory;
mod space;
mod watermark;

use std::fmt;
use std::ops::ControlFlow;

pub use batch::{Batch, Key, Op};
pub use committer::{Committer, CommitterSettings, Durability, Health, Waiter, Whole};
pub use disk::{DataLoss, Disk, FORMAT};
pub use error::StoreError;
pub use faults::{Fault, Faulty, ReadFault};
pub use memory::Memory;
pub use space::Space;

/// What a scan calls for each record, in the order of keys, until it breaks.
pub type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a;

/// An ordered set of records in several spaces, changed by batches.
pub trait Store: fmt::Debug + Send + Sync {
    /// Writes all of a batch, or nothing of it. With `sync`, it survives the loss of power when this returns; without,
    /// the end of the process.
    fn commit(&self, batch: &Batch, sync: bool) -> Result<(), StoreError>;

    /// Makes what was committed survive the loss of power.
    fn sync(&self) -> Result<(), StoreError>;

    /// The value of a record.
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Visits the records of a space whose keys begin with `prefix`. What others are like makes no difference.
    fn scan(&self, space: Space, prefix: &[u8], visit: &mut Visit<'_>) -> Result<(), StoreError>;

    /// Takes note of how far it has come, apart from the records, so that a loss of the last of them shows.
    fn mark(&self) -> Result<(), StoreError>;

    /// How much it takes, and how much more it could.
    fn room(&self) -> Result<Room, StoreError>;

    /// Begins anew after [`StoreError::Full`], with everything that was committed before.
    fn reopen(&self) -> Result<(), StoreError>;
}

/// Bytes of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// What it takes.
    pub used: u64,
    /// What its file system has left.
    pub free: u64,
}
