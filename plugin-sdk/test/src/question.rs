//! A question that was written down, as the hooks are asked it.

use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;
use hookwire_hooks::{
    Access, AccessAnswer, AskedAccess, Call, ClientKey, Credentials, DeliverDecision, Event, Failure,
    FailureKind, Hook, Message, Parcel, Plugin, Recipients, Routing, SubscribeRequest, Verdict, WillCause,
    WillDelays,
};
use hookwire_plugin_host::LoadedPlugin;
use hookwire_plugin_host::recording::{EnhancedQuestion, Exchange, NotAQuestion};
use hookwire_protocol::SharedFilter;

use crate::waiting::wait_for;

/// A question that can be put as often as one likes.
#[derive(Debug)]
pub struct Question(Kind);

#[derive(Debug)]
enum Kind {
    Authenticate(Arc<Credentials>),
    Begin {
        method: ByteString,
        data: Option<Bytes>,
        who: Arc<Credentials>,
    },
    Continue {
        method: ByteString,
        data: Option<Bytes>,
        state: Vec<u8>,
    },
    Authorize(AskedAccess),
    OnSubscribe(ClientKey, SubscribeRequest),
    OnUnsubscribe(ClientKey, SharedFilter),
    OnPublish(Message),
    Route(Message, Recipients),
    Deliver(Parcel),
    OnWill {
        client: ClientKey,
        cause: WillCause,
        delays: WillDelays,
        message: Message,
    },
    Events(Vec<Event>),
    Control(String),
}

impl Question {
    /// The question of an exchange.
    ///
    /// # Errors
    /// No broker could ask this.
    pub fn of(exchange: &Exchange) -> Result<Self, NotAQuestion> {
        Ok(Self(match exchange {
            Exchange::Authenticate { question, .. } => {
                Kind::Authenticate(Arc::new((**question).clone().try_into()?))
            }
            Exchange::AuthenticateEnhanced { question, .. } => step(question)?,
            Exchange::Authorize { question, .. } => {
                Kind::Authorize(AskedAccess::from(&Access::try_from(question)?))
            }
            Exchange::OnSubscribe { question, .. } => Kind::OnSubscribe(
                ClientKey(question.client),
                question.subscription.clone().try_into()?,
            ),
            Exchange::OnUnsubscribe { question, .. } => {
                Kind::OnUnsubscribe(ClientKey(question.client), question.filter()?)
            }
            Exchange::OnPublish { question, .. } => Kind::OnPublish(question.message.clone().try_into()?),
            Exchange::Route { question, .. } => {
                Kind::Route(question.message.clone().try_into()?, question.recipients())
            }
            Exchange::Deliver { question, .. } => Kind::Deliver((**question).clone().try_into()?),
            Exchange::OnWill { question, .. } => Kind::OnWill {
                client: ClientKey(question.client),
                cause: question.cause()?,
                delays: question.delays(),
                message: question.message.clone().try_into()?,
            },
            Exchange::Events { question } => {
                let events = question.iter().cloned().map(Event::try_from);
                Kind::Events(events.collect::<Result<_, _>>()?)
            }
            Exchange::Control { question, .. } => Kind::Control(question.request()?),
        }))
    }

    /// The message that on-publish is asked about.
    pub fn message(&self) -> Option<&Message> {
        match &self.0 {
            Kind::OnPublish(message) => Some(message),
            _ => None,
        }
    }

