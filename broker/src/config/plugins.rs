//! `[plugins]`

use std::path::Path;
use std::time::Duration;

use super::kinds::{boolean, choice, duration, path, size};
use super::reader::Section;
use super::settings::{CompileIn, PluginsSettings};

const COMPILE_IN: &[(&str, CompileIn)] = &[("child", CompileIn::Child), ("thread", CompileIn::Thread)];

/// Relative paths start at `folder`.
pub(super) fn read(mut section: Section<'_>, folder: &Path) -> PluginsSettings {
    let mut plugins = PluginsSettings::default();
    section.set("compile", &mut plugins.compile, choice(COMPILE_IN));
    section.set(
        "compile_memory_max",
        &mut plugins.compile_memory_bytes_max,
        size(64 << 20..=1 << 40),
    );
    section.set(
        "compile_timeout",
        &mut plugins.compile_timeout,
        duration(Duration::from_secs(1)..=Duration::from_secs(3600)),
    );
    plugins.cache = section.take("cache", path).map(|path| folder.join(path));
    section.set(
        "cache_bytes_max",
        &mut plugins.cache_bytes_max,
        size(1 << 20..=1 << 40),
    );
    section.set("last_good", &mut plugins.last_good, boolean);
    section.finish();
    plugins
}
