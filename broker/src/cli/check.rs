//! `hookwire check FILE`

use std::io::Write;
use std::path::Path;

use crate::bundled::BUNDLED;
use crate::config::Config;
use crate::output::output;
use crate::policy;

pub(super) fn check(file: &Path) -> anyhow::Result<()> {
    let config = Config::load(file, BUNDLED)?;
    policy::check(&config, file)?;
    let plugins = config.plugins.len();
    Ok(writeln!(output(), "{}: ok, {plugins} plugins", file.display())?)
}
