//! What a component can do that another could not.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use hookwire_plugin_host::Inspection;

use super::inspection::{hooks, inspect};
use crate::output::output;

/// Nothing more than the old one could.
const SAME: ExitCode = ExitCode::SUCCESS;
/// More than the old one could.
const WIDER: u8 = 1;

/// Prints what is different, each line with `+` for what has come and `-` for what has gone.
pub(super) fn show(old: &Path, new: &Path) -> anyhow::Result<ExitCode> {
    let (old, new) = (inspect(old)?, inspect(new)?);
    let difference = Difference::between(&old, &new);
    let same_bytes = old.sha256 == new.sha256;
    write!(output(), "{}", difference.describe(same_bytes))?;
    Ok(if difference.is_wider() {
        ExitCode::from(WIDER)
    } else {
        SAME
    })
}

/// What has come and what has gone.
#[derive(Debug, Default, PartialEq, Eq)]
struct Change {
    come: Vec<String>,
    gone: Vec<String>,
}

impl Change {
    fn between(old: Vec<String>, new: Vec<String>) -> Self {
        let missing_in = |all: &[String], one: &String| !all.contains(one);
        let gone = old.iter().filter(|one| missing_in(&new, one)).cloned().collect();
        let come = new.into_iter().filter(|one| missing_in(&old, one)).collect();
        Self { come, gone }
    }
}

/// Two components, compared.
#[derive(Debug)]
struct Difference {
    /// What it is asked: a hook more is a say in something more.
    hooks: Change,
    /// What the configuration has to grant.
    grants: Change,
    /// What it imports, without versions: another version of an interface is no more power.
    imports: Change,
}

impl Difference {
    fn between(old: &Inspection, new: &Inspection) -> Self {
        let names = |of: &Inspection| hooks(of).into_iter().map(str::to_owned).collect();
        let grants = |of: &Inspection| of.grants_needed.iter().map(ToString::to_string).collect();
        Self {
            hooks: Change::between(names(old), names(new)),
            grants: Change::between(grants(old), grants(new)),
            imports: Change::between(unversioned(&old.imports), unversioned(&new.imports)),
        }
    }

    /// An import that needs no grant gives no power, so it does not count.
    fn is_wider(&self) -> bool {
        !self.hooks.come.is_empty() || !self.grants.come.is_empty()
    }

    fn describe(&self, same_bytes: bool) -> String {
        let mut lines = Vec::new();
        for (title, change) in [
            ("hook", &self.hooks),
            ("needs", &self.grants),
            ("import", &self.imports),
        ] {
            lines.extend(change.come.iter().map(|one| format!("+ {title:6} {one}\n")));
            lines.extend(change.gone.iter().map(|one| format!("- {title:6} {one}\n")));
        }
        lines.push(
            match (self.is_wider(), same_bytes) {
                (true, _) => "the new component can do more than the old one\n",
                (false, true) => "the same component\n",
                (false, false) => "the new component can do nothing that the old one could not\n",
            }
            .to_owned(),
        );
        lines.concat()
    }
}

fn unversioned(interfaces: &[String]) -> Vec<String> {
    let path = |name: &String| name.split('@').next().unwrap_or(name).to_owned();
    interfaces.iter().map(path).collect()
}

#[cfg(test)]
mod tests {
    use hookwire_hooks::{Hook, HookSet};

    use super::*;

    fn component(hooks: &[Hook], imports: &[&str], grants: &[&'static str]) -> Inspection {
        Inspection {
            sha256: [0; 32],
            version: None,
            bytes: 0,
            hooks: hooks.iter().copied().fold(HookSet::EMPTY, HookSet::with),
            batch: false,
            exports: Vec::new(),
            imports: imports.iter().map(ToString::to_string).collect(),
            grants_needed: grants.to_vec(),
        }
    }

    #[test]
    fn a_hook_or_a_grant_more_is_wider() {
        let old = component(&[Hook::Route], &["a:b/log@0.1.0"], &[]);
        let asked = component(&[Hook::Route, Hook::OnWill], &["a:b/log@0.1.0"], &[]);
        let able = component(
            &[Hook::Route],
            &["a:b/log@0.1.0", "a:b/kv@0.1.0"],
            &["grant = { kv }"],
        );
        for (new, line) in [(&asked, "+ hook   on-will"), (&able, "+ needs  grant = { kv }")] {
            let difference = Difference::between(&old, new);
            assert!(difference.is_wider());
            assert!(
                difference.describe(false).contains(line),
                "{}",
                difference.describe(false)
            );
            let back = Difference::between(new, &old);
            assert!(!back.is_wider() && back.describe(false).contains(&line.replace('+', "-")));
        }
    }

    #[test]
    fn another_version_or_a_free_import_is_not() {
        let old = component(&[Hook::Route], &["a:b/log@0.1.0"], &[]);
        let new = component(&[Hook::Route], &["a:b/log@0.1.4", "a:b/clock@0.1.4"], &[]);
        let difference = Difference::between(&old, &new);
        assert!(!difference.is_wider());
        assert_eq!(
            difference.describe(false),
            "+ import a:b/clock\nthe new component can do nothing that the old one could not\n"
        );
    }
}
