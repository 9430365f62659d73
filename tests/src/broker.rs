//! The broker under test: a process.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::setup::{CONFIG, Outcome, Setup, hookwire, outcome_of};
use crate::{Lines, PATIENCE, RealClient};

/// A running `hookwire`, ended when it is dropped.
#[derive(Debug)]
pub struct Broker {
    child: Mutex<Child>,
    pid: u32,
    address: SocketAddr,
    log: Lines,
    setup: Setup,
}

impl Broker {
    /// Starts a broker with this configuration; see [`Setup::new`].
    #[track_caller]
    pub fn start(config: &str) -> Self {
        Setup::new(config).start()
    }

    #[track_caller]
    pub(crate) fn launch(setup: Setup, patience: Duration) -> Self {
        let (child, log, address) = spawn(&setup, patience);
        let pid = child.id();
        Self {
            child: Mutex::new(child),
            pid,
            address,
            log,
            setup,
        }
    }

    /// Kills it with signal 9 and waits until it is dead.
    pub fn kill(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        child.kill().expect("the broker runs");
        child.wait().expect("its own child can be waited for");
    }

    /// Starts it again with the same configuration and folder. It may listen on another port.
    #[track_caller]
    pub fn restart(&mut self) {
        self.restart_within(PATIENCE);
    }

    /// The same for one with much to read.
    #[track_caller]
    pub fn restart_within(&mut self, patience: Duration) {
        let (child, log, address) = spawn(&self.setup, patience);
        self.pid = child.id();
        self.child = Mutex::new(child);
        (self.log, self.address) = (log, address);
    }

    /// Starts it and kills it so much later, wherever it is by then.
    pub fn start_and_kill(&mut self, later: Duration) {
        let mut child = self.setup.command().spawn().expect("hookwire can be run");
        // Nothing is waited for: any moment will do.
        let (_never, moment) = std::sync::mpsc::channel::<()>();
        let _ = moment.recv_timeout(later);
        child.kill().expect("the broker runs");
        child.wait().expect("its own child can be waited for");
    }

    /// Kills it, and starts it again.
    #[track_caller]
    pub fn kill_and_restart(&mut self) {
        self.kill();
        self.restart();
    }

    /// Stops it in the orderly way, and starts it again.
    #[track_caller]
    pub fn stop_and_restart(&mut self) {
        self.terminate();
        assert!(self.wait_exit().success(), "it stops in order");
        self.restart();
    }

    /// What it was started with.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// The address of its first listener.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of its admin endpoint.
    #[track_caller]
    pub fn admin_address(&self) -> SocketAddr {
        const SAID: &str = "admin endpoint at http://";
        let text = self.log.text();
        let address = text
            .split(SAID)
            .nth(1)
            .and_then(|rest| rest.split_whitespace().next());
        let address = address.and_then(|address| address.parse().ok());
        address.unwrap_or_else(|| panic!("no admin endpoint in:\n{text}"))
    }

    /// Runs another command of `hookwire`, against this broker's admin endpoint.
    #[track_caller]
    pub fn command(&self, arguments: &[&str]) -> Outcome {
        outcome_of(self.command_of(arguments))
    }

    /// Starts one that goes on until it is told to end, or ends by itself; its lines are read as they come.
    #[track_caller]
    pub fn start_command(&self, arguments: &[&str]) -> RealClient {
        RealClient::run(self.command_of(arguments), "hookwire")
    }

    #[track_caller]
    fn command_of(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(hookwire());
        command
            .args(arguments)
            .args(["--admin", &self.admin_address().to_string()])
            .current_dir(self.folder())
            .env_remove("HOOKWIRE_ADMIN_TOKEN");
        command
    }

