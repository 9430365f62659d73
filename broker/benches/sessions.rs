//! One step of a session, and one message for many of them: `cargo bench --bench sessions`.

#![allow(missing_docs, reason = "functions that criterion makes")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use bytestring::ByteString;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hookwire::clock;
use hookwire::config::Config;
use hookwire::session::{Admission, Delivered, Identity, Outbox, Session};
use hookwire_hooks::{ClientKey, Grant, Message, Source};
use hookwire_protocol::{
    Connect, ConnectProperties, Delivery, PacketId, Publish, PublishProperties, PublishReason, PublishTopic,
    QoS, TopicName, Version,
};

fn topic() -> TopicName {
    TopicName::new("plant/7/line/3/temperature").expect("a topic name")
}

fn session(key: u64, now: Instant) -> Session {
    let config = Config::default();
    let client_id = ByteString::from(format!("client-{key}"));
    let connect = Connect {
        version: Version::V5,
        bridge: false,
        clean_start: true,
        keep_alive_secs: 0,
        client_id: client_id.clone(),
        username: None,
        password: None,
        will: None,
        properties: ConnectProperties::default(),
    };
    let identity = Identity {
        client_id: client_id.clone(),
        is_assigned: false,
    };
    let (key, grant) = (ClientKey(key), Grant::default());
    let admission = Admission::settle(key, &connect, &identity, &grant, &config.limits, &config.session)
        .expect("an acceptable CONNECT");
    let mut session = Session::new(client_id, admission.terms.clone());
    session.attach(now, admission.terms, &admission.connack);
    session
}

fn delivered(qos: QoS) -> Delivered {
    let message = Message {
        source: Source::Client(ClientKey(1)),
        topic: topic(),
        payload: Bytes::from_static(&[b'7'; 64]),
        qos,
        retain: false,
        properties: PublishProperties::default(),
        expires_at: None,
    };
    Delivered {
        message: Arc::new(message),
        qos,
        retain: false,
        subscription_ids: Default::default(),
        shared: None,
        original: None,
    }
}

/// Takes what is to be written and throws it away, as a socket does that is never full.
fn write(session: &mut Session, now: Instant, out: &mut Outbox) {
    session.poll_output(now, out);
    out.clear();
}

fn receiving(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("session/PUBLISH from its client");
    let deliveries = [
        ("QoS 0", Delivery::AtMostOnce),
        (
            "QoS 1",
            Delivery::AtLeastOnce(PacketId::new(7).expect("not zero")),
        ),
    ];
    for (name, delivery) in deliveries {
        let now = clock::now();
        let (mut session, mut out) = (session(1, now), Outbox::default());
        let publish = Publish {
            dup: false,
            retain: false,
            delivery,
            topic: PublishTopic::Name {
                topic: topic(),
                alias: None,
            },
            payload: Bytes::from_static(&[b'7'; 64]),
            properties: PublishProperties::default(),
        };
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
