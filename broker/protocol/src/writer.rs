//! The one way out. A packet says once how it is written; written to a [`Count`] it tells its length, so that
//! the length and the bytes cannot disagree.

use bytes::{Bytes, BytesMut};

use crate::packet_id::PacketId;
use crate::properties::{PropertyId, UserProperties};
use crate::var_int;

/// Something that is written in the same way wherever it goes.
pub(crate) trait Write {
    fn write<W: Writer>(&self, out: &mut W);

    /// The number of bytes that [`write`](Self::write) writes.
    #[inline]
    fn len(&self) -> usize {
        let mut count = Count(0);
        self.write(&mut count);
        count.0
    }
}

/// Where bytes go to.
pub(crate) trait Writer: Sized {
    fn put(&mut self, bytes: &[u8]);

    #[inline]
    fn u8(&mut self, value: u8) {
        self.put(&[value]);
    }

    #[inline]
    fn u16(&mut self, value: u16) {
        self.put(&value.to_be_bytes());
    }

    #[inline]
    fn u32(&mut self, value: u32) {
        self.put(&value.to_be_bytes());
    }

    #[inline]
    fn var_int(&mut self, value: u32) {
        let (bytes, len) = var_int::encode(value);
        self.put(bytes.get(..len).unwrap_or_default());
    }

    /// A length as a variable byte integer.
    #[inline]
    fn length(&mut self, len: usize) {
        debug_assert!(len <= var_int::MAX as usize, "no MQTT packet is that long");
        self.var_int(u32::try_from(len).unwrap_or(var_int::MAX));
    }

    #[inline]
    fn packet_id(&mut self, id: PacketId) {
        self.u16(id.get());
    }

    /// Its length in two bytes, and the bytes. What does not fit is cut off: a packet stays well formed
    /// whatever a plugin or a configuration file puts into it.
    #[inline]
    fn binary(&mut self, bytes: &[u8]) {
        let bytes = bytes.get(..usize::from(u16::MAX)).unwrap_or(bytes);
        self.u16(bytes.len() as u16);
        self.put(bytes);
    }

    /// A string, likewise; cut between two characters if need be.
    #[inline]
    fn string(&mut self, text: &str) {
        let end = text.floor_char_boundary(usize::from(u16::MAX));
        self.binary(text.get(..end).unwrap_or(text).as_bytes());
    }

    /// Properties, with their length in front.
    #[inline]
    fn properties<P: Write>(&mut self, properties: &P) {
        self.length(properties.len());
        properties.write(self);
    }

    fn u8_property(&mut self, id: PropertyId, value: Option<u8>) {
        if let Some(value) = value {
            self.u8(id as u8);
            self.u8(value);
        }
    }

    fn bool_property(&mut self, id: PropertyId, value: Option<bool>) {
        self.u8_property(id, value.map(u8::from));
    }

    fn u16_property(&mut self, id: PropertyId, value: Option<u16>) {
        if let Some(value) = value {
            self.u8(id as u8);
            self.u16(value);
        }
    }

    fn u32_property(&mut self, id: PropertyId, value: Option<u32>) {
        if let Some(value) = value {
            self.u8(id as u8);
            self.u32(value);
        }
    }

    fn var_int_property(&mut self, id: PropertyId, value: u32) {
        self.u8(id as u8);
        self.var_int(value);
    }

    fn string_property(&mut self, id: PropertyId, value: Option<&str>) {
        if let Some(value) = value {
            self.u8(id as u8);
            self.string(value);
        }
    }

    fn binary_property(&mut self, id: PropertyId, value: Option<&Bytes>) {
        if let Some(value) = value {
            self.u8(id as u8);
            self.binary(value);
        }
    }

    fn user_properties(&mut self, properties: &UserProperties) {
        for (name, value) in properties {
            self.u8(PropertyId::UserProperty as u8);
            self.string(name);
            self.string(value);
        }
    }
}

impl Writer for BytesMut {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl Writer for Vec<u8> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Counts what is written, and keeps nothing of it.
pub(crate) struct Count(usize);

impl Writer for Count {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.0 = self.0.saturating_add(bytes.len());
    }

    // Counts the properties once, where the provided method would do it twice.
    #[inline]
    fn properties<P: Write>(&mut self, properties: &P) {
        let len = properties.len();
        self.length(len);
        self.0 = self.0.saturating_add(len);
    }
}
