//! What the hooks are asked, in JSON.

use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;
use hookwire_hooks::{
    Access, Action, ClientKey, Credentials, DropCause, Event, EventKind, Message, Parcel, Recipients,
    SharedGroup, SubscribeRequest, WillCause, WillDelays,
};
use hookwire_protocol::{
    ConnectReason, DisconnectReason, RetainHandling, SharedFilter, SubscriptionOptions, Version,
};
use serde::{Deserialize, Serialize};

use super::message::{pairs, pairs_back, qos};
use super::{MessageRecord, NotAQuestion, Secret};

/// Names for the cases of an enum of the hooks, both ways.
macro_rules! names {
    ($to:ident, $from:ident, $type:ident { $($case:ident = $name:literal,)+ }) => {
        pub(super) fn $to(value: $type) -> &'static str {
            match value {
                $($type::$case => $name,)+
            }
        }

        fn $from(name: &str) -> Result<$type, NotAQuestion> {
            match name {
                $($name => Ok($type::$case),)+
                other => Err(NotAQuestion::new(stringify!($from), format!("{other:?} is none"))),
            }
        }
    };
}

names!(action_name, action, Action {
    Publish = "publish",
    Subscribe = "subscribe",
    Deliver = "deliver",
    Will = "will",
});

names!(will_cause_name, will_cause, WillCause {
    ConnectionLost = "connection-lost",
    KeepAliveTimeout = "keep-alive-timeout",
    ProtocolError = "protocol-error",
    Requested = "requested",
    TakenOver = "taken-over",
    Kicked = "kicked",
    ServerShutdown = "server-shutdown",
});

names!(drop_cause_name, drop_cause, DropCause {
    QueueFull = "queue-full",
    Expired = "expired",
    TooLarge = "too-large",
    Offline = "offline",
    Denied = "denied",
});

pub(super) fn version(text: &str) -> Result<Version, NotAQuestion> {
    [Version::V3_1, Version::V3_1_1, Version::V5]
        .into_iter()
        .find(|version| version.as_str() == text)
        .ok_or_else(|| NotAQuestion::new("version", format!("{text:?} is none")))
}

/// What a client said of itself at CONNECT.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialsRecord {
    /// Empty: it asked for an assigned one.
    pub client_id: String,
    /// User name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// Remote address and port.
    pub address: String,
    /// Listener.
    pub listener: String,
    /// `3.1`, `3.1.1` or `5.0`.
    pub version: String,
    /// Clean Start.
    pub clean_start: bool,
    /// Pairs of name and value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub user_properties: Vec<(String, String)>,
}

impl CredentialsRecord {
    /// The record of a CONNECT; its password only `with_secrets`.
    pub fn new(who: &Credentials, with_secrets: bool) -> Self {
        Self {
            client_id: who.client_id.to_string(),
            username: who.username.as_ref().map(ToString::to_string),
            password: who
                .password
                .as_ref()
                .map(|password| Secret::new(password, with_secrets)),
            address: who.address.clone(),
            listener: who.listener.clone(),
            version: who.version.as_str().to_owned(),
            clean_start: who.clean_start,
            user_properties: pairs(&who.user_properties),
        }
    }
}

impl TryFrom<CredentialsRecord> for Credentials {
    type Error = NotAQuestion;

    fn try_from(record: CredentialsRecord) -> Result<Self, NotAQuestion> {
        let password = record.password.map(|secret| known(&secret, "password"));
        Ok(Self {
            client_id: record.client_id.into(),
            username: record.username.map(Into::into),
            password: password.transpose()?.map(Into::into),
            address: record.address,
            listener: record.listener,
            version: version(&record.version)?,
            clean_start: record.clean_start,
            user_properties: pairs_back(record.user_properties),
        })
    }
}

/// A secret that was recorded; without it the question cannot be asked again.
fn known(secret: &Secret, what: &str) -> Result<Vec<u8>, NotAQuestion> {
    let bytes = secret.bytes().map(<[u8]>::to_vec);
    bytes.ok_or_else(|| NotAQuestion::new(what, "redacted; record with secrets to ask this again"))
}

/// A step of an exchange: the first has `who`, the others have `state`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnhancedQuestion {
    /// Authentication method.
    pub method: String,
    /// What the client sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Secret>,
    /// The client, in the first step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<CredentialsRecord>,
    /// What the plugin asked to be told again, in the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Secret>,
}

