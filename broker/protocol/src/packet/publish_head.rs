//! A PUBLISH on its way out: the hot path of the broker, and the one way to write this packet.

use std::num::NonZeroU16;

use bytes::BytesMut;

use super::publish::{DUP, RETAIN};
use super::{Delivery, PublishPropertyValues};
use crate::encode::frame_len;
use crate::packet::PacketType;
use crate::properties::PropertyId;
use crate::version::Version;
use crate::writer::{Write, Writer};

/// A PUBLISH for one recipient, put together from parts that others share, without its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublishHead<'a> {
    /// It may have been sent before.
    pub dup: bool,
    /// It was retained.
    pub retain: bool,
    /// Quality of service and packet identifier.
    pub delivery: Delivery,
    /// The topic name; empty if only the alias is sent.
    pub topic: &'a str,
    /// The topic alias.
    pub topic_alias: Option<NonZeroU16>,
    /// The properties as they were published.
    pub properties: Option<&'a PublishPropertyValues>,
    /// Takes the place of the one in `properties` if it is set.
    pub message_expiry_interval_secs: Option<u32>,
    /// Take the place of those in `properties`.
    pub subscription_identifiers: &'a [u32],
    /// The number of bytes that will follow.
    pub payload_len: usize,
}

impl PublishHead<'_> {
    /// The number of bytes of the whole packet, payload included.
    #[inline]
    pub fn encoded_len(&self, version: Version) -> usize {
        frame_len(self.body_len(version))
    }

    /// Writes everything up to the payload, which is for the caller to add or to send behind it.
    #[inline]
    pub fn encode(&self, version: Version, out: &mut BytesMut) {
        let body_len = self.body_len(version);
        out.reserve(frame_len(body_len).saturating_sub(self.payload_len));
        out.u8(self.first_byte());
        out.length(body_len);
        self.body(version).write(out);
    }

    #[inline]
    fn first_byte(&self) -> u8 {
        let dup = if self.dup { DUP } else { 0 };
        let retain = if self.retain { RETAIN } else { 0 };
        (PacketType::Publish as u8) << 4 | dup | self.delivery.qos().as_u8() << 1 | retain
    }

    #[inline]
    fn body_len(&self, version: Version) -> usize {
        self.body(version).len().saturating_add(self.payload_len)
    }

    #[inline]
    fn body(&self, version: Version) -> Body<'_> {
        Body { head: self, version }
    }
}

/// Topic name, packet identifier and properties of a PUBLISH.
struct Body<'a> {
    head: &'a PublishHead<'a>,
    version: Version,
}

impl Write for Body<'_> {
    #[inline]
    fn write<W: Writer>(&self, out: &mut W) {
        out.string(self.head.topic);
        if let Some(id) = self.head.delivery.packet_id() {
            out.packet_id(id);
        }
        if self.version.is_v5() {
            out.properties(&Properties {
                values: self.head.properties,
                message_expiry_interval_secs: self.head.message_expiry_interval_secs,
                subscription_identifiers: self.head.subscription_identifiers,
                topic_alias: self.head.topic_alias,
            });
        }
    }
}

/// The properties of a PUBLISH, in the order of their identifiers.
pub(super) struct Properties<'a> {
    pub(super) values: Option<&'a PublishPropertyValues>,
    pub(super) message_expiry_interval_secs: Option<u32>,
    pub(super) subscription_identifiers: &'a [u32],
    pub(super) topic_alias: Option<NonZeroU16>,
}

impl Write for Properties<'_> {
    #[inline]
    fn write<W: Writer>(&self, out: &mut W) {
        let published = self.values;
        let expiry = self
            .message_expiry_interval_secs
            .or_else(|| published.and_then(|values| values.message_expiry_interval_secs));
        if let Some(values) = published {
            out.bool_property(PropertyId::PayloadFormatIndicator, values.payload_format_utf8);
        }
        out.u32_property(PropertyId::MessageExpiryInterval, expiry);
        if let Some(values) = published {
            values.write_content(out);
        }
        for &identifier in self.subscription_identifiers {
            out.var_int_property(PropertyId::SubscriptionIdentifier, identifier);
        }
        out.u16_property(PropertyId::TopicAlias, self.topic_alias.map(NonZeroU16::get));
        if let Some(values) = published {
            out.user_properties(&values.user_properties);
        }
    }
}
