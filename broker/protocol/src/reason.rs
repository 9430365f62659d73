//! Reason codes of MQTT 5, one enum for each kind of packet that carries them, and what they become in MQTT
//! 3.

use crate::qos::QoS;

macro_rules! reasons {
    ($($(#[$meta:meta])* $name:ident { $($variant:ident = $code:literal, $text:literal;)+ })+) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum $name {
            $(#[doc = concat!("`", stringify!($code), "`: ", $text, ".")] $variant = $code,)+
        }

        impl $name {
            /// Every reason, in ascending order of its code.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The reason with this code, if this kind of packet has it.
            #[inline]
            pub const fn from_u8(code: u8) -> Option<Self> {
                match code {
                    $($code => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// The code on the wire.
            #[inline]
            pub const fn code(self) -> u8 {
                self as u8
            }

            /// The name that the specification gives it, in lower case.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            /// Whether it tells of a failure: codes of `0x80` and above do.
            #[inline]
            pub const fn is_error(self) -> bool {
                self.code() >= 0x80
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    )+};
}

reasons! {
    /// Why a connection was accepted or refused: the reason of a CONNACK (table 3-1).
    ConnectReason {
        Success = 0x00, "success";
        Unspecified = 0x80, "unspecified error";
        MalformedPacket = 0x81, "malformed packet";
        ProtocolError = 0x82, "protocol error";
        ImplementationSpecific = 0x83, "implementation specific error";
        UnsupportedProtocolVersion = 0x84, "unsupported protocol version";
        ClientIdentifierNotValid = 0x85, "client identifier not valid";
        BadUserNameOrPassword = 0x86, "bad user name or password";
        NotAuthorized = 0x87, "not authorized";
        ServerUnavailable = 0x88, "server unavailable";
        ServerBusy = 0x89, "server busy";
        Banned = 0x8A, "banned";
        BadAuthenticationMethod = 0x8C, "bad authentication method";
        TopicNameInvalid = 0x90, "topic name invalid";
        PacketTooLarge = 0x95, "packet too large";
        QuotaExceeded = 0x97, "quota exceeded";
        PayloadFormatInvalid = 0x99, "payload format invalid";
        RetainNotSupported = 0x9A, "retain not supported";
        QosNotSupported = 0x9B, "qos not supported";
        UseAnotherServer = 0x9C, "use another server";
        ServerMoved = 0x9D, "server moved";
        ConnectionRateExceeded = 0x9F, "connection rate exceeded";
    }

    /// What became of a PUBLISH: the reason of a PUBACK (table 3-4) and of a PUBREC (table 3-5).
    PublishReason {
        Success = 0x00, "success";
        NoMatchingSubscribers = 0x10, "no matching subscribers";
        Unspecified = 0x80, "unspecified error";
        ImplementationSpecific = 0x83, "implementation specific error";
        NotAuthorized = 0x87, "not authorized";
        TopicNameInvalid = 0x90, "topic name invalid";
        PacketIdentifierInUse = 0x91, "packet identifier in use";
        QuotaExceeded = 0x97, "quota exceeded";
        PayloadFormatInvalid = 0x99, "payload format invalid";
    }

    /// The reason of a PUBREL (table 3-6) and of a PUBCOMP (table 3-7).
    PubrelReason {
        Success = 0x00, "success";
        PacketIdentifierNotFound = 0x92, "packet identifier not found";
    }

    /// What became of one filter of a SUBSCRIBE (table 3-8).
    SubscribeReason {
        GrantedQos0 = 0x00, "granted qos 0";
        GrantedQos1 = 0x01, "granted qos 1";
        GrantedQos2 = 0x02, "granted qos 2";
        Unspecified = 0x80, "unspecified error";
        ImplementationSpecific = 0x83, "implementation specific error";
        NotAuthorized = 0x87, "not authorized";
        TopicFilterInvalid = 0x8F, "topic filter invalid";
        PacketIdentifierInUse = 0x91, "packet identifier in use";
        QuotaExceeded = 0x97, "quota exceeded";
        SharedSubscriptionsNotSupported = 0x9E, "shared subscriptions not supported";
        SubscriptionIdentifiersNotSupported = 0xA1, "subscription identifiers not supported";
        WildcardSubscriptionsNotSupported = 0xA2, "wildcard subscriptions not supported";
    }

    /// What became of one filter of an UNSUBSCRIBE (table 3-9).
    UnsubscribeReason {
        Success = 0x00, "success";
        NoSubscriptionExisted = 0x11, "no subscription existed";
        Unspecified = 0x80, "unspecified error";
        ImplementationSpecific = 0x83, "implementation specific error";
        NotAuthorized = 0x87, "not authorized";
        TopicFilterInvalid = 0x8F, "topic filter invalid";
        PacketIdentifierInUse = 0x91, "packet identifier in use";
    }

    /// Why a connection ends: the reason of a DISCONNECT (table 3-10; `0x8C` only in table 2-6).
    DisconnectReason {
        NormalDisconnection = 0x00, "normal disconnection";
        DisconnectWithWill = 0x04, "disconnect with will message";
        Unspecified = 0x80, "unspecified error";
        MalformedPacket = 0x81, "malformed packet";
        ProtocolError = 0x82, "protocol error";
        ImplementationSpecific = 0x83, "implementation specific error";
        NotAuthorized = 0x87, "not authorized";
        ServerBusy = 0x89, "server busy";
        ServerShuttingDown = 0x8B, "server shutting down";
        BadAuthenticationMethod = 0x8C, "bad authentication method";
        KeepAliveTimeout = 0x8D, "keep alive timeout";
        SessionTakenOver = 0x8E, "session taken over";
        TopicFilterInvalid = 0x8F, "topic filter invalid";
        TopicNameInvalid = 0x90, "topic name invalid";
        ReceiveMaximumExceeded = 0x93, "receive maximum exceeded";
        TopicAliasInvalid = 0x94, "topic alias invalid";
        PacketTooLarge = 0x95, "packet too large";
        MessageRateTooHigh = 0x96, "message rate too high";
        QuotaExceeded = 0x97, "quota exceeded";
        AdministrativeAction = 0x98, "administrative action";
        PayloadFormatInvalid = 0x99, "payload format invalid";
        RetainNotSupported = 0x9A, "retain not supported";
        QosNotSupported = 0x9B, "qos not supported";
        UseAnotherServer = 0x9C, "use another server";
        ServerMoved = 0x9D, "server moved";
        SharedSubscriptionsNotSupported = 0x9E, "shared subscriptions not supported";
        ConnectionRateExceeded = 0x9F, "connection rate exceeded";
        MaximumConnectTime = 0xA0, "maximum connect time";
        SubscriptionIdentifiersNotSupported = 0xA1, "subscription identifiers not supported";
        WildcardSubscriptionsNotSupported = 0xA2, "wildcard subscriptions not supported";
    }

    /// What an AUTH asks for or tells (table 3-11).
    AuthReason {
        Success = 0x00, "success";
        ContinueAuthentication = 0x18, "continue authentication";
        ReAuthenticate = 0x19, "re-authenticate";
    }
}

impl ConnectReason {
    /// The CONNACK return code of MQTT 3.1 and 3.1.1, 0 to 5, that comes nearest.
    pub const fn v3_code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::UnsupportedProtocolVersion => 1,
            Self::ClientIdentifierNotValid => 2,
            Self::BadUserNameOrPassword | Self::BadAuthenticationMethod => 4,
            Self::NotAuthorized | Self::Banned => 5,
            _ => 3, // server unavailable: the only one left
        }
    }

    /// The reason that a CONNACK return code of MQTT 3.1 and 3.1.1 stands for.
    pub const fn from_v3_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Success),
            1 => Some(Self::UnsupportedProtocolVersion),
            2 => Some(Self::ClientIdentifierNotValid),
            3 => Some(Self::ServerUnavailable),
            4 => Some(Self::BadUserNameOrPassword),
            5 => Some(Self::NotAuthorized),
            _ => None,
        }
    }
}

impl SubscribeReason {
    /// The subscription was made with this maximum QoS.
    #[inline]
    pub const fn granted(qos: QoS) -> Self {
        match qos {
            QoS::AtMostOnce => Self::GrantedQos0,
            QoS::AtLeastOnce => Self::GrantedQos1,
            QoS::ExactlyOnce => Self::GrantedQos2,
        }
    }

    /// The SUBACK return code of MQTT 3.1.1: 0, 1, 2, or `0x80` for any failure.
    #[inline]
    pub const fn v3_code(self) -> u8 {
        if self.is_error() { 0x80 } else { self.code() }
    }
}
