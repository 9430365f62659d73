//! `$SYS`: what the broker tells about itself, as retained messages on topics that users know from Mosquitto.

mod load;
mod snapshot;
mod topics;

use std::time::{Duration, Instant};

use hashbrown::HashMap;

pub use snapshot::{Amount, PluginReport, Snapshot, StoreReport};

use load::Loads;

/// The first level of all its topics.
pub const PREFIX: &str = "$SYS/";

/// From one snapshot to the next: what has changed and is to be published.
#[derive(Debug, Default)]
pub struct Reporter {
    last: HashMap<String, String>,
    loads: Loads,
    reported_at: Option<Instant>,
}

/// One topic and its new value; an empty one clears the topic.
pub type Report = (String, String);

impl Reporter {
    /// The topics whose values have changed since the last call.
    pub fn report(&mut self, now: Instant, snapshot: &Snapshot) -> Vec<Report> {
        let since = self.reported_at.map_or(Duration::ZERO, |last| now - last);
        self.reported_at = Some(now);
        self.loads.advance(since, &snapshot.traffic);
        let mut values = topics::of(snapshot);
        values.extend(self.loads.topics());
        self.changes(values)
    }

    fn changes(&mut self, values: Vec<Report>) -> Vec<Report> {
        let mut before = std::mem::take(&mut self.last);
        let mut changes = Vec::new();
        for (topic, value) in values {
            if before.remove(&topic).as_ref() != Some(&value) {
                changes.push((topic.clone(), value.clone()));
            }
            self.last.insert(topic, value);
        }
        // A plugin that is gone has no figures.
        changes.extend(before.into_keys().map(|topic| (topic, String::new())));
        changes
    }

    /// Every topic that has a value is cleared: nobody reports any more.
    pub fn withdraw(&mut self) -> Vec<Report> {
        self.reported_at = None;
        self.changes(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use crate::metrics::Tally;

    fn value<'a>(reports: &'a [Report], topic: &str) -> Option<&'a str> {
        let found = reports.iter().find(|(name, _)| name == topic);
        found.map(|(_, value)| value.as_str())
    }

    #[test]
    fn only_what_has_changed_is_told() {
        let mut reporter = Reporter::default();
        let now = clock::now();
        let mut snapshot = Snapshot::default();
        let first = reporter.report(now, &snapshot);
        assert_eq!(value(&first, "$SYS/broker/clients/connected"), Some("0"));
        assert_eq!(reporter.report(now, &snapshot), []);
        snapshot.online = 3;
        let second = reporter.report(now, &snapshot);
        assert_eq!(value(&second, "$SYS/broker/clients/connected"), Some("3"));
        assert_eq!(value(&second, "$SYS/broker/messages/received"), None);
    }

    #[test]
    fn a_plugin_that_is_gone_leaves_nothing_behind() {
        let mut reporter = Reporter::default();
        let now = clock::now();
        let mut snapshot = Snapshot {
            plugins: vec![PluginReport {
                name: "acl".into(),
                figures: vec![("calls".into(), "7".into())],
            }],
            ..Snapshot::default()
        };
        let first = reporter.report(now, &snapshot);
        assert_eq!(value(&first, "$SYS/broker/plugins/acl/calls"), Some("7"));
        snapshot.plugins.clear();
        assert_eq!(
            value(&reporter.report(now, &snapshot), "$SYS/broker/plugins/acl/calls"),
            Some("")
        );
    }

    #[test]
    fn loads_are_averages_of_the_last_minutes() {
        let mut reporter = Reporter::default();
        let mut now = clock::now();
        let mut snapshot = Snapshot::default();
        reporter.report(now, &snapshot);
        for _ in 0..60 {
            now += Duration::from_secs(10);
            snapshot.traffic.packets_received += 100;
            reporter.report(now, &snapshot);
        }
        let all = reporter.withdraw();
        assert!(all.iter().all(|(_, value)| value.is_empty()));
        let mut loads = Loads::default();
        loads.advance(Duration::ZERO, &Tally::default());
        for step in 1..=60 {
            let traffic = Tally {
                packets_received: step * 100,
                ..Tally::default()
            };
            loads.advance(Duration::from_secs(10), &traffic);
        }
        let topics = loads.topics();
        let shown = |minutes: &str| {
            value(&topics, &format!("$SYS/broker/load/messages/received/{minutes}"))
                .and_then(|value| value.parse::<f64>().ok())
                .expect("a number")
        };
        assert!((shown("1min") - 600.0).abs() < 1.0, "{}", shown("1min"));
        assert!(shown("15min") < shown("5min") && shown("5min") < shown("1min"));
    }
}
