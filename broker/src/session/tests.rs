//! Sessions against a client that is only packets, on a clock that only the test moves.

mod keep_alive;
mod retained;

use std::num::{NonZeroU16, NonZeroU32};

use bytes::{Bytes, BytesMut};
use hookwire_hooks::Grant;
use hookwire_protocol::{
    Connect, ConnectProperties, Decoder, Packet, PublishProperties, PublishPropertyValues, PublishTopic, Will,
};

use super::*;
use crate::clock;
use crate::config::{Config, Limits, QueueOverflow};

/// A session, the time, and what its client has been sent and has not looked at yet.
struct Rig {
    session: Session,
    config: Config,
    now: Instant,
    received: BytesMut,
    connect: Connect,
    keys: u64,
}

fn connect(version: Version) -> Connect {
    Connect {
        version,
        bridge: false,
        clean_start: true,
        keep_alive_secs: 60,
        client_id: "c".into(),
        username: None,
        password: None,
        will: None,
        properties: ConnectProperties {
            request_problem_information: true,
            ..ConnectProperties::default()
        },
    }
}

fn persistent() -> Connect {
    let mut connect = connect(Version::V5);
    connect.properties.session_expiry_interval = Some(3600);
    connect
}

fn settle(connect: &Connect, config: &Config, key: u64) -> Admission {
    let identity = Identity {
        client_id: connect.client_id.clone(),
        is_assigned: false,
    };
    Admission::settle(
        ClientKey(key),
        connect,
        &identity,
        &Grant::default(),
        &config.limits,
        &config.session,
    )
    .expect("an acceptable CONNECT")
}

impl Rig {
    fn new(connect: Connect) -> Self {
        Self::with(connect, |_| {})
    }

    fn with(connect: Connect, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        change(&mut config);
        let admission = settle(&connect, &config, 1);
        let session = Session::new(admission.terms);
        let mut rig = Self {
            session,
            config,
            now: clock::now(),
            received: BytesMut::new(),
            connect,
            keys: 0,
        };
        rig.attach();
        rig
    }

    fn attach(&mut self) {
        self.keys += 1;
        let admission = settle(&self.connect, &self.config, self.keys);
        self.received.clear();
        self.session.attach(self.now, admission.terms, &admission.connack);
        assert!(
            matches!(self.next(), Some(Packet::Connack(_))),
            "CONNACK comes first"
        );
    }

    fn lose(&mut self) -> Detached {
        self.end(Some(WillCause::ConnectionLost))
    }

    fn end(&mut self, will_cause: Option<WillCause>) -> Detached {
        self.session.detach(
            self.now,
            &Ending {
                will_cause,
                expiry: None,
            },
        )
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    fn deliver(&mut self, message: Message) -> Sent {
        let qos = message.qos;
        let offer = Offer {
            message: &Arc::new(message),
            qos,
            retain: false,
            subscription_ids: &[],
            shared: None,
            original: None,
        };
        self.session.deliver(self.now, &offer)
    }

    /// The next packet for the client, `None` when there is none.
    fn next(&mut self) -> Option<Packet> {
        let mut out = Outbox::default();
        self.session.poll_output(self.now, &mut out);
        for slice in out.slices() {
            self.received.extend_from_slice(slice);
        }
        let decoder = Decoder {
            version: self.connect.version,
            limits: self.config.limits.decode.clone(),
        };
        decoder.decode(&mut self.received).expect("well-formed packets")
    }

    fn publish(&mut self) -> Publish {
        match self.next() {
            Some(Packet::Publish(publish)) => publish,
            other => panic!("expected PUBLISH, got {other:?}"),
        }
    }

    fn payloads(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.next())
            .map(|packet| match packet {
                Packet::Publish(publish) => String::from_utf8_lossy(&publish.payload).into_owned(),
                other => format!("{other:?}"),
            })
            .collect()
    }

    fn puback(&mut self, packet_id: PacketId) {
        let puback = Puback {
            packet_id,
            reason: PublishReason::Success,
            properties: AckProperties::default(),
        };
        self.session
            .handle_puback(puback.packet_id, puback.reason)
            .expect("the one that is waited for");
    }

    fn pubrec(&mut self, packet_id: PacketId, reason: PublishReason) {
        let pubrec = Pubrec {
            packet_id,
            reason,
            properties: AckProperties::default(),
        };
        self.session
            .handle_pubrec(self.now, &pubrec)
            .expect("the one that is waited for");
    }

