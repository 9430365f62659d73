//! The plugin's `config` table.

use std::collections::BTreeMap;

use hookwire_passwords::Hash;
use hookwire_plugin::authenticate::{RuleAction, TopicRule};
use hookwire_plugin::prelude::*;
use hookwire_plugin::{TopicFilter, is_topic_name};

use crate::User;
use crate::lines::Lines;

/// The table, as it is read.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Lines of `name:hash`.
    #[serde(default)]
    users: String,
    /// Users of whom there is more to say.
    #[serde(default)]
    user: Vec<UserConfig>,
    #[serde(default = "next")]
    pub(crate) anonymous: Otherwise,
    #[serde(default = "deny")]
    pub(crate) unknown: Otherwise,
}

/// What becomes of a client that this plugin does not know.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Otherwise {
    /// The next plugin is asked.
    Next,
    Deny,
}

fn next() -> Otherwise {
    Otherwise::Next
}

fn deny() -> Otherwise {
    Otherwise::Deny
}

/// One user, as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct UserConfig {
    name: String,
    /// None: the hash is in a line of `users`.
    password: Option<String>,
    #[serde(default)]
    superuser: bool,
    mount_point: Option<String>,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    #[serde(default)]
    rules: Vec<RuleConfig>,
}

/// One topic rule of a user, as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleConfig {
    allow: Option<ActionConfig>,
    deny: Option<ActionConfig>,
    topic: String,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ActionConfig {
    Publish,
    Subscribe,
    All,
}

impl Config {
    /// All users by name, or all that is wrong with them.
    pub(crate) fn into_users(self) -> Result<BTreeMap<String, User>, Problems> {
        let mut problems = Vec::new();
        let mut lines = Lines::parse(&self.users);
        let mut users = BTreeMap::new();
        for (index, user) in self.user.iter().enumerate() {
            if let Err((key, text)) = user.add_to(&mut users, &mut lines) {
                problems.push(Problem::at(format!("user.{index}{key}"), text));
            }
        }
        problems.extend(lines.problems.into_iter().map(|line| Problem::at("users", line)));
        users.extend(
            lines
                .hashes
                .into_iter()
                .map(|(name, hash)| (name, User::plain(hash))),
        );
        // A file that was emptied by accident must not pass for a decision.
        if users.is_empty() && problems.is_empty() {
            problems.push(Problem::at(
                "users",
                "no user at all: expected lines of `name:hash`, or a list `user`",
            ));
        }
        if problems.is_empty() {
            Ok(users)
        } else {
            Err(problems.into())
        }
    }
}

/// The key below `user.N`, with a dot in front where there is one, and what is wrong with it.
type Fault = (String, String);

fn fault(key: &str, text: impl ToString) -> Fault {
    (key.to_owned(), text.to_string())
}

impl UserConfig {
    fn add_to(&self, users: &mut BTreeMap<String, User>, lines: &mut Lines) -> Result<(), Fault> {
        if self.name.is_empty() {
            return Err(fault(".name", "the user name is empty"));
        }
        if users.contains_key(&self.name) {
            return Err(fault(".name", format!("there is a user `{}` above", self.name)));
        }
        let hash = self.hash(lines)?;
        let grant = self.grant()?;
        users.extend(hash.map(|hash| (self.name.clone(), User { hash, grant })));
        Ok(())
    }

    /// None when the hash may be in a line that cannot be read: that line is complained about already.
    fn hash(&self, lines: &mut Lines) -> Result<Option<Hash>, Fault> {
        match (&self.password, lines.hashes.remove(&self.name)) {
            (Some(text), None) => text.parse().map(Some).map_err(|error| fault(".password", error)),
            (None, Some(hash)) => Ok(Some(hash)),
            (Some(_), Some(_)) => Err(fault(".password", "the user has a password in `users` too")),
            (None, None) if lines.problems.is_empty() => Err(fault(
                "",
                "missing `password`, and `users` has no line for the user",
            )),
            (None, None) => Ok(None),
        }
    }

    fn grant(&self) -> Result<Grant, Fault> {
        let rules = self.rules.iter().enumerate().map(|(index, rule)| {
            rule.check()
                .map_err(|(key, text)| (format!(".rules.{index}{key}"), text))
        });
        Ok(Grant {
            superuser: self.superuser,
            mount_point: self.mount_point.clone().map(check_mount_point).transpose()?,
            attributes: self
                .attributes
                .iter()
                .map(|(name, value)| UserProperty::new(name, value))
                .collect(),
            rules: rules.collect::<Result<_, _>>()?,
            ..Grant::default()
        })
    }
}

fn check_mount_point(mount_point: String) -> Result<String, Fault> {
    if !mount_point.ends_with('/') || !is_topic_name(&mount_point) {
        return Err(fault(".mount_point", "expected a topic name that ends in `/`"));
    }
    // The broker would refuse each log-in.
    if mount_point.starts_with("$SYS/") {
        return Err(fault(".mount_point", "`$SYS/` topics are the broker's own"));
    }
    Ok(mount_point)
}

impl RuleConfig {
    fn check(&self) -> Result<TopicRule, Fault> {
        let (allow, action) = match (self.allow, self.deny) {
            (Some(action), None) => (true, action),
            (None, Some(action)) => (false, action),
            _ => return Err(fault("", "expected either `allow` or `deny`")),
        };
        let filled = self.topic.replace("%c", "c").replace("%u", "u");
        filled
            .parse::<TopicFilter>()
            .map_err(|error| fault(".topic", error))?;
        let action = match action {
            ActionConfig::Publish => RuleAction::Publish,
            ActionConfig::Subscribe => RuleAction::Subscribe,
            ActionConfig::All => RuleAction::Both,
        };
        Ok(TopicRule {
            allow,
            action,
            filter: self.topic.clone(),
        })
    }
}
