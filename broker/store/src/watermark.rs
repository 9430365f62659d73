//! How far the store was confirmed, in a file beside it.
//!
//! An engine that takes damage in the middle of its journal for a torn end opens without a word, and what came after
//! is gone. The number of the last commit, kept apart, shows it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::StoreError;
use crate::checksum::crc32c;

/// Two slots, written in turn: a torn write leaves the other.
const SLOT_BYTES: usize = 32;
const MAGIC: &[u8; 8] = b"hwmark\0\x01";

#[derive(Debug)]
pub(crate) struct Watermark {
    file: File,
    next_slot: u64,
    confirmed: u64,
}

impl Watermark {
    /// Opens the file, or makes it.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        let len = file.metadata()?.len();
        let slots = [read(&file, 0)?, read(&file, 1)?];
        if len > 0 && slots == [None, None] {
            return Err(StoreError::Watermark {
                file: path.display().to_string(),
            });
        }
        let next_slot = u64::from(slots[0] > slots[1]);
        Ok(Self {
            file,
            next_slot,
            confirmed: slots.into_iter().flatten().max().unwrap_or(0),
        })
    }

    /// The last number that was written.
    pub(crate) fn confirmed(&self) -> u64 {
        self.confirmed
    }

    /// Writes a number, unless it is the last one.
    pub(crate) fn confirm(&mut self, number: u64) -> io::Result<()> {
        if number != self.confirmed {
            self.file
                .write_all_at(&slot(number), self.next_slot * SLOT_BYTES as u64)?;
            self.file.sync_data()?;
            self.next_slot ^= 1;
            self.confirmed = number;
        }
        Ok(())
    }

    /// Makes a file that says this number and nothing else.
    pub(crate) fn begin_at(self, number: u64) -> Result<Self, StoreError> {
        self.file.set_len(0)?;
        let mut anew = Self {
            next_slot: 0,
            confirmed: 0,
            ..self
        };
        anew.confirm(number)?;
        Ok(anew)
    }

    /// Forgets a damaged file.
    pub(crate) fn forget(path: &Path) -> io::Result<()> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

fn slot(number: u64) -> [u8; SLOT_BYTES] {
    let mut slot = [0; SLOT_BYTES];
    slot[..8].copy_from_slice(MAGIC);
    slot[8..16].copy_from_slice(&number.to_be_bytes());
    let sum = crc32c(&slot[..28]);
    slot[28..].copy_from_slice(&sum.to_be_bytes());
    slot
}

fn read(file: &File, at: u64) -> io::Result<Option<u64>> {
    let mut found = [0; SLOT_BYTES];
    match file.read_exact_at(&mut found, at * SLOT_BYTES as u64) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        done => done?,
    }
    let number = found[8..16]
        .first_chunk()
        .map_or(0, |bytes| u64::from_be_bytes(*bytes));
    Ok((found == slot(number)).then_some(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_number_survives_and_a_torn_slot_leaves_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("watermark");
        let mut mark = Watermark::open(&path).unwrap();
        assert_eq!(mark.confirmed(), 0);
        for number in [7, 8, 9] {
            mark.confirm(number).unwrap();
            assert_eq!(Watermark::open(&path).unwrap().confirmed(), number);
        }
        // 9 is in the first slot, 8 in the second.
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[12] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        let mut mark = Watermark::open(&path).unwrap();
        assert_eq!(mark.confirmed(), 8);
        mark.confirm(10).unwrap();
        assert_eq!(Watermark::open(&path).unwrap().confirmed(), 10);
    }

    #[test]
    fn a_file_without_a_good_slot_is_no_watermark() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("watermark");
        std::fs::write(&path, [7; 64]).unwrap();
        let error = Watermark::open(&path).unwrap_err();
        assert!(matches!(error, StoreError::Watermark { .. }), "{error}");
        Watermark::forget(&path).unwrap();
        assert_eq!(Watermark::open(&path).unwrap().confirmed(), 0);
    }
}
