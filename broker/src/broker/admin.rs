//! What an administrator may ask of the broker.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytestring::ByteString;
use hookwire_protocol::SubscriptionOptions;
use serde::Serialize;

use super::Broker;
use super::client::Client;
use crate::session::Session;

/// How much memory is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryState {
    /// Enough.
    Ample,
    /// Publishers are slowed.
    Scarce,
    /// What would have to wait is refused.
    Full,
}

/// A session, as a line of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClientSummary {
    /// Client id.
    pub client_id: String,
    /// User name of the present or last connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Whether it is connected.
    pub connected: bool,
    /// Address of the present or last connection.
    pub address: String,
    /// Listener of the present or last connection.
    pub listener: String,
    /// MQTT version of the present or last connection.
    pub version: &'static str,
    /// When that began: milliseconds since 1970-01-01 UTC.
    pub connected_at_ms: u64,
    /// Its key, as plugins know it.
    pub key: u64,
    /// Subscriptions.
    pub subscriptions: usize,
    /// Messages that were sent and are not acknowledged.
    pub inflight: usize,
    /// Messages that wait.
    pub queued: usize,
    /// The same in bytes.
    pub queued_bytes: usize,
}

/// Everything that is told about a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClientDetails {
    /// As in a list.
    #[serde(flatten)]
    pub summary: ClientSummary,
    /// Seconds that the session outlives its connection.
    pub expiry_secs: u64,
    /// Prefix of all its topics.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mount_point: Option<String>,
    /// What the plugin that admitted it attached.
    pub attributes: Vec<(String, String)>,
    /// Bytes that wait to be written.
    pub output_bytes: usize,
    /// Its subscriptions, by filter.
    pub filters: BTreeMap<String, FilterOptions>,
}

/// The options of a subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FilterOptions {
    /// Highest QoS.
    pub qos: u8,
    /// Not its own messages.
    pub no_local: bool,
    /// RETAIN stays as it was published.
    pub retain_as_published: bool,
    /// Which retained messages it asked for: 0, 1 or 2.
    pub retain_handling: u8,
}

impl From<&SubscriptionOptions> for FilterOptions {
    fn from(options: &SubscriptionOptions) -> Self {
        Self {
            qos: options.qos.as_u8(),
            no_local: options.no_local,
            retain_as_published: options.retain_as_published,
            retain_handling: options.retain_handling as u8,
        }
    }
}

fn summary(client: &Client, session: &Session) -> ClientSummary {
    let facts = client.standing().facts;
    ClientSummary {
        client_id: facts.client_id.to_string(),
        username: facts.username.as_ref().map(ToString::to_string),
        connected: session.is_online(),
        address: facts.address.to_string(),
        listener: facts.listener.to_string(),
        version: facts.version.as_str(),
        connected_at_ms: facts.connected_at_ms,
        key: facts.key.0,
        subscriptions: session.subscription_count(),
        inflight: session.inflight(),
        queued: session.queued(),
        queued_bytes: session.queued_bytes(),
    }
}

impl Broker {
    /// How much memory is left.
    pub fn memory_state(&self) -> MemoryState {
        if self.0.memory.is_full() {
            MemoryState::Full
        } else if self.0.memory.is_scarce() {
            MemoryState::Scarce
        } else {
            MemoryState::Ample
        }
    }

    /// At most so many sessions, in the order of their client ids, behind `after`. Looks at the name of each session.
    pub fn list_clients(&self, after: Option<&str>, most: usize) -> Vec<ClientSummary> {
        let mut page = BTreeMap::new();
        for client in self.clients() {
            let client_id = client.standing().facts.client_id.clone();
            let is_behind = after.is_none_or(|after| &*client_id > after);
            if is_behind {
                page.insert(client_id, client);
                if page.len() > most {
                    page.pop_last();
                }
            }
        }
        page.values()
            .map(|client| summary(client, &client.session()))
            .collect()
    }

    fn client_of(&self, client_id: &str) -> Option<Arc<Client>> {
        self.0.registry.lock().get(client_id).cloned()
    }

    /// A session in detail.
    pub fn client_details(&self, client_id: &str) -> Option<ClientDetails> {
        let client = self.client_of(client_id)?;
        let attributes = client.standing().facts.attributes.clone();
        let session = client.session();
        let filters = session
            .subscriptions()
            .map(|(filter, options)| (filter.to_string(), options.into()));
        Some(ClientDetails {
            summary: summary(&client, &session),
            expiry_secs: session.terms().expiry.as_secs(),
            mount_point: session.terms().mount_point.as_ref().map(ToString::to_string),
            attributes: attributes
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect(),
            output_bytes: session.output_len(),
            filters: filters.collect(),
        })
    }

    /// Closes the connection of a client; false when it has none.
    pub fn kick_client(&self, client_id: &str, text: Option<ByteString>) -> bool {
        self.client_of(client_id)
            .is_some_and(|client| self.kick(client.key(), text))
    }
}
