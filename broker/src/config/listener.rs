//! `[[listener]]`

use std::collections::HashMap;
use std::net::SocketAddr;

use super::defaults::{LISTENER_CONNECTIONS_MAX, default_listener};
use super::kinds::{address, boolean, integer, name, unique};
use super::reader::{Item, Section};
use super::settings::Listener;

/// What must not occur twice, with the line where it occurred.
#[derive(Default)]
struct Seen {
    names: HashMap<String, usize>,
    addresses: HashMap<SocketAddr, usize>,
}

/// The listeners, or the default one when the file has none.
pub(super) fn read_all(root: &mut Section<'_>) -> Vec<Listener> {
    let Some(sections) = root.sections("listener") else {
        return vec![default_listener()];
    };
    let mut seen = Seen::default();
    sections
        .into_iter()
        .map(|section| read(section, &mut seen))
        .collect()
}

fn read(mut section: Section<'_>, seen: &mut Seen) -> Listener {
    let mut listener = default_listener();
    listener.name = section
        .require("name", unique(&mut seen.names, name))
        .unwrap_or_default();
    let address = section.require("address", |item| free_address(item, &mut seen.addresses));
    listener.address = address.unwrap_or(listener.address);
    listener.allow_anonymous = section.take("allow_anonymous", boolean);
    section.set(
        "connections_max",
        &mut listener.connections_max,
        integer(1..=LISTENER_CONNECTIONS_MAX as u64),
    );
    section.finish();
    listener
}

/// An address that no other listener has; of port 0 there are as many as one likes.
fn free_address(item: Item<'_>, seen: &mut HashMap<SocketAddr, usize>) -> Option<SocketAddr> {
    let chosen = address(item.clone())?;
    if chosen.port() == 0 {
        Some(chosen)
    } else {
        unique(seen, address)(item)
    }
}
