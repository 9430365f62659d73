//! Hookwire plugin `stamp`: who published a message and when, as user properties. Its README is the reference.

mod config;
mod fact;
mod time;

use hookwire_plugin::clients::{self, Client};
use hookwire_plugin::prelude::*;
use hookwire_plugin::{TopicFilter, clock};

use config::Config;
use fact::Fact;

/// The plugin.
pub struct Stamp {
    /// Empty: every topic.
    topics: Vec<TopicFilter>,
    /// What is said, and under which name.
    facts: Vec<(Fact, String)>,
}

impl Plugin for Stamp {
    type Config = Config;

    fn new(config: Config) -> Result<Self, Problems> {
        config.check()
    }

    fn interests(&self) -> Interests {
        let interest = if self.topics.is_empty() {
            MessageInterest::default()
        } else {
            MessageInterest::topics(self.topics.iter().map(TopicFilter::as_str))
        };
        Interests {
            on_publish: interest.without_payload(),
            ..Interests::default()
        }
    }
}

impl OnPublish for Stamp {
    fn on_publish(&self, message: &Message<'_>) -> Verdict {
        let mut properties = message.properties().to_owned();
        // Whoever publishes cannot say who somebody else is: what has one of our names is ours alone.
        properties
            .user_properties
            .retain(|property| self.facts.iter().all(|(_, name)| *name != property.name));
        let stamper = Stamper {
            source: message.source(),
            client: message.client().and_then(clients::get),
            now_ms: clock::now_ms(),
        };
        for (fact, name) in &self.facts {
            if let Some(value) = stamper.value(fact) {
                properties.push_user_property(name, value);
            }
        }
        Replacement::properties(properties).into()
    }
}

/// What is known of a message that its publisher did not say.
struct Stamper {
    source: Source,
    /// None for a plugin's message, and for a will whose client the broker has forgotten.
    client: Option<std::rc::Rc<Client>>,
    now_ms: u64,
}

impl Stamper {
    fn value(&self, fact: &Fact) -> Option<String> {
        let client = self.client.as_deref();
        match fact {
            Fact::ClientId => client.map(|client| client.client_id.clone()),
            Fact::Username => client.and_then(|client| client.username.clone()),
            Fact::Address => client.map(|client| client.address.clone()),
            Fact::Listener => client.map(|client| client.listener.clone()),
            Fact::Protocol => client.map(|client| fact::protocol_name(client.protocol).to_owned()),
            Fact::Attribute(name) => client
                .and_then(|client| client.attribute(name))
                .map(str::to_owned),
            Fact::Source => Some(fact::source_name(self.source).to_owned()),
            Fact::Time => Some(time::rfc_3339(self.now_ms)),
            Fact::TimeMs => Some(self.now_ms.to_string()),
        }
    }
}

hookwire_plugin::export!(Stamp: OnPublish);

#[cfg(test)]
mod tests;