    fn pubcomp(&mut self, packet_id: PacketId) {
        let pubcomp = Pubcomp {
            packet_id,
            reason: PubrelReason::Success,
            properties: AckProperties::default(),
        };
        self.session
            .handle_pubcomp(self.now, &pubcomp)
            .expect("the one that is waited for");
    }

    fn take(&mut self, delivery: Delivery) -> Result<Taken, Violation> {
        let publish = Publish {
            dup: false,
            retain: false,
            delivery,
            topic: PublishTopic::Name {
                topic: topic("t"),
                alias: None,
            },
            payload: Bytes::from_static(b"x"),
            properties: PublishProperties::default(),
        };
        self.session.take_publish(publish)
    }
}

fn topic(name: &str) -> TopicName {
    TopicName::new(name.to_owned()).expect("a topic name")
}

fn message(qos: QoS, payload: impl Into<String>) -> Message {
    Message {
        source: Source::Client(ClientKey(99)),
        topic: topic("t"),
        payload: Bytes::from(payload.into()),
        qos,
        retain: false,
        properties: PublishProperties::default(),
        expires_at: None,
    }
}

fn id(n: u16) -> PacketId {
    PacketId::new(n).expect("not zero")
}

#[test]
fn qos_1_is_delivered_until_acknowledged() {
    let mut rig = Rig::new(persistent());
    rig.deliver(message(QoS::AtLeastOnce, "a"));
    let first = rig.publish();
    assert!(!first.dup);
    rig.lose();
    rig.attach();
    let again = rig.publish();
    assert!(again.dup, "[MQTT-3.3.1-1]");
    assert_eq!(again.delivery, first.delivery);
    rig.puback(first.delivery.packet_id().expect("an identifier"));
    rig.lose();
    rig.attach();
    assert!(rig.next().is_none());
}

#[test]
fn qos_2_ends_with_pubcomp_and_survives_a_reconnect_at_each_step() {
    let mut rig = Rig::new(persistent());
    rig.deliver(message(QoS::ExactlyOnce, "a"));
    let first = rig.publish();
    let packet_id = first.delivery.packet_id().expect("an identifier");
    rig.lose();
    rig.attach();
    assert_eq!(rig.publish().delivery, Delivery::ExactlyOnce(packet_id));
    rig.pubrec(packet_id, PublishReason::Success);
    assert!(matches!(rig.next(), Some(Packet::Pubrel(pubrel)) if pubrel.packet_id == packet_id));
    rig.lose();
    rig.attach();
    assert!(
        matches!(rig.next(), Some(Packet::Pubrel(pubrel)) if pubrel.packet_id == packet_id),
        "not the PUBLISH"
    );
    rig.pubcomp(packet_id);
    assert_eq!(rig.session.inflight(), 0);
}

#[test]
fn pubrec_with_an_error_ends_the_exchange() {
    let mut rig = Rig::new(persistent());
    rig.deliver(message(QoS::ExactlyOnce, "a"));
    let packet_id = rig.publish().delivery.packet_id().expect("an identifier");
    rig.pubrec(packet_id, PublishReason::QuotaExceeded);
    assert!(rig.next().is_none(), "no PUBREL");
    assert_eq!(rig.session.inflight(), 0);
}

#[test]
fn unknown_identifiers_are_answered_and_change_nothing() {
    let mut rig = Rig::new(persistent());
    rig.puback(id(7));
    rig.pubcomp(id(7));
    assert!(rig.next().is_none());
    rig.pubrec(id(7), PublishReason::Success);
    assert!(matches!(
        rig.next(),
        Some(Packet::Pubrel(pubrel)) if pubrel.reason == PubrelReason::PacketIdentifierNotFound
    ));
    let pubrel = Pubrel {
        packet_id: id(7),
        reason: PubrelReason::Success,
        properties: AckProperties::default(),
    };
    rig.session.handle_pubrel(&pubrel);
    assert!(matches!(
        rig.next(),
        Some(Packet::Pubcomp(pubcomp)) if pubcomp.reason == PubrelReason::PacketIdentifierNotFound
    ));
}

