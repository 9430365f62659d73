//! Hookwire plugin `tenant`: tenants that see nothing of one another. Its README is the reference.

mod config;
mod hidden;
mod membership;

use std::cell::RefCell;

use hookwire_plugin::TopicFilter;
use hookwire_plugin::clients;
use hookwire_plugin::prelude::*;

use config::Config;
use membership::Membership;

/// Clients whose prefix is kept ready.
const CACHED_CLIENTS: usize = 256;

/// For how long the broker may say no by itself, milliseconds. What a client is does not change.
const CACHE_MS: u32 = 60_000;

/// The plugin.
pub struct Tenant {
    membership: Membership,
    /// What all tenants may use, under the same names.
    common: Vec<Common>,
    /// What becomes of a client that belongs to no tenant.
    nobody: Nobody,
    /// Whether clients do not know of their prefix: it is put in front of their topics and taken off what they are sent.
    hides_prefix: bool,
    checks_deliveries: bool,
    /// The prefix of the client with key `k` is at `k % CACHED_CLIENTS`. A key is never used twice.
    prefixes: RefCell<Vec<Slot>>,
}

type Slot = Option<(ClientKey, Option<String>)>;

/// Topics beside those of the tenants.
#[derive(Debug)]
struct Common {
    filter: TopicFilter,
    publish: bool,
    subscribe: bool,
}

/// What a client may do that belongs to no tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Nobody {
    /// Nothing.
    Deny,
    /// Whatever the next plugin says.
    Next,
}

impl Plugin for Tenant {
    type Config = Config;

    fn new(config: Config) -> Result<Self, Problems> {
        config.check()
    }

    fn interests(&self) -> Interests {
        let mut interests = Interests::default();
        if self.checks_deliveries {
            interests.authorize = interests.authorize | AccessInterest::DELIVER;
        }
        let of_messages = if self.hides_prefix {
            MessageInterest::default().without_payload()
        } else {
            MessageInterest::none()
        };
        interests.on_publish = of_messages.clone();
        interests.deliver = of_messages;
        interests
    }
}

impl Authorize for Tenant {
    /// Says no or nothing: what a tenant's client may do within its tenant is for others to say.
    fn authorize(&self, access: &Access) -> Answer {
        let is_within = match self.prefix_of(access.client) {
            // Whatever it names will be below its prefix; what it is sent is so already.
            Some(_) if self.hides_prefix && access.action != Action::Deliver => {
                !access.topic.starts_with('$') || self.is_common(access)
            }
            // Its levels are no wildcards, so whatever begins with it stays below it.
            Some(prefix) => access.topic.starts_with(&prefix) || self.is_common(access),
            None => self.nobody == Nobody::Next,
        };
        if is_within {
            Answer::next()
        } else {
            Answer::deny().cached_for_ms(CACHE_MS)
        }
    }
}

impl Tenant {
    fn is_common(&self, access: &Access) -> bool {
        match access.action {
            Action::Publish | Action::Will => self.is_common_topic(&access.topic, |common| common.publish),
            Action::Deliver => self.is_common_topic(&access.topic, |common| common.subscribe),
            Action::Subscribe => self.is_common_filter(&access.topic),
        }
    }

    fn is_common_topic(&self, topic: &str, allows: impl Fn(&Common) -> bool) -> bool {
        self.common
            .iter()
            .any(|common| allows(common) && common.filter.matches(topic))
    }

    /// All of a filter, or a client would get more than is common.
    fn is_common_filter(&self, filter: &str) -> bool {
        let asked = filter.parse::<TopicFilter>();
        asked.is_ok_and(|asked| {
            self.common
                .iter()
                .any(|common| common.subscribe && common.filter.covers(&asked))
        })
    }

    /// Where the topics of a client are; none when it belongs to no tenant.
    fn prefix_of(&self, key: ClientKey) -> Option<String> {
        let mut kept = self.prefixes.borrow_mut();
        let slot = &mut kept[key as usize % CACHED_CLIENTS];
        if let Some((of, prefix)) = slot
            && *of == key
        {
            return prefix.clone();
        }
        let prefix = self.membership.prefix(&*clients::get(key)?);
        *slot = Some((key, prefix.clone()));
        prefix
    }
}

hookwire_plugin::export!(Tenant: Authorize + OnPublish + OnSubscribe + Deliver);

#[cfg(test)]
mod tests;
