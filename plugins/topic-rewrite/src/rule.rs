//! Which topics are called what instead.

use hookwire_plugin::prelude::*;
use hookwire_plugin::{TopicFilter, TopicTemplate};

/// A rule, checked.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) filter: TopicFilter,
    pub(crate) to: TopicTemplate,
}

/// The rules of one place, in order. The first that matches decides, once: what it makes is not looked at by the others.
#[derive(Debug, Default)]
pub(crate) struct Rules(Vec<Rule>);

impl Rules {
    pub(crate) fn push(&mut self, rule: Rule) {
        self.0.push(rule);
    }

    /// What a topic is called: none when no rule matches or it keeps its name, and no topic when what comes out is none.
    pub(crate) fn of_topic(&self, topic: &str) -> Option<Option<String>> {
        let rule = self.0.iter().find(|rule| rule.filter.matches(topic))?;
        let renamed = rule.to.expand(topic);
        (renamed.as_deref() != Some(topic)).then_some(renamed)
    }

    /// The same for the filter of a subscription: a rule is about it that covers all of it.
    pub(crate) fn of_filter(&self, text: &str) -> Option<Option<String>> {
        let filter: TopicFilter = text.parse().ok()?;
        let rule = self.0.iter().find(|rule| rule.filter.covers(&filter))?;
        let renamed = rule.to.expand_filter(text);
        (renamed.as_deref() != Some(text)).then_some(renamed)
    }

    /// The messages that these rules are about; nothing of them is looked at but their topics.
    pub(crate) fn interest(&self) -> MessageInterest {
        let mut filters: Vec<_> = self.0.iter().map(|rule| rule.filter.as_str()).collect();
        filters.sort_unstable();
        filters.dedup();
        MessageInterest::topics(filters)
            .without_payload()
            .without_properties()
    }
}
