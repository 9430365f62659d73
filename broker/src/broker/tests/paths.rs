//! The same policy on every way into the broker and through it, and what is judged once only.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hookwire_hooks::{
    AccessDecision, Action, DeliverDecision, Host, Message, PluginPublish, Rejection, Replacement, Routing,
    Source, Verdict, WillDecision, WillDelays,
};
use hookwire_protocol::{
    Connect, Delivery, DisconnectReason, Packet, PublishProperties, PublishReason, QoS, Version,
};
use parking_lot::Mutex;

use super::peer::{Peer, connect_as, id, message, topic, will};
use super::policy::Policy;
use super::{Broker, broker, broker_with, install};
use crate::broker::PluginAccess;
use crate::config::Mqtt3Rejected;

pub(super) fn admin_message(topic_name: &str, payload: &str) -> Message {
    Message {
        source: Source::Admin,
        topic: topic(topic_name),
        payload: Bytes::from(payload.to_owned()),
        qos: QoS::AtLeastOnce,
        retain: false,
        properties: PublishProperties::default(),
        expires_at: None,
    }
}

type Trace = Arc<Mutex<Vec<String>>>;

/// A policy with every hook about messages that lets all pass and notes where they came by.
fn tracer(trace: &Trace) -> Policy {
    let note = |hook: &'static str| {
        let trace = Arc::clone(trace);
        move |topic: &str| trace.lock().push(format!("{hook} {topic}"))
    };
    let (authorize, on_publish, route) = (note("authorize"), note("on-publish"), note("route"));
    let (deliver, on_will) = (note("deliver"), note("on-will"));
    Policy {
        name: "tracer",
        authorize: Some(Box::new(move |(action, topic): (Action, String)| {
            if action != Action::Subscribe {
                authorize(&format!("{action:?} {topic}").to_lowercase());
            }
            Ok(AccessDecision::Allow)
        })),
        asks_deliver: true,
        on_publish: Some(Box::new(move |message: Message| {
            on_publish(message.topic.as_str());
            Ok(Verdict::Pass)
        })),
        route: Some(Box::new(move |(message, _)| {
            route(message.topic.as_str());
            Ok(Routing::default())
        })),
        deliver: Some(Box::new(move |parcel| {
            deliver(parcel.message.topic.as_str());
            Ok(DeliverDecision::Pass)
        })),
        on_will: Some(Box::new(move |_| {
            on_will("");
            Ok(WillDecision::Publish)
        })),
        ..Policy::default()
    }
}

/// A broker with a tracer and a client that hears everything.
async fn traced() -> (Broker, Trace, Peer) {
    let broker = broker();
    let trace = Trace::default();
    install(&broker, vec![tracer(&trace)]);
    let mut watcher = Peer::connect(&broker, "watcher").await;
    watcher.subscribe("#").await;
    (broker, trace, watcher)
}

fn take(trace: &Trace) -> Vec<String> {
    std::mem::take(&mut trace.lock())
}