impl EnhancedQuestion {
    /// The client's data, to be asked about again.
    ///
    /// # Errors
    /// It was redacted.
    pub fn data(&self) -> Result<Option<Vec<u8>>, NotAQuestion> {
        self.data.as_ref().map(|secret| known(secret, "data")).transpose()
    }

    /// The state, to be asked about again.
    ///
    /// # Errors
    /// It was redacted.
    pub fn state(&self) -> Result<Option<Vec<u8>>, NotAQuestion> {
        self.state
            .as_ref()
            .map(|secret| known(secret, "state"))
            .transpose()
    }
}

/// What a client wants to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessQuestion {
    /// The connection.
    pub client: u64,
    /// `publish`, `subscribe`, `deliver` or `will`.
    pub action: String,
    /// Topic name; for `subscribe` a filter.
    pub topic: String,
    /// 0, 1 or 2.
    pub qos: u8,
    /// RETAIN.
    pub retain: bool,
}

impl From<&Access<'_>> for AccessQuestion {
    fn from(access: &Access<'_>) -> Self {
        Self {
            client: access.client.0,
            action: action_name(access.action).to_owned(),
            topic: access.topic.to_owned(),
            qos: access.qos.as_u8(),
            retain: access.retain,
        }
    }
}

impl<'a> TryFrom<&'a AccessQuestion> for Access<'a> {
    type Error = NotAQuestion;

    fn try_from(question: &'a AccessQuestion) -> Result<Self, NotAQuestion> {
        Ok(Self {
            client: ClientKey(question.client),
            action: action(&question.action)?,
            topic: &question.topic,
            qos: qos(question.qos)?,
            retain: question.retain,
        })
    }
}

/// A subscription: its filter, shared or not, and its options.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionRecord {
    /// Filter, mount point included.
    pub filter: String,
    /// Highest QoS.
    pub qos: u8,
    /// Not its own messages.
    pub no_local: bool,
    /// RETAIN stays as it was published.
    pub retain_as_published: bool,
    /// Which retained messages: 0, 1 or 2.
    pub retain_handling: u8,
}

impl From<&SubscribeRequest> for SubscriptionRecord {
    fn from(request: &SubscribeRequest) -> Self {
        let options = &request.options;
        Self {
            filter: request.filter.to_string(),
            qos: options.qos.as_u8(),
            no_local: options.no_local,
            retain_as_published: options.retain_as_published,
            retain_handling: options.retain_handling as u8,
        }
    }
}

impl TryFrom<SubscriptionRecord> for SubscribeRequest {
    type Error = NotAQuestion;

    fn try_from(record: SubscriptionRecord) -> Result<Self, NotAQuestion> {
        let handling = record.retain_handling;
        Ok(Self {
            filter: shared_filter(record.filter)?,
            options: SubscriptionOptions {
                qos: qos(record.qos)?,
                no_local: record.no_local,
                retain_as_published: record.retain_as_published,
                retain_handling: RetainHandling::from_u8(handling)
                    .ok_or_else(|| NotAQuestion::new("retain_handling", format!("{handling} is none")))?,
            },
        })
    }
}

fn shared_filter(text: String) -> Result<SharedFilter, NotAQuestion> {
    SharedFilter::parse(text.clone()).map_err(|error| NotAQuestion::new(&format!("filter {text:?}"), error))
}

/// A filter of a SUBSCRIBE.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscribeQuestion {
    /// Who subscribes.
    pub client: u64,
    /// To what, and how.
    #[serde(flatten)]
    pub subscription: SubscriptionRecord,
}

/// A filter of an UNSUBSCRIBE.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnsubscribeQuestion {
    /// Whose subscription.
    pub client: u64,
    /// Its filter, mount point included.
    pub filter: String,
}

impl UnsubscribeQuestion {
    /// The filter, taken apart.
    ///
    /// # Errors
    /// It is none.
    pub fn filter(&self) -> Result<SharedFilter, NotAQuestion> {
        shared_filter(self.filter.clone())
    }
}

/// A message on its way to one recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliverQuestion {
    /// To whom.
    pub recipient: u64,
    /// The message.
    pub message: MessageRecord,
}

impl TryFrom<DeliverQuestion> for Parcel {
    type Error = NotAQuestion;

    fn try_from(question: DeliverQuestion) -> Result<Self, NotAQuestion> {
        let message = Message::try_from(question.message)?;
        Ok(Self::new(ClientKey(question.recipient), Arc::new(message)))
    }
}

