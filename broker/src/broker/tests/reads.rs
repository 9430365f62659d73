//! Reads that fail: what is there is never said to be absent, and whoever is owed it gets it in the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hookwire_hooks::{Host, KeptEntry};
use hookwire_protocol::{Delivery, DisconnectReason, PublishReason, QoS, TopicFilter};
use hookwire_store::{Faulty, Health, Memory, ReadFault, Space, Store};
use tokio::task::JoinHandle;

use super::durable::{away, broker_over, broker_that_keeps, lasting, unrecovered, until};
use super::peer::{Peer, id, topic};
use super::{AccessDecision, Action, Broker, authorizer, install};
use crate::broker::PluginAccess;
use crate::clock;
use crate::config::Config;
use crate::session::journal::keys;

/// More than are fetched at once.
const MANY: usize = 300;
/// Longer than any attempt is put off.
const LONG: Duration = Duration::from_secs(120);

/// A store in which so many messages wait for `panel`, and as many are retained.
async fn store_with(count: usize) -> Arc<Faulty<Memory>> {
    let store = Arc::new(Memory::default());
    let broker = broker_over(Arc::clone(&store) as Arc<dyn Store>);
    away(&broker, "panel", QoS::AtLeastOnce).await;
    let mut lamp = Peer::connect(&broker, "lamp").await;
    for n in 0..count {
        // Some are stored apart.
        let payload = format!("{n} {}", "x".repeat(if n % 3 == 0 { 400 } else { 0 }));
        assert_eq!(lamp.publish_acked("t", &payload).await, 0);
        lamp.retain(&format!("r/{n:03}"), &payload).await;
    }
    broker.close_store();
    Arc::new(Faulty::new(store.after_crash()))
}

fn restarted(store: &Arc<Faulty<Memory>>) -> Broker {
    broker_that_keeps(Arc::clone(store) as Arc<dyn Store>, 0)
}

/// Time that flies: whatever was put off is tried again at once.
fn hurry(broker: &Broker) -> JoinHandle<()> {
    let broker = broker.clone();
    tokio::spawn(async move {
        loop {
            broker.do_what_is_due_at(clock::now() + LONG);
            tokio::task::yield_now().await;
        }
    })
}

/// The numbers of the next messages.
async fn numbers(peer: &mut Peer, count: usize) -> Vec<usize> {
    let mut numbers = Vec::new();
    for _ in 0..count {
        let publish = peer.publish_packet().await;
        if publish.delivery.packet_id().is_some() {
            peer.acknowledge(&publish).await;
        }
        let text = String::from_utf8_lossy(&publish.payload).into_owned();
        let number = text.split(' ').next().expect("a number");
        numbers.push(number.parse().expect("a number"));
    }
    numbers
}

#[tokio::test]
async fn a_queued_message_that_cannot_be_read_is_not_lost_and_the_store_has_failed() {
    let store = store_with(3).await;
    let broker = restarted(&store);
    store.fail_reads(ReadFault::Next(2));
    let (mut panel, connack) = Peer::connect_with(&broker, lasting("panel")).await;
    assert!(connack.session_present);
    until(|| store.reads_failed() == 1).await;
    until(|| broker.store_health() == Some(Health::Failed)).await;
    panel.hears_nothing().await;
    // Nothing that would have to be kept is confirmed any more.
    let mut lamp = Peer::connect(&broker, "lamp").await;
    assert_eq!(
        lamp.publish_acked("t", "to be kept").await,
        PublishReason::QuotaExceeded.code()
    );
    // It fails once more, and then it does not.
    let hurrying = hurry(&broker);
    assert_eq!(numbers(&mut panel, 3).await, [0, 1, 2]);
    panel.hears_nothing().await;
    assert_eq!(broker.store_reads_failed(), Some(2));
    hurrying.abort();
}

#[tokio::test]
async fn whichever_reads_fail_the_whole_queue_comes_in_order() {
    for seed in 1..=8 {
        let store = store_with(MANY).await;
        let broker = restarted(&store);
        store.fail_reads(ReadFault::OneIn {
            reads: 40,
            seed: seed * 77,
        });
        let hurrying = hurry(&broker);
        let (mut panel, _) = Peer::connect_with(&broker, lasting("panel")).await;
        let came = numbers(&mut panel, MANY).await;
        assert_eq!(came, (0..MANY).collect::<Vec<_>>(), "seed {seed}");
        panel.hears_nothing().await;
        assert_eq!(
            broker.store_reads_failed(),
            Some(store.reads_failed()),
            "seed {seed}"
        );
        hurrying.abort();
    }
}

