//! `POST /v1/publish`

use base64ct::{Base64, Encoding};
use bytes::Bytes;
use bytestring::ByteString;
use hookwire_hooks::{Message, Source};
use hookwire_protocol::{PublishProperties, PublishPropertyValues, PublishReason, QoS, TopicName};
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::Admin;
use super::query::{self, bad};
use super::reply::{self, Refusal, Reply};
use crate::broker::{Broker, Published};
use crate::clock;

/// A message, as an administrator writes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    topic: String,
    #[serde(default)]
    payload: Option<String>,
    #[serde(default)]
    payload_base64: Option<String>,
    #[serde(default)]
    qos: u8,
    #[serde(default)]
    retain: bool,
    #[serde(default)]
    content_type: Option<String>,
    #[serde(default)]
    response_topic: Option<String>,
    #[serde(default)]
    message_expiry_secs: Option<u32>,
    #[serde(default)]
    user_properties: Vec<(String, String)>,
}

/// Publishes a message. It passes the same policy as any other.
pub(super) async fn publish(admin: &Admin, request: &Bytes) -> Result<Reply, Refusal> {
    let request: Request = serde_json::from_slice(request).map_err(bad)?;
    let message = request.into_message().map_err(bad)?;
    let broker = admin.broker().clone();
    let (published, is_safe) = broker.safely(put(&broker, message)).await;
    let Published { reason, text } = published?;
    if !is_safe {
        let lost =
            json!({ "outcome": "unsafe", "text": "the store has failed: it has gone out, but is not kept" });
        return Ok(reply::json(StatusCode::INTERNAL_SERVER_ERROR, &lost));
    }
    if !reason.is_error() {
        let outcome = match reason {
            PublishReason::NoMatchingSubscribers => "no-subscriber",
            _ => "published",
        };
        return Ok(reply::ok(&json!({ "outcome": outcome })));
    }
    let status = match (reason, &text) {
        // No policy says so, and no text: there is no room.
        (PublishReason::QuotaExceeded, None) => StatusCode::INSUFFICIENT_STORAGE,
        _ => StatusCode::FORBIDDEN,
    };
    let refusal = json!({ "outcome": "refused", "reason": reason.as_str(), "text": text.as_deref() });
    Ok(reply::json(status, &refusal))
}

async fn put(broker: &Broker, message: Message) -> Result<Published, Refusal> {
    if broker.chain().waits_for_messages() {
        return Ok(broker.publish_as_admin_waiting(message).await);
    }
    let broker = broker.clone();
    query::wait(move || broker.publish_as_admin(clock::now(), message)).await
}

fn text(what: &str, text: String) -> Result<ByteString, String> {
    if text.len() > usize::from(u16::MAX) || text.contains('\0') {
        return Err(format!("{what}: not a string of MQTT"));
    }
    Ok(text.into())
}

fn topic(what: &str, text: String) -> Result<TopicName, String> {
    TopicName::new(text).map_err(|error| format!("{what}: {error}"))
}

impl Request {
    fn into_message(self) -> Result<Message, String> {
        let pairs = self.user_properties.into_iter();
        let user_properties =
            pairs.map(|(name, value)| Ok((text("user_properties", name)?, text("user_properties", value)?)));
        let properties = PublishPropertyValues {
            content_type: self
                .content_type
                .map(|kind| text("content_type", kind))
                .transpose()?,
            response_topic: self
                .response_topic
                .map(|name| topic("response_topic", name))
                .transpose()?,
            message_expiry_interval_secs: self.message_expiry_secs,
            user_properties: user_properties.collect::<Result<_, String>>()?,
            ..PublishPropertyValues::default()
        };
        let payload = match (self.payload, self.payload_base64) {
            (Some(_), Some(_)) => return Err("payload or payload_base64, not both".to_owned()),
            (text, None) => text.unwrap_or_default().into_bytes(),
            (None, Some(encoded)) => {
                Base64::decode_vec(&encoded).map_err(|error| format!("payload_base64: {error}"))?
            }
        };
        Ok(Message {
            source: Source::Admin,
            topic: topic("topic", self.topic)?,
            payload: payload.into(),
            qos: QoS::from_u8(self.qos).ok_or("qos: 0, 1 or 2")?,
            retain: self.retain,
            properties: PublishProperties::from(properties),
            expires_at: None,
        })
    }
}
