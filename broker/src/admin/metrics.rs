//! `GET /metrics`

mod plugins;

use hookwire_store::Health;

use super::Admin;
use super::exposition::{Exposition, Kind};
use super::query;
use super::reply::{self, Refusal, Reply};
use crate::clock;
use crate::policy::{Outcome, PolicyStatus};
use crate::sys::{Snapshot, StoreReport};

const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All figures of this moment.
pub(super) async fn scrape(admin: &Admin) -> Result<Reply, Refusal> {
    let admin = admin.clone();
    let text = query::wait(move || {
        let snapshot = admin.broker().snapshot(clock::now());
        let mut text = Exposition::default();
        broker(&mut text, &snapshot);
        traffic(&mut text, &snapshot);
        kept(&mut text, &snapshot);
        limits(&mut text, &snapshot);
        if let Some(report) = &snapshot.store {
            store(&mut text, report);
        }
        let status = admin.policy().status();
        policy(&mut text, &admin, &status);
        plugins::write(&mut text, &status.plugins);
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
        (
            "hookwire_events_dropped_total",
            "Events that plugins were too slow for.",
            snapshot.events_dropped,
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

/// How a store may be.
const STORE_STATES: [Health; 3] = [Health::Good, Health::Full, Health::Failed];

fn store(text: &mut Exposition, report: &StoreReport) {
    let mut states = text.family(
        "hookwire_store_state",
        Kind::Gauge,
        "1 for how the store is, 0 for how it is not.",
    );
    for state in STORE_STATES.map(Health::as_str) {
        states.sample(&[("state", state)], u8::from(state == report.health));
    }
    text.one(
        "hookwire_store_bytes",
        Kind::Gauge,
        "What the store takes on its disk.",
        report.bytes_used,
    );
    for (name, help, value) in [
        (
            "hookwire_store_commits_total",
            "Batches written to the store.",
            report.commits,
        ),
        (
            "hookwire_store_changes_total",
            "Records that they changed.",
            report.changes,
        ),
        (
            "hookwire_store_written_bytes_total",
            "Bytes of those.",
            report.bytes_written,
        ),
        (
            "hookwire_store_reads_failed_total",
            "Records that could not be read.",
            report.reads_failed,
        ),
    ] {
        text.one(name, Kind::Counter, help, value);
    }
}

fn policy(text: &mut Exposition, admin: &Admin, status: &PolicyStatus) {
    text.one(
        "hookwire_policy_generation",
        Kind::Gauge,
        "Policies that were in force, this one included.",
        status.generation,
    );
    text.one(
        "hookwire_policy_refused",
        Kind::Gauge,
        "1 while the configuration file is not what is in force, since it was refused.",
        u8::from(status.refusal.is_some()),
    );
    let mut reloads = text.family(
        "hookwire_reloads_total",
        Kind::Counter,
        "Looks at the configuration, by what came of them.",
    );
    for outcome in Outcome::ALL {
        reloads.sample(&[("outcome", outcome.as_str())], admin.policy().reloads(outcome));
    }
    text.one(
        "hookwire_watches",
        Kind::Gauge,
        "Watches (explain and record) that are open.",
        admin.broker().watches().count(),
    );
}
