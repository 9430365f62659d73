//! What a watch is about.

use hookwire_hooks::Matter;
use hookwire_protocol::{TopicFilter, TopicName};
use serde_json::Value;

use super::{Happening, What};

/// What is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// What becomes of messages and accesses of a client, of a topic, or of a client with a topic.
    Explain {
        /// Client id of the publisher or the recipient.
        client: Option<String>,
        /// The topics.
        topic: Option<TopicFilter>,
        /// Whether payloads are shown.
        payload: bool,
    },
    /// What one plugin is asked.
    Record {
        /// Its name.
        plugin: String,
        /// Whether passwords are written down.
        with_secrets: bool,
    },
}

impl Subject {
    /// The line about something that happened, if it concerns this.
    pub(super) fn line_of(&self, happening: &Happening<'_>) -> Option<Value> {
        match self {
            Self::Explain {
                client,
                topic,
                payload,
            } => {
                let is_theirs = client.as_ref().is_none_or(|client| happening.concerns(client));
                let is_there = topic
                    .as_ref()
                    .is_none_or(|filter| happening.matter().is_some_and(|matter| is_within(filter, matter)));
                (is_theirs && is_there).then(|| happening.explanation(*payload))
            }
            Self::Record { plugin, with_secrets } => match &happening.what {
                What::Asked(asked) if asked.plugin == plugin => Some(asked.case(*with_secrets)),
                _ => None,
            },
        }
    }
}

/// A topic matches; the filter of a subscription is watched when it stands there as it is, or when it is a topic name.
fn is_within(filter: &TopicFilter, matter: Matter<'_>) -> bool {
    match matter {
        Matter::Topic(topic) => filter.matches(topic),
        Matter::Text(text) => {
            filter.as_str() == text
                || TopicName::new(text.to_owned()).is_ok_and(|topic| filter.matches(&topic))
        }
    }
}
