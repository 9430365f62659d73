//! A question that was written down, as the hooks are asked it.

use std::sync::Arc;

use bytestring::ByteString;
use hookwire_hooks::{
    Access, Action, Call, ClientKey, Credentials, DeliverDecision, Event, Failure, FailureKind, Message,
    Parcel, Plugin, Recipients, SubscribeRequest, Verdict, WillCause, WillDelays,
};
use hookwire_plugin_host::LoadedPlugin;
use hookwire_plugin_host::recording::{EnhancedQuestion, Exchange, NotAQuestion};
use hookwire_protocol::{QoS, SharedFilter};

/// A question that can be put as often as one likes.
#[derive(Debug)]
pub struct Question(Kind);

#[derive(Debug)]
enum Kind {
    Authenticate(Credentials),
    Begin {
        method: String,
        data: Option<Vec<u8>>,
        who: Credentials,
    },
    Continue {
        method: String,
        data: Option<Vec<u8>>,
        state: Vec<u8>,
    },
    Authorize {
        client: ClientKey,
        action: Action,
        topic: ByteString,
        qos: QoS,
        retain: bool,
    },
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
            Exchange::Authenticate { question, .. } => Kind::Authenticate((**question).clone().try_into()?),
            Exchange::AuthenticateEnhanced { question, .. } => step(question)?,
            Exchange::Authorize { question, .. } => {
                let access = Access::try_from(question)?;
                Kind::Authorize {
                    client: access.client,
                    action: access.action,
                    topic: access.topic.into(),
                    qos: access.qos,
                    retain: access.retain,
                }
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

    /// Puts the question and shows what came of it.
    pub fn put<R>(&self, plugin: &Arc<LoadedPlugin>, show: impl FnOnce(Call<'_>) -> R) -> R {
        match &self.0 {
            Kind::Authenticate(who) => show(Call::Authenticate {
                who,
                answer: &plugin.authenticate(who),
            }),
            Kind::Begin { method, data, who } => show(Call::BeginAuthentication {
                method,
                data: data.as_deref(),
                who,
                answer: &plugin.begin_authentication(method, data.as_deref(), who),
            }),
            Kind::Continue { method, data, state } => show(Call::ContinueAuthentication {
                method,
                data: data.as_deref(),
                state,
                answer: &plugin.continue_authentication(method, data.as_deref(), state),
            }),
            Kind::Authorize {
                client,
                action,
                topic,
                qos,
                retain,
            } => {
                let access = Access {
                    client: *client,
                    action: *action,
                    topic,
                    qos: *qos,
                    retain: *retain,
                };
                show(Call::Authorize {
                    access: &access,
                    answer: &plugin.authorize(&access),
                })
            }
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
                answer: &plugin.route(message, recipients),
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
                plugin.events(events);
                show(Call::Events { events })
            }
            Kind::Control(request) => show(Call::Control {
                request,
                answer: &plugin.control(request),
            }),
        }
    }
}

fn step(question: &EnhancedQuestion) -> Result<Kind, NotAQuestion> {
    let (method, data) = (question.method.clone(), question.data()?);
    Ok(match &question.who {
        Some(who) => Kind::Begin {
            method,
            data,
            who: who.clone().try_into()?,
        },
        None => Kind::Continue {
            method,
            data,
            state: question.state()?.unwrap_or_default(),
        },
    })
}

/// One message, judged as the broker has it judged when no other waits.
fn judge(plugin: &LoadedPlugin, message: &Message) -> Result<Verdict, Failure> {
    plugin
        .on_publish(&[message])
        .pop()
        .unwrap_or_else(|| Err(no_verdict()))
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
