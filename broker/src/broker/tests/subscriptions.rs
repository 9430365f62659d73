//! on-subscribe and on-unsubscribe: what is kept in the place of what a client asks for.

use bytestring::ByteString;
use hookwire_hooks::{SubscribeDecision, SubscribeRequest, UnsubscribeDecision};
use hookwire_protocol::{
    Delivery, DisconnectReason, Packet, QoS, SharedFilter, SubscribeReason, Unsubscribe, UnsubscribeReason,
    Version,
};

use super::peer::{Peer, connect_as, id};
use super::policy::{Policy, failure};
use super::{Broker, broker, broker_with, install};

fn subscriber(decide: impl Fn(SubscribeRequest) -> SubscribeDecision + Send + Sync + 'static) -> Policy {
    Policy {
        name: "subscriber",
        on_subscribe: Some(Box::new(move |request| Ok(decide(request)))),
        ..Policy::default()
    }
}

/// Makes `to` of `from`.
pub(super) fn rewrite(broker: &Broker, from: &'static str, to: &'static str) {
    let decide = move |request: SubscribeRequest| {
        if request.filter.to_string() != from {
            return SubscribeDecision::Pass;
        }
        SubscribeDecision::Replace(Box::new(SubscribeRequest {
            filter: SharedFilter::parse(to).expect("a filter"),
            ..request
        }))
    };
    install(broker, vec![subscriber(decide)]);
}

pub(super) async fn unsubscribe(peer: &mut Peer, filter: &str) -> UnsubscribeReason {
    peer.send(Packet::Unsubscribe(Unsubscribe {
        packet_id: id(8),
        user_properties: Vec::new(),
        filters: vec![ByteString::from(filter)],
    }))
    .await;
    match peer.next().await {
        Some(Packet::Unsuback(unsuback)) => unsuback.reasons[0],
        other => panic!("expected UNSUBACK, got {other:?}"),
    }
}

