//! Hookwire's WebAssembly host: it loads plugins, asks them, and keeps what they do from harming anybody else.
//!
//! A [`PluginHost`] turns a [`PluginSpec`] into a [`LoadedPlugin`], which the hook chain asks through
//! [`hookwire_hooks::Plugin`]. No type of wasmtime shows outside this crate.
//!
//! | module | what it knows |
//! | --- | --- |
//! | `plugin_host` | loading: file, digest, compilation, checks, first instance |
//! | `compile/…`, `artefacts`, `last_good` | compiling in a process of its own; what was compiled, and what was in force, kept on disk |
//! | `private_dir`, `seal`, `digest`, `sections`, `version`, `nesting` | folders and files that nobody else can have touched; what a component is |
//! | `contract`, `bindings`, `check`, `signature` | the WIT contract: names, types, and what a component imports and exports of it |
//! | `engine`, `ticker`, `memory` | how guests run, how long, and how large they may get |
//! | `link`, `blueprint`, `instance`, `pool`, `pools`, `guest` | making instances, calling them, keeping them, what the host holds for each |
//! | `executor` | the threads of calls that may wait |
//! | `hook/…`, `frame`, `delivery_frame`, `run` | one module a hook: question, call, checked answer; the frames of the batch hooks, and how many messages go into one |
//! | `recording` | questions and answers written down, to be asked again |
//! | `host/…`, `kv`, `rate_limit`, `http`, `origin`, `reach`, `journal`, `note`, `random`, `wasi` | one module an interface that guests import, and what is behind it |
//! | `loaded`, `deliveries`, `waiting`, `breaker`, `housekeeping` | the plugin in force, its calls that may wait, when it is left alone, its ticks and its end |
//! | `stats`, `histogram`, `observations`, `comparisons` | what is counted and measured of it |
//! | `spectator` | the broker as shadows see it |
//!
//! What holds, whatever a guest does:
//!
//! - A call ends within its deadline of CPU time (`ticker`) or its limits of memory, with an answer or a
//!   [`Failure`](hookwire_hooks::Failure). Nothing of a guest's failure reaches another call: its instance is gone.
//! - Guests only ever reach the interfaces in `host/` and the inert part of WASI in `wasi`. What they hand over is
//!   bounded in size before it is copied, and checked before anybody else sees it.
//! - What a call publishes is sent after its answer was found good, or not at all.
#![deny(unsafe_code)]

mod artefacts;
#[allow(
    missing_docs,
    unreachable_pub,
    elided_lifetimes_in_paths,
    unused_qualifications,
    clippy::all,
    reason = "generated from the WIT files"
)]
mod bindings;
mod blueprint;
mod breaker;
mod check;
mod clock;
mod comparisons;
mod compile;
mod contract;
mod deliveries;
mod delivery_frame;
mod digest;
mod engine;
mod error;
mod executor;
mod failure;
mod frame;
mod frame_buffer;
mod guest;
mod histogram;
mod hook;
mod host;
mod housekeeping;
mod http;
mod idle;
mod inspect;
mod instance;
mod journal;
mod kv;
mod last_good;
mod limits;
mod link;
mod loaded;
mod memory;
mod nesting;
mod note;
mod observations;
mod origin;
mod plugin_host;
mod pool;
mod pools;
mod power;
mod private_dir;
mod publish_frame;
mod random;
mod rate_limit;
mod reach;
pub mod recording;
mod run;
mod seal;
mod sections;
mod services;
mod signature;
mod spec;
mod spectator;
mod stats;
mod ticker;
mod version;
mod waiting;
mod wasi;

pub use artefacts::ArtefactSettings;
pub use breaker::{BreakerSettings, CircuitState};
pub use comparisons::{Difference, ShadowStats};
pub use compile::{CompileSettings, compile_component};
pub use error::{ConfigProblem, EngineError, LoadError, MissingGrant};
pub use histogram::{Bucket, HistogramStats};
pub use inspect::Inspection;
pub use limits::HostLimits;
pub use loaded::LoadedPlugin;
pub use observations::Observations;
pub use origin::HttpOrigin;
pub use plugin_host::{HostSettings, PluginHost};
pub use power::{Power, Powers};
pub use spec::{Grants, HttpGrant, Mode, PluginSource, PluginSpec, RetainedGrant, Secret};
pub use stats::{HookStats, HttpStats, InstanceStats, MetricValue, PluginState, PluginStats};
