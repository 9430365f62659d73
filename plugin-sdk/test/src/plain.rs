//! What a question says that leaves most of it out: the plain client, the plain message.

use hookwire_hooks::{ClientFacts, Hook, HookSet, Message};
use hookwire_plugin_host::recording::{ClientRecord, Exchange, MessageRecord};
use serde_json::{Map, Value, json};

/// The client that a question is about if it does not say.
const CLIENT: u64 = 1;

/// A question of a hook with what it leaves out, and an expected answer; `Null`: any.
///
/// # Errors
/// Why there is no such question, or no such answer.
pub fn exchange(hook: &str, question: Value, answer: Value) -> Result<Exchange, String> {
    let question = fill(question, plain_question(hook)?);
    let mut exchange = json!({ "hook": hook, "question": question });
    if hook != Hook::Events.as_str() {
        exchange["answer"] = expected(answer);
    } else if !answer.is_null() {
        return Err("there is no answer to events".to_owned());
    }
    serde_json::from_value(exchange).map_err(|error| error.to_string())
}

/// Facts about a client, with what is left out.
///
/// # Errors
/// Why there is no such client.
pub fn client(client: Value) -> Result<ClientFacts, String> {
    let plain = json!({
        "key": CLIENT,
        "address": "192.0.2.1:50000",
        "listener": "default",
        "version": "5.0",
        "connected_at_ms": 0,
    });
    let record: ClientRecord =
        serde_json::from_value(fill(client, plain)).map_err(|error| error.to_string())?;
    ClientFacts::try_from(record).map_err(|error| error.to_string())
}

/// A retained message, with what is left out; an error says why there is none such.
pub(crate) fn retained(message: Value) -> Result<Message, String> {
    let plain = json!({ "source": { "client": CLIENT }, "payload": "", "qos": 0, "retain": true });
    let record: MessageRecord =
        serde_json::from_value(fill(message, plain)).map_err(|error| error.to_string())?;
    Message::try_from(record).map_err(|error| error.to_string())
}

/// One plain question for each hook.
pub fn plain_questions(hooks: HookSet) -> Vec<Exchange> {
    let names = hooks.iter().map(Hook::as_str);
    names
        .filter_map(|name| exchange(name, sample(name), Value::Null).ok())
        .collect()
}

/// What makes a plain question out of nothing, where a user has to say at least this.
fn sample(hook: &str) -> Value {
    let message = json!({ "topic": "sensors/1/temperature", "payload": "{\"celsius\":21.5}" });
    match hook {
        "authenticate" => json!({ "client_id": "lamp", "username": "light", "password": "secret" }),
        "authenticate-enhanced" => json!({ "method": "SCRAM-SHA-256" }),
        "authorize" => json!({ "topic": "sensors/1/temperature" }),
        "on-subscribe" | "on-unsubscribe" => json!({ "filter": "sensors/+/temperature" }),
        "events" => json!([{ "client_id": "lamp", "what": "session-created" }]),
        "control" => json!({ "request": "{}" }),
        _ => json!({ "message": message }),
    }
}

/// What a question says where its author does not.
fn plain_question(hook: &str) -> Result<Value, String> {
    let message = json!({
        "source": { "client": CLIENT },
        "topic": "a",
        "payload": "",
        "qos": 0,
        "retain": false,
    });
    Ok(match hook {
        "authenticate" => plain_credentials(),
        "authenticate-enhanced" => json!({ "who": plain_credentials() }),
        "authorize" => json!({ "client": CLIENT, "action": "publish", "qos": 0, "retain": false }),
        "on-subscribe" => json!({
            "client": CLIENT,
            "qos": 0,
            "no_local": false,
            "retain_as_published": false,
            "retain_handling": 0,
        }),
        "on-unsubscribe" => json!({ "client": CLIENT }),
        "on-publish" => json!({ "message": message }),
        "deliver" => json!({ "recipient": CLIENT, "message": message }),
        "route" => json!({ "message": message, "recipients": [] }),
        "on-will" => json!({
            "client": CLIENT,
            "cause": "connection-lost",
            "message": fill(json!({ "source": { "will": CLIENT } }), message),
        }),
        "events" => json!([{ "at_ms": 0, "client": CLIENT, "client_id": "" }]),
        "control" => json!({}),
        other => return Err(format!("there is no hook {other:?}")),
    })
}

