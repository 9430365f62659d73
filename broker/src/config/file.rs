//! From a file, or its text, to a [`Config`].

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hookwire_plugin_host::PluginSource;
use toml::de::{DeTable, Error as SyntaxError};

use super::kinds::{duration, log_filter, path};
use super::plugin::{BundledPlugin, Surroundings};
use super::problem::{ConfigError, Problem};
use super::reader::Section;
use super::report::Report;
use super::settings::{Config, PluginEntry};
use super::units::show_size;
use super::{admin, admission, limits, listener, plugin, plugins, secrets, session, store};

/// A configuration of a thousand plugins is far smaller.
const FILE_BYTES_MAX: u64 = 4 << 20;

impl Config {
    /// Reads and checks the file at `path`. `bundled` are the plugins that `bundled = "…"` can name.
    pub fn load(path: &Path, bundled: &[BundledPlugin]) -> Result<Self, ConfigError> {
        let read = open(path).and_then(|file| read_text(file, FILE_BYTES_MAX));
        let text = read.map_err(|reason| whole_file(Some(path), reason))?;
        // What an editor leaves for a moment between truncating and writing. Read as "all defaults", a reload at that
        // moment would drop every policy.
        if text.trim().is_empty() {
            return Err(whole_file(Some(path), "the file is empty".to_owned()));
        }
        Self::parse(&text, Some(path), bundled)
    }

    /// Checks the text of a file. Relative paths in it start at the folder of `file`.
    pub fn parse(text: &str, file: Option<&Path>, bundled: &[BundledPlugin]) -> Result<Self, ConfigError> {
        if text.len() as u64 > FILE_BYTES_MAX {
            return Err(whole_file(file, too_large(FILE_BYTES_MAX)));
        }
        let folder = file.and_then(Path::parent).unwrap_or_else(|| Path::new(""));
        let report = Report::new(text);
        let config = read(text, &report, folder, bundled);
        match (config, report.into_problems()) {
            (Some(config), problems) if problems.is_empty() => Ok(config),
            (_, problems) => Err(ConfigError {
                file: file.map(Path::to_owned),
                problems,
            }),
        }
    }

    /// Files that the configuration was made of besides its own: components, and what `{ file = "…" }` names.
    pub fn watched_files(&self) -> Vec<PathBuf> {
        let files = self.plugins.iter().flat_map(PluginEntry::watched_files);
        let files = files.chain(&self.admin.token_file);
        files.collect::<BTreeSet<_>>().into_iter().cloned().collect()
    }
}

impl PluginEntry {
    fn watched_files(&self) -> impl Iterator<Item = &PathBuf> {
        let component = match &self.spec.source {
            PluginSource::Path(path) => Some(path),
            PluginSource::Bundled { .. } => None,
        };
        component.into_iter().chain(&self.files)
    }
}

/// A file that is nothing else: opening a pipe would wait for whoever writes to it.
pub(super) fn open_regular(path: &Path) -> Result<File, String> {
    let kind = fs::metadata(path).map_err(|error| error.to_string())?;
    if kind.is_file() {
        open(path)
    } else {
        Err("not a file".to_owned())
    }
}

fn open(path: &Path) -> Result<File, String> {
    File::open(path).map_err(|error| error.to_string())
}

/// The text of a file, unless it is too large, not readable or not text; then why.
pub(super) fn read_text(file: File, bytes_max: u64) -> Result<String, String> {
    let mut bytes = Vec::new();
    file.take(bytes_max + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    if bytes.len() as u64 > bytes_max {
        return Err(too_large(bytes_max));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("not UTF-8 text (line {line})")
    })
}

fn too_large(bytes_max: u64) -> String {
    format!("larger than {}", show_size(bytes_max).trim_matches('"'))
}

fn whole_file(file: Option<&Path>, message: String) -> ConfigError {
    let problem = Problem {
        line: None,
        column: None,
        key: String::new(),
        message,
    };
    ConfigError {
        file: file.map(Path::to_owned),
        problems: vec![problem],
    }
}

/// `None` when the text is no TOML. Otherwise a configuration, which is only good if `report` stays empty.
fn read(text: &str, report: &Report<'_>, folder: &Path, bundled: &[BundledPlugin]) -> Option<Config> {
    match DeTable::parse_recoverable(text) {
        (table, errors) if errors.is_empty() => {
            let mut root = Section::root(table.get_ref(), report);
            let secrets = &secrets::read(&mut root, folder);
            let around = Surroundings {
                folder,
                bundled,
                secrets,
            };
            Some(read_root(root, around))
        }
        (_, errors) => {
            errors.iter().for_each(|error| syntax_error(error, report));
            None
        }
    }
}

fn syntax_error(error: &SyntaxError, report: &Report<'_>) {
    let at = error.span().unwrap_or_default().start;
    report.add(at, String::new(), error.message().to_owned());
}

fn read_root(mut root: Section<'_>, around: Surroundings<'_>) -> Config {
    let mut config = Config::default();
    root.set("log", &mut config.log, log_filter);
    root.set(
        "sys_interval",
        &mut config.sys_interval,
        duration(Duration::ZERO..=Duration::from_secs(3600)),
    );
    config.data_dir = root.take("data_dir", path).map(|path| around.folder.join(path));
    root.set(
        "shutdown_timeout",
        &mut config.shutdown_timeout,
        duration(Duration::ZERO..=Duration::from_secs(3600)),
    );
    config.store = store::read(root.section("store"));
    config.limits = limits::read(root.section("limits"));
    let mut taken = listener::Addresses::default();
    config.listeners = listener::read_all(&mut root, &mut taken);
    config.session = session::read(root.section("session"));
    config.takeover = session::read_takeover(root.section("takeover"));
    config.ban = admission::read_ban(root.section("ban"));
    config.flapping = admission::read_flapping(root.section("flapping"));
    config.redirect = admission::read_redirect(root.section("redirect"));
    config.access_default = session::read_authorization(root.section("authorization"));
    config.admin = admin::read(root.section("admin"), around.folder, &mut taken);
    config.plugin_host = plugins::read(root.section("plugins"), around.folder);
    config.plugins = plugin::read_all(&mut root, around);
    root.finish();
    config
}
