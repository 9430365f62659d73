//! Clients that other people wrote, as programs.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::{Broker, Lines, PATIENCE};

/// A running client. What it prints is heard line by line; it is ended when it is dropped.
#[derive(Debug)]
pub struct RealClient {
    what: String,
    child: Child,
    stdin: ChildStdin,
    printed: Lines,
}

impl RealClient {
    /// A script of `tests/clients` with paho-mqtt. It is given the port and then `arguments`.
    #[track_caller]
    pub fn paho<A: AsRef<OsStr>>(broker: &Broker, script: &str, arguments: &[A]) -> Self {
        let python = clients_dir().join("venv/bin/python");
        require(&python, "paho-mqtt is not installed there");
        let mut command = Command::new(python);
        command
            .env("PYTHONUNBUFFERED", "1")
            .env("PYTHONDONTWRITEBYTECODE", "1");
        Self::script(command, broker, script, arguments)
    }

    /// A script of `tests/clients` with MQTT.js or jsdom. It is given the port and then `arguments`.
    #[track_caller]
    pub fn node<A: AsRef<OsStr>>(broker: &Broker, script: &str, arguments: &[A]) -> Self {
        let modules = clients_dir().join("node_modules");
        require(
            &modules.join("jsdom"),
            "MQTT.js and jsdom are not installed there",
        );
        let mut command = Command::new("node");
        command.env("NODE_PATH", modules);
        Self::script(command, broker, script, arguments)
    }

    #[track_caller]
    fn script<A: AsRef<OsStr>>(mut command: Command, broker: &Broker, script: &str, arguments: &[A]) -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(script);
        command
            .arg(file)
            .arg(broker.address().port().to_string())
            .args(arguments);
        Self::run(command, script)
    }

    /// `mosquitto_pub` or `mosquitto_sub`, with `arguments` behind those that name the broker.
    #[track_caller]
    pub fn mosquitto(broker: &Broker, program: &str, arguments: &[&str]) -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let is_there = std::env::split_paths(&path).any(|folder| folder.join(program).exists());
        assert!(
            is_there,
            "{program} is not installed; run tests/run as root, or: apt-get install mosquitto-clients"
        );
        // Their output is wanted line by line although it goes into a pipe.
        let mut command = Command::new("stdbuf");
        command
            .args([
                "-oL",
                program,
                "-h",
                "127.0.0.1",
                "-p",
                &broker.address().port().to_string(),
            ])
            .args(arguments);
        Self::run(command, program)
    }

    #[track_caller]
    pub(crate) fn run(mut command: Command, what: &str) -> Self {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{what} cannot be run: {error}"));
        let stdin = child.stdin.take().expect("stdin is piped");
        let stdout = child.stdout.take().expect("stdout is piped");
        let stderr = child.stderr.take().expect("stderr is piped");
        let printed = Lines::collect(vec![Box::new(stdout), Box::new(stderr)]);
        Self {
            what: what.to_owned(),
            child,
            stdin,
            printed,
        }
    }

    /// Waits for a line that contains `text`.
    #[track_caller]
    pub fn wait_line(&self, text: &str) -> String {
        self.printed.wait(text)
    }

    /// What it has printed.
    pub fn printed(&self) -> &Lines {
        &self.printed
    }

    /// Gives it a line to read.
    #[track_caller]
    pub fn tell(&mut self, line: &str) {
        writeln!(self.stdin, "{line}").unwrap_or_else(|error| {
            panic!(
                "{} does not listen any more: {error}\n{}",
                self.what,
                self.printed.text()
            );
        });
    }

    /// Waits for its end, whatever its exit code, and returns what it printed.
    #[track_caller]
    pub fn printed_at_end(self) -> String {
        assert!(
            self.printed.wait_end(),
            "{}: still running after {PATIENCE:?}:\n{}",
            self.what,
            self.printed.text()
        );
        self.printed.text()
    }

    /// Waits for its end, which must be a success, and returns what it printed.
    #[track_caller]
    pub fn finish(self) -> String {
        self.finish_with(0)
    }

    /// Waits for its end with this exit code, and returns what it printed.
    #[track_caller]
    pub fn finish_with(mut self, code: i32) -> String {
        assert!(
            self.printed.wait_end(),
            "{}: still running after {PATIENCE:?}:\n{}",
            self.what,
            self.printed.text()
        );
        let status = self.child.wait().expect("its own child can be waited for");
        let text = self.printed.text();
        assert_eq!(
            status.code(),
            Some(code),
            "{}: exit code; it printed:\n{text}",
            self.what
        );
        text
    }
}

impl Drop for RealClient {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where `tests/run` installs clients: beside the profiles.
fn clients_dir() -> PathBuf {
    crate::profile_dir()
        .parent()
        .expect("a profile lies in the target folder")
        .join("clients")
}

#[track_caller]
pub(crate) fn require(path: &Path, why: &str) {
    assert!(
        path.exists(),
        "{} is missing, {why}; run tests/run, which sets up everything",
        path.display()
    );
}
