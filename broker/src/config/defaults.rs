//! What holds where the file says nothing. Each value bounds what a stranger can cost; `docs/configuration.md` gives
//! the reason for each.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use hookwire_protocol::{DecodeLimits, QoS, TopicLimits};
use hookwire_store::Durability;

use super::admin::AdminSettings;
use super::settings::{
    BanSettings, CompileIn, Config, Features, FlappingSettings, Limits, Listener, Mqtt3Rejected, Overlapping,
    PluginsSettings, QueueOverflow, RateExcess, RateSettings, SessionSettings, SharedStrategy, StoreSettings,
    TakeoverSettings,
};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
const GIB: usize = 1 << 30;

/// The port that IANA has given to MQTT without TLS.
const PORT: u16 = 1883;

/// Where the admin endpoint is looked for when nothing says where it is; it is there only if the configuration says so.
pub const ADMIN_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1882);

/// Name of the listener that is there when none is configured.
pub(super) const LISTENER_NAME: &str = "default";

/// As many as may be set: the bound of all listeners together is the one that counts until somebody wants a share kept.
pub(super) const LISTENER_CONNECTIONS_MAX: usize = 10_000_000;

/// Without a file: MQTT on loopback, nothing else.
impl Default for Config {
    fn default() -> Self {
        Self {
            listeners: vec![default_listener()],
            limits: Limits::default(),
            session: SessionSettings::default(),
            takeover: TakeoverSettings::default(),
            ban: BanSettings::default(),
            flapping: FlappingSettings::default(),
            redirect: None,
            access_default: None,
            plugin_host: PluginsSettings::default(),
            plugins: Vec::new(),
            admin: AdminSettings::default(),
            log: "info".to_owned(),
            sys_interval: Duration::from_secs(10),
            data_dir: None,
            store: StoreSettings::default(),
            shutdown_timeout: Duration::from_secs(10),
        }
    }
}

/// The listener that is there when none is configured.
pub(super) fn default_listener() -> Listener {
    Listener {
        name: LISTENER_NAME.to_owned(),
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)),
        allow_anonymous: None,
        connections_max: LISTENER_CONNECTIONS_MAX,
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            connections_max: 100_000,
            authentications_max: 1024,
            authentication_rounds_max: 16,
            connect_packet_bytes_max: 256 * KIB,
            decode: decode_limits(),
            client_id_bytes_max: 256,
            mqtt_3_1_client_id_bytes_max: 23,
            keep_alive_secs_max: 0,
            receive_maximum: 128,
            topic_alias_maximum: 32,
            topic_aliases_sent_max: 16,
            payload_format_check: false,
            features: Features::ALL,
            rate: RateSettings {
                messages_per_second_max: 0,
                bytes_per_second_max: 0,
                excess: RateExcess::Slow,
            },
            connections_per_address_max: 0,
            connects_per_address_per_second: 0,
            memory_max: None,
            qos_max: QoS::ExactlyOnce,
            outbox_bytes_max: 8 * MIB,
            write_timeout: Duration::from_secs(30),
            retained_messages_max: 1_000_000,
            retained_bytes_max: 512 * MIB,
        }
    }
}

/// Written out, though the decoder has defaults of its own: these are promises of the broker's documentation.
fn decode_limits() -> DecodeLimits {
    DecodeLimits {
        packet_bytes_max: MIB,
        user_properties_max: 64,
        user_property_bytes_max: 16 * KIB,
        filters_max: 256,
        topic: TopicLimits {
            levels_max: 128,
            bytes_max: 65_535,
        },
        ..DecodeLimits::default()
    }
}

impl Default for SessionSettings {
    fn default() -> Self {
        Self {
            sessions_max: 1_000_000,
            expiry_max: days(7),
            subscriptions_max: 10_000,
            inflight_max: 1024,
            inflight_bytes_max: MIB,
            queue_messages_max: 1000,
            queue_bytes_max: 16 * MIB,
            queue_overflow: QueueOverflow::DropOldest,
            queue_qos0: false,
            retained_waiting_max: 1_000_000,
            shared_client_ids: false,
            will_delay_max: days(1),
            overlapping: Overlapping::Once,
            shared_strategy: SharedStrategy::RoundRobin,
            check_retain_source: false,
            mqtt_3_rejected: Mqtt3Rejected::AckAndDrop,
            response_information: None,
        }
    }
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            durability: Durability::Always,
            bytes_max: 16 * GIB,
            free_bytes_min: 256 * MIB,
            cache_bytes: 32 * MIB,
            retained_cache_bytes: 64 * MIB,
        }
    }
}

impl Default for TakeoverSettings {
    fn default() -> Self {
        Self {
            fight_after: 5,
            window: Duration::from_secs(10),
            backoff: Duration::from_secs(1),
            backoff_max: Duration::from_secs(30),
        }
    }
}

impl Default for FlappingSettings {
    fn default() -> Self {
        Self {
            connects_max: 0,
            window: Duration::from_secs(60),
            ban: Duration::from_secs(5 * 60),
        }
    }
}

impl Default for PluginsSettings {
    fn default() -> Self {
        Self {
            compile: CompileIn::Child,
            compile_memory_bytes_max: 1 << 30,
            compile_timeout: Duration::from_secs(120),
            cache: None,
            cache_bytes_max: 512 * MIB,
            last_good: true,
        }
    }
}

/// So many days.
pub(super) const fn days(days: u64) -> Duration {
    Duration::from_secs(days * 24 * 60 * 60)
}
