//! From a topic to its subscribers, as their number grows: `cargo bench --bench topics`.

#![allow(missing_docs, reason = "functions that criterion makes")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use hookwire::config::Overlapping;
use hookwire::router::{Memo, Router, Subscriber, Subscription, Subscriptions};
use hookwire_protocol::{QoS, RetainHandling, SharedFilter, SubscriptionOptions, TopicName};

/// A subscriber that takes nothing.
#[derive(Clone)]
struct Nobody(u64);

impl Subscriber for Nobody {
    fn id(&self) -> u64 {
        self.0
    }

    fn is_online(&self) -> bool {
        true
    }

    fn backlog(&self) -> usize {
        0
    }
}

/// Of ten filters six are exact, two have a `+` and two a `#`.
fn filter(index: u64) -> String {
    let (building, device) = (index / 100, index % 100);
    match index % 10 {
        0..6 => format!("site/{building}/device/{device}/temperature"),
        6 | 7 => format!("site/{building}/+/{device}/temperature"),
        _ => format!("site/{building}/device/{device}/#"),
    }
}

fn subscription(id: u64) -> Subscription<Nobody> {
    Subscription {
        subscriber: Nobody(id),
        options: SubscriptionOptions {
            qos: QoS::AtMostOnce,
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::SendAtSubscribe,
        },
        id: None,
    }
}

fn filled(count: u64) -> impl Iterator<Item = (SharedFilter, Subscription<Nobody>)> {
    (0..count).map(|index| {
        let filter = SharedFilter::parse(filter(index)).expect("a topic filter");
        (filter, subscription(index))
    })
}

fn names() -> Vec<TopicName> {
    (0..1000)
        .map(|index| {
            let name = format!("site/{}/device/{}/temperature", index % 10, index % 100);
            TopicName::new(name).expect("a topic name")
        })
        .collect()
}

fn matching(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("match");
    let names = names();
    for count in [1, 1_000, 30_000, 1_000_000] {
        let mut subscriptions = Subscriptions::default();
        for (filter, subscription) in filled(count) {
            subscriptions.subscribe(&filter, subscription);
        }
        let mut turn = names.iter().cycle();
        group.bench_function(BenchmarkId::new("subscriptions", count), |bencher| {
            bencher.iter(|| {
                let name = turn.next().expect("it has no end");
                subscriptions.matching(black_box(name), None, Overlapping::Once)
            });
        });
    }
}

/// What a publisher pays that goes on about one topic.
fn remembering(criterion: &mut Criterion) {
    let router = Router::default();
    for (filter, subscription) in filled(30_000) {
        router.subscribe(&filter, subscription);
    }
    let name = TopicName::new("site/1/device/1/temperature").expect("a topic name");
    let mut memo = Memo::default();
    criterion.bench_function("match/the same topic again", |bencher| {
        bencher.iter(|| Arc::clone(&router.matching(&mut memo, black_box(&name), None).1));
    });
}

fn subscribing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("subscribe and unsubscribe");
    for count in [1_000, 1_000_000] {
        let mut subscriptions = Subscriptions::default();
        for (filter, subscription) in filled(count) {
            subscriptions.subscribe(&filter, subscription);
        }
        let filter = SharedFilter::parse("site/3/+/7/pressure").expect("a topic filter");
        group.bench_function(BenchmarkId::new("beside", count), |bencher| {
            bencher.iter(|| {
                subscriptions.subscribe(&filter, subscription(u64::MAX));
                subscriptions.unsubscribe(&filter, u64::MAX);
            });
        });
    }
}

criterion_group!(benches, matching, remembering, subscribing);
criterion_main!(benches);
