//! One plugin's entry in the configuration, checked.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use hookwire_hooks::FailureRules;
use hookwire_protocol::TopicFilter;

/// Where a component comes from.
#[derive(Clone, PartialEq, Eq)]
pub enum PluginSource {
    /// A file.
    Path(PathBuf),
    /// A plugin that is part of the broker's binary.
    Bundled {
        /// Its name, for messages.
        name: &'static str,
        /// The component.
        bytes: &'static [u8],
    },
}

impl fmt::Debug for PluginSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Bundled { name, bytes } => write!(f, "bundled {name} ({} bytes)", bytes.len()),
        }
    }
}

/// What a plugin may use beyond the log, the clock and the topic rules; the default is nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// Facts about clients, and closing their connections.
    pub clients: bool,
    /// Topics that it may publish to; empty: none.
    pub publish: Vec<TopicFilter>,
    /// Bytes of keys and values that it may store.
    pub kv_bytes_max: Option<usize>,
    /// Figures of its own.
    pub metrics: bool,
    /// Unpredictable random bytes.
    pub random: bool,
}

impl Grants {
    /// All of them: for looking at a component outside of a broker, never inside of one.
    pub fn everything() -> Self {
        Self {
            clients: true,
            publish: TopicFilter::new("#").into_iter().collect(),
            kv_bytes_max: Some(Self::TRIAL_KV_BYTES),
            metrics: true,
            random: true,
        }
    }

    /// What [`everything`](Self::everything) grants of the store.
    const TRIAL_KV_BYTES: usize = 1 << 20;
}

/// One plugin, as the configuration describes it.
#[derive(Clone, PartialEq)]
pub struct PluginSpec {
    /// Its name; the store of [`Grants::kv_bytes_max`] goes with it.
    pub name: String,
    /// The component.
    pub source: PluginSource,
    /// The file must have this digest.
    pub sha256: Option<[u8; 32]>,
    /// Message hooks see only these topics, whatever the plugin asks for; empty: all.
    pub topics: Vec<TopicFilter>,
    /// What a failure means at each hook.
    pub on_failure: FailureRules,
    /// CPU time of one call about an access, a subscription, a message, a delivery or a will.
    pub deadline: Duration,
    /// CPU time of one call of authenticate, lifecycle or events.
    pub deadline_slow: Duration,
    /// Linear memory of one instance, bytes.
    pub memory_bytes_max: usize,
    /// Most instances at a time; 1 gives the plugin one memory at the cost of parallelism.
    pub instances_max: usize,
    /// What it may use.
    pub grants: Grants,
    /// Its own configuration, a JSON object.
    pub config: serde_json::Value,
}

impl PluginSpec {
    /// Default of [`deadline`](Self::deadline): a message hook that needs longer stops a connection from being read.
    pub const DEADLINE: Duration = Duration::from_millis(5);

    /// Default of [`deadline_slow`](Self::deadline_slow): hashing a password takes tenths of a second.
    pub const DEADLINE_SLOW: Duration = Duration::from_secs(2);

    /// Default of [`memory_bytes_max`](Self::memory_bytes_max).
    pub const MEMORY_BYTES_MAX: usize = 16 << 20;

    /// Default of [`instances_max`](Self::instances_max).
    pub const INSTANCES_MAX: usize = 8;

    /// A plugin with every setting at its default.
    pub fn new(name: impl Into<String>, source: PluginSource) -> Self {
        Self {
            name: name.into(),
            source,
            sha256: None,
            topics: Vec::new(),
            on_failure: FailureRules::default(),
            deadline: Self::DEADLINE,
            deadline_slow: Self::DEADLINE_SLOW,
            memory_bytes_max: Self::MEMORY_BYTES_MAX,
            instances_max: Self::INSTANCES_MAX,
            grants: Grants::default(),
            config: serde_json::Value::Object(serde_json::Map::new()),
        }
    }
}

/// Without the plugin's own configuration, which may hold secrets.
impl fmt::Debug for PluginSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginSpec")
            .field("name", &self.name)
            .field("source", &self.source)
            .field("topics", &self.topics)
            .field("on_failure", &self.on_failure)
            .field("deadline", &self.deadline)
            .field("deadline_slow", &self.deadline_slow)
            .field("memory_bytes_max", &self.memory_bytes_max)
            .field("instances_max", &self.instances_max)
            .field("grants", &self.grants)
            .finish_non_exhaustive()
    }
}
