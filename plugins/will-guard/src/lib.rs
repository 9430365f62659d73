//! Hookwire plugin `will-guard`: holds wills back until it is clear that their clients are gone. Its README is the
//! reference.

mod cause;
mod config;

use hookwire_plugin::TopicFilter;
use hookwire_plugin::prelude::*;

use config::Config;

/// The plugin.
pub struct WillGuard {
    /// 0: wills are not delayed.
    delay_secs: u32,
    suppressed: Vec<Cause>,
    /// None: wills of every topic.
    topics: Option<Vec<TopicFilter>>,
    /// Name of the user property that tells the cause.
    stamp_property: Option<String>,
}

impl Plugin for WillGuard {
    type Config = Config;

    fn new(config: Config) -> Result<Self, Problems> {
        config.check()
    }
}

impl OnWill for WillGuard {
    fn on_will(&self, _: ClientKey, cause: Cause, delays: Delays, message: &Message<'_>) -> WillDecision {
        if !self.is_about(message.topic()) {
            return WillDecision::Publish;
        }
        if self.suppressed.contains(&cause) {
            return WillDecision::Suppress;
        }
        if self.delay_secs > 0 && delays.times == 0 && cause::leaves_hope(cause) {
            return WillDecision::Delay(self.delay_secs);
        }
        self.published(cause, message)
    }
}

impl WillGuard {
    fn is_about(&self, topic: &str) -> bool {
        self.topics
            .as_ref()
            .is_none_or(|filters| filters.iter().any(|filter| filter.matches(topic)))
    }

    fn published(&self, cause: Cause, message: &Message<'_>) -> WillDecision {
        let Some(name) = &self.stamp_property else {
            return WillDecision::Publish;
        };
        let mut properties = message.properties().to_owned();
        // The client must not be able to say it in the broker's place.
        properties.remove_user_property(name);
        properties.push_user_property(name, cause::name(cause));
        Replacement::properties(properties).into()
    }
}

hookwire_plugin::export!(WillGuard: OnWill);

#[cfg(test)]
mod tests;
