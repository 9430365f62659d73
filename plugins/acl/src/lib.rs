//! Hookwire plugin `acl`: who may publish, subscribe and leave wills where. Its README is the reference.

mod client_rules;
mod config;
mod mosquitto;
mod rule;

use std::cell::RefCell;
use std::rc::Rc;

use hookwire_plugin::clients;
use hookwire_plugin::prelude::*;

use client_rules::ClientRules;
use config::{Config, Default, Overlap};
use rule::{Actions, Rule};

/// Clients whose rules are kept ready. Another client's question costs a walk over all rules.
const CACHED_CLIENTS: usize = 256;

/// The plugin.
pub struct Acl {
    rules: Vec<Rule>,
    default: Default,
    overlap: Overlap,
    cache_ms: u32,
    /// The rules of the client with key `k` are at `k % CACHED_CLIENTS`. A key is never used twice.
    clients: RefCell<Vec<Slot>>,
}

type Slot = Option<(ClientKey, Rc<ClientRules>)>;

impl Plugin for Acl {
    type Config = Config;

    fn new(config: Config) -> Result<Self, Problems> {
        Ok(Self {
            rules: config.rules()?,
            default: config.default,
            overlap: config.overlap,
            cache_ms: config.cache_ms,
            clients: RefCell::new(vec![None; CACHED_CLIENTS]),
        })
    }

    fn interests(&self) -> Interests {
        let mut interests = Interests::default();
        if self.denies_at_delivery() {
            interests.authorize = interests.authorize | AccessInterest::DELIVER;
        }
        interests
    }
}

impl Authorize for Acl {
    fn authorize(&self, access: &Access) -> Answer {
        // Whoever the broker does not know has no rights.
        let Some(rules) = self.client_rules(access.client) else {
            return Answer::deny();
        };
        let allowed = match access.action {
            Action::Publish => rules.topic(Actions::PUBLISH, &access.topic),
            Action::Will => rules.topic(Actions::WILL, &access.topic),
            Action::Deliver => rules.topic(Actions::DELIVER, &access.topic),
            Action::Subscribe => rules.subscription(&access.topic, self.overlap),
        };
        self.answer(allowed)
    }
}

impl Acl {
    /// Whether there may be a subscription of which some messages must not arrive: one that is allowed in part, or one that
    /// was made while other rules were in force.
    fn denies_at_delivery(&self) -> bool {
        if self.overlap == Overlap::Filter && self.default == Default::Deny {
            return true;
        }
        self.rules
            .iter()
            .filter(|rule| !rule.allow)
            .any(|rule| match self.overlap {
                Overlap::Filter => rule.actions.contains(Actions::DELIVER),
                Overlap::Refuse => {
                    rule.actions.contains(Actions::DELIVER) && !rule.actions.contains(Actions::SUBSCRIBE)
                }
            })
    }

    fn client_rules(&self, key: ClientKey) -> Option<Rc<ClientRules>> {
        let mut cached = self.clients.borrow_mut();
        let slot = &mut cached[key as usize % CACHED_CLIENTS];
        if let Some((of, rules)) = slot
            && *of == key
        {
            return Some(Rc::clone(rules));
        }
        let rules = Rc::new(ClientRules::of(&*clients::get(key)?, &self.rules));
        *slot = Some((key, Rc::clone(&rules)));
        Some(rules)
    }

    fn answer(&self, allowed: Option<bool>) -> Answer {
        let answer = match (allowed, self.default) {
            (Some(true), _) | (None, Default::Allow) => Answer::allow(),
            (Some(false), _) | (None, Default::Deny) => Answer::deny(),
            (None, Default::Next) => return Answer::next(),
        };
        answer.cached_for_ms(self.cache_ms)
    }
}

hookwire_plugin::export!(Acl: Authorize);

#[cfg(test)]
mod tests;
