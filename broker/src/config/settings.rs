//! The configuration as the broker uses it: checked, complete, with every limit filled in.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use hookwire_plugin_host::PluginSpec;
use hookwire_protocol::{DecodeLimits, QoS};
use hookwire_store::Durability;
use ipnet::IpNet;

use super::admin::AdminSettings;

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
    /// Who is not let in.
    pub ban: BanSettings,
    /// Which clients are banned for a while, since they come and go too often.
    pub flapping: FlappingSettings,
    /// Where clients are sent for whom there is no room.
    pub redirect: Option<Redirect>,
    /// What is allowed when no plugin decides; `None`: denied when any plugin authorizes, else allowed.
    pub access_default: Option<AccessDefault>,
    /// How plugins are compiled, and what is kept of them.
    pub plugin_host: PluginsSettings,
    /// The chain, in order.
    pub plugins: Vec<PluginEntry>,
    /// The admin endpoint.
    pub admin: AdminSettings,
    /// How often `$SYS` is published; zero: never.
    pub sys_interval: Duration,
    /// Directives for the log, as `tracing` filters spell them; for example `info` or `hookwire=debug`.
    pub log: String,
    /// Where durable data goes.
    pub data_dir: Option<PathBuf>,
    /// The store in it.
    pub store: StoreSettings,
    /// How long connected clients are given to take what is written when the broker stops.
    pub shutdown_timeout: Duration,
}

/// How durable data is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreSettings {
    /// What an acknowledgement waits for.
    pub durability: Durability,
    /// Most bytes on the disk; from nine tenths of it on, nothing more is taken.
    pub bytes_max: usize,
    /// What is left to others on the disk.
    pub free_bytes_min: usize,
    /// Memory for what was read last.
    pub cache_bytes: usize,
    /// Memory for retained messages; the others are read when somebody asks for them.
    pub retained_cache_bytes: usize,
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

/// How plugins are compiled, and what is kept of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginsSettings {
    /// Who compiles.
    pub compile: CompileIn,
    /// Most memory of a compiling process, bytes.
    pub compile_memory_bytes_max: usize,
    /// Most CPU time of a compiling process.
    pub compile_timeout: Duration,
    /// Folder for what was compiled; `None`: one below the data folder, if there is one.
    pub cache: Option<PathBuf>,
    /// Most bytes in that folder.
    pub cache_bytes_max: usize,
    /// Whether the policy in force is kept in the data folder, for a start at which a plugin does not load.
    pub last_good: bool,
}

/// Who compiles components.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompileIn {
    /// A process of its own, under limits.
    Child,
    /// A thread of the broker.
    Thread,
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
    /// Longest client id of MQTT 3.1, bytes.
    pub mqtt_3_1_client_id_bytes_max: usize,
    /// Longest keep alive, seconds; an MQTT 5 client that asks for more (or for none) is told this, others
    /// are refused. 0: any.
    pub keep_alive_secs_max: u16,
    /// Receive Maximum announced to clients: their QoS 1 and 2 messages not yet acknowledged.
    pub receive_maximum: u16,
    /// Topic aliases that a client may set.
    pub topic_alias_maximum: u16,
    /// Topic aliases that we set towards one client, if it takes as many.
    pub topic_aliases_sent_max: u16,
    /// Whether a payload that says it is UTF-8 text is looked at.
    pub payload_format_check: bool,
    /// What one client may publish; more is slowed or refused.
    pub rate: RateSettings,
    /// Most connections from one address; 0: any number.
    pub connections_per_address_max: u32,
    /// Most new connections from one address in a second; 0: any number.
    pub connects_per_address_per_second: u32,
    /// Memory of the process from which on nothing more is taken that has to be kept, bytes; `None`: three quarters
    /// of what the machine, or the control group, has.
    pub memory_max: Option<usize>,
    /// Highest QoS accepted and granted.
    pub qos_max: QoS,
    /// What clients may use.
    pub features: Features,
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

/// Parts of MQTT that a server may do without (section 3.2.2.3 of MQTT 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Features {
    /// Retained messages.
    pub retain: bool,
    /// Subscriptions with wildcards.
    pub wildcard_subscriptions: bool,
    /// Shared subscriptions.
    pub shared_subscriptions: bool,
    /// Subscription identifiers.
    pub subscription_identifiers: bool,
}

