//! The Rust that is at hand.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::TARGET;

/// A rustc, in a folder that may name another one in its `rust-toolchain.toml`.
#[derive(Debug)]
pub struct Toolchain {
    rustc: OsString,
    folder: PathBuf,
}

impl Toolchain {
    /// The one that answers to this name in this folder.
    pub fn new(rustc: impl Into<OsString>, folder: &Path) -> Self {
        Self {
            rustc: rustc.into(),
            folder: folder.to_owned(),
        }
    }

    /// Whether it can build for [`TARGET`].
    ///
    /// # Errors
    /// There is no rustc.
    pub fn makes_components(&self) -> io::Result<bool> {
        let libraries = self.says(&["--print", "target-libdir", "--target", TARGET])?;
        Ok(Path::new(libraries.trim()).is_dir())
    }

    /// The folder that it is installed in.
    pub(crate) fn sysroot(&self) -> io::Result<PathBuf> {
        Ok(self.says(&["--print", "sysroot"])?.trim().into())
    }

    /// The commit that it was made of. Rust that a distribution has built need not know it.
    pub(crate) fn commit(&self) -> io::Result<Option<String>> {
        let version = self.says(&["-vV"])?;
        let commit = version
            .lines()
            .find_map(|line| line.strip_prefix("commit-hash: "));
        Ok(commit.filter(|commit| *commit != "unknown").map(str::to_owned))
    }

    fn says(&self, arguments: &[&str]) -> io::Result<String> {
        let mut rustc = Command::new(&self.rustc);
        let said = rustc.args(arguments).current_dir(&self.folder).output()?;
        Ok(String::from_utf8_lossy(&said.stdout).into_owned())
    }
}
