//! The packets, one file each.

mod ack;
mod auth;
mod connack;
mod connect;
mod disconnect;
mod publish;
mod publish_head;
mod publish_properties;
mod suback;
mod subscribe;
mod unsuback;
mod unsubscribe;
mod will;

pub use ack::{AckProperties, Puback, Pubcomp, Pubrec, Pubrel};
pub use auth::{Auth, AuthProperties};
pub use connack::{Connack, ConnackProperties};
pub use connect::{Connect, ConnectProperties};
pub use disconnect::{Disconnect, DisconnectProperties};
pub use publish::{Delivery, Publish, PublishTopic};
pub use publish_head::PublishHead;
pub use publish_properties::{
    PublishProperties, PublishPropertyValues, decode_publish_properties, encode_publish_properties,
};
pub use suback::Suback;
pub use subscribe::{RetainHandling, Subscribe, SubscribeFilter, SubscriptionOptions};
pub use unsuback::Unsuback;
pub use unsubscribe::Unsubscribe;
pub use will::Will;

/// One packet of any type. Those that are large and rare are boxed.
#[derive(Debug, Clone, PartialEq)]
pub enum Packet {
    /// A client asks for a connection.
    Connect(Box<Connect>),
    /// The answer to a CONNECT.
    Connack(Box<Connack>),
    /// A message.
    Publish(Publish),
    /// The answer to a PUBLISH with QoS 1.
    Puback(Puback),
    /// The answer to a PUBLISH with QoS 2.
    Pubrec(Pubrec),
    /// The answer to a PUBREC.
    Pubrel(Pubrel),
    /// The answer to a PUBREL.
    Pubcomp(Pubcomp),
    /// A client subscribes.
    Subscribe(Subscribe),
    /// The answer to a SUBSCRIBE.
    Suback(Suback),
    /// A client takes subscriptions back.
    Unsubscribe(Unsubscribe),
    /// The answer to an UNSUBSCRIBE.
    Unsuback(Unsuback),
    /// A client asks for a sign of life.
    Pingreq,
    /// The answer to a PINGREQ.
    Pingresp,
    /// The connection ends.
    Disconnect(Disconnect),
    /// A step of an authentication; MQTT 5 only.
    Auth(Box<Auth>),
}

impl Packet {
    /// Its type.
    pub const fn packet_type(&self) -> PacketType {
        match self {
            Self::Connect(_) => PacketType::Connect,
            Self::Connack(_) => PacketType::Connack,
            Self::Publish(_) => PacketType::Publish,
            Self::Puback(_) => PacketType::Puback,
            Self::Pubrec(_) => PacketType::Pubrec,
            Self::Pubrel(_) => PacketType::Pubrel,
            Self::Pubcomp(_) => PacketType::Pubcomp,
            Self::Subscribe(_) => PacketType::Subscribe,
            Self::Suback(_) => PacketType::Suback,
            Self::Unsubscribe(_) => PacketType::Unsubscribe,
            Self::Unsuback(_) => PacketType::Unsuback,
            Self::Pingreq => PacketType::Pingreq,
            Self::Pingresp => PacketType::Pingresp,
            Self::Disconnect(_) => PacketType::Disconnect,
            Self::Auth(_) => PacketType::Auth,
        }
    }
}

macro_rules! packet_types {
    ($($(#[$meta:meta])* $name:ident = $number:literal, $text:literal;)+) => {
        /// The type of a packet: the upper half of its first byte (table 2-1).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum PacketType { $(#[doc = concat!($text, ".")] $name = $number,)+ }

        impl PacketType {
            /// The type that the first byte of a packet tells; `None` for the reserved type 0.
            #[inline]
            pub const fn from_first_byte(first: u8) -> Option<Self> {
                match first >> 4 {
                    $($number => Some(Self::$name),)+
                    _ => None,
                }
            }

            /// The name that the specification gives it.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

packet_types! {
    Connect = 1, "CONNECT";
    Connack = 2, "CONNACK";
    Publish = 3, "PUBLISH";
    Puback = 4, "PUBACK";
    Pubrec = 5, "PUBREC";
    Pubrel = 6, "PUBREL";
    Pubcomp = 7, "PUBCOMP";
    Subscribe = 8, "SUBSCRIBE";
    Suback = 9, "SUBACK";
    Unsubscribe = 10, "UNSUBSCRIBE";
    Unsuback = 11, "UNSUBACK";
    Pingreq = 12, "PINGREQ";
    Pingresp = 13, "PINGRESP";
    Disconnect = 14, "DISCONNECT";
    Auth = 15, "AUTH";
}

impl std::fmt::Display for PacketType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
