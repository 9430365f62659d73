//! Runs of messages that arrive in one piece, whoever they are for.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::BytesMut;
use hookwire_hooks::{
    AccessDecision, Action, Authentication, DeliverDecision, Grant, Message, Parcel, Rejection, Replacement,
    Routing, RuleAction, Verdict,
};
use hookwire_protocol::{Delivery, DisconnectReason, Packet, PublishReason, Version};

use super::peer::{Peer, connect_as, id, message, topic};
use super::policy::Policy;
use super::{Broker, authenticator, authorizer, broker, broker_with, install};
use crate::config::Overlapping;

/// What goes out in one write: `n`-th message under the n-th of these topics.
fn run(topics: &[&str]) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    for (n, topic) in topics.iter().enumerate() {
        let packet_id = id(u16::try_from(n).expect("few messages") + 1);
        let publish = message(topic, &n.to_string(), Delivery::AtLeastOnce(packet_id));
        hookwire_protocol::encode(&Packet::Publish(publish), Version::V5, &mut bytes);
    }
    bytes.to_vec()
}

async fn payloads(peer: &mut Peer, count: usize) -> Vec<String> {
    let mut payloads = Vec::new();
    for _ in 0..count {
        payloads.push(peer.message().await.1);
    }
    peer.hears_nothing().await;
    payloads
}

/// One of two clients may not have what is secret; what the other one gets.
async fn share_a_run(broker: &Broker, others: &str) {
    let mut restricted = Peer::connect(broker, "restricted").await;
    let mut free = Peer::connect(broker, "free").await;
    restricted.subscribe("a/#").await;
    free.subscribe("a/#").await;
    let mut publisher = Peer::connect(broker, "p").await;
    publisher
        .send_bytes(&run(&["a/open", "a/secret", "a/secret", "a/open"]))
        .await;
    assert_eq!(payloads(&mut free, others.len()).await.concat(), others);
    assert_eq!(payloads(&mut restricted, 2).await.concat(), "03");
}