fn plain_credentials() -> Value {
    json!({
        "client_id": "",
        "address": "192.0.2.1:50000",
        "listener": "default",
        "version": "5.0",
        "clean_start": true,
    })
}

/// `"pass"` is short for `{ answer = "pass" }`.
fn expected(answer: Value) -> Value {
    match answer {
        Value::Null => json!({ "failure": "", "detail": "" }),
        Value::String(name) if name == "default" => json!({}),
        Value::String(name) => json!({ "answer": name }),
        other => other,
    }
}

/// The given value with what it lacks of the plain one. Each item of a list is filled from the one plain item. A message's
/// source is one of several and taken as a whole, and so is the first step of an exchange, which a state rules out.
fn fill(given: Value, plain: Value) -> Value {
    match (given, plain) {
        (Value::Object(given), Value::Object(plain)) => Value::Object(fill_object(given, plain)),
        (Value::Array(given), Value::Array(plain)) if plain.len() == 1 => given
            .into_iter()
            .map(|item| fill(item, plain[0].clone()))
            .collect(),
        (Value::Null, plain) => plain,
        (given, _) => given,
    }
}

fn fill_object(mut given: Map<String, Value>, plain: Map<String, Value>) -> Map<String, Value> {
    for (key, value) in plain {
        if key == "who" && given.contains_key("state") {
            continue;
        }
        match given.remove(&key) {
            Some(said) if key == "source" => given.insert(key, said),
            Some(said) => given.insert(key, fill(said, value)),
            None => given.insert(key, value),
        };
    }
    given
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_needs_to_say_only_what_matters() {
        let short = exchange(
            "on-publish",
            json!({ "message": { "topic": "a/b" } }),
            json!("pass"),
        )
        .unwrap();
        let long = json!({
            "hook": "on-publish",
            "question": { "message": {
                "source": { "client": 1 }, "topic": "a/b", "payload": "", "qos": 0, "retain": false,
            } },
            "answer": { "answer": "pass" },
        });
        assert_eq!(serde_json::to_value(&short).unwrap(), long);

        let will = json!({ "message": { "topic": "a" } });
        let Exchange::OnWill { question, .. } = exchange("on-will", will, Value::Null).unwrap() else {
            panic!("another hook")
        };
        assert_eq!(
            question.message.source,
            hookwire_plugin_host::recording::SourceRecord::Will(1)
        );
    }

    #[test]
    fn a_later_step_has_no_client() {
        let step = json!({ "method": "X", "state": "s", "data": "d" });
        let Exchange::AuthenticateEnhanced { question, .. } =
            exchange("authenticate-enhanced", step, json!("next")).unwrap()
        else {
            panic!("another hook")
        };
        assert_eq!(question.who, None);
    }

    #[test]
    fn what_is_none_is_named() {
        let error =
            |hook: &str, question: Value, answer: Value| exchange(hook, question, answer).unwrap_err();
        assert!(error("on-publsh", json!({}), Value::Null).contains("\"on-publsh\""));
        assert!(error("on-publish", json!({ "mesage": 1 }), Value::Null).contains("mesage"));
        assert!(exchange("on-publish", json!({}), json!("maybe")).is_err());
        assert!(
            client(json!({ "clientid": "x" }))
                .unwrap_err()
                .contains("clientid")
        );
        assert!(client(json!({ "client_id": "x" })).is_ok());
    }

    #[test]
    fn there_is_a_plain_question_for_every_hook() {
        let all = Hook::ALL.into_iter().fold(HookSet::EMPTY, HookSet::with);
        assert_eq!(plain_questions(all).len(), Hook::ALL.len());
    }
}
