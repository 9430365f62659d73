//! `[[plugin]]` entries of a configuration.

use std::path::Path;

/// An entry for the component at `path`. `keys` are further keys of the entry, `config` those of `[plugin.config]`.
pub fn plugin(name: &str, path: impl AsRef<Path>, keys: &str, config: &str) -> String {
    let path = path.as_ref();
    format!("[[plugin]]\nname = \"{name}\"\npath = {path:?}\n{keys}\n[plugin.config]\n{config}\n")
}

/// An entry for a plugin that comes with the broker.
pub fn bundled(name: &str, keys: &str, config: &str) -> String {
    format!("[[plugin]]\nname = \"{name}\"\nbundled = \"{name}\"\n{keys}\n[plugin.config]\n{config}\n")
}
