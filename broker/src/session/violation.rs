//! Good bytes at the wrong time: what a client did that ends its connection.

use hookwire_protocol::DisconnectReason;

/// A breach of the protocol by the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// [MQTT-3.1.0-2]
    #[error("a second CONNECT")]
    SecondConnect,
    /// A packet that only a server sends.
    #[error("a packet that only a server sends")]
    ServerPacket,
    /// [MQTT-3.3.4-9]
    #[error("more QoS 2 messages on their way than the Receive Maximum")]
    ReceiveMaximumExceeded,
    /// An acknowledgement that is not the one that the message waits for: it is inconsistent with what went before.
    #[error("an acknowledgement of another kind than its message waits for")]
    AnotherAcknowledgement,
    /// A topic filter whose wildcards or share name are not where they may be, or that is empty. [MQTT-4.7.1-1],
    /// [MQTT-4.7.1-2], [MQTT-4.7.3-1], [MQTT-4.8.2-1], [MQTT-4.8.2-2]
    #[error("a topic filter that is none")]
    FilterMalformed,
    /// Topic alias 0 or above the announced maximum. [MQTT-3.3.2-9]
    #[error("a topic alias above the Topic Alias Maximum")]
    TopicAliasInvalid,
    /// [MQTT-3.3.2-12]
    #[error("a topic alias that stands for nothing")]
    TopicAliasUnknown,
    /// [MQTT-3.2.2-11]
    #[error("a QoS above the Maximum QoS")]
    QosNotSupported,
    /// [MQTT-3.2.2-14]
    #[error("a retained message, which are not available")]
    RetainNotSupported,
    /// See section 3.2.2.3.11 of MQTT 5.
    #[error("a subscription with a wildcard, which are not available")]
    WildcardSubscriptionsNotSupported,
    /// See section 3.2.2.3.13 of MQTT 5.
    #[error("a shared subscription, which are not available")]
    SharedSubscriptionsNotSupported,
    /// See section 3.2.2.3.12 of MQTT 5.
    #[error("a subscription identifier, which are not available")]
    SubscriptionIdentifiersNotSupported,
    /// A client's PUBLISH carried a subscription identifier. [MQTT-3.3.4-6]
    #[error("a subscription identifier in a PUBLISH from a client")]
    SubscriptionIdentifier,
    /// [MQTT-3.8.3-4]
    #[error("no-local on a shared subscription")]
    NoLocalOnShared,
    /// [MQTT-3.14.2-2]
    #[error("a session expiry interval at DISCONNECT after none at CONNECT")]
    SessionExpiryRaised,
    /// AUTH without an authentication method in the CONNECT. [MQTT-4.12.0-6]
    #[error("AUTH without an authentication method")]
    UnexpectedAuth,
    /// An AUTH that is not the next step of an exchange.
    #[error("an AUTH out of turn")]
    AuthOutOfTurn,
    /// [MQTT-4.12.1-1]
    #[error("AUTH with another authentication method than that of the CONNECT")]
    AuthenticationMethodChanged,
    /// A topic with `+`, `#` or U+0000. [MQTT-3.3.2-2]
    #[error("an invalid topic name")]
    TopicNameInvalid,
}

impl From<Violation> for DisconnectReason {
    fn from(violation: Violation) -> Self {
        match violation {
            Violation::ReceiveMaximumExceeded => Self::ReceiveMaximumExceeded,
            Violation::TopicAliasInvalid => Self::TopicAliasInvalid,
            Violation::QosNotSupported => Self::QosNotSupported,
            Violation::TopicNameInvalid => Self::TopicNameInvalid,
            // 0x8F is for filters that are correctly formed.
            Violation::FilterMalformed => Self::MalformedPacket,
            Violation::RetainNotSupported => Self::RetainNotSupported,
            Violation::WildcardSubscriptionsNotSupported => Self::WildcardSubscriptionsNotSupported,
            Violation::SharedSubscriptionsNotSupported => Self::SharedSubscriptionsNotSupported,
            Violation::SubscriptionIdentifiersNotSupported => Self::SubscriptionIdentifiersNotSupported,
            Violation::AuthenticationMethodChanged => Self::BadAuthenticationMethod,
            _ => Self::ProtocolError,
        }
    }
}
