//! What happens when there is more than there is room for, or more than is allowed.

use std::num::NonZeroU16;
use std::time::Duration;

use bytes::Bytes;
use hookwire_protocol::{
    Connect, Delivery, DisconnectReason, Packet, Publish, PublishProperties, PublishReason, PublishTopic,
    QoS, SubscribeReason, Version,
};

use super::peer::{PIPE_BYTES, Peer, connect_as, id, topic};
use super::{Broker, Settings, broker_with};
use crate::config::{Config, Overlapping, QueueOverflow, RateExcess};
use crate::metrics::Limit;

/// A client that subscribes to `t` and goes, and whose session stays.
async fn away(broker: &Broker, client_id: &str) -> Connect {
    let mut connect = connect_as(client_id);
    connect.clean_start = false;
    connect.properties.session_expiry_interval = Some(60);
    let mut peer = Peer::connect_with(broker, connect.clone()).await.0;
    peer.subscribe("t").await;
    peer.disconnect(DisconnectReason::NormalDisconnection).await;
    connect
}

fn rejecting(config: &mut Config) {
    config.session.queue_messages_max = 2;
    config.session.queue_overflow = QueueOverflow::RejectPublisher;
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_can_be_the_publishers_to_wait_for() {
    let broker = broker_with(rejecting);
    let connect = away(&broker, "away").await;
    let mut here = Peer::connect(&broker, "here").await;
    here.subscribe("t").await;
    let mut publisher = Peer::connect(&broker, "publisher").await;
    for payload in ["1", "2"] {
        assert_eq!(publisher.publish_acked("t", payload).await, 0);
        assert_eq!(here.message().await.1, payload);
    }
    let full = PublishReason::QuotaExceeded.code();
    assert_eq!(publisher.publish_acked("t", "3").await, full);
    here.hears_nothing().await;
    assert_eq!(broker.metrics().limits.get(Limit::QueueMessagesMax), 1);

    let mut back = Peer::connect_with(&broker, connect).await.0;
    assert_eq!(back.message().await.1, "1");
    assert_eq!(back.message().await.1, "2");
    assert_eq!(publisher.publish_acked("t", "4").await, 0, "there is room again");
}

#[tokio::test(start_paused = true)]
async fn a_publisher_that_cannot_be_told_keeps_its_message() {
    let broker = broker_with(rejecting);
    away(&broker, "away").await;
    let mut old = connect_as("old");
    old.version = Version::V3_1_1;
    let mut publisher = Peer::connect_with(&broker, old).await.0;
    publisher.publish_acked("t", "1").await;
    publisher.publish_acked("t", "2").await;
    publisher.publish("t", "3", Delivery::AtLeastOnce(id(3))).await;
    assert!(
        publisher.next().await.is_none(),
        "closed without an acknowledgement"
    );
}

#[tokio::test(start_paused = true)]
async fn while_memory_is_full_nothing_is_kept_and_everything_else_goes_on() {
    let broker = broker_with(|_| {});
    let mut here = Peer::connect(&broker, "here").await;
    here.subscribe("live").await;
    away(&broker, "away").await;
    let mut publisher = Peer::connect(&broker, "publisher").await;
    let bound_memory = |max| {
        let mut config = Config::default();
        config.limits.memory_max = max;
        broker.reconfigure(Settings::from(&config));
        // A tick of the runtime's clock: it is looked at when the bound changes, not only in its turn.
        tokio::time::sleep(Duration::from_millis(1))
    };
    bound_memory(Some(1)).await;
    let full = PublishReason::QuotaExceeded.code();
    assert_eq!(publisher.publish_acked("t", "to be kept").await, full);
    assert_eq!(publisher.publish_acked("live", "now").await, 0);
    assert_eq!(here.message().await.1, "now");
    assert!(broker.metrics().limits.get(Limit::MemoryMax) > 0);
    bound_memory(None).await;
    assert_eq!(publisher.publish_acked("t", "to be kept").await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_payload_that_is_not_the_text_it_says_it_is_goes_no_further_if_somebody_looks() {
    let broker = broker_with(|config| config.limits.payload_format_check = true);
    let mut here = Peer::connect(&broker, "here").await;
    here.subscribe("t").await;
    let mut publisher = Peer::connect(&broker, "publisher").await;
    for (payload, says_text, reason) in [
        (&b"\xFF"[..], true, PublishReason::PayloadFormatInvalid),
        (b"\xFF", false, PublishReason::Success),
        ("ä".as_bytes(), true, PublishReason::Success),
    ] {
        let mut properties = PublishProperties::default();
        properties.get_or_insert().payload_format_utf8 = Some(says_text);
        publisher
            .send(Packet::Publish(Publish {
                dup: false,
                retain: false,
                delivery: Delivery::AtLeastOnce(id(1)),
                topic: PublishTopic::Name {
                    topic: topic("t"),
                    alias: None,
                },
                payload: Bytes::copy_from_slice(payload),
                properties,
            }))
            .await;
        let Some(Packet::Puback(puback)) = publisher.next().await else {
            panic!("expected PUBACK");
        };
        assert_eq!(puback.reason, reason, "{payload:?}");
        if reason == PublishReason::Success {
            assert_eq!(here.publish_packet().await.payload, payload);
        }
    }
    here.hears_nothing().await;
}

/// Thirty messages at once, of which ten are within the rate.
async fn publishes_too_fast(broker: &Broker) -> (Peer, Peer) {
    let mut here = Peer::connect(broker, "here").await;
    here.subscribe_at("t", QoS::AtMostOnce).await;
    let mut publisher = Peer::connect(broker, "publisher").await;
    for n in 0..30 {
        publisher.publish("t", &n.to_string(), Delivery::AtMostOnce).await;
    }
    for n in 0..10 {
        assert_eq!(here.message().await.1, n.to_string(), "a burst is free");
    }
    (publisher, here)
}

#[tokio::test(start_paused = true)]
async fn one_who_publishes_too_fast_is_slowed_and_loses_nothing() {
    let broker = broker_with(|config| config.limits.rate.messages_per_second_max = 10);
    let (_publisher, mut here) = publishes_too_fast(&broker).await;
    for n in 10..30 {
        assert_eq!(here.message().await.1, n.to_string());
    }
    assert!(broker.metrics().limits.get(Limit::MessagesPerSecondMax) > 0);
}

#[tokio::test(start_paused = true)]
async fn one_who_publishes_too_fast_is_disconnected_where_that_is_the_rule() {
    let broker = broker_with(|config| {
        config.limits.rate.bytes_per_second_max = 100;
        config.limits.rate.excess = RateExcess::Disconnect;
    });
    let (mut publisher, _here) = publishes_too_fast(&broker).await;
    assert_eq!(
        publisher.closed_with().await,
        DisconnectReason::MessageRateTooHigh
    );
    assert_eq!(broker.metrics().limits.get(Limit::BytesPerSecondMax), 1);
}

#[tokio::test(start_paused = true)]
async fn topics_that_are_sent_again_get_an_alias_where_the_client_takes_one() {
    let broker = broker_with(|config| config.limits.topic_aliases_sent_max = 2);
    let mut connect = connect_as("c");
    connect.properties.topic_alias_maximum = 5;
    let mut peer = Peer::connect_with(&broker, connect).await.0;
    peer.subscribe("#").await;
    let mut publisher = Peer::connect(&broker, "publisher").await;
    let named = |name: &str, alias: u16| PublishTopic::Name {
        topic: topic(name),
        alias: NonZeroU16::new(alias),
    };
    let alias = |alias: u16| PublishTopic::Alias(NonZeroU16::new(alias).expect("not zero"));
    for (name, expected) in [
        ("one/topic", named("one/topic", 1)),
        ("one/topic", alias(1)),
        ("other/topic", named("other/topic", 2)),
        ("one/topic", alias(1)),
        ("third/topic", named("third/topic", 0)),
        ("other/topic", alias(2)),
    ] {
        publisher.publish(name, "x", Delivery::AtMostOnce).await;
        assert_eq!(peer.publish_packet().await.topic, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn overlapping_subscriptions_bring_one_copy_or_one_each() {
    for (overlapping, copies) in [(Overlapping::Once, 1), (Overlapping::Each, 2)] {
        let broker = broker_with(|config| config.session.overlapping = overlapping);
        let mut peer = Peer::connect(&broker, "c").await;
        peer.subscribe("a/+").await;
        peer.subscribe("a/b").await;
        Peer::connect(&broker, "p").await.publish_acked("a/b", "x").await;
        for _ in 0..copies {
            peer.message().await;
        }
        peer.hears_nothing().await;
    }
}

/// A client that subscribes to more and more and takes nothing of it.
#[tokio::test(start_paused = true)]
async fn retained_messages_that_wait_for_one_client_are_bounded() {
    let broker = broker_with(|config| {
        config.session.retained_waiting_max = 2;
        config.session.inflight_max = 1;
    });
    let mut publisher = Peer::connect(&broker, "publisher").await;
    for n in 0..3 {
        publisher.retain(&format!("a/{n}"), "kept").await;
    }
    let mut peer = Peer::connect(&broker, "greedy").await;
    assert_eq!(peer.subscribe("a/+").await, SubscribeReason::GrantedQos1);
    let first = peer.publish_packet().await;
    assert_eq!(peer.subscribe("a/#").await, SubscribeReason::QuotaExceeded);
    assert_eq!(broker.metrics().limits.get(Limit::RetainedWaitingMax), 1);
    // One alone may bring any number, and bring them anew; and there is always room for one that brings nothing.
    for filter in ["a/+", "$share/g/a/#"] {
        assert_eq!(peer.subscribe(filter).await, SubscribeReason::GrantedQos1);
    }
    peer.acknowledge(&first).await;
    for _ in 0..3 {
        let next = peer.publish_packet().await;
        peer.acknowledge(&next).await;
    }
    assert_eq!(peer.subscribe("a/#").await, SubscribeReason::GrantedQos1);
}

/// All that still comes.
async fn publishes_left_for(peer: &mut Peer) -> Vec<Publish> {
    let mut publishes = Vec::new();
    while let Ok(Some(packet)) = tokio::time::timeout(Duration::from_secs(1), peer.next()).await {
        let Packet::Publish(publish) = packet else {
            panic!("expected PUBLISH, got {packet:?}");
        };
        publishes.push(publish);
    }
    publishes
}

/// The same, in bytes of payloads.
async fn bytes_left_for(peer: &mut Peer) -> usize {
    let publishes = publishes_left_for(peer).await;
    publishes.iter().map(|publish| publish.payload.len()).sum()
}

#[tokio::test(start_paused = true)]
async fn one_who_never_reads_holds_what_is_configured_and_the_others_get_everything() {
    const BOUND: usize = 64 << 10;
    let payload = "x".repeat(16 << 10);
    let messages = 8 * PIPE_BYTES / payload.len();
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        let broker = broker_with(|config| {
            config.limits.outbox_bytes_max = BOUND;
            config.session.queue_bytes_max = BOUND;
            config.session.inflight_max = 10_000;
            config.session.inflight_bytes_max = 1 << 30;
        });
        let mut stalled = Peer::connect(&broker, "stalled").await;
        stalled.subscribe_at("t", qos).await;
        let mut here = Peer::connect(&broker, "here").await;
        here.subscribe_at("t", QoS::AtMostOnce).await;
        let mut publisher = Peer::connect(&broker, "publisher").await;
        for _ in 0..messages {
            assert_eq!(publisher.publish_acked("t", &payload).await, 0);
            assert_eq!(here.message().await.1, payload);
        }
        // What the outbox of QoS 0 and the queue of QoS 1 hold, with a message more than there was room for.
        let held = bytes_left_for(&mut stalled).await - PIPE_BYTES;
        assert!(held <= 2 * BOUND + payload.len(), "{held} at {qos:?}");
        assert_eq!(publisher.publish_acked("t", "next").await, 0);
        assert_eq!(stalled.message().await.1, "next", "it has caught up");
    }
}

#[tokio::test(start_paused = true)]
async fn one_who_reads_and_never_acknowledges_holds_what_is_configured() {
    const BOUND: usize = 8 << 10;
    let broker = broker_with(|config| {
        config.session.inflight_bytes_max = BOUND;
        config.session.queue_bytes_max = BOUND;
    });
    let mut silent = Peer::connect(&broker, "silent").await;
    silent.subscribe_at("t", QoS::AtLeastOnce).await;
    let mut publisher = Peer::connect(&broker, "publisher").await;
    let payload = "x".repeat(1 << 10);
    for _ in 0..100 {
        assert_eq!(publisher.publish_acked("t", &payload).await, 0);
    }
    // A message counts for more than its payload; the last one need not fit.
    let sent = publishes_left_for(&mut silent).await;
    assert_eq!(sent.len(), 7);
    for publish in &sent {
        silent.acknowledge(publish).await;
    }
    assert_eq!(
        publishes_left_for(&mut silent).await.len(),
        6,
        "of the others there is no more"
    );
}
