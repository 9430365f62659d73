//! The plugin's `config` table.

use std::collections::BTreeMap;

use hookwire_plugin::prelude::*;

use crate::Stamp;
use crate::fact::Fact;

/// Longest name of a user property here, bytes: every message carries it.
const NAME_BYTES_MAX: usize = 256;

/// The table, as it is read.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(default)]
    topics: Vec<String>,
    /// Fact to name.
    #[serde(default = "properties_default")]
    properties: BTreeMap<String, String>,
}

fn properties_default() -> BTreeMap<String, String> {
    [
        ("client_id", "publisher-client-id"),
        ("username", "publisher-username"),
        ("time", "published-at"),
    ]
    .map(|(fact, name)| (fact.to_owned(), name.to_owned()))
    .into()
}

impl Config {
    /// The plugin, or all that is wrong with its table.
    pub(crate) fn check(self) -> Result<Stamp, Problems> {
        let mut problems = Vec::new();
        let mut topics = Vec::new();
        for (index, topic) in self.topics.iter().enumerate() {
            match topic.parse() {
                Ok(filter) => topics.push(filter),
                Err(error) => problems.push(Problem::at(format_args!("topics.{index}"), error)),
            }
        }
        let mut facts: Vec<(Fact, String)> = Vec::new();
        for (fact, name) in self.properties {
            match check(&fact, &name, &facts) {
                Ok(fact) => facts.push((fact, name)),
                Err(text) => problems.push(Problem::at(format_args!("properties.{fact}"), text)),
            }
        }
        if facts.is_empty() && problems.is_empty() {
            problems.push(Problem::at("properties", "nothing to say: expected at least one"));
        }
        if problems.is_empty() {
            Ok(Stamp { topics, facts })
        } else {
            Err(problems.into())
        }
    }
}

fn check(fact: &str, name: &str, others: &[(Fact, String)]) -> Result<Fact, String> {
    if !(1..=NAME_BYTES_MAX).contains(&name.len()) || name.contains('\0') {
        return Err(format!(
            "expected the name of a user property, 1 to {NAME_BYTES_MAX} bytes"
        ));
    }
    if others.iter().any(|(_, other)| other == name) {
        return Err(format!("there is a property `{name}` already"));
    }
    Fact::parse(fact).ok_or_else(|| {
        "expected client_id, username, address, listener, protocol, source, time, time_ms or \"attribute.NAME\""
            .to_owned()
    })
}
