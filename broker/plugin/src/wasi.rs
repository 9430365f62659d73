//! The part of WASI 0.2 that the run-time of a language links against whether it uses it or not.
//!
//! It is inert: no arguments, no environment, standard input is closed, standard output and error become log lines, the
//! only thing that can be waited for is what is ready already. There are no files, no sockets, no processes; a component
//! that imports those does not load. Clocks are real. Random numbers are real, but `wasi:random/random` needs the same
//! grant as `hookwire:plugin/random`.
//!
//! Handles carry all of their state in the number behind them, so there is no table of them to fill. How many a guest
//! may hold is limited by the store.

use std::time::Duration;

use tracing::Level;
use wasmtime::component::{ComponentType, Lift, Linker, LinkerInstance, Lower, Resource, ResourceType};
use wasmtime::{Result, StoreContextMut, bail};

use crate::clock;
use crate::guest::Guest;

/// Bytes of standard error and error lines that are kept to explain a failure: a panic message comes that way.
const ERRORS_BYTES_MAX: usize = 1 << 10;

/// What a stream says it can take at once.
const WRITE_BYTES: u64 = 64 << 10;

/// What one call for random bytes may ask for.
const RANDOM_BYTES_MAX: u64 = 1 << 20;

/// What a guest wrote to its standard streams.
#[derive(Debug, Default)]
pub(crate) struct Console {
    output: Line,
    error: Line,
    errors: Vec<u8>,
}

/// A line that has no end yet.
#[derive(Debug, Default)]
struct Line {
    bytes: Vec<u8>,
}

impl Line {
    /// Appends, and returns the lines that are complete. What is beyond `bytes_max` is cut off.
    fn append(&mut self, bytes: &[u8], bytes_max: usize) -> Vec<String> {
        let mut lines = Vec::new();
        let mut parts = bytes.split(|byte| *byte == b'\n').peekable();
        while let Some(part) = parts.next() {
            let room = bytes_max.saturating_sub(self.bytes.len());
            self.bytes.extend_from_slice(&part[..part.len().min(room)]);
            if parts.peek().is_some() {
                lines.push(String::from_utf8_lossy(&self.bytes).into_owned());
                self.bytes.clear();
            }
        }
        lines
    }
}

impl Console {
    /// The last words on standard error.
    pub(crate) fn errors(&self) -> String {
        String::from_utf8_lossy(&self.errors).into_owned()
    }

    /// Whatever is said from here on belongs to the next call.
    pub(crate) fn forget_errors(&mut self) {
        self.errors.clear();
    }

    /// Keeps the end of what the guest says about its errors.
    pub(crate) fn remember_errors(&mut self, bytes: &[u8]) {
        let bytes = &bytes[bytes.len().saturating_sub(ERRORS_BYTES_MAX)..];
        let excess = (self.errors.len() + bytes.len()).saturating_sub(ERRORS_BYTES_MAX);
        self.errors.drain(..excess);
        self.errors.extend_from_slice(bytes);
    }
}

impl Guest {
    fn print(&mut self, stream: u32, bytes: &[u8]) {
        let line_bytes_max = self.services.limits().log_line_bytes_max;
        let (level, lines) = if stream == STDERR {
            self.console.remember_errors(bytes);
            (Level::WARN, self.console.error.append(bytes, line_bytes_max))
        } else {
            (Level::INFO, self.console.output.append(bytes, line_bytes_max))
        };
        for line in lines.iter().filter(|line| !line.is_empty()) {
            self.say(level, line);
        }
    }
}

// What the resources are in the host. The numbers behind the handles say which one it is.
enum InputStream {}
enum OutputStream {}
enum Pollable {}
enum IoError {}
enum TerminalInput {}
enum TerminalOutput {}

const STDIN: u32 = 0;
const STDOUT: u32 = 1;
const STDERR: u32 = 2;

/// A pollable that is ready.
const READY: u32 = 0;
/// A pollable whose time lies in the future.
const LATER: u32 = 1;

