//! From the plugins of a configuration to a chain in force.

mod board;
mod reloaded;

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hookwire_hooks::{Chain, Defaults, Hook, Host, NoHost, Plugin};
use hookwire_plugin_host::{
    ArtefactSettings, CompileSettings, HostLimits, HostSettings, LoadError, LoadedPlugin, PluginHost,
};

use crate::broker::{Broker, PluginAccess};
use crate::config::{AccessDefault, CompileIn, Config, ConfigError, PluginEntry};

use board::Pending;
pub use board::{PluginStatus, PolicyBoard, PolicyStatus};
pub use reloaded::{Fault, Outcome, Refusal, Reloaded};

/// This very program, even if its file was replaced since it was started.
const OWN_PROGRAM: &str = "/proc/self/exe";

/// Why a policy was not put in force.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// A plugin does not load.
    #[error("plugin {name:?}: {reason}")]
    Load {
        /// The plugin.
        name: String,
        /// Why.
        reason: LoadError,
    },
    /// A plugin refuses its part of the configuration, or the whole is not safe with these plugins.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// Loads plugins and puts chains in force, one after the other.
pub struct PolicyLoader {
    host: PluginHost,
    broker: Broker,
    generation: u64,
    loaded: Vec<Arc<LoadedPlugin>>,
    defaults: Defaults,
    board: Arc<PolicyBoard>,
}

/// The plugins of a configuration, and those that are left out since they do not load.
struct Selection {
    loaded: Vec<Arc<LoadedPlugin>>,
    left_out: Vec<Pending>,
}

impl fmt::Debug for PolicyLoader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicyLoader")
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

impl PolicyLoader {
    /// A loader for one broker. Of the configuration only what is said about compiling and keeping counts here.
    ///
    /// # Errors
    /// The WebAssembly engine cannot be set up on this machine.
    pub fn new(broker: Broker, config: &Config) -> anyhow::Result<Self> {
        let access = Arc::new(PluginAccess::default());
        access.connect(&broker);
        let host = PluginHost::with(host_settings(config), access)?;
        Ok(Self {
            host,
            broker,
            generation: 0,
            loaded: Vec::new(),
            defaults: Defaults::default(),
            board: Arc::default(),
        })
    }

    /// Where it is written down what is in force, and what does not load.
    pub fn board(&self) -> &Arc<PolicyBoard> {
        &self.board
    }

    /// Loads the plugins of a configuration and puts them in force as one chain; true when that changed
    /// anything. Blocks while plugins are compiled.
    ///
    /// # Errors
    /// Why the policy is refused; the one in force stays.
    pub fn apply(&mut self, config: &Config, file: Option<&Path>) -> Result<bool, PolicyError> {
        let is_first = self.generation == 0;
        let entries = config.plugins.iter();
        self.board.loading(entries.map(|entry| entry.spec.name.as_str()));
        let selection = load(&self.host, config, file, is_first).inspect_err(|error| {
            self.board.refused(error);
            self.broker.count_refused_policy();
        })?;
        let defaults = Defaults {
            access: config
                .access_default
                .map(|default| default == AccessDefault::Allow),
        };
        let changes = is_first || defaults != self.defaults || !is_same(&selection.loaded, &self.loaded);
        if changes {
            self.put_in_force(selection.loaded, defaults);
        }
        self.board
            .came_into_force(self.generation, self.loaded.clone(), selection.left_out);
        Ok(changes)
    }

    fn put_in_force(&mut self, loaded: Vec<Arc<LoadedPlugin>>, defaults: Defaults) {
        self.generation += 1;
        for plugin in &loaded {
            plugin.came_into_force(self.generation);
        }
        let plugins = loaded
            .iter()
            .map(|plugin| {
                let plugin = Arc::clone(plugin) as Arc<dyn Plugin>;
                self.broker.watched(plugin, self.generation)
            })
            .collect();
        for plugin in loaded.iter().filter(|plugin| !contains(&self.loaded, plugin)) {
            warn_of_open_failures(plugin);
        }
        self.broker
            .install(Arc::new(Chain::new(self.generation, plugins, defaults)));
        if self.generation > 1 || !loaded.is_empty() {
            for line in changes(&self.loaded, &loaded) {
                tracing::info!(generation = self.generation, "{line}");
            }
        }
        self.host.came_into_force(&loaded);
        self.loaded = loaded;
        self.defaults = defaults;
    }

    /// Counts the policies that were in force.
    pub fn generation(&self) -> u64 {
        self.generation
    }
}

fn contains(plugins: &[Arc<LoadedPlugin>], plugin: &Arc<LoadedPlugin>) -> bool {
    plugins.iter().any(|other| Arc::ptr_eq(other, plugin))
}

/// Whoever lets things pass that a failing plugin should have decided about must mean it.
fn warn_of_open_failures(plugin: &LoadedPlugin) {
    let opened = plugin.spec().on_failure.opened();
    for hook in opened.filter(|hook| plugin.hooks().contains(*hook)) {
        tracing::warn!(
            plugin = plugin.name(),
            "on_failure is \"pass\": what {} would refuse goes through when the plugin fails",
            hook.as_str()
        );
    }
}

/// Loads the plugins of a configuration without putting them in force: what `hookwire check` does beyond
/// reading the file.
///
/// # Errors
/// Why the policy would be refused.
pub fn check(config: &Config, file: &Path) -> anyhow::Result<()> {
    let host = checking_host(config)?;
    load(&host, config, Some(file), true)?;
    Ok(())
}

