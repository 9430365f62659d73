//! DISCONNECT (3.14).

use bytestring::ByteString;

use crate::decode::{DecodeLimits, Decoder};
use crate::encode::encodes;
use crate::error::DecodeError;
use crate::properties::{PropertyId, PropertyReader, UserProperties};
use crate::reader::Reader;
use crate::reason::DisconnectReason;
use crate::writer::{Write, Writer};

/// The connection ends. Before MQTT 5 only a client says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disconnect {
    /// Why. Before MQTT 5 always a normal disconnection.
    pub reason: DisconnectReason,
    /// Properties, MQTT 5 only.
    pub properties: DisconnectProperties,
}

/// The properties of a DISCONNECT (3.14.2.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DisconnectProperties {
    /// The session expiry interval changes to this, in seconds; only a client says so.
    pub session_expiry_interval: Option<u32>,
    /// A text for people, for diagnosis.
    pub reason_string: Option<ByteString>,
    /// User properties.
    pub user_properties: UserProperties,
    /// Another server to use.
    pub server_reference: Option<ByteString>,
}

impl Disconnect {
    /// One with this reason and without properties.
    pub fn new(reason: DisconnectReason) -> Self {
        Self {
            reason,
            properties: DisconnectProperties::default(),
        }
    }

    pub(crate) fn decode(body: &mut Reader<'_>, decoder: &Decoder) -> Result<Self, DecodeError> {
        // Reason code and properties may be left out, in this order (3.14.2.1).
        if !decoder.version.is_v5() || body.is_empty() {
            return Ok(Self::new(DisconnectReason::NormalDisconnection));
        }
        let reason = DisconnectReason::from_u8(body.u8()?).ok_or(DecodeError::UnknownReason)?;
        if body.is_empty() {
            return Ok(Self::new(reason));
        }
        let properties = DisconnectProperties::decode(body, &decoder.limits)?;
        Ok(Self { reason, properties })
    }
}

impl DisconnectProperties {
    /// Whether no property is set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn decode(body: &mut Reader<'_>, limits: &DecodeLimits) -> Result<Self, DecodeError> {
        let mut properties = PropertyReader::block(body, limits)?;
        let mut values = Self::default();
        while let Some(id) = properties.next()? {
            let value = properties.value();
            match id {
                PropertyId::SessionExpiryInterval => values.session_expiry_interval = Some(value.u32()?),
                PropertyId::ServerReference => values.server_reference = Some(value.string()?),
                PropertyId::ReasonString => values.reason_string = Some(value.string()?),
                PropertyId::UserProperty => properties.user_property(&mut values.user_properties)?,
                _ => return Err(DecodeError::PropertyNotAllowed),
            }
        }
        Ok(values)
    }
}

impl Write for DisconnectProperties {
    fn write<W: Writer>(&self, out: &mut W) {
        out.u32_property(PropertyId::SessionExpiryInterval, self.session_expiry_interval);
        out.string_property(PropertyId::ServerReference, self.server_reference.as_deref());
        out.string_property(PropertyId::ReasonString, self.reason_string.as_deref());
        out.user_properties(&self.user_properties);
    }
}

encodes!(Disconnect);

impl Write for Body<'_> {
    fn write<W: Writer>(&self, out: &mut W) {
        let Self { packet, version } = *self;
        let has_properties = !packet.properties.is_empty();
        if !version.is_v5() || (packet.reason == DisconnectReason::NormalDisconnection && !has_properties) {
            return;
        }
        out.u8(packet.reason.code());
        if has_properties {
            out.properties(&packet.properties);
        }
    }
}
