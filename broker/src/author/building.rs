//! `hookwire plugin build`: cargo with the right target, and a look at what came of it.

use std::env;
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};
use hookwire_plugin_build::{Places, TARGET, Toolchain};
use serde_json::Value;

use super::{checking, inspection, snippet};
use crate::cli::BuildArgs;
use crate::output::output;

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
    let toolchain = Toolchain::new("rustc", dir);
    require_target(&toolchain)?;
    let mut cargo = Command::new(cargo());
    cargo
        .current_dir(dir)
        .args(["build", "--release", "--target", TARGET])
        .args(places(&toolchain, dir)?.arguments())
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
fn require_target(toolchain: &Toolchain) -> anyhow::Result<()> {
    let makes_components = toolchain.makes_components();
    ensure!(
        makes_components.context("rustc cannot be run; install Rust with rustup")?,
        "this Rust cannot build for {TARGET}; run: rustup target add {TARGET}"
    );
    Ok(())
}

/// Where cargo builds, by its own word: a crate may be one of several in a workspace.
fn places(toolchain: &Toolchain, dir: &Path) -> anyhow::Result<Places> {
    let told = Command::new(cargo())
        .current_dir(dir)
        .args(["metadata", "--no-deps", "--format-version=1"])
        .stderr(Stdio::inherit())
        .output()
        .context("cargo cannot be run; install Rust with rustup")?;
    ensure!(told.status.success(), "cargo could not build the plugin");
    let metadata: Value = serde_json::from_slice(&told.stdout)?;
    let place = |name: &str| Path::new(metadata[name].as_str().unwrap_or_default());
    Ok(Places::of(
        toolchain,
        place("workspace_root"),
        place("target_directory"),
    )?)
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
