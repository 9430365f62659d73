//! deliver: what one recipient gets of a message, wherever it comes from.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hookwire_hooks::{ClientFacts, DeliverDecision, Parcel, Replacement};
use hookwire_protocol::{Connect, Delivery, DisconnectReason, PublishProperties, QoS};

use super::peer::{Peer, connect_as, id, will};
use super::policy::Policy;
use super::{Broker, broker, install};

fn deliverer(decide: impl Fn(Parcel) -> DeliverDecision + Send + Sync + 'static) -> Policy {
    Policy {
        name: "deliverer",
        deliver: Some(Box::new(move |parcel| Ok(decide(parcel)))),
        ..Policy::default()
    }
}

fn payload(text: impl Into<Bytes>) -> DeliverDecision {
    DeliverDecision::Replace(Box::new(Replacement {
        payload: Some(text.into()),
        ..Replacement::default()
    }))
}

/// Who a recipient is.
fn facts(broker: &Broker, parcel: &Parcel) -> Arc<ClientFacts> {
    broker.facts(parcel.recipient).expect("a recipient is known")
}

/// Gives everybody the message with their own name behind it, and nothing to those whose name begins with `no`.
fn address(broker: &Broker) {
    let known = broker.clone();
    let decide = move |parcel: Parcel| {
        let client_id = facts(&known, &parcel).client_id.clone();
        if client_id.starts_with("no") {
            return DeliverDecision::Drop;
        }
        let text = String::from_utf8_lossy(&parcel.message.payload).into_owned();
        payload(format!("{text} for {client_id}"))
    };
    install(broker, vec![deliverer(decide)]);
}

