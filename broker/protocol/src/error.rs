//! Everything that can be wrong with one packet, and which reason code tells its sender.

use crate::reason::{ConnectReason, DisconnectReason};
use crate::topic::TopicError;

/// Why bytes are no packet, or a packet that must not be. The connection they came from is to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum DecodeError {
    // ---- malformed: the bytes cannot be read
    /// The flags of the fixed header are not those of the packet type `[MQTT-2.1.3-1]`.
    #[error("reserved flags of the fixed header are set wrongly")]
    BadFlags,
    /// A variable byte integer has more than four bytes.
    #[error("variable byte integer has more than four bytes")]
    LengthTooLong,
    /// A variable byte integer has more bytes than it needs `[MQTT-1.5.5-1]`.
    #[error("variable byte integer is not minimal")]
    LengthNotMinimal,
    /// A field reaches past the end of its packet or of its property block.
    #[error("field reaches past the end of the packet")]
    Truncated,
    /// The packet is longer than its fields.
    #[error("bytes follow the last field of the packet")]
    TrailingBytes,
    /// A string is not UTF-8 `[MQTT-1.5.4-1]`.
    #[error("string is not utf-8")]
    NotUtf8,
    /// A string contains U+0000 `[MQTT-1.5.4-2]`.
    #[error("string contains a null character")]
    NullCharacter,
    /// No property has this identifier.
    #[error("unknown property identifier")]
    UnknownProperty,
    /// The property belongs to other packets.
    #[error("property does not belong in this packet")]
    PropertyNotAllowed,
    /// No reason of this packet has this code.
    #[error("unknown reason code")]
    UnknownReason,
    /// Both QoS bits of a PUBLISH are set `[MQTT-3.3.1-4]`.
    #[error("publish has qos 3")]
    QosThree,
    /// A QoS 0 PUBLISH claims to be sent again `[MQTT-3.3.1-2]`.
    #[error("publish with qos 0 has the dup flag")]
    DupWithoutQos,
    /// The reserved flag of a CONNECT is set `[MQTT-3.1.2-3]`.
    #[error("reserved connect flag is set")]
    ReservedConnectFlag,
    /// Will QoS or will retain without a will `[MQTT-3.1.2-11]`, `[MQTT-3.1.2-13]`.
    #[error("will flags without a will")]
    WillFlagsWithoutWill,
    /// The will has QoS 3 `[MQTT-3.1.2-12]`.
    #[error("will has qos 3")]
    WillQosThree,
    /// A password without a user name, before MQTT 5 (3.1.1: `[MQTT-3.1.2-22]`).
    #[error("password without a user name")]
    PasswordWithoutUsername,
    /// A reserved acknowledge flag of a CONNACK is set `[MQTT-3.2.2-1]`.
    #[error("reserved connack flag is set")]
    ReservedConnackFlag,
    /// Reserved bits of the subscription options are set `[MQTT-3.8.3-5]`.
    #[error("reserved bits of the subscription options are set")]
    ReservedSubscriptionOption,

    // ---- protocol errors: the bytes can be read, and say what must not be said
    /// A property that may occur once occurs again.
    #[error("property occurs twice")]
    DuplicateProperty,
    /// A property that is a truth value is neither 0 nor 1.
    #[error("property is neither 0 nor 1")]
    NotBoolean,
    /// Packet identifier 0 `[MQTT-2.2.1-3]`.
    #[error("packet identifier is zero")]
    ZeroPacketId,
    /// Receive maximum 0.
    #[error("receive maximum is zero")]
    ZeroReceiveMaximum,
    /// Maximum packet size 0.
    #[error("maximum packet size is zero")]
    ZeroMaximumPacketSize,
    /// Subscription identifier 0.
    #[error("subscription identifier is zero")]
    ZeroSubscriptionIdentifier,
    /// A maximum QoS that is neither 0 nor 1.
    #[error("maximum qos is neither 0 nor 1")]
    BadMaximumQos,
    /// A subscription asks for QoS 3.
    #[error("subscription has qos 3")]
    SubscriptionQosThree,
    /// Retain handling 3.
    #[error("retain handling is 3")]
    BadRetainHandling,
    /// A SUBSCRIBE or UNSUBSCRIBE without filters `[MQTT-3.8.3-2]`, `[MQTT-3.10.3-2]`.
    #[error("no topic filter")]
    EmptyFilterList,
    /// A SUBACK or UNSUBACK without reason codes.
    #[error("no reason code")]
    EmptyReasonList,
    /// No topic name: in a PUBLISH without an alias, as a will topic or as a response topic `[MQTT-4.7.3-1]`.
    #[error("topic name is empty")]
    EmptyTopic,
    /// Authentication data without an authentication method.
    #[error("authentication data without a method")]
    AuthenticationDataWithoutMethod,
    /// An AUTH without an authentication method.
    #[error("no authentication method")]
    NoAuthenticationMethod,
    /// A CONNACK that refuses and yet tells of a session `[MQTT-3.2.2-6]`.
    #[error("refusal with session present")]
    SessionPresentInRefusal,
    /// The reserved packet type 0, or AUTH before MQTT 5.
    #[error("unexpected packet type")]
    UnexpectedPacketType,

    // ---- those with a reason code of their own
    /// The CONNECT names a protocol or a level that is not spoken here `[MQTT-3.1.2-2]`.
    #[error("unsupported protocol version")]
    UnsupportedProtocolVersion,
    /// A topic name with a wildcard `[MQTT-3.3.2-2]`.
    #[error("topic name is not valid")]
    TopicNameInvalid,
    /// A topic name with more levels than the limits allow.
    #[error("topic name has more levels than allowed")]
    TooManyTopicLevels,
    /// A topic name with more bytes than the limits allow.
    #[error("topic name is longer than allowed")]
    TopicTooLong,
    /// Topic alias 0 `[MQTT-3.3.2-8]`.
    #[error("topic alias is zero")]
    ZeroTopicAlias,
    /// The packet is larger than the limit.
    #[error("packet is too large")]
    PacketTooLarge,
    /// More user properties than the limits allow.
    #[error("packet has more user properties than allowed")]
    TooManyUserProperties,
    /// More bytes of user properties than the limits allow.
    #[error("user properties are larger than allowed")]
    UserPropertiesTooLarge,
    /// More topic filters, or reason codes for them, than the limits allow.
    #[error("packet has more topic filters than allowed")]
    TooManyFilters,
    /// More subscription identifiers than the limits allow.
    #[error("packet has more subscription identifiers than allowed")]
    TooManySubscriptionIdentifiers,
}

