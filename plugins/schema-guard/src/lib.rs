//! Hookwire plugin `schema-guard`: messages that have to fit a JSON Schema. Its README is the reference.

mod check;
mod compile;
mod config;
mod equality;
mod schema;

use hookwire_plugin::TopicFilter;
use hookwire_plugin::prelude::*;
use serde_json::Value;

use config::Config;
use schema::Schema;

/// Longest reason string or mark, bytes: it says what is wrong first of all, not all that is wrong.
const TEXT_BYTES_MAX: usize = 256;

/// The plugin.
pub struct SchemaGuard {
    guards: Vec<Guard>,
    payload_bytes_max: usize,
    /// Name of the user property that says how a message was judged.
    mark: String,
}

/// What is demanded of the messages of some topics.
struct Guard {
    filter: TopicFilter,
    schema: Schema,
    otherwise: Otherwise,
}

/// What becomes of a message that does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Otherwise {
    Reject,
    Drop,
    /// It goes on, with a user property that says what is wrong.
    Mark,
}

impl Plugin for SchemaGuard {
    type Config = Config;

    fn new(config: Config) -> Result<Self, Problems> {
        config.check()
    }

    fn interests(&self) -> Interests {
        let topics: Vec<_> = self.guards.iter().map(|guard| guard.filter.as_str()).collect();
        let mut interest = MessageInterest::topics(topics);
        interest.properties = self.guards.iter().any(|guard| guard.otherwise == Otherwise::Mark);
        Interests {
            on_publish: interest,
            ..Interests::default()
        }
    }
}

impl OnPublish for SchemaGuard {
    /// Every schema of the topic has to fit; the first that does not decides.
    fn on_publish(&self, message: &Message<'_>) -> Verdict {
        let mut guards = self
            .guards
            .iter()
            .filter(|guard| guard.filter.matches(message.topic()))
            .peekable();
        // Nothing is demanded of a message that only removes a retained one.
        if guards.peek().is_none() || message.retain() && message.payload().is_empty() {
            return Verdict::pass();
        }
        let payload = self.parse(message.payload());
        let mut mark = None;
        for guard in guards {
            let fits = payload.as_ref().map_err(Clone::clone);
            let fits = fits.and_then(|payload| guard.schema.check(payload).map_err(shortened));
            match (fits, guard.otherwise) {
                (Err(fault), Otherwise::Reject) => {
                    return Verdict::reject(Reason::PayloadFormatInvalid, fault);
                }
                (Err(_), Otherwise::Drop) => return Verdict::drop(),
                (Err(fault), Otherwise::Mark) => mark = Some(format!("invalid: {fault}")),
                (Ok(()), Otherwise::Mark) => mark = mark.or_else(|| Some("valid".to_owned())),
                (Ok(()), _) => {}
            }
        }
        mark.map_or_else(Verdict::pass, |mark| self.marked(message, &mark))
    }
}

impl SchemaGuard {
    fn parse(&self, payload: &[u8]) -> Result<Value, String> {
        if payload.len() > self.payload_bytes_max {
            return Err(format!("more than {} bytes", self.payload_bytes_max));
        }
        serde_json::from_slice(payload).map_err(|_| "not JSON".to_owned())
    }

    /// Whatever the publisher says of its message under our name is replaced.
    fn marked(&self, message: &Message<'_>, mark: &str) -> Verdict {
        let mut properties = message.properties().to_owned();
        properties.remove_user_property(&self.mark);
        properties.push_user_property(&self.mark, mark);
        Replacement::properties(properties).into()
    }
}

fn shortened(mut text: String) -> String {
    // Names in it come from the publisher.
    text.retain(|c| !c.is_control());
    text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
    text
}

hookwire_plugin::export!(SchemaGuard: OnPublish);

#[cfg(test)]
mod tests;
