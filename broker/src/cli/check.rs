//! `hookwire check FILE`

use std::path::Path;
use std::sync::Arc;

use hookwire_hooks::NoHost;
use hookwire_plugin_host::{HostLimits, PluginHost};

use crate::bundled::BUNDLED;
use crate::config::Config;
use crate::policy;

pub(super) fn check(file: &Path) -> anyhow::Result<()> {
    let config = Config::load(file, BUNDLED)?;
    let host = PluginHost::new(HostLimits::default(), Arc::new(NoHost))?;
    policy::check(&host, &config, file)?;
    println!("{}: ok, {} plugins", file.display(), config.plugins.len());
    Ok(())
}
