//! One question to a plugin with what it answered, for those who look on.

use hookwire_protocol::{SharedFilter, TopicName};

use crate::{
    Access, AccessAnswer, Authentication, ClientKey, Credentials, DeliverDecision, EnhancedStep, Event,
    Failure, Hook, Message, Parcel, Recipients, Routing, SubscribeDecision, SubscribeRequest,
    UnsubscribeDecision, Verdict, WillCause, WillDecision, WillDelays,
};

/// A call that is over.
#[derive(Debug, Clone, Copy)]
pub enum Call<'a> {
    /// `authenticate`
    Authenticate {
        /// Who asked to be let in.
        who: &'a Credentials,
        /// The answer.
        answer: &'a Result<Authentication, Failure>,
    },
    /// `authenticate-enhanced`, the first step.
    BeginAuthentication {
        /// The method.
        method: &'a str,
        /// What the client sent.
        data: Option<&'a [u8]>,
        /// Who asked to be let in.
        who: &'a Credentials,
        /// The answer.
        answer: &'a Result<EnhancedStep, Failure>,
    },
    /// `authenticate-enhanced`, a further step.
    ContinueAuthentication {
        /// The method.
        method: &'a str,
        /// What the client sent.
        data: Option<&'a [u8]>,
        /// What the plugin wanted to be told again.
        state: &'a [u8],
        /// The answer.
        answer: &'a Result<EnhancedStep, Failure>,
    },
    /// `authorize`
    Authorize {
        /// What is wanted.
        access: &'a Access<'a>,
        /// The answer.
        answer: &'a Result<AccessAnswer, Failure>,
    },
    /// `on-subscribe`
    OnSubscribe {
        /// Who subscribes.
        client: ClientKey,
        /// To what, and how.
        request: &'a SubscribeRequest,
        /// The answer.
        answer: &'a Result<SubscribeDecision, Failure>,
    },
    /// `on-unsubscribe`
    OnUnsubscribe {
        /// Whose subscription.
        client: ClientKey,
        /// Its filter.
        filter: &'a SharedFilter,
        /// The answer.
        answer: &'a Result<UnsubscribeDecision, Failure>,
    },
    /// `on-publish`, one message of a run.
    OnPublish {
        /// The message as the plugin saw it.
        message: &'a Message,
        /// The answer.
        answer: &'a Result<Verdict, Failure>,
    },
    /// `route`
    Route {
        /// The message.
        message: &'a Message,
        /// Who would receive it.
        recipients: &'a Recipients,
        /// The answer.
        answer: &'a Result<Routing, Failure>,
    },
    /// `deliver`, one of several deliveries.
    Deliver {
        /// The message, and to whom it goes.
        parcel: &'a Parcel,
        /// The answer.
        answer: &'a Result<DeliverDecision, Failure>,
    },
    /// `on-will`
    OnWill {
        /// Whose will.
        client: ClientKey,
        /// Why its connection ended.
        cause: WillCause,
        /// How policies have held it back so far.
        delays: WillDelays,
        /// The will.
        message: &'a Message,
        /// The answer.
        answer: &'a Result<WillDecision, Failure>,
    },
    /// `events`
    Events {
        /// What the plugin was told.
        events: &'a [Event],
    },
    /// `control`
    Control {
        /// What an administrator asked.
        request: &'a str,
        /// The answer.
        answer: &'a Result<Result<String, String>, Failure>,
    },
}

/// What a call was about, as far as it was about a message or an access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matter<'a> {
    /// A message, or an access with a topic name.
    Topic(&'a TopicName),
    /// The topic name of an access, or the filter of a subscription.
    Text(&'a str),
}

impl<'a> Call<'a> {
    /// The hook.
    pub fn hook(&self) -> Hook {
        match self {
            Self::Authenticate { .. } => Hook::Authenticate,
            Self::BeginAuthentication { .. } | Self::ContinueAuthentication { .. } => {
                Hook::AuthenticateEnhanced
            }
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

    /// The connection that it was about, the recipient of a delivery; clients that are not let in yet have none.
    pub fn client(&self) -> Option<ClientKey> {
        match self {
            Self::Authorize { access, .. } => Some(access.client),
            Self::OnPublish { message, .. } | Self::Route { message, .. } => message.source.client(),
            Self::Deliver { parcel, .. } => Some(parcel.recipient),
            Self::OnSubscribe { client, .. }
            | Self::OnUnsubscribe { client, .. }
            | Self::OnWill { client, .. } => Some(*client),
            Self::Authenticate { .. }
            | Self::BeginAuthentication { .. }
            | Self::ContinueAuthentication { .. }
            | Self::Events { .. }
            | Self::Control { .. } => None,
        }
    }

    /// Who it was about, where that is no connection yet.
    pub fn credentials(&self) -> Option<&'a Credentials> {
        match self {
            Self::Authenticate { who, .. } | Self::BeginAuthentication { who, .. } => Some(who),
            _ => None,
        }
    }

    /// The topic that it was about.
    pub fn matter(&self) -> Option<Matter<'a>> {
        match *self {
            Self::Authorize { access, .. } => Some(Matter::Text(access.topic)),
            Self::OnSubscribe { request, .. } => Some(Matter::Text(request.filter.filter.as_str())),
            Self::OnUnsubscribe { filter, .. } => Some(Matter::Text(filter.filter.as_str())),
            Self::OnPublish { message, .. } | Self::Route { message, .. } | Self::OnWill { message, .. } => {
                Some(Matter::Topic(&message.topic))
            }
            Self::Deliver { parcel, .. } => Some(Matter::Topic(&parcel.message.topic)),
            _ => None,
        }
    }
}
