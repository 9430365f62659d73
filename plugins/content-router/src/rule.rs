//! One rule: which messages, and where they go.

use hookwire_plugin::{TopicFilter, is_topic_name};

use crate::condition::Condition;
use crate::content::Content;

/// A rule, checked.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) topic: TopicFilter,
    /// All of them have to be met.
    pub(crate) conditions: Vec<Condition>,
    pub(crate) action: Action,
}

/// What is done with a message; the text is a template for a topic name.
#[derive(Debug)]
pub(crate) enum Action {
    Copy(String),
    Rewrite(String),
}

impl Rule {
    /// The topic that a message is to have instead of its own.
    pub(crate) fn rewritten(&self, content: &Content<'_>) -> Option<String> {
        match &self.action {
            Action::Rewrite(template) => self.target(template, content),
            Action::Copy(_) => None,
        }
    }

    /// The topic that a copy of a message is to have.
    pub(crate) fn copied(&self, content: &Content<'_>) -> Option<String> {
        match &self.action {
            Action::Copy(template) => self.target(template, content),
            Action::Rewrite(_) => None,
        }
    }

    pub(crate) fn needs_payload(&self) -> bool {
        self.conditions.iter().any(|condition| matches!(condition, Condition::Field(..)))
    }

    pub(crate) fn needs_properties(&self) -> bool {
        self.conditions.iter().any(|condition| matches!(condition, Condition::Property(..)))
    }

    /// None when the rule is not about the message, or when the target would be no topic name (too long, or empty) or
    /// one of those that begin with `$`, which nobody who picks a topic is to reach.
    fn target(&self, template: &str, content: &Content<'_>) -> Option<String> {
        if !self.topic.matches(content.topic()) {
            return None;
        }
        if !self.conditions.iter().all(|condition| condition.is_met(content)) {
            return None;
        }
        let target = self.topic.captures(content.topic())?.expand(template);
        let opens_dollar = target.starts_with('$') && !template.starts_with('$');
        (is_topic_name(&target) && !opens_dollar).then_some(target)
    }
}
