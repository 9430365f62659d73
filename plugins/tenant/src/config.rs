//! The plugin's `config` table.

use std::cell::RefCell;
use std::collections::BTreeMap;

use hookwire_plugin::is_topic_name;
use hookwire_plugin::prelude::*;

use crate::membership::{By, Membership, Part, is_level};
use crate::{CACHED_CLIENTS, Common, Nobody, Tenant};

/// What stands for the tenant in the prefix.
const TENANT: &str = "{tenant}";

/// The table, as it is read.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(default = "by_default")]
    by: String,
    before: Option<String>,
    after: Option<String>,
    #[serde(default)]
    members: BTreeMap<String, String>,
    #[serde(default)]
    only_members: bool,
    #[serde(default = "prefix_default")]
    prefix: String,
    #[serde(default)]
    common: Vec<CommonConfig>,
    #[serde(default = "deny")]
    nobody: Nobody,
    #[serde(default)]
    hide_prefix: bool,
    #[serde(default)]
    check_deliveries: bool,
}

fn by_default() -> String {
    "username".to_owned()
}

fn prefix_default() -> String {
    "{tenant}/".to_owned()
}

fn deny() -> Nobody {
    Nobody::Deny
}

/// Topics that all tenants may use, as they are written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CommonConfig {
    topic: String,
    allow: ActionConfig,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ActionConfig {
    Publish,
    Subscribe,
    All,
}

impl Config {
    /// The plugin, or all that is wrong with its table.
    pub(crate) fn check(self) -> Result<Tenant, Problems> {
        let mut problems = Vec::new();
        let by = found(self.by(), &mut problems);
        let part = found(self.part(), &mut problems);
        problems.extend(self.check_prefix().err());
        for (member, tenant) in &self.members {
            if !is_level(tenant) {
                let text = format!("`{tenant}` cannot be one level of a topic");
                problems.push(Problem::at(format_args!("members.{member}"), text));
            }
        }
        if self.hide_prefix && self.check_deliveries {
            let text = "with `hide_prefix` each delivery is looked at anyway";
            problems.push(Problem::at("check_deliveries", text));
        }
        if self.only_members && self.members.is_empty() {
            problems.push(Problem::at("only_members", "there are no `members`"));
        }
        let mut common = Vec::new();
        for (index, topics) in self.common.iter().enumerate() {
            match topics.topic.parse() {
                Ok(filter) => common.push(Common {
                    filter,
                    publish: topics.allow != ActionConfig::Subscribe,
                    subscribe: topics.allow != ActionConfig::Publish,
                }),
                Err(error) => problems.push(Problem::at(format_args!("common.{index}.topic"), error)),
            }
        }
        let (Some(by), Some(part), true) = (by, part, problems.is_empty()) else {
            return Err(problems.into());
        };
        Ok(Tenant {
            membership: Membership {
                by,
                part,
                members: self.members,
                only_members: self.only_members,
                prefix: self.prefix,
            },
            common,
            nobody: self.nobody,
            hides_prefix: self.hide_prefix,
            checks_deliveries: self.check_deliveries,
            prefixes: RefCell::new(vec![None; CACHED_CLIENTS]),
        })
    }

    fn by(&self) -> Result<By, Problem> {
        match self.by.as_str() {
            "username" => Ok(By::Username),
            "client_id" => Ok(By::ClientId),
            "listener" => Ok(By::Listener),
            other => match other.strip_prefix("attribute.").filter(|name| !name.is_empty()) {
                Some(name) => Ok(By::Attribute(name.to_owned())),
                None => Err(Problem::at(
                    "by",
                    "expected \"username\", \"client_id\", \"listener\" or \"attribute.NAME\"",
                )),
            },
        }
    }

    fn part(&self) -> Result<Part, Problem> {
        match (&self.before, &self.after) {
            (None, None) => Ok(Part::Whole),
            (Some(mark), None) if !mark.is_empty() => Ok(Part::Before(mark.clone())),
            (None, Some(mark)) if !mark.is_empty() => Ok(Part::After(mark.clone())),
            (Some(_), Some(_)) => Err(Problem::at("after", "expected either `before` or `after`")),
            (Some(_), None) => Err(Problem::at("before", "expected a text that is not empty")),
            (None, Some(_)) => Err(Problem::at("after", "expected a text that is not empty")),
        }
    }

    fn check_prefix(&self) -> Result<(), Problem> {
        let names_tenant = self.prefix.matches(TENANT).count() == 1;
        let filled = self.prefix.replace(TENANT, "t");
        if !names_tenant || !filled.ends_with('/') || !is_topic_name(&filled) {
            let text = "expected a topic that ends in `/` and has `{tenant}` in it once";
            return Err(Problem::at("prefix", text));
        }
        if filled.starts_with("$SYS/") {
            return Err(Problem::at("prefix", "`$SYS/` topics are the broker's own"));
        }
        Ok(())
    }
}

fn found<T>(result: Result<T, Problem>, problems: &mut Vec<Problem>) -> Option<T> {
    result.map_err(|problem| problems.push(problem)).ok()
}
