//! Topic rules in a claim.

use hookwire_plugin::TopicFilter;
use hookwire_plugin::authenticate::{RuleAction, TopicRule};
use hookwire_plugin::prelude::Deserialize;
use serde_json::Value;

/// Most rules of a token.
const RULES_MAX: usize = 1000;

/// Either form of the claim.
#[derive(Deserialize)]
#[serde(untagged)]
enum Form {
    /// `[{"permission": "allow", "action": "publish", "topic": "a/#"}]`: the first that matches decides.
    Ordered(Vec<Rule>),
    /// `{"pub": ["a/#"], "sub": ["b"], "all": ["c"]}`: what is allowed.
    Allowed(Allowed),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    permission: Permission,
    action: Action,
    topic: Option<String>,
    topics: Option<Vec<String>>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Permission {
    Allow,
    Deny,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    #[serde(alias = "pub")]
    Publish,
    #[serde(alias = "sub")]
    Subscribe,
    #[serde(alias = "pubsub")]
    All,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Allowed {
    #[serde(default, rename = "pub")]
    publish: Vec<String>,
    #[serde(default, rename = "sub")]
    subscribe: Vec<String>,
    #[serde(default)]
    all: Vec<String>,
}

/// The rules of a claim, in order. A claim that cannot be read is an error: a rule that is left out may be one that denies.
pub(crate) fn read(claim: &Value) -> Result<Vec<TopicRule>, String> {
    let form: Form = Deserialize::deserialize(claim)
        .map_err(|_| "it is neither a list of rules nor an object of `pub`, `sub` and `all`".to_owned())?;
    let mut rules = Vec::new();
    match form {
        Form::Ordered(ordered) => {
            for rule in ordered {
                let topics = rule.topic.into_iter().chain(rule.topics.into_iter().flatten());
                let allow = matches!(rule.permission, Permission::Allow);
                for topic in topics {
                    rules.push(check(allow, rule.action.into(), &topic)?);
                }
            }
        }
        Form::Allowed(allowed) => {
            let parts = [
                (RuleAction::Publish, allowed.publish),
                (RuleAction::Subscribe, allowed.subscribe),
                (RuleAction::Both, allowed.all),
            ];
            for (action, topics) in parts {
                for topic in topics {
                    rules.push(check(true, action, &topic)?);
                }
            }
        }
    }
    if rules.len() > RULES_MAX {
        return Err(format!("{} rules, allowed are {RULES_MAX}", rules.len()));
    }
    Ok(rules)
}

impl From<Action> for RuleAction {
    fn from(action: Action) -> Self {
        match action {
            Action::Publish => Self::Publish,
            Action::Subscribe => Self::Subscribe,
            Action::All => Self::Both,
        }
    }
}

/// The placeholders of others are read too.
fn check(allow: bool, action: RuleAction, topic: &str) -> Result<TopicRule, String> {
    let filter = topic.replace("${clientid}", "%c").replace("${username}", "%u");
    let filled = filter.replace("%c", "c").replace("%u", "u");
    filled
        .parse::<TopicFilter>()
        .map_err(|error| format!("`{topic}`: {error}"))?;
    Ok(TopicRule {
        allow,
        action,
        filter,
    })
}
