//! One plugin's entry in the configuration, checked.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hookwire_hooks::FailureRules;
use hookwire_protocol::TopicFilter;

use crate::{BreakerSettings, HttpOrigin, Powers};

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

/// What nobody but a plugin that it is granted to may see.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Arc<[u8]>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Which retained messages a plugin may use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RetainedGrant {
    /// Topics that it may look at.
    pub read: Vec<TopicFilter>,
    /// Topics whose retained message it may replace and remove.
    pub write: Vec<TopicFilter>,
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
    /// Retained messages; none: not at all.
    pub retained: Option<RetainedGrant>,
    /// Secrets, by name.
    pub secrets: BTreeMap<String, Secret>,
    /// Password hashes at native speed.
    pub password: bool,
    /// Token buckets that it may have at a time.
    pub rate_limit_keys_max: Option<usize>,
    /// What it stores survives the process, where the broker has a store.
    pub kv_durable: bool,
    /// Figures of its own.
    pub metrics: bool,
    /// Unpredictable random bytes.
    pub random: bool,
    /// Requests to servers.
    pub http: Option<HttpGrant>,
}

/// Which servers a plugin may ask, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpGrant {
    /// The servers.
    pub origins: Vec<HttpOrigin>,
    /// How long a request may take.
    pub timeout: Duration,
    /// Most requests at a time; others wait.
    pub concurrent_max: usize,
    /// Largest body of an answer.
    pub response_bytes_max: usize,
    /// Names may lead to addresses of this machine and of networks that are not public.
    pub private: bool,
    /// Certificates, in PEM, of those who vouch for servers, in the place of the system's.
    pub ca: Option<String>,
}

impl HttpGrant {
    /// Default of [`timeout`](Self::timeout): half the time that a call may wait, so that the plugin can still answer.
    pub const TIMEOUT: Duration = Duration::from_secs(1);

    /// Default of [`concurrent_max`](Self::concurrent_max): as many as there are calls that may wait.
    pub const CONCURRENT_MAX: usize = PluginSpec::INSTANCES_WAITING_MAX;

    /// Default of [`response_bytes_max`](Self::response_bytes_max): a decision is short.
    pub const RESPONSE_BYTES_MAX: usize = 64 << 10;

    /// A grant with every setting at its default.
    pub fn new(origins: Vec<HttpOrigin>) -> Self {
        Self {
            origins,
            timeout: Self::TIMEOUT,
            concurrent_max: Self::CONCURRENT_MAX,
            response_bytes_max: Self::RESPONSE_BYTES_MAX,
            private: false,
            ca: None,
        }
    }
}

/// Whether a plugin's answers count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// They do.
    #[default]
    Enforce,
    /// They are compared with what the chain does without it, and nothing that it does has an effect on the broker or
    /// its clients.
    Shadow,
}

impl Grants {
    /// All of them: for looking at a component outside of a broker, never inside of one.
    pub fn everything() -> Self {
        Self {
            clients: true,
            publish: TopicFilter::new("#").into_iter().collect(),
            kv_bytes_max: Some(Self::TRIAL_KV_BYTES),
            kv_durable: false,
            retained: Some(RetainedGrant {
                read: TopicFilter::new("#").into_iter().collect(),
                write: TopicFilter::new("#").into_iter().collect(),
            }),
            // Importing them is granted; there are none to be had but what a test adds.
            secrets: BTreeMap::from([(String::new(), Secret(Arc::default()))]),
            password: true,
            rate_limit_keys_max: Some(Self::TRIAL_KEYS),
            metrics: true,
            random: true,
            // To no server: what is looked at reaches nobody.
            http: Some(HttpGrant::new(Vec::new())),
        }
    }

    /// What [`everything`](Self::everything) grants of the store.
    const TRIAL_KV_BYTES: usize = 1 << 20;

    /// And of token buckets.
    const TRIAL_KEYS: usize = 10_000;
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
    /// Whether its answers count.
    pub mode: Mode,
    /// Message hooks see only these topics, whatever the plugin asks for; empty: all.
    pub topics: Vec<TopicFilter>,
    /// What its answers may do; one that does more is a failure.
    pub may: Powers,
    /// What a failure means at each hook.
    pub on_failure: FailureRules,
    /// CPU time of one call about an access, a subscription, a message, a delivery or a will, unless it may wait.
    pub deadline: Duration,
    /// The same of a call that may take long (authenticate, lifecycle, events), and how long such a call may wait for
    /// others.
    pub deadline_slow: Duration,
    /// Linear memory of one instance, bytes.
    pub memory_bytes_max: usize,
    /// Most instances at a time; 1 gives the plugin one memory at the cost of parallelism.
    pub instances_max: usize,
    /// The same for the hooks that may take long; none: many for a plugin that may wait for others, otherwise as
    /// `instances_max`.
    pub instances_slow_max: Option<usize>,
    /// Its hooks about messages and accesses may wait for others too; the input of the client in question waits with
    /// them.
    pub may_wait: bool,
    /// When it is left alone since it fails too often.
    pub breaker: BreakerSettings,
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

    /// Default of [`instances_slow_max`](Self::instances_slow_max) for plugins that wait: each is worth some tens of KiB,
    /// and a client.
    pub const INSTANCES_WAITING_MAX: usize = 256;

    /// A plugin with every setting at its default.
    pub fn new(name: impl Into<String>, source: PluginSource) -> Self {
        Self {
            name: name.into(),
            source,
            sha256: None,
            mode: Mode::Enforce,
            topics: Vec::new(),
            may: Powers::ALL,
            on_failure: FailureRules::default(),
            deadline: Self::DEADLINE,
            deadline_slow: Self::DEADLINE_SLOW,
            memory_bytes_max: Self::MEMORY_BYTES_MAX,
            instances_max: Self::INSTANCES_MAX,
            instances_slow_max: None,
            may_wait: false,
            breaker: BreakerSettings::default(),
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
            .field("mode", &self.mode)
            .field("topics", &self.topics)
            .field("may", &self.may)
            .field("on_failure", &self.on_failure)
            .field("deadline", &self.deadline)
            .field("deadline_slow", &self.deadline_slow)
            .field("memory_bytes_max", &self.memory_bytes_max)
            .field("instances_max", &self.instances_max)
            .field("instances_slow_max", &self.instances_slow_max)
            .field("may_wait", &self.may_wait)
            .field("grants", &self.grants)
            .finish_non_exhaustive()
    }
}
