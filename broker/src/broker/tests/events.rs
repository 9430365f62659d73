//! What plugins are told of.

use std::sync::Arc;

use hookwire_hooks::{ClientKey, Event, EventKind};
use hookwire_protocol::{
    ConnectReason, Delivery, DisconnectReason, Packet, PublishReason, Pubrec, QoS, Version,
};
use parking_lot::Mutex;

use super::peer::{Peer, connect_as, id};
use super::policy::Policy;
use super::{Broker, authenticator, broker, install};

type Seen = Arc<Mutex<Vec<Event>>>;

fn observer() -> (Policy, Seen) {
    let seen = Seen::default();
    let policy = Policy {
        name: "observer",
        events: Some(Arc::clone(&seen)),
        ..Policy::default()
    };
    (policy, seen)
}

fn observe(broker: &Broker) -> Seen {
    let (policy, seen) = observer();
    install(broker, vec![policy]);
    seen
}

/// Events come by a thread of their own.
async fn wait_for(seen: &Seen, is_it: impl Fn(&EventKind) -> bool) -> Event {
    loop {
        let found = seen.lock().iter().find(|event| is_it(&event.kind)).cloned();
        match found {
            Some(event) => return event,
            None => tokio::task::yield_now().await,
        }
    }
}

#[tokio::test]
async fn a_message_without_a_recipient_is_told_of_its_publisher() {
    let broker = broker();
    let seen = observe(&broker);
    let mut peer = Peer::connect(&broker, "lonely").await;
    peer.publish_acked("a/b", "for nobody").await;
    let event = wait_for(
        &seen,
        |kind| matches!(kind, EventKind::Unrouted(topic) if topic == "a/b"),
    )
    .await;
    assert_eq!(event.client_id, "lonely");
}

#[tokio::test]
async fn what_a_client_acknowledges_is_told_of_it_once() {
    let broker = broker();
    let mut taker = Peer::connect(&broker, "taker").await;
    taker.subscribe_at("#", QoS::ExactlyOnce).await;
    let seen = observe(&broker);
    let mut giver = Peer::connect(&broker, "giver").await;
    giver.publish_acked("one", "").await;
    let one = taker.publish_packet().await;
    taker.acknowledge(&one).await;
    giver.publish("two", "", Delivery::ExactlyOnce(id(5))).await;
    let two = taker.publish_packet().await;
    let packet_id = two.delivery.packet_id().expect("QoS 2");
    for _ in 0..2 {
        taker
            .send(Packet::Pubrec(Pubrec::new(packet_id, PublishReason::Success)))
            .await;
        assert!(matches!(taker.next().await, Some(Packet::Pubrel(_))));
    }
    taker.disconnect(DisconnectReason::NormalDisconnection).await;
    wait_for(&seen, |kind| matches!(kind, EventKind::Disconnected { .. })).await;
    let acked: Vec<_> = seen
        .lock()
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::Acked { topic, qos } => Some((event.client_id.to_string(), topic.to_string(), *qos)),
            _ => None,
        })
        .collect();
    assert_eq!(
        acked,
        [
            ("taker".to_owned(), "one".to_owned(), QoS::AtLeastOnce),
            ("taker".to_owned(), "two".to_owned(), QoS::ExactlyOnce)
        ]
    );
}

#[tokio::test]
async fn a_client_that_is_refused_is_told_of_with_the_reason() {
    let broker = broker();
    let (policy, seen) = observer();
    let refuse = authenticator(|_| {
        hookwire_hooks::Authentication::Deny(hookwire_hooks::Denial::new(ConnectReason::Banned))
    });
    install(&broker, vec![refuse, policy]);
    let mut connect = connect_as("mallory");
    connect.username = Some("m".into());
    connect.version = Version::V3_1_1;
    let mut peer = Peer::dial(&broker, connect).await;
    peer.connack().await;
    let event = wait_for(&seen, |kind| matches!(kind, EventKind::Refused { .. })).await;
    assert_eq!((event.client, &*event.client_id), (ClientKey(0), "mallory"));
    let EventKind::Refused {
        username,
        version,
        reason,
        ..
    } = event.kind
    else {
        unreachable!("found by its kind")
    };
    assert_eq!(username.as_deref(), Some("m"));
    assert_eq!((version, reason), (Version::V3_1_1, ConnectReason::Banned));
}

#[tokio::test]
async fn events_tell_what_happened() {
    let broker = broker();
    let seen = observe(&broker);
    let mut peer = Peer::connect(&broker, "c").await;
    peer.subscribe("a/+").await;
    peer.disconnect(DisconnectReason::NormalDisconnection).await;
    wait_for(&seen, |kind| matches!(kind, EventKind::Disconnected { .. })).await;
    let kinds: Vec<String> = seen
        .lock()
        .iter()
        .map(|event| match &event.kind {
            EventKind::Subscribed { filter, .. } => format!("subscribed {filter}"),
            EventKind::Disconnected { by_client, .. } => format!("disconnected by client: {by_client}"),
            other => format!("{other:?}")
                .split([' ', '{'])
                .next()
                .unwrap_or_default()
                .to_lowercase(),
        })
        .collect();
    assert_eq!(
        kinds,
        [
            "sessioncreated",
            "connected",
            "subscribed a/+",
            "disconnected by client: true"
        ]
    );
}
