//! UNSUBSCRIBE (3.10).

use bytestring::ByteString;

use crate::decode::{DecodeLimits, Decoder};
use crate::encode::encodes;
use crate::error::DecodeError;
use crate::packet_id::PacketId;
use crate::properties::{PropertyId, PropertyReader, UserProperties};
use crate::reader::Reader;
use crate::writer::{Write, Writer};

/// A client takes one or more subscriptions back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsubscribe {
    /// Which UNSUBACK will answer.
    pub packet_id: PacketId,
    /// User properties, MQTT 5 only.
    pub user_properties: UserProperties,
    /// The texts of the filters, not checked; at least one `[MQTT-3.10.3-2]`.
    pub filters: Vec<ByteString>,
}

impl Unsubscribe {
    pub(crate) fn decode(body: &mut Reader<'_>, decoder: &Decoder) -> Result<Self, DecodeError> {
        let packet_id = body.packet_id()?;
        let user_properties = if decoder.version.is_v5() {
            decode_properties(body, &decoder.limits)?
        } else {
            UserProperties::new()
        };
        let mut filters = Vec::new();
        while !body.is_empty() {
            if filters.len() >= decoder.limits.filters_max {
                return Err(DecodeError::TooManyFilters);
            }
            filters.push(body.string()?); // [MQTT-3.10.3-1]
        }
        if filters.is_empty() {
            return Err(DecodeError::EmptyFilterList); // [MQTT-3.10.3-2]
        }
        Ok(Self {
            packet_id,
            user_properties,
            filters,
        })
    }
}

fn decode_properties(body: &mut Reader<'_>, limits: &DecodeLimits) -> Result<UserProperties, DecodeError> {
    let mut properties = PropertyReader::block(body, limits)?;
    let mut user_properties = UserProperties::new();
    while let Some(id) = properties.next()? {
        match id {
            PropertyId::UserProperty => properties.user_property(&mut user_properties)?,
            _ => return Err(DecodeError::PropertyNotAllowed),
        }
    }
    Ok(user_properties)
}

struct Properties<'a>(&'a Unsubscribe);

impl Write for Properties<'_> {
    fn write<W: Writer>(&self, out: &mut W) {
        out.user_properties(&self.0.user_properties);
    }
}

encodes!(Unsubscribe);

impl Write for Body<'_> {
    fn write<W: Writer>(&self, out: &mut W) {
        let Self { packet, version } = *self;
        out.packet_id(packet.packet_id);
        if version.is_v5() {
            out.properties(&Properties(packet));
        }
        for filter in &packet.filters {
            out.string(filter);
        }
    }
}