    /// Ends it when this process ends: a static is never dropped.
    #[must_use]
    pub fn for_this_process(self) -> Self {
        let watcher = Command::new("sh")
            .args(["-c", "read -r _; kill \"$1\"", "sh", &self.pid.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("there is a shell");
        // What it reads from is open for as long as this process lives.
        std::mem::forget(watcher);
        self
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Memory that it has by now, bytes.
    pub fn resident_bytes(&self) -> u64 {
        let path = format!("/proc/{}/status", self.pid);
        let status = fs::read_to_string(path).expect("the broker runs, on Linux");
        let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = kib.and_then(|rest| rest.trim().strip_suffix("kB"));
        let kib: Option<u64> = kib.and_then(|kib| kib.trim().parse().ok());
        kib.expect("Linux tells") << 10
    }

    /// Its log.
    pub fn log(&self) -> &Lines {
        &self.log
    }

    /// Waits for a line of the log, after the one that ended the last wait.
    #[track_caller]
    pub fn wait_log(&self, text: &str) -> String {
        self.log.wait(text)
    }

    /// The folder of its configuration.
    pub fn folder(&self) -> &Path {
        self.setup.folder.path()
    }

    /// Replaces the configuration as good editors do: written beside it, then renamed over it.
    pub fn edit_config(&self, text: &str) {
        self.edit_file(CONFIG, text);
    }

    /// Replaces another file in the folder of the configuration in the same way.
    pub fn edit_file(&self, name: &str, content: impl AsRef<[u8]>) {
        let written = self.folder().join(format!("{name}.new"));
        fs::write(&written, content).expect("a file in the temporary folder can be written");
        fs::rename(written, self.folder().join(name)).expect("a file in the temporary folder can be renamed");
    }

    /// Replaces the configuration and waits until its policy is in force.
    #[track_caller]
    pub fn put_in_force(&self, config: &str) {
        self.edit_config(config);
        self.wait_in_force();
    }

    /// Waits until a changed policy is in force, and fails when it is refused.
    #[track_caller]
    pub fn wait_in_force(&self) {
        let line = self.log.wait_any(&["policy in force", "the running one stays"]);
        assert!(
            line.contains("policy in force"),
            "the change was refused:\n{}",
            self.log.story()
        );
    }

    /// Replaces the configuration, waits until it is refused, and returns what the log says about it: the line, and those that follow up to now.
    #[track_caller]
    pub fn refused(&self, config: &str) -> String {
        self.edit_config(config);
        let line = self.log.wait_any(&["policy in force", "the running one stays"]);
        assert!(
            line.contains("the running one stays"),
            "the change was not refused: {line}"
        );
        line
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends SIGHUP.
    pub fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child.lock().unwrap_or_else(PoisonError::into_inner));
        kill_process(pid, signal).expect("the broker runs");
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait_exit(&self) -> ExitStatus {
        assert!(
            self.log.wait_end(),
            "still running after {PATIENCE:?}:\n{}",
            self.log.story()
        );
        self.child
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .wait()
            .expect("its own child can be waited for")
    }
}

#[track_caller]
fn spawn(setup: &Setup, patience: Duration) -> (Child, Lines, SocketAddr) {
    let mut child = setup.command().spawn().expect("hookwire can be run");
    let stderr = child.stderr.take().expect("stderr is piped");
    let log = Lines::collect(vec![Box::new(stderr)]);
    let line = log.wait_within(patience, &["listening on "]);
    let address = line
        .split("listening on ")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next());
    let address = address.and_then(|address| address.parse().ok());
    let address = address.unwrap_or_else(|| panic!("no address in {line:?}"));
    (child, log, address)
}

/// A broker may end before its test does, but it never panics.
impl Drop for Broker {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = child.kill();
        let _ = child.wait();
        if std::thread::panicking() {
            eprintln!("---- log of the broker\n{}\n----", self.log.story());
        } else {
            // That is how Rust begins; panics of guests come with a time in front.
            assert_eq!(
                self.log.count_starting("thread '"),
                0,
                "the broker panicked:\n{}",
                self.log.story()
            );
        }
    }
}
