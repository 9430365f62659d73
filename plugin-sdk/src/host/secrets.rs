//! Secrets from the section `[secrets]` of the broker's configuration. Grant: `secrets = ["name"]`.
//!
//! A plugin is made anew when one of its secrets changes, so what it reads in [`Plugin::new`](crate::Plugin::new) holds.

#[cfg(target_family = "wasm")]
use crate::bindings::secrets as host;
#[cfg(not(target_family = "wasm"))]
use crate::mock::host::secrets as host;

/// The secret of this name; none when there is none, or it is not granted.
pub fn get(name: &str) -> Option<Vec<u8>> {
    host::get(name)
}
