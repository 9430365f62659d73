//! Questions and answers of the authenticate hook.

use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use hookwire_protocol::{ConnectReason, QoS, TopicFilter, UserProperties, Version};

/// What a client says of itself at CONNECT, and where it came in.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// As sent; empty when the client asks for an assigned one.
    pub client_id: ByteString,
    /// User name, if sent.
    pub username: Option<ByteString>,
    /// Password, if sent.
    pub password: Option<Bytes>,
    /// Remote address and port.
    pub address: String,
    /// Name of the listener.
    pub listener: String,
    /// MQTT version.
    pub version: Version,
    /// Clean Start (MQTT 5) or Clean Session.
    pub clean_start: bool,
    /// User properties of the CONNECT.
    pub user_properties: UserProperties,
}

/// What a topic rule of a grant is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleAction {
    /// PUBLISH and wills.
    Publish,
    /// SUBSCRIBE and delivery.
    Subscribe,
    /// Both.
    Both,
}

/// A topic rule that the broker applies by itself; first match decides. Placeholders are already resolved.
#[derive(Debug, Clone)]
pub struct TopicRule {
    /// Allow or deny.
    pub allow: bool,
    /// Which actions it is about.
    pub action: RuleAction,
    /// The topics it is about.
    pub filter: TopicFilter,
}

/// What an admitted client may be and do; `None` and empty leave it to the configuration.
#[derive(Debug, Clone, Default)]
pub struct Grant {
    /// User name in force from here on.
    pub username: Option<ByteString>,
    /// Client id in force instead of the one sent.
    pub client_id: Option<ByteString>,
    /// Prefix of all its topics, ending in `/`.
    pub mount_point: Option<ByteString>,
    /// Facts for other plugins.
    pub attributes: Vec<(ByteString, ByteString)>,
    /// Everything is allowed, authorize is not asked.
    pub superuser: bool,
    /// How long the admission lasts.
    pub expires_in: Option<Duration>,
    /// Topic rules with unresolved placeholders, as the plugin gave them: (allow, action, filter text). The
    /// broker resolves them once the client id in force is known.
    pub rules: Vec<(bool, RuleAction, ByteString)>,
    /// Highest QoS accepted and granted.
    pub max_qos: Option<QoS>,
    /// Largest packet accepted, bytes.
    pub max_packet_size: Option<u32>,
    /// Most QoS 1 and 2 messages on their way to the client.
    pub max_inflight: Option<u16>,
    /// Most QoS 1 and 2 messages on their way from the client.
    pub receive_maximum: Option<u16>,
    /// Most messages that wait for it while it is away.
    pub max_queue_messages: Option<u32>,
    /// Most bytes that wait for it.
    pub max_queue_bytes: Option<u64>,
    /// Most messages that it may publish in a second.
    pub max_messages_per_second: Option<u32>,
    /// Most bytes that it may send in a second.
    pub max_bytes_per_second: Option<u64>,
    /// Upper bound of the session expiry interval, seconds.
    pub max_session_expiry_secs: Option<u32>,
    /// Upper bound of the keep alive, seconds.
    pub max_keep_alive_secs: Option<u16>,
    /// User properties of the CONNACK.
    pub user_properties: UserProperties,
    /// Response information of the CONNACK.
    pub response_information: Option<ByteString>,
}

/// A refused CONNECT.
#[derive(Debug, Clone)]
pub struct Denial {
    /// Reason code of the CONNACK.
    pub reason: ConnectReason,
    /// Reason string.
    pub text: Option<ByteString>,
    /// Where to go instead.
    pub server_reference: Option<ByteString>,
    /// User properties of the CONNACK.
    pub user_properties: UserProperties,
}

impl Denial {
    /// A refusal with nothing but a reason code.
    pub fn new(reason: ConnectReason) -> Self {
        Self {
            reason,
            text: None,
            server_reference: None,
            user_properties: Vec::new(),
        }
    }
}

/// One plugin's answer to a CONNECT.
#[derive(Debug, Clone)]
pub enum Authentication {
    /// Not its client.
    Next,
    /// Admitted.
    Allow(Box<Grant>),
    /// Refused.
    Deny(Denial),
    /// Cannot tell.
    Unavailable,
}
