//! What policies have made of things is there again after a restart: rewritten filters, and who published what is retained.

use std::sync::Arc;

use hookwire_hooks::{AccessDecision, Action, Verdict};
use hookwire_protocol::{
    Delivery, DisconnectReason, Packet, Publish, PublishProperties, PublishPropertyValues, PublishTopic, QoS,
    UnsubscribeReason,
};
use hookwire_store::{Fault, Faulty, Memory, Space, Store};

use super::super::client::Client;
use super::durable::{broker_over, broker_with_store, lasting};
use super::paths::admin_message;
use super::peer::{Peer, id, message};
use super::policy::{Gate, Policy};
use super::subscriptions::{rewrite, unsubscribe};
use super::{Broker, authorizer, install};
use crate::broker::Settings;
use crate::clock;
use crate::config::Config;
use crate::session::Closure;
use crate::session::journal::records::outline_retained;

/// Small and repeatable.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).expect("small")
    }
}

/// What a session has: the filters that its client has asked for, and those that are kept.
fn filters(broker: &Broker) -> (Vec<String>, Vec<String>) {
    let client = broker.clients().into_iter().next().expect("a session");
    let session = client.session();
    let asked = session.asked_filters().into_iter();
    let mut asked: Vec<_> = asked.map(|(filter, _)| filter.to_string()).collect();
    let mut kept: Vec<_> = session
        .subscriptions()
        .map(|(filter, _)| filter.to_string())
        .collect();
    asked.sort();
    kept.sort();
    (asked, kept)
}

/// The broker as it is after it was killed.
fn killed(broker: &Broker, store: &mut Arc<Memory>) -> Broker {
    broker.close_store();
    *store = Arc::new(store.after_crash());
    broker_over(Arc::clone(store) as Arc<dyn Store>)
}

#[tokio::test]
async fn a_filter_that_was_made_another_is_the_clients_after_a_restart() {
    let mut store = Arc::new(Memory::default());
    let broker = broker_over(Arc::clone(&store) as Arc<dyn Store>);
    rewrite(&broker, "a", "x");
    let (mut panel, _) = Peer::connect_with(&broker, lasting("panel")).await;
    panel.subscribe("a").await;
    drop(panel);
    let broker = killed(&broker, &mut store);
    let (mut panel, _) = Peer::connect_with(&broker, lasting("panel")).await;
    let mut lamp = Peer::connect(&broker, "lamp").await;
    lamp.publish_acked("x", "still").await;
    assert_eq!(panel.message().await.1, "still");
    assert_eq!(unsubscribe(&mut panel, "a").await, UnsubscribeReason::Success);
    lamp.publish_acked("x", "no more").await;
    panel.hears_nothing().await;
    broker.close_store();
    assert_eq!(
        records(&store, Space::Rewrite) + records(&store, Space::Subscription),
        0
    );
}

fn records(store: &Memory, space: Space) -> usize {
    let mut count = 0;
    store
        .scan(space, &[], &mut |_, _| {
            count += 1;
            std::ops::ControlFlow::Continue(())
        })
        .expect("scans");
    count
}

#[tokio::test]
async fn a_session_that_ends_leaves_no_filter_behind() {
    let store = Arc::new(Memory::default());
    let broker = broker_over(Arc::clone(&store) as Arc<dyn Store>);
    rewrite(&broker, "a", "x");
    let (mut panel, _) = Peer::connect_with(&broker, lasting("panel")).await;
    panel.subscribe("a").await;
    panel.subscribe("x").await;
    let mut ends = lasting("panel");
    ends.clean_start = true;
    ends.properties.session_expiry_interval = None;
    Peer::connect_with(&broker, ends).await;
    broker.close_store();
    assert!(store.is_empty());
}

/// One broker is killed after each step and another never is: their sessions cannot be told apart.
#[tokio::test]
async fn sessions_whose_filters_are_made_others_are_the_same_with_and_without_restarts() {
    for seed in 1..=12 {
        let mut random = Random(seed * 0x9E37_79B9);
        let mut store = Arc::new(Memory::default());
        let mut mortal = broker_over(Arc::clone(&store) as Arc<dyn Store>);
        let immortal = broker_over(Arc::new(Memory::default()));
        for step in 0..25 {
            let (from, to) = (["a", "b", "x"][random.below(3)], ["a", "x", "y"][random.below(3)]);
            let takes_back = random.below(3) == 0;
            let mut seen = Vec::new();
            for broker in [&mortal, &immortal] {
                rewrite(broker, from, to);
                let (mut panel, _) = Peer::connect_with(broker, lasting("panel")).await;
                let answer = if takes_back {
                    format!("{:?}", unsubscribe(&mut panel, from).await)
                } else {
                    format!("{:?}", panel.subscribe(from).await)
                };
                panel.disconnect(DisconnectReason::NormalDisconnection).await;
                seen.push((answer, filters(broker)));
            }
            assert_eq!(
                seen[0], seen[1],
                "seed {seed}, step {step}: {from} to {to}, {takes_back}"
            );
            mortal = killed(&mortal, &mut store);
            assert_eq!(filters(&mortal), filters(&immortal), "seed {seed}, step {step}");
        }
    }
}