/// A message to be judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishQuestion {
    /// As the plugin saw it, before it was cut down to what the plugin wants to be shown.
    pub message: MessageRecord,
}

/// A shared subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupRecord {
    /// Share name.
    pub share: String,
    /// Filter.
    pub filter: String,
    /// Connections.
    pub members: Vec<u64>,
}

/// A message and its recipients.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteQuestion {
    /// The message.
    pub message: MessageRecord,
    /// Connections that would receive it.
    pub recipients: Vec<u64>,
    /// Shared subscriptions that it matches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupRecord>,
}

impl RouteQuestion {
    pub(super) fn new(message: MessageRecord, recipients: &Recipients) -> Self {
        let groups = recipients.groups.iter().map(|group| GroupRecord {
            share: group.share.to_string(),
            filter: group.filter.to_string(),
            members: group.members.iter().map(|key| key.0).collect(),
        });
        Self {
            message,
            recipients: recipients.clients.iter().map(|key| key.0).collect(),
            groups: groups.collect(),
        }
    }

    /// The recipients, as the hook is asked about them.
    pub fn recipients(&self) -> Recipients {
        let keys = |keys: &[u64]| keys.iter().map(|key| ClientKey(*key)).collect();
        let groups = self.groups.iter().map(|group| SharedGroup {
            share: ByteString::from(group.share.as_str()),
            filter: ByteString::from(group.filter.as_str()),
            members: keys(&group.members),
        });
        Recipients {
            clients: keys(&self.recipients),
            groups: groups.collect(),
        }
    }
}

/// A will that is about to be published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WillQuestion {
    /// Whose.
    pub client: u64,
    /// Why its connection ended, as the contract spells it.
    pub cause: String,
    /// How often policies have held it back so far.
    #[serde(default)]
    pub delayed_times: u32,
    /// For how long in all.
    #[serde(default)]
    pub delayed_ms: u64,
    /// The will.
    pub message: MessageRecord,
}

impl WillQuestion {
    pub(super) fn new(
        client: ClientKey,
        cause: WillCause,
        delays: WillDelays,
        message: MessageRecord,
    ) -> Self {
        Self {
            client: client.0,
            cause: will_cause_name(cause).to_owned(),
            delayed_times: delays.times,
            delayed_ms: u64::try_from(delays.total.as_millis()).unwrap_or(u64::MAX),
            message,
        }
    }

    /// How policies had held it back.
    pub fn delays(&self) -> WillDelays {
        WillDelays {
            times: self.delayed_times,
            total: Duration::from_millis(self.delayed_ms),
        }
    }

    /// Why the connection ended.
    ///
    /// # Errors
    /// For no reason that there is.
    pub fn cause(&self) -> Result<WillCause, NotAQuestion> {
        will_cause(&self.cause)
    }
}

/// What an administrator asked: JSON, as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlQuestion {
    /// It may well hold a password.
    pub request: Secret,
}

