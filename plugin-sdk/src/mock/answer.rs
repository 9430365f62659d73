//! What a component answers, from the JSON of recordings.

use base64ct::{Base64, Encoding};
use serde::Deserialize;

use crate::authenticate::{ConnectReason, Denial, Grant, Outcome, RuleAction, TopicRule};
use crate::authenticate_enhanced::Step;
use crate::authorize::{Answer, Decision};
use crate::bindings::types::{
    ClientKey, Message, Properties, PublishReason as Reason, Qos, Rejection, Replacement, UserProperty,
    Verdict,
};
use crate::deliver::Decision as DeliverDecision;
use crate::on_subscribe::{self, RetainHandling, SubscribeReason};
use crate::on_unsubscribe::{self, UnsubscribeReason};
use crate::on_will::Decision as WillDecision;
use crate::route::{Decision as RouteDecision, Pick, Routing};

/// Bytes: a string, or base64.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Blob {
    Text(String),
    Bytes { base64: String },
}

impl From<Blob> for Vec<u8> {
    fn from(blob: Blob) -> Self {
        match blob {
            Blob::Text(text) => text.into_bytes(),
            Blob::Bytes { base64 } => Base64::decode_vec(&base64).expect("the host writes base64"),
        }
    }
}

type Pairs = Vec<(String, String)>;

fn user_properties(pairs: Pairs) -> Vec<UserProperty> {
    let pairs = pairs.into_iter();
    pairs.map(|(name, value)| UserProperty { name, value }).collect()
}

fn qos(level: u8) -> Qos {
    match level {
        0 => Qos::AtMostOnce,
        1 => Qos::AtLeastOnce,
        _ => Qos::ExactlyOnce,
    }
}

/// The properties of a message.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct PropertySet {
    payload_format_utf8: Option<bool>,
    message_expiry_secs: Option<u32>,
    response_topic: Option<String>,
    correlation_data: Option<Blob>,
    content_type: Option<String>,
    user_properties: Pairs,
}

impl From<PropertySet> for Properties {
    fn from(set: PropertySet) -> Self {
        Self {
            payload_format_utf8: set.payload_format_utf8,
            message_expiry_secs: set.message_expiry_secs,
            response_topic: set.response_topic,
            correlation_data: set.correlation_data.map(Into::into),
            content_type: set.content_type,
            user_properties: user_properties(set.user_properties),
        }
    }
}

/// A message of the plugin's own.
#[derive(Deserialize)]
pub(super) struct Published {
    topic: String,
    payload: Blob,
    qos: u8,
    retain: bool,
    properties: Option<PropertySet>,
}

