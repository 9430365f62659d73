//! Compiling in a child process, as the broker sees it.

use std::fmt;
use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use super::CompileSettings;
use super::native::Artefact;
use super::worker::{HEADER_BYTES, INVALID, MAGIC, NOT_READY};
use crate::LoadError;
use crate::journal::printable;

/// What the child says when something goes wrong is read up to here.
const WORDS_BYTES_MAX: u64 = 4 << 10;

/// An artefact is code, padding and tables: a few times the size of its component. This much is allowed, and so many
/// times the component more, since the broker has to hold it.
const ARTEFACT_BYTES: usize = 16 << 20;
const ARTEFACT_TIMES_COMPONENT: usize = 16;

/// One component to compile.
pub(super) struct Task<'t> {
    pub(super) program: &'t Path,
    pub(super) nice: i32,
    pub(super) settings: &'t CompileSettings,
    pub(super) compatibility: [u8; 32],
    pub(super) sha256: [u8; 32],
}

/// There is no child, or none that can do it: nothing about the component.
#[derive(Debug)]
pub(super) enum Unavailable {
    NotStarted(io::Error),
    /// It could not even begin.
    NotReady(String),
    /// Another program stands where ours was, or something that is no compiler.
    Stranger,
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStarted(error) => write!(f, "{error}"),
            Self::NotReady(words) => write!(f, "{words}"),
            Self::Stranger => write!(f, "what was started is not this version of the broker"),
        }
    }
}

/// What came out of it.
struct Output {
    answer: Vec<u8>,
    words: Vec<u8>,
}

impl Task<'_> {
    /// Runs the child to its end, which may be an early one.
    pub(super) fn run(&self, component: &[u8]) -> Result<Result<Artefact, LoadError>, Unavailable> {
        let mut child = self.start().map_err(Unavailable::NotStarted)?;
        let answer_bytes_max = HEADER_BYTES + ARTEFACT_BYTES + ARTEFACT_TIMES_COMPONENT * component.len();
        let output = self.talk(&mut child, component, answer_bytes_max as u64);
        // Reaped whatever happened; a kill of one that has ended is nothing.
        if output.is_none() {
            let _ = child.kill();
        }
        let status = child.wait().map_err(Unavailable::NotStarted)?;
        match output {
            None => Ok(Err(self.too_slow("on the clock", CompileSettings::PATIENCE))),
            Some(output) if output.answer.len() > answer_bytes_max => {
                let bytes_max = answer_bytes_max - HEADER_BYTES;
                Ok(Err(LoadError::ArtefactTooLarge { bytes_max }))
            }
            Some(output) => self.judge(status, &output.words, output.answer),
        }
    }

    /// The child inherits nothing but its pipes. It ends when the thread that started it does, which waits for it.
    ///
    /// Its allocator must not begin by taking a gigabyte from the system to give out later: a limit that is set then
    /// would not be felt.
    fn start(&self) -> io::Result<Child> {
        Command::new(self.program)
            .arg("compile-component")
            .arg(self.settings.memory_bytes_max.to_string())
            .arg(self.settings.time_max.as_secs().to_string())
            .arg(self.nice.to_string())
            .env_clear()
            .env("MIMALLOC_ARENA_RESERVE", "0")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
    }

    /// Hands the component over and takes what comes; `None` when it takes too long.
    fn talk(&self, child: &mut Child, component: &[u8], answer_bytes_max: u64) -> Option<Output> {
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let patience = self.settings.time_max * CompileSettings::PATIENCE;
        thread::scope(|scope| {
            let (done, ended) = channel();
            scope.spawn(move || {
                hand_over(stdin, component);
                let answer = read(stdout, answer_bytes_max + 1);
                let words = read(stderr, WORDS_BYTES_MAX);
                let _ = done.send(Output { answer, words });
            });
            match ended.recv_timeout(patience) {
                Ok(output) => Some(output),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    // Its end is also the end of the thread that listens to it.
                    let _ = child.kill();
                    None
                }
            }
        })
    }

    fn judge(
        &self,
        status: ExitStatus,
        words: &[u8],
        answer: Vec<u8>,
    ) -> Result<Result<Artefact, LoadError>, Unavailable> {
        let words = String::from_utf8_lossy(words);
        match (status.code(), status.signal()) {
            (Some(0), _) => self.artefact(answer).map(Ok),
            (Some(code), _) if code == i32::from(NOT_READY) => {
                Err(Unavailable::NotReady(words.trim().to_owned()))
            }
            (Some(code), _) if code == i32::from(INVALID) => Ok(Err(LoadError::Invalid {
                reason: String::from_utf8_lossy(&answer).into_owned(),
            })),
            // The first is sent at the limit, the second where the limit is also the last.
            (_, Some(signal)) if [Signal::XCPU.as_raw(), Signal::KILL.as_raw()].contains(&signal) => {
                Ok(Err(self.too_slow("of CPU time", 1)))
            }
            _ => Ok(Err(self.ended(status, words.trim()))),
        }
    }

    /// Only what says for which engine and of which component it is, and is whole.
    fn artefact(&self, mut answer: Vec<u8>) -> Result<Artefact, Unavailable> {
        let expected: [&[u8]; 3] = [MAGIC, &self.compatibility, &self.sha256];
        let expected = expected.concat();
        let whole = answer
            .strip_prefix(&expected[..])
            .and_then(|rest| rest.split_first_chunk())
            .is_some_and(|(bytes, artefact)| u64::from_le_bytes(*bytes) == artefact.len() as u64);
        if !whole {
            return Err(Unavailable::Stranger);
        }
        answer.drain(..HEADER_BYTES);
        Ok(Artefact::of_child(answer))
    }

    fn too_slow(&self, kind: &'static str, times: u32) -> LoadError {
        let time: Duration = self.settings.time_max * times;
        LoadError::CompileTime { time, kind }
    }

    fn ended(&self, status: ExitStatus, words: &str) -> LoadError {
        if words.contains("memory allocation of") || words.contains("out of memory") {
            return LoadError::CompileMemory {
                bytes_max: self.settings.memory_bytes_max,
            };
        }
        let reason = format!("it ended with {status}: {words}");
        LoadError::CompilerFailed {
            reason: printable(&reason, 1 << 10).into_owned(),
        }
    }
}

/// A child that has ended early does not take all of it; how it ended says why.
fn hand_over(stdin: Option<ChildStdin>, component: &[u8]) {
    if let Some(mut stdin) = stdin {
        let _ = stdin.write_all(component);
    }
}

fn read(from: Option<impl Read>, bytes_max: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(from) = from {
        let _ = from.take(bytes_max).read_to_end(&mut bytes);
    }
    bytes
}
