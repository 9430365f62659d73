//! The components that the build script made of `tests/guests/*`.

use std::path::{Path, PathBuf};

/// The component of the guest in `tests/guests/<name>`.
#[track_caller]
pub fn guest(name: &str) -> PathBuf {
    let listed = guests().find(|(listed, _)| *listed == name);
    let (_, package) = listed.unwrap_or_else(|| panic!("there is no tests/guests/{name}"));
    let file = format!("{}.wasm", package.replace('-', "_"));
    Path::new(env!("HOOKWIRE_GUESTS_DIR")).join(file)
}

/// The folders in `tests/guests`.
pub fn guest_names() -> impl Iterator<Item = &'static str> {
    guests().map(|(name, _)| name)
}

/// Folder and package of each guest.
fn guests() -> impl Iterator<Item = (&'static str, &'static str)> {
    env!("HOOKWIRE_GUESTS")
        .split_terminator(';')
        .filter_map(|guest| guest.split_once('='))
}
