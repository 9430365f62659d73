//! The plugin `sensor-guard` of `plugins/in-python` and `plugins/in-javascript` in Rust: what a filter does is no matter of
//! the language that it is written in.

use std::time::Duration;

use hookwire_plugin::prelude::*;
use hookwire_plugin::{clock, kv};
use serde_json::Value;

/// How long a reading is one to compare the next with.
const REMEMBERED: Duration = Duration::from_secs(24 * 3600);

/// Longest key of the store, characters.
const KEY_CHARS_MAX: usize = 1024;

/// The plugin's table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    rules: Vec<Rule>,
}

/// What readings on some topics have to be like.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    topics: TopicFilter,
    #[serde(default)]
    field: String,
    #[serde(default = "lowest")]
    min: f64,
    #[serde(default = "highest")]
    max: f64,
    #[serde(default = "highest")]
    change_per_second_max: f64,
    #[serde(default)]
    on_violation: OnViolation,
}

fn lowest() -> f64 {
    f64::NEG_INFINITY
}

fn highest() -> f64 {
    f64::INFINITY
}

/// What becomes of a reading that is not like that.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OnViolation {
    #[default]
    Reject,
    Drop,
    Mark,
}

struct SensorGuard {
    rules: Vec<Rule>,
}

impl Plugin for SensorGuard {
    type Config = Config;

    fn new(Config { rules }: Config) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        if rules.is_empty() {
            problems.push(Problem::at("rules", "expected a list of at least one rule"));
        }
        for (place, rule) in rules.iter().enumerate() {
            if rule.min > rule.max {
                problems.push(Problem::at(
                    format_args!("rules.{place}.min"),
                    "expected at most max",
                ));
            }
        }
        if !problems.is_empty() {
            return Err(problems.into());
        }
        Ok(Self { rules })
    }

    fn interests(&self) -> Interests {
        let mut interest = MessageInterest::topics(self.rules.iter().map(|rule| rule.topics.as_str()));
        interest.properties = self
            .rules
            .iter()
            .any(|rule| rule.on_violation == OnViolation::Mark);
        Interests {
            on_publish: interest,
            ..Interests::default()
        }
    }
}

impl OnPublish for SensorGuard {
    fn on_publish(&self, message: &Message<'_>) -> Verdict {
        let rule = self
            .rules
            .iter()
            .find(|rule| rule.topics.matches(message.topic()));
        let Some((rule, fault)) = rule.and_then(|rule| Some((rule, rule.fault_of(message)?))) else {
            return Verdict::pass();
        };
        log::info!("{}: {fault}", message.topic());
        match rule.on_violation {
            OnViolation::Reject => Verdict::reject(Reason::PayloadFormatInvalid, fault),
            OnViolation::Drop => Verdict::drop(),
            OnViolation::Mark => marked(message, &fault),
        }
    }
}

impl Rule {
    /// What is wrong with a reading; none when nothing is, and then it is the one to compare the next with.
    fn fault_of(&self, message: &Message<'_>) -> Option<String> {
        let Some(value) = self.reading(message.payload()) else {
            let place = Some(self.field.as_str()).filter(|field| !field.is_empty());
            return Some(format!("no number at {}", place.unwrap_or("the payload")));
        };
        if value < self.min || value > self.max {
            return Some(format!("{value} is not within {} to {}", self.min, self.max));
        }
        if self.change_per_second_max.is_infinite() {
            return None;
        }
        self.leap(message.topic(), value)
    }

    fn reading(&self, payload: &[u8]) -> Option<f64> {
        let payload: Value = serde_json::from_slice(payload).ok()?;
        let mut names = self.field.split('.').filter(|name| !name.is_empty());
        let reading = names.try_fold(&payload, |value, name| value.as_object()?.get(name));
        reading?.as_f64()
    }

    fn leap(&self, topic: &str, value: f64) -> Option<String> {
        let now = clock::now_ms();
        let key: String = format!("last/{topic}").chars().take(KEY_CHARS_MAX).collect();
        if let Some((then, before)) = kv::get(&key).and_then(|last| unpack(&last)) {
            // Readings may come at the same millisecond, and clocks may go back.
            let seconds = now.saturating_sub(then).max(1) as f64 / 1000.0;
            if (value - before).abs() > self.change_per_second_max * seconds.max(1.0) {
                return Some(format!("{value} is too far from {before}, {seconds:.1} s ago"));
            }
        }
        if let Err(error) = kv::put(&key, &pack(now, value), Some(REMEMBERED)) {
            log::warn!("the last reading of {topic} cannot be kept: {error:?}");
        }
        None
    }
}

/// Time and value of a reading: milliseconds, float64.
fn pack(now: u64, value: f64) -> Vec<u8> {
    [now.to_le_bytes(), value.to_le_bytes()].concat()
}

fn unpack(last: &[u8]) -> Option<(u64, f64)> {
    let (then, value) = last.split_first_chunk()?;
    Some((
        u64::from_le_bytes(*then),
        f64::from_le_bytes(value.try_into().ok()?),
    ))
}

fn marked(message: &Message<'_>, fault: &str) -> Verdict {
    let mut properties = message.properties().to_owned();
    properties.remove_user_property("fault");
    properties.push_user_property("fault", fault);
    Replacement::properties(properties).into()
}

hookwire_plugin::export!(SensorGuard: OnPublish);
