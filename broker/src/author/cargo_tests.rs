//! A plugin's own tests, put to its component.

use std::env;
use std::path::Path;
use std::process::Command;

use anyhow::Context;

/// What the SDK's mock looks at: the component, and the command that runs it.
const COMPONENT: &str = "HOOKWIRE_COMPONENT";
const COMMAND: &str = "HOOKWIRE";

/// Runs `cargo test` in the present folder such that every `mock::Subject` is the component; whether all passed.
pub(super) fn run(component: &Path) -> anyhow::Result<bool> {
    let status = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .arg("test")
        .env(COMPONENT, component.canonicalize()?)
        .env(COMMAND, env::current_exe()?)
        .status()
        .context("cargo cannot be run; install Rust with rustup")?;
    Ok(status.success())
}
