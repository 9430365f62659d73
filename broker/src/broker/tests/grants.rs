//! The limits of a grant, enforced for its client alone.

use std::time::Duration;

use hookwire_hooks::{Authentication, Denial, Grant};
use hookwire_protocol::{
    Connect, ConnectReason, Delivery, DisconnectReason, Packet, QoS, SubscribeReason, Version,
};

use super::peer::{Peer, connect_as, id};
use super::{Broker, authenticator, broker_with, install};
use crate::config::{Config, RateExcess};
use crate::metrics::Limit;

/// A broker where the client `limited` has this grant, and others have one that says nothing.
fn granting(grant: Grant, change: impl FnOnce(&mut Config)) -> Broker {
    let broker = broker_with(change);
    install(
        &broker,
        vec![authenticator(move |who| {
            Authentication::Allow(Box::new(if who.client_id == "limited" {
                grant.clone()
            } else {
                Grant::default()
            }))
        })],
    );
    broker
}

fn staying(client_id: &str) -> Connect {
    let mut connect = connect_as(client_id);
    connect.clean_start = false;
    connect.properties.session_expiry_interval = Some(60);
    connect
}

#[tokio::test(start_paused = true)]
async fn the_receive_maximum_is_told_and_held() {
    let grant = Grant {
        receive_maximum: Some(1),
        ..Grant::default()
    };
    let broker = granting(grant, |_| {});
    let (mut peer, connack) = Peer::connect_with(&broker, connect_as("limited")).await;
    assert_eq!(
        connack.properties.receive_maximum.map(std::num::NonZero::get),
        Some(1)
    );
    peer.publish("t", "", Delivery::ExactlyOnce(id(1))).await;
    assert!(matches!(peer.next().await, Some(Packet::Pubrec(_))));
    peer.publish("t", "", Delivery::ExactlyOnce(id(2))).await;
    assert_eq!(peer.closed_with().await, DisconnectReason::ReceiveMaximumExceeded);

    let (_other, connack) = Peer::connect_with(&broker, connect_as("other")).await;
    let configured = Config::default().limits.receive_maximum;
    assert_eq!(
        connack.properties.receive_maximum.map(std::num::NonZero::get),
        Some(configured)
    );
}

#[tokio::test(start_paused = true)]
async fn no_grant_goes_beyond_the_configuration() {
    let grant = Grant {
        receive_maximum: Some(1000),
        max_qos: Some(QoS::ExactlyOnce),
        max_queue_messages: Some(1000),
        ..Grant::default()
    };
    let broker = granting(grant, |config| {
        config.limits.receive_maximum = 7;
        config.limits.qos_max = QoS::AtLeastOnce;
        config.session.queue_messages_max = 2;
    });
    let (mut peer, connack) = Peer::connect_with(&broker, staying("limited")).await;
    assert_eq!(
        connack.properties.receive_maximum.map(std::num::NonZero::get),
        Some(7)
    );
    assert_eq!(connack.properties.maximum_qos, Some(QoS::AtLeastOnce));
    assert_eq!(
        peer.subscribe_at("t", QoS::ExactlyOnce).await,
        SubscribeReason::GrantedQos1
    );
    peer.disconnect(DisconnectReason::NormalDisconnection).await;
    assert_eq!(waiting_after_five(&broker).await, ["3", "4"]);
}

/// What is left for the client `limited` of five messages that came while it was away.
async fn waiting_after_five(broker: &Broker) -> Vec<String> {
    let mut publisher = Peer::connect(broker, "p").await;
    for n in 0..5 {
        publisher.publish_acked("t", &n.to_string()).await;
    }
    let mut back = Peer::connect_with(broker, staying("limited")).await.0;
    let mut payloads = Vec::new();
    back.send(Packet::Pingreq).await;
    while let Some(Packet::Publish(publish)) = back.next().await {
        payloads.push(String::from_utf8_lossy(&publish.payload).into_owned());
    }
    payloads
}

