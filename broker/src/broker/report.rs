//! The broker's own messages: `$SYS`.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hookwire_hooks::{Message, Source};
use hookwire_protocol::{PublishProperties, QoS, TopicName};

use super::Broker;
use super::publisher::Publisher;
use crate::clock;
use crate::metrics::Limit;
use crate::sys::{Amount, PluginReport, Report, Reporter, Snapshot, StoreReport};

/// How often the broker looks whether it is time to report: the interval may have changed.
const STEP_MAX: Duration = Duration::from_secs(1);
/// More often than this it does not report, however short the interval is.
const STEP_MIN: Duration = Duration::from_millis(10);

impl Broker {
    /// Reports as often as configured, for as long as the broker lives.
    pub(super) async fn report_itself(&self) {
        let mut reporter = Reporter::default();
        let mut due = clock::now();
        loop {
            let interval = self.settings().sys_interval;
            let now = clock::now();
            if interval.is_zero() {
                self.publish_reports(now, reporter.withdraw());
            } else if due.min(now + interval) <= now {
                self.publish_reports(now, reporter.report(now, &self.snapshot(now)));
                due = now + interval;
            } else {
                due = due.min(now + interval);
            }
            tokio::time::sleep(rest(due, now, interval)).await;
        }
    }

    fn publish_reports(&self, now: Instant, reports: Vec<Report>) {
        let mut publisher = Publisher::default();
        self.with_round(now, |round| {
            for (topic, value) in reports {
                if let Ok(topic) = TopicName::new(topic) {
                    self.publish_own(round, &mut publisher, &message(topic, value));
                }
            }
        });
        publisher.wake_recipients();
    }

    /// All figures of this moment. Looks at each session.
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        let metrics = &self.0.metrics;
        let (subscriptions, shared_subscriptions) = self.0.router.subscription_counts();
        let (retained_messages, retained_bytes) = self.0.router.retained_amount();
        let mut snapshot = Snapshot {
            uptime_secs: now.saturating_duration_since(self.0.started_at).as_secs(),
            traffic: metrics.traffic.sum(),
            online: metrics.online.now(),
            online_max: metrics.online.highest(),
            subscriptions,
            shared_subscriptions,
            retained: Amount {
                messages: retained_messages,
                bytes: retained_bytes,
            },
            memory: self.0.memory.resident(),
            memory_max: self.0.memory.resident_max(),
            generation: self.chain().generation(),
            policies_refused: metrics.policies_refused.load(Ordering::Relaxed),
            limits: Limit::ALL
                .iter()
                .map(|&limit| (limit, metrics.limits.get(limit)))
                .collect(),
            events_dropped: self.0.events.dropped(),
            plugins: self.plugin_reports(),
            store: self.store_report(),
            ..Snapshot::default()
        };
        for client in self.clients() {
            let session = client.session();
            snapshot.sessions += 1;
            snapshot.inflight += session.inflight();
            snapshot.queued.messages += session.queued();
            snapshot.queued.bytes += session.queued_bytes();
        }
        snapshot
    }

    /// Counts a change of the policy that was refused.
    pub(crate) fn count_refused_policy(&self) {
        self.0.metrics.policies_refused.fetch_add(1, Ordering::Relaxed);
    }

    fn store_report(&self) -> Option<StoreReport> {
        let (commits, changes, bytes_written, bytes_used) = self.store_figures()?;
        Some(StoreReport {
            health: self.store_health()?.as_str(),
            commits,
            changes,
            bytes_written,
            bytes_used,
            reads_failed: self.store_reads_failed()?,
        })
    }

    fn plugin_reports(&self) -> Vec<PluginReport> {
        let chain = self.chain();
        let plugins = chain.plugins().iter();
        plugins
            .map(|plugin| PluginReport {
                name: plugin.name().to_owned(),
                figures: plugin.figures(),
            })
            .collect()
    }
}

/// For how long there is nothing to report; without an interval nothing ever is.
fn rest(due: Instant, now: Instant, interval: Duration) -> Duration {
    if interval.is_zero() {
        return STEP_MAX;
    }
    let left = due.saturating_duration_since(now);
    left.clamp(STEP_MIN, STEP_MAX)
}

fn message(topic: TopicName, value: String) -> Arc<Message> {
    Arc::new(Message {
        source: Source::Broker,
        topic,
        payload: Bytes::from(value),
        qos: QoS::AtMostOnce,
        retain: true,
        properties: PublishProperties::NONE,
        expires_at: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_that_does_not_report_rests() {
        let now = clock::now();
        let [long_ago, soon] = [now - Duration::from_secs(60), now + Duration::from_millis(300)];
        assert_eq!(rest(long_ago, now, Duration::ZERO), STEP_MAX);
        assert_eq!(
            rest(soon, now, Duration::from_secs(10)),
            Duration::from_millis(300)
        );
        assert_eq!(
            rest(now + Duration::from_secs(10), now, Duration::from_secs(10)),
            STEP_MAX
        );
        assert_eq!(rest(now, now, Duration::from_secs(1)), STEP_MIN);
    }
}
