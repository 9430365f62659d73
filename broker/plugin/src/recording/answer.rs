//! What plugins answer, in JSON, to be compared with what they answer later.

use hookwire_hooks::{
    AccessAnswer, AccessDecision, Authentication, DeliverDecision, Denial, EnhancedStep, Failure, Grant,
    Rejection, Replacement, Routing, RuleAction, SubscribeDecision, UnsubscribeDecision, Verdict,
    WillDecision,
};
use serde::{Deserialize, Serialize};

use super::message::pairs;
use super::{Blob, PropertiesRecord, Secret, SubscriptionRecord};

/// What came of a call: an answer, or `{"failure": "trap", "detail": "…"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Outcome<A> {
    /// None; what then held was up to the configuration.
    Failed(Failed),
    /// The answer.
    Answered(A),
}

/// A call that brought no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failed {
    /// Its kind, as metrics spell it.
    pub failure: String,
    /// For a person.
    pub detail: String,
}

impl<A> Outcome<A> {
    pub(super) fn of<'a, T>(answer: &'a Result<T, Failure>, record: impl FnOnce(&'a T) -> A) -> Self {
        match answer {
            Ok(answer) => Self::Answered(record(answer)),
            Err(failure) => Self::Failed(Failed {
                failure: failure.kind.as_str().to_owned(),
                detail: failure.detail.clone(),
            }),
        }
    }
}

fn text(text: Option<&bytestring::ByteString>) -> Option<String> {
    text.map(ToString::to_string)
}

/// A topic rule of a grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleRecord {
    /// Allow or deny.
    pub allow: bool,
    /// `publish`, `subscribe` or `both`.
    pub action: String,
    /// Filter, with its placeholders.
    pub filter: String,
}

/// What an admitted client may be and do; what the plugin left to the configuration is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields are those of `Grant`")]
pub struct GrantRecord {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mount_point: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<(String, String)>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub superuser: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_in_secs: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_qos: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_packet_size: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_inflight: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receive_maximum: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_queue_messages: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_queue_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_messages_per_second: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bytes_per_second: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_session_expiry_secs: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_keep_alive_secs: Option<u16>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub user_properties: Vec<(String, String)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_information: Option<String>,
}

impl From<&Grant> for GrantRecord {
    fn from(grant: &Grant) -> Self {
        let rules = grant.rules.iter().map(|(allow, action, filter)| RuleRecord {
            allow: *allow,
            action: match action {
                RuleAction::Publish => "publish",
                RuleAction::Subscribe => "subscribe",
                RuleAction::Both => "both",
            }
            .to_owned(),
            filter: filter.to_string(),
        });
        Self {
            username: text(grant.username.as_ref()),
            client_id: text(grant.client_id.as_ref()),
            mount_point: text(grant.mount_point.as_ref()),
            attributes: pairs(&grant.attributes),
            superuser: grant.superuser,
            expires_in_secs: grant.expires_in.map(|time| time.as_secs()),
            rules: rules.collect(),
            max_qos: grant.max_qos.map(hookwire_protocol::QoS::as_u8),
            max_packet_size: grant.max_packet_size,
            max_inflight: grant.max_inflight,
            receive_maximum: grant.receive_maximum,
            max_queue_messages: grant.max_queue_messages,
            max_queue_bytes: grant.max_queue_bytes,
            max_messages_per_second: grant.max_messages_per_second,
            max_bytes_per_second: grant.max_bytes_per_second,
            max_session_expiry_secs: grant.max_session_expiry_secs,
            max_keep_alive_secs: grant.max_keep_alive_secs,
            user_properties: pairs(&grant.user_properties),
            response_information: text(grant.response_information.as_ref()),
        }
    }
}

/// A refusal: a reason code of MQTT 5, and a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectionRecord {
    /// Reason code.
    pub reason: u8,
    /// Reason string.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Where to go instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_reference: Option<String>,
    /// User properties of the CONNACK.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub user_properties: Vec<(String, String)>,
}

impl From<&Denial> for RejectionRecord {
    fn from(denial: &Denial) -> Self {
        Self {
            reason: denial.reason.code(),
            text: text(denial.text.as_ref()),
            server_reference: text(denial.server_reference.as_ref()),
            user_properties: pairs(&denial.user_properties),
        }
    }
}

impl From<&Rejection> for RejectionRecord {
    fn from(rejection: &Rejection) -> Self {
        Self {
            reason: rejection.reason.code(),
            text: text(rejection.text.as_ref()),
            server_reference: None,
            user_properties: Vec::new(),
        }
    }
}

