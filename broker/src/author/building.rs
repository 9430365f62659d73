//! `hookwire plugin build`: cargo with the right target, and a look at what came of it.

use std::env;
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use super::{checking, inspection, snippet};
use crate::cli::BuildArgs;
use crate::output::output;

const TARGET: &str = "wasm32-wasip2";

/// Builds the crate's components and prints what each of them is and needs.
pub(super) fn build(args: &BuildArgs) -> anyhow::Result<()> {
    for component in compile(&args.dir, &args.cargo)? {
        let mut out = output();
        writeln!(out, "{}", component.display())?;
        checking::check_type(&component)?;
        let inspection = inspection::inspect(&component)?;
        write!(out, "{}", inspection::describe(&inspection))?;
        writeln!(out, "\n{}", snippet::entry(&component, &inspection))?;
    }
    Ok(())
}

/// Builds the crate and returns its components.
fn compile(dir: &Path, arguments: &[String]) -> anyhow::Result<Vec<PathBuf>> {
    let manifest = dir.join("Cargo.toml");
    ensure!(
        manifest.is_file(),
        "{} has no Cargo.toml; `hookwire plugin new NAME` makes a plugin's crate",
        dir.display()
    );
    require_target(dir)?;
    let mut cargo = Command::new(cargo());
    cargo
        .current_dir(dir)
        .args(["build", "--release", "--target", TARGET])
        .arg("--message-format=json-render-diagnostics")
        .args(arguments)
        .stderr(Stdio::inherit());
    let output = cargo
        .output()
        .context("cargo cannot be run; install Rust with rustup")?;
    ensure!(output.status.success(), "cargo could not build the plugin");
    let manifest = manifest.canonicalize()?;
    let components = components(&String::from_utf8_lossy(&output.stdout), &manifest);
    if components.is_empty() {
        bail!(
            "the crate makes no component; put `crate-type = [\"cdylib\"]` below `[lib]` in {}",
            manifest.display()
        );
    }
    Ok(components)
}

fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// What rustc says without the target is that it cannot find `core`; what to do about it is this.
fn require_target(dir: &Path) -> anyhow::Result<()> {
    let asked = Command::new("rustc")
        .current_dir(dir)
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .context("rustc cannot be run; install Rust with rustup")?;
    let libraries = PathBuf::from(String::from_utf8_lossy(&asked.stdout).trim());
    ensure!(
        asked.status.success() && libraries.is_dir(),
        "this Rust cannot build for {TARGET}; run: rustup target add {TARGET}"
    );
    Ok(())
}

/// The components among what cargo says that it made of this manifest, one message a line.
fn components(messages: &str, manifest: &Path) -> Vec<PathBuf> {
    let messages = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    messages
        .filter(|message| message["reason"] == "compiler-artifact")
        .filter(|message| message["manifest_path"].as_str().map(Path::new) == Some(manifest))
        .filter_map(|message| {
            let files = message["filenames"].as_array()?.iter().filter_map(Value::as_str);
            files
                .map(PathBuf::from)
                .find(|file| file.extension().is_some_and(|end| end == "wasm"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_component_is_found_among_what_cargo_says() {
        let messages = [
            r#"{"reason":"compiler-artifact","manifest_path":"/p/vendor/sdk/Cargo.toml","filenames":["/t/sdk.rlib"]}"#,
            "not JSON",
            r#"{"reason":"compiler-artifact","manifest_path":"/p/Cargo.toml","filenames":["/t/plugin.wasm"]}"#,
            r#"{"reason":"build-finished","success":true}"#,
        ];
        let found = components(&messages.join("\n"), Path::new("/p/Cargo.toml"));
        assert_eq!(found, [PathBuf::from("/t/plugin.wasm")]);
        assert!(components(messages[0], Path::new("/p/Cargo.toml")).is_empty());
    }
}