#[tokio::test(start_paused = true)]
async fn each_recipient_gets_its_part_in_order() {
    let broker = broker();
    let mut recipients = Vec::new();
    for (client_id, filter, expected) in [
        ("all", "#", "0123456789"),
        ("a", "a", "01489"),
        ("b", "b/+", "2357"),
        ("member", "$share/g/a", "01489"),
    ] {
        let mut peer = Peer::connect(&broker, client_id).await;
        peer.subscribe(filter).await;
        recipients.push((peer, expected));
    }
    let mut publisher = Peer::connect(&broker, "p").await;
    let topics = ["a", "a", "b/1", "b/1", "a", "b/2", "c", "b/1", "a", "a"];
    publisher.send_bytes(&run(&topics)).await;
    for (peer, expected) in &mut recipients {
        assert_eq!(payloads(peer, expected.len()).await.concat(), *expected);
    }
    for n in 1..=10 {
        let answer = publisher.next().await;
        let is_answer = |packet: &Packet| {
            matches!(packet, Packet::Puback(puback)
                if puback.packet_id == id(n) && puback.reason == PublishReason::Success)
        };
        assert!(answer.as_ref().is_some_and(is_answer), "{n}: {answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn its_own_part_comes_behind_the_answers() {
    let broker = broker();
    let mut publisher = Peer::connect(&broker, "p").await;
    let mut other = Peer::connect(&broker, "other").await;
    publisher.subscribe("a").await;
    other.subscribe("#").await;
    publisher.send_bytes(&run(&["a", "a", "b", "a"])).await;
    assert_eq!(payloads(&mut other, 4).await.concat(), "0123");
    for _ in 0..4 {
        assert!(matches!(publisher.next().await, Some(Packet::Puback(_))));
    }
    assert_eq!(payloads(&mut publisher, 3).await.concat(), "013");
}

#[tokio::test(start_paused = true)]
async fn whoever_may_not_have_all_is_asked_about_each() {
    let broker = broker();
    let denied = || (false, RuleAction::Subscribe, "a/secret".into());
    let grant = move |client_id: &str| Grant {
        rules: Vec::from_iter((client_id == "restricted").then(denied)),
        ..Grant::default()
    };
    let admit = authenticator(move |who| Authentication::Allow(Box::new(grant(&who.client_id))));
    install(&broker, vec![admit]);
    share_a_run(&broker, "0123").await;
}

#[tokio::test(start_paused = true)]
async fn policies_are_asked_about_each_delivery_of_a_run() {
    let broker = broker();
    let decide = |asked, topic: &str| {
        if asked == Action::Deliver && topic == "a/secret" {
            AccessDecision::Deny(None)
        } else {
            AccessDecision::Allow
        }
    };
    let policy = Policy {
        asks_deliver: true,
        ..authorizer(decide)
    };
    install(&broker, vec![policy]);
    share_a_run(&broker, "03").await;
}

#[tokio::test(start_paused = true)]
async fn of_those_that_find_no_room_the_newest_are_kept() {
    let broker = broker_with(|config| {
        config.session.queue_messages_max = 3;
    });
    let mut connect = connect_as("away");
    connect.properties.session_expiry_interval = Some(60);
    let (mut away, _) = Peer::connect_with(&broker, connect.clone()).await;
    away.subscribe("a").await;
    away.disconnect(DisconnectReason::NormalDisconnection).await;
    let mut publisher = Peer::connect(&broker, "p").await;
    publisher.send_bytes(&run(&["a"; 8])).await;
    for _ in 0..8 {
        assert!(matches!(publisher.next().await, Some(Packet::Puback(_))));
    }
    connect.clean_start = false;
    let (mut back, connack) = Peer::connect_with(&broker, connect).await;
    assert!(connack.session_present);
    // The oldest go.
    assert_eq!(payloads(&mut back, 3).await.concat(), "567");
}

#[tokio::test(start_paused = true)]
async fn one_subscription_does_not_run_ahead_of_another() {
    let broker = broker_with(|config| config.session.overlapping = Overlapping::Each);
    let mut peer = Peer::connect(&broker, "twice").await;
    peer.subscribe("a/#").await;
    peer.subscribe("a/+").await;
    let mut publisher = Peer::connect(&broker, "p").await;
    publisher.send_bytes(&run(&["a/b"; 4])).await;
    assert_eq!(payloads(&mut peer, 8).await.concat(), "00112233");
}

#[tokio::test(start_paused = true)]
async fn what_was_taken_before_a_run_that_ends_the_connection_stays_taken() {
    let broker = broker();
    let closes = |message: Message| {
        Ok(if message.topic.as_str() == "bad" {
            Verdict::Disconnect(Rejection {
                reason: PublishReason::NotAuthorized,
                text: None,
            })
        } else {
            Verdict::Pass
        })
    };
    let policy = Policy {
        on_publish: Some(Box::new(closes)),
        ..Policy::default()
    };
    install(&broker, vec![policy]);
    let mut listener = Peer::connect(&broker, "listener").await;
    listener.subscribe("a").await;
    let mut connect = connect_as("p");
    connect.clean_start = false;
    connect.properties.session_expiry_interval = Some(60);
    let (mut publisher, _) = Peer::connect_with(&broker, connect.clone()).await;
    publisher.publish("a", "once", Delivery::ExactlyOnce(id(5))).await;
    assert!(matches!(publisher.next().await, Some(Packet::Pubrec(_))));
    let mut bytes = BytesMut::new();
    for (topic, packet_id) in [("bad", 6), ("a", 5)] {
        let again = message(topic, "once", Delivery::ExactlyOnce(id(packet_id)));
        hookwire_protocol::encode(&Packet::Publish(again), Version::V5, &mut bytes);
    }
    publisher.send_bytes(&bytes).await;
    assert_eq!(publisher.closed_with().await, DisconnectReason::NotAuthorized);
    let (mut publisher, _) = Peer::connect_with(&broker, connect).await;
    publisher
        .publish_again("a", "once", Delivery::ExactlyOnce(id(5)))
        .await;
    assert!(matches!(publisher.next().await, Some(Packet::Pubrec(_))));
    assert_eq!(payloads(&mut listener, 1).await, ["once"]);
}

/// A policy that wants messages of some topics only, and drops them.
fn dropping(topics: &'static str) -> Policy {
    Policy {
        topics: Some(topics),
        on_publish: Some(Box::new(|_| Ok(Verdict::Drop))),
        ..Policy::default()
    }
}

/// A policy that wants messages of some topics only, and gives them another.
fn renaming(topics: &'static str, other: &'static str) -> Policy {
    let rename = move |_| {
        let topic = Some(topic(other));
        Ok(Verdict::Replace(Box::new(Replacement {
            topic,
            ..Replacement::default()
        })))
    };
    Policy {
        topics: Some(topics),
        on_publish: Some(Box::new(rename)),
        ..Policy::default()
    }
}

/// What a publisher remembers of policies' interest is about the topic that a message has, whoever gave it, and about the policies in
/// force.
#[tokio::test(start_paused = true)]
async fn who_wants_a_message_is_asked_again_where_the_topic_or_the_policies_change() {
    let broker = broker();
    let renaming = || renaming("in/", "out/x");
    let mut listener = Peer::connect(&broker, "listener").await;
    listener.subscribe("#").await;
    let mut publisher = Peer::connect(&broker, "p").await;
    let topics = run(&["in/a", "in/a", "b", "out/x", "in/a", "b"]);
    for (policies, expected) in [
        (vec![renaming(), dropping("out/")], "25"),
        (vec![renaming()], "012345"),
        (vec![dropping("in/")], "235"),
        (vec![dropping("b")], "0134"),
        (vec![], "012345"),
    ] {
        install(&broker, policies);
        publisher.send_bytes(&topics).await;
        assert_eq!(payloads(&mut listener, expected.len()).await.concat(), expected);
        for _ in 1..=6 {
            assert!(matches!(publisher.next().await, Some(Packet::Puback(_))));
        }
    }
}

/// Deliveries and recipients are asked about for the topics that policies want, whatever was remembered first.
#[tokio::test(start_paused = true)]
async fn deliveries_of_some_topics_are_judged_and_others_go_together() {
    let broker = broker();
    let odd = |parcel: Parcel| {
        let is_odd = matches!(&*parcel.message.payload, b"1" | b"3" | b"7");
        Ok(if is_odd {
            DeliverDecision::Drop
        } else {
            DeliverDecision::Pass
        })
    };
    let nobody = |_| {
        Ok(Routing {
            only: Some(Vec::new()),
            ..Routing::default()
        })
    };
    let judging = Policy {
        topics: Some("judged"),
        deliver: Some(Box::new(odd)),
        ..Policy::default()
    };
    let routing = Policy {
        topics: Some("routed"),
        route: Some(Box::new(nobody)),
        ..Policy::default()
    };
    install(&broker, vec![renaming("in/", "judged"), judging, routing]);
    let mut listener = Peer::connect(&broker, "listener").await;
    listener.subscribe("#").await;
    let mut publisher = Peer::connect(&broker, "p").await;
    publisher
        .send_bytes(&run(&[
            "judged", "judged", "a", "a", "judged", "routed", "a", "in/x",
        ]))
        .await;
    assert_eq!(payloads(&mut listener, 5).await.concat(), "02346");
}

/// An answer that is not to be kept holds for one message, also among neighbours of one topic.
#[tokio::test(start_paused = true)]
async fn what_is_not_to_be_remembered_is_asked_about_each_message() {
    for asked in [Action::Publish, Action::Deliver] {
        let broker = broker();
        let count = AtomicUsize::new(0);
        let every_other = move |action, _: &str| {
            let is_odd = action == asked && count.fetch_add(1, Ordering::Relaxed) % 2 == 1;
            if is_odd {
                AccessDecision::Deny(None)
            } else {
                AccessDecision::Allow
            }
        };
        let policy = Policy {
            forgets: true,
            asks_deliver: true,
            ..authorizer(every_other)
        };
        install(&broker, vec![policy]);
        let mut listener = Peer::connect(&broker, "listener").await;
        listener.subscribe("a").await;
        let mut publisher = Peer::connect(&broker, "p").await;
        publisher.send_bytes(&run(&["a"; 6])).await;
        assert_eq!(payloads(&mut listener, 3).await.concat(), "024", "{asked:?}");
    }
}
