//! The rules of one client.

use hookwire_plugin::TopicFilter;
use hookwire_plugin::clients::Client;

use crate::config::Overlap;
use crate::rule::{Actions, Rule};

/// The rules that are about one client, with its names put in, in the order in which they are asked.
#[derive(Debug)]
pub(crate) struct ClientRules(Vec<ClientRule>);

#[derive(Debug)]
struct ClientRule {
    allow: bool,
    actions: Actions,
    filter: TopicFilter,
}

impl ClientRules {
    pub(crate) fn of(client: &Client, rules: &[Rule]) -> Self {
        let about_client = rules.iter().filter(|rule| rule.is_for(client));
        let resolved = about_client.filter_map(|rule| {
            let filter = rule.template.resolve(rule.allow, client)?;
            Some(ClientRule {
                allow: rule.allow,
                actions: rule.actions,
                filter,
            })
        });
        Self(resolved.collect())
    }

    /// What the first rule says that matches a topic name; none when none does.
    pub(crate) fn topic(&self, action: Actions, topic: &str) -> Option<bool> {
        let mut rules = self.0.iter().filter(|rule| rule.actions.contains(action));
        rules
            .find(|rule| rule.filter.matches(topic))
            .map(|rule| rule.allow)
    }

    /// What the rules say of a subscription; none when they say nothing.
    ///
    /// A rule that allows must cover the whole filter, or the client would get more than it allows. One that denies a
    /// part of it either refuses the subscription or is left to the question at delivery.
    pub(crate) fn subscription(&self, filter: &str, overlap: Overlap) -> Option<bool> {
        let Ok(filter) = filter.parse::<TopicFilter>() else {
            return Some(false);
        };
        let rules = self
            .0
            .iter()
            .filter(|rule| rule.actions.contains(Actions::SUBSCRIBE));
        for rule in rules {
            if rule.filter.covers(&filter) {
                return Some(rule.allow);
            }
            if !rule.allow && overlap == Overlap::Refuse && rule.filter.overlaps(&filter) {
                return Some(false);
            }
        }
        None
    }
}
