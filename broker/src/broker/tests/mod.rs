//! The broker in one process, clients at in-memory streams, time paused: policy, takeover, wills, expiry.

mod admission;
mod authentication;
mod deliveries;
mod durable;
mod events;
mod grants;
mod paths;
mod peer;
pub(crate) mod policy;
mod pressure;
mod reads;
mod restored;
mod retained;
mod rights;
mod runs;
mod shadow;
mod sharing;
mod subscriptions;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hookwire_hooks::{
    AccessDecision, Action, Authentication, Chain, Credentials, Defaults, Denial, Grant, OnFailure, Plugin,
    Rejection, Replacement, Routing, RuleAction, Verdict, WillCause, WillDecision, WillDelays,
};
use hookwire_protocol::{
    ConnectReason, Delivery, DisconnectReason, Packet, PublishReason, SubscribeReason, Version,
};
use parking_lot::Mutex;

use super::{Broker, Settings};
use crate::config::Config;
use peer::{Peer, connect_as, id, topic, will};
use policy::{Policy, failure};

fn broker_with(change: impl FnOnce(&mut Config)) -> Broker {
    let mut config = Config::default();
    change(&mut config);
    let broker = Broker::new(Settings::from(&config)).expect("a thread");
    let serving = broker.clone();
    tokio::spawn(async move { serving.serve().await });
    broker
}

fn broker() -> Broker {
    broker_with(|_| {})
}

fn install(broker: &Broker, policies: Vec<Policy>) {
    let generation = broker.chain().generation() + 1;
    let plugins = policies
        .into_iter()
        .map(|policy| Arc::new(policy) as Arc<dyn Plugin>)
        .collect();
    broker.install(Arc::new(Chain::new(generation, plugins, Defaults::default())));
}

