//! SUBSCRIBE (3.8).

use std::num::NonZeroU32;

use bytestring::ByteString;

use crate::decode::{DecodeLimits, Decoder};
use crate::encode::encodes;
use crate::error::DecodeError;
use crate::packet_id::PacketId;
use crate::properties::{PropertyId, PropertyReader, UserProperties};
use crate::qos::QoS;
use crate::reader::Reader;
use crate::version::Version;
use crate::writer::{Write, Writer};

/// A client subscribes to one or more filters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribe {
    /// Which SUBACK will answer.
    pub packet_id: PacketId,
    /// Comes back with the messages, MQTT 5 only.
    pub subscription_identifier: Option<NonZeroU32>,
    /// User properties, MQTT 5 only.
    pub user_properties: UserProperties,
    /// What is subscribed to; at least one `[MQTT-3.8.3-2]`.
    pub filters: Vec<SubscribeFilter>,
}

/// One entry of a SUBSCRIBE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscribeFilter {
    /// The text of the filter, not yet checked: a bad one does not end the connection, it gets
    /// [`TopicFilterInvalid`](crate::SubscribeReason::TopicFilterInvalid) in the SUBACK.
    pub filter: ByteString,
    /// How it is subscribed to.
    pub options: SubscriptionOptions,
}

/// How one filter is subscribed to (3.8.3.1). Before MQTT 5 only the QoS is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SubscriptionOptions {
    /// The highest QoS that messages are sent with.
    pub qos: QoS,
    /// The client's own messages are not sent to it.
    pub no_local: bool,
    /// The retain flag of a message stays as it was published.
    pub retain_as_published: bool,
    /// Which retained messages are sent.
    pub retain_handling: RetainHandling,
}

/// Which retained messages a new subscription gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum RetainHandling {
    /// All that match.
    #[default]
    SendAtSubscribe = 0,
    /// All that match, unless the subscription existed before.
    SendIfNew = 1,
    /// None.
    DoNotSend = 2,
}

impl RetainHandling {
    /// The handling with this number, if there is one.
    pub const fn from_u8(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::SendAtSubscribe),
            1 => Some(Self::SendIfNew),
            2 => Some(Self::DoNotSend),
            _ => None,
        }
    }
}

impl SubscriptionOptions {
    const NO_LOCAL: u8 = 0b0000_0100;
    const RETAIN_AS_PUBLISHED: u8 = 0b0000_1000;
    const RESERVED: u8 = 0b1100_0000;
    const RESERVED_V3: u8 = 0b1111_1100;

    /// The options as MQTT 5 has them in one byte; refuses what the specification refuses.
    pub fn from_u8(bits: u8) -> Result<Self, DecodeError> {
        if bits & Self::RESERVED != 0 {
            return Err(DecodeError::ReservedSubscriptionOption); // [MQTT-3.8.3-5]
        }
        Ok(Self {
            qos: QoS::from_u8(bits & 0b11).ok_or(DecodeError::SubscriptionQosThree)?,
            no_local: bits & Self::NO_LOCAL != 0,
            retain_as_published: bits & Self::RETAIN_AS_PUBLISHED != 0,
            retain_handling: RetainHandling::from_u8(bits >> 4).ok_or(DecodeError::BadRetainHandling)?,
        })
    }

    /// The options in one byte.
    pub const fn as_u8(self) -> u8 {
        let no_local = if self.no_local { Self::NO_LOCAL } else { 0 };
        let retain_as_published = if self.retain_as_published {
            Self::RETAIN_AS_PUBLISHED
        } else {
            0
        };
        self.qos.as_u8() | no_local | retain_as_published | (self.retain_handling as u8) << 4
    }

    fn decode(bits: u8, version: Version) -> Result<Self, DecodeError> {
        if !version.is_v5() && bits & Self::RESERVED_V3 != 0 {
            return Err(DecodeError::ReservedSubscriptionOption); // 3.1.1: [MQTT-3-8.3-4]
        }
        Self::from_u8(bits)
    }
}

impl Subscribe {
    pub(crate) fn decode(body: &mut Reader<'_>, decoder: &Decoder) -> Result<Self, DecodeError> {
        let packet_id = body.packet_id()?;
        let (subscription_identifier, user_properties) = if decoder.version.is_v5() {
            decode_properties(body, &decoder.limits)?
        } else {
            (None, UserProperties::new())
        };
        let mut filters = Vec::new();
        while !body.is_empty() {
            if filters.len() >= decoder.limits.filters_max {
                return Err(DecodeError::TooManyFilters);
            }
            let filter = body.string()?; // [MQTT-3.8.3-1]
            let options = SubscriptionOptions::decode(body.u8()?, decoder.version)?;
            filters.push(SubscribeFilter { filter, options });
        }
        if filters.is_empty() {
            return Err(DecodeError::EmptyFilterList); // [MQTT-3.8.3-2]
        }
        Ok(Self {
            packet_id,
            subscription_identifier,
            user_properties,
            filters,
        })
    }
}

fn decode_properties(
    body: &mut Reader<'_>,
    limits: &DecodeLimits,
) -> Result<(Option<NonZeroU32>, UserProperties), DecodeError> {
    let mut properties = PropertyReader::block(body, limits)?;
    let mut identifier = None;
    let mut user_properties = UserProperties::new();
    while let Some(id) = properties.next()? {
        match id {
            PropertyId::SubscriptionIdentifier if identifier.is_some() => {
                return Err(DecodeError::DuplicateProperty);
            }
            PropertyId::SubscriptionIdentifier => identifier = Some(properties.subscription_identifier()?),
            PropertyId::UserProperty => properties.user_property(&mut user_properties)?,
            _ => return Err(DecodeError::PropertyNotAllowed),
        }
    }
    Ok((identifier, user_properties))
}

struct Properties<'a>(&'a Subscribe);

impl Write for Properties<'_> {
    fn write<W: Writer>(&self, out: &mut W) {
        if let Some(identifier) = self.0.subscription_identifier {
            out.var_int_property(PropertyId::SubscriptionIdentifier, identifier.get());
        }
        out.user_properties(&self.0.user_properties);
    }
}

encodes!(Subscribe);

impl Write for Body<'_> {
    fn write<W: Writer>(&self, out: &mut W) {
        let Self { packet, version } = *self;
        out.packet_id(packet.packet_id);
        if version.is_v5() {
            out.properties(&Properties(packet));
        }
        for SubscribeFilter { filter, options } in &packet.filters {
            out.string(filter);
            out.u8(if version.is_v5() {
                options.as_u8()
            } else {
                options.qos.as_u8()
            });
        }
    }
}
