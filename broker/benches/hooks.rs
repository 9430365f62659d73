//! What a question to a plugin costs: `cargo bench --bench hooks`. The figures of `docs/plugins/cost.md` come from here.
//!
//! The plugin looks at topic and payload of every message and lets it pass. Each figure is that of a run, of as many messages as the
//! broker judges in one go when it has more to do than it can.

#![allow(missing_docs, reason = "functions that criterion makes")]

use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hookwire_benches::packets::TOPIC;
use hookwire_benches::policies::{Policies, RUN, Run};
use hookwire_hooks::{Access, Action, Chain, ClientKey};
use hookwire_protocol::{QoS, TopicFilter};
use serde_json::json;

/// The chain is asked about one run after another, each made anew, which is not measured.
fn measure(
    group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>,
    id: BenchmarkId,
    chain: &Chain,
    run: &Run,
) {
    group.throughput(Throughput::Elements(run.len() as u64));
    group.bench_function(id, |bencher| {
        bencher.iter_batched_ref(|| run.clone(), |run| run.judge(chain), BatchSize::SmallInput);
    });
}

fn payloads(criterion: &mut Criterion) {
    let policies = Policies::start();
    let mut group = criterion.benchmark_group("on-publish");
    for (kind, guest) in [("batch", "reader"), ("typed", "reader-typed")] {
        let chain = policies.chain(guest, 1, |_| {});
        for payload in [0, 64, 1 << 10, 16 << 10, 64 << 10] {
            let id = BenchmarkId::new(kind, format!("{payload} B"));
            measure(&mut group, id, &chain, &Run::new(RUN, payload));
        }
    }
}

fn runs(criterion: &mut Criterion) {
    let policies = Policies::start();
    let mut group = criterion.benchmark_group("messages in one go");
    for (kind, guest) in [("batch", "reader"), ("typed", "reader-typed")] {
        let chain = policies.chain(guest, 1, |_| {});
        for length in [1, 8, 32, RUN] {
            measure(
                &mut group,
                BenchmarkId::new(kind, length),
                &chain,
                &Run::new(length, 64),
            );
        }
    }
}

fn chains(criterion: &mut Criterion) {
    let policies = Policies::start();
    let mut group = criterion.benchmark_group("plugins in the chain");
    for (kind, guest) in [("batch", "reader"), ("typed", "reader-typed")] {
        for plugins in 1..=4 {
            let chain = policies.chain(guest, plugins, |_| {});
            measure(
                &mut group,
                BenchmarkId::new(kind, plugins),
                &chain,
                &Run::new(RUN, 64),
            );
        }
    }
}

/// What it costs that there are plugins, where none is asked.
fn none_asked(criterion: &mut Criterion) {
    let policies = Policies::start();
    let mut group = criterion.benchmark_group("nobody asked");
    let elsewhere = TopicFilter::new("elsewhere/#").expect("a topic filter");
    let chains = [
        ("no plugin", policies.chain("reader", 0, |_| {})),
        (
            "another topic",
            policies.chain("reader", 1, |spec| spec.topics = vec![elsewhere.clone()]),
        ),
    ];
    for (name, chain) in &chains {
        measure(
            &mut group,
            BenchmarkId::from_parameter(name),
            chain,
            &Run::new(RUN, 64),
        );
    }
}

fn authorizing(criterion: &mut Criterion) {
    let policies = Policies::start();
    let chain = policies.chain("reader", 1, |spec| spec.config = json!({"accesses": true}));
    let access = Access {
        client: ClientKey(1),
        action: Action::Publish,
        topic: TOPIC,
        qos: QoS::AtMostOnce,
        retain: false,
    };
    criterion.bench_function("authorize", |bencher| bencher.iter(|| chain.authorize(&access)));
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(3));
    targets = payloads, runs, chains, none_asked, authorizing
}
criterion_main!(benches);
