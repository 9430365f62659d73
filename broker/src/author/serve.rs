//! `hookwire plugin serve`: the other end of the SDK's `mock::Subject`, which puts a plugin's own tests to its component.
//!
//! One line of JSON each way, of the form of recordings. The first configures:
//!
//! ```text
//! {"config":{"max_bytes":3},"secrets":{…}}
//! {"loaded":{}}                             or {"problems":[{"path":"max_bytes","message":"…"}]} or {"error":"…"}
//! ```
//!
//! Each further one asks, and says what the mock knows at that moment:
//!
//! ```text
//! {"hook":"on-publish","question":{…},"clients":[…],"retained":[…],"unix_ms":…,"monotonic_ns":…,"random":…}
//! {"answer":{…},"log":[…],"published":[…],"retained":[…],"disconnected":[…],"metrics":{…},"random":…}  or {"error":"…"}
//! ```

use std::io::{BufRead, Write, stdin};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hookwire_hooks::{ClientKey, Message};
use hookwire_plugin_host::recording::{Blob, MessageRecord};
use hookwire_plugin_host::{LoadError, MetricValue, PluginSpec, Secret};
use hookwire_plugin_test::{Actor, Stage, client, exchange, wait_for};
use serde_json::{Map, Value, json};

use super::entry;
use crate::output::output;

/// Answers until standard input ends.
pub(super) fn serve(file: &Path) -> anyhow::Result<()> {
    let stage = super::stage()?;
    let mut plugin = None;
    for line in stdin().lock().lines() {
        let request: Value = serde_json::from_str(&line?)?;
        let reply = match (&plugin, request.get("config")) {
            (_, Some(_)) => match stage.load(&spec(file, &request)?) {
                Ok(actor) => {
                    plugin = Some(actor);
                    json!({ "loaded": {} })
                }
                Err(error) => refusal(error),
            },
            (Some(plugin), None) => {
                answer(&stage, plugin, request).unwrap_or_else(|error| json!({ "error": error }))
            }
            (None, None) => json!({ "error": "the first line configures" }),
        };
        let mut out = output();
        writeln!(out, "{reply}")?;
        out.flush()?;
    }
    Ok(())
}

/// Everything is granted, and the secrets are those of the mock.
fn spec(file: &Path, request: &Value) -> anyhow::Result<PluginSpec> {
    let mut spec = entry::unconfigured(file);
    spec.config = request["config"].clone();
    let secrets = request["secrets"].as_object();
    for (name, secret) in secrets.into_iter().flatten() {
        let Blob(bytes) = serde_json::from_value(secret.clone())?;
        spec.grants.secrets.insert(name.clone(), Secret(bytes.into()));
    }
    Ok(spec)
}

fn refusal(error: LoadError) -> Value {
    match error {
        LoadError::ConfigRefused { problems } => {
            let problems = problems.into_iter();
            let problems =
                problems.map(|problem| json!({ "path": problem.path, "message": problem.message }));
            json!({ "problems": problems.collect::<Vec<_>>() })
        }
        error => json!({ "error": error.to_string() }),
    }
}

fn answer(stage: &Stage, plugin: &Actor, mut request: Value) -> Result<Value, String> {
    surround(stage, &mut request)?;
    let answer = if request["hook"] == "tick" {
        wait_for(Arc::clone(plugin.plugin()).try_tick())?;
        Value::Null
    } else {
        let hook = request["hook"].as_str().unwrap_or_default().to_owned();
        let question = exchange(&hook, request["question"].take(), Value::Null)?;
        let asked = plugin.ask(&question).map_err(|error| error.to_string())?;
        json!(asked)["answer"].take()
    };
    let effects = stage.broker().take_effects();
    let records = |messages: &[Message]| messages.iter().map(MessageRecord::from).collect::<Vec<_>>();
    let keys = |keys: &[ClientKey]| keys.iter().map(|key| key.0).collect::<Vec<_>>();
    Ok(json!({
        "answer": answer,
        "log": effects.log,
        "published": records(&effects.published),
        "retained": records(&stage.broker().retained_messages()),
        "disconnected": keys(&effects.disconnected),
        "forgotten": keys(&effects.forgotten),
        "reauthorized": keys(&effects.reauthorized),
        "observed": effects.observed,
        "metrics": metrics(plugin),
        "random": stage.broker().random(),
    }))
}

/// Makes the world around the plugin what the mock says that it is.
fn surround(stage: &Stage, request: &mut Value) -> Result<(), String> {
    let broker = stage.broker();
    broker.forget_clients();
    if let Value::Array(clients) = request["clients"].take() {
        for facts in clients {
            broker.add_client(client(facts)?);
        }
    }
    let retained: Vec<MessageRecord> =
        serde_json::from_value(request["retained"].take()).map_err(|error| error.to_string())?;
    let retained = retained.into_iter().map(Message::try_from);
    let retained = retained.collect::<Result<_, _>>();
    broker.set_retained(retained.map_err(|error| error.to_string())?);
    let number = |key: &str| request[key].as_u64().unwrap_or_default();
    broker.set_time(
        Duration::from_millis(number("unix_ms")),
        Duration::from_nanos(number("monotonic_ns")),
    );
    broker.set_random(number("random"));
    broker.take_effects();
    Ok(())
}

fn metrics(plugin: &Actor) -> Map<String, Value> {
    let metrics = plugin.plugin().stats().metrics.into_iter();
    let metrics = metrics.filter_map(|(name, value)| {
        let value = match value {
            MetricValue::Count(count) => json!({ "count": count }),
            MetricValue::Gauge(gauge) => json!({ "gauge": gauge }),
            // Told value by value.
            MetricValue::Histogram(_) => return None,
        };
        Some((name, value))
    });
    metrics.collect()
}
