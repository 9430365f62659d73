//! `hookwire plugin check`: everything that loading would check, for one component.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use hookwire_hooks::Plugin;
use hookwire_plugin_host::{ConfigProblem, LoadError, LoadedPlugin, PluginSpec};

use super::entry;
use crate::cli::CheckArgs;
use crate::config::Config;
use crate::output::output;
use crate::policy;

/// Loads the component as the broker would, and says what it is.
pub(super) fn check(args: &CheckArgs) -> anyhow::Result<()> {
    match &args.config {
        Some(config) => check_entry(config, &args.file),
        None => check_type(&args.file),
    }
}

/// With the entry that a configuration has for it: grants, digest, limits, its own table.
fn check_entry(config: &Path, file: &Path) -> anyhow::Result<()> {
    let (place, spec) = entry::of_config(config, file)?;
    match load(&spec)? {
        Ok(plugin) => Ok(writeln!(
            output(),
            "{}: loads as {:?}, asked at {}",
            file.display(),
            spec.name,
            hooks(&plugin)
        )?),
        Err(reason) => Err(policy::refused(place, &spec.name, reason, Some(config)).into()),
    }
}

/// Without a configuration: what does not depend on one. A plugin that wants something in its table is none the worse.
pub(super) fn check_type(file: &Path) -> anyhow::Result<()> {
    let loads = match load(&entry::unconfigured(file))? {
        Ok(plugin) => format!("loads, asked at {}", hooks(&plugin)),
        Err(LoadError::ConfigRefused { problems }) => {
            format!("loads once it is configured; {}", wishes(&problems))
        }
        Err(error) => anyhow::bail!("{}: {error}", file.display()),
    };
    Ok(writeln!(output(), "{}: {loads}", file.display())?)
}

fn load(spec: &PluginSpec) -> anyhow::Result<Result<Arc<LoadedPlugin>, LoadError>> {
    Ok(policy::checking_host(&Config::default())?.load(spec))
}

fn hooks(plugin: &LoadedPlugin) -> String {
    let hooks: Vec<_> = plugin.hooks().iter().map(|hook| hook.as_str()).collect();
    hooks.join(", ")
}

fn wishes(problems: &[ConfigProblem]) -> String {
    let texts: Vec<_> = problems.iter().map(ToString::to_string).collect();
    format!("an empty [plugin.config] is refused: {}", texts.join(", "))
}
