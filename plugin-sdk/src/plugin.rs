//! What every plugin is: a value made from a configuration.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::bindings::lifecycle::exports::hookwire::plugin::lifecycle::Interests;
use crate::problem::Problems;

/// A plugin. Besides this it implements the traits of the hooks it wants; see [`export!`](crate::export!).
///
/// The broker runs several instances of a plugin at the same time, each in a memory and a thread of its own, and may
/// replace any of them at any moment. So methods take `&self`, state goes into a `Cell` or `RefCell` and is a cache;
/// what instances must share or what must be kept goes into [`kv`](crate::kv).
pub trait Plugin: Sized + 'static {
    /// The plugin's `config` table. Let it derive `serde::Deserialize`, with `deny_unknown_fields`; a plugin that
    /// has nothing to configure takes [`NoConfig`].
    type Config: DeserializeOwned;

    /// Makes the plugin, on each new instance. When the configuration is refused, the plugin does not load and the one
    /// that runs stays.
    fn new(config: Self::Config) -> Result<Self, Problems>;

    /// What the plugin wants to be asked and shown. Where it is narrower, the broker has less to do.
    fn interests(&self) -> Interests {
        Interests::default()
    }

    /// Called once before the plugin is put in force, and after each tick. An error at load keeps the plugin from
    /// loading; later it is logged and counted.
    fn health(&self) -> Result<(), String> {
        Ok(())
    }

    /// Called in the interval that [`Interests`] asks for, on one instance of the pool.
    fn tick(&self) {}

    /// Called on every instance that is retired in good order. An instance that failed is dropped without it.
    fn stop(&self) {}
}

/// The configuration of a plugin that has none: an empty table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoConfig {}
