//! From the plugins of a configuration to a chain in force.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use hookwire_hooks::{Chain, Defaults, Hook, Plugin};
use hookwire_plugin_host::{HostLimits, LoadError, LoadedPlugin, PluginHost};

use crate::broker::{Broker, PluginAccess};
use crate::config::{AccessDefault, Config, ConfigError};
use crate::in_force::{InForce, LeftOut};

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
    in_force: InForce,
    generation: u64,
    loaded: Vec<Arc<LoadedPlugin>>,
    defaults: Defaults,
}

impl fmt::Debug for PolicyLoader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicyLoader")
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

impl PolicyLoader {
    /// A loader for one broker.
    ///
    /// # Errors
    /// The WebAssembly engine cannot be set up on this machine.
    pub fn new(broker: Broker) -> anyhow::Result<Self> {
        let access = Arc::new(PluginAccess::default());
        access.connect(&broker);
        let host = PluginHost::new(HostLimits::default(), access)?;
        Ok(Self {
            host,
            broker,
            in_force: InForce::default(),
            generation: 0,
            loaded: Vec::new(),
            defaults: Defaults::default(),
        })
    }

    /// Loads the plugins of a configuration and puts them in force as one chain; true when that changed
    /// anything. Blocks while plugins are compiled.
    ///
    /// # Errors
    /// Why the policy is refused; the one in force stays.
    pub fn apply(&mut self, config: &Config, file: Option<&Path>) -> Result<bool, PolicyError> {
        let mut left_out = Vec::new();
        let loaded = load(&self.host, config, file, self.generation == 0, &mut left_out)?;
        self.in_force.leave_out(left_out);
        let defaults = Defaults {
            access: config
                .access_default
                .map(|default| default == AccessDefault::Allow),
        };
        if self.generation > 0 && defaults == self.defaults && is_same(&loaded, &self.loaded) {
            return Ok(false);
        }
        self.put_in_force(loaded, defaults);
        Ok(true)
    }

    fn put_in_force(&mut self, loaded: Vec<Arc<LoadedPlugin>>, defaults: Defaults) {
        self.generation += 1;
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
        self.in_force.put(self.generation, &loaded);
        self.loaded = loaded;
        self.defaults = defaults;
    }

    /// What is in force, for those who show it.
    pub fn in_force(&self) -> InForce {
        self.in_force.clone()
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
pub fn check(host: &PluginHost, config: &Config, file: &Path) -> Result<(), PolicyError> {
    load(host, config, Some(file), true, &mut Vec::new()).map(drop)
}

fn load(
    host: &PluginHost,
    config: &Config,
    file: Option<&Path>,
    is_first: bool,
    left_out: &mut Vec<LeftOut>,
) -> Result<Vec<Arc<LoadedPlugin>>, PolicyError> {
    let mut loaded = Vec::with_capacity(config.plugins.len());
    for (place, entry) in config.plugins.iter().enumerate() {
        match host.load(&entry.spec) {
            Ok(plugin) => loaded.push(plugin),
            // Later on, a plugin that is in force does not go because its successor is broken.
            Err(error) if entry.optional && is_first => {
                tracing::warn!(plugin = entry.spec.name, "optional plugin left out: {error}");
                left_out.push(LeftOut {
                    name: entry.spec.name.clone(),
                    reason: error.to_string(),
                });
            }
            Err(reason) => return Err(refused(place, &entry.spec.name, reason, file)),
        }
    }
    let authenticating: Vec<&str> = loaded
        .iter()
        .filter(|plugin| {
            let hooks = plugin.hooks();
            hooks.contains(Hook::Authenticate) || hooks.contains(Hook::AuthenticateEnhanced)
        })
        .map(|plugin| plugin.name())
        .collect();
    config.check_exposure(&authenticating).map_err(|mut error| {
        error.file = file.map(Path::to_owned);
        error
    })?;
    Ok(loaded)
}

/// A fault in a plugin's own table is a fault of the file like any other: it has a line.
fn refused(place: usize, name: &str, reason: LoadError, file: Option<&Path>) -> PolicyError {
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
