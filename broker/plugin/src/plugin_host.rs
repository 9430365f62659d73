//! Loading: from a file to a plugin in force, with every check on the way.

use std::borrow::Cow;
use std::fmt;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Weak};

use hookwire_hooks::Host;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::artefacts::{ArtefactSettings, Artefacts};
use crate::breaker::Breaker;
use crate::check::Surface;
use crate::comparisons::Comparisons;
use crate::compile::{CompileSettings, Compiler};
use crate::deliveries::Deliveries;
use crate::digest::{self, hex};
use crate::executor::Executor;
use crate::housekeeping::HousekeepingThread;
use crate::http::Http;
use crate::last_good::{InForce, LastGood};
use crate::link::Linkers;
use crate::pools::Pools;
use crate::run::RunLength;
use crate::services::{Foundation, Lasting, Services};
use crate::ticker::Ticker;
use crate::{
    EngineError, HostLimits, Inspection, LoadError, LoadedPlugin, Mode, PluginSource, PluginSpec, engine,
    nesting, signature, version,
};

/// What a host is made with.
#[derive(Debug, Clone, Default)]
pub struct HostSettings {
    /// Limits of every plugin.
    pub limits: HostLimits,
    /// How components are compiled.
    pub compile: CompileSettings,
    /// Where what was compiled is kept; `None`: nowhere.
    pub artefacts: Option<ArtefactSettings>,
    /// Where it is kept what was in force last; `None`: nowhere.
    pub last_good: Option<PathBuf>,
}

/// Compiles components and brings them to life. One for a broker.
pub struct PluginHost {
    engine: Engine,
    linkers: Linkers,
    compiler: Compiler,
    last_good: Option<LastGood>,
    foundation: Arc<Foundation>,
    /// The same for shadows.
    shadow_foundation: Arc<Foundation>,
    housekeeping: HousekeepingThread,
    /// The plugins that were loaded and are still in use: in force, or on their way in or out.
    live: Mutex<Vec<Weak<LoadedPlugin>>>,
    /// What plugins have by their name, whichever generation is in force.
    lasting: Mutex<FxHashMap<String, Arc<Lasting>>>,
}

impl PluginHost {
    /// Makes the engine and its threads. `broker` is who plugins talk to. Components are compiled by a thread of this
    /// process, and nothing is kept.
    pub fn new(limits: HostLimits, broker: Arc<dyn Host>) -> Result<Self, EngineError> {
        let settings = HostSettings {
            limits,
            ..HostSettings::default()
        };
        Self::with(settings, broker)
    }

