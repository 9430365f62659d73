//! Looking on: `GET /v1/explain` and `GET /v1/plugins/NAME/record`.

use std::time::Duration;

use bytes::Bytes;
use hookwire_plugin_host::recording::{FORMAT, Header};
use hookwire_protocol::TopicFilter;
use hyper::StatusCode;

use super::Admin;
use super::plugins::in_force;
use super::query::{self, Query, bad};
use super::reply::{self, Refusal, Reply, Stream};
use crate::clock;
use crate::config::AdminSettings;
use crate::metrics::Limit;
use crate::watch::{Bounds, Subject};

/// `GET /v1/explain?client=ID&topic=FILTER&count=N&seconds=S&payload=true`
pub(super) fn explain(admin: &Admin, settings: &AdminSettings, mut query: Query) -> Result<Reply, Refusal> {
    let client = query.text("client");
    let topic = query
        .text("topic")
        .map(|text| TopicFilter::new(text).map_err(|error| bad(format!("topic: {error}"))))
        .transpose()?;
    let payload = query.read("payload")?.unwrap_or(false);
    if client.is_none() && topic.is_none() {
        return Err(bad("client or topic is needed: which messages?"));
    }
    let subject = Subject::Explain {
        client,
        topic,
        payload,
    };
    watch(admin, settings, query, subject, None)
}

/// `GET /v1/plugins/NAME/record?count=N&seconds=S&secrets=true`
pub(super) fn record(
    admin: &Admin,
    settings: &AdminSettings,
    name: &str,
    mut query: Query,
) -> Result<Reply, Refusal> {
    let with_secrets = query.read("secrets")?.unwrap_or(false);
    let stats = in_force(admin, name)?.stats();
    let header = Header {
        hookwire_recording: FORMAT,
        plugin: name.to_owned(),
        sha256: stats.sha256,
        generation: admin.policy().generation(),
        began_at_ms: clock::unix_ms(),
        secrets: with_secrets,
    };
    let mut first = serde_json::to_vec(&header).map_err(bad)?;
    first.push(b'\n');
    if with_secrets {
        tracing::warn!(plugin = name, "passwords are being recorded");
    }
    let subject = Subject::Record {
        plugin: name.to_owned(),
        with_secrets,
    };
    watch(admin, settings, query, subject, Some(first.into()))
}

fn watch(
    admin: &Admin,
    settings: &AdminSettings,
    mut query: Query,
    subject: Subject,
    first: Option<Bytes>,
) -> Result<Reply, Refusal> {
    let lines_max: Option<u64> = query.read("count")?;
    let time: Option<Duration> = query::seconds(&mut query, "seconds")?;
    query.finish()?;
    let bounds = Bounds {
        lines_max: lines_max.unwrap_or(u64::MAX),
        waiting_bytes_max: settings.watch_bytes_max,
    };
    let watches = admin.broker().watches();
    let Some(lines) = watches.open(subject, bounds, settings.watches_max) else {
        admin.reached(Limit::AdminWatchesMax);
        let text = format!("{} watch already", settings.watches_max);
        return Err(reply::error(StatusCode::TOO_MANY_REQUESTS, text));
    };
    let time = time
        .unwrap_or(settings.watch_time_max)
        .min(settings.watch_time_max);
    Ok(reply::lines(Stream {
        first,
        lines,
        until: Box::pin(tokio::time::sleep(time)),
    }))
}
