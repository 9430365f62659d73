//! The properties of MQTT 5 (2.2.2), as far as they are alike in all packets.

use std::num::{NonZeroU16, NonZeroU32};

use bytestring::ByteString;

use crate::decode::DecodeLimits;
use crate::error::DecodeError;
use crate::reader::Reader;

/// Name and value pairs, in the order in which they were sent; a name may occur more than once.
pub type UserProperties = Vec<(ByteString, ByteString)>;

macro_rules! property_ids {
    ($($name:ident = $id:literal,)+) => {
        /// What a property is (table 2-4).
        #[derive(Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub(crate) enum PropertyId { $($name = $id,)+ }

        impl PropertyId {
            fn from_u32(id: u32) -> Option<Self> {
                match id {
                    $($id => Some(Self::$name),)+
                    _ => None,
                }
            }
        }
    };
}

property_ids! {
    PayloadFormatIndicator = 1,
    MessageExpiryInterval = 2,
    ContentType = 3,
    ResponseTopic = 8,
    CorrelationData = 9,
    SubscriptionIdentifier = 11,
    SessionExpiryInterval = 17,
    AssignedClientIdentifier = 18,
    ServerKeepAlive = 19,
    AuthenticationMethod = 21,
    AuthenticationData = 22,
    RequestProblemInformation = 23,
    WillDelayInterval = 24,
    RequestResponseInformation = 25,
    ResponseInformation = 26,
    ServerReference = 28,
    ReasonString = 31,
    ReceiveMaximum = 33,
    TopicAliasMaximum = 34,
    TopicAlias = 35,
    MaximumQos = 36,
    RetainAvailable = 37,
    UserProperty = 38,
    MaximumPacketSize = 39,
    WildcardSubscriptionAvailable = 40,
    SubscriptionIdentifiersAvailable = 41,
    SharedSubscriptionAvailable = 42,
}

/// Reads one block of properties. Duplicates and the limits are checked here, for all packets alike; which
/// properties a packet may have is for the packet to say.
pub(crate) struct PropertyReader<'a> {
    reader: Reader<'a>,
    limits: &'a DecodeLimits,
    /// One bit for each property that has occurred; the identifiers end at 42.
    seen: u64,
    user_properties: usize,
    user_property_bytes: usize,
}

impl<'a> PropertyReader<'a> {
    /// The block that is next in `reader`: its length and that many bytes.
    #[inline]
    pub(crate) fn block<'r: 'a>(
        reader: &mut Reader<'r>,
        limits: &'a DecodeLimits,
    ) -> Result<Self, DecodeError> {
        let len = reader.var_int()?;
        Ok(Self::new(reader.sub(len as usize)?, limits))
    }

    /// All of `reader`, where no length is in front.
    pub(crate) fn new(reader: Reader<'a>, limits: &'a DecodeLimits) -> Self {
        Self {
            reader,
            limits,
            seen: 0,
            user_properties: 0,
            user_property_bytes: 0,
        }
    }

    /// Whether no property is left.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.reader.is_empty()
    }

    /// The limits that the packet is read with.
    pub(crate) fn limits(&self) -> &'a DecodeLimits {
        self.limits
    }

    /// The identifier of the next property, whose value is to be read next; `None` at the end of the block.
    pub(crate) fn next(&mut self) -> Result<Option<PropertyId>, DecodeError> {
        if self.reader.is_empty() {
            return Ok(None);
        }
        let id = PropertyId::from_u32(self.reader.var_int()?).ok_or(DecodeError::UnknownProperty)?;
        let bit = 1_u64.wrapping_shl(u32::from(id as u8));
        // A PUBLISH may have more than one subscription identifier; a SUBSCRIBE sees to it itself.
        let may_repeat = matches!(id, PropertyId::UserProperty | PropertyId::SubscriptionIdentifier);
        if !may_repeat && self.seen & bit != 0 {
            return Err(DecodeError::DuplicateProperty);
        }
        self.seen |= bit;
        Ok(Some(id))
    }

    /// The bytes of the value, for a packet to read.
    #[inline]
    pub(crate) fn value(&mut self) -> &mut Reader<'a> {
        &mut self.reader
    }

    pub(crate) fn receive_maximum(&mut self) -> Result<NonZeroU16, DecodeError> {
        NonZeroU16::new(self.reader.u16()?).ok_or(DecodeError::ZeroReceiveMaximum)
    }

    pub(crate) fn maximum_packet_size(&mut self) -> Result<NonZeroU32, DecodeError> {
        NonZeroU32::new(self.reader.u32()?).ok_or(DecodeError::ZeroMaximumPacketSize)
    }

    pub(crate) fn topic_alias(&mut self) -> Result<NonZeroU16, DecodeError> {
        NonZeroU16::new(self.reader.u16()?).ok_or(DecodeError::ZeroTopicAlias) // [MQTT-3.3.2-8]
    }

    pub(crate) fn subscription_identifier(&mut self) -> Result<NonZeroU32, DecodeError> {
        NonZeroU32::new(self.reader.var_int()?).ok_or(DecodeError::ZeroSubscriptionIdentifier)
    }

    /// Reads one more user property into `properties`, within the limits.
    pub(crate) fn user_property(&mut self, properties: &mut UserProperties) -> Result<(), DecodeError> {
        let before = self.reader.left();
        let name = self.reader.string()?;
        let value = self.reader.string()?;
        let bytes = before.saturating_sub(self.reader.left());
        self.user_properties = self.user_properties.saturating_add(1);
        self.user_property_bytes = self.user_property_bytes.saturating_add(bytes);
        if self.user_properties > self.limits.user_properties_max {
            return Err(DecodeError::TooManyUserProperties);
        }
        if self.user_property_bytes > self.limits.user_property_bytes_max {
            return Err(DecodeError::UserPropertiesTooLarge);
        }
        properties.push((name, value));
        Ok(())
    }
}
