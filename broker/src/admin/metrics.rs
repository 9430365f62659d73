//! `GET /metrics`

use hookwire_hooks::FailureKind;
use hookwire_plugin_host::{HookStats, MetricValue, PluginStats};

use super::Admin;
use super::exposition::{Exposition, Kind, number};
use super::plugins::hex;
use super::query;
use super::reply::{self, Reply};
use crate::clock;
use crate::in_force::{InForce, Outcome, Standing};
use crate::sys::Snapshot;

const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All figures of this moment.
pub(super) async fn scrape(admin: &Admin) -> Result<Reply, Reply> {
    let admin = admin.clone();
    let text = query::wait(move || {
        let snapshot = admin.broker().snapshot(clock::now());
        let mut text = Exposition::default();
        broker(&mut text, &snapshot);
        traffic(&mut text, &snapshot);
        kept(&mut text, &snapshot);
        limits(&mut text, &snapshot);
        policy(&mut text, &admin);
        plugins(&mut text, admin.in_force());
        text.into_text()
    })
    .await?;
    Ok(reply::text(FORMAT, text))
}

fn broker(text: &mut Exposition, snapshot: &Snapshot) {
    text.family("hookwire_info", Kind::Gauge, "The broker's version.")
        .sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    for (name, help, value) in [
        (
            "hookwire_uptime_seconds",
            "Time since the start.",
            snapshot.uptime_secs as usize,
        ),
        (
            "hookwire_clients_connected",
            "Sessions with a connection.",
            snapshot.online,
        ),
        (
            "hookwire_clients_connected_max",
            "The most there have been of those.",
            snapshot.online_max,
        ),
        (
            "hookwire_sessions",
            "Sessions, with a connection or without.",
            snapshot.sessions,
        ),
        (
            "hookwire_subscriptions",
            "Subscriptions, shared ones included.",
            snapshot.subscriptions,
        ),
        (
            "hookwire_shared_subscriptions",
            "Shared subscriptions, each member counted.",
            snapshot.shared_subscriptions,
        ),
        (
            "hookwire_memory_bytes",
            "Resident memory of the process.",
            snapshot.memory,
        ),
        (
            "hookwire_memory_bytes_max",
            "The most there has been of it.",
            snapshot.memory_max,
        ),
    ] {
        text.one(name, Kind::Gauge, help, value);
    }
}

fn traffic(text: &mut Exposition, snapshot: &Snapshot) {
    let traffic = &snapshot.traffic;
    for (name, help, value) in [
        ("hookwire_sockets_total", "Connections accepted.", traffic.sockets),
        (
            "hookwire_connections_total",
            "CONNECTs accepted.",
            traffic.connections,
        ),
        (
            "hookwire_packets_received_total",
            "Packets of any type from clients.",
            traffic.packets_received,
        ),
        (
            "hookwire_packets_sent_total",
            "Packets of any type to clients.",
            traffic.packets_sent,
        ),
        (
            "hookwire_publishes_received_total",
            "PUBLISH packets from clients.",
            traffic.publishes_received,
        ),
        (
            "hookwire_publishes_sent_total",
            "PUBLISH packets to clients.",
            traffic.publishes_sent,
        ),
        (
            "hookwire_publishes_dropped_total",
            "Messages that did not reach a client that they were for.",
            traffic.publishes_dropped,
        ),
        (
            "hookwire_publish_bytes_received_total",
            "Payload bytes from clients.",
            traffic.publish_bytes_received,
        ),
        (
            "hookwire_publish_bytes_sent_total",
            "Payload bytes to clients.",
            traffic.publish_bytes_sent,
        ),
        (
            "hookwire_bytes_received_total",
            "Bytes from clients.",
            traffic.bytes_received,
        ),
        (
            "hookwire_bytes_sent_total",
            "Bytes to clients.",
            traffic.bytes_sent,
        ),
        (
            "hookwire_sessions_expired_total",
            "Sessions that reached their expiry.",
            traffic.sessions_expired,
        ),
    ] {
        text.one(name, Kind::Counter, help, value);
    }
}

fn kept(text: &mut Exposition, snapshot: &Snapshot) {
    for (name, help, value) in [
        (
            "hookwire_retained_messages",
            "Retained messages.",
            snapshot.retained.messages,
        ),
        (
            "hookwire_retained_bytes",
            "Bytes of retained messages, topics included.",
            snapshot.retained.bytes,
        ),
        (
            "hookwire_queued_messages",
            "Messages that wait for their clients.",
            snapshot.queued.messages,
        ),
        (
            "hookwire_queued_bytes",
            "The same in bytes.",
            snapshot.queued.bytes,
        ),
        (
            "hookwire_inflight_messages",
            "Messages that were sent and are not acknowledged.",
            snapshot.inflight,
        ),
    ] {
        text.one(name, Kind::Gauge, help, value);
    }
}

