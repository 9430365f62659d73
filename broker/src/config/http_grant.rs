//! `grant = { http = … }`: the servers that a plugin may ask.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hookwire_plugin_host::{HttpGrant, HttpOrigin};
use toml::de::DeValue;

use super::file::{open_regular, read_text};
use super::kinds::{boolean, duration, integer, list, path, size};
use super::reader::Item;

/// Certificates by the hundred have less.
const CA_BYTES_MAX: u64 = 4 << 20;

/// A list of servers, or a table with them and more.
pub(super) fn read(item: Item<'_>, folder: &Path, files: &mut Vec<PathBuf>) -> Option<HttpGrant> {
    if !matches!(item.value(), DeValue::Table(_)) {
        return servers(item).map(HttpGrant::new);
    }
    let mut section = item.section()?;
    let mut grant = HttpGrant::new(section.require("hosts", servers).unwrap_or_default());
    section.set(
        "timeout",
        &mut grant.timeout,
        duration(Duration::from_millis(1)..=Duration::from_secs(60)),
    );
    section.set("concurrent_max", &mut grant.concurrent_max, integer(1..=4096));
    section.set(
        "response_bytes_max",
        &mut grant.response_bytes_max,
        size(1 << 10..=16 << 20),
    );
    section.set("private", &mut grant.private, boolean);
    grant.ca = section.take("ca_file", |item| certificates(&item, folder, files));
    section.finish();
    Some(grant)
}

fn servers(item: Item<'_>) -> Option<Vec<HttpOrigin>> {
    list("servers such as \"https://auth.example.com\"", server)(item)
}

fn server(item: Item<'_>) -> Option<HttpOrigin> {
    const EXPECTED: &str = "a server such as \"https://auth.example.com\"";
    let Some(text) = item.string() else {
        return item.refuse(EXPECTED);
    };
    HttpOrigin::parse(text)
        .map_err(|reason| item.problem::<()>(format!("expected {EXPECTED}: {reason}")))
        .ok()
}

fn certificates(item: &Item<'_>, folder: &Path, files: &mut Vec<PathBuf>) -> Option<String> {
    let path = folder.join(path(item.clone())?);
    match open_regular(&path).and_then(|file| read_text(file, CA_BYTES_MAX)) {
        Ok(text) => {
            files.push(path);
            Some(text)
        }
        Err(reason) => item.problem(format!("cannot read {path:?}: {reason}")),
    }
}
