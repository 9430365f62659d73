//! A stream of bytes on an MQTT 3.1 and on a 3.1.1 connection.
#![no_main]

use bytes::BytesMut;
use hookwire_protocol::{DecodeLimits, Decoder, Version};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    for version in [Version::V3_1, Version::V3_1_1] {
        let decoder = Decoder::new(version, DecodeLimits::default());
        let mut buf = BytesMut::from(data);
        while let Ok(Some(_)) = decoder.decode(&mut buf) {}
    }
});