impl From<Published> for Message {
    fn from(published: Published) -> Self {
        Self {
            topic: published.topic,
            payload: published.payload.into(),
            qos: qos(published.qos),
            retain: published.retain,
            properties: published.properties.map(Into::into),
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Changes {
    topic: Option<String>,
    payload: Option<Blob>,
    qos: Option<u8>,
    retain: Option<bool>,
    properties: Option<PropertySet>,
}

impl From<Changes> for Replacement {
    fn from(changes: Changes) -> Self {
        Self {
            topic: changes.topic,
            payload: changes.payload.map(Into::into),
            qos: changes.qos.map(qos),
            retain: changes.retain,
            properties: changes.properties.map(Into::into),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Refusal {
    reason: u8,
    text: Option<String>,
    server_reference: Option<String>,
    #[serde(default)]
    user_properties: Pairs,
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        let reason = match refusal.reason {
            0x83 => Reason::ImplementationSpecific,
            0x87 => Reason::NotAuthorized,
            0x90 => Reason::TopicNameInvalid,
            0x97 => Reason::QuotaExceeded,
            0x99 => Reason::PayloadFormatInvalid,
            _ => Reason::Unspecified,
        };
        Self {
            reason,
            text: refusal.text,
        }
    }
}

impl From<Refusal> for Denial {
    fn from(refusal: Refusal) -> Self {
        let reason = match refusal.reason {
            0x83 => ConnectReason::ImplementationSpecific,
            0x85 => ConnectReason::ClientIdentifierNotValid,
            0x86 => ConnectReason::BadUserNameOrPassword,
            0x87 => ConnectReason::NotAuthorized,
            0x88 => ConnectReason::ServerUnavailable,
            0x89 => ConnectReason::ServerBusy,
            0x8A => ConnectReason::Banned,
            0x97 => ConnectReason::QuotaExceeded,
            0x9C => ConnectReason::UseAnotherServer,
            0x9D => ConnectReason::ServerMoved,
            0x9F => ConnectReason::ConnectionRateExceeded,
            _ => ConnectReason::Unspecified,
        };
        Self {
            reason,
            text: refusal.text,
            server_reference: refusal.server_reference,
            user_properties: user_properties(refusal.user_properties),
        }
    }
}

#[derive(Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub(super) enum VerdictAnswer {
    Pass,
    Replace(Changes),
    Drop,
    Reject(Refusal),
    Disconnect(Refusal),
    Throttle { ms: u32 },
}

pub(super) fn verdict(answer: VerdictAnswer) -> Verdict {
    match answer {
        VerdictAnswer::Pass => Verdict::Pass,
        VerdictAnswer::Replace(changes) => Verdict::Replace(changes.into()),
        VerdictAnswer::Drop => Verdict::Drop,
        VerdictAnswer::Reject(refusal) => Verdict::Reject(refusal.into()),
        VerdictAnswer::Disconnect(refusal) => Verdict::Disconnect(refusal.into()),
        VerdictAnswer::Throttle { ms } => Verdict::Throttle(ms),
    }
}

#[derive(Deserialize)]
struct Rule {
    allow: bool,
    action: Acts,
    filter: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Acts {
    Publish,
    Subscribe,
    Both,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Granted {
    username: Option<String>,
    client_id: Option<String>,
    mount_point: Option<String>,
    attributes: Pairs,
    superuser: bool,
    expires_in_secs: Option<u32>,
    rules: Vec<Rule>,
    max_qos: Option<u8>,
    max_packet_size: Option<u32>,
    max_inflight: Option<u16>,
    receive_maximum: Option<u16>,
    max_queue_messages: Option<u32>,
    max_queue_bytes: Option<u64>,
    max_messages_per_second: Option<u32>,
    max_bytes_per_second: Option<u64>,
    max_session_expiry_secs: Option<u32>,
    max_keep_alive_secs: Option<u16>,
    user_properties: Pairs,
    response_information: Option<String>,
}

impl From<Granted> for Grant {
    fn from(granted: Granted) -> Self {
        let rules = granted.rules.into_iter().map(|rule| TopicRule {
            allow: rule.allow,
            action: match rule.action {
                Acts::Publish => RuleAction::Publish,
                Acts::Subscribe => RuleAction::Subscribe,
                Acts::Both => RuleAction::Both,
            },
            filter: rule.filter,
        });
        Self {
            username: granted.username,
            client_id: granted.client_id,
            mount_point: granted.mount_point,
            attributes: user_properties(granted.attributes),
            superuser: granted.superuser,
            expires_in_secs: granted.expires_in_secs,
            rules: rules.collect(),
            max_qos: granted.max_qos.map(qos),
            max_packet_size: granted.max_packet_size,
            max_inflight: granted.max_inflight,
            receive_maximum: granted.receive_maximum,
            max_queue_messages: granted.max_queue_messages,
            max_queue_bytes: granted.max_queue_bytes,
            max_messages_per_second: granted.max_messages_per_second,
            max_bytes_per_second: granted.max_bytes_per_second,
            max_session_expiry_secs: granted.max_session_expiry_secs,
            max_keep_alive_secs: granted.max_keep_alive_secs,
            user_properties: user_properties(granted.user_properties),
            response_information: granted.response_information,
        }
    }
}

#[derive(Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub(super) enum OutcomeAnswer {
    Next,
    Allow(Box<Granted>),
    Deny(Refusal),
    Unavailable,
}

pub(super) fn outcome(answer: OutcomeAnswer) -> Outcome {
    match answer {
        OutcomeAnswer::Next => Outcome::Next,
        OutcomeAnswer::Allow(granted) => Outcome::Allow((*granted).into()),
        OutcomeAnswer::Deny(refusal) => Outcome::Deny(refusal.into()),
        OutcomeAnswer::Unavailable => Outcome::Unavailable,
    }
}

#[derive(Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub(super) enum StepAnswer {
    Next,
    Challenge { data: Blob, state: Blob },
    Allow { grant: Box<Granted>, data: Option<Blob> },
    Deny(Refusal),
}

pub(super) fn step(answer: StepAnswer) -> Step {
    match answer {
        StepAnswer::Next => Step::Next,
        StepAnswer::Challenge { data, state } => Step::Challenge {
            data: data.into(),
            state: state.into(),
        },
        StepAnswer::Allow { grant, data } => Step::Allow {
            grant: (*grant).into(),
            data: data.map(Into::into),
        },
        StepAnswer::Deny(refusal) => Step::Deny(refusal.into()),
    }
}

#[derive(Deserialize)]
pub(super) struct AccessAnswer {
    answer: Decided,
    text: Option<String>,
    #[serde(default)]
    cache_ms: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Decided {
    Next,
    Allow,
    Deny,
    Disconnect,
}

pub(super) fn access(answer: AccessAnswer) -> Answer {
    let decision = match answer.answer {
        Decided::Next => Decision::Next,
        Decided::Allow => Decision::Allow,
        Decided::Deny => Decision::Deny(answer.text),
        Decided::Disconnect => Decision::Disconnect(answer.text),
    };
    Answer {
        decision,
        cache_ms: answer.cache_ms,
    }
}

#[derive(Deserialize, Default, PartialEq)]
#[serde(default)]
pub(super) struct RouteAnswer {
    copies: Vec<String>,
    only: Option<Vec<ClientKey>>,
    exclude: Vec<ClientKey>,
    picks: Vec<Picked>,
    local_only: bool,
}

#[derive(Deserialize, PartialEq)]
struct Picked {
    group: u32,
    member: ClientKey,
}

/// An empty answer changes nothing, and is recorded for "default" too.
pub(super) fn route(answer: RouteAnswer) -> RouteDecision {
    if answer == RouteAnswer::default() {
        return RouteDecision::Default;
    }
    let picks = answer.picks.into_iter().map(|pick| Pick {
        group: pick.group,
        member: pick.member,
    });
    RouteDecision::Change(Routing {
        copies: answer.copies,
        only: answer.only,
        exclude: answer.exclude,
        picks: picks.collect(),
        local_only: answer.local_only,
    })
}

#[derive(Deserialize)]
pub(super) struct Subscription {
    filter: String,
    qos: u8,
    no_local: bool,
    retain_as_published: bool,
    retain_handling: u8,
}

/// Filter and share name of what a client sends.
fn apart(filter: String) -> (String, Option<String>) {
    let shared = filter
        .strip_prefix("$share/")
        .and_then(|rest| rest.split_once('/'));
    match shared {
        Some((share, filter)) => (filter.to_owned(), Some(share.to_owned())),
        None => (filter, None),
    }
}

impl From<Subscription> for on_subscribe::Request {
    fn from(subscription: Subscription) -> Self {
        let (filter, share) = apart(subscription.filter);
        Self {
            filter,
            share,
            qos: qos(subscription.qos),
            no_local: subscription.no_local,
            retain_as_published: subscription.retain_as_published,
            retain_handling: match subscription.retain_handling {
                0 => RetainHandling::SendAtSubscribe,
                1 => RetainHandling::SendIfNew,
                _ => RetainHandling::DoNotSend,
            },
        }
    }
}

#[derive(Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub(super) enum SubscribeAnswer {
    Pass,
    Replace(Subscription),
    WithoutRetained,
    Reject { reason: u8 },
}

pub(super) fn subscribe(answer: SubscribeAnswer) -> on_subscribe::Decision {
    match answer {
        SubscribeAnswer::Pass => on_subscribe::Decision::Pass,
        SubscribeAnswer::Replace(subscription) => on_subscribe::Decision::Replace(subscription.into()),
        SubscribeAnswer::WithoutRetained => on_subscribe::Decision::WithoutRetained,
        SubscribeAnswer::Reject { reason } => on_subscribe::Decision::Reject(match reason {
            0x83 => SubscribeReason::ImplementationSpecific,
            0x87 => SubscribeReason::NotAuthorized,
            0x8F => SubscribeReason::TopicFilterInvalid,
            0x97 => SubscribeReason::QuotaExceeded,
            0x9E => SubscribeReason::SharedSubscriptionsNotSupported,
            0xA2 => SubscribeReason::WildcardSubscriptionsNotSupported,
            _ => SubscribeReason::Unspecified,
        }),
    }
}

#[derive(Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub(super) enum UnsubscribeAnswer {
    Pass,
    Replace { filter: String },
    Reject { reason: u8 },
}

pub(super) fn unsubscribe(answer: UnsubscribeAnswer) -> on_unsubscribe::Decision {
    match answer {
        UnsubscribeAnswer::Pass => on_unsubscribe::Decision::Pass,
        UnsubscribeAnswer::Replace { filter } => {
            let (filter, share) = apart(filter);
            on_unsubscribe::Decision::Replace(on_unsubscribe::Request { filter, share })
        }
        UnsubscribeAnswer::Reject { reason } => on_unsubscribe::Decision::Reject(match reason {
            0x83 => UnsubscribeReason::ImplementationSpecific,
            0x87 => UnsubscribeReason::NotAuthorized,
            0x8F => UnsubscribeReason::TopicFilterInvalid,
            _ => UnsubscribeReason::Unspecified,
        }),
    }
}

#[derive(Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub(super) enum DeliverAnswer {
    Pass,
    Replace(Changes),
    Drop,
}

pub(super) fn delivery(answer: DeliverAnswer) -> DeliverDecision {
    match answer {
        DeliverAnswer::Pass => DeliverDecision::Pass,
        DeliverAnswer::Replace(changes) => DeliverDecision::Replace(changes.into()),
        DeliverAnswer::Drop => DeliverDecision::Drop,
    }
}

#[derive(Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub(super) enum WillAnswer {
    Publish,
    Replace(Changes),
    Suppress,
    Delay { secs: u32 },
}

pub(super) fn will(answer: WillAnswer) -> WillDecision {
    match answer {
        WillAnswer::Publish => WillDecision::Publish,
        WillAnswer::Replace(changes) => WillDecision::Replace(changes.into()),
        WillAnswer::Suppress => WillDecision::Suppress,
        WillAnswer::Delay { secs } => WillDecision::Delay(secs),
    }
}

#[derive(Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub(super) enum ControlAnswer {
    Reply { text: String },
    Error { text: String },
}

pub(super) fn control(answer: ControlAnswer) -> Result<String, String> {
    match answer {
        ControlAnswer::Reply { text } => Ok(text),
        ControlAnswer::Error { text } => Err(text),
    }
}
