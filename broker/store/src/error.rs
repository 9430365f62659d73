//! What a store can fail with.

use std::io;

use rustix::io::Errno;

use crate::Space;

/// What the system says when it has too little of something for the moment.
const PASSING: [Errno; 5] = [
    Errno::MFILE,
    Errno::NFILE,
    Errno::NOMEM,
    Errno::INTR,
    Errno::AGAIN,
];

/// Why a store does not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no room on its disk. Nothing of the batch was written, and [`Store::reopen`](crate::Store::reopen) may
    /// help once there is.
    #[error("no room on the disk")]
    Full,
    /// The system failed. What was written last may be there or not: nothing that was asked of it may be believed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The engine failed.
    #[error("{0}")]
    Engine(String),
    /// A record is not what was written.
    #[error("the record {key} of {} is damaged: {reason}", space.as_str())]
    Corrupt {
        /// Where it is.
        space: Space,
        /// Its key, in hexadecimal digits.
        key: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Commits that were confirmed are gone.
    #[error(
        "the last {missing} commits are missing: the store ends at {found}, and was confirmed up to {confirmed}"
    )]
    Lost {
        /// The last commit that is there.
        found: u64,
        /// The last that was said to be safe.
        confirmed: u64,
        /// How many that are.
        missing: u64,
    },
    /// The file that says up to where the store was confirmed is damaged.
    #[error("the file {file} is damaged")]
    Watermark {
        /// Where it is.
        file: String,
    },
    /// Written by another version.
    #[error("the store has format {found}, this version reads formats up to {known}")]
    Format {
        /// Its format.
        found: u8,
        /// Ours.
        known: u8,
    },
    /// Another process uses it.
    #[error("another process uses the store")]
    InUse,
}

impl StoreError {
    /// Whether it is a record that is damaged, which reading it again does not mend.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Corrupt { .. })
    }

    /// Whether it is for the moment: the system has too little of something, or the store no room. The same read may succeed later,
    /// and nothing has failed.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Full => true,
            Self::Io(error) => Errno::from_io_error(error).is_some_and(|errno| PASSING.contains(&errno)),
            _ => false,
        }
    }

    /// A damaged record.
    pub fn corrupt(space: Space, key: &[u8], reason: &'static str) -> Self {
        let key = key.iter().map(|byte| format!("{byte:02x}")).collect();
        Self::Corrupt { space, key, reason }
    }
}