#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    LastOperationFailed(Resource<IoError>),
    #[component(name = "closed")]
    Closed,
}

type StreamResult<T> = std::result::Result<T, StreamError>;

#[derive(ComponentType, Lift, Lower)]
#[component(record)]
struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}

type Store<'a> = StoreContextMut<'a, Guest>;

/// Offers all of it to components, at version 0.2.0: the linker hands it to every 0.2.x.
pub(crate) fn add_to_linker(linker: &mut Linker<Guest>) -> Result<()> {
    io_error(&mut linker.instance("wasi:io/error@0.2.0")?)?;
    io_poll(&mut linker.instance("wasi:io/poll@0.2.0")?)?;
    io_streams(&mut linker.instance("wasi:io/streams@0.2.0")?)?;
    cli_environment(&mut linker.instance("wasi:cli/environment@0.2.0")?)?;
    cli_exit(&mut linker.instance("wasi:cli/exit@0.2.0")?)?;
    cli_stdio(linker)?;
    cli_terminal(linker)?;
    wall_clock(&mut linker.instance("wasi:clocks/wall-clock@0.2.0")?)?;
    monotonic_clock(&mut linker.instance("wasi:clocks/monotonic-clock@0.2.0")?)?;
    random_numbers(linker)
}

fn resource<T: 'static>(instance: &mut LinkerInstance<'_, Guest>, name: &str) -> Result<()> {
    instance.resource(name, ResourceType::host::<T>(), |_, _| Ok(()))
}

fn io_error(instance: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    resource::<IoError>(instance, "error")?;
    instance.func_wrap(
        "[method]error.to-debug-string",
        |_: Store<'_>, (_,): (Resource<IoError>,)| Ok((String::from("input or output failed"),)),
    )
}

fn io_poll(instance: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    resource::<Pollable>(instance, "pollable")?;
    instance.func_wrap(
        "[method]pollable.ready",
        |_: Store<'_>, (pollable,): (Resource<Pollable>,)| Ok((pollable.rep() == READY,)),
    )?;
    instance.func_wrap(
        "[method]pollable.block",
        |_: Store<'_>, (pollable,): (Resource<Pollable>,)| {
            if pollable.rep() == READY {
                Ok(())
            } else {
                Err(cannot_wait())
            }
        },
    )?;
    instance.func_wrap(
        "poll",
        |_: Store<'_>, (pollables,): (Vec<Resource<Pollable>>,)| {
            let ready: Vec<u32> = (0..)
                .zip(&pollables)
                .filter(|(_, pollable)| pollable.rep() == READY)
                .map(|(n, _)| n)
                .collect();
            if ready.is_empty() {
                Err(cannot_wait())
            } else {
                Ok((ready,))
            }
        },
    )
}

/// A hook that sleeps would hold up the connection whose packets it judges.
fn cannot_wait() -> wasmtime::Error {
    wasmtime::format_err!("a plugin cannot sleep; ask for ticks in `configure` instead")
}

fn io_streams(instance: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    resource::<InputStream>(instance, "input-stream")?;
    resource::<OutputStream>(instance, "output-stream")?;
    input_stream(instance)?;
    output_stream(instance)
}

fn input_stream(instance: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    for name in ["read", "blocking-read"] {
        instance.func_wrap(
            &format!("[method]input-stream.{name}"),
            |_: Store<'_>, (_, _): (Resource<InputStream>, u64)| {
                Ok((StreamResult::<Vec<u8>>::Err(StreamError::Closed),))
            },
        )?;
    }
    for name in ["skip", "blocking-skip"] {
        instance.func_wrap(
            &format!("[method]input-stream.{name}"),
            |_: Store<'_>, (_, _): (Resource<InputStream>, u64)| {
                Ok((StreamResult::<u64>::Err(StreamError::Closed),))
            },
        )?;
    }
    instance.func_wrap(
        "[method]input-stream.subscribe",
        |_: Store<'_>, (_,): (Resource<InputStream>,)| Ok((Resource::<Pollable>::new_own(READY),)),
    )
}