fn limits(text: &mut Exposition, snapshot: &Snapshot) {
    let mut family = text.family(
        "hookwire_limit_reached_total",
        Kind::Counter,
        "How often a limit of the configuration was reached.",
    );
    for (limit, times) in &snapshot.limits {
        family.sample(&[("limit", limit.key())], times);
    }
}

fn policy(text: &mut Exposition, admin: &Admin) {
    let in_force = admin.in_force();
    text.one(
        "hookwire_policy_generation",
        Kind::Gauge,
        "Policies that were in force, this one included.",
        in_force.policy().generation,
    );
    text.one(
        "hookwire_policy_refused",
        Kind::Gauge,
        "1 while the configuration file is not what is in force, since it was refused.",
        u8::from(in_force.refusal().is_some()),
    );
    let mut reloads = text.family(
        "hookwire_reloads_total",
        Kind::Counter,
        "Looks at the configuration, by what came of them.",
    );
    for outcome in Outcome::ALL {
        reloads.sample(&[("outcome", outcome.as_str())], in_force.reloads(outcome));
    }
    text.one(
        "hookwire_watches",
        Kind::Gauge,
        "Watches (explain and record) that are open.",
        admin.broker().watches().count(),
    );
}

/// A plugin's name and its figures.
type Figures = (String, PluginStats);

fn plugins(text: &mut Exposition, in_force: &InForce) {
    let policy = in_force.policy();
    let mut info = text.family("hookwire_plugin_info", Kind::Gauge, "The plugins in force.");
    for Standing { plugin, since } in &policy.plugins {
        let labels = [
            ("plugin", &*plugin.spec().name),
            ("sha256", &hex(&plugin.digest())),
            ("generation", &since.to_string()),
        ];
        info.sample(&labels, 1);
    }
    let all: Vec<Figures> = policy
        .plugins
        .iter()
        .map(|standing| (standing.plugin.spec().name.clone(), standing.plugin.stats()))
        .collect();
    hooks(text, &all);
    instances(text, &all);
    http(text, &all);
    own(text, &all);
}

fn each_hook(all: &[Figures]) -> impl Iterator<Item = (&str, &HookStats)> {
    all.iter()
        .flat_map(|(plugin, stats)| stats.hooks.iter().map(move |hook| (&**plugin, hook)))
}

fn hooks(text: &mut Exposition, all: &[Figures]) {
    let mut questions = text.family(
        "hookwire_plugin_questions_total",
        Kind::Counter,
        "What plugins were asked: messages for on-publish, events for events, calls elsewhere.",
    );
    for (plugin, hook) in each_hook(all) {
        questions.sample(&[("plugin", plugin), ("hook", hook.hook.as_str())], hook.messages);
    }
    let mut verdicts = text.family(
        "hookwire_plugin_verdicts_total",
        Kind::Counter,
        "Answers of plugins by their name in the contract; those that never occurred are left out.",
    );
    for (plugin, hook) in each_hook(all) {
        for (verdict, times) in &hook.verdicts {
            let labels = [
                ("plugin", plugin),
                ("hook", hook.hook.as_str()),
                ("verdict", verdict),
            ];
            verdicts.sample(&labels, times);
        }
    }
    let mut failures = text.family(
        "hookwire_plugin_failures_total",
        Kind::Counter,
        "Questions that brought no answer, by what went wrong.",
    );
    for (plugin, hook) in each_hook(all) {
        for kind in FailureKind::ALL {
            let found = hook.failures.iter().find(|(failure, _)| *failure == kind);
            let labels = [
                ("plugin", plugin),
                ("hook", hook.hook.as_str()),
                ("kind", kind.as_str()),
            ];
            failures.sample(&labels, found.map_or(0, |(_, times)| *times));
        }
    }
    let mut calls = text.family(
        "hookwire_plugin_call_seconds",
        Kind::Summary,
        "Calls of plugins, and the time in them, waiting for an instance included.",
    );
    for (plugin, hook) in each_hook(all) {
        let labels = [("plugin", plugin), ("hook", hook.hook.as_str())];
        #[expect(clippy::cast_precision_loss, reason = "a sum of times is not that exact")]
        let secs = hook.total_ns as f64 / 1e9;
        calls.suffixed("_sum", &labels, number(secs));
        calls.suffixed("_count", &labels, hook.calls);
    }
}

