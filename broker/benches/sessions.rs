//! One step of a session, and one message for many of them: `cargo bench --bench sessions`.

#![allow(missing_docs, reason = "functions that criterion makes")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hookwire::clock;
use hookwire::session::Outbox;
use hookwire_benches::clients::{delivered, session, write};
use hookwire_benches::packets::{packet_id, publish};
use hookwire_protocol::{Delivery, PacketId, PublishReason, QoS};

fn receiving(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("session/PUBLISH from its client");
    let deliveries = [
        ("QoS 0", Delivery::AtMostOnce),
        ("QoS 1", Delivery::AtLeastOnce(packet_id())),
    ];
    for (name, delivery) in deliveries {
        let now = clock::now();
        let (mut session, mut out) = (session(1, now), Outbox::default());
        let publish = publish(delivery, 64);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let taken = session.take_publish(black_box(publish.clone()));
                session.answer_publish(delivery, PublishReason::Success, None, 0);
                write(&mut session, now, &mut out);
                taken
            });
        });
    }
}

fn delivering(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("session/PUBLISH to its client");
    let now = clock::now();
    let (mut session, mut out) = (session(1, now), Outbox::default());
    group.bench_function("QoS 0", |bencher| {
        let message = delivered(QoS::AtMostOnce);
        bencher.iter(|| {
            let sent = session.deliver(now, &message.offer());
            write(&mut session, now, &mut out);
            sent
        });
    });
    group.bench_function("QoS 1, acknowledged", |bencher| {
        let message = delivered(QoS::AtLeastOnce);
        let mut ids = (1..=u16::MAX).cycle();
        bencher.iter(|| {
            let sent = session.deliver(now, &message.offer());
            write(&mut session, now, &mut out);
            let id = ids.next().and_then(PacketId::new).expect("not zero");
            let acked = session.handle_puback(id, PublishReason::Success);
            assert!(
                acked.is_ok_and(|delivered| delivered.is_some()),
                "ids are given in order"
            );
            sent
        });
    });
}

fn fanning_out(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("session/one message for many");
    let now = clock::now();
    for count in [10, 500, 10_000] {
        let mut sessions: Vec<_> = (1..=count).map(|key| session(key, now)).collect();
        let mut out = Outbox::default();
        let message = delivered(QoS::AtMostOnce);
        group.throughput(Throughput::Elements(count));
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| {
                for session in &mut sessions {
                    session.deliver(now, &message.offer());
                    write(session, now, &mut out);
                }
            });
        });
    }
}

criterion_group!(benches, receiving, delivering, fanning_out);
criterion_main!(benches);
