//! From a component's bytes to code, without the broker's clients noticing and without trusting the component.
//!
//! ```text
//! bytes ─► artefacts (kept from before?) ─► child process, or thread ─► artefact ─► native ─► component
//! ```
//!
//! Compiling takes seconds of CPU and hundreds of MiB, and how much is up to whoever wrote the component. So it is done by
//! a process of its own, under limits of memory and CPU time that the system enforces, one at a time; once there are
//! clients to serve, of the lowest priority. Where no process can be started a thread of the same priority does it,
//! without those limits.

mod child;
mod native;
mod thread;
mod worker;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::artefacts::Artefacts;
use crate::{LoadError, clock, digest};

pub(crate) use native::Artefact;
pub use worker::compile_component;

/// The lowest priority that there is, and the usual one.
const NICE_MAX: i32 = 19;
const NICE_USUAL: i32 = 0;

/// How components are compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompileSettings {
    /// The program that compiles as `PROGRAM compile-component` does it, see [`compile_component`]; `None`: a thread of
    /// this process compiles.
    pub program: Option<PathBuf>,
    /// Most memory of that program, bytes.
    pub memory_bytes_max: usize,
    /// Most CPU time of that program. On the clock it may take [`PATIENCE`](Self::PATIENCE) times as long: a busy
    /// machine is no fault of the component.
    pub time_max: Duration,
}

impl CompileSettings {
    /// See [`time_max`](Self::time_max).
    pub const PATIENCE: u32 = 10;
}

impl Default for CompileSettings {
    /// The largest components, of JavaScript and Python, take 350 MiB and 15 seconds.
    fn default() -> Self {
        Self {
            program: None,
            memory_bytes_max: 1 << 30,
            time_max: Duration::from_secs(120),
        }
    }
}

/// Compiles components for one engine, one at a time.
pub(crate) struct Compiler {
    engine: Engine,
    /// What the engine and the machine are like: code compiled for others does not run here.
    compatibility: [u8; 32],
    settings: CompileSettings,
    artefacts: Option<Artefacts>,
    /// There is somebody who must not be kept waiting.
    yields: AtomicBool,
    turn: Mutex<()>,
}

impl Compiler {
    pub(crate) fn new(engine: Engine, settings: CompileSettings, artefacts: Option<Artefacts>) -> Self {
        let compatibility = compatibility(&engine);
        Self {
            engine,
            compatibility,
            settings,
            artefacts,
            yields: AtomicBool::new(false),
            turn: Mutex::new(()),
        }
    }

    /// From now on there are clients, and they come first. Until then a broker that starts on a busy machine has as much
    /// right to the machine as anybody.
    pub(crate) fn yield_to_clients(&self) {
        self.yields.store(true, Relaxed);
    }

    /// Compiles, or takes what was compiled before. Takes as long as that takes.
    pub(crate) fn component(&self, bytes: &[u8], sha256: [u8; 32]) -> Result<Component, LoadError> {
        let _turn = self.turn.lock();
        if let Some(component) = self.kept(sha256) {
            return Ok(component);
        }
        let began = clock::now();
        let (artefact, by) = self.compile(bytes, sha256)?;
        tracing::debug!(
            component_bytes = bytes.len(),
            artefact_bytes = artefact.bytes().len(),
            took = ?began.elapsed(),
            "compiled by a {by}"
        );
        if let Some(artefacts) = &self.artefacts {
            artefacts.keep(sha256, self.compatibility, &artefact);
        }
        native::load(&self.engine, artefact).map_err(|error| LoadError::Invalid {
            reason: format!("what was compiled cannot be loaded: {error:#}"),
        })
    }

    fn kept(&self, sha256: [u8; 32]) -> Option<Component> {
        let artefact = self.artefacts.as_ref()?.find(sha256, self.compatibility)?;
        native::load(&self.engine, artefact)
            .inspect_err(|error| tracing::warn!("an artefact is not used, and compiled anew: {error:#}"))
            .ok()
    }

    /// The artefact, and who made it.
    fn compile(&self, bytes: &[u8], sha256: [u8; 32]) -> Result<(Artefact, &'static str), LoadError> {
        let nice = if self.yields.load(Relaxed) {
            NICE_MAX
        } else {
            NICE_USUAL
        };
        if let Some(program) = &self.settings.program {
            let task = child::Task {
                program,
                nice,
                settings: &self.settings,
                compatibility: self.compatibility,
                sha256,
            };
            match task.run(bytes) {
                Ok(compiled) => return Ok((compiled?, "process")),
                Err(error) => tracing::warn!(
                    "components are compiled by a thread of the broker, without limits, since no process can do \
                     it: {error}"
                ),
            }
        }
        Ok((thread::compile(&self.engine, nice, bytes)?, "thread"))
    }
}

/// What tells two engines apart whose code must not be mixed.
fn compatibility(engine: &Engine) -> [u8; 32] {
    digest::of_hash(&engine.precompile_compatibility_hash())
}
