//! Digests, and how people write them.

use std::fmt::Write;
use std::hash::{Hash, Hasher};

use sha2::{Digest, Sha256};

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The digest of everything that a value feeds to a hasher. Unlike the standard hasher's it is the same in every build,
/// and long enough that nobody finds another value for it.
pub(crate) fn of_hash(value: &impl Hash) -> [u8; 32] {
    struct Feed(Sha256);

    impl Hasher for Feed {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }

        fn finish(&self) -> u64 {
            0
        }
    }

    let mut feed = Feed(Sha256::new());
    value.hash(&mut feed);
    feed.0.finalize().into()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_written_as_everywhere() {
        assert_eq!(
            hex(&sha256(b"")),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    #[test]
    fn what_differs_hashes_differently() {
        assert_eq!(of_hash(&("a", 1)), of_hash(&("a", 1)));
        assert_ne!(of_hash(&("a", 1)), of_hash(&("a", 2)));
    }
}