/// A host for looking at plugins without a broker: nothing is kept, nothing is taken from what was kept, and compiling is
/// held to the limits that a broker would hold it to.
///
/// # Errors
/// The WebAssembly engine cannot be set up on this machine.
pub fn checking_host(config: &Config) -> anyhow::Result<PluginHost> {
    let nobody: Arc<dyn Host> = Arc::new(NoHost);
    Ok(PluginHost::with(checking_settings(config), nobody)?)
}

/// What the configuration says about compiling; nothing is kept.
pub(crate) fn checking_settings(config: &Config) -> HostSettings {
    HostSettings {
        artefacts: None,
        last_good: None,
        ..host_settings(config)
    }
}

/// What the configuration says about compiling and keeping.
fn host_settings(config: &Config) -> HostSettings {
    let plugins = &config.plugin_host;
    let below_data = |folder: &str| {
        config
            .data_dir
            .as_ref()
            .map(|data| data.join("plugins").join(folder))
    };
    let cache = plugins.cache.clone().or_else(|| below_data("artefacts"));
    HostSettings {
        limits: HostLimits::default(),
        compile: CompileSettings {
            program: (plugins.compile == CompileIn::Child).then(|| PathBuf::from(OWN_PROGRAM)),
            memory_bytes_max: plugins.compile_memory_bytes_max,
            time_max: plugins.compile_timeout,
        },
        artefacts: cache.map(|folder| ArtefactSettings {
            folder,
            bytes_max: plugins.cache_bytes_max as u64,
        }),
        last_good: below_data("last-good").filter(|_| plugins.last_good),
    }
}

fn load(
    host: &PluginHost,
    config: &Config,
    file: Option<&Path>,
    is_first: bool,
) -> Result<Selection, PolicyError> {
    let (mut loaded, mut left_out) = (Vec::with_capacity(config.plugins.len()), Vec::new());
    for (place, entry) in config.plugins.iter().enumerate() {
        match host.load(&entry.spec) {
            Ok(plugin) => loaded.push(plugin),
            // Later on, a plugin that is in force does not go because its successor is broken.
            Err(error) if is_first => match stand_in(host, entry, &error) {
                Some(plugin) => loaded.push(plugin),
                None if entry.optional => {
                    tracing::warn!(plugin = entry.spec.name, "optional plugin left out: {error}");
                    left_out.push(Pending {
                        name: entry.spec.name.clone(),
                        error: Some(error.to_string()),
                    });
                }
                None => return Err(refused(place, &entry.spec.name, error, file)),
            },
            Err(reason) => return Err(refused(place, &entry.spec.name, reason, file)),
        }
    }
    // A shadow has no say in who may connect.
    let authenticating: Vec<&str> = loaded
        .iter()
        .filter(|plugin| {
            let hooks = plugin.hooks();
            let authenticates =
                hooks.contains(Hook::Authenticate) || hooks.contains(Hook::AuthenticateEnhanced);
            authenticates && !plugin.is_shadow()
        })
        .map(|plugin| plugin.name())
        .collect();
    config.check_exposure(&authenticating).map_err(|mut error| {
        error.file = file.map(Path::to_owned);
        error
    })?;
    Ok(Selection { loaded, left_out })
}

/// What was in force when the broker last ran, where that is known and may be used.
fn stand_in(host: &PluginHost, entry: &PluginEntry, failure: &LoadError) -> Option<Arc<LoadedPlugin>> {
    let plugin = host.load_last_good(&entry.spec, failure)?;
    let name = plugin.name();
    tracing::error!(
        plugin = name,
        "degraded: {}",
        plugin.degraded().unwrap_or_default()
    );
    Some(plugin)
}

/// A fault in a plugin's own table is a fault of the file like any other: it has a line.
pub(crate) fn refused(place: usize, name: &str, reason: LoadError, file: Option<&Path>) -> PolicyError {
    match (reason, file) {
        (LoadError::ConfigRefused { problems }, Some(file)) => {
            let faults = problems.into_iter().map(|problem| {
                let table = format!("plugin.{place}.config");
                let key = if problem.path.is_empty() {
                    table
                } else {
                    format!("{table}.{}", problem.path)
                };
                (key, format!("plugin {name:?}: {}", problem.message))
            });
            PolicyError::Config(ConfigError::about(file, faults))
        }
        (reason, _) => PolicyError::Load {
            name: name.to_owned(),
            reason,
        },
    }
}

fn is_same(one: &[Arc<LoadedPlugin>], other: &[Arc<LoadedPlugin>]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| Arc::ptr_eq(one, other))
}

/// What an operator wants to read after a reload: which plugins came, went, or were replaced.
fn changes(old: &[Arc<LoadedPlugin>], new: &[Arc<LoadedPlugin>]) -> Vec<String> {
    let before: HashMap<&str, &Arc<LoadedPlugin>> =
        old.iter().map(|plugin| (plugin.name(), plugin)).collect();
    let mut lines: Vec<String> = new
        .iter()
        .filter_map(|plugin| match before.get(plugin.name()) {
            None => Some(format!(
                "plugin {:?} in force: {:?}",
                plugin.name(),
                plugin.hooks()
            )),
            Some(old) if !Arc::ptr_eq(old, plugin) => Some(format!("plugin {:?} replaced", plugin.name())),
            Some(_) => None,
        })
        .collect();
    let gone = old
        .iter()
        .filter(|plugin| new.iter().all(|other| other.name() != plugin.name()));
    lines.extend(gone.map(|plugin| format!("plugin {:?} removed", plugin.name())));
    if lines.is_empty() {
        lines.push("the order of plugins, or what is allowed by default, has changed".into());
    }
    lines
}
