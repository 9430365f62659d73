//! Retained messages of which the store has a copy, and memory only some.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use hookwire_hooks::{Message, RetainedAmount, Source};
use hookwire_protocol::{PublishTopic, QoS, TopicFilter};
use hookwire_store::{Batch, Health, Key, Memory, Room, Space, Store, StoreError, Visit};
use parking_lot::Mutex;

use super::durable::{broker_that_keeps, lasting, until};
use super::paths::admin_message;
use super::peer::topic;
use super::*;
use crate::broker::Client;
use crate::clock;

/// As many as no chunk of what is read at once takes in.
const MANY: usize = 300;

/// A store with `count` retained messages: `r/0` with the payload 0, and so on.
async fn store_with(count: usize) -> Memory {
    let store = Arc::new(Memory::default());
    let broker = broker_that_keeps(Arc::clone(&store) as Arc<dyn Store>, 0);
    let mut peer = Peer::connect(&broker, "publisher").await;
    for n in 0..count {
        peer.retain(&format!("r/{n}"), &n.to_string()).await;
    }
    broker.close_store();
    store.after_crash()
}

fn expected(count: usize) -> BTreeMap<String, String> {
    (0..count).map(|n| (format!("r/{n}"), n.to_string())).collect()
}

async fn heard(peer: &mut Peer, count: usize) -> BTreeMap<String, String> {
    let mut heard = BTreeMap::new();
    for _ in 0..count {
        let publish = peer.publish_packet().await;
        if publish.delivery.packet_id().is_some() {
            peer.acknowledge(&publish).await;
        }
        let PublishTopic::Name { topic, .. } = publish.topic else {
            panic!("a topic has no alias here");
        };
        let payload = String::from_utf8_lossy(&publish.payload).into_owned();
        let earlier = heard.insert(topic.to_string(), payload);
        assert_eq!(earlier, None, "each comes once");
    }
    peer.hears_nothing().await;
    heard
}

#[tokio::test]
async fn what_only_the_store_has_comes_as_what_is_in_memory() {
    for (bytes, qos) in [
        (0, QoS::AtLeastOnce),
        (10_000, QoS::AtMostOnce),
        (1 << 20, QoS::AtLeastOnce),
    ] {
        let broker = broker_that_keeps(Arc::new(store_with(MANY).await), bytes);
        for id in ["first", "second"] {
            let mut peer = Peer::connect(&broker, id).await;
            peer.subscribe_at("r/#", qos).await;
            assert_eq!(heard(&mut peer, MANY).await, expected(MANY), "{bytes}");
        }
    }
}

/// Whatever is replaced and cleared and in which of its places a message is: a new subscription brings the last of each topic.
#[tokio::test]
async fn new_subscriptions_agree_with_a_model() {
    let mut random = 1_u64;
    let mut next = move |below: u64| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    let mut store = Arc::new(Memory::default());
    let mut model = BTreeMap::new();
    for start in 0..8 {
        // Nothing, two, or all of them.
        let bytes = [0, 600, 1 << 20][start % 3];
        let broker = broker_that_keeps(Arc::clone(&store) as Arc<dyn Store>, bytes);
        let mut publisher = Peer::connect(&broker, "publisher").await;
        for step in 0..40 {
            let name = format!("a/{}", next(6));
            if next(4) == 0 {
                publisher.retain(&name, "").await;
                model.remove(&name);
            } else {
                let payload = format!("{start}-{step}");
                publisher.retain(&name, &payload).await;
                model.insert(name, payload);
            }
            if next(4) == 0 {
                let mut peer = Peer::connect(&broker, &format!("reader-{step}")).await;
                peer.subscribe_at("a/+", QoS::AtLeastOnce).await;
                assert_eq!(heard(&mut peer, model.len()).await, model);
                peer.disconnect(DisconnectReason::NormalDisconnection).await;
            }
        }
        assert_eq!(broker.0.router.retained_amount().0, model.len());
        broker.close_store();
        store = Arc::new(store.after_crash());
    }
}

