//! What a component is asked, in the JSON of recordings.

use base64ct::{Base64, Encoding};
use serde_json::{Value, json};

use crate::authenticate::Credentials;
use crate::authorize::{Access, Action};
use crate::bindings::clients::Client;
use crate::bindings::types::{
    ClientKey, Message as MessageBuf, Properties, Protocol, Qos, Source, UserProperty,
};
use crate::events::{Event, What};
use crate::message::Message;
use crate::on_subscribe::{self, RetainHandling};
use crate::on_unsubscribe;
use crate::on_will::{Cause, Delays};
use crate::route::Recipients;

/// A string where it is one, else base64.
pub(super) fn blob(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => json!(text),
        Err(_) => json!({ "base64": Base64::encode_string(bytes) }),
    }
}

fn pairs(properties: &[UserProperty]) -> Value {
    let pairs = properties.iter();
    pairs
        .map(|property| json!([property.name, property.value]))
        .collect()
}

pub(super) fn qos(qos: Qos) -> u8 {
    match qos {
        Qos::AtMostOnce => 0,
        Qos::AtLeastOnce => 1,
        Qos::ExactlyOnce => 2,
    }
}

fn version(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Mqtt31 => "3.1",
        Protocol::Mqtt311 => "3.1.1",
        Protocol::Mqtt5 => "5.0",
    }
}

fn source(source: Source) -> Value {
    match source {
        Source::Client(key) => json!({ "client": key }),
        Source::Will(key) => json!({ "will": key }),
        Source::Plugin => json!({ "plugin": 1 }),
        Source::Admin => json!("admin"),
        // Not made by this version of the broker.
        Source::Bridge => json!("bridge"),
    }
}

pub(super) fn message(message: &Message<'_>) -> Value {
    let mut json = json!({
        "source": source(message.source()),
        "topic": message.topic(),
        "payload": blob(message.payload()),
        "qos": qos(message.qos()),
        "retain": message.retain(),
    });
    if !message.properties().is_empty() {
        json["properties"] = properties(&message.properties().to_owned());
    }
    json
}

/// A message that a plugin has retained, as far as anybody knows.
pub(super) fn retained(message: &MessageBuf) -> Value {
    json!({
        "source": { "plugin": 1 },
        "topic": message.topic,
        "payload": blob(&message.payload),
        "qos": qos(message.qos),
        "retain": message.retain,
        "properties": message.properties.as_ref().map(properties),
    })
}

pub(super) fn properties(properties: &Properties) -> Value {
    json!({
        "payload_format_utf8": properties.payload_format_utf8,
        "message_expiry_secs": properties.message_expiry_secs,
        "response_topic": properties.response_topic,
        "correlation_data": properties.correlation_data.as_deref().map(blob),
        "content_type": properties.content_type,
        "user_properties": pairs(&properties.user_properties),
    })
}

pub(super) fn client(key: ClientKey, client: &Client) -> Value {
    json!({
        "key": key,
        "client_id": client.client_id,
        "username": client.username,
        "address": client.address,
        "listener": client.listener,
        "version": version(client.protocol),
        "connected_at_ms": client.connected_at_ms,
        "attributes": pairs(&client.attributes),
    })
}

pub(super) fn credentials(who: &Credentials) -> Value {
    json!({
        "client_id": who.client_id,
        "username": who.username,
        "password": who.password.as_deref().map(blob),
        "address": who.address,
        "listener": who.listener,
        "version": version(who.protocol),
        "clean_start": who.clean_start,
        "user_properties": pairs(&who.user_properties),
    })
}

pub(super) fn first_step(method: &str, data: Option<&[u8]>, who: &Credentials) -> Value {
    json!({ "method": method, "data": data.map(blob), "who": credentials(who) })
}

pub(super) fn next_step(method: &str, data: Option<&[u8]>, state: &[u8]) -> Value {
    json!({ "method": method, "data": data.map(blob), "state": blob(state) })
}

