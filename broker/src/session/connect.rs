//! What comes of a CONNECT: who the client is, and the terms of its connection.

use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use bytestring::ByteString;
use hookwire_hooks::{ClientKey, Grant};
use hookwire_protocol::{Connack, ConnackProperties, Connect, ConnectReason, QoS, TopicName, Version, Will};

use super::{PendingWill, QueueLimits, Terms, WindowLimits, personal_topic};
use crate::config::{Limits, SessionSettings};
use crate::metrics::Limit;

/// A CONNECT that is refused, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Refusal {
    /// Reason code of the CONNACK.
    pub reason: ConnectReason,
    /// For the log, and the reason string.
    pub text: &'static str,
    /// The limit of ours that it breaks, if that is why.
    pub limit: Option<Limit>,
}

const fn refuse(reason: ConnectReason, text: &'static str) -> Refusal {
    Refusal {
        reason,
        text,
        limit: None,
    }
}

const fn refuse_over(limit: Limit, reason: ConnectReason, text: &'static str) -> Refusal {
    Refusal {
        reason,
        text,
        limit: Some(limit),
    }
}

/// The client id that a connection is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// As sent, or assigned.
    pub client_id: ByteString,
    /// The broker chose it, and has to say so in the CONNACK. [MQTT-3.2.2-16]
    pub is_assigned: bool,
}

impl Identity {
    /// Checks the client id that was sent; `assign` makes one where the client leaves it to the broker.
    ///
    /// # Errors
    /// An id that this version does not allow, or that is too long.
    pub fn of(
        connect: &Connect,
        limits: &Limits,
        assign: impl FnOnce() -> ByteString,
    ) -> Result<Self, Refusal> {
        let client_id = &connect.client_id;
        let mut bounds = vec![(Limit::ClientIdBytesMax, limits.client_id_bytes_max)];
        if connect.version == Version::V3_1 {
            bounds.push((Limit::Mqtt31ClientIdBytesMax, limits.mqtt_3_1_client_id_bytes_max));
        }
        for (limit, bytes_max) in bounds {
            if client_id.len() > bytes_max {
                return Err(refuse_over(
                    limit,
                    ConnectReason::ClientIdentifierNotValid,
                    "client id too long",
                ));
            }
        }
        if !client_id.is_empty() {
            return Ok(Self {
                client_id: ByteString::from(client_id.to_string()),
                is_assigned: false,
            });
        }
        match connect.version {
            // Section 3.1 of MQTT 3.1: one to 23 characters.
            Version::V3_1 => Err(refuse(ConnectReason::ClientIdentifierNotValid, "empty client id")),
            // [MQTT-3.1.3-8]
            Version::V3_1_1 if !connect.clean_start => Err(refuse(
                ConnectReason::ClientIdentifierNotValid,
                "empty client id without clean session",
            )),
            Version::V3_1_1 | Version::V5 => Ok(Self {
                client_id: assign(),
                is_assigned: true,
            }),
        }
    }
}

/// An accepted CONNECT.
#[derive(Debug, Clone)]
pub struct Admission {
    /// What is agreed.
    pub terms: Terms,
    /// The answer; whether a session is present is filled in when that is known.
    pub connack: Connack,
    /// Keep alive in force, seconds.
    pub keep_alive_secs: u16,
    /// Limits that something was lowered to.
    pub reached: Vec<Limit>,
}