/// An answer of `authenticate`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum AuthenticationReply {
    /// Not its client.
    Next,
    /// Admitted.
    Allow(Box<GrantRecord>),
    /// Refused.
    Deny(RejectionRecord),
    /// Cannot tell.
    Unavailable,
}

impl From<&Authentication> for AuthenticationReply {
    fn from(answer: &Authentication) -> Self {
        match answer {
            Authentication::Next => Self::Next,
            Authentication::Allow(grant) => Self::Allow(Box::new(GrantRecord::from(&**grant))),
            Authentication::Deny(denial) => Self::Deny(denial.into()),
            Authentication::Unavailable => Self::Unavailable,
        }
    }
}

/// An answer of `authenticate-enhanced`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the fields are those of `EnhancedStep`")]
pub enum StepReply {
    /// Not its method.
    Next,
    /// The client has to answer this.
    Challenge { data: Secret, state: Secret },
    /// Admitted.
    Allow {
        grant: Box<GrantRecord>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<Secret>,
    },
    /// Refused.
    Deny(RejectionRecord),
}

impl StepReply {
    /// The record of a step; what goes between client and plugin only `with_secrets`.
    pub fn new(step: &EnhancedStep, with_secrets: bool) -> Self {
        match step {
            EnhancedStep::Next => Self::Next,
            EnhancedStep::Challenge { data, state } => Self::Challenge {
                data: Secret::new(data, with_secrets),
                state: Secret::new(state, with_secrets),
            },
            EnhancedStep::Allow { grant, data } => Self::Allow {
                grant: Box::new(GrantRecord::from(&**grant)),
                data: data.as_ref().map(|data| Secret::new(data, with_secrets)),
            },
            EnhancedStep::Deny(denial) => Self::Deny(denial.into()),
        }
    }
}

/// An answer of `authorize`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessReply {
    /// `next`, `allow`, `deny` or `disconnect`.
    pub answer: String,
    /// Reason string.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// For how long the same question need not be asked again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cache_ms: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "that is how serde calls it")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl From<&AccessAnswer> for AccessReply {
    fn from(answer: &AccessAnswer) -> Self {
        let (name, why) = match &answer.decision {
            AccessDecision::Next => ("next", None),
            AccessDecision::Allow => ("allow", None),
            AccessDecision::Deny(why) => ("deny", why.as_ref()),
            AccessDecision::Disconnect(why) => ("disconnect", why.as_ref()),
        };
        Self {
            answer: name.to_owned(),
            text: text(why),
            cache_ms: u64::try_from(answer.cache_for.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// A change of a message; what stays is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields are those of `Replacement`")]
pub struct Replaced {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<Blob>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qos: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retain: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub properties: Option<PropertiesRecord>,
}

impl From<&Replacement> for Replaced {
    fn from(replacement: &Replacement) -> Self {
        let properties = replacement.properties.as_ref();
        Self {
            topic: replacement.topic.as_ref().map(|topic| topic.as_str().to_owned()),
            payload: replacement.payload.as_deref().map(Blob::from),
            qos: replacement.qos.map(hookwire_protocol::QoS::as_u8),
            retain: replacement.retain,
            properties: properties.map(|set| PropertiesRecord::of(set).unwrap_or_default()),
        }
    }
}

/// An answer of `on-subscribe`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
#[expect(missing_docs, reason = "a reason is a code of MQTT 5")]
pub enum SubscribeReply {
    /// No objection.
    Pass,
    /// Made as changed.
    Replace(SubscriptionRecord),
    /// No objection, but no retained messages.
    WithoutRetained,
    /// Not made.
    Reject { reason: u8 },
}

impl From<&SubscribeDecision> for SubscribeReply {
    fn from(decision: &SubscribeDecision) -> Self {
        match decision {
            SubscribeDecision::Pass => Self::Pass,
            SubscribeDecision::Replace(request) => Self::Replace(SubscriptionRecord::from(&**request)),
            SubscribeDecision::WithoutRetained => Self::WithoutRetained,
            SubscribeDecision::Reject(reason) => Self::Reject {
                reason: reason.code(),
            },
        }
    }
}

/// An answer of `on-unsubscribe`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
#[expect(missing_docs, reason = "a filter, and a code of MQTT 5")]
pub enum UnsubscribeReply {
    /// No objection.
    Pass,
    /// Another one is meant.
    Replace { filter: String },
    /// It stays.
    Reject { reason: u8 },
}

impl From<&UnsubscribeDecision> for UnsubscribeReply {
    fn from(decision: &UnsubscribeDecision) -> Self {
        match decision {
            UnsubscribeDecision::Pass => Self::Pass,
            UnsubscribeDecision::Replace(filter) => Self::Replace {
                filter: filter.to_string(),
            },
            UnsubscribeDecision::Reject(reason) => Self::Reject {
                reason: reason.code(),
            },
        }
    }
}

/// An answer of `deliver`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum DeliverReply {
    /// No objection.
    Pass,
    /// This recipient gets it as changed.
    Replace(Box<Replaced>),
    /// This recipient does not get it.
    Drop,
}

impl From<&DeliverDecision> for DeliverReply {
    fn from(decision: &DeliverDecision) -> Self {
        match decision {
            DeliverDecision::Pass => Self::Pass,
            DeliverDecision::Replace(replacement) => Self::Replace(Box::new(Replaced::from(&**replacement))),
            DeliverDecision::Drop => Self::Drop,
        }
    }
}

/// An answer of `on-publish`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the fields are those of `Verdict`")]
pub enum VerdictReply {
    /// No objection.
    Pass,
    /// Goes on as changed.
    Replace(Box<Replaced>),
    /// Nobody receives it, the publisher sees success.
    Drop,
    /// Nobody receives it, the publisher sees the reason.
    Reject(RejectionRecord),
    /// Nobody receives it, the publisher is disconnected.
    Disconnect(RejectionRecord),
    /// Goes on; its publisher is not read from for a while.
    Throttle { ms: u32 },
}

impl From<&Verdict> for VerdictReply {
    fn from(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Pass => Self::Pass,
            Verdict::Replace(replacement) => Self::Replace(Box::new(Replaced::from(&**replacement))),
            Verdict::Drop => Self::Drop,
            Verdict::Reject(rejection) => Self::Reject(rejection.into()),
            Verdict::Disconnect(rejection) => Self::Disconnect(rejection.into()),
            Verdict::Throttle(ms) => Self::Throttle { ms: *ms },
        }
    }
}

/// A member chosen for a shared group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PickRecord {
    /// Place in the question's `groups`.
    pub group: usize,
    /// The member.
    pub member: u64,
}

