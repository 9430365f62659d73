//! What is told to those who look on, and how it reads.

use std::sync::Arc;
use std::time::Duration;

use hookwire_hooks::{AccessDecision, Action, Call, ClientFacts, DropCause, Matter, Message, Rejection};
use hookwire_plugin_host::recording::{Case, ClientRecord, Exchange, MessageRecord};
use serde_json::{Map, Value, json};

use crate::clock;

/// Something that happened.
#[derive(Debug, Clone, Copy)]
pub struct Happening<'a> {
    /// Client id of who published or asked, if it was a client.
    pub client: Option<&'a str>,
    /// Client id of the recipient, if it is about one.
    pub to: Option<&'a str>,
    /// The topic that it is about, unless a plugin was asked: then the question says.
    pub topic: Option<Matter<'a>>,
    /// What.
    pub what: What<'a>,
}

/// What happened.
#[derive(Debug, Clone, Copy)]
pub enum What<'a> {
    /// A message was published, and nobody has judged it yet.
    Arrived(&'a Message),
    /// A plugin was asked.
    Asked(Asked<'a>),
    /// An access was decided without asking a plugin.
    Decided {
        /// What was wanted.
        action: Action,
        /// By what it was decided.
        basis: Basis,
        /// The decision.
        decision: &'a AccessDecision,
        /// The policy in force.
        generation: u64,
    },
    /// All plugins have judged a message, and what came of it.
    Judged(Published<'a>),
    /// A message was given to a recipient; `true`: it waits for it.
    Delivered(bool),
    /// A message did not reach a recipient.
    Dropped(DropCause),
}

/// A plugin that was asked.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Its name.
    pub plugin: &'a str,
    /// The policy in which it was asked.
    pub generation: u64,
    /// Whether its answer counts for nothing.
    pub is_shadow: bool,
    /// How long it took.
    pub took: Duration,
    /// The client in question.
    pub facts: Option<&'a Arc<ClientFacts>>,
    /// Question and answer.
    pub call: &'a Call<'a>,
}

/// By what an access was decided, if not by a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// By the rules of the client's grant.
    Grant,
    /// By an answer that was given before and still holds.
    Memory,
}

/// What became of a message.
#[derive(Debug, Clone, Copy)]
pub enum Published<'a> {
    /// It went to its subscribers.
    Routed,
    /// There is none.
    NoSubscriber,
    /// A recipient, or the store of retained messages, has no room for it.
    NoRoom,
    /// A plugin made it larger than packets may be.
    TooLarge,
    /// A plugin that should have said who gets it has failed.
    Withheld,
    /// It came from a plugin that only wanted it retained, and is.
    Retained,
    /// A policy dropped it; the publisher sees success.
    Dropped,
    /// It was refused.
    Rejected(&'a Rejection),
    /// It was refused, and its publisher disconnected.
    Disconnected(&'a Rejection),
    /// A will that a policy keeps back.
    Suppressed,
    /// A will that a policy wants to be asked about again.
    Delayed(Duration),
}

impl<'a> Happening<'a> {
    /// Whether a client published, asked, or was to receive.
    pub(super) fn concerns(&self, client: &str) -> bool {
        [self.client, self.to].contains(&Some(client))
    }

    pub(super) fn matter(&self) -> Option<Matter<'a>> {
        match &self.what {
            What::Asked(asked) => asked.call.matter(),
            _ => self.topic,
        }
    }

    /// A line for a person, or for who makes one of it.
    pub(super) fn explanation(&self, with_payload: bool) -> Value {
        let mut line = Map::new();
        line.insert("at_ms".into(), clock::unix_ms().into());
        line.insert("event".into(), self.what.name().into());
        if let Some(client) = self.client {
            line.insert("client_id".into(), client.into());
        }
        if let Some(to) = self.to {
            line.insert("to".into(), to.into());
        }
        match self.matter() {
            Some(Matter::Topic(topic)) => line.insert("topic".into(), topic.as_str().into()),
            Some(Matter::Text(text)) => line.insert("topic".into(), text.into()),
            None => None,
        };
        if let Value::Object(more) = self.what.details(with_payload) {
            line.extend(more);
        }
        Value::Object(line)
    }
}

