//! Loading: from a file to a plugin in force, with every check on the way.

use std::borrow::Cow;
use std::fmt::{self, Write};
use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Weak};

use hookwire_hooks::Host;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::{Component, InstancePre, Linker};

use crate::blueprint::Blueprint;
use crate::check::Surface;
use crate::deliveries::Deliveries;
use crate::guest::{Budget, Guest};
use crate::hook::lifecycle;
use crate::housekeeping::HousekeepingThread;
use crate::instance::ExportIndices;
use crate::pool::Pool;
use crate::run::RunLength;
use crate::services::{Foundation, Lasting, Services};
use crate::ticker::Ticker;
use crate::{
    ConfigProblem, EngineError, HostLimits, Inspection, LoadError, LoadedPlugin, PluginSource, PluginSpec,
    engine, host, signature, wasi,
};

/// Compiles components and brings them to life. One for a broker.
pub struct PluginHost {
    engine: Engine,
    linker: Linker<Guest>,
    foundation: Arc<Foundation>,
    housekeeping: HousekeepingThread,
    /// The plugins that were loaded and are still in use: in force, or on their way in or out.
    live: Mutex<Vec<Weak<LoadedPlugin>>>,
    /// What plugins have by their name, whichever generation is in force.
    lasting: Mutex<FxHashMap<String, Arc<Lasting>>>,
}

impl PluginHost {
    /// Makes the engine and its threads. `broker` is who plugins talk to.
    pub fn new(limits: HostLimits, broker: Arc<dyn Host>) -> Result<Self, EngineError> {
        let engine = engine::new(&limits)?;
        let ticker = Ticker::start(engine.clone()).map_err(|error| EngineError(error.to_string()))?;
        let housekeeping = HousekeepingThread::start().map_err(|error| EngineError(error.to_string()))?;
        let linker = linker(&engine).map_err(|error| EngineError(format!("{error:#}")))?;
        let foundation = Arc::new(Foundation {
            limits,
            broker,
            ticker,
        });
        Ok(Self {
            engine,
            linker,
            foundation,
            housekeeping,
            live: Mutex::default(),
            lasting: Mutex::default(),
        })
    }

    /// Reads, checks, compiles, instantiates, configures and health-checks a plugin. Takes as long as compiling takes:
    /// to be called from a thread of its own.
    ///
    /// A plugin that is live with the same entry and the same file is returned as it is. Otherwise the new one shares
    /// with the live one of the same name only the `kv` store and the metrics.
    pub fn load(&self, spec: &PluginSpec) -> Result<Arc<LoadedPlugin>, LoadError> {
        let bytes = self.read(&spec.source)?;
        let digest = sha256(&bytes);
        if let Some(expected) = spec.sha256.filter(|expected| *expected != digest) {
            return Err(LoadError::DigestMismatch {
                expected: hex(&expected),
                found: hex(&digest),
            });
        }
        if let Some(live) = self.live(spec, digest) {
            return Ok(live);
        }
        // The same bytes are compiled once, whatever number of plugins is made of them: reconfiguring one compiles nothing.
        let component = match self.compiled(digest) {
            Some(component) => component,
            None => self.compile(&bytes)?,
        };
        let surface = Surface::read(&component, &self.engine);
        surface.check(&spec.grants)?;
        let started = self.start(spec, digest, &component, &surface);
        let plugin = Arc::new(started.map_err(|error| self.explained(error, &component))?);
        if let Some(every) = plugin.interests.tick {
            self.housekeeping.housekeeper().visit(&plugin, every);
        }
        let mut live = self.live.lock();
        live.retain(|plugin| plugin.strong_count() > 0);
        live.push(Arc::downgrade(&plugin));
        Ok(plugin)
    }

    /// Tells what a component is, without running any of it.
    pub fn inspect(&self, bytes: &[u8]) -> Result<Inspection, LoadError> {
        let component = self.compile(bytes)?;
        let surface = Surface::read(&component, &self.engine);
        Ok(Inspection {
            sha256: sha256(bytes),
            bytes: bytes.len(),
            hooks: surface.hooks(),
            batch: surface.has("on-publish-batch"),
            grants_needed: surface.grants_needed(),
            exports: surface.exports,
            imports: surface.imports,
        })
    }

    /// With the types beside each other, where it is types that differ: the engine tells only the innermost part.
    fn explained(&self, error: LoadError, component: &Component) -> LoadError {
        match error {
            LoadError::WrongType { interface, reason } => {
                let differences = signature::differences(component, &self.engine, &interface);
                let reason = [vec![reason], differences].concat().join("; ");
                LoadError::WrongType { interface, reason }
            }
            other => other,
        }
    }

    fn live(&self, spec: &PluginSpec, digest: [u8; 32]) -> Option<Arc<LoadedPlugin>> {
        let live = self.live.lock();
        let mut live = live.iter().filter_map(Weak::upgrade);
        live.find(|live| live.digest == digest && live.spec == *spec)
    }

