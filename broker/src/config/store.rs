//! `[store]`

use std::time::Duration;

use hookwire_store::Durability;

use super::kinds::{choice, duration, size};
use super::reader::Section;
use super::settings::StoreSettings;

#[derive(Debug, Clone, Copy)]
enum Choice {
    Always,
    Interval,
    Os,
}

const DURABILITY: &[(&str, Choice)] = &[
    ("always", Choice::Always),
    ("interval", Choice::Interval),
    ("os", Choice::Os),
];

const MIB: u64 = 1 << 20;

/// How much may be lost with the power, if that is chosen.
const SYNC_INTERVAL: Duration = Duration::from_millis(100);

pub(super) fn read(mut section: Section<'_>) -> StoreSettings {
    let mut store = StoreSettings::default();
    let mut interval = SYNC_INTERVAL;
    section.set(
        "sync_interval",
        &mut interval,
        duration(Duration::from_millis(1)..=Duration::from_secs(60)),
    );
    let mut durability = Choice::Always;
    section.set("durability", &mut durability, choice(DURABILITY));
    store.durability = match durability {
        Choice::Always => Durability::Always,
        Choice::Interval => Durability::Interval(interval),
        Choice::Os => Durability::Os,
    };
    section.set("bytes_max", &mut store.bytes_max, size(256 * MIB..=1 << 50));
    section.set("free_bytes_min", &mut store.free_bytes_min, size(MIB..=1 << 40));
    section.set("cache_bytes", &mut store.cache_bytes, size(MIB..=1 << 40));
    section.set(
        "retained_cache_bytes",
        &mut store.retained_cache_bytes,
        size(0..=1 << 40),
    );
    section.finish();
    store
}
