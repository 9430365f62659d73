//! The plugin's `config` table.

use hookwire_plugin::prelude::*;
use hookwire_plugin::{TopicFilter, TopicTemplate};

use crate::TopicRewrite;
use crate::rule::{Rule, Rules};

/// The table, as it is read.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    rules: Vec<RuleConfig>,
}

/// One rule, as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleConfig {
    #[serde(default = "in_both_ways")]
    at: Vec<Place>,
    from: String,
    to: String,
}

/// Where a rule applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Place {
    Publish,
    Subscribe,
    /// What a recipient is told.
    Deliver,
}

/// Who publishes to the old name and who subscribes to it find each other, and everybody who knows the new one.
fn in_both_ways() -> Vec<Place> {
    vec![Place::Publish, Place::Subscribe]
}

impl Config {
    /// The plugin, or all that is wrong with its rules.
    pub(crate) fn check(self) -> Result<TopicRewrite, Problems> {
        let mut problems = Vec::new();
        let mut plugin = TopicRewrite {
            publish: Rules::default(),
            subscribe: Rules::default(),
            deliver: Rules::default(),
        };
        for (index, rule) in self.rules.into_iter().enumerate() {
            match rule.check() {
                Ok(checked) => {
                    for place in rule.at {
                        plugin.rules_at(place).push(checked.clone());
                    }
                }
                Err((key, text)) => problems.push(Problem::at(format_args!("rules.{index}.{key}"), text)),
            }
        }
        if problems.is_empty() {
            Ok(plugin)
        } else {
            Err(problems.into())
        }
    }
}

impl TopicRewrite {
    fn rules_at(&mut self, place: Place) -> &mut Rules {
        match place {
            Place::Publish => &mut self.publish,
            Place::Subscribe => &mut self.subscribe,
            Place::Deliver => &mut self.deliver,
        }
    }
}

impl RuleConfig {
    fn check(&self) -> Result<Rule, (&'static str, String)> {
        if self.at.is_empty() {
            return Err(("at", "expected at least one place".to_owned()));
        }
        let filter: TopicFilter = self.from.parse().map_err(|error| ("from", format!("{error}")))?;
        let to = TopicTemplate::parse(&self.to, &filter).map_err(|error| ("to", error))?;
        Ok(Rule { filter, to })
    }
}
