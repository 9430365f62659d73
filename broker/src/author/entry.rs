//! The `[[plugin]]` entry behind a component: from a configuration file, from a file of cases, or as if everything were
//! granted.

use std::path::Path;

use anyhow::{Context, bail};
use hookwire_plugin_host::{Grants, PluginSource, PluginSpec};
use hookwire_plugin_test::CaseFile;
use toml::{Table, Value};

use crate::bundled::BUNDLED;
use crate::config::Config;

/// The entry of `config` that names the component in `file`, and its place among the entries.
pub(super) fn of_config(config: &Path, file: &Path) -> anyhow::Result<(usize, PluginSpec)> {
    let read = Config::load(config, BUNDLED)?;
    let wanted = file
        .canonicalize()
        .with_context(|| format!("cannot read {}", file.display()))?;
    let is_wanted = |spec: &PluginSpec| match &spec.source {
        PluginSource::Path(path) => path.canonicalize().is_ok_and(|path| path == wanted),
        PluginSource::Bundled { .. } => false,
    };
    let specs = read.plugins.into_iter().map(|entry| entry.spec);
    let found = specs.enumerate().find(|(_, spec)| is_wanted(spec));
    found.with_context(|| {
        format!(
            "no [[plugin]] of {} names {}; give it an entry with `path = {:?}`",
            config.display(),
            file.display(),
            file.display().to_string()
        )
    })
}

/// The `[plugin]` table of a file of cases, read as the broker reads an entry of its configuration: what `{ file = "…" }`
/// names lies beside the cases.
pub(super) fn of_cases(content: &CaseFile, cases: &Path, file: &Path) -> anyhow::Result<PluginSpec> {
    let mut entry = content.plugin().clone();
    let path = std::path::absolute(file)?;
    entry.insert("name".to_owned(), Value::String(name(file)));
    entry.insert("path".to_owned(), Value::String(path.display().to_string()));
    let mut root = Table::new();
    root.insert("secrets".to_owned(), Value::Table(content.secrets().clone()));
    root.insert("plugin".to_owned(), Value::Array(vec![Value::Table(entry)]));
    match Config::parse(&toml::to_string(&root)?, Some(cases), BUNDLED) {
        Ok(config) => {
            let mut plugins = config.plugins.into_iter();
            plugins
                .next()
                .map(|entry| entry.spec)
                .context("an entry is read as one")
        }
        // The lines are those of a text that nobody wrote.
        Err(error) => {
            let problems = error.problems.iter().map(|problem| {
                let key = problem.key.replacen("plugin.0", "plugin", 1);
                format!("{}: {key}: {}", cases.display(), problem.message)
            });
            bail!("{}", problems.collect::<Vec<_>>().join("\n"))
        }
    }
}

/// An entry with an empty configuration and every grant.
pub(super) fn unconfigured(file: &Path) -> PluginSpec {
    let mut spec = PluginSpec::new(name(file), PluginSource::Path(file.to_owned()));
    spec.grants = Grants::everything();
    spec
}

/// `size-limit` for `target/size_limit.wasm`.
fn name(file: &Path) -> String {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    stem.replace('_', "-")
}
