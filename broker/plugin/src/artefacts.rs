//! What components were compiled to, kept for the next start.
//!
//! A file is named by the digest of its component and by what the engine is like. It holds a seal and the code. What was
//! tampered with, or sealed by somebody else, is told and compiled anew; a component that is given to the broker as a
//! plugin can never come from here, nor can what is here ever be given as a plugin.

use std::io;
use std::path::PathBuf;

use crate::compile::Artefact;
use crate::private_dir::{Entry, PrivateDir};
use crate::seal::{Seal, TAG_BYTES};
use crate::{clock, digest};

const ENDING: &str = ".artefact";

/// Where artefacts are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtefactSettings {
    /// A folder of the broker's own; made if it is not there.
    pub folder: PathBuf,
    /// Most bytes in it; those that were of no use for longest go.
    pub bytes_max: u64,
}

/// The artefacts of one folder.
pub(crate) struct Artefacts {
    dir: PrivateDir,
    seal: Seal,
    bytes_max: u64,
}

impl Artefacts {
    pub(crate) fn open(settings: &ArtefactSettings) -> io::Result<Self> {
        let dir = PrivateDir::open(&settings.folder)?;
        Ok(Self {
            seal: Seal::of(&dir)?,
            dir,
            bytes_max: settings.bytes_max,
        })
    }

    /// What a component was compiled to for such an engine.
    pub(crate) fn find(&self, sha256: [u8; 32], compatibility: [u8; 32]) -> Option<Artefact> {
        let name = name(sha256, compatibility);
        let found = self.dir.read(&name, self.bytes_max);
        let mut sealed = found.inspect_err(|error| self.warn(&name, error)).ok()??;
        if self.seal.open(&name, &sealed).is_none() {
            self.warn(&name, &"its seal is broken");
            return None;
        }
        let _ = self.dir.touch(&name, clock::date());
        sealed.drain(..TAG_BYTES);
        Some(Artefact::of_seal(sealed))
    }

    /// Keeps one for later. That it cannot be kept is told, and costs the next start a compilation.
    pub(crate) fn keep(&self, sha256: [u8; 32], compatibility: [u8; 32], artefact: &Artefact) {
        let bytes = (TAG_BYTES + artefact.bytes().len()) as u64;
        if bytes > self.bytes_max {
            return;
        }
        let name = name(sha256, compatibility);
        let tag = self.seal.tag(&name, artefact.bytes());
        let kept = self.make_room(bytes, &name);
        let kept = kept.and_then(|()| self.dir.write(&name, &[&tag, artefact.bytes()]));
        if let Err(error) = kept {
            tracing::warn!(folder = %self.dir.path().display(), "an artefact cannot be kept: {error}");
        }
    }

    fn make_room(&self, bytes: u64, name: &str) -> io::Result<()> {
        let mut others: Vec<Entry> = self.dir.entries()?;
        others.retain(|other| other.name.ends_with(ENDING) && other.name != name);
        others.sort_unstable_by_key(|other| other.used_at);
        let mut total = bytes + others.iter().map(|other| other.bytes).sum::<u64>();
        for oldest in others {
            if total <= self.bytes_max {
                break;
            }
            self.dir.remove(&oldest.name)?;
            total -= oldest.bytes;
        }
        Ok(())
    }

    fn warn(&self, name: &str, reason: &dyn std::fmt::Display) {
        let folder = self.dir.path().display();
        tracing::warn!(%folder, "artefact {name} is not used, and compiled anew: {reason}");
    }
}

fn name(sha256: [u8; 32], compatibility: [u8; 32]) -> String {
    format!(
        "{}-{}{ENDING}",
        digest::hex(&sha256),
        digest::hex(&compatibility[..8])
    )
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;
    use crate::private_dir::tests::Place;

    fn open(place: &Place, bytes_max: u64) -> Artefacts {
        Artefacts::open(&ArtefactSettings {
            folder: place.0.clone(),
            bytes_max,
        })
        .unwrap()
    }

    fn code(byte: u8, len: usize) -> Artefact {
        Artefact::of_seal(vec![byte; len])
    }

    fn found(artefacts: &Artefacts, component: u8) -> Option<Vec<u8>> {
        let artefact = artefacts.find([component; 32], [0; 32])?;
        Some(artefact.bytes().to_vec())
    }

    #[test]
    fn what_is_kept_is_found_by_the_next_start() {
        let place = Place::new("artefacts");
        open(&place, 1000).keep([1; 32], [0; 32], &code(7, 10));
        let later = open(&place, 1000);
        assert_eq!(found(&later, 1).unwrap(), [7; 10]);
        assert!(found(&later, 2).is_none());
        assert!(later.find([1; 32], [9; 32]).is_none(), "another engine");
    }

    #[test]
    fn what_was_tampered_with_is_not_used() {
        let place = Place::new("artefacts-tampered");
        let artefacts = open(&place, 1000);
        artefacts.keep([1; 32], [0; 32], &code(7, 10));
        let file = place.0.join(name([1; 32], [0; 32]));
        let good = fs::read(&file).unwrap();
        let rows: [(&str, Vec<u8>); 4] = [
            (
                "a bit",
                good.iter()
                    .enumerate()
                    .map(|(at, byte)| byte ^ u8::from(at == 40))
                    .collect(),
            ),
            ("cut", good[..41].to_vec()),
            ("empty", Vec::new()),
            ("of another", {
                artefacts.keep([2; 32], [0; 32], &code(8, 10));
                fs::read(place.0.join(name([2; 32], [0; 32]))).unwrap()
            }),
        ];
        for (what, bytes) in rows {
            fs::write(&file, bytes).unwrap();
            assert!(found(&artefacts, 1).is_none(), "{what}");
        }
        fs::write(&file, good).unwrap();
        assert!(found(&artefacts, 1).is_some());
    }

    #[test]
    fn those_of_no_use_for_longest_go() {
        let place = Place::new("artefacts-full");
        let artefacts = open(&place, 3 * (TAG_BYTES as u64 + 10));
        let hour = Duration::from_secs(3600);
        for (component, hours) in [(1, 3), (2, 2), (3, 1)] {
            artefacts.keep([component; 32], [0; 32], &code(component, 10));
            let file = name([component; 32], [0; 32]);
            artefacts.dir.touch(&file, clock::date() - hours * hour).unwrap();
        }
        assert!(found(&artefacts, 1).is_some(), "used just now");
        artefacts.keep([4; 32], [0; 32], &code(4, 10));
        let kept: Vec<_> = (1..=4).filter(|one| found(&artefacts, *one).is_some()).collect();
        assert_eq!(kept, [1, 3, 4]);

        artefacts.keep([5; 32], [0; 32], &code(5, 1000));
        assert!(found(&artefacts, 5).is_none(), "larger than the folder may be");
        assert!(found(&artefacts, 4).is_some(), "and nobody had to go for it");
    }
}
