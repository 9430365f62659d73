//! What is accepted, what is refused, and in which words.

mod accepted;
mod documents;
mod mutated;
mod refused;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs, process};

use super::{BundledPlugin, Config, ConfigError};

const BUNDLED: &[BundledPlugin] = &[
    BundledPlugin {
        name: "acl",
        bytes: b"acl",
    },
    BundledPlugin {
        name: "password-file",
        bytes: b"password-file",
    },
    BundledPlugin {
        name: "scram",
        bytes: b"scram",
    },
    BundledPlugin {
        name: "content-router",
        bytes: b"content-router",
    },
    BundledPlugin {
        name: "will-guard",
        bytes: b"will-guard",
    },
];

/// A folder of its own for a test, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!(
            "hookwire-config-{}-{}",
            process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let path = env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn with(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    /// The text as that of a file in the folder.
    fn parse(&self, text: &str) -> Result<Config, ConfigError> {
        Config::parse(text, Some(&self.path("hookwire.toml")), BUNDLED)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Some(Path::new("hookwire.toml")), BUNDLED)
}