/// An answer of `route`; an empty one changes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields are those of `Routing`")]
pub struct RouteReply {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only: Option<Vec<u64>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub picks: Vec<PickRecord>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub local_only: bool,
}

impl From<&Routing> for RouteReply {
    fn from(routing: &Routing) -> Self {
        let picks = routing.picks.iter().map(|pick| PickRecord {
            group: pick.group,
            member: pick.member.0,
        });
        Self {
            copies: routing
                .copies
                .iter()
                .map(|topic| topic.as_str().to_owned())
                .collect(),
            only: routing
                .only
                .as_ref()
                .map(|only| only.iter().map(|key| key.0).collect()),
            exclude: routing.exclude.iter().map(|key| key.0).collect(),
            picks: picks.collect(),
            local_only: routing.local_only,
        }
    }
}

/// An answer of `on-will`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the fields are those of `WillDecision`")]
pub enum WillReply {
    /// It is published.
    Publish,
    /// It is published as changed.
    Replace(Box<Replaced>),
    /// It is not published.
    Suppress,
    /// Ask again later.
    Delay { secs: u64 },
}

impl From<&WillDecision> for WillReply {
    fn from(decision: &WillDecision) -> Self {
        match decision {
            WillDecision::Publish => Self::Publish,
            WillDecision::Replace(replacement) => Self::Replace(Box::new(Replaced::from(&**replacement))),
            WillDecision::Suppress => Self::Suppress,
            WillDecision::Delay(delay) => Self::Delay {
                secs: delay.as_secs(),
            },
        }
    }
}

/// An answer of `control`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the one field is the text of the answer")]
pub enum ControlReply {
    /// JSON, as text.
    Reply { text: Secret },
    /// For a person.
    Error { text: String },
}

impl ControlReply {
    /// The record of a reply; the reply itself only `with_secrets`.
    pub fn new(answer: &Result<String, String>, with_secrets: bool) -> Self {
        match answer {
            Ok(reply) => Self::Reply {
                text: Secret::new(reply.as_bytes(), with_secrets),
            },
            Err(text) => Self::Error { text: text.clone() },
        }
    }
}
