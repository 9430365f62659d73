//! Compiling, as the child process does it: a component comes in, an artefact goes out.
//!
//! What goes out, on standard output, with exit code 0:
//!
//! | bytes | what |
//! | --- | --- |
//! | 8 | [`MAGIC`] |
//! | 32 | what the engine is like that it was compiled for |
//! | 32 | sha256 of the component |
//! | 8 | length of the artefact, little-endian |
//! | … | the artefact |
//!
//! With exit code [`INVALID`] it is the reason why the component is not valid.

use std::fs;
use std::io::{self, Read, Write};
use std::time::Duration;

use rustix::process::{
    Resource, Rlimit, Signal, getrlimit, set_parent_process_death_signal, setpriority_process, setrlimit,
};

use super::native::Artefact;
use super::{NICE_USUAL, compatibility};
use crate::{EngineError, HostLimits, digest, engine};

pub(super) const MAGIC: &[u8; 8] = b"HWARTEF1";
pub(super) const HEADER_BYTES: usize = 8 + 32 + 32 + 8;

/// Exit code: the component is not valid.
pub(super) const INVALID: u8 = 65;

/// Exit code: nothing was read yet, since the limits cannot be set. Standard error has the reason.
pub(super) const NOT_READY: u8 = 71;

/// Reads a component from standard input and writes what it was compiled to, under limits that this process cannot get
/// rid of, and with this priority (`nice`, 0 to 19) if it is lower than its own. The exit code.
///
/// # Errors
/// The broker is gone, or the memory does not even suffice for reading.
pub fn compile_component(memory_bytes_max: u64, cpu_time_max: Duration, nice: i32) -> io::Result<u8> {
    if let Err(error) = confine(memory_bytes_max, cpu_time_max, nice) {
        writeln!(io::stderr(), "{error}")?;
        return Ok(NOT_READY);
    }
    let limits = HostLimits::default();
    let mut component = Vec::new();
    io::stdin()
        .take(limits.component_bytes_max as u64)
        .read_to_end(&mut component)?;
    let engine = engine::new(&limits).map_err(|EngineError(reason)| io::Error::other(reason))?;
    let mut out = io::stdout().lock();
    match Artefact::compile(&engine, &component) {
        Ok(artefact) => {
            out.write_all(MAGIC)?;
            out.write_all(&compatibility(&engine))?;
            out.write_all(&digest::sha256(&component))?;
            out.write_all(&(artefact.bytes().len() as u64).to_le_bytes())?;
            out.write_all(artefact.bytes())?;
            out.flush()?;
            Ok(0)
        }
        Err(error) => {
            write!(out, "{error:#}")?;
            out.flush()?;
            Ok(INVALID)
        }
    }
}

/// Before it reads a byte of what may be hostile.
fn confine(memory_bytes_max: u64, cpu_time_max: Duration, nice: i32) -> io::Result<()> {
    // A broker that was killed leaves nobody behind who compiles for it.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if nice > NICE_USUAL {
        setpriority_process(None, nice)?;
    }
    let limit = |resource, most: u64| {
        // What it was started with may be less already, and that cannot be raised.
        let most = getrlimit(resource).maximum.map_or(most, |bound| bound.min(most));
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        setrlimit(resource, limit)
    };
    // Of data, not of address space, which the stack would run into as well, and that is no way to end that anybody
    // could understand.
    limit(Resource::Data, memory_bytes_max)?;
    limit(Resource::Cpu, cpu_time_max.as_secs().max(1))?;
    // It has nothing to write but to its pipe.
    limit(Resource::Fsize, 0)?;
    limit(Resource::Core, 0)?;
    // If the machine runs out of memory all the same, this is the process that nobody misses.
    let _ = fs::write("/proc/self/oom_score_adj", "1000");
    Ok(())
}
