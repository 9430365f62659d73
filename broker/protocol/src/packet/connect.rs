//! CONNECT (3.1).

use std::num::{NonZeroU16, NonZeroU32};

use bytes::Bytes;
use bytestring::ByteString;

use super::will::Will;
use crate::decode::DecodeLimits;
use crate::encode::encodes;
use crate::error::DecodeError;
use crate::frame::FrameHeader;
use crate::properties::{PropertyId, PropertyReader, UserProperties};
use crate::qos::QoS;
use crate::reader::Reader;
use crate::version::Version;
use crate::writer::{Write, Writer};

/// Set in the protocol level by bridges of MQTT 3.1 and 3.1.1.
const BRIDGE: u8 = 0x80;

/// A client asks for a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connect {
    /// The version that the client speaks.
    pub version: Version,
    /// The client is a bridge: bit `0x80` of the protocol level, a custom of MQTT 3.1 and 3.1.1.
    pub bridge: bool,
    /// No earlier session is to be continued (before MQTT 5: and none is to be kept).
    pub clean_start: bool,
    /// After one and a half times this long without a packet the client is taken for dead; 0 for never.
    pub keep_alive_secs: u16,
    /// Who the client says it is; empty if the server is to choose.
    pub client_id: ByteString,
    /// User name.
    pub username: Option<ByteString>,
    /// Password.
    pub password: Option<Bytes>,
    /// The will.
    pub will: Option<Will>,
    /// Properties, MQTT 5 only.
    pub properties: ConnectProperties,
}

/// The properties of a CONNECT (3.1.2.11).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectProperties {
    /// How long the session outlives the connection, in seconds; `u32::MAX` for ever.
    pub session_expiry_interval: Option<u32>,
    /// How many messages with QoS 1 and 2 the client takes at once; 65535 if absent.
    pub receive_maximum: Option<NonZeroU16>,
    /// The largest packet that the client takes.
    pub maximum_packet_size: Option<NonZeroU32>,
    /// The largest topic alias that the client takes; 0 for none.
    pub topic_alias_maximum: u16,
    /// The client would like to have response information in the CONNACK.
    pub request_response_information: bool,
    /// The client would like to have reason strings and user properties in all packets.
    pub request_problem_information: bool,
    /// User properties.
    pub user_properties: UserProperties,
    /// How the client wants to authenticate, if not by user name and password.
    pub authentication_method: Option<ByteString>,
    /// Its first message.
    pub authentication_data: Option<Bytes>,
}

impl Default for ConnectProperties {
    fn default() -> Self {
        Self {
            session_expiry_interval: None,
            receive_maximum: None,
            maximum_packet_size: None,
            topic_alias_maximum: 0,
            request_response_information: false,
            request_problem_information: true,
            user_properties: UserProperties::new(),
            authentication_method: None,
            authentication_data: None,
        }
    }
}

impl Connect {
    /// The version that the CONNECT at the start of `frame` names, if it can be seen; the rest of it may be
    /// missing or wrong. It tells in which version a refusal is to be written.
    pub fn peek_version(frame: &Bytes) -> Option<Version> {
        let header = FrameHeader::peek(frame).ok()??;
        let mut reader = Reader::new(frame);
        reader.skip(header.header_len).ok()?;
        decode_version(&mut reader).ok().map(|(version, _)| version)
    }

    pub(crate) fn decode(body: &mut Reader<'_>, limits: &DecodeLimits) -> Result<Self, DecodeError> {
        let (version, bridge) = decode_version(body)?;
        let flags = Flags::decode(body.u8()?, version)?;
        let keep_alive_secs = body.u16()?;
        let properties = if version.is_v5() {
            ConnectProperties::decode(body, limits)?
        } else {
            ConnectProperties::default()
        };
        // The payload, in this order [MQTT-3.1.3-1].
        let client_id = body.string()?; // [MQTT-3.1.3-4]
        let will = match flags.will {
            Some((qos, retain)) => Some(Will::decode(body, qos, retain, version, limits)?), // [MQTT-3.1.2-9]
            None => None,
        };
        let username = if flags.username {
            Some(body.string()?)
        } else {
            None
        }; // [MQTT-3.1.2-17], [MQTT-3.1.3-12]
        let password = if flags.password {
            Some(body.binary()?)
        } else {
            None
        }; // [MQTT-3.1.2-19]
        Ok(Self {
            version,
            bridge,
            clean_start: flags.clean_start,
            keep_alive_secs,
            client_id,
            username,
            password,
            will,
            properties,
        })
    }

    fn flags(&self) -> Flags {
        Flags {
            clean_start: self.clean_start,
            will: self.will.as_ref().map(|will| (will.qos, will.retain)),
            username: self.username.is_some(),
            password: self.password.is_some(),
        }
    }
}

/// Protocol name and level `[MQTT-3.1.2-1]`, and whether the level has the bridge bit.
fn decode_version(body: &mut Reader<'_>) -> Result<(Version, bool), DecodeError> {
    let name = body.binary()?;
    let level = body.u8()?;
    match (&name[..], level) {
        (b"MQIsdp", 3) => Ok((Version::V3_1, false)),
        (b"MQTT", 4) => Ok((Version::V3_1_1, false)),
        (b"MQTT", 5) => Ok((Version::V5, false)),
        (b"MQIsdp", 0x83) => Ok((Version::V3_1, true)),
        (b"MQTT", 0x84) => Ok((Version::V3_1_1, true)),
        _ => Err(DecodeError::UnsupportedProtocolVersion), // [MQTT-3.1.2-2]
    }
}

