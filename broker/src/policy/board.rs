//! What is known of the plugins of the configuration: those in force, those that are being loaded, and those that do not
//! load.

use std::fmt;
use std::sync::Arc;

use hookwire_hooks::Plugin;
use hookwire_plugin_host::{LoadedPlugin, PluginState, PluginStats};
use parking_lot::Mutex;
use serde::Serialize;

use super::PolicyError;

/// How the policy is, in a shape that may be printed as JSON and relied upon.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PolicyStatus {
    /// Counts the policies that were in force.
    pub generation: u64,
    /// Policies that were refused since the start.
    pub refused: u64,
    /// Why the last change was refused; none when the configuration is what is in force.
    pub refusal: Option<String>,
    /// One entry for each plugin, those in force first and in their order.
    pub plugins: Vec<PluginStatus>,
}

/// How one plugin is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PluginStatus {
    /// Its name in the configuration.
    pub name: String,
    /// How it is.
    pub state: PluginState,
    /// Why it does not load, or why its change was refused.
    pub error: Option<String>,
    /// Where it is in force: what it is and did.
    pub stats: Option<PluginStats>,
}

/// Where [`PolicyLoader`](super::PolicyLoader) writes down what it does, for those who want to know.
#[derive(Default)]
pub struct PolicyBoard(Mutex<Notes>);

#[derive(Default)]
struct Notes {
    generation: u64,
    refused: u64,
    refusal: Option<String>,
    in_force: Vec<Arc<LoadedPlugin>>,
    /// Plugins that are not as the configuration wants them.
    pending: Vec<Pending>,
}

/// A plugin that is being loaded, or that does not load.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    pub(super) name: String,
    /// None: it is being loaded.
    pub(super) error: Option<String>,
}

impl PolicyBoard {
    /// How the policy is now.
    pub fn status(&self) -> PolicyStatus {
        let notes = self.0.lock();
        let in_force = notes.in_force.iter().map(|plugin| notes.of_loaded(plugin));
        let is_in_force = |name: &str| notes.in_force.iter().any(|plugin| plugin.name() == name);
        let others = notes.pending.iter().filter(|pending| !is_in_force(&pending.name));
        PolicyStatus {
            generation: notes.generation,
            refused: notes.refused,
            refusal: notes.refusal.clone(),
            plugins: in_force.chain(others.map(Pending::status)).collect(),
        }
    }

    /// The plugins in force, in their order.
    pub fn in_force(&self) -> Vec<Arc<LoadedPlugin>> {
        self.0.lock().in_force.clone()
    }

    pub(super) fn loading<'n>(&self, names: impl Iterator<Item = &'n str>) {
        let pending = names.map(|name| Pending {
            name: name.to_owned(),
            error: None,
        });
        self.0.lock().pending = pending.collect();
    }

    pub(super) fn came_into_force(
        &self,
        generation: u64,
        plugins: Vec<Arc<LoadedPlugin>>,
        without: Vec<Pending>,
    ) {
        let mut notes = self.0.lock();
        let refused = notes.refused;
        *notes = Notes {
            generation,
            refused,
            refusal: None,
            in_force: plugins,
            pending: without,
        };
    }

    pub(super) fn refused(&self, error: &PolicyError) {
        let mut notes = self.0.lock();
        notes.refused += 1;
        notes.refusal = Some(error.to_string());
        notes.pending = match error {
            PolicyError::Load { name, reason } => vec![Pending {
                name: name.clone(),
                error: Some(reason.to_string()),
            }],
            PolicyError::Config(_) => Vec::new(),
        };
    }
}

impl Notes {
    fn of_loaded(&self, plugin: &LoadedPlugin) -> PluginStatus {
        let pending = self.pending.iter().find(|pending| pending.name == plugin.name());
        let error = pending.and_then(|pending| pending.error.clone());
        PluginStatus {
            name: plugin.name().to_owned(),
            state: plugin.state(),
            error: error.or_else(|| plugin.degraded().map(str::to_owned)),
            stats: Some(plugin.stats()),
        }
    }
}

impl Pending {
    fn status(&self) -> PluginStatus {
        PluginStatus {
            name: self.name.clone(),
            state: if self.error.is_some() {
                PluginState::Failed
            } else {
                PluginState::Loading
            },
            error: self.error.clone(),
            stats: None,
        }
    }
}

impl fmt::Debug for PolicyBoard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PolicyBoard").field(&self.status()).finish()
    }
}
