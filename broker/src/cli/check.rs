//! `hookwire check FILE`

use std::path::Path;

use crate::bundled::BUNDLED;
use crate::config::Config;
use crate::policy;

pub(super) fn check(file: &Path) -> anyhow::Result<()> {
    let config = Config::load(file, BUNDLED)?;
    policy::check(&config, file)?;
    println!("{}: ok, {} plugins", file.display(), config.plugins.len());
    Ok(())
}