#[tokio::test]
async fn what_had_not_come_when_its_client_went_waits_for_it() {
    let broker = broker_that_keeps(Arc::new(store_with(MANY).await), 0);
    let (mut peer, _) = Peer::connect_with(&broker, lasting("panel")).await;
    peer.ask_to_subscribe("r/#", QoS::AtLeastOnce).await;
    peer.disconnect(DisconnectReason::NormalDisconnection).await;
    let panel = || broker.clients().into_iter().find(|client| client.is_durable());
    until(|| {
        panel().is_some_and(|client| {
            let session = client.session();
            session.queued() + session.inflight() >= MANY
        })
    })
    .await;
    let (mut peer, connack) = Peer::connect_with(&broker, lasting("panel")).await;
    assert!(connack.session_present);
    assert_eq!(heard(&mut peer, MANY).await, expected(MANY));
}

#[tokio::test]
async fn a_broker_that_stops_knows_what_is_on_its_way_to_sessions() {
    let store = Meddled::new(store_with(MANY).await, b"r/0");
    let broker = broker_that_keeps(Arc::clone(&store) as Arc<dyn Store>, 0);
    let (go_on, held_up) = std::sync::mpsc::channel::<()>();
    store.meanwhile(move || held_up.recv().expect("the test goes on"));
    let (mut peer, _) = Peer::connect_with(&broker, lasting("panel")).await;
    peer.ask_to_subscribe("r/#", QoS::AtLeastOnce).await;
    peer.disconnect(DisconnectReason::NormalDisconnection).await;
    let is_online = |client: Arc<Client>| client.session().is_online();
    until(|| !broker.clients().into_iter().any(is_online)).await;
    assert!(!broker.has_replayed());
    go_on.send(()).expect("it is being read");
    until(|| broker.has_replayed()).await;
    broker.close_store();
    let broker = broker_that_keeps(Arc::new(store.inner.after_crash()), 0);
    let (mut peer, connack) = Peer::connect_with(&broker, lasting("panel")).await;
    assert!(connack.session_present);
    assert_eq!(heard(&mut peer, MANY).await, expected(MANY));
}

fn asked(authorize: impl Fn(&str) -> AccessDecision + Send + Sync + 'static) -> Policy {
    let decide = move |(action, topic): (Action, String)| match action {
        Action::Deliver => Ok(authorize(&topic)),
        _ => Ok(AccessDecision::Allow),
    };
    Policy {
        name: "asked",
        authorize: Some(Box::new(decide)),
        asks_deliver: true,
        ..Policy::default()
    }
}

#[tokio::test]
async fn a_policy_that_comes_into_force_while_another_is_asked_decides() {
    let broker = broker_that_keeps(Arc::new(store_with(MANY).await), 0);
    let (replacing, is_replaced) = (broker.clone(), Mutex::new(false));
    let strict = |topic: &str| match topic {
        "r/7" | "r/8" => AccessDecision::Allow,
        _ => AccessDecision::Deny(None),
    };
    let lax = move |_: &str| {
        if !std::mem::replace(&mut *is_replaced.lock(), true) {
            install(&replacing, vec![asked(strict)]);
        }
        AccessDecision::Allow
    };
    install(&broker, vec![asked(lax)]);
    let mut peer = Peer::connect(&broker, "reader").await;
    peer.subscribe_at("r/#", QoS::AtLeastOnce).await;
    let heard = heard(&mut peer, 2).await;
    assert!(
        heard.contains_key("r/7") && heard.contains_key("r/8"),
        "{heard:?}"
    );
}

#[tokio::test]
async fn a_policy_that_panics_does_not_keep_retained_messages_from_others() {
    let broker = broker_that_keeps(Arc::new(store_with(MANY).await), 0);
    let has_panicked = Mutex::new(false);
    let panics_once = move |_: &str| {
        let has_panicked = std::mem::replace(&mut *has_panicked.lock(), true);
        assert!(has_panicked, "for the test");
        AccessDecision::Allow
    };
    install(&broker, vec![asked(panics_once)]);
    let mut peer = Peer::connect(&broker, "unlucky").await;
    peer.subscribe_at("r/#", QoS::AtLeastOnce).await;
    // The first that were read are gone, those behind them come.
    assert_eq!(heard(&mut peer, MANY - 128).await.len(), MANY - 128);
    let mut peer = Peer::connect(&broker, "lucky").await;
    peer.subscribe_at("r/#", QoS::AtLeastOnce).await;
    assert_eq!(heard(&mut peer, MANY).await, expected(MANY));
}

