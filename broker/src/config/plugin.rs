//! `[[plugin]]`

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hookwire_hooks::{FailureRules, Hook, OnFailure};
use hookwire_plugin_host::{
    BreakerSettings, Grants, Mode, PluginSource, PluginSpec, Power, Powers, RetainedGrant,
};

use super::file::open_regular;
use super::http_grant;
use super::kinds::{
    alternatives, boolean, choice, duration, integer, list, name, path, sha256, size, topic_filter, unique,
};
use super::plugin_config::ConfigReader;
use super::reader::{Item, Section};
use super::secrets::{KeptSecret, Secrets};
use super::settings::PluginEntry;
use super::units::show_duration;

const ON_FAILURE: &[(&str, OnFailure)] = &[
    ("deny", OnFailure::Deny),
    ("pass", OnFailure::Pass),
    ("disconnect", OnFailure::Disconnect),
];

const MODES: &[(&str, Mode)] = &[("enforce", Mode::Enforce), ("shadow", Mode::Shadow)];

/// A plugin that is part of the broker's binary.
#[derive(Debug, Clone, Copy)]
pub struct BundledPlugin {
    /// As `bundled = "…"` spells it.
    pub name: &'static str,
    /// The component.
    pub bytes: &'static [u8],
}

/// What reading plugins needs besides the file.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'a> {
    /// Relative paths start here: the folder of the file.
    pub(super) folder: &'a Path,
    pub(super) bundled: &'a [BundledPlugin],
    pub(super) secrets: &'a Secrets,
}

pub(super) fn read_all(root: &mut Section<'_>, around: Surroundings<'_>) -> Vec<PluginEntry> {
    let mut seen = HashMap::new();
    let sections = root.sections("plugin").unwrap_or_default();
    sections
        .into_iter()
        .map(|section| read(section, around, &mut seen))
        .collect()
}

fn read(
    mut section: Section<'_>,
    around: Surroundings<'_>,
    seen: &mut HashMap<String, usize>,
) -> PluginEntry {
    let name = section.require("name", unique(seen, name)).unwrap_or_default();
    let optional = section.take("optional", boolean).unwrap_or(false);
    let source = read_source(&mut section, around, optional);
    // Where there is none it has been complained about, and the rest is read for further complaints only.
    let mut spec = PluginSpec::new(
        name,
        source.unwrap_or(PluginSource::Bundled { name: "", bytes: &[] }),
    );
    spec.sha256 = section.take("sha256", sha256);
    section.set("mode", &mut spec.mode, choice(MODES));
    section.set("topics", &mut spec.topics, list("topic filters", topic_filter));
    section.set("may", &mut spec.may, powers);
    section.set("on_failure", &mut spec.on_failure, failure_rules);
    read_budgets(&mut section, &mut spec);
    section.set("async", &mut spec.may_wait, boolean);
    spec.breaker = read_breaker(section.section("breaker"));
    let mut files = Vec::new();
    spec.grants = read_grants(section.section("grant"), around, &mut files);
    let mut config = ConfigReader::new(around.folder);
    spec.config = config.read(section.item("config"));
    section.finish();
    files.extend(config.into_files());
    PluginEntry {
        spec,
        optional,
        files,
    }
}

/// None is the tightest bound, so the array may be empty; every bad word in it is complained about.
fn powers(item: Item<'_>) -> Option<Powers> {
    let Some(elements) = item.elements() else {
        return item.refuse("an array of words such as [\"refuse\", \"modify\"]");
    };
    let powers: Vec<_> = elements.map(power).collect();
    powers.into_iter().collect()
}

fn power(item: Item<'_>) -> Option<Power> {
    let named = |power: &Power| item.string() == Some(power.as_str());
    let found = Power::ALL.into_iter().find(named);
    found.or_else(|| item.refuse(alternatives(Power::ALL.into_iter().map(Power::as_str))))
}

/// One word for all hooks, or a table with words for some.
fn failure_rules(item: Item<'_>) -> Option<FailureRules> {
    if item.entries().is_none() {
        return choice(ON_FAILURE)(item).map(FailureRules::everywhere);
    }
    let mut section = item.section()?;
    let mut rules = FailureRules::default();
    // Who addresses a plugin is told of its failure; there is nothing to stand in for.
    for hook in Hook::ALL.into_iter().filter(|hook| *hook != Hook::Control) {
        if let Some(on_failure) = section.take(hook.as_str(), choice(ON_FAILURE)) {
            rules = rules.with(hook, on_failure);
        }
    }
    section.finish();
    Some(rules)
}

fn read_budgets(section: &mut Section<'_>, spec: &mut PluginSpec) {
    const MILLISECOND: Duration = Duration::from_millis(1);
    const MINUTE: Duration = Duration::from_secs(60);
    section.set("deadline", &mut spec.deadline, duration(MILLISECOND..=MINUTE));
    section.set(
        "deadline_slow",
        &mut spec.deadline_slow,
        duration(MILLISECOND..=MINUTE),
    );
    section.set("memory", &mut spec.memory_bytes_max, size(64 << 10..=4 << 30));
    section.set("instances", &mut spec.instances_max, integer(1..=1024));
    spec.instances_slow_max = section.take("instances_slow", integer(1..=1024));
}