async fn publish(broker: &Broker, topic: &str) {
    Peer::connect(broker, "publisher")
        .await
        .publish_acked(topic, topic)
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_changed_filter_is_what_matches_and_the_asked_one_is_what_ends_it() {
    let broker = broker();
    rewrite(&broker, "news", "tenant/news");
    let mut peer = Peer::connect(&broker, "c").await;
    assert_eq!(peer.subscribe("news").await, SubscribeReason::GrantedQos1);
    publish(&broker, "news").await;
    publish(&broker, "tenant/news").await;
    assert_eq!(peer.message().await.0, "tenant/news");
    assert_eq!(unsubscribe(&mut peer, "news").await, UnsubscribeReason::Success);
    publish(&broker, "tenant/news").await;
    peer.hears_nothing().await;
    assert_eq!(
        unsubscribe(&mut peer, "news").await,
        UnsubscribeReason::NoSubscriptionExisted
    );
}

#[tokio::test(start_paused = true)]
async fn asking_again_under_another_policy_replaces_what_was_kept() {
    let broker = broker();
    rewrite(&broker, "f", "one");
    let mut peer = Peer::connect(&broker, "c").await;
    peer.subscribe("f").await;
    rewrite(&broker, "f", "two");
    peer.subscribe("f").await;
    publish(&broker, "one").await;
    publish(&broker, "two").await;
    assert_eq!(peer.message().await.0, "two");
    install(&broker, Vec::new());
    peer.subscribe("f").await;
    publish(&broker, "two").await;
    publish(&broker, "f").await;
    assert_eq!(peer.message().await.0, "f");
    peer.hears_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn what_two_filters_mean_ends_with_the_second() {
    let broker = broker();
    rewrite(&broker, "alias", "real");
    let mut peer = Peer::connect(&broker, "c").await;
    peer.subscribe("real").await;
    peer.subscribe("alias").await;
    assert_eq!(unsubscribe(&mut peer, "alias").await, UnsubscribeReason::Success);
    publish(&broker, "real").await;
    assert_eq!(peer.message().await.0, "real");
    assert_eq!(unsubscribe(&mut peer, "real").await, UnsubscribeReason::Success);
    publish(&broker, "real").await;
    peer.hears_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn a_plain_subscription_can_become_a_shared_one() {
    let broker = broker();
    rewrite(&broker, "jobs", "$share/workers/jobs");
    let mut one = Peer::connect(&broker, "1").await;
    let mut two = Peer::connect(&broker, "2").await;
    one.subscribe("jobs").await;
    two.subscribe("jobs").await;
    publish(&broker, "jobs").await;
    publish(&broker, "jobs").await;
    for peer in [&mut one, &mut two] {
        assert_eq!(peer.message().await.0, "jobs");
        peer.hears_nothing().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_qos_can_be_lowered_and_never_raised() {
    for (to, granted) in [
        (QoS::AtMostOnce, SubscribeReason::GrantedQos0),
        (QoS::ExactlyOnce, SubscribeReason::GrantedQos1),
    ] {
        let broker = broker();
        let decide = move |mut request: SubscribeRequest| {
            request.options.qos = to;
            SubscribeDecision::Replace(Box::new(request))
        };
        install(&broker, vec![subscriber(decide)]);
        let mut peer = Peer::connect(&broker, "c").await;
        assert_eq!(peer.subscribe("t").await, granted);
    }
}

#[tokio::test(start_paused = true)]
async fn a_subscription_can_come_without_what_is_retained() {
    let broker = broker();
    let mut publisher = Peer::connect(&broker, "p").await;
    for topic in ["secret", "open"] {
        publisher.retain(topic, "kept").await;
    }
    let decide = |request: SubscribeRequest| match request.filter.filter.as_str() {
        "secret" => SubscribeDecision::WithoutRetained,
        _ => SubscribeDecision::Pass,
    };
    install(&broker, vec![subscriber(decide)]);
    let mut peer = Peer::connect(&broker, "c").await;
    peer.subscribe("secret").await;
    peer.subscribe("open").await;
    assert_eq!(peer.message().await.0, "open");
    peer.hears_nothing().await;
    publisher.publish_acked("secret", "live").await;
    assert_eq!(peer.message().await.1, "live");
}

#[tokio::test(start_paused = true)]
async fn a_rejection_has_the_code_of_each_version() {
    let broker = broker();
    install(
        &broker,
        vec![subscriber(|_| {
            SubscribeDecision::Reject(SubscribeReason::QuotaExceeded)
        })],
    );
    for (version, reason) in [
        (Version::V5, SubscribeReason::QuotaExceeded),
        (Version::V3_1_1, SubscribeReason::Unspecified),
        // Which knows no failure: it is granted what it does not get.
        (Version::V3_1, SubscribeReason::GrantedQos1),
    ] {
        let mut connect = connect_as("c");
        connect.version = version;
        let mut peer = Peer::connect_with(&broker, connect).await.0;
        assert_eq!(peer.subscribe("t").await, reason, "{version:?}");
        publish(&broker, "t").await;
        peer.hears_nothing().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_unsubscribe_can_be_refused_or_mean_another() {
    let broker = broker();
    let decide = |filter: SharedFilter| {
        Ok(match filter.filter.as_str() {
            "held" => UnsubscribeDecision::Reject(UnsubscribeReason::NotAuthorized),
            "other" => UnsubscribeDecision::Replace(SharedFilter::parse("meant").expect("a filter")),
            _ => UnsubscribeDecision::Pass,
        })
    };
    install(
        &broker,
        vec![Policy {
            name: "unsubscriber",
            on_unsubscribe: Some(Box::new(decide)),
            ..Policy::default()
        }],
    );
    let mut peer = Peer::connect(&broker, "c").await;
    for filter in ["held", "meant", "free"] {
        peer.subscribe(filter).await;
    }
    for (filter, reason) in [
        ("held", UnsubscribeReason::NotAuthorized),
        ("other", UnsubscribeReason::Success),
        ("other", UnsubscribeReason::NoSubscriptionExisted),
        ("free", UnsubscribeReason::Success),
    ] {
        assert_eq!(unsubscribe(&mut peer, filter).await, reason, "{filter}");
    }
    for topic in ["meant", "free", "held"] {
        publish(&broker, topic).await;
    }
    assert_eq!(peer.message().await.0, "held");
    peer.hears_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn the_bound_of_subscriptions_counts_what_is_kept() {
    let broker = broker_with(|config| config.session.subscriptions_max = 1);
    rewrite(&broker, "alias", "real");
    let mut peer = Peer::connect(&broker, "c").await;
    assert_eq!(peer.subscribe("alias").await, SubscribeReason::GrantedQos1);
    assert_eq!(
        peer.subscribe("alias").await,
        SubscribeReason::GrantedQos1,
        "the same again"
    );
    assert_eq!(peer.subscribe("b").await, SubscribeReason::QuotaExceeded);
    assert_eq!(
        peer.subscribe("real").await,
        SubscribeReason::QuotaExceeded,
        "it is kept, and was not asked for"
    );
}

#[tokio::test(start_paused = true)]
async fn the_bound_of_subscriptions_counts_each_filter_that_is_kept_as_the_same() {
    let broker = broker_with(|config| config.session.subscriptions_max = 2);
    let into_one = |request: SubscribeRequest| {
        SubscribeDecision::Replace(Box::new(SubscribeRequest {
            filter: SharedFilter::parse("one").expect("a filter"),
            ..request
        }))
    };
    install(&broker, vec![subscriber(into_one)]);
    let mut peer = Peer::connect(&broker, "c").await;
    for (filter, expected) in [
        ("a", SubscribeReason::GrantedQos1),
        ("b", SubscribeReason::GrantedQos1),
        ("c", SubscribeReason::QuotaExceeded),
        ("a", SubscribeReason::GrantedQos1),
    ] {
        assert_eq!(peer.subscribe(filter).await, expected, "{filter}");
    }
    assert_eq!(unsubscribe(&mut peer, "b").await, UnsubscribeReason::Success);
    assert_eq!(peer.subscribe("c").await, SubscribeReason::GrantedQos1);
}

#[tokio::test(start_paused = true)]
async fn a_subscription_ends_with_its_session_whatever_it_was_asked_as() {
    let broker = broker();
    rewrite(&broker, "alias", "real");
    let mut peer = Peer::connect(&broker, "c").await;
    peer.subscribe("alias").await;
    peer.disconnect(DisconnectReason::NormalDisconnection).await;
    let mut publisher = Peer::connect(&broker, "p").await;
    publisher
        .publish("real", "to nobody", Delivery::AtLeastOnce(id(1)))
        .await;
    let Some(Packet::Puback(puback)) = publisher.next().await else {
        panic!("expected PUBACK")
    };
    assert_eq!(
        puback.reason,
        hookwire_protocol::PublishReason::NoMatchingSubscribers
    );
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_fails_makes_no_subscription() {
    let broker = broker();
    install(
        &broker,
        vec![Policy {
            name: "failing",
            on_subscribe: Some(Box::new(|_| Err(failure()))),
            ..Policy::default()
        }],
    );
    let mut peer = Peer::connect(&broker, "c").await;
    assert_eq!(peer.subscribe("t").await, SubscribeReason::ImplementationSpecific);
    publish(&broker, "t").await;
    peer.hears_nothing().await;
}
