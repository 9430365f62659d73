//! The components that `tests/run` built of `plugins/in-*`.

use std::path::PathBuf;

use crate::real_client::require;

/// A plugin that is not written in Rust.
#[track_caller]
pub fn in_other_language(name: &str) -> PathBuf {
    let target = crate::profile_dir();
    let target = target.parent().expect("the profile lies in the target directory");
    let component = target.join("languages").join(format!("{name}.wasm"));
    require(&component, "the plugin is not built");
    component
}