/// The connect flags (3.1.2.3).
struct Flags {
    clean_start: bool,
    will: Option<(QoS, bool)>,
    username: bool,
    password: bool,
}

impl Flags {
    const RESERVED: u8 = 0x01;
    const CLEAN_START: u8 = 0x02;
    const WILL: u8 = 0x04;
    const WILL_QOS: u8 = 0x18;
    const WILL_RETAIN: u8 = 0x20;
    const PASSWORD: u8 = 0x40;
    const USERNAME: u8 = 0x80;

    fn decode(bits: u8, version: Version) -> Result<Self, DecodeError> {
        let is_set = |bit: u8| bits & bit != 0;
        // MQTT 3.1 calls the flag unused and does not tell a server to look at it.
        if is_set(Self::RESERVED) && version != Version::V3_1 {
            return Err(DecodeError::ReservedConnectFlag); // [MQTT-3.1.2-3]
        }
        let will = if is_set(Self::WILL) {
            // [MQTT-3.1.2-12]
            let qos = QoS::from_u8((bits & Self::WILL_QOS) >> 3).ok_or(DecodeError::WillQosThree)?;
            Some((qos, is_set(Self::WILL_RETAIN)))
        } else if is_set(Self::WILL_QOS | Self::WILL_RETAIN) {
            return Err(DecodeError::WillFlagsWithoutWill); // [MQTT-3.1.2-11], [MQTT-3.1.2-13]
        } else {
            None
        };
        let (username, password) = (is_set(Self::USERNAME), is_set(Self::PASSWORD));
        if password && !username && !version.is_v5() {
            return Err(DecodeError::PasswordWithoutUsername); // 3.1.1: [MQTT-3.1.2-22]
        }
        Ok(Self {
            clean_start: is_set(Self::CLEAN_START),
            will,
            username,
            password,
        })
    }

    fn bits(&self) -> u8 {
        let bit = |set: bool, bit: u8| if set { bit } else { 0 };
        let will = self.will.map_or(0, |(qos, retain)| {
            Self::WILL | qos.as_u8() << 3 | bit(retain, Self::WILL_RETAIN)
        });
        bit(self.clean_start, Self::CLEAN_START)
            | will
            | bit(self.password, Self::PASSWORD)
            | bit(self.username, Self::USERNAME)
    }
}

impl ConnectProperties {
    fn decode(body: &mut Reader<'_>, limits: &DecodeLimits) -> Result<Self, DecodeError> {
        let mut properties = PropertyReader::block(body, limits)?;
        let mut values = Self::default();
        while let Some(id) = properties.next()? {
            let value = properties.value();
            match id {
                PropertyId::SessionExpiryInterval => values.session_expiry_interval = Some(value.u32()?),
                PropertyId::AuthenticationMethod => values.authentication_method = Some(value.string()?),
                PropertyId::AuthenticationData => values.authentication_data = Some(value.binary()?),
                PropertyId::RequestProblemInformation => values.request_problem_information = value.bool()?,
                PropertyId::RequestResponseInformation => {
                    values.request_response_information = value.bool()?
                }
                PropertyId::ReceiveMaximum => values.receive_maximum = Some(properties.receive_maximum()?),
                PropertyId::TopicAliasMaximum => values.topic_alias_maximum = value.u16()?,
                PropertyId::UserProperty => properties.user_property(&mut values.user_properties)?,
                PropertyId::MaximumPacketSize => {
                    values.maximum_packet_size = Some(properties.maximum_packet_size()?)
                }
                _ => return Err(DecodeError::PropertyNotAllowed),
            }
        }
        if values.authentication_data.is_some() && values.authentication_method.is_none() {
            return Err(DecodeError::AuthenticationDataWithoutMethod); // 3.1.2.11.10
        }
        Ok(values)
    }
}

impl Write for ConnectProperties {
    fn write<W: Writer>(&self, out: &mut W) {
        out.u32_property(PropertyId::SessionExpiryInterval, self.session_expiry_interval);
        out.string_property(
            PropertyId::AuthenticationMethod,
            self.authentication_method.as_deref(),
        );
        out.binary_property(PropertyId::AuthenticationData, self.authentication_data.as_ref());
        // Where the specification has a default, it is left out.
        out.bool_property(
            PropertyId::RequestProblemInformation,
            (!self.request_problem_information).then_some(false),
        );
        out.bool_property(
            PropertyId::RequestResponseInformation,
            self.request_response_information.then_some(true),
        );
        out.u16_property(
            PropertyId::ReceiveMaximum,
            self.receive_maximum.map(NonZeroU16::get),
        );
        out.u16_property(
            PropertyId::TopicAliasMaximum,
            (self.topic_alias_maximum != 0).then_some(self.topic_alias_maximum),
        );
        out.user_properties(&self.user_properties);
        out.u32_property(
            PropertyId::MaximumPacketSize,
            self.maximum_packet_size.map(NonZeroU32::get),
        );
    }
}

encodes!(Connect);

impl Write for Body<'_> {
    fn write<W: Writer>(&self, out: &mut W) {
        let Self { packet, version } = *self;
        out.string(version.protocol_name());
        out.u8(version.level()
            | if packet.bridge && !version.is_v5() {
                BRIDGE
            } else {
                0
            });
        out.u8(packet.flags().bits());
        out.u16(packet.keep_alive_secs);
        if version.is_v5() {
            out.properties(&packet.properties);
        }
        out.string(&packet.client_id);
        if let Some(will) = &packet.will {
            will.write(version, out);
        }
        if let Some(username) = &packet.username {
            out.string(username);
        }
        if let Some(password) = &packet.password {
            out.binary(password);
        }
    }
}