#[test]
fn the_window_is_the_clients_receive_maximum() {
    let mut connect = persistent();
    connect.properties.receive_maximum = NonZeroU16::new(2);
    let mut rig = Rig::new(connect);
    for n in 0..5 {
        rig.deliver(message(QoS::AtLeastOnce, n.to_string()));
    }
    let first = rig.publish();
    assert_eq!(rig.payloads(), ["1"]);
    rig.puback(first.delivery.packet_id().expect("an identifier"));
    assert_eq!(rig.payloads(), ["2"]);
    assert_eq!((rig.session.inflight(), rig.session.queued()), (2, 2));
}

#[test]
fn a_smaller_window_after_a_reconnect_bounds_the_resends_too() {
    let mut rig = Rig::new(persistent());
    for n in 0..5 {
        rig.deliver(message(QoS::AtLeastOnce, n.to_string()));
    }
    assert_eq!(rig.payloads().len(), 5);
    rig.lose();
    rig.connect.properties.receive_maximum = NonZeroU16::new(2);
    rig.attach();
    let resent = rig.publish();
    assert_eq!((&resent.payload[..], resent.dup), (&b"0"[..], true));
    assert_eq!(rig.payloads(), ["1"]);
    rig.puback(resent.delivery.packet_id().expect("an identifier"));
    assert_eq!(rig.payloads(), ["2"], "in the original order");
}

#[test]
fn what_waits_goes_out_behind_what_is_resent() {
    let mut rig = Rig::new(persistent());
    rig.deliver(message(QoS::AtLeastOnce, "sent"));
    rig.payloads();
    rig.lose();
    rig.deliver(message(QoS::AtLeastOnce, "offline 1"));
    rig.deliver(message(QoS::AtMostOnce, "gone"));
    rig.deliver(message(QoS::ExactlyOnce, "offline 2"));
    rig.attach();
    rig.deliver(message(QoS::AtLeastOnce, "live"));
    assert_eq!(rig.payloads(), ["sent", "offline 1", "offline 2", "live"]);
}

#[test]
fn qos_0_is_kept_for_the_absent_only_if_so_configured() {
    let mut rig = Rig::with(persistent(), |config| config.session.queue_qos0 = true);
    rig.lose();
    rig.deliver(message(QoS::AtMostOnce, "kept"));
    rig.attach();
    assert_eq!(rig.payloads(), ["kept"]);
}

#[test]
fn a_full_queue_drops_by_policy_and_says_what() {
    for (overflow, left, lost) in [
        (QueueOverflow::DropOldest, ["1", "2"], "0"),
        (QueueOverflow::DropNewest, ["0", "1"], "2"),
    ] {
        let mut rig = Rig::with(persistent(), |config| {
            config.session.queue_messages_max = 2;
            config.session.queue_overflow = overflow;
        });
        rig.lose();
        for n in 0..3 {
            rig.deliver(message(QoS::AtLeastOnce, n.to_string()));
        }
        let dropped = rig.session.take_lost();
        assert_eq!(dropped.len(), 1);
        assert_eq!(
            (&dropped[0].message.payload[..], dropped[0].limit),
            (lost.as_bytes(), Some(Limit::QueueMessagesMax))
        );
        rig.attach();
        assert_eq!(rig.payloads(), left);
    }
}

#[test]
fn respite_is_asked_for_between_half_full_and_full() {
    let mut rig = Rig::with(persistent(), |config| {
        config.session.inflight_max = 1;
        config.session.queue_bytes_max = 32 * 200;
    });
    let asked: Vec<bool> = (0..40)
        .map(|_| {
            rig.deliver(message(QoS::AtLeastOnce, "1234567"));
            rig.session.wants_respite()
        })
        .collect();
    assert_eq!(
        asked.iter().position(|asked| *asked),
        Some(17),
        "one is on its way, 17 wait"
    );
    assert!(asked[17..30].iter().all(|asked| *asked));
    assert!(!asked[39], "a client that takes nothing slows nobody for long");
    rig.lose();
    assert!(!rig.session.wants_respite(), "nor does one that is away");
}

#[test]
fn a_connected_client_loses_nothing_to_a_burst_of_small_messages() {
    let mut rig = Rig::with(persistent(), |config| {
        config.session.inflight_max = 1;
        config.session.queue_messages_max = 2;
    });
    for n in 0..10 {
        rig.deliver(message(QoS::AtLeastOnce, n.to_string()));
    }
    assert_eq!(rig.session.queued(), 9);
    assert!(rig.session.take_lost().is_empty());
}

