//! From the configuration file to a [`Config`]: read once, checked once, complaints all at once.
//!
//! ```text
//! text -> toml's spanned tree -> Section / Item (reader) with a kind per key (kinds) -> Config
//!                                       \-> Report: every Problem, with line and key
//! ```
//!
//! The tree is walked here instead of by serde, because serde stops at its first error and loses the line of it. Each
//! section of the file has a module of its own that names its keys, their kinds and their bounds; the defaults are
//! in `defaults`. What each key means to a user is told by `docs/configuration.md`, and a test holds the two
//! together.

mod admin;
mod admission;
mod blame;
mod changes;
mod defaults;
mod exposure;
mod file;
mod http_grant;
mod kinds;
mod limits;
mod listener;
mod overrides;
mod plugin;
mod plugin_config;
mod plugins;
mod problem;
mod reader;
mod report;
mod secrets;
mod session;
mod settings;
mod store;
mod suggestion;
mod units;

#[cfg(test)]
mod tests;

pub use admin::{AdminSettings, Token};
pub use changes::{Changes, Part};
pub use defaults::ADMIN_ADDRESS;
pub use plugin::BundledPlugin;
pub use problem::{ConfigError, Problem};
pub use settings::{
    AccessDefault, BanSettings, CompileIn, Config, Features, FlappingSettings, Limits, Listener,
    Mqtt3Rejected, Overlapping, PluginEntry, PluginsSettings, QueueOverflow, RateExcess, RateSettings,
    Redirect, SessionSettings, SharedStrategy, StoreSettings, TakeoverSettings,
};
