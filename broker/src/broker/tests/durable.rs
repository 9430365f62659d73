//! What waits for the store, what does not, and what becomes of it when the store fails.

use std::sync::Arc;

use hookwire_protocol::{
    Connect, ConnectReason, Delivery, DisconnectReason, Packet, PublishReason, QoS, SubscribeReason,
};
use hookwire_store::{
    Batch, Committer, CommitterSettings, Durability, Fault, Faulty, Health, Memory, Room, Space, Store,
    StoreError, Visit,
};
use parking_lot::{Condvar, Mutex};

use super::paths::admin_message;
use super::peer::{PIPE_BYTES, Peer, connect_as, id};
use crate::broker::{Broker, Settings};
use crate::clock;
use crate::config::Config;

/// A store whose commits can be held up.
#[derive(Debug, Default)]
struct Gate {
    inner: Memory,
    is_closed: Mutex<bool>,
    opened: Condvar,
    commits: Mutex<usize>,
}

impl Gate {
    fn close(&self) {
        *self.is_closed.lock() = true;
    }

    fn open(&self) {
        *self.is_closed.lock() = false;
        self.opened.notify_all();
    }

    fn commits(&self) -> usize {
        *self.commits.lock()
    }
}

impl Store for Gate {
    fn commit(&self, batch: &Batch, sync: bool) -> Result<(), StoreError> {
        *self.commits.lock() += 1;
        let mut is_closed = self.is_closed.lock();
        while *is_closed {
            self.opened.wait(&mut is_closed);
        }
        self.inner.commit(batch, sync)
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.inner.sync()
    }

    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.get(space, key)
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

/// A broker over this store, with what is in it. The clock runs: the store has a thread of its own, which no pause stops.
pub(super) fn broker_over(store: Arc<dyn Store>) -> Broker {
    broker_that_keeps(store, 1 << 20)
}

/// The same with so many bytes of retained messages in memory.
pub(super) fn broker_that_keeps(store: Arc<dyn Store>, retained_bytes: usize) -> Broker {
    broker_with_store(store, retained_bytes, |_| {})
}

/// The same, configured.
pub(super) fn broker_with_store(
    store: Arc<dyn Store>,
    retained_bytes: usize,
    change: impl FnOnce(&mut Config),
) -> Broker {
    let mut config = Config::default();
    change(&mut config);
    let broker = unrecovered(store, retained_bytes, &config);
    broker.recover(clock::now()).expect("a good store");
    let serving = broker.clone();
    tokio::spawn(async move { serving.serve().await });
    broker
}

/// The same with nothing of what is in the store.
pub(super) fn unrecovered(store: Arc<dyn Store>, retained_bytes: usize, config: &Config) -> Broker {
    let settings = CommitterSettings {
        durability: Durability::Always,
        bytes_max: u64::MAX,
        free_bytes_min: 1,
    };
    let committer = Committer::start(store, settings).expect("a thread");
    Broker::with_store(Settings::from(config), Arc::new(committer), retained_bytes).expect("threads")
}

pub(super) fn lasting(client_id: &str) -> Connect {
    let mut connect = connect_as(client_id);
    connect.clean_start = false;
    connect.properties.session_expiry_interval = Some(3600);
    connect
}

/// A session that waits for messages to `t`, its client away.
pub(super) async fn away(broker: &Broker, client_id: &str, qos: QoS) {
    let (mut peer, _) = Peer::connect_with(broker, lasting(client_id)).await;
    peer.subscribe_at("t", qos).await;
    peer.disconnect(DisconnectReason::NormalDisconnection).await;
}

async fn payloads(broker: &Broker, client_id: &str, count: usize) -> Vec<String> {
    let (mut peer, connack) = Peer::connect_with(broker, lasting(client_id)).await;
    assert!(connack.session_present);
    let mut payloads = Vec::new();
    for _ in 0..count {
        payloads.push(peer.message().await.1);
    }
    peer.hears_nothing().await;
    payloads
}

pub(super) async fn until(mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_acknowledgement_waits_for_the_store_and_nothing_else_does() {
    let store = Arc::new(Gate::default());
    let broker = broker_over(Arc::clone(&store) as Arc<dyn Store>);
    away(&broker, "panel", QoS::AtLeastOnce).await;
    let mut lamp = Peer::connect(&broker, "lamp").await;
    let mut live = Peer::connect(&broker, "live").await;
    live.subscribe("#").await;
    store.close();
    lamp.publish("t", "kept", Delivery::AtLeastOnce(id(1))).await;
    assert_eq!(live.message().await.1, "kept", "who is there gets it at once");
    lamp.hears_nothing().await;
    // What nobody has to keep is answered, though it comes later.
    let mut other = Peer::connect(&broker, "other").await;
    assert_eq!(other.publish_acked("u", "not kept").await, 0);
    store.open();
    assert!(matches!(lamp.next().await, Some(Packet::Puback(_))));
    assert_eq!(payloads(&broker, "panel", 1).await, ["kept"]);
}

#[tokio::test]
async fn an_administrators_message_waits_for_the_store_too() {
    let store = Arc::new(Gate::default());
    let broker = broker_over(Arc::clone(&store) as Arc<dyn Store>);
    away(&broker, "panel", QoS::AtLeastOnce).await;
    let publish = |payload: &'static str| {
        let broker = broker.clone();
        let message = admin_message("t", payload);
        async move {
            let step = async { broker.publish_as_admin(clock::now(), message) };
            broker.safely(step).await.1
        }
    };
    store.close();
    let waits = tokio::spawn(publish("kept"));
    let mut passer_by = Peer::connect(&broker, "passer-by").await;
    passer_by.hears_nothing().await;
    assert!(!waits.is_finished());
    store.open();
    assert!(waits.await.expect("no panic"));
    assert_eq!(payloads(&broker, "panel", 1).await, ["kept"]);

    let failing = Arc::new(Faulty::new(Memory::default()));
    let broker = broker_over(Arc::clone(&failing) as Arc<dyn Store>);
    away(&broker, "panel", QoS::AtLeastOnce).await;
    failing.fail_after(0, Fault::Sync);
    let step = async { broker.publish_as_admin(clock::now(), admin_message("t", "never safe")) };
    assert!(!broker.safely(step).await.1);
    let step = async { broker.publish_as_admin(clock::now(), admin_message("nobody", "nothing to keep")) };
    assert!(broker.safely(step).await.1, "it waits for nothing");
}

#[tokio::test]
async fn answers_keep_their_order() {
    let store = Arc::new(Gate::default());
    let broker = broker_over(Arc::clone(&store) as Arc<dyn Store>);
    away(&broker, "panel", QoS::AtLeastOnce).await;
    let mut lamp = Peer::connect(&broker, "lamp").await;
    store.close();
    lamp.publish("t", "kept", Delivery::AtLeastOnce(id(1))).await;
    lamp.publish("nobody", "not kept", Delivery::AtLeastOnce(id(2)))
        .await;
    lamp.hears_nothing().await;
    store.open();
    for expected in [1, 2] {
        match lamp.next().await {
            Some(Packet::Puback(puback)) => assert_eq!(puback.packet_id, id(expected)),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn what_nobody_has_to_keep_costs_no_write() {
    let store = Arc::new(Gate::default());
    let broker = broker_over(Arc::clone(&store) as Arc<dyn Store>);
    let mut live = Peer::connect(&broker, "live").await;
    live.subscribe_at("t", QoS::ExactlyOnce).await;
    let mut lamp = Peer::connect(&broker, "lamp").await;
    lamp.publish("t", "0", Delivery::AtMostOnce).await;
    assert_eq!(lamp.publish_acked("t", "1").await, 0);
    for expected in ["0", "1"] {
        assert_eq!(live.message().await.1, expected);
    }
    live.disconnect(DisconnectReason::NormalDisconnection).await;
    broker.close_store();
    assert_eq!(store.commits(), 0);
}

#[tokio::test]
async fn a_message_that_arrives_before_its_batch_is_written_costs_no_write() {
    let store = Arc::new(Gate::default());
    let broker = broker_over(Arc::clone(&store) as Arc<dyn Store>);
    away(&broker, "busy", QoS::AtLeastOnce).await;
    let (mut panel, _) = Peer::connect_with(&broker, lasting("panel")).await;
    panel.subscribe_at("u", QoS::AtLeastOnce).await;
    let mut lamp = Peer::connect(&broker, "lamp").await;
    // The store is busy with something else.
    let before = store.commits();
    store.close();
    lamp.publish("t", "kept", Delivery::AtLeastOnce(id(1))).await;
    until(|| store.commits() > before).await;
    let mut quick = Peer::connect(&broker, "quick").await;
    quick.publish("u", "x", Delivery::AtLeastOnce(id(1))).await;
    let publish = panel.publish_packet().await;
    panel.acknowledge(&publish).await;
    panel.hears_nothing().await;
    quick.hears_nothing().await;
    store.open();
    assert!(matches!(quick.next().await, Some(Packet::Puback(_))));
    broker.close_store();
    let mut queued = 0;
    store
        .scan(Space::Queue, &[], &mut |_, _| {
            queued += 1;
            std::ops::ControlFlow::Continue(())
        })
        .expect("scans");
    assert_eq!(queued, 1, "only what waits for the busy one");
}

/// A client whose new session the store has not taken yet.
async fn held_up() -> (Arc<Gate>, Broker, Peer) {
    let store = Arc::new(Gate::default());
    let broker = broker_over(Arc::clone(&store) as Arc<dyn Store>);
    store.close();
    let panel = Peer::dial(&broker, lasting("panel")).await;
    let mut lamp = Peer::connect(&broker, "lamp").await;
    lamp.hears_nothing().await;
    (store, broker, panel)
}

#[tokio::test]
async fn a_new_session_is_there_before_its_client_hears_of_it() {
    let (store, _broker, mut panel) = held_up().await;
    assert!(store.inner.is_empty());
    store.open();
    assert!(!panel.connack().await.reason.is_error());
    assert!(!store.inner.is_empty());
}

/// [MQTT-3.2.0-1]
#[tokio::test]
async fn whoever_is_sent_away_before_its_session_is_safe_hears_the_connack_first() {
    let (store, broker, mut panel) = held_up().await;
    broker.close_all();
    assert!(!panel.connack().await.reason.is_error());
    let last = panel.next().await;
    assert!(matches!(last, Some(Packet::Disconnect(_))), "{last:?}");
    store.open();
}

/// Answers that wait for the store count towards what waits for a client, which is not read from while that is too much.
#[tokio::test]
async fn whoever_waits_for_the_store_is_not_read_from_without_end() {
    let store = Arc::new(Gate::default());
    let broker = broker_with_store(Arc::clone(&store) as Arc<dyn Store>, 1 << 20, |config| {
        config.limits.outbox_bytes_max = 64 * 1024;
    });
    away(&broker, "panel", QoS::AtLeastOnce).await;
    let mut lamp = Peer::connect(&broker, "lamp").await;
    store.close();
    lamp.publish("t", "kept", Delivery::AtLeastOnce(id(1))).await;
    // PUBLISH with QoS 1 to `u`, which nobody has subscribed to.
    let messages = [0x32, 6, 0, 1, b'u', 0, 2, 0].repeat(PIPE_BYTES / 2);
    let writing = tokio::spawn(async move { lamp.send_bytes(&messages).await });
    for _ in 0..100_000 {
        tokio::task::yield_now().await;
    }
    assert!(!writing.is_finished());
    writing.abort();
    store.open();
}

#[tokio::test]
async fn a_qos_2_message_is_sent_once_it_is_safe() {
    let store = Arc::new(Gate::default());
    let broker = broker_over(Arc::clone(&store) as Arc<dyn Store>);
    let (mut panel, _) = Peer::connect_with(&broker, lasting("panel")).await;
    panel.subscribe_at("t", QoS::ExactlyOnce).await;
    let mut lamp = Peer::connect(&broker, "lamp").await;
    store.close();
    lamp.publish("t", "2", Delivery::ExactlyOnce(id(1))).await;
    lamp.publish("t", "1", Delivery::AtLeastOnce(id(2))).await;
    assert_eq!(
        panel.message().await.1,
        "1",
        "it may come twice, so it need not wait"
    );
    panel.hears_nothing().await;
    store.open();
    assert_eq!(panel.message().await.1, "2");
}

/// The process dies with the n-th commit, before it or after it: whoever was told that a message is safe finds it.
#[tokio::test]
async fn whichever_commit_fails_what_was_acknowledged_is_there() {
    for fault in [Fault::Write, Fault::Sync] {
        for good in 0..14 {
            let store = Arc::new(Faulty::new(Memory::default()));
            let broker = broker_over(Arc::clone(&store) as Arc<dyn Store>);
            away(&broker, "panel", QoS::ExactlyOnce).await;
            let mut lamp = Peer::connect(&broker, "lamp").await;
            store.fail_after(good, fault);
            let mut acknowledged = 0;
            for number in 0..8_u16 {
                let payload = format!("{number} {}", "x".repeat(usize::from(number) * 100));
                let delivery = if number % 2 == 0 {
                    Delivery::AtLeastOnce(id(number + 1))
                } else {
                    Delivery::ExactlyOnce(id(number + 1))
                };
                lamp.publish("t", &payload, delivery).await;
                match lamp.next().await {
                    Some(Packet::Puback(puback)) if !puback.reason.is_error() => acknowledged += 1,
                    Some(Packet::Pubrec(pubrec)) if !pubrec.reason.is_error() => acknowledged += 1,
                    _ => break,
                }
            }
            let again = broker_over(Arc::new(store.inner().after_crash()));
            let (mut panel, connack) = Peer::connect_with(&again, lasting("panel")).await;
            assert!(connack.session_present);
            for number in 0..acknowledged {
                let (_, payload) = panel.message().await;
                assert!(
                    payload.starts_with(&format!("{number} ")),
                    "{fault:?} after {good}: {payload}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_store_that_failed_confirms_nothing_and_the_rest_goes_on() {
    let store = Arc::new(Faulty::new(Memory::default()));
    let broker = broker_over(Arc::clone(&store) as Arc<dyn Store>);
    away(&broker, "panel", QoS::AtLeastOnce).await;
    let mut live = Peer::connect(&broker, "live").await;
    live.subscribe("#").await;
    let mut lamp = Peer::connect(&broker, "lamp").await;
    store.fail_after(0, Fault::Sync);
    lamp.publish("t", "never safe", Delivery::AtLeastOnce(id(1)))
        .await;
    assert_eq!(lamp.closed_with().await, DisconnectReason::Unspecified);
    assert_eq!(broker.store_health(), Some(Health::Failed));
    live.message().await;

    let mut lamp = Peer::connect(&broker, "lamp").await;
    let refused = PublishReason::QuotaExceeded.code();
    assert_eq!(lamp.publish_acked("t", "to be kept").await, refused);
    let mut panel = Peer::dial(&broker, lasting("new")).await;
    assert_eq!(panel.connack().await.reason, ConnectReason::QuotaExceeded);
    lamp.publish("t", "at most once", Delivery::AtMostOnce).await;
    assert_eq!(live.message().await.1, "at most once");
    assert_eq!(lamp.publish_acked("u", "for the live").await, 0);
    assert_eq!(live.message().await.1, "for the live");
}

#[tokio::test]
async fn a_full_store_refuses_what_has_to_be_kept_until_there_is_room() {
    let store = Arc::new(Faulty::new(Memory::default()));
    let broker = broker_over(Arc::clone(&store) as Arc<dyn Store>);
    away(&broker, "panel", QoS::AtLeastOnce).await;
    let (mut online, _) = Peer::connect_with(&broker, lasting("online")).await;
    let mut lamp = Peer::connect(&broker, "lamp").await;
    store.fail_after(0, Fault::Full);
    lamp.publish("t", "waits", Delivery::AtLeastOnce(id(1))).await;
    until(|| broker.store_health() == Some(Health::Full)).await;
    lamp.hears_nothing().await;
    let mut other = Peer::connect(&broker, "other").await;
    let refused = PublishReason::QuotaExceeded.code();
    assert_eq!(other.publish_acked("t", "refused").await, refused);
    assert_eq!(online.subscribe("u").await, SubscribeReason::QuotaExceeded);

    store.make_room();
    assert!(matches!(lamp.next().await, Some(Packet::Puback(puback)) if !puback.reason.is_error()));
    until(|| broker.store_health() == Some(Health::Good)).await;
    assert_eq!(other.publish_acked("t", "kept").await, 0);
    broker.close_store();
    let again = broker_over(Arc::new(store.inner().after_crash()));
    assert_eq!(payloads(&again, "panel", 2).await, ["waits", "kept"]);
}

#[tokio::test]
async fn a_record_that_cannot_be_read_stops_the_start_instead_of_being_left_out() {
    let store = Arc::new(Memory::default());
    let mut batch = Batch::default();
    batch.put(
        Space::Session,
        hookwire_store::Key::from_slice(&[0; 8]),
        vec![1, 2, 3],
    );
    store.commit(&batch, true).expect("commits");
    let broker = unrecovered(store, 0, &Config::default());
    let error = broker.recover(clock::now()).expect_err("is damaged");
    assert!(
        error.to_string().contains("0000000000000000 of session"),
        "{error}"
    );
}

/// Clocks of machines jump. What is to last a while lasts no longer than that, and not for ever.
#[tokio::test]
async fn a_clock_that_was_set_back_keeps_nothing_for_longer_than_it_was_to_last() {
    use crate::session::journal::SessionRecord;
    let store = Arc::new(Memory::default());
    let broker = broker_over(Arc::clone(&store) as Arc<dyn Store>);
    away(&broker, "panel", QoS::AtLeastOnce).await;
    broker.close_store();
    // As if its client had gone a year from now.
    let mut changed = Batch::default();
    store
        .scan(Space::Session, &[], &mut |key, value| {
            let mut record = SessionRecord::decode(value.to_vec()).expect("a session");
            record.gone_at_ms = record.gone_at_ms.map(|at| at + 365 * 24 * 3600 * 1000);
            changed.put(
                Space::Session,
                hookwire_store::Key::from_slice(key),
                record.encode(),
            );
            std::ops::ControlFlow::Continue(())
        })
        .expect("scans");
    store.commit(&changed, true).expect("commits");
    let again = broker_over(Arc::new(store.after_crash()));
    again.do_what_is_due_at(clock::now() + std::time::Duration::from_secs(3590));
    assert_eq!(again.clients().len(), 1);
    again.do_what_is_due_at(clock::now() + std::time::Duration::from_secs(3601));
    assert_eq!(again.clients().len(), 0);
}

/// The same for a will that a policy has held back: it is bound to no session whose end it would be due at.
#[tokio::test]
async fn a_will_waits_no_longer_than_wills_may_whatever_the_clock_says() {
    use crate::session::journal::records::WillRecord;
    let store = Arc::new(Memory::default());
    let broker = broker_over(Arc::clone(&store) as Arc<dyn Store>);
    let mut connect = lasting("panel");
    let mut left = super::peer::will("gone");
    left.delay_interval_secs = 60;
    connect.will = Some(left);
    let (panel, _) = Peer::connect_with(&broker, connect).await;
    panel.disconnect(DisconnectReason::DisconnectWithWill).await;
    broker.close_store();
    let mut changed = Batch::default();
    store
        .scan(Space::Will, &[], &mut |key, value| {
            let mut record = WillRecord::decode(value.to_vec()).expect("a will");
            record.due_at_ms += 365 * 24 * 3600 * 1000;
            changed.put(Space::Will, hookwire_store::Key::from_slice(key), record.encode());
            std::ops::ControlFlow::Continue(())
        })
        .expect("scans");
    assert_eq!(changed.len(), 1);
    // Its session is over, so that only its own time counts.
    store
        .scan(Space::Session, &[], &mut |key, _| {
            changed.delete(Space::Session, hookwire_store::Key::from_slice(key));
            std::ops::ControlFlow::Continue(())
        })
        .expect("scans");
    store.commit(&changed, true).expect("commits");
    let again = broker_over(Arc::new(store.after_crash()));
    let mut watcher = Peer::connect(&again, "watcher").await;
    watcher.subscribe("gone").await;
    let longest = again.settings().session.will_delay_max;
    again.do_what_is_due_at(clock::now() + longest / 2);
    watcher.hears_nothing().await;
    again.do_what_is_due_at(clock::now() + longest);
    assert_eq!(watcher.message().await.0, "gone");
}