    /// Puts the question, waits for the answer, and shows what came of it.
    pub fn put<R>(&self, plugin: &Arc<LoadedPlugin>, show: impl FnOnce(Call<'_>) -> R) -> R {
        match &self.0 {
            Kind::Authenticate(who) => show(Call::Authenticate {
                who,
                answer: &wait_for(Arc::clone(plugin).authenticate(Arc::clone(who))),
            }),
            Kind::Begin { method, data, who } => show(Call::BeginAuthentication {
                method,
                data: data.as_deref(),
                who,
                answer: &wait_for(Arc::clone(plugin).begin_authentication(
                    method.clone(),
                    data.clone(),
                    Arc::clone(who),
                )),
            }),
            Kind::Continue { method, data, state } => show(Call::ContinueAuthentication {
                method,
                data: data.as_deref(),
                state,
                answer: &wait_for(Arc::clone(plugin).continue_authentication(
                    method.clone(),
                    data.clone(),
                    state.clone(),
                )),
            }),
            Kind::Authorize(access) => show(Call::Authorize {
                access: &access.as_access(),
                answer: &authorize(plugin, access),
            }),
            Kind::OnSubscribe(client, request) => show(Call::OnSubscribe {
                client: *client,
                request,
                answer: &plugin.on_subscribe(*client, request),
            }),
            Kind::OnUnsubscribe(client, filter) => show(Call::OnUnsubscribe {
                client: *client,
                filter,
                answer: &plugin.on_unsubscribe(*client, filter),
            }),
            Kind::OnPublish(message) => show(Call::OnPublish {
                message,
                answer: &judge(plugin, message),
            }),
            Kind::Route(message, recipients) => show(Call::Route {
                message,
                recipients,
                answer: &route(plugin, message, recipients),
            }),
            Kind::Deliver(parcel) => show(Call::Deliver {
                parcel,
                answer: &deliver(plugin, parcel),
            }),
            Kind::OnWill {
                client,
                cause,
                delays,
                message,
            } => show(Call::OnWill {
                client: *client,
                cause: *cause,
                delays: *delays,
                message,
                answer: &plugin.on_will(*client, *cause, *delays, message),
            }),
            Kind::Events(events) => {
                wait_for(Arc::clone(plugin).events(events.clone()));
                show(Call::Events { events })
            }
            Kind::Control(request) => show(Call::Control {
                request,
                answer: &wait_for(Arc::clone(plugin).control(request.clone())),
            }),
        }
    }
}

fn step(question: &EnhancedQuestion) -> Result<Kind, NotAQuestion> {
    let (method, data) = (question.method.as_str().into(), question.data()?.map(Bytes::from));
    Ok(match &question.who {
        Some(who) => Kind::Begin {
            method,
            data,
            who: Arc::new(who.clone().try_into()?),
        },
        None => Kind::Continue {
            method,
            data,
            state: question.state()?.unwrap_or_default(),
        },
    })
}

/// As the broker asks when the client can be made to wait.
fn authorize(plugin: &Arc<LoadedPlugin>, access: &AskedAccess) -> Result<AccessAnswer, Failure> {
    if plugin.waits_for_access(access.action) {
        wait_for(Arc::clone(plugin).authorize_waiting(access.clone()))
    } else {
        plugin.authorize(&access.as_access())
    }
}

/// One message, judged as the broker has it judged when no other waits.
fn judge(plugin: &Arc<LoadedPlugin>, message: &Message) -> Result<Verdict, Failure> {
    let mut verdicts = if plugin.waits_for_messages(Hook::OnPublish) {
        wait_for(Arc::clone(plugin).on_publish_waiting(vec![message.clone()]))
    } else {
        plugin.on_publish(&[message])
    };
    verdicts.pop().unwrap_or_else(|| Err(no_verdict()))
}

fn route(plugin: &Arc<LoadedPlugin>, message: &Message, recipients: &Recipients) -> Result<Routing, Failure> {
    if plugin.waits_for_messages(Hook::Route) {
        wait_for(Arc::clone(plugin).route_waiting(message.clone(), recipients.clone()))
    } else {
        plugin.route(message, recipients)
    }
}

/// One delivery, judged as the broker has it judged when there is no other recipient.
fn deliver(plugin: &LoadedPlugin, parcel: &Parcel) -> Result<DeliverDecision, Failure> {
    plugin
        .deliver(&[parcel])
        .pop()
        .unwrap_or_else(|| Err(no_verdict()))
}

fn no_verdict() -> Failure {
    Failure {
        kind: FailureKind::InvalidAnswer,
        detail: "no verdict".to_owned(),
    }
}