#[test]
fn a_queue_is_bounded_in_bytes() {
    let mut rig = Rig::with(persistent(), |config| config.session.queue_bytes_max = 500);
    rig.lose();
    for _ in 0..10 {
        rig.deliver(message(QoS::AtLeastOnce, "x".repeat(40)));
    }
    rig.deliver(message(QoS::AtLeastOnce, "x".repeat(1000)));
    assert_eq!(rig.session.queued(), 2);
    let lost = rig.session.take_lost();
    assert_eq!(lost.len(), 9);
    assert!(lost.iter().all(|lost| lost.limit == Some(Limit::QueueBytesMax)));
}

#[test]
fn the_outbox_is_bounded_for_a_client_that_does_not_read() {
    let mut rig = Rig::with(persistent(), |config| {
        config.limits.outbox_bytes_max = 1000;
        config.session.inflight_max = 1000;
    });
    let sent = (0..100).map(|_| rig.deliver(message(QoS::AtMostOnce, "x".repeat(100))));
    let dropped = sent
        .filter(|sent| matches!(sent, Sent::Dropped(DropCause::QueueFull)))
        .count();
    assert!(dropped > 85, "{dropped} dropped");
    assert!(rig.session.output_len() < 1200);
    rig.deliver(message(QoS::AtLeastOnce, "kept"));
    assert_eq!(rig.session.queued(), 1, "QoS 1 waits instead");
    assert_eq!(rig.payloads().last().map(String::as_str), Some("kept"));
}

#[test]
fn an_expired_message_is_not_sent_and_a_waiting_one_says_how_long_is_left() {
    let mut rig = Rig::new(persistent());
    rig.lose();
    for secs in [5, 60] {
        let mut message = message(QoS::AtLeastOnce, secs.to_string());
        message.properties = PublishProperties::from(PublishPropertyValues {
            message_expiry_interval_secs: Some(secs),
            ..PublishPropertyValues::default()
        });
        message.expires_at = Some(rig.now + Duration::from_secs(u64::from(secs)));
        rig.deliver(message);
    }
    rig.pass(Duration::from_secs(20));
    rig.attach();
    let publish = rig.publish();
    assert_eq!(&publish.payload[..], b"60");
    let left = publish
        .properties
        .values()
        .and_then(|values| values.message_expiry_interval_secs);
    assert_eq!(left, Some(40), "[MQTT-3.3.2-6]");
    assert!(rig.next().is_none());
    let lost = rig.session.take_lost();
    assert!(matches!(&lost[..], [lost] if lost.cause == DropCause::Expired && lost.limit.is_none()));
    assert_eq!(rig.session.inflight(), 1, "the expired one holds no identifier");
}

#[test]
fn what_is_too_large_for_the_client_is_dropped() {
    let mut connect = persistent();
    connect.properties.maximum_packet_size = NonZeroU32::new(30);
    let mut rig = Rig::new(connect);
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        assert!(matches!(
            rig.deliver(message(qos, "x".repeat(40))),
            Sent::Dropped(DropCause::TooLarge)
        ));
    }
    rig.deliver(message(QoS::AtLeastOnce, "ok"));
    assert_eq!(rig.payloads(), ["ok"]);
}

#[test]
fn identifiers_wrap_and_skip_those_that_are_stuck() {
    let mut rig = Rig::new(persistent());
    rig.deliver(message(QoS::AtLeastOnce, "stuck"));
    let stuck = rig.publish().delivery;
    let mut seen = std::collections::HashSet::from([stuck]);
    for round in 0..2 * 65_535 {
        rig.deliver(message(QoS::AtLeastOnce, "x"));
        let delivery = rig.publish().delivery;
        assert_ne!(delivery, stuck, "round {round}");
        seen.insert(delivery);
        rig.puback(delivery.packet_id().expect("an identifier"));
    }
    assert_eq!(seen.len(), 65_535);
}

#[test]
fn a_qos_2_message_is_taken_once_until_released() {
    let mut rig = Rig::new(persistent());
    let delivery = Delivery::ExactlyOnce(id(5));
    assert_eq!(rig.take(delivery).expect("taken").novelty, Novelty::New);
    rig.session
        .answer_publish(delivery, PublishReason::Success, None, 0);
    rig.lose();
    rig.attach();
    assert_eq!(
        rig.take(delivery).expect("taken").novelty,
        Novelty::Repeated,
        "also after a reconnect"
    );
    let pubrel = Pubrel {
        packet_id: id(5),
        reason: PubrelReason::Success,
        properties: AckProperties::default(),
    };
    rig.session.handle_pubrel(&pubrel);
    assert_eq!(rig.take(delivery).expect("taken").novelty, Novelty::New);
}