pub(super) fn access(access: &Access) -> Value {
    let action = match access.action {
        Action::Publish => "publish",
        Action::Subscribe => "subscribe",
        Action::Deliver => "deliver",
        Action::Will => "will",
    };
    json!({
        "client": access.client,
        "action": action,
        "topic": access.topic,
        "qos": qos(access.qos),
        "retain": access.retain,
    })
}

pub(super) fn route(message: &Message<'_>, recipients: &Recipients) -> Value {
    let groups = recipients.groups.iter();
    let groups =
        groups.map(|group| json!({ "share": group.share, "filter": group.filter, "members": group.members }));
    json!({
        "message": self::message(message),
        "recipients": recipients.clients,
        "groups": groups.collect::<Value>(),
    })
}

pub(super) fn subscribe(client: ClientKey, request: &on_subscribe::Request) -> Value {
    let handling = match request.retain_handling {
        RetainHandling::SendAtSubscribe => 0,
        RetainHandling::SendIfNew => 1,
        RetainHandling::DoNotSend => 2,
    };
    json!({
        "client": client,
        "filter": shared(&request.filter, request.share.as_deref()),
        "qos": qos(request.qos),
        "no_local": request.no_local,
        "retain_as_published": request.retain_as_published,
        "retain_handling": handling,
    })
}

pub(super) fn unsubscribe(client: ClientKey, request: &on_unsubscribe::Request) -> Value {
    json!({ "client": client, "filter": shared(&request.filter, request.share.as_deref()) })
}

/// As a client sends it.
fn shared(filter: &str, share: Option<&str>) -> String {
    match share {
        Some(share) => format!("$share/{share}/{filter}"),
        None => filter.to_owned(),
    }
}

pub(super) fn delivery(recipient: ClientKey, message: &Message<'_>) -> Value {
    json!({ "recipient": recipient, "message": self::message(message) })
}

pub(super) fn will(client: ClientKey, cause: Cause, delays: Delays, message: &Message<'_>) -> Value {
    let cause = match cause {
        Cause::ConnectionLost => "connection-lost",
        Cause::KeepAliveTimeout => "keep-alive-timeout",
        Cause::ProtocolError => "protocol-error",
        Cause::Requested => "requested",
        Cause::TakenOver => "taken-over",
        Cause::Kicked => "kicked",
        Cause::ServerShutdown => "server-shutdown",
    };
    json!({
        "client": client,
        "cause": cause,
        "delayed_times": delays.times,
        "delayed_ms": u64::from(delays.secs) * 1000,
        "message": self::message(message),
    })
}

pub(super) fn event(event: &Event) -> Value {
    json!({
        "at_ms": event.at_ms,
        "client": event.client,
        "client_id": event.client_id,
        "what": what(&event.what),
    })
}

fn what(what: &What) -> Value {
    match what {
        What::Connected(connected) => json!({ "connected": {
            "username": connected.username,
            "address": connected.address,
            "version": version(connected.protocol),
            "clean_start": connected.clean_start,
            "keep_alive_secs": connected.keep_alive_secs,
        } }),
        What::Disconnected(disconnected) => json!({ "disconnected": {
            "reason": disconnected.reason,
            "text": disconnected.text,
            "by_client": disconnected.by_client,
        } }),
        What::SessionCreated => json!("session-created"),
        What::SessionResumed => json!("session-resumed"),
        What::SessionTakenOver => json!("session-taken-over"),
        What::SessionExpired => json!("session-expired"),
        What::Subscribed(subscribed) => {
            json!({ "subscribed": { "filter": subscribed.filter, "qos": qos(subscribed.qos) } })
        }
        What::Unsubscribed(filter) => json!({ "unsubscribed": { "filter": filter } }),
        What::Acked(acked) => json!({ "acked": { "topic": acked.topic, "qos": qos(acked.qos) } }),
        What::Unrouted(topic) => json!({ "unrouted": { "topic": topic } }),
        What::Refused(refused) => json!({ "refused": {
            "username": refused.username,
            "address": refused.address,
            "version": version(refused.protocol),
            "reason": refused.reason,
            "text": refused.text,
        } }),
        What::Dropped(dropped) => json!({ "dropped": { "topic": dropped.topic, "cause": dropped.why } }),
    }
}
