//! What a server may be told of a client and of what it wants.

use std::borrow::Cow;

use hookwire_plugin::authenticate::Credentials;
use hookwire_plugin::authorize::{Access, Action};
use hookwire_plugin::clients::Client;
use hookwire_plugin::{Protocol, Qos};
use serde_json::{Map, Value};

/// What can stand in a template.
pub(crate) const PLACEHOLDERS: [&str; 11] = [
    "client_id",
    "username",
    "password",
    "address",
    "ip",
    "listener",
    "protocol",
    "action",
    "topic",
    "qos",
    "retain",
];

/// The facts about one question, by name. What is not known, or not asked about, is empty.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    client_id: &'a str,
    username: Option<&'a str>,
    password: Option<&'a [u8]>,
    address: &'a str,
    listener: &'a str,
    protocol: Protocol,
    access: Option<&'a Access>,
}

impl<'a> Facts<'a> {
    pub(crate) fn of_credentials(who: &'a Credentials) -> Self {
        Self {
            client_id: &who.client_id,
            username: who.username.as_deref(),
            password: who.password.as_deref(),
            address: &who.address,
            listener: &who.listener,
            protocol: who.protocol,
            access: None,
        }
    }

    pub(crate) fn of_access(access: &'a Access, client: &'a Client) -> Self {
        Self {
            client_id: &client.client_id,
            username: client.username.as_deref(),
            password: None,
            address: &client.address,
            listener: &client.listener,
            protocol: client.protocol,
            access: Some(access),
        }
    }

    /// One of [`PLACEHOLDERS`].
    pub(crate) fn get(&self, name: &str) -> Cow<'_, str> {
        match name {
            "client_id" => self.client_id.into(),
            "username" => self.username.unwrap_or_default().into(),
            "password" => String::from_utf8_lossy(self.password.unwrap_or_default()),
            "address" => self.address.into(),
            "ip" => self.ip().into(),
            "listener" => self.listener.into(),
            "protocol" => self.protocol().into(),
            name => self
                .access
                .map_or(Cow::Borrowed(""), |access| of_access(access, name)),
        }
    }

    /// All that is known, as the body of a request.
    pub(crate) fn to_json(&self) -> Value {
        let mut json = Map::new();
        let mut put = |name: &str, value: Value| drop(json.insert(name.to_owned(), value));
        put("client_id", self.client_id.into());
        put("username", self.username.into());
        match self.access {
            None => put(
                "password",
                self.password.map(|_| self.get("password")).as_deref().into(),
            ),
            Some(access) => {
                put("action", action(access.action).into());
                put("topic", access.topic.as_str().into());
                put("qos", qos(access.qos).into());
                put("retain", access.retain.into());
            }
        }
        put("address", self.address.into());
        put("listener", self.listener.into());
        put("protocol", self.protocol().into());
        Value::Object(json)
    }

    /// The address without the port.
    fn ip(&self) -> &str {
        let ip = self.address.rsplit_once(':').map_or(self.address, |(ip, _)| ip);
        ip.trim_start_matches('[').trim_end_matches(']')
    }

    fn protocol(&self) -> &'static str {
        match self.protocol {
            Protocol::Mqtt31 => "3.1",
            Protocol::Mqtt311 => "3.1.1",
            Protocol::Mqtt5 => "5.0",
        }
    }
}

fn of_access<'a>(access: &'a Access, name: &str) -> Cow<'a, str> {
    match name {
        "action" => action(access.action).into(),
        "topic" => access.topic.as_str().into(),
        "qos" => qos(access.qos).to_string().into(),
        "retain" => access.retain.to_string().into(),
        _ => "".into(),
    }
}

fn action(action: Action) -> &'static str {
    match action {
        Action::Publish => "publish",
        Action::Subscribe => "subscribe",
        Action::Deliver => "deliver",
        Action::Will => "will",
    }
}

fn qos(qos: Qos) -> u8 {
    match qos {
        Qos::AtMostOnce => 0,
        Qos::AtLeastOnce => 1,
        Qos::ExactlyOnce => 2,
    }
}
