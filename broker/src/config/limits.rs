//! `[limits]`

use std::time::Duration;

use super::defaults::LISTENER_CONNECTIONS_MAX;
use super::kinds::{boolean, choice, duration, integer, qos, seconds_u16, size};
use super::reader::Section;
use super::settings::{Features, Limits, RateExcess, RateSettings};
use super::units::show_size;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// MQTT's length field ends here (give or take the header).
const PACKET_BYTES_MAX: u64 = 256 * MIB;

/// The longest string that MQTT can carry.
const STRING_BYTES_MAX: u64 = 65_535;

/// Every server must take client ids of 1 to 23 bytes \[MQTT-3.1.3-5\].
const CLIENT_ID_BYTES_MIN: u64 = 23;

const EXCESS: &[(&str, RateExcess)] = &[("slow", RateExcess::Slow), ("disconnect", RateExcess::Disconnect)];

const TIMEOUT_MIN: Duration = Duration::from_millis(100);

pub(super) fn read(mut section: Section<'_>) -> Limits {
    let mut limits = Limits::default();
    read_connections(&mut section, &mut limits);
    read_packets(&mut section, &mut limits);
    read_flow(&mut section, &mut limits);
    read_rates(&mut section, &mut limits.rate);
    section.expect_at_least(
        ("outbox_bytes_max", limits.outbox_bytes_max),
        ("packet_bytes_max", limits.decode.packet_bytes_max),
        |bytes| show_size(*bytes as u64),
    );
    section.finish();
    // A CONNECT is a packet too: who lowers the bound of all packets means this one as well.
    limits.connect_packet_bytes_max = limits
        .connect_packet_bytes_max
        .min(limits.decode.packet_bytes_max);
    limits
}

fn read_connections(section: &mut Section<'_>, limits: &mut Limits) {
    section.set(
        "connect_timeout",
        &mut limits.connect_timeout,
        duration(TIMEOUT_MIN..=Duration::from_secs(600)),
    );
    section.set(
        "connections_max",
        &mut limits.connections_max,
        integer(1..=LISTENER_CONNECTIONS_MAX as u64),
    );
    section.set(
        "authentications_max",
        &mut limits.authentications_max,
        integer(1..=65_536),
    );
    section.set(
        "authentication_rounds_max",
        &mut limits.authentication_rounds_max,
        integer(1..=1024),
    );
    section.set(
        "client_id_bytes_max",
        &mut limits.client_id_bytes_max,
        integer(CLIENT_ID_BYTES_MIN..=STRING_BYTES_MAX),
    );
    section.set(
        "mqtt_3_1_client_id_bytes_max",
        &mut limits.mqtt_3_1_client_id_bytes_max,
        integer(CLIENT_ID_BYTES_MIN..=STRING_BYTES_MAX),
    );
    section.set("keep_alive_max", &mut limits.keep_alive_secs_max, seconds_u16);
    section.set(
        "connections_per_address_max",
        &mut limits.connections_per_address_max,
        integer(0..=LISTENER_CONNECTIONS_MAX as u64),
    );
    section.set(
        "connects_per_address_per_second",
        &mut limits.connects_per_address_per_second,
        integer(0..=1_000_000),
    );
    limits.memory_max = section.take("memory_max", size(16 * MIB..=1024 * GIB));
}

fn read_features(section: &mut Section<'_>, features: &mut Features) {
    section.set("retain_available", &mut features.retain, boolean);
    section.set(
        "wildcard_subscription_available",
        &mut features.wildcard_subscriptions,
        boolean,
    );
    section.set(
        "shared_subscription_available",
        &mut features.shared_subscriptions,
        boolean,
    );
    section.set(
        "subscription_identifier_available",
        &mut features.subscription_identifiers,
        boolean,
    );
}

fn read_rates(section: &mut Section<'_>, rate: &mut RateSettings) {
    section.set(
        "messages_per_second_max",
        &mut rate.messages_per_second_max,
        integer(0..=100_000_000),
    );
    section.set(
        "bytes_per_second_max",
        &mut rate.bytes_per_second_max,
        size(0..=1024 * GIB),
    );
    section.set("rate_excess", &mut rate.excess, choice(EXCESS));
}

fn read_packets(section: &mut Section<'_>, limits: &mut Limits) {
    section.set(
        "connect_packet_bytes_max",
        &mut limits.connect_packet_bytes_max,
        size(KIB..=PACKET_BYTES_MAX),
    );
    let decode = &mut limits.decode;
    section.set(
        "packet_bytes_max",
        &mut decode.packet_bytes_max,
        size(KIB..=PACKET_BYTES_MAX),
    );
    section.set(
        "user_properties_max",
        &mut decode.user_properties_max,
        integer(0..=65_535),
    );
    section.set(
        "user_property_bytes_max",
        &mut decode.user_property_bytes_max,
        size(0..=PACKET_BYTES_MAX),
    );
    section.set("filters_max", &mut decode.filters_max, integer(1..=65_535));
    section.set(
        "topic_levels_max",
        &mut decode.topic.levels_max,
        integer(1..=65_535),
    );
    section.set(
        "topic_bytes_max",
        &mut decode.topic.bytes_max,
        integer(1..=STRING_BYTES_MAX),
    );
}

fn read_flow(section: &mut Section<'_>, limits: &mut Limits) {
    section.set(
        "receive_maximum",
        &mut limits.receive_maximum,
        integer(1..=65_535),
    );
    section.set(
        "topic_alias_maximum",
        &mut limits.topic_alias_maximum,
        integer(0..=65_535),
    );
    section.set(
        "topic_aliases_sent_max",
        &mut limits.topic_aliases_sent_max,
        integer(0..=65_535),
    );
    section.set("qos_max", &mut limits.qos_max, qos);
    read_features(section, &mut limits.features);
    section.set("payload_format_check", &mut limits.payload_format_check, boolean);
    section.set(
        "outbox_bytes_max",
        &mut limits.outbox_bytes_max,
        size(KIB..=4 * GIB),
    );
    section.set(
        "write_timeout",
        &mut limits.write_timeout,
        duration(TIMEOUT_MIN..=Duration::from_secs(3600)),
    );
    section.set(
        "retained_messages_max",
        &mut limits.retained_messages_max,
        integer(0..=1_000_000_000),
    );
    section.set(
        "retained_bytes_max",
        &mut limits.retained_bytes_max,
        size(0..=1024 * GIB),
    );
}
