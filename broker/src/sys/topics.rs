//! Under which topic each figure is told. Where Mosquitto has one, it is that.

use super::{Report, Snapshot};

/// The topics of a moment, load averages excepted.
pub(super) fn of(snapshot: &Snapshot) -> Vec<Report> {
    let mut topics = vec![
        at(
            "version",
            format!("hookwire version {}", env!("CARGO_PKG_VERSION")),
        ),
        at("uptime", format!("{} seconds", snapshot.uptime_secs)),
    ];
    topics.extend(clients(snapshot));
    topics.extend(traffic(snapshot));
    topics.extend(kept(snapshot));
    topics.extend(own(snapshot));
    topics
}

fn at(name: &str, value: impl ToString) -> Report {
    (format!("$SYS/broker/{name}"), value.to_string())
}

fn clients(snapshot: &Snapshot) -> Vec<Report> {
    let away = snapshot.sessions.saturating_sub(snapshot.online);
    vec![
        at("clients/total", snapshot.sessions),
        at("clients/maximum", snapshot.online_max),
        at("clients/connected", snapshot.online),
        at("clients/disconnected", away),
        at("clients/expired", snapshot.traffic.sessions_expired),
        // Old names of the same, which dashboards still use.
        at("clients/active", snapshot.online),
        at("clients/inactive", away),
    ]
}

fn traffic(snapshot: &Snapshot) -> Vec<Report> {
    let traffic = &snapshot.traffic;
    vec![
        at("messages/received", traffic.packets_received),
        at("messages/sent", traffic.packets_sent),
        at("publish/messages/received", traffic.publishes_received),
        at("publish/messages/sent", traffic.publishes_sent),
        at("publish/messages/dropped", traffic.publishes_dropped),
        at("publish/bytes/received", traffic.publish_bytes_received),
        at("publish/bytes/sent", traffic.publish_bytes_sent),
        at("bytes/received", traffic.bytes_received),
        at("bytes/sent", traffic.bytes_sent),
    ]
}

fn kept(snapshot: &Snapshot) -> Vec<Report> {
    let stored = snapshot.retained.messages + snapshot.queued.messages;
    vec![
        at("subscriptions/count", snapshot.subscriptions),
        at("shared_subscriptions/count", snapshot.shared_subscriptions),
        at("retained messages/count", snapshot.retained.messages),
        at("messages/inflight", snapshot.inflight),
        at("messages/stored", stored),
        at("store/messages/count", stored),
        at(
            "store/messages/bytes",
            snapshot.retained.bytes + snapshot.queued.bytes,
        ),
        at("heap/current", snapshot.memory),
        at("heap/maximum", snapshot.memory_max),
    ]
}

/// What Mosquitto has not: limits that were reached, and plugins.
fn own(snapshot: &Snapshot) -> Vec<Report> {
    let mut topics = vec![
        at("policy/generation", snapshot.generation),
        at("policy/refused", snapshot.policies_refused),
        at("policy/events/dropped", snapshot.events_dropped),
    ];
    let reached = snapshot.limits.iter().filter(|(_, times)| *times > 0);
    topics.extend(reached.map(|(limit, times)| at(&format!("limits/{}", limit.key()), times)));
    if let Some(store) = &snapshot.store {
        topics.extend([
            at("store/health", store.health),
            at("store/commits", store.commits),
            at("store/changes", store.changes),
            at("store/bytes/written", store.bytes_written),
            at("store/bytes/used", store.bytes_used),
            at("store/reads/failed", store.reads_failed),
        ]);
    }
    for plugin in &snapshot.plugins {
        let figures = plugin.figures.iter();
        topics.extend(figures.map(|(name, value)| at(&format!("plugins/{}/{name}", plugin.name), value)));
    }
    topics
}
