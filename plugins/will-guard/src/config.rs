//! The plugin's `config` table.

use hookwire_plugin::prelude::*;
use hookwire_plugin::{FilterError, TopicFilter};

use crate::WillGuard;
use crate::cause::NamedCause;

/// How long a will is held back when nothing is said about it.
const DELAY_SECS_DEFAULT: u32 = 10;

/// Longest delay that the broker grants.
const DELAY_SECS_MAX: u32 = 3600;

/// MQTT limits names of user properties to so many bytes.
const NAME_BYTES_MAX: usize = 65_535;

/// The table, as it is read.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(default = "delay_secs_default")]
    delay_secs: u32,
    #[serde(default = "suppress_causes_default")]
    suppress_causes: Vec<NamedCause>,
    only_topics: Option<Vec<String>>,
    stamp_property: Option<String>,
}

fn delay_secs_default() -> u32 {
    DELAY_SECS_DEFAULT
}

/// Of this one it is certain that the client is there.
fn suppress_causes_default() -> Vec<NamedCause> {
    vec![NamedCause(Cause::TakenOver)]
}

impl Config {
    /// The plugin, or all that is wrong with its configuration.
    pub(crate) fn check(self) -> Result<WillGuard, Problems> {
        let mut problems = Vec::new();
        if self.delay_secs > DELAY_SECS_MAX {
            let text = format!("expected at most {DELAY_SECS_MAX} seconds");
            problems.push(Problem::at("delay_secs", text));
        }
        let topics = self
            .only_topics
            .as_deref()
            .map(|topics| check_topics(topics, &mut problems));
        if self.stamp_property.as_deref().is_some_and(|name| !is_name(name)) {
            let text = "expected 1 to 65,535 bytes, none of them U+0000";
            problems.push(Problem::at("stamp_property", text));
        }
        if !problems.is_empty() {
            return Err(problems.into());
        }
        Ok(WillGuard {
            delay_secs: self.delay_secs,
            suppressed: self
                .suppress_causes
                .into_iter()
                .map(|NamedCause(cause)| cause)
                .collect(),
            topics,
            stamp_property: self.stamp_property,
        })
    }
}

fn check_topics(topics: &[String], problems: &mut Vec<Problem>) -> Vec<TopicFilter> {
    if topics.is_empty() {
        problems.push(Problem::at(
            "only_topics",
            "expected at least one topic filter, or no such key",
        ));
    }
    let mut filters = Vec::new();
    for (index, topic) in topics.iter().enumerate() {
        match topic.parse() {
            Ok(filter) => filters.push(filter),
            Err(error) => {
                let error: FilterError = error;
                problems.push(Problem::at(format_args!("only_topics.{index}"), error));
            }
        }
    }
    filters
}

fn is_name(name: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&name.len()) && !name.contains('\0')
}