/// A figure of each plugin: name, kind, help, and where it is.
type Figure = (&'static str, Kind, &'static str, fn(&PluginStats) -> u64);

const FIGURES: [Figure; 12] = [
    (
        "hookwire_plugin_instances",
        Kind::Gauge,
        "Instances that live now.",
        |stats| stats.instances.live as u64,
    ),
    (
        "hookwire_plugin_instances_created_total",
        Kind::Counter,
        "Instances made since the plugin was loaded.",
        |stats| stats.instances.created,
    ),
    (
        "hookwire_plugin_instances_discarded_total",
        Kind::Counter,
        "Instances dropped because a call of theirs failed.",
        |stats| stats.instances.discarded,
    ),
    (
        "hookwire_plugin_memory_bytes_max",
        Kind::Gauge,
        "Largest linear memory that an instance had.",
        |stats| stats.instances.memory_bytes_peak as u64,
    ),
    (
        "hookwire_plugin_batch_retries_total",
        Kind::Counter,
        "Batch calls that failed, after which their messages were judged one by one.",
        |stats| stats.batch_retries,
    ),
    (
        "hookwire_plugin_publishes_total",
        Kind::Counter,
        "Messages that plugins published.",
        |stats| stats.publishes,
    ),
    (
        "hookwire_plugin_publishes_dropped_total",
        Kind::Counter,
        "Messages that plugins published and there was no room for.",
        |stats| stats.publishes_dropped,
    ),
    (
        "hookwire_plugin_log_lines_suppressed_total",
        Kind::Counter,
        "Log lines beyond a plugin's rate.",
        |stats| stats.log_lines_suppressed,
    ),
    (
        "hookwire_plugin_ticks_total",
        Kind::Counter,
        "Ticks of plugins.",
        |stats| stats.ticks,
    ),
    (
        "hookwire_plugin_tick_failures_total",
        Kind::Counter,
        "Ticks and health checks that failed.",
        |stats| stats.tick_failures,
    ),
    (
        "hookwire_plugin_kv_entries",
        Kind::Gauge,
        "Keys in the stores of plugins.",
        |stats| stats.kv_entries as u64,
    ),
    (
        "hookwire_plugin_kv_bytes",
        Kind::Gauge,
        "Bytes of keys and values in the stores of plugins.",
        |stats| stats.kv_bytes as u64,
    ),
];

fn http(text: &mut Exposition, all: &[Figures]) {
    let mut requests = text.family(
        "hookwire_plugin_http_seconds",
        Kind::Summary,
        "HTTP requests of plugins, and the time in them.",
    );
    for (plugin, stats) in all {
        #[expect(clippy::cast_precision_loss, reason = "a sum of times is not that exact")]
        let secs = stats.http.total_ns as f64 / 1e9;
        requests.suffixed("_sum", &[("plugin", plugin)], number(secs));
        requests.suffixed("_count", &[("plugin", plugin)], stats.http.requests);
    }
    let mut errors = text.family(
        "hookwire_plugin_http_errors_total",
        Kind::Counter,
        "HTTP requests of plugins that brought no answer, by what went wrong.",
    );
    for (plugin, stats) in all {
        for (kind, times) in &stats.http.errors {
            errors.sample(&[("plugin", plugin), ("kind", kind)], times);
        }
    }
}

fn instances(text: &mut Exposition, all: &[Figures]) {
    for (name, kind, help, figure) in FIGURES {
        let mut family = text.family(name, kind, help);
        for (plugin, stats) in all {
            family.sample(&[("plugin", plugin)], figure(stats));
        }
    }
}

/// Figures of plugins' own. They share two families, each name a label: two plugins may well mean different things, or even
/// different kinds of figure, by one name.
fn own(text: &mut Exposition, all: &[Figures]) {
    let mut counters = text.family(
        "hookwire_plugin_counter_total",
        Kind::Counter,
        "Counters of plugins' own.",
    );
    for (plugin, stats) in all {
        for (name, value) in &stats.metrics {
            if let MetricValue::Count(count) = value {
                counters.sample(&[("plugin", plugin), ("name", name)], count);
            }
        }
    }
    let mut gauges = text.family("hookwire_plugin_gauge", Kind::Gauge, "Gauges of plugins' own.");
    for (plugin, stats) in all {
        for (name, value) in &stats.metrics {
            if let MetricValue::Gauge(level) = value {
                gauges.sample(&[("plugin", plugin), ("name", name)], number(*level));
            }
        }
    }
}
