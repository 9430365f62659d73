//! Hookwire plugin `content-router`: copies, renames, drops and refuses messages by what is in them. Its README is the
//! reference.

mod action;
#[cfg(test)]
mod allocations;
mod comparison;
mod condition;
mod config;
mod fields;
mod number;
mod pointer;
mod rules;

use hookwire_plugin::prelude::*;
use hookwire_plugin::{TopicTemplate, log};

use action::Judgement;
use config::Config;
use rules::Rules;

/// The plugin.
pub struct ContentRouter {
    judgements: Rules<Judgement>,
    /// Where copies go.
    copies: Rules<TopicTemplate>,
}

impl Plugin for ContentRouter {
    type Config = Config;

    fn new(config: Config) -> Result<Self, Problems> {
        config.check()
    }

    fn interests(&self) -> Interests {
        Interests {
            on_publish: self.judgements.interest(),
            route: self.copies.interest(),
            ..Interests::default()
        }
    }
}

impl OnPublish for ContentRouter {
    fn on_publish(&self, message: &Message<'_>) -> Verdict {
        let mut rewrite = None;
        let mut unretained = false;
        for judgement in self.judgements.matching(message) {
            match judgement {
                Judgement::Unretain => unretained = message.retain(),
                // The first of the others decides.
                _ if rewrite.is_some() => {}
                Judgement::Rewrite(template) => rewrite = Some(template),
                Judgement::Drop => return Verdict::drop(),
                Judgement::Reject(rejection) => return rejection.clone().into(),
            }
        }
        let mut replacement = Replacement::default();
        if let Some(template) = rewrite {
            let Some(topic) = template.expand(message.topic()) else {
                return Verdict::reject(Reason::TopicNameInvalid, "the topic cannot be rewritten");
            };
            replacement.topic = (topic != message.topic()).then_some(topic);
        }
        if unretained {
            replacement.retain = Some(false);
        }
        if replacement == Replacement::default() {
            Verdict::pass()
        } else {
            replacement.into()
        }
    }
}

impl Route for ContentRouter {
    fn route(&self, message: &Message<'_>, _: &Recipients) -> RouteDecision {
        let mut copies = Vec::new();
        for template in self.copies.matching(message) {
            match template.expand(message.topic()) {
                // Whoever subscribed to a topic gets a message once, however many rules name it.
                Some(topic) if topic == message.topic() || copies.contains(&topic) => {}
                Some(topic) => copies.push(topic),
                None => log::warn!(
                    "no copy of {:?}: the result of copy_to is no topic",
                    message.topic()
                ),
            }
        }
        if copies.is_empty() {
            return RouteDecision::Default;
        }
        Routing {
            copies,
            ..Routing::default()
        }
        .into()
    }
}

hookwire_plugin::export!(ContentRouter: OnPublish + Route);

#[cfg(test)]
mod tests;
