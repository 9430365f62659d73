//! Rights that change while something waits.

use hookwire_hooks::{AccessDecision, Action};
use hookwire_protocol::{Connect, Delivery, DisconnectReason, Packet, Publish, PublishTopic};

use super::peer::{Peer, connect_as, id, topic};
use super::{authorizer, broker, broker_with, install};

fn staying() -> Connect {
    let mut connect = connect_as("away");
    connect.clean_start = false;
    connect.properties.session_expiry_interval = Some(60);
    connect
}

fn all_but(action: Action, secret: &'static str) -> super::policy::Policy {
    let decide = move |asked, topic: &str| {
        if asked == action && topic == secret {
            AccessDecision::Deny(None)
        } else {
            AccessDecision::Allow
        }
    };
    super::policy::Policy {
        asks_deliver: true,
        ..authorizer(decide)
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_taken_back_when_the_right_to_it_is() {
    let broker = broker();
    let mut peer = Peer::connect_with(&broker, staying()).await.0;
    peer.subscribe("#").await;
    let mut publisher = Peer::connect(&broker, "publisher").await;
    // One is on its way already and is not acknowledged, the others wait.
    publisher.publish_acked("secret", "sent").await;
    assert_eq!(peer.message().await.1, "sent");
    peer.disconnect(DisconnectReason::NormalDisconnection).await;
    for (topic, payload) in [("secret", "queued"), ("open", "for it")] {
        publisher.publish_acked(topic, payload).await;
    }
    install(&broker, vec![all_but(Action::Deliver, "secret")]);
    let mut back = Peer::connect_with(&broker, staying()).await.0;
    assert_eq!(back.message().await.1, "for it");
    back.hears_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn a_connected_client_gets_nothing_more_that_waited_for_room() {
    let broker = broker_with(|config| config.session.inflight_max = 1);
    let mut peer = Peer::connect(&broker, "c").await;
    peer.subscribe("#").await;
    let mut publisher = Peer::connect(&broker, "publisher").await;
    for (topic, payload) in [("open", "1"), ("secret", "2"), ("open", "3")] {
        publisher.publish_acked(topic, payload).await;
    }
    install(&broker, vec![all_but(Action::Deliver, "secret")]);
    for payload in ["1", "3"] {
        let publish = peer.publish_packet().await;
        assert_eq!(publish.payload, payload);
        peer.acknowledge(&publish).await;
    }
    peer.hears_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_retained_goes_with_its_publishers_right_if_somebody_asks() {
    for (is_checked, is_sent) in [(true, false), (false, true)] {
        let broker = broker_with(|config| config.session.check_retain_source = is_checked);
        let mut publisher = Peer::connect(&broker, "publisher").await;
        publisher
            .send(Packet::Publish(Publish {
                dup: false,
                retain: true,
                delivery: Delivery::AtLeastOnce(id(1)),
                topic: PublishTopic::Name {
                    topic: topic("once/allowed"),
                    alias: None,
                },
                payload: "kept".into(),
                properties: Default::default(),
            }))
            .await;
        publisher.next().await.expect("PUBACK");
        publisher.disconnect(DisconnectReason::NormalDisconnection).await;
        install(&broker, vec![all_but(Action::Publish, "once/allowed")]);
        let mut peer = Peer::connect(&broker, "c").await;
        peer.subscribe("#").await;
        if is_sent {
            assert_eq!(peer.message().await.1, "kept");
        }
        peer.hears_nothing().await;
    }
}