#[test]
fn a_refused_qos_2_message_frees_its_identifier() {
    let mut rig = Rig::new(persistent());
    let delivery = Delivery::ExactlyOnce(id(5));
    rig.take(delivery).expect("taken");
    rig.session
        .answer_publish(delivery, PublishReason::NotAuthorized, Some("no".into()), 0);
    assert!(matches!(
        rig.next(),
        Some(Packet::Pubrec(pubrec))
            if pubrec.reason == PublishReason::NotAuthorized && pubrec.properties.reason_string.as_deref() == Some("no")
    ));
    assert_eq!(rig.take(delivery).expect("taken").novelty, Novelty::New);
}

#[test]
fn an_older_client_gets_a_plain_acknowledgement_for_a_refusal() {
    let mut rig = Rig::new(connect(Version::V3_1_1));
    let delivery = Delivery::ExactlyOnce(id(5));
    rig.take(delivery).expect("taken");
    rig.session
        .answer_publish(delivery, PublishReason::NotAuthorized, None, 0);
    assert!(matches!(rig.next(), Some(Packet::Pubrec(_))));
    let pubrel = Pubrel {
        packet_id: id(5),
        reason: PubrelReason::Success,
        properties: AckProperties::default(),
    };
    rig.session.handle_pubrel(&pubrel);
    assert!(matches!(rig.next(), Some(Packet::Pubcomp(_))));
}

#[test]
fn the_receive_maximum_that_we_announced_is_kept_to() {
    let mut rig = Rig::with(persistent(), |config| config.limits.receive_maximum = 3);
    for n in 1..=3 {
        rig.take(Delivery::ExactlyOnce(id(n))).expect("within it");
    }
    assert_eq!(
        rig.take(Delivery::ExactlyOnce(id(4))).expect_err("beyond it"),
        Violation::ReceiveMaximumExceeded
    );
    assert!(
        rig.take(Delivery::ExactlyOnce(id(3))).is_ok(),
        "a repeated one is not one more"
    );
}

#[test]
fn topic_aliases_last_as_long_as_the_connection() {
    let mut rig = Rig::with(persistent(), |config| config.limits.topic_alias_maximum = 2);
    let publish = |topic: PublishTopic| Publish {
        dup: false,
        retain: false,
        delivery: Delivery::AtMostOnce,
        topic,
        payload: Bytes::new(),
        properties: PublishProperties::default(),
    };
    let alias = |n| NonZeroU16::new(n).expect("not zero");
    let set = |name, n| {
        publish(PublishTopic::Name {
            topic: topic(name),
            alias: Some(alias(n)),
        })
    };
    let used = |n| publish(PublishTopic::Alias(alias(n)));
    rig.session.take_publish(set("a", 1)).expect("set");
    assert_eq!(
        rig.session
            .take_publish(used(1))
            .expect("used")
            .message
            .topic
            .as_str(),
        "a"
    );
    rig.session.take_publish(set("b", 1)).expect("set anew");
    assert_eq!(
        rig.session
            .take_publish(used(1))
            .expect("used")
            .message
            .topic
            .as_str(),
        "b"
    );
    assert_eq!(
        rig.session.take_publish(used(2)).expect_err("unknown"),
        Violation::TopicAliasUnknown
    );
    assert_eq!(
        rig.session.take_publish(set("c", 3)).expect_err("above"),
        Violation::TopicAliasInvalid
    );
    rig.lose();
    rig.attach();
    assert_eq!(
        rig.session.take_publish(used(1)).expect_err("forgotten"),
        Violation::TopicAliasUnknown
    );
}

fn with_will(delay_secs: u32, expiry_secs: u32) -> Connect {
    let mut connect = persistent();
    connect.properties.session_expiry_interval = Some(expiry_secs);
    connect.will = Some(Will {
        topic: topic("will"),
        payload: Bytes::from_static(b"gone"),
        qos: QoS::AtLeastOnce,
        retain: true,
        delay_interval_secs: delay_secs,
        properties: PublishProperties::default(),
    });
    connect
}

