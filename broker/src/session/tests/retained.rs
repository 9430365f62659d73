//! Retained messages that a SUBSCRIBE has brought.

use super::*;

/// Retained messages with the payloads 0, 1 and so on.
fn retained(count: usize, qos: QoS) -> Vec<Arc<RetainedCopy>> {
    let copy = |n: usize| RetainedCopy::here(Arc::new(message(qos, n.to_string())), 300, 0);
    (0..count).map(|n| Arc::new(copy(n))).collect()
}

impl Rig {
    fn replay(&mut self, filter: &'static str, copies: Vec<Arc<RetainedCopy>>) {
        let ids = SubscriptionIds::from_slice(&[7]);
        self.session.replay(
            self.now,
            &ByteString::from_static(filter),
            copies.into_iter().map(Replayed::new).collect(),
            QoS::ExactlyOnce,
            ids,
        );
    }
}

#[test]
fn retained_messages_come_in_turn_and_never_after_what_replaced_them() {
    let mut rig = Rig::with(persistent(), |config| config.session.inflight_max = 1);
    let copies = retained(3, QoS::AtLeastOnce);
    rig.replay("t", copies.clone());
    let first = rig.publish();
    assert!(first.retain);
    assert_eq!(
        first
            .properties
            .values()
            .map(|values| &values.subscription_identifiers[..]),
        Some(&[7][..])
    );
    copies[1].supersede();
    rig.puback(first.delivery.packet_id().expect("an identifier"));
    assert_eq!(rig.payloads(), ["2"]);
}

#[test]
fn retained_messages_that_had_no_room_yet_wait_for_a_client_that_went() {
    let mut rig = Rig::with(persistent(), |config| config.session.inflight_max = 1);
    let copies = retained(4, QoS::AtLeastOnce);
    rig.replay("t", copies.clone());
    rig.deliver(message(QoS::AtLeastOnce, "published"));
    copies[2].supersede();
    rig.payloads();
    rig.lose();
    rig.deliver(message(QoS::AtLeastOnce, "published meanwhile"));
    rig.attach();
    let mut heard = Vec::new();
    while let Some(Packet::Publish(publish)) = rig.next() {
        heard.push((
            String::from_utf8_lossy(&publish.payload).into_owned(),
            publish.retain,
        ));
        rig.puback(publish.delivery.packet_id().expect("an identifier"));
    }
    let expected = [
        ("0", true),
        ("published", false),
        ("1", true),
        ("3", true),
        ("published meanwhile", false),
    ];
    assert_eq!(
        heard,
        expected.map(|(payload, retain)| (payload.to_owned(), retain))
    );
}

#[test]
fn retained_messages_of_qos_0_do_not_wait_for_a_client_that_went() {
    let mut rig = Rig::with(persistent(), |config| config.limits.outbox_bytes_max = 1);
    rig.replay("t", retained(3, QoS::AtMostOnce));
    rig.lose();
    rig.attach();
    assert!(rig.payloads().is_empty());
}

#[test]
fn retained_messages_push_out_nothing_that_waits_for_a_client_that_went() {
    for overflow in [QueueOverflow::DropOldest, QueueOverflow::DropNewest] {
        let mut rig = Rig::with(persistent(), |config| {
            config.session.inflight_max = 1;
            config.session.queue_messages_max = 2;
            config.session.queue_overflow = overflow;
        });
        rig.replay("t", retained(4, QoS::AtLeastOnce));
        let on_its_way = rig.publish();
        rig.deliver(message(QoS::AtLeastOnce, "published"));
        rig.lose();
        let lost = rig.session.take_lost();
        let payloads: Vec<_> = lost.iter().map(|lost| &lost.message.payload[..]).collect();
        assert_eq!(payloads, [b"2", b"3"], "counted");
        rig.attach();
        assert_eq!(rig.publish().delivery, on_its_way.delivery);
        rig.puback(on_its_way.delivery.packet_id().expect("an identifier"));
        assert_eq!(rig.payloads(), ["published"]);
        assert_eq!(rig.session.queued(), 1);
    }
}

#[test]
fn retained_messages_that_wait_for_a_session_that_ends_are_no_loss() {
    let mut rig = Rig::with(connect(Version::V5), |config| {
        config.session.inflight_max = 1;
        config.session.queue_messages_max = 1;
    });
    rig.replay("t", retained(4, QoS::AtLeastOnce));
    rig.lose();
    assert!(rig.session.take_lost().is_empty());
}

#[test]
fn a_subscription_that_is_made_again_owes_its_retained_messages_once() {
    let mut rig = Rig::with(persistent(), |config| config.session.inflight_max = 1);
    rig.deliver(message(QoS::AtLeastOnce, "on its way"));
    for _ in 0..100 {
        rig.replay("t", retained(3, QoS::AtLeastOnce));
    }
    rig.replay("u", retained(1, QoS::AtLeastOnce));
    assert_eq!(rig.session.replayed_besides("v"), 4);
    assert_eq!(rig.session.replayed_besides("t"), 1);
}

/// Retained messages that only the store has.
fn away(count: usize, qos: QoS) -> Vec<Arc<RetainedCopy>> {
    let outline = RetainedOutline::of(&message(qos, "x"));
    (0..count)
        .map(|_| Arc::new(RetainedCopy::away(outline, 300, 0)))
        .collect()
}

