//! `hookwire plugin serve`: the other end of the SDK's `mock::Subject`, which puts a plugin's own tests to its component.
//!
//! One line of JSON each way, of the form of recordings. The first configures:
//!
//! ```text
//! {"config":{"max_bytes":3}}
//! {"loaded":{}}                             or {"problems":[{"path":"max_bytes","message":"…"}]} or {"error":"…"}
//! ```
//!
//! Each further one asks, and says what the mock knows at that moment:
//!
//! ```text
//! {"hook":"on-publish","question":{…},"clients":[…],"unix_ms":…,"monotonic_ns":…,"random":…}
//! {"answer":{…},"log":[…],"published":[…],"disconnected":[…],"metrics":{…},"random":…}      or {"error":"…"}
//! ```

use std::io::{BufRead, Write, stdin, stdout};
use std::path::Path;
use std::time::Duration;

use hookwire_plugin_host::recording::MessageRecord;
use hookwire_plugin_host::{LoadError, MetricValue};
use hookwire_plugin_test::{Actor, Stage, client, exchange};
use serde_json::{Map, Value, json};

/// Answers until standard input ends.
pub(super) fn serve(file: &Path) -> anyhow::Result<()> {
    let stage = Stage::new()?;
    let mut plugin = None;
    for line in stdin().lock().lines() {
        let request: Value = serde_json::from_str(&line?)?;
        let reply = match (&plugin, request.get("config")) {
            (_, Some(config)) => match stage.load_file(file, config.clone()) {
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
        let mut out = stdout().lock();
        writeln!(out, "{reply}")?;
        out.flush()?;
    }
    Ok(())
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
        plugin.plugin().try_tick()?;
        Value::Null
    } else {
        let hook = request["hook"].as_str().unwrap_or_default().to_owned();
        let question = exchange(&hook, request["question"].take(), Value::Null)?;
        let asked = plugin.ask(&question).map_err(|error| error.to_string())?;
        json!(asked)["answer"].take()
    };
    let effects = stage.broker().take_effects();
    let published: Vec<_> = effects.published.iter().map(MessageRecord::from).collect();
    let disconnected: Vec<_> = effects.disconnected.iter().map(|key| key.0).collect();
    Ok(json!({
        "answer": answer,
        "log": effects.log,
        "published": published,
        "disconnected": disconnected,
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
    let metrics = metrics.map(|(name, value)| {
        let value = match value {
            MetricValue::Count(count) => json!({ "count": count }),
            MetricValue::Gauge(gauge) => json!({ "gauge": gauge }),
        };
        (name, value)
    });
    metrics.collect()
}