    fn compiled(&self, digest: [u8; 32]) -> Option<Component> {
        let live = self.live.lock();
        let mut live = live.iter().filter_map(Weak::upgrade);
        live.find(|live| live.digest == digest)
            .map(|live| live.component.clone())
    }

    fn read(&self, source: &PluginSource) -> Result<Cow<'static, [u8]>, LoadError> {
        match source {
            PluginSource::Bundled { bytes, .. } => Ok(Cow::Borrowed(bytes)),
            PluginSource::Path(path) => {
                read_file(path, self.foundation.limits.component_bytes_max).map(Cow::Owned)
            }
        }
    }

    fn compile(&self, bytes: &[u8]) -> Result<Component, LoadError> {
        let bytes_max = self.foundation.limits.component_bytes_max;
        if bytes.len() > bytes_max {
            return Err(LoadError::TooLarge {
                bytes: bytes.len() as u64,
                bytes_max,
            });
        }
        check_header(bytes)?;
        Component::from_binary(&self.engine, bytes).map_err(|error| LoadError::Invalid {
            reason: format!("{error:#}"),
        })
    }

    fn link(&self, component: &Component, surface: &Surface) -> Result<InstancePre<Guest>, LoadError> {
        self.linker.instantiate_pre(component).map_err(|error| {
            let reason = format!("{error:#}");
            // All imports are known by name, so what is left is a difference in type.
            let interface = surface.imports.iter().find(|name| reason.contains(name.as_str()));
            LoadError::WrongType {
                interface: interface.map_or("an import", String::as_str).into(),
                reason,
            }
        })
    }

    /// Makes the first instance and asks it how it is.
    fn start(
        &self,
        spec: &PluginSpec,
        digest: [u8; 32],
        component: &Component,
        surface: &Surface,
    ) -> Result<LoadedPlugin, LoadError> {
        let pre = self.link(component, surface)?;
        let services = Arc::new(Services::new(
            &spec.name,
            spec.grants.clone(),
            self.lasting.lock().entry(spec.name.clone()).or_default().clone(),
            self.foundation.clone(),
        ));
        let blueprint = Blueprint {
            exports: ExportIndices::new(&pre, |interface| surface.has(interface))?,
            pre,
            services: services.clone(),
            config: config_text(spec)?,
            memory_bytes_max: spec.memory_bytes_max,
            deadline: spec.deadline_slow,
        };
        let (mut first, interests) = blueprint.build()?;
        lifecycle::health(&mut first, Budget::new(spec.deadline_slow))
            .map_err(|failure| LoadError::Failed {
                stage: "health",
                failure,
            })?
            .map_err(LoadError::Unhealthy)?;
        let instances_max = spec.instances_max.min(self.foundation.limits.instances_max);
        Ok(LoadedPlugin {
            spec: spec.clone(),
            component: component.clone(),
            digest,
            hooks: surface.hooks(),
            typed: surface.has("on-publish"),
            batch: surface.has("on-publish-batch"),
            interests,
            pool: Pool::new(blueprint, instances_max, first),
            run_length: RunLength::new(self.foundation.limits.batch_messages_max),
            deliveries: Deliveries {
                typed: surface.has("deliver"),
                batch: surface.has("deliver-batch"),
                run_length: RunLength::new(self.foundation.limits.batch_messages_max),
            },
            services,
            housekeeper: self.housekeeping.housekeeper(),
        })
    }
}

impl fmt::Debug for PluginHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginHost")
            .field("limits", &self.foundation.limits)
            .finish_non_exhaustive()
    }
}

/// Everything that any component may import. Which component may import what was checked before it gets here.
fn linker(engine: &Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    host::add_to_linker(&mut linker)?;
    wasi::add_to_linker(&mut linker)?;
    Ok(linker)
}

fn config_text(spec: &PluginSpec) -> Result<String, LoadError> {
    if !spec.config.is_object() {
        let problem = ConfigProblem {
            path: String::new(),
            message: "config must be a table".into(),
        };
        return Err(LoadError::ConfigRefused {
            problems: vec![problem],
        });
    }
    Ok(spec.config.to_string())
}

/// Reads no more than is allowed, whatever the file system says its size is.
fn read_file(path: &Path, bytes_max: usize) -> Result<Vec<u8>, LoadError> {
    let unreadable = |source| LoadError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let file = fs::File::open(path).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    let mut bytes = Vec::new();
    file.take(bytes_max as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() > bytes_max {
        return Err(LoadError::TooLarge {
            bytes: size,
            bytes_max,
        });
    }
    Ok(bytes)
}

/// Tells the usual mix-ups apart before the engine sees a byte.
fn check_header(bytes: &[u8]) -> Result<(), LoadError> {
    const LAYER_MODULE: u8 = 0;
    match bytes {
        [0, b'a', b's', b'm', _, _, LAYER_MODULE, 0, ..] => Err(LoadError::CoreModule),
        [0, b'a', b's', b'm', ..] => Ok(()),
        [0x7f, b'E', b'L', b'F', ..] => Err(LoadError::Precompiled),
        _ => Err(LoadError::NotComponent {
            start: hex(&bytes[..bytes.len().min(8)]),
        }),
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}
