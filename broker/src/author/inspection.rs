//! What `hookwire plugin inspect` prints: a component's type in plain words, or as JSON for programs.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context;
use hookwire_plugin_host::Inspection;
use serde_json::{Value, json};

use crate::config::Config;
use crate::output::output;
use crate::policy;

/// Version of the JSON: fields may come, none goes or changes its meaning while this stays.
const FORMAT: u32 = 1;

/// Prints what a component is. Nothing of it is run.
pub(super) fn show(file: &Path, as_json: bool) -> anyhow::Result<()> {
    let inspection = inspect(file)?;
    let text = if as_json {
        format!("{:#}\n", to_json(&inspection))
    } else {
        describe(&inspection)
    };
    Ok(output().write_all(text.as_bytes())?)
}

/// Reads a component's type.
pub(super) fn inspect(file: &Path) -> anyhow::Result<Inspection> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let host = policy::checking_host(&Config::default())?;
    host.inspect(&bytes).with_context(|| file.display().to_string())
}

/// What it is asked, what it reaches for, what it has to be granted.
pub(super) fn describe(inspection: &Inspection) -> String {
    let mut text = format!(
        "sha256   {}\nsize     {} bytes\n",
        digest(inspection),
        inspection.bytes
    );
    if let Some(version) = &inspection.version {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "version  {version}");
    }
    for version in contracts(inspection) {
        let _ = writeln!(text, "contract {version}");
    }
    let _ = writeln!(text, "hooks    {}", hooks(inspection).join(", "));
    if inspection.batch {
        text.push_str("batch    answers many messages in one call\n");
    }
    for (title, lines) in [("exports", &inspection.exports), ("imports", &inspection.imports)] {
        for line in lines {
            let _ = writeln!(text, "{title:8} {line}");
        }
    }
    for grant in &inspection.grants_needed {
        let _ = writeln!(text, "needs    {grant}");
    }
    text
}

fn to_json(inspection: &Inspection) -> Value {
    json!({
        "format": FORMAT,
        "sha256": digest(inspection),
        "version": inspection.version,
        "bytes": inspection.bytes,
        "contracts": contracts(inspection),
        "hooks": hooks(inspection),
        "batch": inspection.batch,
        "exports": inspection.exports,
        "imports": inspection.imports,
        "grants_needed": inspection.grants_needed,
    })
}

/// Names of the hooks that it implements.
pub(super) fn hooks(inspection: &Inspection) -> Vec<&'static str> {
    inspection.hooks.iter().map(|hook| hook.as_str()).collect()
}

fn digest(inspection: &Inspection) -> String {
    inspection
        .sha256
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The versions of the contract that it was built for: `hookwire:plugin@0.1.0`, as a rule one.
fn contracts(inspection: &Inspection) -> BTreeSet<String> {
    let names = inspection.exports.iter().chain(&inspection.imports);
    names
        .filter_map(|name| {
            let (path, version) = name.split_once('@')?;
            let (package, _) = path.split_once('/')?;
            (package == "hookwire:plugin").then(|| format!("{package}@{version}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use hookwire_hooks::{Hook, HookSet};

    use super::*;

    #[test]
    fn the_json_has_all_of_it() {
        let inspection = Inspection {
            sha256: [0xab; 32],
            version: Some("1.2.3".into()),
            bytes: 3,
            hooks: HookSet::EMPTY.with(Hook::OnPublish).with(Hook::Route),
            batch: true,
            exports: vec![
                "hookwire:plugin/lifecycle@0.1.0".into(),
                "hookwire:plugin/route@0.1.0".into(),
            ],
            imports: vec!["hookwire:plugin/kv@0.1.0".into(), "wasi:io/poll@0.2.0".into()],
            grants_needed: vec!["grant = { metrics = true }"],
        };
        let json = to_json(&inspection);
        let expected = json!({
            "format": 1,
            "sha256": "ab".repeat(32),
            "version": "1.2.3",
            "bytes": 3,
            "contracts": ["hookwire:plugin@0.1.0"],
            "hooks": ["on-publish", "route"],
            "batch": true,
            "exports": ["hookwire:plugin/lifecycle@0.1.0", "hookwire:plugin/route@0.1.0"],
            "imports": ["hookwire:plugin/kv@0.1.0", "wasi:io/poll@0.2.0"],
            "grants_needed": ["grant = { metrics = true }"],
        });
        assert_eq!(json, expected);
        assert!(
            describe(&inspection).contains(
                "version  1.2.3\ncontract hookwire:plugin@0.1.0\nhooks    on-publish, route\nbatch "
            )
        );
    }
}
