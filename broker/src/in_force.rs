//! The policy in force, for those who show it, and what came of attempts to change it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwap, Guard};
use hookwire_plugin_host::LoadedPlugin;
use parking_lot::Mutex;
use serde::Serialize;

use crate::clock;
use crate::config::{ConfigError, Problem};
use crate::policy::PolicyError;

/// What is in force. Clones show the same.
#[derive(Debug, Clone, Default)]
pub struct InForce(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    plugins: ArcSwap<Policy>,
    left_out: Mutex<Vec<LeftOut>>,
    refusal: Mutex<Option<Refusal>>,
    reloads: [AtomicU64; Outcome::ALL.len()],
}

/// One generation of policy, with its plugins in the order in which they are asked.
#[derive(Debug, Default)]
pub struct Policy {
    /// Counts the policies that were in force; 0: none yet.
    pub generation: u64,
    /// The plugins.
    pub plugins: Vec<Standing>,
}

/// A plugin in force.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The plugin.
    pub plugin: Arc<LoadedPlugin>,
    /// The generation that brought it, as it is.
    pub since: u64,
}

/// An optional plugin that the broker started without.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Its name.
    pub name: String,
    /// Why it did not load.
    pub reason: String,
}

/// The last attempt to reload, if it was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// Milliseconds since 1970-01-01 UTC.
    pub at_ms: u64,
    /// Everything that was wrong.
    pub problems: Vec<Fault>,
}

/// What came of a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Something else is in force now.
    InForce,
    /// The same is in force as before.
    Unchanged,
    /// The running configuration stays.
    Refused,
}

impl Outcome {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::InForce, Self::Unchanged, Self::Refused];

    /// As metrics spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InForce => "in-force",
            Self::Unchanged => "unchanged",
            Self::Refused => "refused",
        }
    }
}

/// A reload, for whoever asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reloaded {
    /// What came of it.
    pub outcome: Outcome,
    /// The generation in force now.
    pub generation: u64,
    /// What was wrong.
    pub problems: Vec<Fault>,
    /// Keys whose change takes effect at the next start.
    pub needs_restart: Vec<&'static str>,
}

/// One thing that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Dotted path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// For a person.
    pub message: String,
}

impl Fault {
    /// The problems of a file.
    pub fn of_config(error: &ConfigError) -> Vec<Self> {
        let file = error.file.as_ref().map(|file| file.display().to_string());
        let fault = |problem: &Problem| Self {
            file: file.clone(),
            line: problem.line,
            key: Some(problem.key.clone()).filter(|key| !key.is_empty()),
            message: problem.message.clone(),
        };
        error.problems.iter().map(fault).collect()
    }

    /// Why a policy was refused.
    pub fn of_policy(error: &PolicyError) -> Vec<Self> {
        match error {
            PolicyError::Config(error) => Self::of_config(error),
            other => vec![Self {
                file: None,
                line: None,
                key: None,
                message: other.to_string(),
            }],
        }
    }
}

impl InForce {
    /// The policy.
    pub fn policy(&self) -> Guard<Arc<Policy>> {
        self.0.plugins.load()
    }

    /// Another policy is in force.
    pub(crate) fn put(&self, generation: u64, plugins: &[Arc<LoadedPlugin>]) {
        let before = self.policy();
        let since = |plugin: &Arc<LoadedPlugin>| {
            let same = |standing: &&Standing| Arc::ptr_eq(&standing.plugin, plugin);
            before
                .plugins
                .iter()
                .find(same)
                .map_or(generation, |standing| standing.since)
        };
        let plugins = plugins.iter().map(|plugin| Standing {
            since: since(plugin),
            plugin: Arc::clone(plugin),
        });
        let policy = Policy {
            generation,
            plugins: plugins.collect(),
        };
        self.0.plugins.store(Arc::new(policy));
    }

    /// The broker runs without these.
    pub(crate) fn leave_out(&self, plugins: Vec<LeftOut>) {
        *self.0.left_out.lock() = plugins;
    }

    /// Plugins that the broker runs without although they are configured.
    pub fn left_out(&self) -> Vec<LeftOut> {
        self.0.left_out.lock().clone()
    }

    /// A reload is over.
    pub(crate) fn note(&self, reloaded: &Reloaded) {
        self.0.reloads[reloaded.outcome as usize].fetch_add(1, Ordering::Relaxed);
        let refusal = (reloaded.outcome == Outcome::Refused).then(|| Refusal {
            at_ms: clock::unix_ms(),
            problems: reloaded.problems.clone(),
        });
        *self.0.refusal.lock() = refusal;
    }

    /// The last reload, if it was refused: what the file says is not in force.
    pub fn refusal(&self) -> Option<Refusal> {
        self.0.refusal.lock().clone()
    }

    /// How many reloads came to this.
    pub fn reloads(&self, outcome: Outcome) -> u64 {
        self.0.reloads[outcome as usize].load(Ordering::Relaxed)
    }
}
