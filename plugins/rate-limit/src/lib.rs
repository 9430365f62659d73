//! Hookwire plugin `rate-limit`: how much clients may publish. Its README is the reference.

mod config;
mod limit;

use std::time::Duration;

use hookwire_plugin::prelude::*;
use hookwire_plugin::{log, metrics};

use config::Config;
use limit::{Excess, Limit};

/// Longest that a publisher is made to wait at a time; the contract allows no more.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// The plugin.
pub struct RateLimit {
    limits: Vec<Limit>,
    /// Whether the operator wants to read about it.
    logs: bool,
}

impl Plugin for RateLimit {
    type Config = Config;

    fn new(config: Config) -> Result<Self, Problems> {
        config.check()
    }

    fn interests(&self) -> Interests {
        let topics: Vec<_> = self.limits.iter().map(|limit| limit.filter.as_str()).collect();
        let mut interest = MessageInterest::topics(topics).without_properties();
        // How long a payload is can only be told of one that is there.
        interest.payload = self.limits.iter().any(|limit| limit.counts_bytes);
        Interests {
            on_publish: interest,
            ..Interests::default()
        }
    }
}

impl OnPublish for RateLimit {
    /// The first limit that refuses decides. What earlier limits took for the message stays taken: whoever tries
    /// harder does not get more.
    fn on_publish(&self, message: &Message<'_>) -> Verdict {
        let mut wait = Duration::ZERO;
        for limit in &self.limits {
            let Some(excess) = limit.take(message) else {
                continue;
            };
            metrics::count(limit.metric(), 1);
            if self.logs {
                let excess = limit.excess.as_str();
                log::info!("{:?} is above {}: {excess}", message.topic(), limit.name);
            }
            match limit.excess {
                Excess::Throttle => wait = wait.max(excess),
                Excess::Drop => return Verdict::drop(),
                Excess::Reject => return Verdict::reject(Reason::QuotaExceeded, limit.text()),
                Excess::Disconnect => return Verdict::disconnect(Reason::QuotaExceeded, limit.text()),
            }
        }
        if wait.is_zero() {
            Verdict::pass()
        } else {
            Verdict::throttle(wait.min(WAIT_MAX).as_millis().max(1) as u32)
        }
    }
}

hookwire_plugin::export!(RateLimit: OnPublish);

#[cfg(test)]
mod tests;
