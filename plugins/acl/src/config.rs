//! The plugin's `config` table.

use hookwire_plugin::prelude::*;

use crate::mosquitto;
use crate::rule::{Actions, Glob, Rule, Template, User};

/// How long the broker may answer the same question by itself when nothing is said about it.
const CACHE_MS_DEFAULT: u32 = 60_000;

/// The table, as it is read.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(default)]
    rules: Vec<RuleConfig>,
    /// Rules in Mosquitto's form, asked after `rules`.
    #[serde(default)]
    acl: String,
    #[serde(default)]
    pub(crate) default: Default,
    #[serde(default)]
    pub(crate) overlap: Overlap,
    #[serde(default = "cache_ms_default")]
    pub(crate) cache_ms: u32,
}

fn cache_ms_default() -> u32 {
    CACHE_MS_DEFAULT
}

/// What holds when no rule matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Default {
    #[default]
    Deny,
    Allow,
    /// The next plugin is asked.
    Next,
}

/// What becomes of a subscription that is allowed but for a part that is denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Overlap {
    /// It is accepted, and the denied messages are held back when they are delivered.
    #[default]
    Filter,
    /// It is refused.
    Refuse,
}

/// One rule, as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleConfig {
    allow: Option<ActionConfig>,
    deny: Option<ActionConfig>,
    topic: String,
    user: Option<String>,
    client: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ActionConfig {
    Publish,
    Subscribe,
    Deliver,
    Will,
    All,
}

impl ActionConfig {
    /// To publish includes wills, and to subscribe includes what is delivered: rules for these alone are exceptions.
    fn actions(self) -> Actions {
        match self {
            Self::Publish => Actions::WRITE,
            Self::Subscribe => Actions::READ,
            Self::Deliver => Actions::DELIVER,
            Self::Will => Actions::WILL,
            Self::All => Actions::ALL,
        }
    }
}

impl Config {
    /// All rules in the order in which they are asked, or all that is wrong with them.
    pub(crate) fn rules(&self) -> Result<Vec<Rule>, Problems> {
        let mut problems = Vec::new();
        let mut rules = Vec::new();
        for (index, rule) in self.rules.iter().enumerate() {
            match rule.check(index) {
                Ok(rule) => rules.push(rule),
                Err(problem) => problems.push(problem),
            }
        }
        match mosquitto::parse(&self.acl) {
            Ok(more) => rules.extend(more),
            Err(lines) => problems.extend(lines.into_iter().map(|line| Problem::at("acl", line))),
        }
        if problems.is_empty() {
            Ok(rules)
        } else {
            Err(problems.into())
        }
    }
}

impl RuleConfig {
    fn check(&self, index: usize) -> Result<Rule, Problem> {
        let (allow, action) = match (self.allow, self.deny) {
            (Some(action), None) => (true, action),
            (None, Some(action)) => (false, action),
            _ => {
                return Err(Problem::at(
                    format!("rules.{index}"),
                    "expected either `allow` or `deny`",
                ));
            }
        };
        let template = Template::parse(&self.topic)
            .map_err(|error| Problem::at(format!("rules.{index}.topic"), error))?;
        Ok(Rule {
            allow,
            actions: action.actions(),
            user: self
                .user
                .as_deref()
                .map_or(User::Any, |user| User::Named(Glob::parse(user))),
            client: self.client.as_deref().map(Glob::parse),
            template,
        })
    }
}
