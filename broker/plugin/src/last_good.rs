//! What was in force last, kept so that a restart does not turn a failed reload into an outage.
//!
//! For each plugin of the policy in force the folder has a sealed record, with the digest of the component and the
//! plugin's own configuration, and for each digest the component itself. A component is checked by its digest. The
//! grants, limits and topics are not kept: those are always the ones of the configuration that the broker starts with.

use std::collections::HashSet;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::digest;
use crate::private_dir::PrivateDir;
use crate::seal::Seal;

/// A configuration of a plugin may carry files of 16 MiB each; a record is read back whatever was written.
const RECORD_BYTES_MAX: u64 = 1 << 30;

const RECORD_ENDING: &str = ".record";
const COMPONENT_ENDING: &str = ".wasm";

/// The folder of one broker.
pub(crate) struct LastGood {
    dir: PrivateDir,
    seal: Seal,
    component_bytes_max: u64,
}

/// What a record says.
#[derive(Serialize, Deserialize)]
struct Record {
    sha256: String,
    config: serde_json::Value,
}

/// What was in force under one name.
pub(crate) struct Kept {
    pub(crate) component: Vec<u8>,
    pub(crate) config: serde_json::Value,
}

/// A plugin that is in force.
pub(crate) struct InForce<'p> {
    pub(crate) name: &'p str,
    pub(crate) sha256: [u8; 32],
    pub(crate) config: &'p serde_json::Value,
}

impl LastGood {
    pub(crate) fn open(folder: &Path, component_bytes_max: usize) -> io::Result<Self> {
        let dir = PrivateDir::open(folder)?;
        Ok(Self {
            seal: Seal::of(&dir)?,
            dir,
            component_bytes_max: component_bytes_max as u64,
        })
    }

    /// Keeps a component that has loaded; it stays if it comes into force.
    pub(crate) fn keep_component(&self, sha256: [u8; 32], component: &[u8]) -> io::Result<()> {
        let name = component_file(&digest::hex(&sha256));
        let is_there = self.dir.read(&name, self.component_bytes_max);
        if is_there.is_ok_and(|kept| kept.is_some_and(|kept| digest::sha256(&kept) == sha256)) {
            return Ok(());
        }
        self.dir.write(&name, &[component])
    }

    /// Remembers that these plugins, and no others, are in force.
    pub(crate) fn keep(&self, in_force: &[InForce<'_>]) -> io::Result<()> {
        let mut needed = HashSet::new();
        for plugin in in_force {
            let sha256 = digest::hex(&plugin.sha256);
            needed.extend([record_file(plugin.name), component_file(&sha256)]);
            let record = Record {
                sha256,
                config: plugin.config.clone(),
            };
            self.write(plugin.name, &serde_json::to_vec(&record)?)?;
        }
        for entry in self.dir.entries()? {
            let is_ours = [RECORD_ENDING, COMPONENT_ENDING]
                .iter()
                .any(|ending| entry.name.ends_with(ending));
            if is_ours && !needed.contains(&entry.name) {
                self.dir.remove(&entry.name)?;
            }
        }
        Ok(())
    }

    fn write(&self, name: &str, record: &[u8]) -> io::Result<()> {
        let (file, tag) = (record_file(name), self.seal.tag(name, record));
        let sealed = self.dir.read(&file, RECORD_BYTES_MAX);
        if sealed.is_ok_and(|sealed| sealed.is_some_and(|sealed| sealed[..] == [&tag[..], record].concat())) {
            return Ok(());
        }
        self.dir.write(&file, &[&tag, record])
    }

    /// What was in force under a name; none if nothing was, or if it is not whole any more.
    pub(crate) fn find(&self, name: &str) -> io::Result<Option<Kept>> {
        let Some(sealed) = self.dir.read(&record_file(name), RECORD_BYTES_MAX)? else {
            return Ok(None);
        };
        let record = self.seal.open(name, &sealed);
        let record = record.ok_or_else(|| damaged("the seal of its record is broken"))?;
        let record: Record = serde_json::from_slice(record)?;
        let file = component_file(&record.sha256);
        let component = self.dir.read(&file, self.component_bytes_max)?;
        let component = component.ok_or_else(|| damaged("its component is gone"))?;
        if digest::hex(&digest::sha256(&component)) != record.sha256 {
            return Err(damaged("its component is damaged"));
        }
        Ok(Some(Kept {
            component,
            config: record.config,
        }))
    }
}

/// Names of plugins are such that they are names of files too. In front of them stands what keeps `.` and `..` harmless.
fn record_file(plugin: &str) -> String {
    format!("plugin-{plugin}{RECORD_ENDING}")
}

fn component_file(sha256: &str) -> String {
    format!("{sha256}{COMPONENT_ENDING}")
}

fn damaged(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;
    use crate::private_dir::tests::Place;

    struct Shelf {
        place: Place,
        last_good: LastGood,
    }

    impl Shelf {
        fn new(name: &str) -> Self {
            let place = Place::new(name);
            let last_good = LastGood::open(&place.0, 1000).unwrap();
            Self { place, last_good }
        }

        fn keep(&self, plugins: &[(&str, &[u8])]) {
            let config = json!({ "secret": "rules" });
            let mut in_force = Vec::new();
            for (name, component) in plugins {
                let sha256 = digest::sha256(component);
                self.last_good.keep_component(sha256, component).unwrap();
                in_force.push(InForce {
                    name,
                    sha256,
                    config: &config,
                });
            }
            self.last_good.keep(&in_force).unwrap();
        }

        fn component(&self, name: &str) -> Option<Vec<u8>> {
            self.last_good.find(name).unwrap().map(|kept| kept.component)
        }

        fn files(&self) -> usize {
            self.last_good.dir.entries().unwrap().len()
        }
    }

    #[test]
    fn what_is_in_force_is_found_and_what_was_is_not() {
        let shelf = Shelf::new("last-good");
        shelf.keep(&[("a", b"one"), ("b", b"one"), ("..", b"two")]);
        assert_eq!(shelf.files(), 1 + 3 + 2, "a key, records, components");
        assert_eq!(shelf.component("a").unwrap(), b"one");
        assert_eq!(shelf.component("..").unwrap(), b"two");
        let kept = shelf.last_good.find("b").unwrap().unwrap();
        assert_eq!(kept.config, json!({ "secret": "rules" }));

        shelf.keep(&[("a", b"three")]);
        assert_eq!(shelf.component("a").unwrap(), b"three");
        assert!(shelf.component("b").is_none());
        assert_eq!(shelf.files(), 3, "what nobody needs is gone");
    }

    #[test]
    fn what_was_tampered_with_is_not_used() {
        let shelf = Shelf::new("last-good-tampered");
        shelf.keep(&[("a", b"one"), ("b", b"two")]);
        let record = shelf.place.0.join(record_file("a"));
        let good = fs::read(&record).unwrap();
        fs::write(&record, fs::read(shelf.place.0.join(record_file("b"))).unwrap()).unwrap();
        assert!(shelf.last_good.find("a").is_err(), "the record of another");
        fs::write(&record, &good).unwrap();
        let component = shelf
            .place
            .0
            .join(component_file(&digest::hex(&digest::sha256(b"one"))));
        fs::write(&component, b"eno").unwrap();
        assert!(shelf.last_good.find("a").is_err(), "another component");
        fs::remove_file(component).unwrap();
        assert!(shelf.last_good.find("a").is_err(), "none");
    }
}