impl Features {
    /// All of MQTT.
    pub const ALL: Self = Self {
        retain: true,
        wildcard_subscriptions: true,
        shared_subscriptions: true,
        subscription_identifiers: true,
    };
}

/// What one client may publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateSettings {
    /// PUBLISH packets in a second; 0: any number.
    pub messages_per_second_max: u32,
    /// Bytes in a second, of all packets; 0: any number.
    pub bytes_per_second_max: usize,
    /// What happens above it.
    pub excess: RateExcess,
}

/// What happens to a client that sends more than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateExcess {
    /// It is not read from until it may send again.
    Slow,
    /// It is disconnected with 0x96, message rate too high.
    Disconnect,
}

/// Who is not let in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BanSettings {
    /// Client ids.
    pub client_ids: HashSet<String>,
    /// User names.
    pub usernames: HashSet<String>,
    /// Addresses and networks.
    pub addresses: Vec<IpNet>,
}

/// A client id that connects more often than this is banned for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlappingSettings {
    /// Most connects of one client id within `window`; 0: any number.
    pub connects_max: u32,
    /// See `connects_max`.
    pub window: Duration,
    /// For how long.
    pub ban: Duration,
}

/// Another server, for clients that this one has no room for. MQTT 5 clients are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// Server reference, as clients understand it: `host` or `host:port`, several with spaces between.
    pub server: String,
    /// Whether they should use it from now on (0x9D) or this once (0x9C).
    pub permanent: bool,
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
    /// Bytes of them; one message is always sent, however large.
    pub inflight_bytes_max: usize,
    /// Messages waiting for one session while its client is away.
    pub queue_messages_max: usize,
    /// Bytes waiting for one session, while its client is away or as much as may be is on its way to it.
    pub queue_bytes_max: usize,
    /// Which message goes when a queue is full.
    pub queue_overflow: QueueOverflow,
    /// Whether QoS 0 messages are queued for sessions that are away.
    pub queue_qos0: bool,
    /// Retained messages that may wait for one session when it subscribes to more: each is a reference, and a client that
    /// subscribes and does not read could gather them without end.
    pub retained_waiting_max: usize,
    /// Whether a user may take over the session of another user who came with the same client id.
    pub shared_client_ids: bool,
    /// Longest will delay, and longest delay that a plugin may ask for.
    pub will_delay_max: Duration,
    /// How often a message is sent to a client that several of its subscriptions match.
    pub overlapping: Overlapping,
    /// Which member of a shared subscription gets a message.
    pub shared_strategy: SharedStrategy,
    /// Whether the publisher of a retained message is asked about again before it is sent.
    pub check_retain_source: bool,
    /// What happens to a client of MQTT 3 whose message a policy rejects.
    pub mqtt_3_rejected: Mqtt3Rejected,
    /// Response information for clients that ask for it; `%c` stands for the client id, `%u` for the user name.
    pub response_information: Option<String>,
}

/// How often a message is sent to a client that several of its subscriptions match. [MQTT-3.3.4-2]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlapping {
    /// Once, with the highest QoS and the identifiers of all.
    Once,
    /// Once for each of them.
    Each,
}

/// Which member of a shared subscription gets a message. Those who are connected come before those who are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SharedStrategy {
    /// Each in turn.
    RoundRobin,
    /// Any.
    Random,
    /// Always the same, until it goes.
    Sticky,
    /// The same for all messages of one publisher.
    HashClient,
    /// The same for all messages of one topic.
    HashTopic,
    /// The one with the fewest messages on their way and waiting.
    LeastInflight,
}

/// Which message goes when a queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueOverflow {
    /// The one that has waited longest.
    DropOldest,
    /// The one that comes.
    DropNewest,
    /// None: its publisher is told that there is no room, and it is delivered to nobody.
    RejectPublisher,
}

/// What happens to a client of MQTT 3 whose QoS 1 or 2 message a policy rejects. There is no packet to tell it with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mqtt3Rejected {
    /// The message is acknowledged, and nobody gets it.
    AckAndDrop,
    /// The connection is closed.
    Disconnect,
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