impl What<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::Arrived(_) => "published",
            Self::Asked(_) => "asked",
            Self::Decided { .. } => "decided",
            Self::Judged(_) => "outcome",
            Self::Delivered(_) => "delivered",
            Self::Dropped(_) => "dropped",
        }
    }

    fn details(&self, with_payload: bool) -> Value {
        match self {
            Self::Arrived(message) => arrived(message, with_payload),
            Self::Asked(asked) => asked.explanation(with_payload),
            Self::Decided {
                action,
                basis,
                decision,
                generation,
            } => json!({
                "action": action_name(*action),
                "by": match basis { Basis::Grant => "grant", Basis::Memory => "remembered-answer" },
                "decision": decision_name(decision),
                "generation": generation,
            }),
            Self::Judged(published) => published.details(),
            Self::Delivered(waits) => json!({ "waits": waits }),
            Self::Dropped(cause) => json!({ "cause": cause.as_str() }),
        }
    }
}

fn arrived(message: &Message, with_payload: bool) -> Value {
    let mut record = json!(MessageRecord::from(message));
    hide_payload(&mut record, with_payload);
    if let Value::Object(fields) = &mut record {
        // It is told anyway.
        fields.remove("topic");
    }
    record
}

/// In place of a payload only its size is shown, unless it was asked for.
fn hide_payload(value: &mut Value, with_payload: bool) {
    if with_payload {
        return;
    }
    if let Value::Object(fields) = value
        && let Some(payload) = fields.remove("payload")
    {
        let bytes = match &payload {
            Value::String(text) => text.len(),
            other => other["base64"]
                .as_str()
                .map_or(0, |text| text.trim_end_matches('=').len() * 3 / 4),
        };
        fields.insert("payload_bytes".into(), bytes.into());
    }
}

pub(super) fn action_name(action: Action) -> &'static str {
    match action {
        Action::Publish => "publish",
        Action::Subscribe => "subscribe",
        Action::Deliver => "deliver",
        Action::Will => "will",
    }
}

fn decision_name(decision: &AccessDecision) -> &'static str {
    match decision {
        AccessDecision::Next => "next",
        AccessDecision::Allow => "allow",
        AccessDecision::Deny(_) => "deny",
        AccessDecision::Disconnect(_) => "disconnect",
    }
}

impl Published<'_> {
    fn details(&self) -> Value {
        match self {
            Self::Routed => json!({ "outcome": "routed" }),
            Self::NoSubscriber => json!({ "outcome": "no-subscriber" }),
            Self::NoRoom => json!({ "outcome": "no-room" }),
            Self::TooLarge => json!({ "outcome": "too-large" }),
            Self::Withheld => json!({ "outcome": "withheld" }),
            Self::Retained => json!({ "outcome": "retained" }),
            Self::Dropped => json!({ "outcome": "dropped" }),
            Self::Rejected(rejection) => refusal("rejected", rejection),
            Self::Disconnected(rejection) => refusal("disconnected", rejection),
            Self::Suppressed => json!({ "outcome": "suppressed" }),
            Self::Delayed(delay) => json!({ "outcome": "delayed", "secs": delay.as_secs() }),
        }
    }
}

fn refusal(outcome: &str, rejection: &Rejection) -> Value {
    json!({
        "outcome": outcome,
        "reason": rejection.reason.as_str(),
        "reason_code": rejection.reason.code(),
        "text": rejection.text.as_deref(),
    })
}

impl Asked<'_> {
    /// Whom it was about, by client id.
    pub(super) fn client_id(&self) -> Option<&str> {
        let facts = self.facts.map(|facts| &*facts.client_id);
        facts.or_else(|| self.call.credentials().map(|who| &*who.client_id))
    }

    fn explanation(&self, with_payload: bool) -> Value {
        let exchange = json!(Exchange::new(self.call, false));
        let mut answer = exchange.get("answer").cloned().unwrap_or(Value::Null);
        hide_payload(&mut answer, with_payload);
        let mut line = json!({
            "plugin": self.plugin,
            "hook": self.call.hook().as_str(),
            "generation": self.generation,
            "took_us": micros(self.took),
            "answer": answer,
        });
        if self.is_shadow {
            line["shadow"] = true.into();
        }
        if let Call::Authorize { access, .. } = self.call {
            line["action"] = action_name(access.action).into();
        }
        line
    }

    pub(super) fn case(&self, with_secrets: bool) -> Value {
        json!(Case {
            at_ms: clock::unix_ms(),
            took_us: micros(self.took),
            clients: self
                .facts
                .map(|facts| ClientRecord::from(&**facts))
                .into_iter()
                .collect(),
            exchange: Exchange::new(self.call, with_secrets),
        })
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