#[tokio::test(start_paused = true)]
async fn a_queue_has_the_bounds_of_its_grant() {
    let messages = Grant {
        max_queue_messages: Some(3),
        ..Grant::default()
    };
    // 192 bytes, topic and payload for each.
    let bytes = Grant {
        max_queue_bytes: Some(2 * 194),
        ..Grant::default()
    };
    let nothing = Grant {
        max_queue_messages: Some(0),
        ..Grant::default()
    };
    let kept: [(Grant, &[&str]); 3] = [(messages, &["2", "3", "4"]), (bytes, &["3", "4"]), (nothing, &[])];
    for (grant, expected) in kept {
        let broker = granting(grant, |_| {});
        let mut peer = Peer::connect_with(&broker, staying("limited")).await.0;
        peer.subscribe("t").await;
        peer.disconnect(DisconnectReason::NormalDisconnection).await;
        assert_eq!(waiting_after_five(&broker).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn rates_are_those_of_the_grant() {
    let messages = Grant {
        max_messages_per_second: Some(5),
        ..Grant::default()
    };
    let bytes = Grant {
        max_bytes_per_second: Some(100),
        ..Grant::default()
    };
    for (grant, limit) in [
        (messages, Limit::MessagesPerSecondMax),
        (bytes, Limit::BytesPerSecondMax),
    ] {
        let broker = granting(grant, |config| config.limits.rate.excess = RateExcess::Disconnect);
        for (client_id, is_limited) in [("other", false), ("limited", true)] {
            let mut peer = Peer::connect(&broker, client_id).await;
            for _ in 0..30 {
                peer.publish("t", "payload", Delivery::AtMostOnce).await;
            }
            if is_limited {
                assert_eq!(peer.closed_with().await, DisconnectReason::MessageRateTooHigh);
            } else {
                peer.hears_nothing().await;
            }
            assert_eq!(broker.metrics().limits.get(limit) > 0, is_limited);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_an_admission_closes_the_connection() {
    let grant = Grant {
        expires_in: Some(Duration::from_secs(30)),
        ..Grant::default()
    };
    let broker = granting(grant, |_| {});
    let mut peer = Peer::connect(&broker, "limited").await;
    let mut other = Peer::connect(&broker, "other").await;
    // The broker's clock is not tokio's: its timer goes off at once, and the deadline has not come.
    peer.hears_nothing().await;
    other.hears_nothing().await;
    let expired = Grant {
        expires_in: Some(Duration::ZERO),
        ..Grant::default()
    };
    let broker = granting(expired, |_| {});
    let mut peer = Peer::connect(&broker, "limited").await;
    assert_eq!(peer.closed_with().await, DisconnectReason::MaximumConnectTime);
}

#[tokio::test(start_paused = true)]
async fn what_the_connack_says_comes_from_the_grant() {
    let grant = Grant {
        user_properties: vec![("region".into(), "north".into())],
        response_information: Some("answers/limited/".into()),
        max_session_expiry_secs: Some(10),
        max_keep_alive_secs: Some(20),
        ..Grant::default()
    };
    let broker = granting(grant, |_| {});
    let mut connect = staying("limited");
    connect.properties.request_response_information = true;
    let (_peer, connack) = Peer::connect_with(&broker, connect).await;
    let told = connack.properties;
    assert_eq!(told.user_properties, [("region".into(), "north".into())]);
    assert_eq!(told.response_information.as_deref(), Some("answers/limited/"));
    assert_eq!(told.session_expiry_interval, Some(10));
    assert_eq!(told.server_keep_alive, Some(20));
}

#[tokio::test(start_paused = true)]
async fn a_client_can_be_sent_elsewhere_for_now_or_for_good() {
    for (reason, version, told) in [
        (
            ConnectReason::UseAnotherServer,
            Version::V5,
            ConnectReason::UseAnotherServer,
        ),
        (
            ConnectReason::ServerMoved,
            Version::V5,
            ConnectReason::ServerMoved,
        ),
        (
            ConnectReason::ServerMoved,
            Version::V3_1_1,
            ConnectReason::ServerUnavailable,
        ),
    ] {
        let broker = broker_with(|_| {});
        install(
            &broker,
            vec![authenticator(move |_| {
                Authentication::Deny(Denial {
                    server_reference: Some("other.example:1883".into()),
                    ..Denial::new(reason)
                })
            })],
        );
        let mut connect = connect_as("c");
        connect.version = version;
        let connack = Peer::dial(&broker, connect).await.connack().await;
        assert_eq!(connack.reason, told);
        let reference = (version == Version::V5).then_some("other.example:1883");
        assert_eq!(connack.properties.server_reference.as_deref(), reference);
    }
}
