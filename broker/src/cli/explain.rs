//! `hookwire explain`

use std::io::Write;

use anyhow::ensure;
use clap::Args;
use serde_json::Value;

use super::endpoint::{EndpointArgs, block_on, encoded};
use super::table::printable;
use crate::output::{output, remark};

/// Which messages to explain, and for how long.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Messages from and to this client
    #[arg(long, value_name = "ID")]
    client: Option<String>,
    /// Messages of topics that match this filter
    #[arg(long, value_name = "FILTER")]
    topic: Option<String>,
    /// End after so many lines
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// End after so many seconds
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<f64>,
    /// Show payloads too
    #[arg(long)]
    payload: bool,
    /// Lines of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    endpoint: EndpointArgs,
}

impl ExplainArgs {
    pub(super) fn execute(self) -> anyhow::Result<()> {
        ensure!(
            self.client.is_some() || self.topic.is_some(),
            "--client ID or --topic FILTER is needed: which messages?"
        );
        let endpoint = self.endpoint.find()?;
        let begun = || remark("watching; Ctrl-C ends it");
        block_on(endpoint.lines(&self.path(), begun, |line| {
            let mut out = output();
            if self.json {
                out.write_all(line)?;
            } else if let Ok(event) = serde_json::from_slice(line) {
                writeln!(out, "{}", sentence(&event))?;
            }
            Ok(out.flush()?)
        }))
    }

    fn path(&self) -> String {
        let pairs = [
            ("client", self.client.clone()),
            ("topic", self.topic.clone()),
            ("count", self.count.map(|count| count.to_string())),
            ("seconds", self.seconds.map(|seconds| seconds.to_string())),
            ("payload", self.payload.then(|| "true".to_owned())),
        ];
        let pairs = pairs
            .iter()
            .filter_map(|(key, value)| Some(format!("{key}={}", encoded(value.as_ref()?))));
        format!("/v1/explain?{}", pairs.collect::<Vec<_>>().join("&"))
    }
}

/// One line for a person: when, who, where, what.
fn sentence(event: &Value) -> String {
    let who = event["client_id"]
        .as_str()
        .map(printable)
        .unwrap_or_else(|| "-".to_owned());
    let topic = event["topic"]
        .as_str()
        .map(printable)
        .unwrap_or_else(|| "-".to_owned());
    format!("{} {who} {topic}  {}", time(&event["at_ms"]), what(event))
}

fn what(event: &Value) -> String {
    let text = |key: &str| event[key].as_str().map(printable).unwrap_or_default();
    match event["event"].as_str() {
        Some("published") => {
            let size = match event["payload"].as_str() {
                Some(payload) => format!("{:?}", printable(payload)),
                None if event["payload"].is_null() => format!("{} bytes", event["payload_bytes"]),
                None => format!("{}", event["payload"]),
            };
            let retain = if event["retain"] == true { ", retained" } else { "" };
            format!("published: {size}, QoS {}{retain}", event["qos"])
        }
        Some("asked") => format!(
            "{}{} {}{}: {} (generation {}, {} µs)",
            if event["shadow"] == true { "shadow " } else { "" },
            text("plugin"),
            text("hook"),
            event["action"]
                .as_str()
                .map(|action| format!(" {action}"))
                .unwrap_or_default(),
            answer(&event["answer"]),
            event["generation"],
            event["took_us"],
        ),
        Some("decided") => format!("{}: {} by {}", text("action"), text("decision"), text("by")),
        Some("outcome") => format!("outcome: {}{}", text("outcome"), why(event)),
        Some("delivered") if event["waits"] == true => format!("waits for {}", text("to")),
        Some("delivered") => format!("delivered to {}", text("to")),
        Some("dropped") => format!("dropped for {}: {}", text("to"), text("cause")),
        Some("lost") => format!(
            "{} lines are missing: they came faster than they were read",
            event["lines"]
        ),
        _ => event.to_string(),
    }
}

/// `deny "text"`, `failed: trap: …`, or what else there is.
fn answer(answer: &Value) -> String {
    if let Some(failure) = answer["failure"].as_str() {
        let detail = answer["detail"].as_str().unwrap_or_default();
        return format!("failed: {failure}: {}", printable(detail));
    }
    match answer["answer"].as_str() {
        Some(name) => format!("{name}{}", why(answer)),
        None if answer.is_null() => "told".to_owned(),
        None if answer.as_object().is_some_and(serde_json::Map::is_empty) => "no change".to_owned(),
        None => answer.to_string(),
    }
}

fn why(value: &Value) -> String {
    let reason = match &value["reason"] {
        Value::String(reason) => format!(", {reason}"),
        Value::Number(code) => format!(", reason {:#04x}", code.as_u64().unwrap_or_default()),
        _ => String::new(),
    };
    match value["text"].as_str() {
        Some(text) => format!("{reason}, {:?}", printable(text)),
        None => reason,
    }
}

/// Time of day, UTC.
fn time(at_ms: &Value) -> String {
    const DAY_SECS: u64 = 24 * 60 * 60;
    let Some(at_ms) = at_ms.as_u64() else {
        return "--:--:--.---".to_owned();
    };
    let (secs, millis) = (at_ms / 1000 % DAY_SECS, at_ms % 1000);
    format!(
        "{:02}:{:02}:{:02}.{millis:03}",
        secs / 3600,
        secs / 60 % 60,
        secs % 60
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_event_is_a_sentence() {
        for (event, expected) in [
            (
                json!({"at_ms": 3_723_004, "event": "published", "client_id": "lamp", "topic": "a/b", "qos": 1,
                       "retain": true, "payload_bytes": 2}),
                "01:02:03.004 lamp a/b  published: 2 bytes, QoS 1, retained",
            ),
            (
                json!({"at_ms": 0, "event": "asked", "client_id": "oven", "topic": "a", "plugin": "acl",
                       "hook": "authorize", "action": "publish", "generation": 3, "took_us": 12,
                       "answer": {"answer": "deny", "text": "not yours"}}),
                "00:00:00.000 oven a  acl authorize publish: deny, \"not yours\" (generation 3, 12 µs)",
            ),
            (
                json!({"at_ms": 0, "event": "asked", "topic": "a", "plugin": "p", "hook": "on-publish", "shadow": true,
                       "generation": 1, "took_us": 1, "answer": {"failure": "trap", "detail": "boom"}}),
                "00:00:00.000 - a  shadow p on-publish: failed: trap: boom (generation 1, 1 µs)",
            ),
            (
                json!({"at_ms": 0, "event": "outcome", "client_id": "c", "topic": "a", "outcome": "rejected",
                       "reason": "not authorized"}),
                "00:00:00.000 c a  outcome: rejected, not authorized",
            ),
            (
                json!({"at_ms": 0, "event": "dropped", "topic": "a", "to": "away", "cause": "queue-full"}),
                "00:00:00.000 - a  dropped for away: queue-full",
            ),
        ] {
            assert_eq!(sentence(&event), expected);
        }
    }
}
