//! The versions that the SDK was tested with, as a lock file for a new plugin: its first build takes these, and finds them on
//! any machine that has built the broker, without the network.

use std::collections::BTreeMap;

use anyhow::Context;
use toml::{Table, Value};

const LOCK: &str = include_str!("../../../Cargo.lock");

/// The crates that a new plugin and its copy of the SDK depend on.
const ROOTS: [&str; 5] = [
    "base64ct",
    "serde",
    "serde_json",
    "serde_path_to_error",
    "wit-bindgen",
];

/// The part of the broker's lock file that a plugin needs. Cargo adds the plugin and the SDK itself.
pub(super) fn for_plugin() -> anyhow::Result<String> {
    let lock: Table = LOCK.parse()?;
    let packages = lock.get("package").and_then(Value::as_array);
    let packages = packages.context("a lock file has packages")?;
    let mut kept = BTreeMap::new();
    let mut wanted: Vec<String> = ROOTS.map(str::to_owned).into();
    while let Some(name) = wanted.pop() {
        if let Some((index, package)) = find(packages, &name)
            && kept.insert(index, package.clone()).is_none()
        {
            wanted.extend(dependencies(package));
        }
    }
    let mut part = Table::new();
    part.insert(
        "version".into(),
        lock.get("version")
            .cloned()
            .context("a lock file has a version")?,
    );
    part.insert("package".into(), Value::Array(kept.into_values().collect()));
    Ok(format!(
        "# The versions that this plugin's SDK was tested with. Yours from here on.\n{}",
        toml::to_string(&part)?
    ))
}

/// A package by its name, or by name and version where there are several.
fn find<'a>(packages: &'a [Value], name: &str) -> Option<(usize, &'a Value)> {
    let (name, version) = name
        .split_once(' ')
        .map_or((name, None), |(name, version)| (name, Some(version)));
    let text = |package: &'a Value, key: &str| package.get(key).and_then(Value::as_str);
    packages.iter().enumerate().find(|(_, package)| {
        text(package, "name") == Some(name)
            && version.is_none_or(|version| text(package, "version") == Some(version))
    })
}

fn dependencies(package: &Value) -> Vec<String> {
    let names = package.get("dependencies").and_then(Value::as_array);
    let names = names.into_iter().flatten().filter_map(Value::as_str);
    names.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_locks_what_it_needs_and_no_more() {
        let text = for_plugin().unwrap();
        let has = |name: &str| text.contains(&format!("name = \"{name}\"\n"));
        assert!(ROOTS.iter().all(|root| has(root)), "{text}");
        assert!(has("serde_derive") && has("wit-parser"), "{text}");
        assert!(!has("tokio") && !has("wasmtime") && !has("hookwire"), "{text}");
        let lock: Table = text.parse().unwrap();
        assert_eq!(lock["version"].as_integer(), Some(4));
    }
}
