//! Bytes to packets and back: `cargo bench --bench codec`.

#![allow(missing_docs, reason = "functions that criterion makes")]

use std::hint::black_box;

use bytes::BytesMut;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use hookwire_benches::packets::{bytes_of, packet_id, puback, publish};
use hookwire_protocol::{DecodeLimits, Decoder, Delivery, Packet, Version, encode};

fn message(payload: usize) -> Packet {
    Packet::Publish(publish(Delivery::AtLeastOnce(packet_id()), payload))
}

fn packets() -> [(&'static str, Packet); 4] {
    [
        ("PUBLISH 64 B", message(64)),
        ("PUBLISH 1 KiB", message(1024)),
        ("PUBLISH 64 KiB", message(64 * 1024)),
        ("PUBACK", puback()),
    ]
}

fn decoding(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    for version in [Version::V3_1_1, Version::V5] {
        let decoder = Decoder::new(version, DecodeLimits::default());
        for (name, packet) in packets() {
            let bytes = bytes_of(&packet, version);
            group.throughput(Throughput::Elements(1));
            group.bench_function(format!("{name}, {version:?}"), |bencher| {
                bencher.iter_batched_ref(
                    || bytes.clone(),
                    |bytes| decoder.decode(black_box(bytes)),
                    BatchSize::SmallInput,
                );
            });
        }
    }
}

fn encoding(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode");
    for version in [Version::V3_1_1, Version::V5] {
        for (name, packet) in packets() {
            let mut out = BytesMut::with_capacity(128 * 1024);
            group.throughput(Throughput::Elements(1));
            group.bench_function(format!("{name}, {version:?}"), |bencher| {
                bencher.iter(|| {
                    out.clear();
                    encode(black_box(&packet), version, &mut out);
                });
            });
        }
    }
}

criterion_group!(benches, decoding, encoding);
criterion_main!(benches);