#[tokio::test(start_paused = true)]
async fn a_clients_message_passes_every_hook_in_order() {
    let (broker, trace, mut watcher) = traced().await;
    Peer::connect(&broker, "p").await.publish_acked("t", "").await;
    watcher.message().await;
    assert_eq!(
        take(&trace),
        [
            "authorize publish t",
            "on-publish t",
            "route t",
            "authorize deliver t",
            "deliver t"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_will_is_authorized_at_connect_and_passes_every_hook_when_it_fires() {
    let (broker, trace, mut watcher) = traced().await;
    let dying = Connect {
        will: Some(will("gone/c")),
        ..connect_as("c")
    };
    let peer = Peer::connect_with(&broker, dying).await.0;
    assert_eq!(take(&trace), ["authorize will gone/c"]);
    drop(peer);
    watcher.message().await;
    assert_eq!(
        take(&trace),
        [
            "on-will ",
            "authorize will gone/c",
            "on-publish gone/c",
            "route gone/c",
            "authorize deliver gone/c",
            "deliver gone/c"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_retained_is_judged_again_for_a_new_subscription() {
    let (broker, trace, mut watcher) = traced().await;
    Peer::connect(&broker, "p").await.retain("t", "kept").await;
    watcher.message().await;
    take(&trace);
    let mut late = Peer::connect(&broker, "late").await;
    late.subscribe("t").await;
    late.message().await;
    assert_eq!(take(&trace), ["authorize deliver t", "deliver t"]);
}

#[tokio::test(start_paused = true)]
async fn a_message_of_an_administrator_passes_every_hook_but_has_no_client() {
    let (broker, trace, mut watcher) = traced().await;
    let now = crate::clock::now();
    let published = broker.publish_as_admin(now, admin_message("t", "notice"));
    assert_eq!(published.reason, PublishReason::Success);
    assert_eq!(watcher.message().await, ("t".into(), "notice".into()));
    assert_eq!(
        take(&trace),
        ["on-publish t", "route t", "authorize deliver t", "deliver t"]
    );
    let reserved = broker.publish_as_admin(now, admin_message("$SYS/x", ""));
    assert_eq!(reserved.reason, PublishReason::NotAuthorized);
    let refuse = |_| {
        Ok(Verdict::Reject(Rejection {
            reason: PublishReason::QuotaExceeded,
            text: Some("no".into()),
        }))
    };
    install(
        &broker,
        vec![Policy {
            name: "refuser",
            on_publish: Some(Box::new(refuse)),
            ..Policy::default()
        }],
    );
    let refused = broker.publish_as_admin(now, admin_message("t", ""));
    assert_eq!(
        (refused.reason, refused.text.as_deref()),
        (PublishReason::QuotaExceeded, Some("no"))
    );
    watcher.hears_nothing().await;
}

fn plugin_publish(topic_name: &str) -> PluginPublish {
    PluginPublish {
        plugin: "emitter".into(),
        message: Message {
            source: Source::Plugin { hops: 1 },
            ..admin_message(topic_name, "")
        },
        is_only_kept: false,
    }
}

/// A plugin that publishes `topic` when it is asked about a message that is not its own.
fn emitter(broker: &Broker) -> Policy {
    let access = PluginAccess::default();
    access.connect(broker);
    let emit = move |message: Message| {
        assert!(
            matches!(message.source, Source::Client(_)),
            "a plugin does not judge itself"
        );
        assert!(access.publish(vec![plugin_publish("emitted/1"), plugin_publish("emitted/2")]));
        Ok(Verdict::Pass)
    };
    Policy {
        name: "emitter",
        on_publish: Some(Box::new(emit)),
        ..Policy::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_plugins_message_passes_every_hook_of_the_others_behind_the_one_it_answers() {
    let (broker, trace, mut watcher) = traced().await;
    install(&broker, vec![emitter(&broker), tracer(&trace)]);
    Peer::connect(&broker, "p").await.publish_acked("t", "").await;
    for topic in ["t", "emitted/1", "emitted/2"] {
        assert_eq!(watcher.message().await.0, topic);
    }
    let of_plugin: Vec<_> = take(&trace)
        .into_iter()
        .filter(|line| line.ends_with("emitted/1"))
        .collect();
    assert_eq!(
        of_plugin,
        [
            "on-publish emitted/1",
            "route emitted/1",
            "authorize deliver emitted/1",
            "deliver emitted/1"
        ]
    );
}

/// A whole run is judged before any of it is routed; what is emitted still comes behind it.
#[tokio::test(start_paused = true)]
async fn what_is_emitted_comes_behind_the_run_it_was_emitted_in() {
    let broker = broker();
    install(&broker, vec![emitter(&broker)]);
    let mut watcher = Peer::connect(&broker, "watcher").await;
    watcher.subscribe("#").await;
    let mut publisher = Peer::connect(&broker, "p").await;
    let mut bytes = bytes::BytesMut::new();
    for _ in 0..20 {
        let packet = Packet::Publish(message("t", "", Delivery::AtMostOnce));
        hookwire_protocol::encode(&packet, Version::V5, &mut bytes);
    }
    publisher.send_bytes(&bytes).await;
    let mut of_client = 0;
    let mut emitted = 0;
    while of_client + emitted < 60 {
        match watcher.publish_packet().await {
            publish if publish.delivery == Delivery::AtMostOnce => of_client += 1,
            publish => {
                emitted += 1;
                assert!(emitted <= 2 * of_client, "an answer came before its question");
                watcher.acknowledge(&publish).await;
            }
        }
    }
    assert_eq!((of_client, emitted), (20, 40));
}

/// Counts what it is asked about.
fn counter() -> (Policy, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let policy = Policy {
        name: "counter",
        on_publish: Some(Box::new(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            Ok(Verdict::Pass)
        })),
        ..Policy::default()
    };
    (policy, asked)
}

#[tokio::test(start_paused = true)]
async fn a_qos_2_message_that_is_sent_again_is_judged_once() {
    for version in [Version::V5, Version::V3_1_1] {
        let broker = broker();
        let (policy, asked) = counter();
        install(&broker, vec![policy]);
        let connect = || {
            let mut connect = connect_as("p");
            connect.version = version;
            connect.clean_start = false;
            connect.properties.session_expiry_interval = Some(60);
            connect
        };
        let mut peer = Peer::connect_with(&broker, connect()).await.0;
        peer.publish("t", "once", Delivery::ExactlyOnce(id(7))).await;
        assert!(matches!(peer.next().await, Some(Packet::Pubrec(_))));
        // On the same connection, and on the next.
        peer.publish_again("t", "once", Delivery::ExactlyOnce(id(7)))
            .await;
        assert!(matches!(peer.next().await, Some(Packet::Pubrec(_))));
        drop(peer);
        let mut back = Peer::connect_with(&broker, connect()).await.0;
        back.publish_again("t", "once", Delivery::ExactlyOnce(id(7)))
            .await;
        assert!(matches!(back.next().await, Some(Packet::Pubrec(_))));
        assert_eq!(asked.load(Ordering::Relaxed), 1, "{version:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_of_mqtt_3_whose_message_is_rejected_is_what_the_configuration_says() {
    for (rejected, is_closed) in [
        (Mqtt3Rejected::AckAndDrop, false),
        (Mqtt3Rejected::Disconnect, true),
    ] {
        let broker = broker_with(|config| config.session.mqtt_3_rejected = rejected);
        let refuse = |message: Message| {
            Ok(if message.topic.as_str() == "bad" {
                Verdict::Reject(Rejection {
                    reason: PublishReason::QuotaExceeded,
                    text: None,
                })
            } else {
                Verdict::Pass
            })
        };
        install(
            &broker,
            vec![Policy {
                name: "refuser",
                on_publish: Some(Box::new(refuse)),
                ..Policy::default()
            }],
        );
        for delivery in [Delivery::AtLeastOnce(id(1)), Delivery::ExactlyOnce(id(1))] {
            let mut old = connect_as("old");
            old.version = Version::V3_1_1;
            let mut peer = Peer::connect_with(&broker, old).await.0;
            // Nobody waits for an answer about a message of QoS 0.
            peer.publish("bad", "", Delivery::AtMostOnce).await;
            peer.hears_nothing().await;
            peer.publish("bad", "", delivery).await;
            let next = peer.next().await;
            assert_eq!(next.is_none(), is_closed, "{rejected:?} {delivery:?}: {next:?}");
        }
        let mut five = Peer::connect(&broker, "five").await;
        assert_eq!(
            five.publish_acked("bad", "").await,
            PublishReason::QuotaExceeded.code()
        );
        five.hears_nothing().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_will_policy_is_told_how_long_it_has_held_a_will_back() {
    let broker = broker();
    let mut watcher = Peer::connect(&broker, "watcher").await;
    watcher.subscribe("#").await;
    let asked = Arc::new(Mutex::new(Vec::new()));
    let decide = {
        let asked = Arc::clone(&asked);
        move |(_, delays): (_, WillDelays)| {
            asked.lock().push(delays);
            Ok(if delays.times < 2 {
                WillDecision::Delay(Duration::from_secs(30))
            } else {
                WillDecision::Replace(Box::new(Replacement {
                    payload: Some("at last".into()),
                    ..Replacement::default()
                }))
            })
        }
    };
    install(
        &broker,
        vec![Policy {
            name: "will",
            on_will: Some(Box::new(decide)),
            ..Policy::default()
        }],
    );
    let dying = Connect {
        will: Some(will("gone/c")),
        ..connect_as("c")
    };
    drop(Peer::connect_with(&broker, dying).await);
    watcher.hears_nothing().await;
    for secs in [31, 62] {
        broker.do_what_is_due_at(crate::clock::now() + Duration::from_secs(secs));
    }
    assert_eq!(watcher.message().await.1, "at last");
    let held = |times, secs| WillDelays {
        times,
        total: Duration::from_secs(secs),
    };
    assert_eq!(*asked.lock(), [held(0, 0), held(1, 30), held(2, 60)]);
}

/// "Do not retain" is a message that goes on without its flag.
#[tokio::test(start_paused = true)]
async fn a_message_can_go_on_without_being_retained() {
    let broker = broker();
    let unretain = |_| {
        Ok(Verdict::Replace(Box::new(Replacement {
            retain: Some(false),
            ..Replacement::default()
        })))
    };
    install(
        &broker,
        vec![Policy {
            name: "unretainer",
            on_publish: Some(Box::new(unretain)),
            ..Policy::default()
        }],
    );
    let mut watcher = Peer::connect(&broker, "watcher").await;
    watcher.subscribe("t").await;
    Peer::connect(&broker, "p").await.retain("t", "live").await;
    assert_eq!(watcher.message().await.1, "live");
    let mut late = Peer::connect(&broker, "late").await;
    late.subscribe("t").await;
    late.hears_nothing().await;
}

/// A plugin that closes a connection for a message, and says so.
#[tokio::test(start_paused = true)]
async fn a_verdict_can_close_the_connection() {
    let broker = broker();
    let close = |_| {
        Ok(Verdict::Disconnect(Rejection {
            reason: PublishReason::PayloadFormatInvalid,
            text: None,
        }))
    };
    install(
        &broker,
        vec![Policy {
            name: "closer",
            on_publish: Some(Box::new(close)),
            ..Policy::default()
        }],
    );
    let mut peer = Peer::connect(&broker, "c").await;
    peer.publish("t", "", Delivery::AtMostOnce).await;
    assert_eq!(peer.closed_with().await, DisconnectReason::PayloadFormatInvalid);
}
