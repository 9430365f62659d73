//! AUTH (3.15), MQTT 5 only.

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;

use crate::decode::{DecodeLimits, Decoder};
use crate::encode::{frame, frame_len};
use crate::error::DecodeError;
use crate::packet::PacketType;
use crate::properties::{PropertyId, PropertyReader, UserProperties};
use crate::reader::Reader;
use crate::reason::AuthReason;
use crate::version::Version;
use crate::writer::{Write, Writer};

/// A step of an authentication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth {
    /// What the step is.
    pub reason: AuthReason,
    /// Properties.
    pub properties: AuthProperties,
}

/// The properties of an AUTH (3.15.2.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuthProperties {
    /// How the client authenticates. Absent only in an AUTH that has no properties at all.
    pub authentication_method: Option<ByteString>,
    /// The message of this step.
    pub authentication_data: Option<Bytes>,
    /// A text for people, for diagnosis.
    pub reason_string: Option<ByteString>,
    /// User properties.
    pub user_properties: UserProperties,
}

impl Auth {
    pub(crate) fn decode(body: &mut Reader<'_>, decoder: &Decoder) -> Result<Self, DecodeError> {
        if !decoder.version.is_v5() {
            return Err(DecodeError::UnexpectedPacketType);
        }
        // Success without properties may be left out as a whole (3.15.2.1).
        if body.is_empty() {
            return Ok(Self {
                reason: AuthReason::Success,
                properties: AuthProperties::default(),
            });
        }
        let reason = AuthReason::from_u8(body.u8()?).ok_or(DecodeError::UnknownReason)?;
        let properties = AuthProperties::decode(body, &decoder.limits)?;
        Ok(Self { reason, properties })
    }

    /// Writes the packet in MQTT 5; nothing in MQTT 3, which does not have it.
    pub fn encode(&self, version: Version, out: &mut BytesMut) {
        if version.is_v5() {
            frame(PacketType::Auth, self, out);
        }
    }

    /// The number of bytes that [`encode`](Self::encode) writes.
    pub fn encoded_len(&self, version: Version) -> usize {
        if version.is_v5() { frame_len(self.len()) } else { 0 }
    }
}

impl AuthProperties {
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
                PropertyId::AuthenticationMethod => values.authentication_method = Some(value.string()?),
                PropertyId::AuthenticationData => values.authentication_data = Some(value.binary()?),
                PropertyId::ReasonString => values.reason_string = Some(value.string()?),
                PropertyId::UserProperty => properties.user_property(&mut values.user_properties)?,
                _ => return Err(DecodeError::PropertyNotAllowed),
            }
        }
        if values.authentication_method.is_none() {
            return Err(DecodeError::NoAuthenticationMethod); // 3.15.2.2.2
        }
        Ok(values)
    }
}

impl Write for AuthProperties {
    fn write<W: Writer>(&self, out: &mut W) {
        out.string_property(
            PropertyId::AuthenticationMethod,
            self.authentication_method.as_deref(),
        );
        out.binary_property(PropertyId::AuthenticationData, self.authentication_data.as_ref());
        out.string_property(PropertyId::ReasonString, self.reason_string.as_deref());
        out.user_properties(&self.user_properties);
    }
}

/// The packet without its fixed header.
impl Write for Auth {
    fn write<W: Writer>(&self, out: &mut W) {
        if self.reason != AuthReason::Success || !self.properties.is_empty() {
            out.u8(self.reason.code());
            out.properties(&self.properties);
        }
    }
}
