//! CONNACK (3.2).

use std::num::{NonZeroU16, NonZeroU32};

use bytes::Bytes;
use bytestring::ByteString;

use crate::decode::{DecodeLimits, Decoder};
use crate::encode::encodes;
use crate::error::DecodeError;
use crate::properties::{PropertyId, PropertyReader, UserProperties};
use crate::qos::QoS;
use crate::reader::Reader;
use crate::reason::ConnectReason;
use crate::version::Version;
use crate::writer::{Write, Writer};

/// The server accepts or refuses a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connack {
    /// An earlier session goes on. Not told in MQTT 3.1.
    pub session_present: bool,
    /// Success, or why not.
    pub reason: ConnectReason,
    /// Properties, MQTT 5 only.
    pub properties: ConnackProperties,
}

/// The properties of a CONNACK (3.2.2.3). Each absent one has a default in the specification.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConnackProperties {
    /// How long the session outlives the connection, in seconds; absent: as the client asked.
    pub session_expiry_interval: Option<u32>,
    /// How many messages with QoS 1 and 2 the server takes at once; absent: 65535.
    pub receive_maximum: Option<NonZeroU16>,
    /// The highest QoS that the server takes, 0 or 1; absent: 2.
    pub maximum_qos: Option<QoS>,
    /// Whether retained messages are supported; absent: they are.
    pub retain_available: Option<bool>,
    /// The largest packet that the server takes.
    pub maximum_packet_size: Option<NonZeroU32>,
    /// The client identifier that the server has chosen.
    pub assigned_client_identifier: Option<ByteString>,
    /// The largest topic alias that the server takes; absent: none.
    pub topic_alias_maximum: Option<u16>,
    /// A text for people, for diagnosis.
    pub reason_string: Option<ByteString>,
    /// User properties.
    pub user_properties: UserProperties,
    /// Whether filters with wildcards are supported; absent: they are.
    pub wildcard_subscription_available: Option<bool>,
    /// Whether subscription identifiers are supported; absent: they are.
    pub subscription_identifiers_available: Option<bool>,
    /// Whether shared subscriptions are supported; absent: they are.
    pub shared_subscription_available: Option<bool>,
    /// The keep alive that holds instead of the client's, in seconds.
    pub server_keep_alive: Option<u16>,
    /// What response topics are to be made of.
    pub response_information: Option<ByteString>,
    /// Another server to use.
    pub server_reference: Option<ByteString>,
    /// How the client has authenticated.
    pub authentication_method: Option<ByteString>,
    /// The last message of that.
    pub authentication_data: Option<Bytes>,
}

impl Connack {
    /// A refusal, without properties.
    pub fn refusal(reason: ConnectReason) -> Self {
        Self {
            session_present: false,
            reason,
            properties: ConnackProperties::default(),
        }
    }

    pub(crate) fn decode(body: &mut Reader<'_>, decoder: &Decoder) -> Result<Self, DecodeError> {
        let session_present = match (body.u8()?, decoder.version) {
            (_, Version::V3_1) => false, // a reserved byte, of which nothing is said
            (0, _) => false,
            (1, _) => true,
            _ => return Err(DecodeError::ReservedConnackFlag), // [MQTT-3.2.2-1]
        };
        let code = body.u8()?;
        let reason = if decoder.version.is_v5() {
            ConnectReason::from_u8(code)
        } else {
            ConnectReason::from_v3_code(code)
        };
        let reason = reason.ok_or(DecodeError::UnknownReason)?; // [MQTT-3.2.2-8]
        if session_present && reason.is_error() {
            return Err(DecodeError::SessionPresentInRefusal); // [MQTT-3.2.2-6]
        }
        let properties = if decoder.version.is_v5() {
            ConnackProperties::decode(body, &decoder.limits)?
        } else {
            ConnackProperties::default()
        };
        Ok(Self {
            session_present,
            reason,
            properties,
        })
    }
}