#[tokio::test]
async fn a_damaged_record_is_not_sent_and_the_others_are() {
    let store = Arc::new(store_with(3).await);
    let broker = broker_that_keeps(Arc::clone(&store) as Arc<dyn Store>, 0);
    let mut damaged = Batch::default();
    damaged.put(Space::Retained, Key::from_slice(b"r/1"), vec![1, 2, 3]);
    store.commit(&damaged, true).expect("commits");
    let mut peer = Peer::connect(&broker, "reader").await;
    peer.subscribe_at("#", QoS::AtLeastOnce).await;
    let mut others = expected(3);
    others.remove("r/1");
    assert_eq!(heard(&mut peer, 2).await, others);
    let now = clock::now();
    // Nobody is told that there is none.
    let error = broker
        .retained_message(&topic("r/1"), now)
        .expect_err("is damaged");
    assert!(error.is_damage(), "{error}");
    let filter = TopicFilter::new("r/+").expect("a filter");
    broker
        .retained_messages(&filter, None, at_most(9), now)
        .expect_err("one is damaged");
    assert_eq!(broker.store_reads_failed(), Some(3));
    assert_eq!(broker.store_health(), Some(Health::Good), "the others are good");
}

fn at_most(count: usize) -> RetainedAmount {
    RetainedAmount {
        count,
        bytes: usize::MAX,
    }
}

#[tokio::test]
async fn a_list_ends_with_the_first_message_that_is_too_much() {
    let broker = broker_that_keeps(Arc::new(store_with(9).await), 0);
    let filter = TopicFilter::new("r/+").expect("a filter");
    // Each has a topic of three bytes, and a payload of one.
    for (bytes, count) in [(0, 1), (11, 3), (12, 4), (1000, 9)] {
        let amount = RetainedAmount { count: 9, bytes };
        let found = broker.retained_messages(&filter, None, amount, clock::now());
        let found = found.expect("all can be read");
        assert_eq!(found.len(), count, "{bytes}");
    }
}

#[tokio::test]
async fn plugins_find_what_only_the_store_has() {
    let broker = broker_that_keeps(Arc::new(store_with(30).await), 0);
    let now = clock::now();
    let payload = |message: Arc<Message>| String::from_utf8_lossy(&message.payload).into_owned();
    let found = broker
        .retained_message(&topic("r/7"), now)
        .expect("it can be read");
    assert_eq!(found.map(payload).as_deref(), Some("7"));
    let filter = TopicFilter::new("r/+").expect("a filter");
    let found = broker.retained_messages(&filter, Some("r/2"), at_most(3), now);
    let found = found.expect("all can be read");
    let payloads: Vec<_> = found.into_iter().map(payload).collect();
    assert_eq!(payloads, ["20", "21", "22"]);
}

/// A store in which something happens while a record is read, once.
struct Meddled {
    inner: Memory,
    key: &'static [u8],
    meanwhile: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Meddled {
    fn new(inner: Memory, key: &'static [u8]) -> Arc<Self> {
        Arc::new(Self {
            inner,
            key,
            meanwhile: Mutex::new(None),
        })
    }

    fn meanwhile(&self, step: impl FnOnce() + Send + 'static) {
        *self.meanwhile.lock() = Some(Box::new(step));
    }
}

impl fmt::Debug for Meddled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meddled").finish_non_exhaustive()
    }
}

impl Store for Meddled {
    fn commit(&self, batch: &Batch, sync: bool) -> Result<(), StoreError> {
        self.inner.commit(batch, sync)
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.inner.sync()
    }

    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let value = self.inner.get(space, key);
        if space == Space::Retained && key == self.key {
            let step = self.meanwhile.lock().take();
            if let Some(step) = step {
                step();
            }
        }
        value
    }

    fn scan(&self, space: Space, prefix: &[u8], visit: &mut Visit<'_>) -> Result<(), StoreError> {
        self.inner.scan(space, prefix, visit)
    }

    fn mark(&self) -> Result<(), StoreError> {
        self.inner.mark()
    }

    fn room(&self) -> Result<Room, StoreError> {
        self.inner.room()
    }

    fn reopen(&self) -> Result<(), StoreError> {
        self.inner.reopen()
    }
}

fn replace(broker: &Broker, topic_name: &str, payload: &str) {
    let limits = broker.settings().retained_limits();
    let message = Arc::new(admin_message(topic_name, payload));
    let replaced = broker.0.router.retain(&message, &limits, |replacement| {
        broker.record_retained(&message, None, replacement);
    });
    replaced.expect("room");
}

