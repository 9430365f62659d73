//! The SDK that is part of this binary, for plugins that are made where no other copy is at hand.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use toml::{Table, Value};

use crate::output::output;

/// Where a plugin's crate has its copy.
pub(super) const FOLDER: &str = "vendor/hookwire-plugin";

/// A file of the SDK.
struct SourceFile {
    /// Where it lies in the SDK's crate.
    path: &'static str,
    text: &'static str,
}

/// All files that the SDK is compiled from, with `wit/` in the place of the link to it.
const SOURCES: &[SourceFile] = include!(concat!(env!("OUT_DIR"), "/sdk.rs"));
const MANIFEST: &str = include_str!("../../../plugin-sdk/Cargo.toml");
const WORKSPACE: &str = include_str!("../../../Cargo.toml");

/// Tables of the manifest that only the SDK's own repository needs.
const LEFT_OUT: [&str; 2] = ["lints", "example"];

/// Writes the SDK into a crate, in the place of the copy that is there.
pub(super) fn refresh(dir: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(
        dir.join("Cargo.toml").is_file(),
        "{} has no Cargo.toml; give the folder of the plugin's crate",
        dir.display()
    );
    let place = dir.join(FOLDER);
    if place.exists() {
        fs::remove_dir_all(&place).with_context(|| format!("cannot replace {}", place.display()))?;
    }
    write(dir)?;
    let version = env!("CARGO_PKG_VERSION");
    Ok(writeln!(
        output(),
        "{}: SDK of Hookwire {version}",
        place.display()
    )?)
}

/// Writes the SDK into a crate.
pub(super) fn write(dir: &Path) -> anyhow::Result<()> {
    let place = dir.join(FOLDER);
    for SourceFile { path, text } in SOURCES {
        write_file(&place.join(path), text)?;
    }
    write_file(&place.join("Cargo.toml"), &manifest(WORKSPACE, MANIFEST)?)
}

/// Whether the SDK's prelude has something of this name.
pub(super) fn prelude_has(name: &str) -> bool {
    let lib = SOURCES.iter().find(|file| file.path == "src/lib.rs");
    let prelude = lib.and_then(|file| file.text.split("pub mod prelude").nth(1));
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut words = prelude.unwrap_or_default().split(|c| !is_part(c));
    words.any(|word| word == name)
}

/// Writes a file and the folders above it.
pub(super) fn write_file(path: &Path, text: &str) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// The SDK's manifest with what it takes from the workspace written out, since a copy has none.
fn manifest(workspace: &str, sdk: &str) -> anyhow::Result<String> {
    let workspace: Table = workspace.parse()?;
    let shared = workspace.get("workspace").and_then(Value::as_table);
    let shared = |table: &str| shared.and_then(|all| all.get(table)).and_then(Value::as_table);
    let mut manifest: Table = sdk.parse()?;
    manifest.retain(|table, _| !LEFT_OUT.contains(&table));
    if let (Some(Value::Table(package)), Some(source)) = (manifest.get_mut("package"), shared("package")) {
        write_out(package, source)?;
    }
    let dependencies = shared("dependencies").context("the workspace has dependencies")?;
    write_out_dependencies(&mut manifest, dependencies)?;
    if let Some(Value::Table(targets)) = manifest.get_mut("target") {
        for (_, target) in targets {
            target
                .as_table_mut()
                .map_or(Ok(()), |target| write_out_dependencies(target, dependencies))?;
        }
    }
    Ok(toml::to_string(&manifest)?)
}

/// The dependencies of a manifest, or of one target in it. Those of the SDK's own tests go: a copy is not tested.
fn write_out_dependencies(manifest: &mut Table, source: &Table) -> anyhow::Result<()> {
    manifest.remove("dev-dependencies");
    match manifest.get_mut("dependencies") {
        Some(Value::Table(dependencies)) => write_out(dependencies, source),
        _ => Ok(()),
    }
}

/// Replaces each `key.workspace = true`.
fn write_out(table: &mut Table, source: &Table) -> anyhow::Result<()> {
    for (key, value) in table {
        if value.get("workspace").and_then(Value::as_bool) == Some(true) {
            let shared = source.get(key.as_str());
            *value = shared
                .with_context(|| format!("the workspace has no {key}"))?
                .clone();
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_of_a_copy_needs_no_workspace() {
        let text = manifest(WORKSPACE, MANIFEST).unwrap();
        assert!(!text.contains("workspace"), "{text}");
        let table: Table = text.parse().unwrap();
        assert_eq!(
            table["package"]["version"].as_str(),
            Some(env!("CARGO_PKG_VERSION"))
        );
        assert!(table["dependencies"]["wit-bindgen"]["version"].is_str(), "{text}");
    }

    #[test]
    fn the_copy_has_the_contract() {
        let has = |wanted: &str| SOURCES.iter().any(|file| file.path == wanted);
        assert!(has("src/lib.rs") && has("worlds.wit") && has("wit/types.wit"));
        let text = |wanted: &str| {
            SOURCES
                .iter()
                .find(|file| file.path == wanted)
                .map(|file| file.text)
        };
        assert!(
            text("wit/types.wit")
                .unwrap()
                .contains("package hookwire:plugin@")
        );
    }
}
