//! Whatever is read can be written; that is as long as it was said to be, and is read as the same packet again.
#![no_main]

use bytes::BytesMut;
use hookwire_protocol::{DecodeLimits, Decoder, Packet, Version, encode, encoded_len};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    for version in [Version::V3_1, Version::V3_1_1, Version::V5] {
        let decoder = Decoder::new(version, DecodeLimits::default());
        let mut buf = BytesMut::from(data);
        while let Ok(Some(packet)) = decoder.decode(&mut buf) {
            let version = match &packet {
                Packet::Connect(connect) => connect.version,
                _ => version,
            };
            let mut out = BytesMut::new();
            encode(&packet, version, &mut out);
            assert_eq!(out.len(), encoded_len(&packet, version));
            assert_eq!(decoder.decode(&mut out), Ok(Some(packet)));
            assert!(out.is_empty());
        }
    }
});
