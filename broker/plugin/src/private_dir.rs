//! A folder that nobody else can read or change.
//!
//! What comes back from it is run, or decides who may do what. So it is only used when it belongs to the broker's user
//! and is closed to all others, and so must be each file in it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::process::geteuid;

/// A folder of the broker's own.
#[derive(Debug)]
pub(crate) struct PrivateDir {
    path: PathBuf,
}

/// A file in it.
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) bytes: u64,
    pub(crate) used_at: SystemTime,
}

impl PrivateDir {
    /// Opens a folder, and makes it first if it is not there.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        let meta = fs::symlink_metadata(path)?;
        if !meta.is_dir() {
            return Err(refused(path, "it is not a folder"));
        }
        check_private(path, &meta)?;
        Ok(Self {
            path: path.to_owned(),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The content of a file; `None` when there is none of that name.
    pub(crate) fn read(&self, name: &str, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
        let path = self.path.join(name);
        let file = match open_private(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let mut bytes = Vec::new();
        file.take(bytes_max + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > bytes_max {
            return Err(refused(&path, &format!("it has more than {bytes_max} bytes")));
        }
        Ok(Some(bytes))
    }

    /// Writes a file as a whole: whoever reads it, even after a crash, finds the old content or the new one.
    pub(crate) fn write(&self, name: &str, parts: &[&[u8]]) -> io::Result<()> {
        let unfinished = self.path.join(format!("{name}.new"));
        let written = self.write_unfinished(&unfinished, parts);
        let renamed = written.and_then(|()| fs::rename(&unfinished, self.path.join(name)));
        if renamed.is_err() {
            let _ = fs::remove_file(&unfinished);
            return renamed;
        }
        File::open(&self.path)?.sync_all()
    }

    fn write_unfinished(&self, path: &Path, parts: &[&[u8]]) -> io::Result<()> {
        // What a broker left behind that was killed in the middle of this.
        let _ = fs::remove_file(path);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        parts.iter().try_for_each(|part| file.write_all(part))?;
        file.sync_all()
    }

    /// Makes a file that is not there yet.
    pub(crate) fn create(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let mut file = options.open(self.path.join(name))?;
        file.write_all(content)?;
        file.sync_all()
    }

    /// Notes that a file was of use.
    pub(crate) fn touch(&self, name: &str, now: SystemTime) -> io::Result<()> {
        File::options()
            .write(true)
            .open(self.path.join(name))?
            .set_modified(now)
    }

    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    /// All files whose names are text.
    pub(crate) fn entries(&self) -> io::Result<Vec<Entry>> {
        let entries = fs::read_dir(&self.path)?.filter_map(|entry| {
            let entry = entry.ok()?;
            let meta = entry.metadata().ok()?;
            meta.is_file().then(|| {
                Some(Entry {
                    name: entry.file_name().into_string().ok()?,
                    bytes: meta.len(),
                    used_at: meta.modified().ok()?,
                })
            })?
        });
        Ok(entries.collect())
    }
}

/// A link might lead out of the folder, and opening a pipe would wait for whoever writes to it.
fn open_private(path: &Path) -> io::Result<File> {
    let found = fs::symlink_metadata(path)?;
    if !found.is_file() {
        return Err(refused(path, "it is not a file"));
    }
    let file = File::open(path)?;
    let opened = file.metadata()?;
    if (found.dev(), found.ino()) != (opened.dev(), opened.ino()) {
        return Err(refused(path, "it was replaced a moment ago"));
    }
    check_private(path, &opened)?;
    Ok(file)
}

fn check_private(path: &Path, meta: &fs::Metadata) -> io::Result<()> {
    if meta.uid() != geteuid().as_raw() {
        return Err(refused(path, "it belongs to another user"));
    }
    if meta.mode() & 0o077 != 0 {
        return Err(refused(
            path,
            "others may use it; take their rights away, as `chmod go=` does",
        ));
    }
    Ok(())
}

fn refused(path: &Path, reason: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::PermissionDenied,
        format!("{} is not used: {reason}", path.display()),
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    /// A path below the system's folder for such things, gone when it is dropped.
    pub(crate) struct Place(pub(crate) PathBuf);

    impl Place {
        pub(crate) fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("hookwire-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            Self(path)
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn open_to(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn it_is_made_for_its_owner_alone() {
        let place = Place::new("private-new");
        let dir = PrivateDir::open(&place.0.join("a/b")).unwrap();
        assert_eq!(fs::metadata(dir.path()).unwrap().mode() & 0o777, 0o700);
        dir.write("file", &[b"one ", b"two"]).unwrap();
        let written = fs::metadata(dir.path().join("file")).unwrap();
        assert_eq!(written.mode() & 0o777, 0o600);
        assert_eq!(dir.read("file", 7).unwrap().unwrap(), b"one two");
        assert!(dir.read("file", 6).is_err(), "larger than expected");
        assert!(dir.read("none", 1).unwrap().is_none());
        assert!(dir.create("file", b"").is_err(), "it is there");
        dir.remove("file").unwrap();
        assert!(dir.entries().unwrap().is_empty());
    }

    #[test]
    fn what_others_may_use_is_not_used() {
        let place = Place::new("private-open");
        let dir = PrivateDir::open(&place.0).unwrap();
        dir.write("file", &[b"x"]).unwrap();
        open_to(&place.0.join("file"), 0o640);
        let error = dir.read("file", 1).unwrap_err();
        assert!(error.to_string().contains("chmod go="), "{error}");

        open_to(&place.0, 0o750);
        assert!(PrivateDir::open(&place.0).is_err());
        open_to(&place.0, 0o700);
        fs::write(place.0.join("no-folder"), "").unwrap();
        assert!(PrivateDir::open(&place.0.join("no-folder")).is_err());
    }

    #[test]
    fn links_are_not_followed() {
        let place = Place::new("private-link");
        let dir = PrivateDir::open(&place.0).unwrap();
        dir.write("file", &[b"x"]).unwrap();
        symlink(place.0.join("file"), place.0.join("link")).unwrap();
        assert!(dir.read("link", 1).is_err());
    }
}