#[tokio::test]
async fn whichever_reads_fail_all_that_is_retained_comes() {
    for seed in 1..=8 {
        let store = store_with(MANY).await;
        let broker = restarted(&store);
        store.fail_reads(ReadFault::OneIn {
            reads: 40,
            seed: seed * 99,
        });
        let hurrying = hurry(&broker);
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
            let mut peer = Peer::connect(&broker, "reader").await;
            peer.subscribe_at("r/#", qos).await;
            let mut came = numbers(&mut peer, MANY).await;
            came.sort_unstable();
            assert_eq!(came, (0..MANY).collect::<Vec<_>>(), "seed {seed}");
            peer.hears_nothing().await;
            peer.disconnect(DisconnectReason::NormalDisconnection).await;
        }
        hurrying.abort();
    }
}

#[tokio::test]
async fn a_policy_that_panics_does_not_take_what_could_not_be_read_with_it() {
    const READ: usize = 10;
    let store = store_with(MANY).await;
    let broker = restarted(&store);
    let is_first = AtomicBool::new(true);
    let mut panics_once = authorizer(move |action, _| {
        let is_delivery = matches!(action, Action::Deliver);
        assert!(
            !(is_delivery && is_first.swap(false, Ordering::Relaxed)),
            "for the test"
        );
        AccessDecision::Allow
    });
    panics_once.asks_deliver = true;
    install(&broker, vec![panics_once]);
    store.fail_reads(ReadFault::After(READ as u64));
    let hurrying = hurry(&broker);
    let mut peer = Peer::connect(&broker, "reader").await;
    peer.subscribe_at("r/#", QoS::AtLeastOnce).await;
    // It was asked about those that had been read.
    numbers(&mut peer, MANY - READ).await;
    peer.hears_nothing().await;
    hurrying.abort();
}