#[test]
fn a_will_is_left_by_a_lost_connection_and_not_by_a_normal_end() {
    let mut rig = Rig::new(with_will(0, 0));
    let will = rig.lose().will.expect("a will");
    assert_eq!((will.message.topic.as_str(), will.due_at), ("will", rig.now));
    assert_eq!(will.message.source, Source::Will(ClientKey(1)));
    rig.attach();
    assert!(rig.end(None).will.is_none());
}

#[test]
fn a_will_waits_for_its_delay_but_not_longer_than_the_session() {
    for (delay, expiry, due) in [(10, 100, 10), (100, 10, 10), (10, 0, 0)] {
        let mut rig = Rig::new(with_will(delay, expiry));
        let will = rig.lose().will.expect("a will");
        assert_eq!(
            will.due_at - rig.now,
            Duration::from_secs(due),
            "delay {delay}, expiry {expiry}"
        );
    }
}

#[test]
fn a_session_lives_as_long_as_agreed() {
    let expiries = [
        (connect(Version::V3_1_1), Duration::ZERO),
        (
            Connect {
                clean_start: false,
                ..connect(Version::V3_1_1)
            },
            Config::default().session.expiry_max,
        ),
        (connect(Version::V5), Duration::ZERO),
        (persistent(), Duration::from_secs(3600)),
    ];
    for (connect, expected) in expiries {
        let mut rig = Rig::new(connect);
        assert_eq!(rig.lose().expires_in, expected);
    }
}

#[test]
fn disconnect_may_change_the_expiry_but_not_raise_it_from_nothing() {
    let max = Duration::from_secs(5000);
    let rig = Rig::with(persistent(), |config| config.session.expiry_max = max);
    assert_eq!(
        rig.session.disconnect_expiry(Some(5)),
        Ok(Some(Duration::from_secs(5)))
    );
    assert_eq!(rig.session.disconnect_expiry(Some(u32::MAX)), Ok(Some(max)));
    assert_eq!(rig.session.disconnect_expiry(None), Ok(None));
    let rig = Rig::new(connect(Version::V5));
    assert_eq!(
        rig.session.disconnect_expiry(Some(5)),
        Err(Violation::SessionExpiryRaised)
    );
    assert_eq!(rig.session.disconnect_expiry(Some(0)), Ok(Some(Duration::ZERO)));
}

#[test]
fn disconnect_does_not_raise_the_expiry_above_what_was_granted() {
    let grant = Grant {
        max_session_expiry_secs: Some(60),
        ..Grant::default()
    };
    let config = Config::default();
    let identity = Identity {
        client_id: "c".into(),
        is_assigned: false,
    };
    let admission = Admission::settle(
        ClientKey(1),
        &persistent(),
        &identity,
        &grant,
        &config.limits,
        &config.session,
    )
    .expect("terms");
    let session = Session::new(admission.terms);
    let granted = Ok(Some(Duration::from_secs(60)));
    assert_eq!(session.disconnect_expiry(Some(3600)), granted);
}

#[test]
fn client_ids_are_checked_by_version() {
    let identity = |version, clean_start, client_id: &str| {
        let connect = Connect {
            clean_start,
            client_id: client_id.into(),
            ..connect(version)
        };
        let limits = Limits {
            client_id_bytes_max: 30,
            ..Limits::default()
        };
        Identity::of(&connect, &limits, || "made".into())
            .map(|identity| (identity.client_id.to_string(), identity.is_assigned))
    };
    let invalid = hookwire_protocol::ConnectReason::ClientIdentifierNotValid;
    for version in [Version::V3_1, Version::V3_1_1, Version::V5] {
        assert_eq!(identity(version, true, "abc"), Ok(("abc".into(), false)));
        let most = if version == Version::V3_1 { 23 } else { 30 };
        assert!(identity(version, true, &"x".repeat(most)).is_ok());
        let refusal = identity(version, true, &"x".repeat(most + 1)).expect_err("too long");
        assert_eq!(refusal.reason, invalid);
    }
    assert_eq!(
        identity(Version::V3_1, true, "").expect_err("empty").reason,
        invalid
    );
    assert_eq!(
        identity(Version::V3_1_1, false, "")
            .expect_err("[MQTT-3.1.3-8]")
            .reason,
        invalid
    );
    assert_eq!(identity(Version::V3_1_1, true, ""), Ok(("made".into(), true)));
    assert_eq!(identity(Version::V5, false, ""), Ok(("made".into(), true)));
}

