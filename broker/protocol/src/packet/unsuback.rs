//! UNSUBACK (3.11).

use crate::decode::Decoder;
use crate::encode::encodes;
use crate::error::DecodeError;
use crate::packet::AckProperties;
use crate::packet_id::PacketId;
use crate::reader::Reader;
use crate::reason::UnsubscribeReason;
use crate::writer::{Write, Writer};

/// The answer to an UNSUBSCRIBE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsuback {
    /// That of the UNSUBSCRIBE.
    pub packet_id: PacketId,
    /// One for each filter, in the same order. Before MQTT 5 none is sent.
    pub reasons: Vec<UnsubscribeReason>,
    /// Properties, MQTT 5 only.
    pub properties: AckProperties,
}

impl Unsuback {
    pub(crate) fn decode(body: &mut Reader<'_>, decoder: &Decoder) -> Result<Self, DecodeError> {
        let packet_id = body.packet_id()?;
        if !decoder.version.is_v5() {
            return Ok(Self {
                packet_id,
                reasons: Vec::new(),
                properties: AckProperties::default(),
            });
        }
        let properties = AckProperties::decode(body, &decoder.limits)?;
        let mut reasons = Vec::new();
        while !body.is_empty() {
            if reasons.len() >= decoder.limits.filters_max {
                return Err(DecodeError::TooManyFilters);
            }
            reasons.push(UnsubscribeReason::from_u8(body.u8()?).ok_or(DecodeError::UnknownReason)?);
        }
        if reasons.is_empty() {
            return Err(DecodeError::EmptyReasonList);
        }
        Ok(Self {
            packet_id,
            reasons,
            properties,
        })
    }
}

encodes!(Unsuback);

impl Write for Body<'_> {
    fn write<W: Writer>(&self, out: &mut W) {
        let Self { packet, version } = *self;
        out.packet_id(packet.packet_id);
        if version.is_v5() {
            out.properties(&packet.properties);
            for reason in &packet.reasons {
                out.u8(reason.code());
            }
        }
    }
}
