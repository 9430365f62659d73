//! Bytes to packets and back: `cargo bench --bench codec`.

#![allow(missing_docs, reason = "functions that criterion makes")]

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use hookwire_protocol::{
    DecodeLimits, Decoder, Delivery, Packet, PacketId, Puback, Publish, PublishProperties, PublishReason,
    PublishTopic, TopicName, Version, encode,
};

fn publish(payload: usize) -> Packet {
    let topic = TopicName::new("plant/7/line/3/temperature").expect("a topic name");
    Packet::Publish(Publish {
        dup: false,
        retain: false,
        delivery: Delivery::AtLeastOnce(PacketId::new(7).expect("not zero")),
        topic: PublishTopic::Name { topic, alias: None },
        payload: Bytes::from(vec![b'x'; payload]),
        properties: PublishProperties::default(),
    })
}

fn puback() -> Packet {
    Packet::Puback(Puback::new(
        PacketId::new(7).expect("not zero"),
        PublishReason::Success,
    ))
}

fn packets() -> [(&'static str, Packet); 4] {
    [
        ("PUBLISH 64 B", publish(64)),
        ("PUBLISH 1 KiB", publish(1024)),
        ("PUBLISH 64 KiB", publish(64 * 1024)),
        ("PUBACK", puback()),
    ]
}

fn decoding(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    for version in [Version::V3_1_1, Version::V5] {
        let decoder = Decoder::new(version, DecodeLimits::default());
        for (name, packet) in packets() {
            let mut bytes = BytesMut::new();
            encode(&packet, version, &mut bytes);
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
