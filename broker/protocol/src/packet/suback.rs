//! SUBACK (3.9).

use crate::decode::Decoder;
use crate::encode::encodes;
use crate::error::DecodeError;
use crate::packet::AckProperties;
use crate::packet_id::PacketId;
use crate::reader::Reader;
use crate::reason::SubscribeReason;
use crate::version::Version;
use crate::writer::{Write, Writer};

/// The answer to a SUBSCRIBE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suback {
    /// That of the SUBSCRIBE.
    pub packet_id: PacketId,
    /// One for each filter, in the same order.
    pub reasons: Vec<SubscribeReason>,
    /// Properties, MQTT 5 only.
    pub properties: AckProperties,
}

impl Suback {
    pub(crate) fn decode(body: &mut Reader<'_>, decoder: &Decoder) -> Result<Self, DecodeError> {
        let packet_id = body.packet_id()?;
        let properties = if decoder.version.is_v5() {
            AckProperties::decode(body, &decoder.limits)?
        } else {
            AckProperties::default()
        };
        let mut reasons = Vec::new();
        while !body.is_empty() {
            if reasons.len() >= decoder.limits.filters_max {
                return Err(DecodeError::TooManyFilters);
            }
            reasons.push(decode_reason(body.u8()?, decoder.version)?);
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

/// Before MQTT 5 there is one code for every failure (3.1.1: `[MQTT-3.9.3-2]`).
fn decode_reason(code: u8, version: Version) -> Result<SubscribeReason, DecodeError> {
    SubscribeReason::from_u8(code)
        .filter(|reason| version.is_v5() || reason.v3_code() == code)
        .ok_or(DecodeError::UnknownReason)
}

encodes!(Suback);

impl Write for Body<'_> {
    fn write<W: Writer>(&self, out: &mut W) {
        let Self { packet, version } = *self;
        out.packet_id(packet.packet_id);
        if version.is_v5() {
            out.properties(&packet.properties);
        }
        for reason in &packet.reasons {
            out.u8(if version.is_v5() {
                reason.code()
            } else {
                reason.v3_code()
            });
        }
    }
}