impl From<DecodeError> for DisconnectReason {
    fn from(error: DecodeError) -> Self {
        use DecodeError as E;
        match error {
            E::BadFlags
            | E::LengthTooLong
            | E::LengthNotMinimal
            | E::Truncated
            | E::TrailingBytes
            | E::NotUtf8
            | E::NullCharacter
            | E::UnknownProperty
            | E::PropertyNotAllowed
            | E::UnknownReason
            | E::QosThree
            | E::DupWithoutQos
            | E::ReservedConnectFlag
            | E::WillFlagsWithoutWill
            | E::WillQosThree
            | E::PasswordWithoutUsername
            | E::ReservedConnackFlag
            | E::ReservedSubscriptionOption => Self::MalformedPacket,
            E::DuplicateProperty
            | E::NotBoolean
            | E::ZeroPacketId
            | E::ZeroReceiveMaximum
            | E::ZeroMaximumPacketSize
            | E::ZeroSubscriptionIdentifier
            | E::BadMaximumQos
            | E::SubscriptionQosThree
            | E::BadRetainHandling
            | E::EmptyFilterList
            | E::EmptyReasonList
            | E::EmptyTopic
            | E::AuthenticationDataWithoutMethod
            | E::NoAuthenticationMethod
            | E::SessionPresentInRefusal
            | E::UnexpectedPacketType
            | E::UnsupportedProtocolVersion => Self::ProtocolError, // a DISCONNECT has no 0x84
            E::TopicNameInvalid | E::TooManyTopicLevels | E::TopicTooLong => Self::TopicNameInvalid,
            E::ZeroTopicAlias => Self::TopicAliasInvalid,
            E::PacketTooLarge => Self::PacketTooLarge,
            E::TooManyUserProperties
            | E::UserPropertiesTooLarge
            | E::TooManyFilters
            | E::TooManySubscriptionIdentifiers => Self::QuotaExceeded,
        }
    }
}

impl From<DecodeError> for ConnectReason {
    fn from(error: DecodeError) -> Self {
        if error == DecodeError::UnsupportedProtocolVersion {
            return Self::UnsupportedProtocolVersion;
        }
        match DisconnectReason::from(error) {
            DisconnectReason::MalformedPacket => Self::MalformedPacket,
            DisconnectReason::TopicNameInvalid => Self::TopicNameInvalid,
            DisconnectReason::PacketTooLarge => Self::PacketTooLarge,
            DisconnectReason::QuotaExceeded => Self::QuotaExceeded,
            _ => Self::ProtocolError,
        }
    }
}

/// What a bad topic means inside a packet.
impl From<TopicError> for DecodeError {
    fn from(error: TopicError) -> Self {
        match error {
            TopicError::Empty => Self::EmptyTopic,
            TopicError::NullCharacter => Self::NullCharacter,
            TopicError::NotUtf8 => Self::NotUtf8,
            TopicError::TooLong => Self::TopicTooLong,
            TopicError::TooManyLevels => Self::TooManyTopicLevels,
            TopicError::Wildcard | TopicError::MisplacedWildcard | TopicError::ShareName => {
                Self::TopicNameInvalid
            }
        }
    }
}