#[tokio::test]
async fn a_list_has_no_gap_where_something_changes() {
    let store = Meddled::new(store_with(6).await, b"r/1");
    let broker = broker_that_keeps(Arc::clone(&store) as Arc<dyn Store>, 0);
    let meddling = broker.clone();
    store.meanwhile(move || {
        replace(&meddling, "r/1", "");
        replace(&meddling, "r/2", "");
        replace(&meddling, "r/3", "new");
    });
    let filter = TopicFilter::new("r/+").expect("a filter");
    let list = |after| -> Vec<_> {
        let found = broker.retained_messages(&filter, after, at_most(3), clock::now());
        let found = found.expect("all can be read");
        let payload = |message: Arc<Message>| String::from_utf8_lossy(&message.payload).into_owned();
        found.into_iter().map(payload).collect()
    };
    assert_eq!(list(None), ["0", "new", "4"]);
    assert_eq!(list(Some("r/4")), ["5"]);
    assert!(list(Some("r/5")).is_empty());
}

#[tokio::test]
async fn a_message_that_is_read_back_is_its_publishers() {
    let broker = broker_that_keeps(Arc::new(Memory::default()), 0);
    let mut peer = Peer::connect(&broker, "publisher").await;
    peer.retain("r/0", "0").await;
    // Makes the one before it leave.
    peer.retain("r/1", "1").await;
    let now = clock::now();
    let copy = broker
        .0
        .router
        .retained_of(&topic("r/0"), now)
        .expect("it is retained");
    until(|| {
        replace(&broker, "r/1", "1");
        !copy.is_loaded()
    })
    .await;
    let read = broker.read_retained(&copy, now).expect("the store can be read");
    let read = read.expect("it is retained");
    let publisher = broker.clients().first().expect("it is connected").key();
    assert_eq!(read.source, Source::Client(publisher));
}

/// What is asked for all the time stays, whatever else is read.
#[tokio::test]
async fn memory_is_for_what_is_asked_for() {
    let broker = broker_that_keeps(Arc::new(store_with(MANY).await), 3_000);
    let now = clock::now();
    let copy = |name: &str| {
        broker
            .0
            .router
            .retained_of(&topic(name), now)
            .expect("it is retained")
    };
    for n in 1..MANY {
        for name in ["r/0".to_owned(), format!("r/{n}")] {
            let read = broker.retained_message(&topic(&name), now);
            assert!(read.expect("it can be read").is_some());
        }
        assert!(n < 2 || copy("r/0").is_loaded(), "{n}");
    }
    let loaded = (0..MANY).filter(|n| copy(&format!("r/{n}")).is_loaded()).count();
    assert!((5..15).contains(&loaded), "{loaded}");
}

#[tokio::test]
async fn a_message_that_is_too_large_for_memory_pushes_out_nothing() {
    let broker = broker_that_keeps(Arc::new(Memory::default()), 3_000);
    let mut peer = Peer::connect(&broker, "publisher").await;
    let copy = |name: &str| {
        let copy = broker.0.router.retained_of(&topic(name), clock::now());
        copy.expect("it is retained")
    };
    for n in 0..5 {
        peer.retain(&format!("r/{n}"), "small").await;
    }
    peer.retain("large", &"x".repeat(4_000)).await;
    let large = copy("large");
    until(|| {
        replace(&broker, "r/0", "small");
        !large.is_loaded()
    })
    .await;
    for n in 0..5 {
        assert!(copy(&format!("r/{n}")).is_loaded(), "{n}");
    }
    let read = broker.retained_message(&topic("large"), clock::now());
    let read = read.expect("it can be read").expect("it is retained");
    assert_eq!(read.payload.len(), 4_000);
    assert!(!large.is_loaded());
}

/// Else each would hold on to a whole read buffer for as long as it stays.
#[tokio::test]
async fn retained_messages_have_memory_of_their_own() {
    let broker = broker();
    let mut peer = Peer::connect(&broker, "publisher").await;
    // In one piece, and so in one read buffer.
    peer.send_bytes(b"\x31\x05\0\x01r\0a\x31\x05\0\x01s\0b").await;
    peer.subscribe("r").await;
    assert_eq!(peer.message().await, ("r".to_owned(), "a".to_owned()));
    for name in ["r", "s"] {
        let kept = broker.0.router.retained_of(&topic(name), clock::now());
        let message = kept.and_then(|copy| copy.message()).expect("it is in memory");
        assert!(message.payload.is_unique(), "{name}");
    }
}
