//! Compiling on a thread of the broker, where no process can be started or none is wanted.

use std::thread;

use rustix::process::setpriority_process;
use wasmtime::Engine;

use super::NICE_USUAL;
use super::native::Artefact;
use crate::LoadError;

/// As much as the main thread of a process is given: the compiler recurses.
const STACK_BYTES: usize = 8 << 20;

/// Compiles on a thread of its own, since one that has lowered its priority cannot raise it again.
pub(super) fn compile(engine: &Engine, nice: i32, component: &[u8]) -> Result<Artefact, LoadError> {
    let compiled = thread::scope(|scope| {
        let builder = thread::Builder::new()
            .name("plugin-compiler".into())
            .stack_size(STACK_BYTES);
        let thread = builder.spawn_scoped(scope, || {
            // On Linux a priority is a thread's own. Where it cannot be lowered it stays as it is.
            if nice > NICE_USUAL {
                let _ = setpriority_process(None, nice);
            }
            Artefact::compile(engine, component).map_err(|error| LoadError::Invalid {
                reason: format!("{error:#}"),
            })
        });
        thread.map(thread::ScopedJoinHandle::join)
    });
    match compiled {
        Ok(Ok(compiled)) => compiled,
        Ok(Err(_)) => Err(LoadError::CompilerFailed {
            reason: "it panicked".into(),
        }),
        Err(error) => Err(LoadError::CompilerFailed {
            reason: format!("no thread can be started: {error}"),
        }),
    }
}
