//! Topic rules of MQTT, as the broker itself applies them. Needs no grant.
//!
//! Each of these calls the host. For filters that are known beforehand [`TopicFilter`](crate::TopicFilter) is quicker.

#[cfg(target_family = "wasm")]
use crate::bindings::topics as host;
#[cfg(not(target_family = "wasm"))]
use crate::mock::host::topics as host;

/// Whether this is a topic name.
pub fn valid_name(name: &str) -> bool {
    host::valid_name(name)
}

/// Whether this is a topic filter.
pub fn valid_filter(filter: &str) -> bool {
    host::valid_filter(filter)
}

/// Whether a topic name matches a filter; false when either is not valid.
pub fn matches(filter: &str, name: &str) -> bool {
    host::matches(filter, name)
}
