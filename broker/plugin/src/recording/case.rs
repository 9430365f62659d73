//! One line of a recording.

use hookwire_hooks::{Call, ClientFacts, ClientKey, Hook};
use serde::{Deserialize, Serialize};

use super::answer::{
    AccessReply, AuthenticationReply, ControlReply, DeliverReply, Outcome, RouteReply, StepReply,
    SubscribeReply, UnsubscribeReply, VerdictReply, WillReply,
};
use super::message::{pairs, pairs_back};
use super::question::{
    AccessQuestion, ControlQuestion, CredentialsRecord, DeliverQuestion, EnhancedQuestion, EventRecord,
    PublishQuestion, RouteQuestion, SubscribeQuestion, UnsubscribeQuestion, WillQuestion, version,
};
use super::{NotAQuestion, Secret};

/// A question that a plugin was asked, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// When it was answered: milliseconds since 1970-01-01 UTC.
    pub at_ms: u64,
    /// How long it took, microseconds; for a run of messages that were judged in one call its share.
    pub took_us: u64,
    /// What the plugin could have looked up about clients in question.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clients: Vec<ClientRecord>,
    /// Hook, question and answer.
    #[serde(flatten)]
    pub exchange: Exchange,
}

/// Facts about a connection, as plugins are told them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are those of `ClientFacts`")]
pub struct ClientRecord {
    pub key: u64,
    pub client_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    pub address: String,
    pub listener: String,
    pub version: String,
    pub connected_at_ms: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<(String, String)>,
}

impl From<&ClientFacts> for ClientRecord {
    fn from(facts: &ClientFacts) -> Self {
        Self {
            key: facts.key.0,
            client_id: facts.client_id.to_string(),
            username: facts.username.as_ref().map(ToString::to_string),
            address: facts.address.to_string(),
            listener: facts.listener.to_string(),
            version: facts.version.as_str().to_owned(),
            connected_at_ms: facts.connected_at_ms,
            attributes: pairs(&facts.attributes),
        }
    }
}

impl TryFrom<ClientRecord> for ClientFacts {
    type Error = NotAQuestion;

    fn try_from(record: ClientRecord) -> Result<Self, NotAQuestion> {
        Ok(Self {
            key: ClientKey(record.key),
            client_id: record.client_id.into(),
            username: record.username.map(Into::into),
            address: record.address.into(),
            listener: record.listener.into(),
            version: version(&record.version)?,
            connected_at_ms: record.connected_at_ms,
            attributes: pairs_back(record.attributes),
        })
    }
}

/// A question and its answer, by hook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "hook", rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each has its question and its answer")]
pub enum Exchange {
    Authenticate {
        question: Box<CredentialsRecord>,
        answer: Outcome<AuthenticationReply>,
    },
    AuthenticateEnhanced {
        question: Box<EnhancedQuestion>,
        answer: Outcome<StepReply>,
    },
    Authorize {
        question: AccessQuestion,
        answer: Outcome<AccessReply>,
    },
    OnSubscribe {
        question: SubscribeQuestion,
        answer: Outcome<SubscribeReply>,
    },
    OnUnsubscribe {
        question: UnsubscribeQuestion,
        answer: Outcome<UnsubscribeReply>,
    },
    OnPublish {
        question: Box<PublishQuestion>,
        answer: Outcome<VerdictReply>,
    },
    Route {
        question: Box<RouteQuestion>,
        answer: Outcome<RouteReply>,
    },
    Deliver {
        question: Box<DeliverQuestion>,
        answer: Outcome<DeliverReply>,
    },
    OnWill {
        question: Box<WillQuestion>,
        answer: Outcome<WillReply>,
    },
    /// There is no answer to events.
    Events { question: Vec<EventRecord> },
    Control {
        question: ControlQuestion,
        answer: Outcome<ControlReply>,
    },
}

