//! One limit: whose messages it counts, how, and what happens above it.

use std::time::Duration;

use hookwire_plugin::prelude::*;
use hookwire_plugin::rate_limit::{self, Rate};
use hookwire_plugin::{TopicFilter, clients};

/// Longest key of a bucket, bytes.
const KEY_BYTES_MAX: usize = 1024;

/// A limit, checked.
#[derive(Debug)]
pub(crate) struct Limit {
    /// In keys of buckets, figures and reason strings.
    pub(crate) name: String,
    pub(crate) metric: String,
    pub(crate) filter: TopicFilter,
    pub(crate) per: Per,
    pub(crate) counts_bytes: bool,
    pub(crate) rate: Rate,
    pub(crate) excess: Excess,
    /// User names about whom it does not care.
    pub(crate) except: Vec<String>,
}

/// What has a bucket of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Per {
    /// A client id, whichever connection it has.
    Client,
    /// A user name; those without one share a bucket.
    User,
    /// An IP address.
    Address,
    /// A topic, whoever publishes there.
    Topic,
    /// All together.
    All,
}

/// What happens to a message above a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Excess {
    /// It goes on, and its publisher is not read from until the bucket is out of debt.
    Throttle,
    Drop,
    Reject,
    Disconnect,
}

impl Excess {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Throttle => "slowed",
            Self::Drop => "dropped",
            Self::Reject => "rejected",
            Self::Disconnect => "disconnected",
        }
    }
}

impl Limit {
    /// Counts a message; some when there is too little in the bucket: how long until there is enough.
    pub(crate) fn take(&self, message: &Message<'_>) -> Option<Duration> {
        if !self.filter.matches(message.topic()) {
            return None;
        }
        let key = self.key(message)?;
        let cost = if self.counts_bytes {
            (message.topic().len() + message.payload().len()) as f64
        } else {
            1.0
        };
        // A message that is larger than the bucket could never pass: it costs the whole of it.
        let cost = cost.min(self.rate.burst);
        let taken = match self.excess {
            Excess::Throttle => rate_limit::take_on_credit(&key, self.rate, cost),
            Excess::Drop | Excess::Reject | Excess::Disconnect => rate_limit::take(&key, self.rate, cost),
        };
        taken.err()
    }

    /// Whose bucket it is; none where the limit is not about the message. Messages of plugins have no client, so limits of
    /// topics and of all together are the only ones for them.
    fn key(&self, message: &Message<'_>) -> Option<String> {
        let of = match self.per {
            Per::All => return Some(self.name.clone()),
            Per::Topic => message.topic().to_owned(),
            Per::Client | Per::User | Per::Address => self.client_key(message.client()?)?,
        };
        Some(shortened(format!("{} {of}", self.name)))
    }

    fn client_key(&self, key: ClientKey) -> Option<String> {
        // Whoever the broker does not know any more (the client of a will that fires late) has its connection's key.
        let Some(client) = clients::get(key) else {
            return Some(format!("#{key}"));
        };
        let username = client.username.as_deref();
        if username.is_some_and(|name| self.except.iter().any(|excepted| excepted == name)) {
            return None;
        }
        Some(match self.per {
            Per::User => username.map_or_else(|| "-".to_owned(), |name| format!("={name}")),
            Per::Address => host_of(&client.address).to_owned(),
            _ => client.client_id.clone(),
        })
    }

    pub(crate) fn metric(&self) -> &str {
        &self.metric
    }

    pub(crate) fn text(&self) -> String {
        format!("above the limit {}", self.name)
    }
}

/// An address without its port.
fn host_of(address: &str) -> &str {
    address.rsplit_once(':').map_or(address, |(host, _)| host)
}

/// A key of a bucket has a longest; of longer ones the end tells more of them apart than the beginning.
fn shortened(key: String) -> String {
    if key.len() <= KEY_BYTES_MAX {
        return key;
    }
    let from = (key.len() - KEY_BYTES_MAX..key.len()).find(|at| key.is_char_boundary(*at));
    key[from.unwrap_or(key.len())..].to_owned()
}