impl ControlQuestion {
    /// The request.
    ///
    /// # Errors
    /// It was redacted, or is no text.
    pub fn request(&self) -> Result<String, NotAQuestion> {
        let bytes = known(&self.request, "request")?;
        String::from_utf8(bytes).map_err(|error| NotAQuestion::new("request", error))
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventRecord {
    /// Milliseconds since 1970-01-01 UTC.
    pub at_ms: u64,
    /// The connection.
    pub client: u64,
    /// Its client id.
    pub client_id: String,
    /// What.
    pub what: Happened,
}

/// What happened, as the contract names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "snake_case")]
#[expect(missing_docs, reason = "the fields are those of `EventKind`")]
pub enum Happened {
    /// A CONNECT was accepted.
    Connected {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        username: Option<String>,
        address: String,
        version: String,
        clean_start: bool,
        keep_alive_secs: u16,
    },
    /// A connection ended.
    Disconnected {
        reason: u8,
        text: String,
        by_client: bool,
    },
    /// A new session.
    SessionCreated,
    /// A kept session was resumed.
    SessionResumed,
    /// Another connection took the session over.
    SessionTakenOver,
    /// A kept session reached its expiry.
    SessionExpired,
    /// A subscription was made.
    Subscribed { filter: String, qos: u8 },
    /// A subscription was removed.
    Unsubscribed { filter: String },
    /// A message did not reach this client.
    Dropped { topic: String, cause: String },
    /// The client has acknowledged a message.
    Acked { topic: String, qos: u8 },
    /// A message of this client has no recipient.
    Unrouted { topic: String },
    /// A CONNECT was refused.
    Refused {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        username: Option<String>,
        address: String,
        version: String,
        reason: u8,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    },
}

impl From<&Event> for EventRecord {
    fn from(event: &Event) -> Self {
        let what = match &event.kind {
            EventKind::Connected {
                username,
                address,
                version,
                clean_start,
                keep_alive_secs,
            } => Happened::Connected {
                username: username.as_ref().map(ToString::to_string),
                address: address.clone(),
                version: version.as_str().to_owned(),
                clean_start: *clean_start,
                keep_alive_secs: *keep_alive_secs,
            },
            EventKind::Disconnected {
                reason,
                text,
                by_client,
            } => Happened::Disconnected {
                reason: reason.code(),
                text: text.clone(),
                by_client: *by_client,
            },
            EventKind::SessionCreated => Happened::SessionCreated,
            EventKind::SessionResumed => Happened::SessionResumed,
            EventKind::SessionTakenOver => Happened::SessionTakenOver,
            EventKind::SessionExpired => Happened::SessionExpired,
            EventKind::Subscribed { filter, qos } => Happened::Subscribed {
                filter: filter.to_string(),
                qos: qos.as_u8(),
            },
            EventKind::Unsubscribed(filter) => Happened::Unsubscribed {
                filter: filter.to_string(),
            },
            EventKind::Dropped { topic, cause } => Happened::Dropped {
                topic: topic.to_string(),
                cause: drop_cause_name(*cause).to_owned(),
            },
            EventKind::Acked { topic, qos } => Happened::Acked {
                topic: topic.to_string(),
                qos: qos.as_u8(),
            },
            EventKind::Unrouted(topic) => Happened::Unrouted {
                topic: topic.to_string(),
            },
            EventKind::Refused {
                username,
                address,
                version,
                reason,
                text,
            } => Happened::Refused {
                username: username.as_ref().map(ToString::to_string),
                address: address.clone(),
                version: version.as_str().to_owned(),
                reason: reason.code(),
                text: text.as_ref().map(ToString::to_string),
            },
        };
        Self {
            at_ms: event.at_ms,
            client: event.client.0,
            client_id: event.client_id.to_string(),
            what,
        }
    }
}

impl TryFrom<EventRecord> for Event {
    type Error = NotAQuestion;

    fn try_from(record: EventRecord) -> Result<Self, NotAQuestion> {
        let kind = match record.what {
            Happened::Connected {
                username,
                address,
                version: spoken,
                clean_start,
                keep_alive_secs,
            } => EventKind::Connected {
                username: username.map(Into::into),
                address,
                version: version(&spoken)?,
                clean_start,
                keep_alive_secs,
            },
            Happened::Disconnected {
                reason,
                text,
                by_client,
            } => EventKind::Disconnected {
                reason: DisconnectReason::from_u8(reason)
                    .ok_or_else(|| NotAQuestion::new("reason", format!("{reason} is none")))?,
                text,
                by_client,
            },
            Happened::SessionCreated => EventKind::SessionCreated,
            Happened::SessionResumed => EventKind::SessionResumed,
            Happened::SessionTakenOver => EventKind::SessionTakenOver,
            Happened::SessionExpired => EventKind::SessionExpired,
            Happened::Subscribed { filter, qos: level } => EventKind::Subscribed {
                filter: filter.into(),
                qos: qos(level)?,
            },
            Happened::Unsubscribed { filter } => EventKind::Unsubscribed(filter.into()),
            Happened::Dropped { topic, cause } => EventKind::Dropped {
                topic: topic.into(),
                cause: drop_cause(&cause)?,
            },
            Happened::Acked { topic, qos: level } => EventKind::Acked {
                topic: topic.into(),
                qos: qos(level)?,
            },
            Happened::Unrouted { topic } => EventKind::Unrouted(topic.into()),
            Happened::Refused {
                username,
                address,
                version: spoken,
                reason,
                text,
            } => EventKind::Refused {
                username: username.map(Into::into),
                address,
                version: version(&spoken)?,
                reason: ConnectReason::from_u8(reason)
                    .ok_or_else(|| NotAQuestion::new("reason", format!("{reason} is none")))?,
                text: text.map(Into::into),
            },
        };
        Ok(Self {
            at_ms: record.at_ms,
            client: ClientKey(record.client),
            client_id: record.client_id.into(),
            kind,
        })
    }
}