impl Exchange {
    /// The record of a call; passwords and what is like them only `with_secrets`.
    pub fn new(call: &Call<'_>, with_secrets: bool) -> Self {
        match *call {
            Call::Authenticate { who, answer } => Self::Authenticate {
                question: Box::new(CredentialsRecord::new(who, with_secrets)),
                answer: Outcome::of(answer, AuthenticationReply::from),
            },
            Call::BeginAuthentication {
                method,
                data,
                who,
                answer,
            } => Self::AuthenticateEnhanced {
                question: Box::new(EnhancedQuestion {
                    method: method.to_owned(),
                    data: data.map(|data| Secret::new(data, with_secrets)),
                    who: Some(CredentialsRecord::new(who, with_secrets)),
                    state: None,
                }),
                answer: Outcome::of(answer, |step| StepReply::new(step, with_secrets)),
            },
            Call::ContinueAuthentication {
                method,
                data,
                state,
                answer,
            } => Self::AuthenticateEnhanced {
                question: Box::new(EnhancedQuestion {
                    method: method.to_owned(),
                    data: data.map(|data| Secret::new(data, with_secrets)),
                    who: None,
                    state: Some(Secret::new(state, with_secrets)),
                }),
                answer: Outcome::of(answer, |step| StepReply::new(step, with_secrets)),
            },
            Call::Authorize { access, answer } => Self::Authorize {
                question: access.into(),
                answer: Outcome::of(answer, AccessReply::from),
            },
            Call::OnSubscribe {
                client,
                request,
                answer,
            } => Self::OnSubscribe {
                question: SubscribeQuestion {
                    client: client.0,
                    subscription: request.into(),
                },
                answer: Outcome::of(answer, SubscribeReply::from),
            },
            Call::OnUnsubscribe {
                client,
                filter,
                answer,
            } => Self::OnUnsubscribe {
                question: UnsubscribeQuestion {
                    client: client.0,
                    filter: filter.to_string(),
                },
                answer: Outcome::of(answer, UnsubscribeReply::from),
            },
            Call::Deliver { parcel, answer } => Self::Deliver {
                question: Box::new(DeliverQuestion {
                    recipient: parcel.recipient.0,
                    message: (&*parcel.message).into(),
                }),
                answer: Outcome::of(answer, DeliverReply::from),
            },
            Call::OnPublish { message, answer } => Self::OnPublish {
                question: Box::new(PublishQuestion {
                    message: message.into(),
                }),
                answer: Outcome::of(answer, VerdictReply::from),
            },
            Call::Route {
                message,
                recipients,
                answer,
            } => Self::Route {
                question: Box::new(RouteQuestion::new(message.into(), recipients)),
                answer: Outcome::of(answer, RouteReply::from),
            },
            Call::OnWill {
                client,
                cause,
                delays,
                message,
                answer,
            } => Self::OnWill {
                question: Box::new(WillQuestion::new(client, cause, delays, message.into())),
                answer: Outcome::of(answer, WillReply::from),
            },
            Call::Events { events } => Self::Events {
                question: events.iter().map(EventRecord::from).collect(),
            },
            Call::Control { request, answer } => Self::Control {
                question: ControlQuestion {
                    request: Secret::new(request.as_bytes(), with_secrets),
                },
                answer: Outcome::of(answer, |answer| ControlReply::new(answer, with_secrets)),
            },
        }
    }

    /// The hook.
    pub fn hook(&self) -> Hook {
        match self {
            Self::Authenticate { .. } => Hook::Authenticate,
            Self::AuthenticateEnhanced { .. } => Hook::AuthenticateEnhanced,
            Self::Authorize { .. } => Hook::Authorize,
            Self::OnSubscribe { .. } => Hook::OnSubscribe,
            Self::OnUnsubscribe { .. } => Hook::OnUnsubscribe,
            Self::OnPublish { .. } => Hook::OnPublish,
            Self::Route { .. } => Hook::Route,
            Self::Deliver { .. } => Hook::Deliver,
            Self::OnWill { .. } => Hook::OnWill,
            Self::Events { .. } => Hook::Events,
            Self::Control { .. } => Hook::Control,
        }
    }
}
