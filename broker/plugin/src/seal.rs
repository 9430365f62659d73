//! Content that only this broker can have written.
//!
//! A key is made when it is first needed and stays in the folder. Whoever can read it is the broker's user, and could do
//! anything the broker can; what the seal keeps out is content that came there in any other way: a restored backup of
//! another machine, a file system that gave the folder away for a moment, a bit that fell over.

use std::io;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::private_dir::PrivateDir;

const KEY_FILE: &str = "key";
const KEY_BYTES: usize = 32;
pub(crate) const TAG_BYTES: usize = 32;

/// Seals and opens.
pub(crate) struct Seal {
    key: [u8; KEY_BYTES],
}

impl Seal {
    /// With the key in this folder, or with a new one.
    pub(crate) fn of(dir: &PrivateDir) -> io::Result<Self> {
        if let Some(key) = Self::kept(dir)? {
            return Ok(key);
        }
        let mut key = [0; KEY_BYTES];
        getrandom::fill(&mut key).map_err(|error| io::Error::other(error.to_string()))?;
        match dir.create(KEY_FILE, &key) {
            // Another broker was quicker.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Self::kept(dir)?.ok_or(error),
            created => created.map(|()| Self { key }),
        }
    }

    fn kept(dir: &PrivateDir) -> io::Result<Option<Self>> {
        let Some(key) = dir.read(KEY_FILE, KEY_BYTES as u64)? else {
            return Ok(None);
        };
        let key = key.try_into().map_err(|_| {
            let path = dir.path().join(KEY_FILE);
            let words = format!("{} is no key of {KEY_BYTES} bytes; delete it", path.display());
            io::Error::new(io::ErrorKind::InvalidData, words)
        })?;
        Ok(Some(Self { key }))
    }

    /// The tag of some content under a name: content cannot be passed off as that of another name.
    pub(crate) fn tag(&self, name: &str, content: &[u8]) -> [u8; TAG_BYTES] {
        self.mac(name, content).finalize().into_bytes().into()
    }

    /// The content behind its tag, if it is the tag of that content under that name.
    pub(crate) fn open<'s>(&self, name: &str, sealed: &'s [u8]) -> Option<&'s [u8]> {
        let (tag, content) = sealed.split_at_checked(TAG_BYTES)?;
        self.mac(name, content).verify_slice(tag).ok()?;
        Some(content)
    }

    fn mac(&self, name: &str, content: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("any key will do");
        mac.update(&(name.len() as u64).to_le_bytes());
        mac.update(name.as_bytes());
        mac.update(content);
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::private_dir::tests::Place;

    #[test]
    fn only_the_same_content_under_the_same_name_opens() {
        let place = Place::new("seal");
        let dir = PrivateDir::open(&place.0).unwrap();
        let seal = Seal::of(&dir).unwrap();
        let sealed = [&seal.tag("name", b"content")[..], b"content"].concat();
        assert_eq!(Seal::of(&dir).unwrap().open("name", &sealed).unwrap(), b"content");
        assert!(seal.open("other", &sealed).is_none());
        assert!(seal.open("name", &sealed[..sealed.len() - 1]).is_none());
        assert!(seal.open("name", b"short").is_none());
        for at in 0..sealed.len() {
            let mut tampered = sealed.clone();
            tampered[at] ^= 1;
            assert!(seal.open("name", &tampered).is_none());
        }

        dir.remove(KEY_FILE).unwrap();
        let stranger = Seal::of(&dir).unwrap();
        assert!(stranger.open("name", &sealed).is_none(), "another key");
    }

    #[test]
    fn a_key_that_is_none_is_told() {
        let place = Place::new("seal-key");
        let dir = PrivateDir::open(&place.0).unwrap();
        dir.write(KEY_FILE, &[b"short"]).unwrap();
        let error = Seal::of(&dir).err().unwrap();
        assert!(error.to_string().contains("delete it"), "{error}");
    }
}