#[tokio::test(start_paused = true)]
async fn each_recipient_gets_its_own() {
    let broker = broker();
    address(&broker);
    let mut peers = Vec::new();
    for client_id in ["one", "two", "nobody"] {
        let mut peer = Peer::connect(&broker, client_id).await;
        peer.subscribe("t").await;
        peers.push(peer);
    }
    Peer::connect(&broker, "p").await.publish_acked("t", "news").await;
    let [one, two, nobody] = &mut peers[..] else {
        unreachable!("three")
    };
    assert_eq!(one.message().await.1, "news for one");
    assert_eq!(two.message().await.1, "news for two");
    nobody.hears_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_retained_is_judged_for_whoever_subscribes() {
    let broker = broker();
    let mut publisher = Peer::connect(&broker, "p").await;
    publisher.retain("t", "kept").await;
    address(&broker);
    let mut one = Peer::connect(&broker, "one").await;
    one.subscribe("t").await;
    let publish = one.publish_packet().await;
    assert!(publish.retain, "[MQTT-3.3.1-8]");
    assert_eq!(publish.payload, "kept for one");
    let mut nobody = Peer::connect(&broker, "nobody").await;
    nobody.subscribe("t").await;
    nobody.hears_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_client_was_judged_when_it_was_routed() {
    let broker = broker();
    let mut staying = connect_as("away");
    staying.clean_start = false;
    staying.properties.session_expiry_interval = Some(60);
    let mut peer = Peer::connect_with(&broker, staying.clone()).await.0;
    peer.subscribe("t").await;
    peer.disconnect(DisconnectReason::NormalDisconnection).await;
    address(&broker);
    Peer::connect(&broker, "p").await.publish_acked("t", "mail").await;
    install(&broker, Vec::new());
    let mut back = Peer::connect_with(&broker, staying).await.0;
    assert_eq!(back.message().await.1, "mail for away");
}

#[tokio::test(start_paused = true)]
async fn wills_and_messages_of_administrators_are_judged_too() {
    let broker = broker();
    address(&broker);
    let mut heir = Peer::connect(&broker, "heir").await;
    heir.subscribe("#").await;
    let dying = Connect {
        will: Some(will("gone/c")),
        ..connect_as("c")
    };
    drop(Peer::connect_with(&broker, dying).await);
    assert_eq!(heir.message().await.1, "gone for heir");
    broker.publish_as_admin(crate::clock::now(), super::paths::admin_message("t", "notice"));
    assert_eq!(heir.message().await.1, "notice for heir");
}

/// Another member of a shared subscription gets what was published, not what a policy made of it for the first.
#[tokio::test(start_paused = true)]
async fn the_next_member_of_a_shared_subscription_gets_it_as_published() {
    let broker = broker();
    address(&broker);
    let mut first = Peer::connect(&broker, "first").await;
    first.subscribe("$share/g/t").await;
    Peer::connect(&broker, "p").await.publish_acked("t", "job").await;
    assert_eq!(first.message().await.1, "job for first");
    let mut second = Peer::connect(&broker, "second").await;
    second.subscribe("$share/g/t").await;
    // Not acknowledged.
    drop(first);
    assert_eq!(second.message().await.1, "job for second");
}

#[tokio::test(start_paused = true)]
async fn mqtts_rules_hold_for_what_is_made_of_a_message() {
    let broker = broker();
    let decide = |_| {
        DeliverDecision::Replace(Box::new(Replacement {
            qos: Some(QoS::ExactlyOnce),
            retain: Some(true),
            topic: Some(super::topic("renamed")),
            ..Replacement::default()
        }))
    };
    install(&broker, vec![deliverer(decide)]);
    let mut peer = Peer::connect(&broker, "c").await;
    peer.subscribe_at("t", QoS::AtLeastOnce).await;
    let mut publisher = Peer::connect(&broker, "p").await;
    publisher.publish("t", "", Delivery::AtMostOnce).await;
    let publish = peer.publish_packet().await;
    assert_eq!(
        publish.delivery.qos(),
        QoS::AtLeastOnce,
        "no more than was granted"
    );
    assert!(!publish.retain, "[MQTT-3.3.1-12]");
    peer.acknowledge(&publish).await;
    publisher.publish("t", "", Delivery::AtMostOnce).await;
    assert_eq!(peer.message().await.0, "renamed");
}

/// What is left of a message's time stays, unless the policy says otherwise.
#[tokio::test(start_paused = true)]
async fn a_changed_message_keeps_the_time_it_has_left() {
    let broker = broker();
    let mut publisher = Peer::connect(&broker, "p").await;
    let mut properties = PublishProperties::default();
    properties.get_or_insert().message_expiry_interval_secs = Some(100);
    publisher.retain_with("t", "kept", properties).await;
    let later = Duration::from_secs(60);
    for (interval, left) in [(100, 40..=40), (500, 500..=500)] {
        let change = move |parcel: &Parcel| {
            let mut properties = parcel.message.properties.clone();
            properties.get_or_insert().message_expiry_interval_secs = Some(interval);
            DeliverDecision::Replace(Box::new(Replacement {
                properties: Some(properties),
                ..Replacement::default()
            }))
        };
        install(&broker, vec![deliverer(move |parcel| change(&parcel))]);
        let chain = broker.chain();
        let now = crate::clock::now();
        let retained = broker
            .0
            .router
            .retained(&hookwire_protocol::TopicFilter::new("t").expect("a filter"), now);
        let mut parcels = [Parcel::new(
            hookwire_hooks::ClientKey(1),
            retained[0].message().expect("it is in memory"),
        )];
        chain.deliver(&mut parcels, now + later);
        let expires_at = parcels[0].message.expires_at.expect("it expires");
        let secs = (expires_at - (now + later)).as_secs_f64().round() as u64;
        assert!(left.contains(&secs), "{interval}: {secs}");
    }
}

/// One call for all recipients of a message, and none where nobody is interested.
#[tokio::test(start_paused = true)]
async fn uninterested_policies_are_not_asked() {
    let broker = broker();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    install(
        &broker,
        vec![deliverer(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            DeliverDecision::Pass
        })],
    );
    let mut peer = Peer::connect(&broker, "c").await;
    peer.subscribe("#").await;
    let mut publisher = Peer::connect(&broker, "p").await;
    publisher.publish("unwatched/t", "", Delivery::AtMostOnce).await;
    peer.message().await;
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    publisher.publish("t", "", Delivery::ExactlyOnce(id(3))).await;
    peer.message().await;
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}
