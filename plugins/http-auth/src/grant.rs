//! What an allowed client may be and do, as the server writes it.

use std::collections::BTreeMap;

use hookwire_plugin::authenticate::{ConnectReason, Grant, RuleAction, TopicRule};
use hookwire_plugin::{Qos, TopicFilter, UserProperty, is_topic_name};
use serde::{Deserialize, Serialize};

/// The body of an answer that allows, beside its `result`; kept like this in the cache.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct GrantBody {
    username: Option<String>,
    client_id: Option<String>,
    mount_point: Option<String>,
    attributes: BTreeMap<String, String>,
    superuser: bool,
    expires_in_secs: Option<u32>,
    rules: Vec<RuleBody>,
    max_qos: Option<u8>,
    max_packet_size: Option<u32>,
    max_inflight: Option<u16>,
    max_session_expiry_secs: Option<u32>,
    max_keep_alive_secs: Option<u16>,
    receive_maximum: Option<u16>,
    max_queue_messages: Option<u32>,
    max_queue_bytes: Option<u64>,
    max_messages_per_second: Option<u32>,
    max_bytes_per_second: Option<u64>,
    user_properties: BTreeMap<String, String>,
    response_information: Option<String>,
}

/// `{"allow": "publish", "topic": "devices/%c/#"}`, or with `deny`.
#[derive(Debug, Clone, Deserialize, Serialize)]
struct RuleBody {
    allow: Option<ActionBody>,
    deny: Option<ActionBody>,
    topic: String,
}

#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum ActionBody {
    Publish,
    Subscribe,
    All,
}

impl GrantBody {
    /// What the broker would refuse is refused here, where it can be told.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.max_qos.is_some_and(|qos| qos > 2) {
            return Err("max_qos is more than 2".to_owned());
        }
        if self.max_packet_size == Some(0) || self.max_inflight == Some(0) || self.receive_maximum == Some(0) {
            return Err("a maximum of 0 would let nothing through".to_owned());
        }
        if let Some(mount) = &self.mount_point
            && (!mount.ends_with('/') || !is_topic_name(mount) || mount.starts_with("$SYS/"))
        {
            return Err(format!(
                "mount_point `{mount}` is not a topic name that ends in `/`"
            ));
        }
        self.rules.iter().try_for_each(RuleBody::check)
    }

    pub(crate) fn expires_in_secs(&self) -> Option<u32> {
        self.expires_in_secs
    }

    pub(crate) fn user_properties(&self) -> Vec<UserProperty> {
        pairs(&self.user_properties)
    }

    /// Of a body that was checked.
    pub(crate) fn into_grant(self) -> Grant {
        Grant {
            attributes: pairs(&self.attributes),
            rules: self.rules.iter().map(RuleBody::rule).collect(),
            max_qos: self.max_qos.map(|qos| match qos {
                0 => Qos::AtMostOnce,
                1 => Qos::AtLeastOnce,
                _ => Qos::ExactlyOnce,
            }),
            user_properties: self.user_properties(),
            username: self.username,
            client_id: self.client_id,
            mount_point: self.mount_point,
            superuser: self.superuser,
            expires_in_secs: self.expires_in_secs,
            max_packet_size: self.max_packet_size,
            max_inflight: self.max_inflight,
            max_session_expiry_secs: self.max_session_expiry_secs,
            max_keep_alive_secs: self.max_keep_alive_secs,
            receive_maximum: self.receive_maximum,
            max_queue_messages: self.max_queue_messages,
            max_queue_bytes: self.max_queue_bytes,
            max_messages_per_second: self.max_messages_per_second,
            max_bytes_per_second: self.max_bytes_per_second,
            response_information: self.response_information,
        }
    }
}

fn pairs(map: &BTreeMap<String, String>) -> Vec<UserProperty> {
    map.iter()
        .map(|(name, value)| UserProperty::new(name, value))
        .collect()
}

impl RuleBody {
    fn check(&self) -> Result<(), String> {
        if self.allow.is_some() == self.deny.is_some() {
            return Err(format!(
                "the rule about `{}` needs either `allow` or `deny`",
                self.topic
            ));
        }
        let filled = self.topic.replace("%c", "c").replace("%u", "u");
        match filled.parse::<TopicFilter>() {
            Ok(_) => Ok(()),
            Err(error) => Err(format!("rule about `{}`: {error}", self.topic)),
        }
    }

    fn rule(&self) -> TopicRule {
        let action = match self.allow.or(self.deny) {
            Some(ActionBody::Publish) => RuleAction::Publish,
            Some(ActionBody::Subscribe) => RuleAction::Subscribe,
            Some(ActionBody::All) | None => RuleAction::Both,
        };
        TopicRule {
            allow: self.allow.is_some(),
            action,
            filter: self.topic.clone(),
        }
    }
}

/// A reason to refuse, by its name in the contract.
pub(crate) fn reason(name: &str) -> Option<ConnectReason> {
    Some(match name {
        "unspecified" => ConnectReason::Unspecified,
        "implementation-specific" => ConnectReason::ImplementationSpecific,
        "client-identifier-not-valid" => ConnectReason::ClientIdentifierNotValid,
        "bad-user-name-or-password" => ConnectReason::BadUserNameOrPassword,
        "not-authorized" => ConnectReason::NotAuthorized,
        "server-unavailable" => ConnectReason::ServerUnavailable,
        "server-busy" => ConnectReason::ServerBusy,
        "banned" => ConnectReason::Banned,
        "quota-exceeded" => ConnectReason::QuotaExceeded,
        "use-another-server" => ConnectReason::UseAnotherServer,
        "server-moved" => ConnectReason::ServerMoved,
        "connection-rate-exceeded" => ConnectReason::ConnectionRateExceeded,
        _ => return None,
    })
}