impl Admission {
    /// Settles the terms from what the client asked for, the grant allows and the settings bound.
    ///
    /// # Errors
    /// The client asks for something that is not to be had and cannot be lowered.
    pub fn settle(
        key: ClientKey,
        connect: &Connect,
        identity: &Identity,
        grant: &Grant,
        limits: &Limits,
        session: &SessionSettings,
    ) -> Result<Self, Refusal> {
        let asked = &connect.properties;
        let qos_max = grant.max_qos.unwrap_or(limits.qos_max).min(limits.qos_max);
        let keep_alive_secs = keep_alive(connect, grant, limits)?;
        let asked_expiry = asked_expiry(connect, session);
        let expiry_max = expiry_max(grant, session);
        let expiry = asked_expiry.min(expiry_max);
        let packet_bytes_max = grant
            .max_packet_size
            .map_or(limits.decode.packet_bytes_max, |max| {
                clamp_usize(max).min(limits.decode.packet_bytes_max)
            });
        let inflight_max = grant
            .max_inflight
            .map_or(session.inflight_max, |max| max.min(session.inflight_max))
            .max(1);
        let receive_maximum = grant
            .receive_maximum
            .map_or(limits.receive_maximum, |max| max.min(limits.receive_maximum))
            .max(1);
        let terms = Terms {
            key,
            version: connect.version,
            window: WindowLimits::new(
                asked
                    .receive_maximum
                    .map_or(inflight_max, |max| max.get().min(inflight_max)),
                session.inflight_bytes_max,
            ),
            packet_bytes_max: self::packet_bytes_max(connect),
            receive_maximum,
            topic_alias_maximum: if connect.version == Version::V5 {
                limits.topic_alias_maximum
            } else {
                0
            },
            topic_aliases_sent_max: asked.topic_alias_maximum.min(limits.topic_aliases_sent_max),
            qos_max,
            features: limits.features,
            problem_information: asked.request_problem_information,
            expiry,
            expiry_max,
            mount_point: grant.mount_point.clone().map(Box::new),
            will: pending_will(connect, grant, qos_max, limits, session)?.map(Box::new),
            outbox_bytes_max: limits.outbox_bytes_max,
            queue: queue_limits(grant, session),
            queue_qos0: session.queue_qos0,
        };
        let mut connack = Connack {
            session_present: false,
            reason: ConnectReason::Success,
            properties: ConnackProperties::default(),
        };
        if connect.version == Version::V5 {
            let told = &mut connack.properties;
            told.session_expiry_interval = (expiry != asked_expiry).then(|| secs(expiry));
            told.receive_maximum = NonZeroU16::new(receive_maximum);
            told.maximum_qos = (qos_max < QoS::ExactlyOnce).then_some(qos_max);
            told.retain_available = (!limits.features.retain).then_some(false);
            told.wildcard_subscription_available = (!limits.features.wildcard_subscriptions).then_some(false);
            told.shared_subscription_available = (!limits.features.shared_subscriptions).then_some(false);
            told.subscription_identifiers_available =
                (!limits.features.subscription_identifiers).then_some(false);
            told.maximum_packet_size = u32::try_from(packet_bytes_max).ok().and_then(NonZeroU32::new);
            told.assigned_client_identifier = identity.is_assigned.then(|| identity.client_id.clone());
            told.topic_alias_maximum = Some(limits.topic_alias_maximum).filter(|&max| max > 0);
            told.server_keep_alive = (keep_alive_secs != connect.keep_alive_secs).then_some(keep_alive_secs);
            told.user_properties.clone_from(&grant.user_properties);
            if asked.request_response_information {
                told.response_information = grant
                    .response_information
                    .clone()
                    .or_else(|| response_information(connect, identity, grant, session));
            }
        }
        let lowered = [
            (Limit::ExpiryMax, expiry != asked_expiry),
            (Limit::KeepAliveMax, keep_alive_secs != connect.keep_alive_secs),
            (Limit::WillDelayMax, lowers_will_delay(connect, session)),
        ];
        let reached = lowered
            .into_iter()
            .filter_map(|(limit, is_lowered)| is_lowered.then_some(limit));
        Ok(Self {
            terms,
            connack,
            keep_alive_secs,
            reached: reached.collect(),
        })
    }
}

/// Leaves out of a CONNACK what would make it larger than the client takes [MQTT-3.2.2-19], [MQTT-3.2.2-20]; false when it is too
/// large without all that, and must not be sent [MQTT-3.1.2-24].
pub fn fit_connack(connack: &mut Connack, version: Version, bytes_max: usize) -> bool {
    let is_too_large = |connack: &Connack| {
        let mut encoded = bytes::BytesMut::new();
        connack.encode(version, &mut encoded);
        encoded.len() > bytes_max
    };
    if bytes_max == usize::MAX || !is_too_large(connack) {
        return true;
    }
    connack.properties.user_properties.clear();
    if is_too_large(connack) {
        connack.properties.reason_string = None;
    }
    !is_too_large(connack)
}

/// Largest packet that the sender of a CONNECT takes, bytes.
pub fn packet_bytes_max(connect: &Connect) -> usize {
    connect
        .properties
        .maximum_packet_size
        .map_or(usize::MAX, |max| clamp_usize(max.get()))
}

