//! The plugin's `config` table.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use hookwire_plugin::authenticate::{RuleAction, TopicRule};
use hookwire_plugin::prelude::*;
use hookwire_plugin::{TopicFilter, is_topic_name};

use crate::hash::Hash;
use crate::{User, lines};

/// The table, as it is read.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(default)]
    users: Vec<UserConfig>,
    /// Lines of `user:hash`.
    #[serde(default)]
    passwords: String,
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
    /// None: the hash is in `passwords`.
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
        let mut hashes = lines::parse(&self.passwords).unwrap_or_else(|lines| {
            problems.extend(lines.into_iter().map(|line| Problem::at("passwords", line)));
            BTreeMap::new()
        });
        let mut users = BTreeMap::new();
        for (index, user) in self.users.iter().enumerate() {
            let added = user.add_to(&mut users, &mut hashes);
            problems.extend(added.map_err(|(key, text)| Problem::at(format!("users.{index}{key}"), text)).err());
        }
        users.extend(hashes.into_iter().map(|(name, hash)| (name, User { hash, grant: Grant::default() })));
        if problems.is_empty() { Ok(users) } else { Err(problems.into()) }
    }
}

/// The key below `users.N`, with a dot in front where there is one, and what is wrong with it.
type Fault = (String, String);

fn fault(key: &str, text: impl ToString) -> Fault {
    (key.to_owned(), text.to_string())
}

impl UserConfig {
    fn add_to(
        &self,
        users: &mut BTreeMap<String, User>,
        hashes: &mut BTreeMap<String, Hash>,
    ) -> Result<(), Fault> {
        let Entry::Vacant(place) = users.entry(self.name.clone()) else {
            return Err(fault(".name", format!("there is a user `{}` above", self.name)));
        };
        let hash = match (&self.password, hashes.remove(&self.name)) {
            (Some(text), None) => text.parse().map_err(|error| fault(".password", error))?,
            (None, Some(hash)) => hash,
            (Some(_), Some(_)) => return Err(fault(".password", "the user has a password in `passwords` too")),
            (None, None) => return Err(fault("", "missing `password`, and `passwords` has no line for the user")),
        };
        place.insert(User { hash, grant: self.grant()? });
        Ok(())
    }

    fn grant(&self) -> Result<Grant, Fault> {
        let rules = self.rules.iter().enumerate().map(|(index, rule)| {
            rule.check().map_err(|(key, text)| (format!(".rules.{index}{key}"), text))
        });
        Ok(Grant {
            superuser: self.superuser,
            mount_point: self.mount_point.clone().map(check_mount_point).transpose()?,
            attributes: self.attributes.iter().map(|(name, value)| UserProperty::new(name, value)).collect(),
            rules: rules.collect::<Result<_, _>>()?,
            ..Grant::default()
        })
    }
}

fn check_mount_point(mount_point: String) -> Result<String, Fault> {
    let valid = mount_point.ends_with('/') && is_topic_name(&mount_point);
    if valid { Ok(mount_point) } else { Err(fault(".mount_point", "expected a topic name that ends in `/`")) }
}

impl RuleConfig {
    fn check(&self) -> Result<TopicRule, Fault> {
        let (allow, action) = match (self.allow, self.deny) {
            (Some(action), None) => (true, action),
            (None, Some(action)) => (false, action),
            _ => return Err(fault("", "expected either `allow` or `deny`")),
        };
        let filled = self.topic.replace("%c", "c").replace("%u", "u");
        filled.parse::<TopicFilter>().map_err(|error| fault(".topic", error))?;
        let action = match action {
            ActionConfig::Publish => RuleAction::Publish,
            ActionConfig::Subscribe => RuleAction::Subscribe,
            ActionConfig::All => RuleAction::Both,
        };
        Ok(TopicRule { allow, action, filter: self.topic.clone() })
    }
}