#[tokio::test(start_paused = true)]
async fn one_message_reaches_none_one_and_many() {
    let broker = broker();
    let mut publisher = Peer::connect(&broker, "p").await;
    assert_eq!(
        publisher.publish_acked("a/b", "to nobody").await,
        PublishReason::NoMatchingSubscribers.code()
    );
    let mut one = Peer::connect(&broker, "1").await;
    one.subscribe("a/+").await;
    assert_eq!(publisher.publish_acked("a/b", "to one").await, 0);
    assert_eq!(one.message().await, ("a/b".into(), "to one".into()));
    let mut two = Peer::connect(&broker, "2").await;
    two.subscribe("#").await;
    publisher.publish_acked("a/b", "to many").await;
    for peer in [&mut one, &mut two] {
        assert_eq!(peer.message().await.1, "to many");
        peer.hears_nothing().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_second_connection_takes_the_session_over() {
    let broker = broker();
    let mut persistent = connect_as("c");
    persistent.clean_start = false;
    persistent.properties.session_expiry_interval = Some(60);
    let (mut first, connack) = Peer::connect_with(&broker, persistent.clone()).await;
    assert!(!connack.session_present);
    first.subscribe("t").await;
    let asked_at = tokio::time::Instant::now();
    let (mut second, connack) = Peer::connect_with(&broker, persistent).await;
    assert!(connack.session_present);
    assert_eq!(
        asked_at.elapsed(),
        Duration::ZERO,
        "the first one says that it has gone"
    );
    assert_eq!(first.closed_with().await, DisconnectReason::SessionTakenOver);
    Peer::connect(&broker, "p")
        .await
        .publish_acked("t", "for the second")
        .await;
    assert_eq!(second.message().await.1, "for the second");
}

/// The table has no copy of the ids: each session is asked for its own.
#[tokio::test(start_paused = true)]
async fn sessions_are_found_by_their_ids_however_many_come_and_go() {
    let broker = broker();
    let is_kept = |n: usize| n.is_multiple_of(2);
    let connect = |n: usize| {
        let mut connect = connect_as(&format!("client {n}"));
        connect.clean_start = false;
        connect.properties.session_expiry_interval = is_kept(n).then_some(60);
        connect
    };
    let mut peers = Vec::new();
    for n in 0..300 {
        peers.push(Peer::connect_with(&broker, connect(n)).await.0);
    }
    assert_eq!(broker.0.registry.lock().len(), 300);
    for peer in peers {
        peer.disconnect(DisconnectReason::NormalDisconnection).await;
    }
    for n in 0..300 {
        let name = format!("client {n}");
        let found = broker.0.registry.lock().get(&name).cloned();
        assert_eq!(found.is_some(), is_kept(n), "{name}");
        let standing = found.map(|client| client.standing());
        assert!(standing.is_none_or(|standing| standing.facts.client_id == *name));
    }
    for n in 0..300 {
        let (peer, connack) = Peer::connect_with(&broker, connect(n)).await;
        assert_eq!(connack.session_present, is_kept(n));
        peer.disconnect(DisconnectReason::NormalDisconnection).await;
    }
    assert_eq!(broker.0.registry.lock().len(), 150);
}

#[tokio::test(start_paused = true)]
async fn a_clean_start_forgets_the_kept_session() {
    let broker = broker();
    let mut persistent = connect_as("c");
    persistent.properties.session_expiry_interval = Some(60);
    let (mut first, _) = Peer::connect_with(&broker, persistent.clone()).await;
    first.subscribe("t").await;
    first.disconnect(DisconnectReason::NormalDisconnection).await;
    let (mut second, connack) = Peer::connect_with(&broker, persistent).await;
    assert!(!connack.session_present);
    Peer::connect(&broker, "p").await.publish_acked("t", "x").await;
    second.hears_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn a_session_is_gone_after_its_expiry_and_there_before_it() {
    for (away, is_present) in [(30, true), (90, false)] {
        let broker = broker();
        let mut persistent = connect_as("c");
        persistent.clean_start = false;
        persistent.properties.session_expiry_interval = Some(60);
        let (peer, _) = Peer::connect_with(&broker, persistent.clone()).await;
        peer.disconnect(DisconnectReason::NormalDisconnection).await;
        // The broker's clock is not tokio's, so the timer list is asked as if it were later.
        broker.do_what_is_due_at(crate::clock::now() + Duration::from_secs(away));
        let (_, connack) = Peer::connect_with(&broker, persistent).await;
        assert_eq!(connack.session_present, is_present, "after {away} s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_will_tells_of_a_lost_connection_only() {
    let broker = broker();
    let mut watcher = Peer::connect(&broker, "w").await;
    watcher.subscribe("gone/#").await;
    for (reason, is_told) in [
        (Some(DisconnectReason::NormalDisconnection), false),
        (Some(DisconnectReason::DisconnectWithWill), true),
        (None, true),
    ] {
        let connect = hookwire_protocol::Connect {
            will: Some(will("gone/c")),
            ..connect_as("c")
        };
        let (peer, _) = Peer::connect_with(&broker, connect).await;
        match reason {
            Some(reason) => peer.disconnect(reason).await,
            None => drop(peer),
        }
        if is_told {
            assert_eq!(watcher.message().await.0, "gone/c", "{reason:?}");
        }
        watcher.hears_nothing().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_delayed_will_is_taken_back_when_the_client_returns() {
    let broker = broker();
    let mut watcher = Peer::connect(&broker, "w").await;
    watcher.subscribe("gone/#").await;
    let mut connect = connect_as("c");
    connect.clean_start = false;
    connect.properties.session_expiry_interval = Some(600);
    connect.will = Some(hookwire_protocol::Will {
        delay_interval_secs: 60,
        ..will("gone/c")
    });
    drop(Peer::connect_with(&broker, connect.clone()).await);
    watcher.hears_nothing().await;
    let (peer, connack) = Peer::connect_with(&broker, connect.clone()).await;
    assert!(connack.session_present);
    broker.do_what_is_due_at(crate::clock::now() + Duration::from_secs(61));
    watcher.hears_nothing().await;
    drop(peer);
    watcher.hears_nothing().await;
    broker.do_what_is_due_at(crate::clock::now() + Duration::from_secs(61));
    assert_eq!(watcher.message().await.0, "gone/c");
}

#[tokio::test(start_paused = true)]
async fn a_fight_for_one_client_id_is_slowed() {
    let broker = broker_with(|config| {
        config.takeover.fight_after = 2;
        config.takeover.backoff = Duration::from_secs(3);
    });
    let mut peers = Vec::new();
    for _ in 0..3 {
        peers.push(Peer::connect(&broker, "c").await);
    }
    let start = tokio::time::Instant::now();
    let fourth = Peer::connect(&broker, "c").await;
    assert!(start.elapsed() >= Duration::from_secs(3), "{:?}", start.elapsed());
    peers.push(fourth);
}

#[tokio::test(start_paused = true)]
async fn silence_ends_a_connection_that_never_connects() {
    let broker = broker();
    let (mut near, far) = tokio::io::duplex(1024);
    let arrival = super::Arrival {
        address: ([192, 0, 2, 1], 1234).into(),
        listener: "".into(),
        admits_anonymous: super::Admits {
            without_authenticator: true,
            with_authenticator: true,
        },
    };
    let start = tokio::time::Instant::now();
    tokio::spawn(crate::net::serve(far, broker, arrival, None));
    let mut byte = [0];
    assert_eq!(
        tokio::io::AsyncReadExt::read(&mut near, &mut byte)
            .await
            .expect("closed in order"),
        0
    );
    assert!(start.elapsed() >= Config::default().limits.connect_timeout);
}

#[tokio::test(start_paused = true)]
async fn a_protocol_error_ends_its_own_connection_only() {
    let broker = broker();
    let mut witness = Peer::connect(&broker, "witness").await;
    let mut second_connect = Peer::connect(&broker, "a").await;
    second_connect
        .send(Packet::Connect(Box::new(connect_as("a"))))
        .await;
    assert_eq!(
        second_connect.closed_with().await,
        DisconnectReason::ProtocolError
    );
    let mut server_packet = Peer::connect(&broker, "b").await;
    server_packet.send(Packet::Pingresp).await;
    assert_eq!(server_packet.closed_with().await, DisconnectReason::ProtocolError);
    witness.hears_nothing().await;
}

// ---- policy

fn authenticator(answer: impl Fn(Credentials) -> Authentication + Send + Sync + 'static) -> Policy {
    Policy {
        name: "authenticator",
        authenticate: Some(Box::new(move |who| Ok(answer(who)))),
        ..Policy::default()
    }
}

#[tokio::test(start_paused = true)]
async fn connects_are_admitted_refused_or_left_to_the_listener() {
    let broker = broker();
    install(
        &broker,
        vec![authenticator(|who| match who.username.as_deref() {
            Some("alice") => Authentication::Allow(Box::default()),
            Some("mallory") => Authentication::Deny(Denial {
                text: Some("go away".into()),
                ..Denial::new(ConnectReason::Banned)
            }),
            Some("nobody knows") => Authentication::Unavailable,
            _ => Authentication::Next,
        })],
    );
    for (username, version, code) in [
        (Some("alice"), Version::V5, ConnectReason::Success),
        (Some("mallory"), Version::V5, ConnectReason::Banned),
        (
            Some("nobody knows"),
            Version::V5,
            ConnectReason::ServerUnavailable,
        ),
        (Some("bob"), Version::V5, ConnectReason::NotAuthorized),
        (None, Version::V5, ConnectReason::NotAuthorized),
    ] {
        let connect = hookwire_protocol::Connect {
            username: username.map(|name| name.to_owned().into()),
            version,
            ..connect_as("c")
        };
        let mut peer = Peer::dial(&broker, connect).await;
        let connack = peer.connack().await;
        assert_eq!(connack.reason, code, "{username:?}");
        if username == Some("mallory") {
            assert_eq!(connack.properties.reason_string.as_deref(), Some("go away"));
        }
        if code != ConnectReason::Success {
            assert!(peer.next().await.is_none(), "[MQTT-3.1.4-2]");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_client_does_not_throw_out_the_one_that_is_there() {
    let broker = broker();
    let mut owner = Peer::connect(&broker, "c").await;
    install(
        &broker,
        vec![authenticator(|_| {
            Authentication::Deny(Denial::new(ConnectReason::NotAuthorized))
        })],
    );
    let mut thief = Peer::dial(&broker, connect_as("c")).await;
    assert!(thief.connack().await.reason.is_error());
    owner.hears_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn a_session_belongs_to_its_user() {
    for (shared, code) in [
        (false, ConnectReason::NotAuthorized),
        (true, ConnectReason::Success),
    ] {
        let broker = broker_with(|config| config.session.shared_client_ids = shared);
        let as_user = |name: &str| hookwire_protocol::Connect {
            username: Some(name.to_owned().into()),
            ..connect_as("c")
        };
        let (mut owner, _) = Peer::connect_with(&broker, as_user("alice")).await;
        assert_eq!(
            Peer::dial(&broker, as_user("bob")).await.connack().await.reason,
            code
        );
        if !shared {
            owner.hears_nothing().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_grant_holds() {
    let broker = broker();
    install(
        &broker,
        vec![authenticator(|_| {
            Authentication::Allow(Box::new(Grant {
                client_id: Some("renamed".into()),
                mount_point: Some("tenant/".into()),
                rules: vec![
                    (false, RuleAction::Both, "tenant/secret".into()),
                    (true, RuleAction::Publish, "tenant/%c/#".into()),
                    (false, RuleAction::Publish, "#".into()),
                ],
                max_packet_size: Some(100),
                user_properties: vec![("hello".into(), "you".into())],
                ..Grant::default()
            }))
        })],
    );
    let (mut peer, connack) = Peer::connect_with(&broker, connect_as("c")).await;
    assert_eq!(
        connack.properties.assigned_client_identifier.as_deref(),
        Some("renamed")
    );
    assert_eq!(
        connack.properties.user_properties,
        [("hello".into(), "you".into())]
    );
    assert_eq!(
        peer.publish_acked("renamed/x", "own").await,
        PublishReason::NoMatchingSubscribers.code()
    );
    assert_eq!(
        peer.publish_acked("c/x", "not by the old name").await,
        PublishReason::NotAuthorized.code()
    );
    assert_eq!(peer.subscribe("secret").await, SubscribeReason::NotAuthorized);
    assert_eq!(peer.subscribe("renamed/#").await, SubscribeReason::GrantedQos1);
    peer.publish("renamed/x", "mounted", Delivery::AtMostOnce).await;
    assert_eq!(peer.message().await, ("renamed/x".into(), "mounted".into()));
    peer.publish("renamed/x", &"x".repeat(200), Delivery::AtMostOnce)
        .await;
    assert_eq!(peer.closed_with().await, DisconnectReason::PacketTooLarge);
}

fn authorizer(allow: impl Fn(Action, &str) -> AccessDecision + Send + Sync + 'static) -> Policy {
    Policy {
        name: "authorizer",
        authorize: Some(Box::new(move |(action, topic)| Ok(allow(action, &topic)))),
        ..Policy::default()
    }
}

#[tokio::test(start_paused = true)]
async fn what_nobody_decides_is_refused_once_somebody_authorizes() {
    let broker = broker();
    install(
        &broker,
        vec![authorizer(|_, topic| {
            if topic == "open" {
                AccessDecision::Allow
            } else {
                AccessDecision::Next
            }
        })],
    );
    let mut peer = Peer::connect(&broker, "c").await;
    assert_eq!(
        peer.publish_acked("open", "").await,
        PublishReason::NoMatchingSubscribers.code()
    );
    assert_eq!(
        peer.publish_acked("other", "").await,
        PublishReason::NotAuthorized.code()
    );
    assert_eq!(peer.subscribe("open").await, SubscribeReason::GrantedQos1);
    assert_eq!(peer.subscribe("other").await, SubscribeReason::NotAuthorized);
    peer.publish("other", "", Delivery::ExactlyOnce(id(5))).await;
    assert!(
        matches!(peer.next().await, Some(Packet::Pubrec(pubrec)) if pubrec.reason == PublishReason::NotAuthorized)
    );
}

#[tokio::test(start_paused = true)]
async fn a_new_chain_judges_the_very_next_message_also_where_the_old_answer_was_remembered() {
    let broker = broker();
    install(&broker, vec![authorizer(|_, _| AccessDecision::Allow)]);
    let mut peer = Peer::connect(&broker, "c").await;
    assert_eq!(
        peer.publish_acked("t", "").await,
        PublishReason::NoMatchingSubscribers.code()
    );
    install(&broker, vec![authorizer(|_, _| AccessDecision::Deny(None))]);
    assert_eq!(
        peer.publish_acked("t", "").await,
        PublishReason::NotAuthorized.code()
    );
}

#[tokio::test(start_paused = true)]
async fn the_brokers_own_topics_are_not_for_clients() {
    let broker = broker();
    let mut peer = Peer::connect(&broker, "c").await;
    for reserved in ["$SYS/x", "$CONTROL/x", "$share/g/x"] {
        assert_eq!(
            peer.publish_acked(reserved, "").await,
            PublishReason::NotAuthorized.code(),
            "{reserved}"
        );
    }
    let connect = hookwire_protocol::Connect {
        will: Some(will("$SYS/x")),
        ..connect_as("w")
    };
    assert!(
        Peer::dial(&broker, connect)
            .await
            .connack()
            .await
            .reason
            .is_error()
    );
}

fn judge(verdict: impl Fn(&hookwire_hooks::Message) -> Verdict + Send + Sync + 'static) -> Policy {
    Policy {
        name: "judge",
        on_publish: Some(Box::new(move |message| Ok(verdict(&message)))),
        ..Policy::default()
    }
}

fn by_topic(message: &hookwire_hooks::Message) -> Verdict {
    let rejection = |reason| Rejection {
        reason,
        text: Some("by policy".into()),
    };
    match message.topic.as_str() {
        "drop" => Verdict::Drop,
        "reject" => Verdict::Reject(rejection(PublishReason::QuotaExceeded)),
        "disconnect" => Verdict::Disconnect(rejection(PublishReason::PayloadFormatInvalid)),
        "replace" => Verdict::Replace(Box::new(Replacement {
            topic: Some(topic("replaced")),
            payload: Some(Bytes::from_static(b"other")),
            ..Replacement::default()
        })),
        _ => Verdict::Pass,
    }
}

#[tokio::test(start_paused = true)]
async fn every_verdict_about_a_message_holds() {
    let broker = broker();
    install(&broker, vec![judge(by_topic)]);
    let mut watcher = Peer::connect(&broker, "w").await;
    watcher.subscribe("#").await;
    let mut peer = Peer::connect(&broker, "p").await;
    assert_eq!(peer.publish_acked("pass", "as it is").await, 0);
    assert_eq!(watcher.message().await, ("pass".into(), "as it is".into()));
    assert_eq!(peer.publish_acked("replace", "this").await, 0);
    assert_eq!(watcher.message().await, ("replaced".into(), "other".into()));
    assert_eq!(peer.publish_acked("drop", "").await, 0);
    assert_eq!(
        peer.publish_acked("reject", "").await,
        PublishReason::QuotaExceeded.code()
    );
    peer.publish("disconnect", "", Delivery::AtMostOnce).await;
    assert_eq!(peer.closed_with().await, DisconnectReason::PayloadFormatInvalid);
    watcher.hears_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn an_older_client_sees_a_refusal_as_success() {
    let broker = broker();
    install(&broker, vec![judge(by_topic)]);
    let old = hookwire_protocol::Connect {
        version: Version::V3_1_1,
        ..connect_as("old")
    };
    let (mut peer, _) = Peer::connect_with(&broker, old).await;
    assert_eq!(peer.publish_acked("reject", "").await, 0);
}

#[tokio::test(start_paused = true)]
async fn edits_are_a_pipeline_and_a_refusal_ends_it() {
    let broker = broker();
    let append = |text: &'static str| {
        judge(move |message| {
            let payload = [&message.payload[..], text.as_bytes()].concat();
            let edited = Replacement {
                payload: Some(payload.into()),
                ..Replacement::default()
            };
            if message.payload.ends_with(b"no") {
                Verdict::Drop
            } else {
                Verdict::Replace(Box::new(edited))
            }
        })
    };
    install(&broker, vec![append("-1"), append("-2")]);
    let mut watcher = Peer::connect(&broker, "w").await;
    watcher.subscribe("#").await;
    let mut peer = Peer::connect(&broker, "p").await;
    peer.publish_acked("t", "x").await;
    assert_eq!(watcher.message().await.1, "x-1-2");
    peer.publish_acked("t", "no").await;
    peer.publish_acked("unwatched/t", "x").await;
    assert_eq!(
        watcher.message().await.1,
        "x",
        "not shown to whoever is not interested"
    );
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_what_the_configuration_says() {
    for (on_failure, code) in [
        (None, Some(PublishReason::ImplementationSpecific.code())),
        (
            Some(OnFailure::Deny),
            Some(PublishReason::ImplementationSpecific.code()),
        ),
        (
            Some(OnFailure::Pass),
            Some(PublishReason::NoMatchingSubscribers.code()),
        ),
        (Some(OnFailure::Disconnect), None),
    ] {
        let broker = broker();
        let failing = Policy {
            name: "failing",
            on_publish: Some(Box::new(|_| Err(failure()))),
            on_failure,
            ..Policy::default()
        };
        install(&broker, vec![failing]);
        let mut peer = Peer::connect(&broker, "p").await;
        match code {
            Some(code) => assert_eq!(peer.publish_acked("t", "").await, code, "{on_failure:?}"),
            None => {
                peer.publish("t", "", Delivery::AtMostOnce).await;
                assert_eq!(peer.closed_with().await, DisconnectReason::ImplementationSpecific);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn access_hooks_that_fail_refuse() {
    let broker = broker();
    install(
        &broker,
        vec![Policy {
            name: "failing",
            authorize: Some(Box::new(|_| Err(failure()))),
            ..Policy::default()
        }],
    );
    let mut peer = Peer::connect(&broker, "p").await;
    assert_eq!(
        peer.publish_acked("t", "").await,
        PublishReason::NotAuthorized.code()
    );
    install(
        &broker,
        vec![Policy {
            name: "failing",
            authenticate: Some(Box::new(|_| Err(failure()))),
            ..Policy::default()
        }],
    );
    let connack = Peer::dial(&broker, connect_as("q")).await.connack().await;
    assert_eq!(connack.reason, ConnectReason::ServerUnavailable);
}

#[tokio::test(start_paused = true)]
async fn a_throttled_publisher_waits_and_loses_nothing() {
    let broker = broker();
    install(
        &broker,
        vec![judge(|message| {
            if message.payload == "slow" {
                Verdict::Throttle(20_000)
            } else {
                Verdict::Pass
            }
        })],
    );
    let mut watcher = Peer::connect(&broker, "w").await;
    watcher.subscribe("#").await;
    let connect = hookwire_protocol::Connect {
        keep_alive_secs: 5,
        ..connect_as("p")
    };
    let (mut peer, _) = Peer::connect_with(&broker, connect).await;
    peer.publish("t", "slow", Delivery::AtMostOnce).await;
    assert_eq!(watcher.message().await.1, "slow");
    peer.publish("t", "next", Delivery::AtMostOnce).await;
    watcher.hears_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn routing_can_copy_and_leave_out() {
    let broker = broker();
    let mut left_out = Peer::connect(&broker, "left out").await;
    left_out.subscribe("t").await;
    let key = broker.clients()[0].key();
    let mut stays = Peer::connect(&broker, "stays").await;
    stays.subscribe("#").await;
    let route = move |_| {
        Ok(Routing {
            copies: vec![topic("copy")],
            exclude: vec![key],
            ..Routing::default()
        })
    };
    install(
        &broker,
        vec![Policy {
            name: "route",
            route: Some(Box::new(route)),
            ..Policy::default()
        }],
    );
    Peer::connect(&broker, "p").await.publish_acked("t", "x").await;
    assert_eq!(stays.message().await.0, "t");
    assert_eq!(stays.message().await.0, "copy");
    left_out.hears_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn routing_can_pick_a_member_of_a_shared_group() {
    let broker = broker();
    let mut first = Peer::connect(&broker, "first").await;
    first.subscribe("$share/g/t").await;
    let key = broker.clients()[0].key();
    let mut second = Peer::connect(&broker, "second").await;
    second.subscribe("$share/g/t").await;
    let route = move |_| {
        Ok(Routing {
            picks: vec![hookwire_hooks::Pick {
                group: 0,
                member: key,
            }],
            ..Routing::default()
        })
    };
    install(
        &broker,
        vec![Policy {
            name: "route",
            route: Some(Box::new(route)),
            ..Policy::default()
        }],
    );
    let mut publisher = Peer::connect(&broker, "p").await;
    for n in 0..4 {
        publisher.publish_acked("t", &n.to_string()).await;
        assert_eq!(first.message().await.1, n.to_string());
    }
    second.hears_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn wills_pass_the_same_policy_as_every_message() {
    let broker = broker();
    let mut watcher = Peer::connect(&broker, "w").await;
    watcher.subscribe("#").await;
    install(
        &broker,
        vec![judge(|message| {
            if message.topic.as_str() == "gone/no" {
                Verdict::Drop
            } else {
                Verdict::Pass
            }
        })],
    );
    for name in ["gone/no", "gone/yes"] {
        let connect = hookwire_protocol::Connect {
            will: Some(will(name)),
            ..connect_as("c")
        };
        drop(Peer::connect_with(&broker, connect).await);
    }
    assert_eq!(watcher.message().await.0, "gone/yes");
    install(
        &broker,
        vec![authorizer(|action, _| {
            if action == Action::Will {
                AccessDecision::Deny(None)
            } else {
                AccessDecision::Allow
            }
        })],
    );
    let connect = hookwire_protocol::Connect {
        will: Some(will("gone/c")),
        ..connect_as("c")
    };
    assert_eq!(
        Peer::dial(&broker, connect).await.connack().await.reason,
        ConnectReason::NotAuthorized
    );
}

#[tokio::test(start_paused = true)]
async fn a_will_policy_can_suppress_change_and_delay() {
    let broker = broker();
    let mut watcher = Peer::connect(&broker, "w").await;
    watcher.subscribe("#").await;
    let decide = |(cause, delays)| {
        assert_eq!(
            (cause, delays),
            (WillCause::ConnectionLost, WillDelays::default())
        );
        Ok(WillDecision::Suppress)
    };
    install(
        &broker,
        vec![Policy {
            name: "will",
            on_will: Some(Box::new(decide)),
            ..Policy::default()
        }],
    );
    let connect = || hookwire_protocol::Connect {
        will: Some(will("gone/c")),
        ..connect_as("c")
    };
    drop(Peer::connect_with(&broker, connect()).await);
    watcher.hears_nothing().await;
    let change = |_| {
        Ok(WillDecision::Replace(Box::new(Replacement {
            payload: Some("changed".into()),
            ..Replacement::default()
        })))
    };
    install(
        &broker,
        vec![Policy {
            name: "will",
            on_will: Some(Box::new(change)),
            ..Policy::default()
        }],
    );
    drop(Peer::connect_with(&broker, connect()).await);
    assert_eq!(watcher.message().await.1, "changed");
    let delay = |_| Ok(WillDecision::Delay(Duration::from_secs(30)));
    install(
        &broker,
        vec![Policy {
            name: "will",
            on_will: Some(Box::new(delay)),
            ..Policy::default()
        }],
    );
    drop(Peer::connect_with(&broker, connect()).await);
    watcher.hears_nothing().await;
    let back = Peer::connect(&broker, "c").await;
    install(&broker, Vec::new());
    broker.do_what_is_due_at(crate::clock::now() + Duration::from_secs(31));
    watcher.hears_nothing().await;
    drop(back);
}