fn output_stream(instance: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    instance.func_wrap(
        "[method]output-stream.check-write",
        |_: Store<'_>, (_,): (Resource<OutputStream>,)| Ok((StreamResult::Ok(WRITE_BYTES),)),
    )?;
    for name in ["write", "blocking-write-and-flush"] {
        instance.func_wrap(
            &format!("[method]output-stream.{name}"),
            |mut store: Store<'_>, (stream, bytes): (Resource<OutputStream>, Vec<u8>)| {
                store.data_mut().print(stream.rep(), &bytes);
                Ok((StreamResult::Ok(()),))
            },
        )?;
    }
    for name in ["flush", "blocking-flush"] {
        instance.func_wrap(
            &format!("[method]output-stream.{name}"),
            |_: Store<'_>, (_,): (Resource<OutputStream>,)| Ok((StreamResult::Ok(()),)),
        )?;
    }
    for name in ["write-zeroes", "blocking-write-zeroes-and-flush"] {
        instance.func_wrap(
            &format!("[method]output-stream.{name}"),
            |_: Store<'_>, (_, _): (Resource<OutputStream>, u64)| Ok((StreamResult::Ok(()),)),
        )?;
    }
    for name in ["splice", "blocking-splice"] {
        instance.func_wrap(
            &format!("[method]output-stream.{name}"),
            |_: Store<'_>, (_, _, _): (Resource<OutputStream>, Resource<InputStream>, u64)| {
                Ok((StreamResult::<u64>::Err(StreamError::Closed),))
            },
        )?;
    }
    instance.func_wrap(
        "[method]output-stream.subscribe",
        |_: Store<'_>, (_,): (Resource<OutputStream>,)| Ok((Resource::<Pollable>::new_own(READY),)),
    )
}

fn cli_environment(instance: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    instance.func_wrap("get-environment", |_: Store<'_>, (): ()| {
        Ok((Vec::<(String, String)>::new(),))
    })?;
    instance.func_wrap("get-arguments", |_: Store<'_>, (): ()| {
        Ok((Vec::<String>::new(),))
    })?;
    instance.func_wrap("initial-cwd", |_: Store<'_>, (): ()| {
        Ok((Option::<String>::None,))
    })
}

fn cli_exit(instance: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    instance.func_wrap(
        "exit",
        |_: Store<'_>, (_,): (std::result::Result<(), ()>,)| -> Result<()> {
            bail!("the plugin called exit")
        },
    )?;
    instance.func_wrap("exit-with-code", |_: Store<'_>, (code,): (u8,)| -> Result<()> {
        bail!("the plugin called exit({code})")
    })
}

fn cli_stdio(linker: &mut Linker<Guest>) -> Result<()> {
    linker
        .instance("wasi:cli/stdin@0.2.0")?
        .func_wrap("get-stdin", |_: Store<'_>, (): ()| {
            Ok((Resource::<InputStream>::new_own(STDIN),))
        })?;
    linker
        .instance("wasi:cli/stdout@0.2.0")?
        .func_wrap("get-stdout", |_: Store<'_>, (): ()| {
            Ok((Resource::<OutputStream>::new_own(STDOUT),))
        })?;
    linker
        .instance("wasi:cli/stderr@0.2.0")?
        .func_wrap("get-stderr", |_: Store<'_>, (): ()| {
            Ok((Resource::<OutputStream>::new_own(STDERR),))
        })
}

