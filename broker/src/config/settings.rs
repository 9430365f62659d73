//! The configuration as the broker uses it: checked, complete, with every limit filled in.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use hookwire_plugin_host::PluginSpec;
use hookwire_protocol::{DecodeLimits, QoS};

/// A checked configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where clients connect; never empty.
    pub listeners: Vec<Listener>,
    /// What a client may use.
    pub limits: Limits,
    /// What sessions keep.
    pub session: SessionSettings,
    /// How a fight of two clients for one client id is slowed.
    pub takeover: TakeoverSettings,
    /// What is allowed when no plugin decides; `None`: denied when any plugin authorizes, else allowed.
    pub access_default: Option<AccessDefault>,
    /// The chain, in order.
    pub plugins: Vec<PluginEntry>,
    /// Directives for the log, as `tracing` filters spell them; for example `info` or `hookwire=debug`.
    pub log: String,
    /// Where durable data goes.
    pub data_dir: Option<PathBuf>,
    /// How long connected clients are given to take what is written when the broker stops.
    pub shutdown_timeout: Duration,
}

/// A place where clients connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Name, in logs and for policies; unique.
    pub name: String,
    /// Address and port; port 0 lets the system choose.
    pub address: SocketAddr,
    /// Whether a client about whom no plugin decides is admitted; `None`: on loopback when no plugin
    /// authenticates.
    pub allow_anonymous: Option<bool>,
    /// Most connections at a time.
    pub connections_max: usize,
}

/// What the broker does when no plugin decides about an access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessDefault {
    /// It is allowed.
    Allow,
    /// It is refused.
    Deny,
}

/// Bounds on what one client, or all of them, can make the broker hold. Each has a safe default.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// From accepting the connection to having read the CONNECT; bounds what silent connections cost.
    pub connect_timeout: Duration,
    /// Most connections of all listeners together.
    pub connections_max: usize,
    /// CONNECTs whose authentication is under way; more wait, and the connect timeout ends the wait.
    pub authentications_max: usize,
    /// Challenges of one enhanced authentication; a client is refused with the next.
    pub authentication_rounds_max: usize,
    /// Largest CONNECT, bytes; smaller than other packets since its sender is nobody yet.
    pub connect_packet_bytes_max: usize,
    /// What the decoder takes: packet bytes, user properties, filters per packet, topic levels and bytes.
    pub decode: DecodeLimits,
    /// Longest client id, bytes.
    pub client_id_bytes_max: usize,
    /// Longest keep alive, seconds; an MQTT 5 client that asks for more (or for none) is told this, others
    /// are refused. 0: any.
    pub keep_alive_secs_max: u16,
    /// Receive Maximum announced to clients: their QoS 1 and 2 messages not yet acknowledged.
    pub receive_maximum: u16,
    /// Topic aliases that a client may set.
    pub topic_alias_maximum: u16,
    /// Highest QoS accepted and granted.
    pub qos_max: QoS,
    /// Bytes waiting to be written to one client; above it QoS 0 messages for it are dropped and its own
    /// packets are not read.
    pub outbox_bytes_max: usize,
    /// How long a client may leave its socket full before it is disconnected.
    pub write_timeout: Duration,
    /// Most retained messages.
    pub retained_messages_max: usize,
    /// Most bytes of retained messages, topics included.
    pub retained_bytes_max: usize,
}

/// Bounds and habits of sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionSettings {
    /// Most sessions, connected or not.
    pub sessions_max: usize,
    /// Longest session expiry interval granted; also that of MQTT 3 sessions that are not clean.
    pub expiry_max: Duration,
    /// Subscriptions of one session.
    pub subscriptions_max: usize,
    /// QoS 1 and 2 messages on their way to one client, not yet acknowledged.
    pub inflight_max: u16,
    /// Messages waiting for one session while its client is away.
    pub queue_messages_max: usize,
    /// Bytes waiting for one session, while its client is away or its inflight window is full.
    pub queue_bytes_max: usize,
    /// Which message goes when a queue is full.
    pub queue_overflow: QueueOverflow,
    /// Whether QoS 0 messages are queued for sessions that are away.
    pub queue_qos0: bool,
    /// Whether a user may take over the session of another user who came with the same client id.
    pub shared_client_ids: bool,
    /// Longest will delay, and longest delay that a plugin may ask for.
    pub will_delay_max: Duration,
}

/// Which message goes when a queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueOverflow {
    /// The one that has waited longest.
    DropOldest,
    /// The one that comes.
    DropNewest,
}

/// A fight: two clients with one client id that keep throwing each other out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakeoverSettings {
    /// So many takeovers of one client id within `window` are a fight.
    pub fight_after: u32,
    /// See `fight_after`.
    pub window: Duration,
    /// In a fight the CONNECT is answered only after this time; doubled with each further takeover.
    pub backoff: Duration,
    /// Bound of the doubling.
    pub backoff_max: Duration,
}

/// One plugin of the chain.
#[derive(Debug, Clone, PartialEq)]
pub struct PluginEntry {
    /// What the plugin host needs to load it.
    pub spec: PluginSpec,
    /// At start the broker goes on without it when it does not load.
    pub optional: bool,
    /// Files besides the component that a change of which reloads it (`{ file = "…" }` in its config).
    pub files: Vec<PathBuf>,
}