/// Whichever write the process dies with: what is kept is there with what was asked for, or not at all.
#[tokio::test]
async fn a_filter_and_what_was_made_of_it_are_safe_together() {
    for good in 0..5 {
        let store = Arc::new(Faulty::new(Memory::default()));
        let broker = broker_over(Arc::clone(&store) as Arc<dyn Store>);
        let (mut panel, _) = Peer::connect_with(&broker, lasting("panel")).await;
        store.fail_after(good, Fault::Write);
        let mut answered = "";
        for to in ["x", "y", "z"] {
            rewrite(&broker, "a", to);
            panel.ask_to_subscribe("a", QoS::AtLeastOnce).await;
            // The connection is closed where the write has failed.
            if !matches!(panel.next().await, Some(Packet::Suback(_))) {
                break;
            }
            answered = to;
        }
        let again = broker_over(Arc::new(store.inner().after_crash()));
        let (asked, kept) = filters(&again);
        assert!(kept.len() <= 1, "{good}: {kept:?}");
        assert_eq!(asked, vec!["a"; kept.len()], "{good}: {kept:?}");
        let last = kept.first().map_or("", String::as_str);
        assert!(
            answered <= last,
            "{good}: {answered} was answered, {last} is there"
        );
    }
}

// ---- who published what is retained

fn checked(store: &Arc<Memory>, is_checked: bool) -> Broker {
    broker_with_store(Arc::clone(store) as Arc<dyn Store>, 1 << 20, |config| {
        config.session.check_retain_source = is_checked;
    })
}

/// Lets `lamp` publish nothing to `once/allowed`, and everybody everything else.
fn takes_back() -> Policy {
    authorizer(|action, topic| {
        if action == Action::Publish && topic == "once/allowed" {
            AccessDecision::Deny(None)
        } else {
            AccessDecision::Allow
        }
    })
}

async fn retained_by_lamp(broker: &Broker) {
    let mut lamp = Peer::connect(broker, "lamp").await;
    lamp.retain("once/allowed", "kept").await;
    lamp.retain("still/allowed", "kept").await;
    lamp.disconnect(DisconnectReason::NormalDisconnection).await;
}

async fn topics_of(broker: &Broker) -> Vec<String> {
    let mut peer = Peer::connect(broker, "reader").await;
    peer.subscribe("#").await;
    // What only the store has comes from another thread.
    while !broker.has_replayed() {
        tokio::task::yield_now().await;
    }
    let mut topics = Vec::new();
    peer.send(Packet::Pingreq).await;
    while let Some(Packet::Publish(publish)) = peer.next().await {
        let PublishTopic::Name { topic, .. } = publish.topic else {
            panic!("a topic has no alias here");
        };
        topics.push(topic.to_string());
    }
    peer.disconnect(DisconnectReason::NormalDisconnection).await;
    topics.sort();
    topics
}

#[tokio::test]
async fn who_published_what_is_retained_is_known_after_a_restart() {
    let store = Arc::new(Memory::default());
    let broker = checked(&store, true);
    retained_by_lamp(&broker).await;
    broker.close_store();
    let again = checked(&Arc::new(store.after_crash()), true);
    assert_eq!(again.0.retained_sources.len(), 2);
    assert_eq!(topics_of(&again).await, ["once/allowed", "still/allowed"]);
    install(&again, vec![takes_back()]);
    assert_eq!(topics_of(&again).await, ["still/allowed"]);
    // Another one takes its place, and is somebody else's.
    let limits = again.settings().retained_limits();
    let message = Arc::new(admin_message("once/allowed", "new"));
    let replaced = again.0.router.retain(&message, &limits, |replacement| {
        again.note_retained(&message, replacement.now.as_ref(), None, clock::now());
        again.record_retained(&message, None, replacement);
    });
    replaced.expect("room");
    assert_eq!(topics_of(&again).await, ["once/allowed", "still/allowed"]);
}