    /// Makes the engine and its threads. `broker` is who plugins talk to.
    ///
    /// A folder that is not fit to be used is told in the log, and the host does without.
    pub fn with(settings: HostSettings, broker: Arc<dyn Host>) -> Result<Self, EngineError> {
        let engine = engine::new(&settings.limits)?;
        let ticker = Ticker::start(engine.clone()).map_err(|error| EngineError(error.to_string()))?;
        let housekeeping = HousekeepingThread::start().map_err(|error| EngineError(error.to_string()))?;
        let executor = Executor::start().map_err(|error| EngineError(error.to_string()))?;
        let linkers = Linkers::new(&engine).map_err(|error| EngineError(format!("{error:#}")))?;
        let artefacts = settings.artefacts.and_then(|settings| {
            let artefacts = Artefacts::open(&settings);
            artefacts
                .inspect_err(|error| tracing::error!("compiled components are not kept: {error}"))
                .ok()
        });
        let last_good = settings.last_good.and_then(|folder| {
            let last_good = LastGood::open(&folder, settings.limits.component_bytes_max);
            last_good
                .inspect_err(|error| tracing::error!("the policy in force is not kept: {error}"))
                .ok()
        });
        let foundation = Arc::new(Foundation {
            limits: settings.limits,
            broker,
            ticker: Arc::new(ticker),
            executor: Arc::new(executor),
        });
        Ok(Self {
            compiler: Compiler::new(engine.clone(), settings.compile, artefacts),
            engine,
            linkers,
            last_good,
            shadow_foundation: Arc::new(foundation.for_shadows()),
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
        let loaded = self.load_component(spec, &bytes, None)?;
        if let Some(last_good) = &self.last_good
            && let Err(error) = last_good.keep_component(loaded.digest, &bytes)
        {
            tracing::error!(plugin = spec.name, "its component cannot be kept: {error}");
        }
        Ok(loaded)
    }

    /// What was in force under a plugin's name when the broker last ran, for a plugin that now fails to load with
    /// `failure`; `None` when nothing was, or it may not stand in, or does not load either.
    ///
    /// Its grants, limits and topics are those of `spec`, and if `spec` pins a component it must be that one. Its own
    /// configuration is that of `spec` too, unless the plugin does not take it: then it is the one that was in force.
    pub fn load_last_good(&self, spec: &PluginSpec, failure: &LoadError) -> Option<Arc<LoadedPlugin>> {
        // Whoever pins a component wants another one to stop everything.
        if matches!(failure, LoadError::DigestMismatch { .. }) {
            return None;
        }
        let kept = self.last_good.as_ref()?.find(&spec.name);
        let kept = kept
            .inspect_err(|error| {
                tracing::error!(plugin = spec.name, "what was in force is not used: {error}")
            })
            .ok()??;
        let former = PluginSpec {
            config: kept.config,
            ..spec.clone()
        };
        let rows = [
            (spec, "the component that was in force before"),
            (
                &former,
                "the component and the configuration that were in force before",
            ),
        ];
        rows.into_iter().find_map(|(spec, what)| {
            let degraded = format!("using {what}, since the plugin does not load: {failure}");
            let loaded = self.load_component(spec, &kept.component, Some(degraded));
            loaded
                .inspect_err(|error| {
                    tracing::error!(plugin = spec.name, "{what} does not load either: {error}")
                })
                .ok()
        })
    }

    /// Notes that these plugins, and no others, are in force: for [`load_last_good`](Self::load_last_good) after a
    /// restart, and because clients come before whatever is compiled from now on.
    pub fn came_into_force(&self, in_force: &[Arc<LoadedPlugin>]) {
        self.compiler.yield_to_clients();
        let Some(last_good) = &self.last_good else { return };
        let plugins: Vec<_> = in_force
            .iter()
            .map(|plugin| InForce {
                name: &plugin.spec.name,
                sha256: plugin.digest,
                config: &plugin.spec.config,
            })
            .collect();
        if let Err(error) = last_good.keep(&plugins) {
            tracing::error!("the policy in force cannot be kept: {error}");
        }
    }

    fn load_component(
        &self,
        spec: &PluginSpec,
        bytes: &[u8],
        degraded: Option<String>,
    ) -> Result<Arc<LoadedPlugin>, LoadError> {
        let digest = digest::sha256(bytes);
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
            None => self.compile(bytes, digest)?,
        };
        let surface = Surface::read(&component, &self.engine);
        surface.check(&spec.grants)?;
        let started = self.start(spec, digest, &component, &surface);
        let mut plugin = started.map_err(|error| self.explained(error, &component))?;
        plugin.version = version::of(bytes);
        plugin.degraded = degraded;
        Ok(self.enlist(Arc::new(plugin)))
    }

    fn enlist(&self, plugin: Arc<LoadedPlugin>) -> Arc<LoadedPlugin> {
        if let Some(every) = plugin.interests.tick {
            self.housekeeping.housekeeper().visit(&plugin, every);
        }
        let mut live = self.live.lock();
        live.retain(|plugin| plugin.strong_count() > 0);
        live.push(Arc::downgrade(&plugin));
        plugin
    }

    /// Tells what a component is, without running any of it.
    pub fn inspect(&self, bytes: &[u8]) -> Result<Inspection, LoadError> {
        let sha256 = digest::sha256(bytes);
        let component = self.compile(bytes, sha256)?;
        let surface = Surface::read(&component, &self.engine);
        Ok(Inspection {
            sha256,
            version: version::of(bytes),
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
        live.find(|live| live.digest == digest && live.spec == *spec && live.degraded.is_none())
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

    fn compile(&self, bytes: &[u8], digest: [u8; 32]) -> Result<Component, LoadError> {
        let bytes_max = self.foundation.limits.component_bytes_max;
        if bytes.len() > bytes_max {
            return Err(LoadError::TooLarge {
                bytes: bytes.len() as u64,
                bytes_max,
            });
        }
        check_header(bytes)?;
        if nesting::is_too_deep(bytes) {
            return Err(LoadError::Invalid {
                reason: nesting::TOO_DEEP.to_owned(),
            });
        }
        self.compiler.component(bytes, digest)
    }

    /// Makes the first instances and asks them how they are.
    fn start(
        &self,
        spec: &PluginSpec,
        digest: [u8; 32],
        component: &Component,
        surface: &Surface,
    ) -> Result<LoadedPlugin, LoadError> {
        let http = spec.grants.http.as_ref().filter(|_| surface.waits());
        let http = http.map(Http::new).transpose()?.map(Arc::new);
        let foundation = match spec.mode {
            Mode::Enforce => &self.foundation,
            Mode::Shadow => &self.shadow_foundation,
        };
        let services = Services::new(
            &spec.name,
            spec.grants.clone(),
            self.lasting.lock().entry(spec.name.clone()).or_default().clone(),
            foundation.clone(),
        )?;
        let services = Arc::new(services.with_may(spec.may).with_http(http));
        let pools = Pools::new(&self.linkers, spec, component, surface, &services)?;
        Ok(LoadedPlugin {
            spec: spec.clone(),
            component: component.clone(),
            digest,
            hooks: surface.hooks(),
            typed: surface.has("on-publish"),
            batch: surface.has("on-publish-batch"),
            waits: surface.waits(),
            interests: pools.interests,
            quick_pool: pools.quick,
            slow_pool: pools.slow,
            is_ticking: AtomicBool::new(false),
            run_length: RunLength::new(self.foundation.limits.batch_messages_max),
            deliveries: Deliveries {
                typed: surface.has("deliver"),
                batch: surface.has("deliver-batch"),
                run_length: RunLength::new(self.foundation.limits.batch_deliveries_max),
            },
            services,
            housekeeper: self.housekeeping.housekeeper(),
            breakers: std::array::from_fn(|_| Breaker::new(spec.breaker.clone())),
            comparisons: Comparisons::default(),
            version: None,
            degraded: None,
            generation: AtomicU64::new(0),
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
