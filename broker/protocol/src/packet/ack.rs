//! PUBACK, PUBREC, PUBREL and PUBCOMP (3.4 to 3.7): four packets of one shape.

use bytestring::ByteString;

use crate::decode::{DecodeLimits, Decoder};
use crate::encode::{first_byte, frame, frame_len};
use crate::error::DecodeError;
use crate::packet::PacketType;
use crate::packet_id::PacketId;
use crate::properties::{PropertyId, PropertyReader, UserProperties};
use crate::reader::Reader;
use crate::reason::{PublishReason, PubrelReason};
use crate::version::Version;
use crate::writer::{Write, Writer};

/// The properties of every acknowledgement: PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK and UNSUBACK.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AckProperties {
    /// A text for people, for diagnosis.
    pub reason_string: Option<ByteString>,
    /// User properties.
    pub user_properties: UserProperties,
}

impl AckProperties {
    /// Whether no property is set.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.reason_string.is_none() && self.user_properties.is_empty()
    }

    pub(super) fn decode(body: &mut Reader<'_>, limits: &DecodeLimits) -> Result<Self, DecodeError> {
        let mut properties = PropertyReader::block(body, limits)?;
        let mut values = Self::default();
        while let Some(id) = properties.next()? {
            match id {
                PropertyId::ReasonString => values.reason_string = Some(properties.value().string()?),
                PropertyId::UserProperty => properties.user_property(&mut values.user_properties)?,
                _ => return Err(DecodeError::PropertyNotAllowed),
            }
        }
        Ok(values)
    }
}

impl Write for AckProperties {
    fn write<W: Writer>(&self, out: &mut W) {
        out.string_property(PropertyId::ReasonString, self.reason_string.as_deref());
        out.user_properties(&self.user_properties);
    }
}

macro_rules! acks {
    ($($(#[$meta:meta])* $name:ident($reason:ident);)+) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name {
            /// The exchange that it belongs to.
            pub packet_id: PacketId,
            /// What became of it. Before MQTT 5 always success.
            pub reason: $reason,
            /// Properties, MQTT 5 only.
            pub properties: AckProperties,
        }

        impl $name {
            /// One with this reason and without properties.
            #[inline]
            pub fn new(packet_id: PacketId, reason: $reason) -> Self {
                Self { packet_id, reason, properties: AckProperties::default() }
            }

            #[inline]
            pub(crate) fn decode(body: &mut Reader<'_>, decoder: &Decoder) -> Result<Self, DecodeError> {
                let packet_id = body.packet_id()?;
                // Reason code and properties may be left out, in this order (3.4.2.1).
                if !decoder.version.is_v5() || body.is_empty() {
                    return Ok(Self::new(packet_id, $reason::Success));
                }
                let reason = $reason::from_u8(body.u8()?).ok_or(DecodeError::UnknownReason)?;
                if body.is_empty() {
                    return Ok(Self::new(packet_id, reason));
                }
                let properties = AckProperties::decode(body, &decoder.limits)?;
                Ok(Self { packet_id, reason, properties })
            }

            /// Writes the packet as this version has it.
            #[inline]
            pub fn encode(&self, version: Version, out: &mut bytes::BytesMut) {
                let body = self.body(version);
                if let Body { code: 0, properties: None, .. } = body {
                    // The usual case, in one go.
                    let [high, low] = self.packet_id.get().to_be_bytes();
                    out.extend_from_slice(&[first_byte(PacketType::$name), 2, high, low]);
                } else {
                    frame(PacketType::$name, &body, out);
                }
            }

            /// The number of bytes that [`encode`](Self::encode) writes.
            #[inline]
            pub fn encoded_len(&self, version: Version) -> usize {
                frame_len(self.body(version).len())
            }

            #[inline]
            fn body(&self, version: Version) -> Body<'_> {
                let is_v5 = version.is_v5();
                Body {
                    packet_id: self.packet_id,
                    code: if is_v5 { self.reason.code() } else { 0 },
                    properties: (is_v5 && !self.properties.is_empty()).then_some(&self.properties),
                }
            }
        }
    )+};
}

acks! {
    /// The answer to a PUBLISH with QoS 1.
    Puback(PublishReason);
    /// The first answer to a PUBLISH with QoS 2: it has arrived.
    Pubrec(PublishReason);
    /// The sender of a PUBLISH with QoS 2 will not send it again.
    Pubrel(PubrelReason);
    /// The last answer to a PUBLISH with QoS 2: the packet identifier is free again.
    Pubcomp(PubrelReason);
}

/// The four packets without their fixed header.
struct Body<'a> {
    packet_id: PacketId,
    code: u8,
    /// `None` if there are none.
    properties: Option<&'a AckProperties>,
}

impl Write for Body<'_> {
    #[inline]
    fn write<W: Writer>(&self, out: &mut W) {
        out.packet_id(self.packet_id);
        if self.code != 0 || self.properties.is_some() {
            out.u8(self.code);
        }
        if let Some(properties) = self.properties {
            out.properties(properties);
        }
    }
}