/// A message that a policy had to be waited for is its publisher's, although that has gone meanwhile and left nothing.
#[tokio::test]
async fn a_publisher_that_has_gone_before_its_message_is_retained_is_known() {
    let broker = checked(&Arc::new(Memory::default()), true);
    let mut listener = Peer::connect(&broker, "listener").await;
    listener.subscribe("#").await;
    let gate = Arc::new(Gate::default());
    let waiting = Policy {
        on_publish: Some(Box::new(|_| Ok(Verdict::Pass))),
        gate: Some(Arc::clone(&gate)),
        ..Policy::default()
    };
    install(&broker, vec![waiting]);
    let mut lamp = Peer::connect(&broker, "lamp").await;
    lamp.send(Packet::Publish(Publish {
        retain: true,
        ..message("once/allowed", "kept", Delivery::AtLeastOnce(id(1)))
    }))
    .await;
    gate.is_reached.notified().await;
    let is_lamp = |client: &Arc<Client>| client.standing().facts.client_id == "lamp";
    let client = broker.clients().into_iter().find(is_lamp).expect("a session");
    let link = client.session().link().cloned().expect("a connection");
    link.close(Closure::taken_over());
    while lamp.next().await.is_some() {}
    gate.is_open.notify_one();
    listener.message().await;
    install(&broker, vec![takes_back()]);
    assert_eq!(topics_of(&broker).await, [""; 0]);
}

/// Those who ask about one client at the same time do not take it from each other.
#[tokio::test]
async fn a_client_without_a_session_is_known_as_long_as_anybody_asks() {
    let broker = checked(&Arc::new(Memory::default()), true);
    let lamp = Peer::connect(&broker, "lamp").await;
    let client = broker.clients().into_iter().next().expect("a session");
    let standing = client.standing();
    lamp.disconnect(DisconnectReason::NormalDisconnection).await;
    let key = standing.facts.key;
    assert!(broker.facts(key).is_none());
    let one = broker.make_known(&standing);
    let other = broker.make_known(&standing);
    drop(one);
    assert!(broker.facts(key).is_some());
    drop(other);
    assert!(broker.facts(key).is_none());
}

#[tokio::test]
async fn who_published_it_is_stored_for_those_who_ask_and_for_nobody_else() {
    for is_checked in [true, false] {
        let store = Arc::new(Memory::default());
        let broker = checked(&store, is_checked);
        retained_by_lamp(&broker).await;
        broker.close_store();
        let record = store.get(Space::Retained, b"once/allowed").expect("reads");
        let outlined = outline_retained(record.expect("it is kept"), clock::now()).expect("a record");
        assert_eq!(outlined.source.is_some(), is_checked);
        assert_eq!(broker.0.retained_sources.len(), if is_checked { 2 } else { 0 });
    }
}

#[tokio::test]
async fn nobody_is_remembered_once_nobody_asks() {
    let store = Arc::new(Memory::default());
    let broker = checked(&store, true);
    retained_by_lamp(&broker).await;
    let mut config = Config::default();
    broker.reconfigure(Settings::from(&config));
    assert_eq!(broker.0.retained_sources.len(), 0);
    // Published while nobody asked, it is nobody's.
    retained_by_lamp(&broker).await;
    config.session.check_retain_source = true;
    broker.reconfigure(Settings::from(&config));
    install(&broker, vec![takes_back()]);
    assert_eq!(topics_of(&broker).await, ["once/allowed", "still/allowed"]);
}

#[tokio::test]
async fn publishers_of_messages_that_have_gone_are_forgotten() {
    let store = Arc::new(Memory::default());
    let broker = checked(&store, true);
    let mut lamp = Peer::connect(&broker, "lamp").await;
    lamp.retain("t", "1").await;
    lamp.retain("t", "").await;
    assert_eq!(broker.0.retained_sources.len(), 0, "it was cleared");
    // What has expired when they are retained goes as others come.
    let brief = || {
        PublishProperties::from(PublishPropertyValues {
            message_expiry_interval_secs: Some(0),
            ..PublishPropertyValues::default()
        })
    };
    for n in 0..5000 {
        lamp.retain_with(&format!("brief/{n}"), "x", brief()).await;
    }
    let left = broker.0.retained_sources.len();
    assert!(left <= 1100, "{left}");
}