#[test]
fn terms_are_told_where_they_differ_from_what_was_asked() {
    let mut config = Config::default();
    config.session.expiry_max = Duration::from_secs(100);
    config.limits.keep_alive_secs_max = 30;
    config.limits.qos_max = QoS::AtLeastOnce;
    let mut asked = persistent();
    asked.properties.session_expiry_interval = Some(u32::MAX);
    let told = settle(&asked, &config, 1).connack.properties;
    assert_eq!(told.session_expiry_interval, Some(100));
    assert_eq!(told.server_keep_alive, Some(30));
    assert_eq!(told.maximum_qos, Some(QoS::AtLeastOnce));
    let identity = Identity {
        client_id: "c".into(),
        is_assigned: false,
    };
    let old = connect(Version::V3_1_1);
    let refused = Admission::settle(
        ClientKey(1),
        &old,
        &identity,
        &Grant::default(),
        &config.limits,
        &config.session,
    );
    assert!(
        refused.is_err(),
        "an MQTT 3 client cannot be told of a shorter keep alive"
    );
}

#[test]
fn a_mount_point_is_put_before_topics_and_taken_off_again() {
    let grant = Grant {
        mount_point: Some("tenant/".into()),
        ..Grant::default()
    };
    let config = Config::default();
    let connect = persistent();
    let identity = Identity {
        client_id: "c".into(),
        is_assigned: false,
    };
    let admission = Admission::settle(
        ClientKey(1),
        &connect,
        &identity,
        &grant,
        &config.limits,
        &config.session,
    )
    .expect("terms");
    let mut rig = Rig::new(connect);
    rig.session.attach(rig.now, admission.terms, &admission.connack);
    rig.next();
    assert_eq!(
        rig.take(Delivery::AtMostOnce)
            .expect("taken")
            .message
            .topic
            .as_str(),
        "tenant/t"
    );
    rig.deliver(Message {
        topic: topic("tenant/t"),
        ..message(QoS::AtMostOnce, "x")
    });
    assert!(matches!(rig.publish().topic, PublishTopic::Name { topic, .. } if topic.as_str() == "t"));
}

#[test]
fn an_ended_session_takes_nothing() {
    let mut rig = Rig::new(persistent());
    rig.lose();
    rig.session.end();
    assert!(matches!(
        rig.deliver(message(QoS::AtLeastOnce, "x")),
        Sent::Dropped(_)
    ));
    assert_eq!(rig.session.queued(), 0);
}

#[test]
fn keep_alive_gives_one_and_a_half_periods() {
    let start = clock::now();
    let mut keep_alive = KeepAlive::new(10, start);
    assert!(!keep_alive.is_expired(start + Duration::from_millis(14_999)));
    assert!(keep_alive.is_expired(start + Duration::from_secs(15)));
    keep_alive.heard(start + Duration::from_secs(14));
    assert!(!keep_alive.is_expired(start + Duration::from_secs(28)));
    assert!(!KeepAlive::new(0, start).is_expired(start + Duration::from_secs(1_000_000)));
}

/// An alias comes on top of the topic that it is to stand for, and may make two lengths longer as well.
#[test]
fn a_message_that_fits_without_an_alias_is_sent_without_one() {
    for len in 90..140 {
        let mut whole = connect(Version::V5);
        let mut rig = Rig::new(whole.clone());
        let properties = PublishProperties::from(PublishPropertyValues {
            content_type: Some("x".repeat(len).into()),
            ..PublishPropertyValues::default()
        });
        let long = || Message {
            topic: topic("a/topic"),
            properties: properties.clone(),
            ..message(QoS::AtMostOnce, "x")
        };
        rig.deliver(long());
        let size = rig.session.output_len();
        for (spare, has_alias) in [(0, false), (2, false), (5, true)] {
            whole.properties.topic_alias_maximum = 10;
            whole.properties.maximum_packet_size =
                NonZeroU32::new(u32::try_from(size + spare).expect("small"));
            let mut rig = Rig::new(whole.clone());
            assert!(matches!(rig.deliver(long()), Sent::Written), "{len} {spare}");
            assert!(rig.session.output_len() <= size + spare, "{len} {spare}");
            let PublishTopic::Name { alias, .. } = rig.publish().topic else {
                panic!("an alias that was not set");
            };
            assert_eq!(alias.is_some(), has_alias, "{len} {spare}");
        }
    }
}
