//! How many instructions each core step takes, for `.ci/instructions`, which runs this in callgrind.
//!
//! Callgrind counts what happens in [`counted`] and starts anew after each call of it; the names that are printed say which
//! step each count belongs to, and how often it was done.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use hookwire::clock;
use hookwire::config::Overlapping;
use hookwire::router::{Memo, Router, Subscriptions};
use hookwire::session::Outbox;
use hookwire_benches::clients::{delivered, session, write};
use hookwire_benches::packets::{bytes_of, packet_id, puback, publish};
use hookwire_benches::policies::{Policies, RUN, Run};
use hookwire_benches::subscriptions::{filled, names};
use hookwire_hooks::Chain;
use hookwire_plugin_host::PluginSpec;
use hookwire_protocol::{
    DecodeLimits, Decoder, Delivery, Packet, PacketId, PublishReason, QoS, TopicFilter, Version, encode,
};

/// Often enough that a step's own instructions hide those of the loop, and few enough for a slow machine.
const TIMES: usize = 200;

/// What is inlined here is counted, what prepares it is not.
#[inline(never)]
fn counted(steps: &mut dyn FnMut()) {
    steps();
}

/// Does a step with each of its inputs, once before it counts: what is made on first use was made.
fn count<I, O>(name: &str, inputs: impl Fn() -> Vec<I>, mut step: impl FnMut(&mut I) -> O) {
    for input in &mut inputs() {
        black_box(step(input));
    }
    let mut inputs = inputs();
    println!("{name}\t{}", inputs.len());
    counted(&mut || {
        for input in &mut inputs {
            black_box(step(black_box(input)));
        }
    });
}

/// A step that needs nothing anew each time.
fn count_alike<O>(name: &str, mut step: impl FnMut() -> O) {
    count(name, || vec![(); TIMES], |()| step());
}

fn codec() {
    let message = |payload| Packet::Publish(publish(Delivery::AtLeastOnce(packet_id()), payload));
    let decoder = Decoder::new(Version::V5, DecodeLimits::default());
    for (name, packet) in [("PUBLISH 64 B", message(64)), ("PUBACK", puback())] {
        let bytes = bytes_of(&packet, Version::V5);
        count(
            &format!("decode {name}"),
            || vec![bytes.clone(); TIMES],
            |bytes| decoder.decode(bytes),
        );
        let mut out = bytes_of(&packet, Version::V5);
        count_alike(&format!("encode {name}"), || {
            out.clear();
            encode(black_box(&packet), Version::V5, &mut out);
        });
    }
}

fn topics() {
    let (mut subscriptions, router) = (Subscriptions::default(), Router::default());
    for (filter, subscription) in filled(30_000) {
        subscriptions.subscribe(&filter, subscription.clone());
        router.subscribe(&filter, subscription);
    }
    count("match a topic, 30,000 subscriptions", names, |name| {
        subscriptions.matching(name, None, Overlapping::Once)
    });
    let (mut memo, name) = (Memo::default(), &names()[0]);
    count_alike("match the same topic again", || {
        Arc::clone(&router.matching(&mut memo, black_box(name), None).1)
    });
}

fn receiving() {
    let now = clock::now();
    for (name, delivery) in [
        ("QoS 0", Delivery::AtMostOnce),
        ("QoS 1", Delivery::AtLeastOnce(packet_id())),
    ] {
        let (mut session, mut out) = (session(1, now), Outbox::default());
        let publish = publish(delivery, 64);
        count_alike(&format!("session takes and answers {name}"), || {
            let taken = session.take_publish(publish.clone());
            session.answer_publish(delivery, PublishReason::Success, None, 0);
            write(&mut session, now, &mut out);
            taken
        });
    }
}

fn delivering() {
    let now = clock::now();
    let (mut session, mut out) = (session(1, now), Outbox::default());
    let message = delivered(QoS::AtLeastOnce);
    let mut ids = (1..=u16::MAX).cycle();
    count_alike("session delivers QoS 1, acknowledged", || {
        session.deliver(now, &message.offer());
        write(&mut session, now, &mut out);
        let id = ids.next().and_then(PacketId::new).expect("not zero");
        session.handle_puback(id, PublishReason::Success)
    });
}

fn fanning_out() {
    let now = clock::now();
    let mut sessions: Vec<_> = (1..=500).map(|key| session(key, now)).collect();
    let (mut out, message) = (Outbox::default(), delivered(QoS::AtMostOnce));
    count_alike("fan out to 500 sessions", || {
        for session in &mut sessions {
            session.deliver(now, &message.offer());
            write(session, now, &mut out);
        }
    });
}

/// Time runs fifty times as fast for a guest that is counted.
fn patient(spec: &mut PluginSpec) {
    spec.deadline = Duration::from_mins(1);
    spec.deadline_slow = spec.deadline;
}

fn hooks() {
    let policies = Policies::start();
    let ask = |name: &str, chain: &Chain, length| {
        count(name, || vec![Run::new(length, 64); TIMES], |run| run.judge(chain));
    };
    let reader = policies.chain("reader", 1, patient);
    ask("hook call, 1 message", &reader, 1);
    ask("hook call, 128 messages", &reader, RUN);
    let elsewhere = TopicFilter::new("elsewhere/#").expect("a topic filter");
    let other = policies.chain("reader", 1, |spec| {
        patient(spec);
        spec.topics = vec![elsewhere.clone()];
    });
    ask("hook not called, 128 messages", &other, RUN);
}

fn main() {
    codec();
    topics();
    receiving();
    delivering();
    fanning_out();
    hooks();
}
