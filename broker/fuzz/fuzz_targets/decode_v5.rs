//! A stream of bytes on an MQTT 5 connection, whole and in two pieces: both must end in the same way.
#![no_main]

use bytes::{Bytes, BytesMut};
use hookwire_protocol::{
    Connect, DecodeError, DecodeLimits, Decoder, Packet, Version, decode_publish_properties,
};
use libfuzzer_sys::fuzz_target;

type Outcome = (Vec<Packet>, Option<DecodeError>);

fn decode_all(decoder: &Decoder, buf: &mut BytesMut, (packets, error): &mut Outcome) {
    while error.is_none() {
        match decoder.decode(buf) {
            Ok(Some(packet)) => packets.push(packet),
            Ok(None) => break,
            Err(found) => *error = Some(found),
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&at, data)) = data.split_first() else {
        return;
    };
    let decoder = Decoder::new(Version::V5, DecodeLimits::default());

    let mut whole = Outcome::default();
    decode_all(&decoder, &mut BytesMut::from(data), &mut whole);

    let (first, second) = data.split_at(usize::from(at).min(data.len()));
    let mut pieces = Outcome::default();
    let mut buf = BytesMut::from(first);
    decode_all(&decoder, &mut buf, &mut pieces);
    buf.extend_from_slice(second);
    decode_all(&decoder, &mut buf, &mut pieces);
    assert_eq!(whole, pieces);

    let bytes = Bytes::copy_from_slice(data);
    let _ = Connect::peek_version(&bytes);
    let _ = decode_publish_properties(&bytes);
});
