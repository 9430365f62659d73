//! `[session]`, `[takeover]` and `[authorization]`

use std::ops::RangeInclusive;
use std::time::Duration;

use super::defaults::days;
use super::kinds::{boolean, choice, duration, integer, size, text};
use super::reader::Section;
use super::settings::{
    AccessDefault, Mqtt3Rejected, Overlapping, QueueOverflow, SessionSettings, SharedStrategy,
    TakeoverSettings,
};
use super::units::show_duration;

/// A hundred years, which MQTT's 32 bits of seconds still hold.
const FOREVER: Duration = days(36_500);

const OVERFLOW: &[(&str, QueueOverflow)] = &[
    ("drop-oldest", QueueOverflow::DropOldest),
    ("drop-newest", QueueOverflow::DropNewest),
    ("reject-publisher", QueueOverflow::RejectPublisher),
];

const OVERLAPPING: &[(&str, Overlapping)] = &[("once", Overlapping::Once), ("each", Overlapping::Each)];

const STRATEGY: &[(&str, SharedStrategy)] = &[
    ("round-robin", SharedStrategy::RoundRobin),
    ("random", SharedStrategy::Random),
    ("sticky", SharedStrategy::Sticky),
    ("hash-client", SharedStrategy::HashClient),
    ("hash-topic", SharedStrategy::HashTopic),
    ("least-inflight", SharedStrategy::LeastInflight),
];

const MQTT_3_REJECTED: &[(&str, Mqtt3Rejected)] = &[
    ("ack-and-drop", Mqtt3Rejected::AckAndDrop),
    ("disconnect", Mqtt3Rejected::Disconnect),
];

const ACCESS: &[(&str, AccessDefault)] = &[("allow", AccessDefault::Allow), ("deny", AccessDefault::Deny)];

pub(super) fn read(mut section: Section<'_>) -> SessionSettings {
    let mut session = SessionSettings::default();
    section.set(
        "sessions_max",
        &mut session.sessions_max,
        integer(1..=1_000_000_000),
    );
    section.set(
        "expiry_max",
        &mut session.expiry_max,
        duration(Duration::ZERO..=FOREVER),
    );
    section.set(
        "subscriptions_max",
        &mut session.subscriptions_max,
        integer(1..=10_000_000),
    );
    section.set("inflight_max", &mut session.inflight_max, integer(1..=65_535));
    section.set(
        "inflight_bytes_max",
        &mut session.inflight_bytes_max,
        size(1 << 10..=1 << 30),
    );
    section.set(
        "queue_messages_max",
        &mut session.queue_messages_max,
        integer(1..=1_000_000_000),
    );
    section.set(
        "queue_bytes_max",
        &mut session.queue_bytes_max,
        size(1 << 10..=1 << 40),
    );
    section.set("queue_overflow", &mut session.queue_overflow, choice(OVERFLOW));
    section.set("queue_qos0", &mut session.queue_qos0, boolean);
    section.set(
        "retained_waiting_max",
        &mut session.retained_waiting_max,
        integer(1..=1_000_000_000),
    );
    section.set("shared_client_ids", &mut session.shared_client_ids, boolean);
    section.set(
        "will_delay_max",
        &mut session.will_delay_max,
        duration(Duration::ZERO..=FOREVER),
    );
    section.set(
        "overlapping_subscriptions",
        &mut session.overlapping,
        choice(OVERLAPPING),
    );
    section.set("shared_strategy", &mut session.shared_strategy, choice(STRATEGY));
    section.set("check_retain_source", &mut session.check_retain_source, boolean);
    section.set(
        "mqtt_3_rejected",
        &mut session.mqtt_3_rejected,
        choice(MQTT_3_REJECTED),
    );
    session.response_information = section.take("response_information", text("a topic prefix"));
    section.finish();
    session
}

pub(super) fn read_takeover(mut section: Section<'_>) -> TakeoverSettings {
    const BACKOFF: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(600);
    let mut takeover = TakeoverSettings::default();
    section.set("fight_after", &mut takeover.fight_after, integer(1..=1_000_000));
    section.set(
        "window",
        &mut takeover.window,
        duration(Duration::from_millis(100)..=Duration::from_secs(3600)),
    );
    section.set("backoff", &mut takeover.backoff, duration(BACKOFF));
    section.set("backoff_max", &mut takeover.backoff_max, duration(BACKOFF));
    let (backoff, backoff_max) = (takeover.backoff, takeover.backoff_max);
    section.expect_at_least(("backoff_max", backoff_max), ("backoff", backoff), |time| {
        show_duration(*time)
    });
    section.finish();
    takeover
}

pub(super) fn read_authorization(mut section: Section<'_>) -> Option<AccessDefault> {
    let default = section.take("default", choice(ACCESS));
    section.finish();
    default
}