fn asked_expiry(connect: &Connect, session: &SessionSettings) -> Duration {
    match connect.version {
        Version::V5 => {
            Duration::from_secs(u64::from(connect.properties.session_expiry_interval.unwrap_or(0)))
        }
        _ if connect.clean_start => Duration::ZERO,
        _ => session.expiry_max,
    }
}

fn expiry_max(grant: &Grant, session: &SessionSettings) -> Duration {
    let granted = grant
        .max_session_expiry_secs
        .map(|secs| Duration::from_secs(u64::from(secs)));
    granted.map_or(session.expiry_max, |max| max.min(session.expiry_max))
}

fn queue_limits(grant: &Grant, session: &SessionSettings) -> QueueLimits {
    let messages_max = grant.max_queue_messages.map_or(usize::MAX, clamp_usize);
    let bytes_max = grant
        .max_queue_bytes
        .map_or(usize::MAX, |max| usize::try_from(max).unwrap_or(usize::MAX));
    QueueLimits {
        messages_max: messages_max.min(session.queue_messages_max),
        bytes_max: bytes_max.min(session.queue_bytes_max),
        overflow: session.queue_overflow,
    }
}

/// [MQTT-3.1.2-21]: an MQTT 5 client is told a shorter one; an older one cannot be, and is refused.
fn keep_alive(connect: &Connect, grant: &Grant, limits: &Limits) -> Result<u16, Refusal> {
    let max = [
        Some(limits.keep_alive_secs_max).filter(|&max| max > 0),
        grant.max_keep_alive_secs,
    ]
    .into_iter()
    .flatten()
    .min();
    let asked = connect.keep_alive_secs;
    match max {
        Some(max) if asked == 0 || asked > max => {
            if connect.version == Version::V5 {
                Ok(max)
            } else {
                Err(refuse_over(
                    Limit::KeepAliveMax,
                    ConnectReason::ImplementationSpecific,
                    "keep alive longer than allowed",
                ))
            }
        }
        _ => Ok(asked),
    }
}

fn pending_will(
    connect: &Connect,
    grant: &Grant,
    qos_max: QoS,
    limits: &Limits,
    session: &SessionSettings,
) -> Result<Option<PendingWill>, Refusal> {
    let Some(will) = &connect.will else {
        return Ok(None);
    };
    // [MQTT-3.2.2-12]
    if will.qos > qos_max {
        return Err(refuse_over(
            Limit::QosMax,
            ConnectReason::QosNotSupported,
            "will QoS above the Maximum QoS",
        ));
    }
    // [MQTT-3.2.2-13]
    if will.retain && !limits.features.retain {
        return Err(refuse(
            ConnectReason::RetainNotSupported,
            "a will that is to be retained",
        ));
    }
    if limits.payload_format_check && breaks_its_payload_format(will) {
        return Err(refuse(
            ConnectReason::PayloadFormatInvalid,
            "will payload is not the UTF-8 text that it is said to be",
        ));
    }
    let mount = grant.mount_point.as_deref().unwrap_or("");
    let topic = TopicName::new(format!("{mount}{}", will.topic))
        .map_err(|_| refuse(ConnectReason::TopicNameInvalid, "will topic too long"))?;
    Ok(Some(PendingWill::new(
        will.clone(),
        topic,
        session.will_delay_max,
    )))
}

fn breaks_its_payload_format(will: &Will) -> bool {
    let says_text = will
        .properties
        .values()
        .is_some_and(|values| values.payload_format_utf8 == Some(true));
    says_text && std::str::from_utf8(&will.payload).is_err()
}

/// The configured response information for this client. A name that could reach into the topics of others gets none.
fn response_information(
    connect: &Connect,
    identity: &Identity,
    grant: &Grant,
    session: &SessionSettings,
) -> Option<ByteString> {
    let pattern = session.response_information.as_deref()?;
    let username = grant.username.as_deref().or(connect.username.as_deref());
    personal_topic(pattern, &identity.client_id, username).map(ByteString::from)
}

fn lowers_will_delay(connect: &Connect, session: &SessionSettings) -> bool {
    connect
        .will
        .as_ref()
        .is_some_and(|will| Duration::from_secs(will.delay_interval_secs.into()) > session.will_delay_max)
}

fn secs(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}

fn clamp_usize(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}
