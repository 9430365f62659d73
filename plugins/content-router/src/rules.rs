//! The rules of one hook.

use hookwire_plugin::TopicFilter;
use hookwire_plugin::prelude::*;

use crate::comparison::Comparison;
use crate::condition::Condition;
use crate::fields::Fields;
use crate::pointer::Pointer;

/// Rules that do something of the kind `A`.
#[derive(Debug)]
pub(crate) struct Rules<A> {
    rules: Vec<Rule<A>>,
    fields: Fields,
}

#[derive(Debug)]
struct Rule<A> {
    filter: TopicFilter,
    condition: Condition,
    action: A,
}

/// What a condition is about.
#[derive(Debug)]
pub(crate) enum Subject {
    /// A field of the payload.
    Field(Pointer),
    /// The first user property of a name.
    Property(String),
}

impl<A> Rules<A> {
    /// No rules yet. Payloads that are larger are not parsed.
    pub(crate) fn new(payload_bytes_max: usize) -> Self {
        Self {
            rules: Vec::new(),
            fields: Fields::new(payload_bytes_max),
        }
    }

    pub(crate) fn push(&mut self, filter: TopicFilter, condition: Option<(Subject, Comparison)>, action: A) {
        let condition = match condition {
            None => Condition::Always,
            Some((Subject::Field(pointer), comparison)) => {
                Condition::Field(self.fields.add(pointer, comparison))
            }
            Some((Subject::Property(name), comparison)) => Condition::Property { name, comparison },
        };
        self.rules.push(Rule {
            filter,
            condition,
            action,
        });
    }

    /// What the rules do that a message matches, in order. A payload is read only if a rule for the topic looks into it.
    #[inline]
    pub(crate) fn matching<'r>(&'r self, message: &'r Message<'_>) -> impl Iterator<Item = &'r A> {
        let payload = self.fields.payload(message.payload());
        let matching = self.rules.iter().filter(move |rule| {
            rule.filter.matches(message.topic()) && rule.condition.holds(&payload, message.properties())
        });
        matching.map(|rule| &rule.action)
    }

    /// What the broker has to show for these rules.
    pub(crate) fn interest(&self) -> MessageInterest {
        let mut topics: Vec<_> = self.rules.iter().map(|rule| rule.filter.as_str()).collect();
        topics.sort_unstable();
        topics.dedup();
        let wants_properties = self
            .rules
            .iter()
            .any(|rule| matches!(rule.condition, Condition::Property { .. }));
        MessageInterest {
            payload: !self.fields.is_empty(),
            properties: wants_properties,
            ..MessageInterest::topics(topics)
        }
    }
}
