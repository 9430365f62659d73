//! Why a plugin does not load, in the words of the person who has to mend it.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use hookwire_hooks::Failure;

use crate::contract;

/// The engine could not be made; nothing about a plugin.
#[derive(Debug, thiserror::Error)]
#[error("the WebAssembly engine cannot start: {0}")]
pub struct EngineError(pub(crate) String);

/// One fault that a plugin found in its configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    /// Keys joined by dots, counted from the plugin's `config` table; empty: the table itself.
    pub path: String,
    /// What is wrong and what was expected.
    pub message: String,
}

/// An import that the configuration does not grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingGrant {
    /// The interface, as the component names it.
    pub interface: String,
    /// What to add to the plugin's entry, for example `grant = { kv = { bytes = "1MiB" } }`.
    pub add: &'static str,
}

/// Why a plugin does not load. Whatever ran before goes on running.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is larger than the broker compiles.
    #[error(
        "the file has {bytes} bytes, more than the {bytes_max} that are allowed; build it with `opt-level = \"s\"`, `lto` and `strip`"
    )]
    TooLarge {
        /// Its size.
        bytes: u64,
        /// The limit.
        bytes_max: usize,
    },
    /// The file is not the one that the configuration pins.
    #[error(
        "the file's sha256 is {found}, the configuration pins {expected}; if the new file is meant, change `sha256`"
    )]
    DigestMismatch {
        /// As configured, hexadecimal.
        expected: String,
        /// As found, hexadecimal.
        found: String,
    },
    /// A WebAssembly module without the component layer.
    #[error("this is a core WebAssembly module, not a component; build it with `--target wasm32-wasip2`")]
    CoreModule,
    /// An artefact that some engine compiled before.
    #[error(
        "this is a precompiled artefact; the broker compiles by itself and never runs foreign machine code, give it the `.wasm` component"
    )]
    Precompiled,
    /// No WebAssembly at all.
    #[error("this is not a WebAssembly component (its first bytes are {start})")]
    NotComponent {
        /// The first bytes, hexadecimal.
        start: String,
    },
    /// A component that breaks the rules of WebAssembly, or uses features that are off.
    #[error("the component is not valid: {reason}")]
    Invalid {
        /// The engine's words.
        reason: String,
    },
    /// Compiling it takes more time than it may.
    #[error(
        "compiling it took more than {time:?} {kind}, which is all that `plugins.compile_timeout` allows"
    )]
    CompileTime {
        /// How much was allowed.
        time: Duration,
        /// Of which time.
        kind: &'static str,
    },
    /// Compiling it takes more memory than it may.
    #[error(
        "compiling it takes more than the {bytes_max} bytes of memory that `plugins.compile_memory_max` allows"
    )]
    CompileMemory {
        /// How much was allowed.
        bytes_max: usize,
    },
    /// It becomes more code than the broker is ready to hold.
    #[error("it was compiled to more than {bytes_max} bytes of code, which is out of proportion to its size")]
    ArtefactTooLarge {
        /// How many were allowed.
        bytes_max: usize,
    },
    /// The compiler did not survive it.
    #[error("the compiler failed: {reason}")]
    CompilerFailed {
        /// How it ended.
        reason: String,
    },
    /// It wants interfaces that do not exist here.
    #[error(
        "the component imports what this broker does not offer: {}; plugins have no files, sockets or processes",
        list(interfaces)
    )]
    UnknownImports {
        /// The interfaces, as the component names them.
        interfaces: Vec<String>,
    },
    /// It was built for a version of the contract that this broker does not speak.
    #[error(
        "the component was built for {interface}@{found}, this broker speaks {}@{}; rebuild it with the matching SDK (`hookwire plugin vendor`)",
        contract::PACKAGE,
        contract::VERSION
    )]
    ContractVersion {
        /// The interface, without its version.
        interface: String,
        /// The version that it was built for.
        found: String,
    },
    /// It wants capabilities that the configuration does not grant.
    #[error("the component uses capabilities that it is not granted: {}", list(missing))]
    NotGranted {
        /// All of them.
        missing: Vec<MissingGrant>,
    },
    /// It implements a hook that this broker never calls, so its policy would silently not be applied.
    #[error(
        "the component exports {interface}, which this version of the broker does not call: it needs a newer Hookwire"
    )]
    UnknownHook {
        /// The interface.
        interface: String,
    },
    /// Every plugin exports `lifecycle`.
    #[error(
        "the component does not export {}/lifecycle@{}: it is no Hookwire plugin; in Rust `hookwire_plugin::export!` makes one",
        contract::PACKAGE,
        contract::VERSION
    )]
    NoLifecycle,
    /// It exports no hook, so it would never be asked.
    #[error(
        "the component exports no hook; a plugin exports at least one of {}",
        list(contract::HOOKS)
    )]
    NoHook,
    /// An interface has the right name and another shape.
    #[error("{interface} has the wrong type: {reason}; build the component against this broker's wit folder")]
    WrongType {
        /// The interface.
        interface: String,
        /// The function, and how it differs.
        reason: String,
    },
    /// It is granted a server over TLS, and nobody is trusted to vouch for it.
    #[error("no certificates to trust: {reason}")]
    NoTrust {
        /// Why.
        reason: String,
    },
    /// It has a durable store, which cannot be read: it would begin with an empty one.
    #[error("its durable kv cannot be read: {reason}")]
    KvUnread {
        /// Why.
        reason: String,
    },
    /// The plugin refuses its configuration.
    #[error("the plugin refuses its configuration: {}", list(problems))]
    ConfigRefused {
        /// All faults that it found.
        problems: Vec<ConfigProblem>,
    },
    /// It asks for messages by a filter that is not valid.
    #[error(
        "the plugin declares an interest of {interface} that is not a topic filter: `{filter}` ({reason})"
    )]
    BadInterest {
        /// `on-publish` or `route`.
        interface: &'static str,
        /// The filter.
        filter: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It says of itself that it cannot work.
    #[error("the plugin's health check fails: {0}")]
    Unhealthy(String),
    /// It trapped, overran its deadline or its memory while it started.
    #[error("the plugin failed in {stage}: {failure}")]
    Failed {
        /// What it was asked to do.
        stage: &'static str,
        /// What happened.
        failure: Failure,
    },
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => write!(f, "{}", self.message),
            path => write!(f, "config.{path}: {}", self.message),
        }
    }
}

impl fmt::Display for MissingGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (add `{}`)", self.interface, self.add)
    }
}

fn list<T: fmt::Display>(items: &[T]) -> String {
    items.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}
