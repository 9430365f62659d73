//! Asked at CONNECT, before anything else of it takes effect.

use crate::bindings::authenticate::exports::hookwire::plugin::authenticate as binding;
use crate::bindings::types::Protocol;
use crate::component::{Component, with_plugin};
use crate::plugin::Plugin;

pub use crate::bindings::admission::{ConnectReason, Credentials, Denial, Grant, RuleAction, TopicRule};
pub use binding::Outcome;

/// The hook `authenticate`. It may take its time (password hashing): the client waits, nobody else does.
pub trait Authenticate: Plugin {
    /// Judges one client.
    fn authenticate(&self, who: &Credentials) -> Outcome;
}

impl<C: Component<Plugin: Authenticate>> binding::Guest for C {
    fn authenticate(who: Credentials) -> Outcome {
        with_plugin::<C, _>(|plugin| plugin.authenticate(&who))
    }
}

impl Credentials {
    /// An MQTT 5 client with this id and no user name, for tests. Set the fields for something else.
    pub fn new(client_id: impl Into<String>) -> Self {
        Self {
            client_id: client_id.into(),
            username: None,
            password: None,
            address: "192.0.2.1:50000".to_owned(),
            listener: "default".to_owned(),
            protocol: Protocol::Mqtt5,
            clean_start: true,
            user_properties: Vec::new(),
        }
    }

    /// The same client with a user name and a password.
    #[must_use]
    pub fn with_password(mut self, username: impl Into<String>, password: impl Into<Vec<u8>>) -> Self {
        self.username = Some(username.into());
        self.password = Some(password.into());
        self
    }
}

/// Leaves everything to the broker's configuration.
impl Default for Grant {
    fn default() -> Self {
        Self {
            username: None,
            client_id: None,
            mount_point: None,
            attributes: Vec::new(),
            superuser: false,
            expires_in_secs: None,
            rules: Vec::new(),
            max_qos: None,
            max_packet_size: None,
            max_inflight: None,
            receive_maximum: None,
            max_queue_messages: None,
            max_queue_bytes: None,
            max_messages_per_second: None,
            max_bytes_per_second: None,
            max_session_expiry_secs: None,
            max_keep_alive_secs: None,
            user_properties: Vec::new(),
            response_information: None,
        }
    }
}

impl TopicRule {
    /// Lets the client do this.
    pub fn allow(action: RuleAction, filter: impl Into<String>) -> Self {
        Self {
            allow: true,
            action,
            filter: filter.into(),
        }
    }

    /// Keeps the client from doing this.
    pub fn deny(action: RuleAction, filter: impl Into<String>) -> Self {
        Self {
            allow: false,
            action,
            filter: filter.into(),
        }
    }
}

impl Denial {
    /// A refusal with a text for a person.
    pub fn new(reason: ConnectReason, text: impl Into<String>) -> Self {
        Self {
            text: Some(text.into()),
            ..reason.into()
        }
    }

    /// The client is sent to another server (`host` or `host:port`), from now on or this once. An MQTT 3 client is told no
    /// more than that this one is not available.
    pub fn redirect(server: impl Into<String>, permanent: bool) -> Self {
        let reason = if permanent {
            ConnectReason::ServerMoved
        } else {
            ConnectReason::UseAnotherServer
        };
        Self {
            server_reference: Some(server.into()),
            ..reason.into()
        }
    }
}

impl From<ConnectReason> for Denial {
    fn from(reason: ConnectReason) -> Self {
        Self {
            reason,
            text: None,
            server_reference: None,
            user_properties: Vec::new(),
        }
    }
}

impl Outcome {
    /// Admitted; no further plugin is asked.
    pub const fn allow(grant: Grant) -> Self {
        Self::Allow(grant)
    }

    /// Sent to another server, from now on or this once; no further plugin is asked.
    pub fn redirect(server: impl Into<String>, permanent: bool) -> Self {
        Self::Deny(Denial::redirect(server, permanent))
    }

    /// Refused with a text for a person; no further plugin is asked.
    pub fn deny(reason: ConnectReason, text: impl Into<String>) -> Self {
        Self::Deny(Denial::new(reason, text))
    }
}

/// Judge in a function that returns `Result<Grant, Denial>`, where `?` works, and answer with `.into()`.
impl<D: Into<Denial>> From<Result<Grant, D>> for Outcome {
    fn from(result: Result<Grant, D>) -> Self {
        match result {
            Ok(grant) => Self::Allow(grant),
            Err(denial) => Self::Deny(denial.into()),
        }
    }
}