impl ConnackProperties {
    fn decode(body: &mut Reader<'_>, limits: &DecodeLimits) -> Result<Self, DecodeError> {
        let mut properties = PropertyReader::block(body, limits)?;
        let mut values = Self::default();
        while let Some(id) = properties.next()? {
            let value = properties.value();
            match id {
                PropertyId::SessionExpiryInterval => values.session_expiry_interval = Some(value.u32()?),
                PropertyId::AssignedClientIdentifier => {
                    values.assigned_client_identifier = Some(value.string()?)
                }
                PropertyId::ServerKeepAlive => values.server_keep_alive = Some(value.u16()?),
                PropertyId::AuthenticationMethod => values.authentication_method = Some(value.string()?),
                PropertyId::AuthenticationData => values.authentication_data = Some(value.binary()?),
                PropertyId::ResponseInformation => values.response_information = Some(value.string()?),
                PropertyId::ServerReference => values.server_reference = Some(value.string()?),
                PropertyId::ReasonString => values.reason_string = Some(value.string()?),
                PropertyId::ReceiveMaximum => values.receive_maximum = Some(properties.receive_maximum()?),
                PropertyId::TopicAliasMaximum => values.topic_alias_maximum = Some(value.u16()?),
                PropertyId::MaximumQos => values.maximum_qos = Some(maximum_qos(value.u8()?)?),
                PropertyId::RetainAvailable => values.retain_available = Some(value.bool()?),
                PropertyId::UserProperty => properties.user_property(&mut values.user_properties)?,
                PropertyId::MaximumPacketSize => {
                    values.maximum_packet_size = Some(properties.maximum_packet_size()?)
                }
                PropertyId::WildcardSubscriptionAvailable => {
                    values.wildcard_subscription_available = Some(value.bool()?);
                }
                PropertyId::SubscriptionIdentifiersAvailable => {
                    values.subscription_identifiers_available = Some(value.bool()?);
                }
                PropertyId::SharedSubscriptionAvailable => {
                    values.shared_subscription_available = Some(value.bool()?)
                }
                _ => return Err(DecodeError::PropertyNotAllowed),
            }
        }
        if values.authentication_data.is_some() && values.authentication_method.is_none() {
            return Err(DecodeError::AuthenticationDataWithoutMethod);
        }
        Ok(values)
    }
}

/// QoS 2 is told by leaving the property out (3.2.2.3.4).
fn maximum_qos(level: u8) -> Result<QoS, DecodeError> {
    match QoS::from_u8(level) {
        Some(qos @ (QoS::AtMostOnce | QoS::AtLeastOnce)) => Ok(qos),
        _ => Err(DecodeError::BadMaximumQos),
    }
}

impl Write for ConnackProperties {
    fn write<W: Writer>(&self, out: &mut W) {
        out.u32_property(PropertyId::SessionExpiryInterval, self.session_expiry_interval);
        out.string_property(
            PropertyId::AssignedClientIdentifier,
            self.assigned_client_identifier.as_deref(),
        );
        out.u16_property(PropertyId::ServerKeepAlive, self.server_keep_alive);
        out.string_property(
            PropertyId::AuthenticationMethod,
            self.authentication_method.as_deref(),
        );
        out.binary_property(PropertyId::AuthenticationData, self.authentication_data.as_ref());
        out.string_property(
            PropertyId::ResponseInformation,
            self.response_information.as_deref(),
        );
        out.string_property(PropertyId::ServerReference, self.server_reference.as_deref());
        out.string_property(PropertyId::ReasonString, self.reason_string.as_deref());
        out.u16_property(
            PropertyId::ReceiveMaximum,
            self.receive_maximum.map(NonZeroU16::get),
        );
        out.u16_property(PropertyId::TopicAliasMaximum, self.topic_alias_maximum);
        let maximum_qos = self.maximum_qos.filter(|&qos| qos != QoS::ExactlyOnce);
        out.u8_property(PropertyId::MaximumQos, maximum_qos.map(QoS::as_u8));
        out.bool_property(PropertyId::RetainAvailable, self.retain_available);
        out.user_properties(&self.user_properties);
        out.u32_property(
            PropertyId::MaximumPacketSize,
            self.maximum_packet_size.map(NonZeroU32::get),
        );
        out.bool_property(
            PropertyId::WildcardSubscriptionAvailable,
            self.wildcard_subscription_available,
        );
        out.bool_property(
            PropertyId::SubscriptionIdentifiersAvailable,
            self.subscription_identifiers_available,
        );
        out.bool_property(
            PropertyId::SharedSubscriptionAvailable,
            self.shared_subscription_available,
        );
    }
}

encodes!(Connack);

impl Write for Body<'_> {
    fn write<W: Writer>(&self, out: &mut W) {
        let Self { packet, version } = *self;
        out.u8(u8::from(packet.session_present && version != Version::V3_1));
        if version.is_v5() {
            out.u8(packet.reason.code());
            out.properties(&packet.properties);
        } else {
            out.u8(packet.reason.v3_code());
        }
    }
}
