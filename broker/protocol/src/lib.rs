//! MQTT 3.1, 3.1.1 and 5.0 as values: bytes to packets and back, topics and topic filters.
//!
//! ```text
//!   bytes from a socket                                  bytes for a socket
//!          |                                                    ^
//!     FrameHeader::peek   where does one packet end?            |
//!          |                                                    |
//!     Decoder::decode  ------------->  Packet  ------------->  encode
//! ```
//!
//! The crate does no IO, reads no clock and keeps no state between packets. What belongs to a connection
//! (topic aliases, packet identifiers in use, who may send what) is the session's; what belongs to one packet
//! (is it well formed, is it within the limits) is decided here, and strictly: a [`Packet`] that comes out of
//! a [`Decoder`] obeys every rule of the specification that can be checked by looking at that packet alone.
//!
//! Nothing is copied while decoding: topics, payloads and strings are slices of the incoming
//! [`bytes::Bytes`]. All foreign bytes pass through one small reader (`reader.rs`), the only place where they
//! are counted and cut.

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::arithmetic_side_effects
    )
)]

mod decode;
mod encode;
mod error;
mod frame;
mod packet_id;
mod properties;
mod qos;
mod reader;
mod var_int;
mod version;
mod writer;

pub mod packet;
pub mod reason;
pub mod topic;

pub use decode::{DecodeLimits, Decoder};
pub use encode::{encode, encoded_len};
pub use error::DecodeError;
pub use frame::FrameHeader;
pub use packet::{
    AckProperties, Auth, AuthProperties, Connack, ConnackProperties, Connect, ConnectProperties, Delivery,
    Disconnect, DisconnectProperties, Packet, PacketType, Puback, Pubcomp, Publish, PublishHead,
    PublishProperties, PublishPropertyValues, PublishTopic, Pubrec, Pubrel, RetainHandling, Suback,
    Subscribe, SubscribeFilter, SubscriptionOptions, Unsuback, Unsubscribe, Will, decode_publish_properties,
    encode_publish_properties,
};
pub use packet_id::PacketId;
pub use properties::UserProperties;
pub use qos::QoS;
pub use reason::{
    AuthReason, ConnectReason, DisconnectReason, PublishReason, PubrelReason, SubscribeReason,
    UnsubscribeReason,
};
pub use topic::{ShareName, SharedFilter, TopicError, TopicFilter, TopicLimits, TopicName};
pub use version::Version;
