//! The checksum that each record carries.
//!
//! It covers the space and the key, too: a value that turns up in another's place is as wrong as a changed one. The
//! engine has checksums of its own for its files; these are ours from the batch to the reader.

use crc::{CRC_32_ISCSI, Crc, Table};

use crate::{Space, StoreError};

/// Bytes of a checksum.
const LEN: usize = 4;

/// CRC-32C, the one that storage uses.
static CRC32C: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

/// The checksum of some bytes.
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    CRC32C.checksum(bytes)
}

fn checksum(space: Space, key: &[u8], value: &[u8]) -> [u8; LEN] {
    let mut digest = CRC32C.digest();
    digest.update(&[space as u8]);
    digest.update(key);
    digest.update(value);
    digest.finalize().to_le_bytes()
}

/// A value as it is stored: its checksum, then itself.
pub(crate) fn seal(space: Space, key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(LEN + value.len());
    sealed.extend_from_slice(&checksum(space, key, value));
    sealed.extend_from_slice(value);
    sealed
}

/// The value of a stored record, if it is what was written.
pub(crate) fn open<'a>(space: Space, key: &[u8], sealed: &'a [u8]) -> Result<&'a [u8], StoreError> {
    let damaged = |reason| StoreError::corrupt(space, key, reason);
    let (sum, value) = sealed
        .split_first_chunk::<LEN>()
        .ok_or_else(|| damaged("too short"))?;
    if *sum == checksum(space, key, value) {
        Ok(value)
    } else {
        Err(damaged("wrong checksum"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_changed_bit_is_noticed_and_so_is_another_place() {
        let sealed = seal(Space::Queue, b"key", b"value");
        assert_eq!(open(Space::Queue, b"key", &sealed).unwrap(), b"value");
        for bit in 0..sealed.len() * 8 {
            let mut damaged = sealed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(open(Space::Queue, b"key", &damaged).is_err(), "{bit}");
        }
        assert!(open(Space::Queue, b"kex", &sealed).is_err());
        assert!(open(Space::Message, b"key", &sealed).is_err());
        assert!(open(Space::Queue, b"key", &sealed[..3]).is_err());
    }
}