#[test]
fn large_retained_messages_are_not_fetched_far_ahead() {
    let outline = RetainedOutline::of(&message(QoS::AtLeastOnce, "x"));
    let large = |cost| Arc::new(RetainedCopy::away(outline, cost, 0));
    for (cost, ahead) in [(400_000, 2), (2 << 20, 1)] {
        let mut rig = Rig::with(persistent(), |config| config.session.inflight_max = 1);
        rig.deliver(message(QoS::AtLeastOnce, "on its way"));
        rig.replay("t", (0..9).map(|_| large(cost)).collect());
        let wanted = rig.session.take_wanted().retained;
        assert_eq!(wanted.len(), ahead);
        let found = found(&wanted, QoS::AtLeastOnce);
        rig.session.bring_back_retained(rig.now, &wanted, &found, true);
        assert!(rig.session.take_wanted().is_empty(), "what waits counts");
        let on_its_way = rig.publish();
        rig.puback(on_its_way.delivery.packet_id().expect("an identifier"));
        assert_eq!(rig.payloads(), ["0"]);
        assert_eq!(rig.session.take_wanted().retained.len(), 1);
    }
}

/// Their messages, with the payloads 0, 1 and so on.
fn found(wanted: &[Arc<RetainedCopy>], qos: QoS) -> Vec<Replayed> {
    let message = |n: usize| Arc::new(message(qos, n.to_string()));
    let found = wanted.iter().enumerate().map(|(n, copy)| Replayed {
        copy: Arc::clone(copy),
        message: Some(message(n)),
    });
    found.collect()
}

#[test]
fn retained_messages_that_the_store_has_are_fetched_ahead_and_come_in_order() {
    let mut rig = Rig::with(persistent(), |_| {});
    let copies = away(200, QoS::AtMostOnce);
    rig.replay("t", copies.clone());
    assert!(rig.payloads().is_empty());
    let wanted = rig.session.take_wanted().retained;
    assert_eq!(wanted.len(), 128);
    assert!(rig.session.take_wanted().is_empty(), "each is asked for once");
    let mut found = found(&wanted, QoS::AtMostOnce);
    copies[1].supersede();
    // The store does not have it, or it is not for this client.
    found.remove(2);
    rig.session.bring_back_retained(rig.now, &wanted, &found, true);
    let expected = (0..128).filter(|n| ![1, 2].contains(n));
    assert_eq!(
        rig.payloads(),
        expected.map(|n| n.to_string()).collect::<Vec<_>>()
    );
    assert_eq!(rig.session.take_wanted().retained.len(), 72);
}

#[test]
fn what_the_store_has_waits_for_a_client_that_went_as_far_as_there_is_room() {
    let mut rig = Rig::with(persistent(), |config| config.session.queue_messages_max = 2);
    rig.replay("t", away(200, QoS::AtLeastOnce));
    rig.lose();
    let wanted = rig.session.take_wanted().retained;
    assert_eq!(wanted.len(), 128);
    let found = found(&wanted, QoS::AtLeastOnce);
    rig.session.bring_back_retained(rig.now, &wanted, &found, true);
    assert_eq!(rig.session.queued(), 2);
    let dropped = rig.session.take_lost().len() + rig.session.take_dropped_unread().len();
    assert_eq!(dropped, 198, "counted");
    assert!(rig.session.take_wanted().is_empty(), "nothing is read for nobody");
    rig.attach();
    assert_eq!(rig.payloads(), ["0", "1"]);
}

#[test]
fn what_is_left_of_a_subscription_that_was_taken_away_comes_if_another_covers_it() {
    let mut rig = Rig::with(persistent(), |_| {});
    let copies = away(3, QoS::AtMostOnce);
    rig.replay("#", copies.clone());
    rig.replay("$share/g/#", away(1, QoS::AtMostOnce));
    let wanted = rig.session.take_wanted().retained;
    let lost = [ByteString::from_static("#")];
    let kept = |text: &'static str| TopicFilter::new(text).expect("a filter");
    rig.session
        .narrow_replays(&lost, &[kept("b/+"), kept("c")].into());
    let lost = [ByteString::from_static("$share/g/x")];
    rig.session.narrow_replays(&lost, &[kept("b/+")].into());
    let message = |topic: &'static str| Message {
        topic: TopicName::new(topic).expect("a topic"),
        ..message(QoS::AtMostOnce, topic)
    };
    let named = copies
        .iter()
        .zip(["a", "b/1", "c"])
        .map(|(copy, topic)| Replayed {
            copy: Arc::clone(copy),
            message: Some(Arc::new(message(topic))),
        });
    let named: Vec<_> = named.collect();
    rig.session.bring_back_retained(rig.now, &wanted, &named, true);
    assert_eq!(rig.payloads(), ["b/1"]);
    let denied = rig.session.take_lost();
    assert_eq!(denied.len(), 2, "counted");
    assert!(denied.iter().all(|lost| lost.cause == DropCause::Denied));
    let wanted = rig.session.take_wanted().retained;
    let found = found(&wanted, QoS::AtMostOnce);
    rig.session.bring_back_retained(rig.now, &wanted, &found, true);
    assert_eq!(rig.payloads(), ["0"], "it is another one's");
}