fn cli_terminal(linker: &mut Linker<Guest>) -> Result<()> {
    resource::<TerminalInput>(
        &mut linker.instance("wasi:cli/terminal-input@0.2.0")?,
        "terminal-input",
    )?;
    resource::<TerminalOutput>(
        &mut linker.instance("wasi:cli/terminal-output@0.2.0")?,
        "terminal-output",
    )?;
    linker
        .instance("wasi:cli/terminal-stdin@0.2.0")?
        .func_wrap("get-terminal-stdin", |_: Store<'_>, (): ()| {
            Ok((Option::<Resource<TerminalInput>>::None,))
        })?;
    for name in ["stdout", "stderr"] {
        linker
            .instance(&format!("wasi:cli/terminal-{name}@0.2.0"))?
            .func_wrap(&format!("get-terminal-{name}"), |_: Store<'_>, (): ()| {
                Ok((Option::<Resource<TerminalOutput>>::None,))
            })?;
    }
    Ok(())
}

fn wall_clock(instance: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    instance.func_wrap("now", |store: Store<'_>, (): ()| {
        let now = store.data().services.unix();
        Ok((Datetime {
            seconds: now.as_secs(),
            nanoseconds: now.subsec_nanos(),
        },))
    })?;
    instance.func_wrap("resolution", |_: Store<'_>, (): ()| {
        Ok((Datetime {
            seconds: 0,
            nanoseconds: 1,
        },))
    })
}

fn monotonic_clock(instance: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    instance.func_wrap("now", |store: Store<'_>, (): ()| {
        Ok((clock::nanos(store.data().services.monotonic()),))
    })?;
    instance.func_wrap("resolution", |_: Store<'_>, (): ()| Ok((1_u64,)))?;
    instance.func_wrap("subscribe-instant", |store: Store<'_>, (when,): (u64,)| {
        let passed = Duration::from_nanos(when) <= store.data().services.monotonic();
        Ok((timer(passed),))
    })?;
    instance.func_wrap("subscribe-duration", |_: Store<'_>, (nanos,): (u64,)| {
        Ok((timer(nanos == 0),))
    })
}

fn timer(passed: bool) -> Resource<Pollable> {
    Resource::new_own(if passed { READY } else { LATER })
}

fn random_numbers(linker: &mut Linker<Guest>) -> Result<()> {
    for (interface, infix) in [("random", ""), ("insecure", "insecure-")] {
        let mut instance = linker.instance(&format!("wasi:random/{interface}@0.2.0"))?;
        instance.func_wrap(
            &format!("get-{infix}random-bytes"),
            |store: Store<'_>, (length,): (u64,)| {
                if length > RANDOM_BYTES_MAX {
                    bail!("{length} random bytes in one call, allowed are {RANDOM_BYTES_MAX}");
                }
                Ok((store.data().services.random_bytes(length as usize)?,))
            },
        )?;
        instance.func_wrap(&format!("get-{infix}random-u64"), |store: Store<'_>, (): ()| {
            Ok((store.data().services.random_number()?,))
        })?;
    }
    linker.instance("wasi:random/insecure-seed@0.2.0")?.func_wrap(
        "insecure-seed",
        |store: Store<'_>, (): ()| {
            let services = &store.data().services;
            Ok(((services.random_number()?, services.random_number()?),))
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_where_the_guest_ends_them() {
        let mut line = Line::default();
        assert!(line.append(b"hal", 100).is_empty());
        assert_eq!(line.append(b"lo\nyou\nth", 100), ["hallo", "you"]);
        assert_eq!(line.append(b"ere\n", 100), ["there"]);
    }

    #[test]
    fn a_line_without_end_does_not_grow() {
        let mut line = Line::default();
        for _ in 0..1000 {
            assert!(line.append(&[b'x'; 1000], 50).is_empty());
        }
        assert_eq!(line.append(b"\n", 50), ["x".repeat(50)]);
    }

    #[test]
    fn the_last_errors_are_kept() {
        let mut console = Console::default();
        console.remember_errors(&[b'a'; 5000]);
        console.remember_errors(b"the\nend\n");
        let errors = console.errors();
        assert!(errors.ends_with("athe\nend\n"));
        assert_eq!(errors.len(), ERRORS_BYTES_MAX);
        console.forget_errors();
        assert_eq!(console.errors(), "");
    }
}