fn read_breaker(mut section: Section<'_>) -> BreakerSettings {
    const SECOND: Duration = Duration::from_secs(1);
    let mut breaker = BreakerSettings::default();
    section.set("failures", &mut breaker.failures, integer(0..=1000));
    section.set(
        "window",
        &mut breaker.window,
        duration(SECOND / 10..=3600 * SECOND),
    );
    let retry = || duration(SECOND / 100..=3600 * SECOND);
    section.set("retry_after", &mut breaker.retry_after, retry());
    section.set("retry_after_max", &mut breaker.retry_after_max, retry());
    section.expect_at_least(
        ("retry_after_max", breaker.retry_after_max),
        ("retry_after", breaker.retry_after),
        |time| show_duration(*time),
    );
    section.finish();
    breaker
}

fn read_source(section: &mut Section<'_>, around: Surroundings<'_>, optional: bool) -> Option<PluginSource> {
    match (section.item("path"), section.item("bundled")) {
        (Some(item), None) => component_file(item, around.folder, optional),
        (None, Some(item)) => bundled(item, around.bundled),
        (Some(_), Some(second)) => second.problem("expected either path or bundled, found both".to_owned()),
        (None, None) => section.problem("expected path or bundled, found neither".to_owned()),
    }
}

/// An optional plugin may be missing: that is for whoever loads it to say.
fn component_file(item: Item<'_>, folder: &Path, optional: bool) -> Option<PluginSource> {
    let path = folder.join(path(item.clone())?);
    match open_regular(&path) {
        Err(reason) if !optional => item.problem(format!("cannot read {path:?}: {reason}")),
        _ => Some(PluginSource::Path(path)),
    }
}

fn bundled(item: Item<'_>, known: &[BundledPlugin]) -> Option<PluginSource> {
    let found = known.iter().find(|plugin| item.string() == Some(plugin.name));
    let source = found.map(|plugin| PluginSource::Bundled {
        name: plugin.name,
        bytes: plugin.bytes,
    });
    source.or_else(|| {
        let names = alternatives(known.iter().map(|plugin| plugin.name));
        item.refuse(format!("the name of a bundled plugin ({names})"))
    })
}

/// `grant = { … }`: nothing is granted that does not stand there. `files` are those that it is read from.
fn read_grants(mut section: Section<'_>, around: Surroundings<'_>, files: &mut Vec<PathBuf>) -> Grants {
    let mut grants = Grants::default();
    section.set("clients", &mut grants.clients, boolean);
    section.set(
        "publish",
        &mut grants.publish,
        list("topic filters", topic_filter),
    );
    grants.retained = section.take("retained", read_retained);
    if let Some(kv) = section.take("kv", Item::section) {
        read_kv(kv, &mut grants);
    }
    let named = section.take(
        "secrets",
        list("names of secrets", |item| granted_secret(&item, around.secrets)),
    );
    for (name, kept) in named.unwrap_or_default() {
        files.extend(kept.file);
        grants.secrets.insert(name, kept.secret);
    }
    section.set("password", &mut grants.password, boolean);
    grants.rate_limit_keys_max = section
        .take("rate_limit", Item::section)
        .and_then(read_rate_limit);
    section.set("metrics", &mut grants.metrics, boolean);
    section.set("random", &mut grants.random, boolean);
    grants.http = section.take("http", |item| http_grant::read(item, around.folder, files));
    section.finish();
    grants
}

/// Topic filters for both, or for reading and writing apart.
fn read_retained(item: Item<'_>) -> Option<RetainedGrant> {
    if item.elements().is_some() {
        let filters = list("topic filters", topic_filter)(item)?;
        return Some(RetainedGrant {
            read: filters.clone(),
            write: filters,
        });
    }
    if item.entries().is_none() {
        return item.refuse("an array of topic filters, or { read = […], write = […] }");
    }
    let mut section = item.section()?;
    let mut grant = RetainedGrant::default();
    section.set("read", &mut grant.read, list("topic filters", topic_filter));
    section.set("write", &mut grant.write, list("topic filters", topic_filter));
    section.finish();
    Some(grant)
}

fn granted_secret(item: &Item<'_>, secrets: &Secrets) -> Option<(String, KeptSecret)> {
    let Some(name) = item.string() else {
        return item.refuse("the name of a secret");
    };
    match secrets.get(name) {
        Some(kept) => kept.clone().map(|kept| (name.to_owned(), kept)),
        None => item.problem(format!("there is no secret {name:?} in [secrets]")),
    }
}

fn read_kv(mut section: Section<'_>, grants: &mut Grants) {
    grants.kv_bytes_max = section.require("bytes", size(1 << 10..=4 << 30));
    section.set("durable", &mut grants.kv_durable, boolean);
    section.finish();
}

fn read_rate_limit(mut section: Section<'_>) -> Option<usize> {
    let keys = section.require("keys", integer(1..=10_000_000));
    section.finish();
    keys
}
