//! From a topic to its subscribers, as their number grows: `cargo bench --bench topics`.

#![allow(missing_docs, reason = "functions that criterion makes")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use hookwire::config::Overlapping;
use hookwire::router::{Memo, Router, Subscriptions};
use hookwire_benches::subscriptions::{filled, names, subscription};
use hookwire_protocol::{SharedFilter, TopicName};

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
