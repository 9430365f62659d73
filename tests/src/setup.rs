//! What a broker is started with, and what comes of brokers that do not start.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::{Broker, PATIENCE};

/// Name of the configuration file in the broker's folder.
pub(crate) const CONFIG: &str = "hookwire.toml";

/// A folder with a configuration and the files that it names.
#[derive(Debug)]
pub struct Setup {
    pub(crate) folder: TempDir,
    pub(crate) arguments: Vec<String>,
    has_listener: bool,
}

/// What a command that ends by itself said.
#[derive(Debug)]
pub struct Outcome {
    /// It ended with success.
    pub success: bool,
    /// Standard output and standard error, one after the other.
    pub text: String,
}

impl Setup {
    /// A configuration file with this text. Where it has no `[[listener]]`, the broker listens on a free port of the loopback address.
    pub fn new(config: &str) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("hookwire-")
            .tempdir()
            .expect("a temporary folder can be made");
        let setup = Self {
            folder,
            arguments: Vec::new(),
            has_listener: config.contains("[[listener]]"),
        };
        // An empty file is refused, since it is what some editors leave for a moment.
        setup.file(
            CONFIG,
            if config.is_empty() {
                "# every default\n"
            } else {
                config
            },
        )
    }

    /// Another file in the same folder.
    #[must_use]
    pub fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        fs::write(self.folder.path().join(name), content)
            .expect("a file in the temporary folder can be written");
        self
    }

    /// A further argument for `hookwire`.
    #[must_use]
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Starts a broker and waits until it listens.
    #[track_caller]
    pub fn start(self) -> Broker {
        Broker::launch(self, PATIENCE)
    }

    /// The same for a broker that has much to do before it listens.
    #[track_caller]
    pub fn start_within(self, patience: Duration) -> Broker {
        Broker::launch(self, patience)
    }

    /// Runs a broker that is not to start, and returns its last words.
    #[track_caller]
    pub fn start_and_fail(self) -> Outcome {
        let outcome = outcome_of(self.command());
        assert!(
            !outcome.success,
            "the broker should not have started, it said:\n{}",
            outcome.text
        );
        outcome
    }

    /// Runs `hookwire check` on the configuration.
    pub fn check(&self) -> Outcome {
        let mut command = Command::new(hookwire());
        command.arg("check").arg(self.config());
        outcome_of(command)
    }

    /// Runs `hookwire store` about the folder `data` beside the configuration, or another.
    pub fn store(&self, command: &str, folder: &str) -> Outcome {
        self.store_with(command, folder, "")
    }

    /// The same with something on its standard input.
    pub fn store_with(&self, command: &str, folder: &str, input: &str) -> Outcome {
        let written = self.folder.path().join("input");
        fs::write(&written, input).expect("a file in the temporary folder can be written");
        let mut process = Command::new(hookwire());
        process
            .args(["store", command])
            .arg(self.folder.path().join(folder))
            .stdin(fs::File::open(&written).expect("it was just written"));
        outcome_of(process)
    }

    /// The folder of the configuration.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs a command of `hookwire` that needs no folder.
    pub fn run(arguments: &[&str]) -> Outcome {
        let mut command = Command::new(hookwire());
        command.args(arguments).env_remove("HOOKWIRE_ADMIN_TOKEN");
        outcome_of(command)
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join(CONFIG)
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(hookwire());
        command.arg("--config").arg(self.config()).args(&self.arguments);
        if !self.has_listener {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        command
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command
    }
}

pub(crate) fn outcome_of(mut command: Command) -> Outcome {
    let output = command
        .stdout(Stdio::piped())
        .output()
        .expect("hookwire can be run");
    let text = [output.stdout, output.stderr].concat();
    Outcome {
        success: output.status.success(),
        text: String::from_utf8_lossy(&text).into_owned(),
    }
}

/// The binary under test. Cargo builds no binary of another package for a test, so somebody has to have done it.
pub fn hookwire() -> PathBuf {
    let binary = crate::profile_dir().join("hookwire");
    assert!(
        Path::new(&binary).exists(),
        "{} is not there; build it first with `cargo build --release -p hookwire`, or use tests/run, which does",
        binary.display()
    );
    binary
}