#[tokio::test]
async fn what_could_not_be_read_waits_for_a_client_that_has_gone() {
    let store = store_with(MANY).await;
    let broker = restarted(&store);
    store.fail_reads(ReadFault::Next(1));
    let (mut other, _) = Peer::connect_with(&broker, lasting("other")).await;
    other.ask_to_subscribe("r/#", QoS::AtLeastOnce).await;
    until(|| store.reads_failed() == 1).await;
    other.disconnect(DisconnectReason::NormalDisconnection).await;
    assert!(!broker.has_replayed(), "a stop waits for it");
    let hurrying = hurry(&broker);
    until(|| broker.has_replayed()).await;
    hurrying.abort();
    let (mut other, connack) = Peer::connect_with(&broker, lasting("other")).await;
    assert!(connack.session_present);
    let mut came = numbers(&mut other, MANY).await;
    came.sort_unstable();
    assert_eq!(came, (0..MANY).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_client_that_went_and_came_back_gets_what_could_not_be_read() {
    let store = store_with(MANY).await;
    let broker = restarted(&store);
    store.fail_reads(ReadFault::OneIn { reads: 2, seed: 5 });
    for _ in 0..5 {
        let (panel, _) = Peer::connect_with(&broker, lasting("panel")).await;
        panel.disconnect(DisconnectReason::NormalDisconnection).await;
        broker.do_what_is_due_at(clock::now() + LONG);
    }
    store.heal_reads();
    let hurrying = hurry(&broker);
    let (mut panel, _) = Peer::connect_with(&broker, lasting("panel")).await;
    assert_eq!(numbers(&mut panel, MANY).await, (0..MANY).collect::<Vec<_>>());
    hurrying.abort();
}

#[tokio::test]
async fn a_right_that_was_taken_away_meanwhile_is_asked_about_when_it_can_be_read() {
    let store = store_with(3).await;
    let broker = restarted(&store);
    store.fail_reads(ReadFault::Next(1));
    let (mut panel, _) = Peer::connect_with(&broker, lasting("panel")).await;
    until(|| store.reads_failed() == 1).await;
    let mut denies = authorizer(|action, _| match action {
        Action::Deliver => AccessDecision::Deny(None),
        _ => AccessDecision::Allow,
    });
    denies.asks_deliver = true;
    install(&broker, vec![denies]);
    let hurrying = hurry(&broker);
    let panel_waits = || {
        broker
            .clients()
            .iter()
            .any(|client| client.session().queued() > 0)
    };
    until(|| !panel_waits()).await;
    panel.hears_nothing().await;
    hurrying.abort();
}

#[tokio::test]
async fn plugins_are_not_told_that_what_cannot_be_read_is_not_there() {
    let store = store_with(3).await;
    let broker = restarted(&store);
    let access = PluginAccess::default();
    access.connect(&broker);
    let filter = TopicFilter::new("r/#").expect("a filter");
    let amount = hookwire_hooks::RetainedAmount {
        count: 9,
        bytes: usize::MAX,
    };
    store.fail_reads(ReadFault::Next(2));
    access.retained(&topic("r/001")).expect_err("it cannot be read");
    access
        .retained_matching(&filter, None, amount)
        .expect_err("one cannot be read");
    let read = access.retained(&topic("r/001")).expect("it can be read");
    assert!(read.is_some());
    let found = access.retained_matching(&filter, None, amount);
    assert_eq!(found.expect("all can be read").len(), 3);
    let none = access.retained(&topic("r/9")).expect("there is nothing to read");
    assert!(none.is_none());
    assert_eq!(broker.store_health(), Some(Health::Failed));
}

#[tokio::test]
async fn the_store_of_a_plugin_that_cannot_be_read_is_not_empty() {
    let memory = Arc::new(Memory::default());
    let broker = broker_over(Arc::clone(&memory) as Arc<dyn Store>);
    let entry = KeptEntry {
        value: b"1".to_vec(),
        is_number: false,
        ends: None,
    };
    broker.keep_entry("counter", "key", Some(entry));
    broker.close_store();
    let store = Arc::new(Faulty::new(memory.after_crash()));
    let broker = restarted(&store);
    store.fail_reads(ReadFault::Next(1));
    broker.kept_entries("counter").expect_err("it cannot be read");
    assert_eq!(broker.kept_entries("counter").expect("it can be read").len(), 1);
}

/// A start does not take what it cannot read for a damaged record either.
#[tokio::test]
async fn a_start_says_what_the_system_says() {
    let memory = Arc::new(Memory::default());
    let broker = broker_over(Arc::clone(&memory) as Arc<dyn Store>);
    let (mut member, _) = Peer::connect_with(&broker, lasting("member")).await;
    member.subscribe("$share/g/t").await;
    member.disconnect(DisconnectReason::NormalDisconnection).await;
    let mut lamp = Peer::connect(&broker, "lamp").await;
    lamp.publish_acked("t", &"x".repeat(1000)).await;
    broker.close_store();
    let store = Arc::new(Apart(memory.after_crash()));
    let broker = unrecovered(store, 0, &Config::default());
    let error = broker
        .recover(clock::now())
        .expect_err("a message cannot be read");
    assert!(!error.is_damage(), "{error}");
}

/// A store that does not give messages that are stored apart.
#[derive(Debug)]
struct Apart(Memory);

impl Store for Apart {
    fn commit(&self, batch: &hookwire_store::Batch, sync: bool) -> Result<(), hookwire_store::StoreError> {
        self.0.commit(batch, sync)
    }

    fn sync(&self) -> Result<(), hookwire_store::StoreError> {
        self.0.sync()
    }

    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, hookwire_store::StoreError> {
        match space {
            Space::Message => Err(std::io::Error::other("cannot read").into()),
            _ => self.0.get(space, key),
        }
    }

    fn scan(
        &self,
        space: Space,
        prefix: &[u8],
        visit: &mut hookwire_store::Visit<'_>,
    ) -> Result<(), hookwire_store::StoreError> {
        self.0.scan(space, prefix, visit)
    }

    fn mark(&self) -> Result<(), hookwire_store::StoreError> {
        self.0.mark()
    }

    fn room(&self) -> Result<hookwire_store::Room, hookwire_store::StoreError> {
        self.0.room()
    }

    fn reopen(&self) -> Result<(), hookwire_store::StoreError> {
        self.0.reopen()
    }
}

/// What is damaged stays so: it is named, counted, and does not hold up what waits behind it.
#[tokio::test]
async fn a_damaged_message_holds_up_nothing_and_fails_no_store() {
    let store = store_with(5).await;
    let mut second = None;
    store
        .scan(Space::Queue, &[], &mut |key, _| {
            let (number, _) = keys::split(key).expect("a place");
            second = Some((number, key.to_vec()));
            if key.ends_with(&2_u64.to_be_bytes()) {
                std::ops::ControlFlow::Break(())
            } else {
                std::ops::ControlFlow::Continue(())
            }
        })
        .expect("scans");
    let (_, key) = second.expect("there is one");
    let broker = restarted(&store);
    let mut damaged = hookwire_store::Batch::default();
    damaged.put(Space::Queue, hookwire_store::Key::from_slice(&key), vec![1, 2, 3]);
    store.commit(&damaged, true).expect("commits");
    let (mut panel, _) = Peer::connect_with(&broker, lasting("panel")).await;
    assert_eq!(numbers(&mut panel, 4).await, [0, 2, 3, 4]);
    assert_eq!(broker.store_reads_failed(), Some(1));
    assert_eq!(broker.store_health(), Some(Health::Good));
    let mut lamp = Peer::connect(&broker, "lamp").await;
    lamp.publish("t", "5 live", Delivery::AtLeastOnce(id(1))).await;
    assert_eq!(numbers(&mut panel, 1).await, [5]);
}
