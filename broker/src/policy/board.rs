//! What is known of the plugins of the configuration: those in force, those that are being loaded, and those that do not
//! load; and what came of attempts to change them.

use std::fmt;
use std::sync::Arc;

use hookwire_hooks::Plugin;
use hookwire_plugin_host::{LoadedPlugin, PluginState, PluginStats};
use parking_lot::Mutex;
use serde::Serialize;

use super::{Outcome, PolicyError, Refusal, Reloaded};
use crate::clock;

/// How the policy is.
#[derive(Debug, Clone)]
pub struct PolicyStatus {
    /// Counts the policies that were in force.
    pub generation: u64,
    /// Why the last reload was refused; none when the configuration is what is in force.
    pub refusal: Option<Refusal>,
    /// One entry for each plugin, those in force first and in their order.
    pub plugins: Vec<PluginStatus>,
}

/// How one plugin is, in a shape that may be printed as JSON and relied upon.
#[derive(Debug, Clone, Serialize)]
pub struct PluginStatus {
    /// Its name in the configuration.
    pub name: String,
    /// How it is.
    pub state: PluginState,
    /// Why it does not load, or why its change was refused.
    pub error: Option<String>,
    /// Where it is in force: what it is and did.
    pub stats: Option<PluginStats>,
    /// Itself, where it is in force.
    #[serde(skip)]
    pub plugin: Option<Arc<LoadedPlugin>>,
}

/// Where [`PolicyLoader`](super::PolicyLoader) writes down what it does, for those who want to know.
#[derive(Default)]
pub struct PolicyBoard(Mutex<Notes>);

#[derive(Default)]
struct Notes {
    generation: u64,
    refusal: Option<Refusal>,
    /// How often a reload came to what, in the order of [`Outcome::ALL`].
    reloads: [u64; Outcome::ALL.len()],
    in_force: Vec<Arc<LoadedPlugin>>,
    /// Plugins that the policy in force does without, since they do not load.
    left_out: Vec<Pending>,
    /// Plugins that are being loaded, or whose change was refused.
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
        let others = notes
            .pending
            .iter()
            .filter(|pending| !notes.is_in_force(&pending.name));
        let is_pending = |name: &str| notes.pending.iter().any(|pending| pending.name == name);
        let left_out = notes.left_out.iter().filter(|plugin| !is_pending(&plugin.name));
        PolicyStatus {
            generation: notes.generation,
            refusal: notes.refusal.clone(),
            plugins: in_force
                .chain(others.chain(left_out).map(Pending::status))
                .collect(),
        }
    }

    /// Counts the policies that were in force; 0: none yet.
    pub fn generation(&self) -> u64 {
        self.0.lock().generation
    }

    /// The plugins in force, in their order.
    pub fn in_force(&self) -> Vec<Arc<LoadedPlugin>> {
        self.0.lock().in_force.clone()
    }

    /// How many reloads came to this.
    pub fn reloads(&self, outcome: Outcome) -> u64 {
        self.0.lock().reloads[outcome as usize]
    }

    /// A reload is over.
    pub(crate) fn note(&self, reloaded: &Reloaded) {
        let mut notes = self.0.lock();
        notes.reloads[reloaded.outcome as usize] += 1;
        notes.refusal = (reloaded.outcome == Outcome::Refused).then(|| Refusal {
            at_ms: clock::unix_ms(),
            problems: reloaded.problems.clone(),
        });
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
        left_out: Vec<Pending>,
    ) {
        let mut notes = self.0.lock();
        (notes.generation, notes.in_force, notes.left_out) = (generation, plugins, left_out);
        notes.pending.clear();
    }

    pub(super) fn refused(&self, error: &PolicyError) {
        self.0.lock().pending = match error {
            PolicyError::Load { name, reason } => vec![Pending {
                name: name.clone(),
                error: Some(reason.to_string()),
            }],
            PolicyError::Config(_) => Vec::new(),
        };
    }
}

impl Notes {
    fn is_in_force(&self, name: &str) -> bool {
        self.in_force.iter().any(|plugin| plugin.name() == name)
    }

    fn of_loaded(&self, plugin: &Arc<LoadedPlugin>) -> PluginStatus {
        let pending = self.pending.iter().find(|pending| pending.name == plugin.name());
        let error = pending.and_then(|pending| pending.error.clone());
        PluginStatus {
            name: plugin.name().to_owned(),
            state: plugin.state(),
            error: error.or_else(|| plugin.degraded().map(str::to_owned)),
            stats: Some(plugin.stats()),
            plugin: Some(Arc::clone(plugin)),
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
            plugin: None,
        }
    }
}

impl fmt::Debug for PolicyBoard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PolicyBoard").field(&self.status()).finish()
    }
}
