//! `[[listener]]`

use std::collections::HashMap;
use std::net::SocketAddr;

use super::defaults::{LISTENER_CONNECTIONS_MAX, default_listener};
use super::kinds::{address, boolean, integer, name, unique};
use super::reader::{Item, Section};
use super::settings::Listener;

/// Where something listens, with the line that says so.
pub(super) type Addresses = HashMap<SocketAddr, usize>;

/// The listeners, or the default one when the file has none.
pub(super) fn read_all(root: &mut Section<'_>, taken: &mut Addresses) -> Vec<Listener> {
    let Some(sections) = root.sections("listener") else {
        return vec![default_listener()];
    };
    let mut names = HashMap::new();
    sections
        .into_iter()
        .map(|section| read(section, &mut names, taken))
        .collect()
}

fn read(mut section: Section<'_>, names: &mut HashMap<String, usize>, taken: &mut Addresses) -> Listener {
    let mut listener = default_listener();
    listener.name = section.require("name", unique(names, name)).unwrap_or_default();
    let address = section.require("address", |item| free_address(item, taken));
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

/// An address at which nothing else listens; of port 0 there are as many as one likes.
pub(super) fn free_address(item: Item<'_>, taken: &mut Addresses) -> Option<SocketAddr> {
    let chosen = address(item.clone())?;
    if chosen.port() == 0 {
        Some(chosen)
    } else {
        unique(taken, address)(item)
    }
}
