//! What is there again after the broker was killed, one thing at a time.

use hookwire_protocol::{
    ConnectReason, Delivery, Packet, PacketId, Puback, Pubcomp, Publish, PublishReason, Pubrec, Pubrel,
    PubrelReason,
};
use hookwire_tests::{Broker, Client, QoS, bundled, guest, plugin, publish, v5, will};

use super::{DURABLE, lasting};

fn id(number: u16) -> PacketId {
    PacketId::new(number).expect("not zero")
}

#[test]
fn a_session_with_its_subscriptions_and_messages() {
    let mut broker = Broker::start(DURABLE);
    let mut panel = Client::connect(&broker, lasting("panel"));
    panel.subscribe("lamps/+", QoS::AtLeastOnce);
    panel.subscribe("ovens/#", QoS::ExactlyOnce);
    panel.unsubscribe("lamps/+");
    panel.subscribe("lamps/1", QoS::AtLeastOnce);
    panel.disconnect();
    let mut lamp = Client::connect(&broker, v5("lamp"));
    lamp.publish("lamps/1", "on", QoS::AtLeastOnce);
    lamp.publish("lamps/1", "off", QoS::ExactlyOnce);
    lamp.publish("lamps/2", "on", QoS::AtLeastOnce);
    lamp.publish("ovens/1", "x".repeat(5000), QoS::ExactlyOnce);
    broker.kill_and_restart();

    let mut panel = Client::connect(&broker, lasting("panel"));
    assert!(panel.connack().session_present);
    let received = panel.receive_all(3);
    let briefly: Vec<_> = received
        .iter()
        .map(|message| (message.payload.len(), message.qos, message.dup))
        .collect();
    assert_eq!(
        briefly,
        [
            (2, QoS::AtLeastOnce, false),
            (3, QoS::AtLeastOnce, false),
            (5000, QoS::ExactlyOnce, false)
        ]
    );
    // The subscriptions are those of before.
    let mut lamp = Client::connect(&broker, v5("lamp"));
    lamp.publish("lamps/1", "live", QoS::AtLeastOnce);
    lamp.publish("lamps/2", "not for it", QoS::AtLeastOnce);
    assert_eq!(panel.receive().payload, "live");
    panel.expect_nothing();
}

#[test]
fn what_was_acknowledged_does_not_come_again() {
    let mut broker = Broker::start(DURABLE);
    let mut panel = Client::connect(&broker, lasting("panel"));
    panel.subscribe("t", QoS::ExactlyOnce);
    let mut lamp = Client::connect(&broker, v5("lamp"));
    for n in 0..20 {
        lamp.publish("t", format!("{n}"), QoS::ExactlyOnce);
        assert_eq!(panel.receive().payload, format!("{n}"));
    }
    // The removal of the last ones is nobody's to wait for; it goes along with what is.
    lamp.publish("t", "the last", QoS::ExactlyOnce);
    broker.stop_and_restart();
    let mut panel = Client::connect(&broker, lasting("panel"));
    assert_eq!(panel.receive().payload, "the last");
    panel.expect_nothing();
}

#[test]
fn a_message_under_way_comes_again_under_its_identifier() {
    let mut broker = Broker::start(DURABLE);
    let mut panel = Client::connect(&broker, lasting("panel"));
    panel.subscribe("t", QoS::ExactlyOnce);
    let mut lamp = Client::connect(&broker, v5("lamp"));
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        lamp.publish("t", "under way", qos);
    }
    let before = [panel.expect_publish(), panel.expect_publish()];
    broker.kill_and_restart();
    let mut panel = Client::connect(&broker, lasting("panel"));
    for sent in before {
        let again = panel.expect_publish();
        assert_eq!(again.delivery, sent.delivery);
        assert!(again.dup, "it may have been sent before");
    }
}

/// The eight steps of the exchanges of QoS 2, ours and the client's: wherever the broker dies, the message arrives once.
#[test]
fn a_message_of_qos_2_arrives_once_wherever_the_broker_dies() {
    for dies_after in 0..8 {
        let mut broker = Broker::start(DURABLE);
        let mut panel = Client::connect(&broker, lasting("panel"));
        panel.subscribe("t", QoS::ExactlyOnce);
        panel.lose();
        let mut lamp = Client::connect(&broker, lasting("lamp"));
        let mut arrived = Vec::new();
        let mut step = 0;
        let mut die = |broker: &mut Broker| {
            step += 1;
            if step == dies_after + 1 {
                broker.kill_and_restart();
                true
            } else {
                false
            }
        };

        // The publisher's side: PUBLISH, PUBREC, PUBREL, PUBCOMP.
        let first = publish("t", "once", QoS::ExactlyOnce, 7);
        let again = Publish {
            dup: true,
            ..first.clone()
        };
        lamp.send(Packet::Publish(first));
        if die(&mut broker) {
            lamp = Client::connect(&broker, lasting("lamp"));
            lamp.send(Packet::Publish(again.clone()));
        }
        lamp.answer(|pubrec: &Pubrec| pubrec.packet_id == id(7));
        if die(&mut broker) {
            lamp = Client::connect(&broker, lasting("lamp"));
            lamp.send(Packet::Publish(again));
            lamp.answer(|pubrec: &Pubrec| pubrec.packet_id == id(7));
        }
        lamp.send(Packet::Pubrel(Pubrel::new(id(7), PubrelReason::Success)));
        if die(&mut broker) {
            lamp = Client::connect(&broker, lasting("lamp"));
            lamp.send(Packet::Pubrel(Pubrel::new(id(7), PubrelReason::Success)));
        }
        lamp.answer(|pubcomp: &Pubcomp| pubcomp.packet_id == id(7));
        die(&mut broker);

        // The recipient's side.
        let mut panel = Client::connect(&broker, lasting("panel"));
        let sent = panel.expect_publish();
        let Delivery::ExactlyOnce(packet_id) = sent.delivery else {
            panic!("{sent:?}");
        };
        arrived.push(sent.payload);
        if die(&mut broker) {
            panel = Client::connect(&broker, lasting("panel"));
            // The same exchange goes on: a recipient that keeps its state takes the message only once.
            let again = panel.expect_publish();
            assert_eq!(
                again.delivery,
                Delivery::ExactlyOnce(packet_id),
                "after {dies_after}"
            );
        }
        panel.send(Packet::Pubrec(Pubrec::new(packet_id, PublishReason::Success)));
        if die(&mut broker) {
            panel = Client::connect(&broker, lasting("panel"));
            match panel.next_packet() {
                Some(Packet::Publish(again)) => {
                    assert_eq!(again.delivery, Delivery::ExactlyOnce(packet_id));
                    panel.send(Packet::Pubrec(Pubrec::new(packet_id, PublishReason::Success)));
                    panel.answer(|pubrel: &Pubrel| pubrel.packet_id == packet_id);
                }
                Some(Packet::Pubrel(pubrel)) => assert_eq!(pubrel.packet_id, packet_id),
                other => panic!("{other:?}"),
            }
        } else {
            panel.answer(|pubrel: &Pubrel| pubrel.packet_id == packet_id);
        }
        if die(&mut broker) {
            panel = Client::connect(&broker, lasting("panel"));
            panel.answer(|pubrel: &Pubrel| pubrel.packet_id == packet_id);
        }
        panel.send(Packet::Pubcomp(Pubcomp::new(packet_id, PubrelReason::Success)));
        if die(&mut broker) {
            panel = Client::connect(&broker, lasting("panel"));
            // PUBREL may come once more, the message must not.
            panel.send(Packet::Pingreq);
            while let Some(packet) = panel.next_packet() {
                match packet {
                    Packet::Pubrel(pubrel) => assert_eq!(pubrel.packet_id, packet_id),
                    Packet::Pingresp => break,
                    other => panic!("{other:?} after {dies_after}"),
                }
            }
        }

        // A new message under the old identifier is a new message.
        let mut lamp = Client::connect(&broker, lasting("lamp"));
        lamp.send(Packet::Publish(publish("t", "another", QoS::ExactlyOnce, 7)));
        lamp.answer(|pubrec: &Pubrec| pubrec.packet_id == id(7));
        let next = panel.answer(|_: &Publish| true);
        arrived.push(next.payload);
        assert_eq!(arrived, ["once", "another"], "after {dies_after}");
    }
}

#[test]
fn a_filter_that_a_policy_made_another_is_the_clients_still() {
    let rules = "rules = [{ from = \"old/+\", to = \"new/{1}\" }]";
    let mut broker = Broker::start(&format!("{DURABLE}{}", bundled("topic-rewrite", "", rules)));
    let mut panel = Client::connect(&broker, lasting("panel"));
    panel.subscribe("old/1", QoS::AtLeastOnce);
    panel.subscribe("old/2", QoS::AtLeastOnce);
    broker.kill_and_restart();
    let mut panel = Client::connect(&broker, lasting("panel"));
    let mut lamp = Client::connect(&broker, v5("lamp"));
    lamp.publish("new/1", "on", QoS::AtLeastOnce);
    assert_eq!(panel.receive().brief(), ("new/1", "on"));
    assert!(!panel.unsubscribe("old/1").is_error());
    broker.kill_and_restart();
    let mut panel = Client::connect(&broker, lasting("panel"));
    let mut lamp = Client::connect(&broker, v5("lamp"));
    lamp.publish("new/1", "off", QoS::AtLeastOnce);
    lamp.publish("new/2", "off", QoS::AtLeastOnce);
    assert_eq!(panel.receive().brief(), ("new/2", "off"));
    panel.expect_nothing();
    broker.kill();
    let checked = broker.setup().store("check", "data");
    assert!(
        checked.text.contains("rewrite: 1 good records"),
        "{}",
        checked.text
    );
}

#[test]
fn who_published_what_is_retained_where_somebody_asks() {
    let rules = |lamp: &str| format!("rules = [{lamp}{{ allow = \"all\", topic = \"#\" }}]");
    let config = |rules: &str| {
        let acl = bundled("acl", "grant = { clients = true }", rules);
        format!("{DURABLE}[session]\ncheck_retain_source = true\n{acl}")
    };
    let mut broker = Broker::start(&config(&rules("")));
    let mut lamp = Client::connect(&broker, v5("lamp"));
    lamp.retain("state/1", "on");
    Client::connect(&broker, v5("oven")).retain("state/2", "on");
    broker.kill();
    let denied = "{ deny = \"publish\", topic = \"state/#\", client = \"lamp\" }, ";
    broker.edit_config(&config(&rules(denied)));
    broker.restart();
    let mut reader = Client::connect(&broker, v5("reader"));
    reader.subscribe("state/#", QoS::AtMostOnce);
    assert_eq!(reader.receive().topic, "state/2");
    reader.expect_nothing();
}

#[test]
fn retained_messages_as_they_were_last() {
    let mut broker = Broker::start(DURABLE);
    let mut lamp = Client::connect(&broker, v5("lamp"));
    lamp.retain("a", "old");
    lamp.retain("a", "new");
    lamp.retain("b/large", &"x".repeat(100_000));
    lamp.retain("c", "cleared");
    lamp.retain("c", "");
    broker.kill_and_restart();
    let mut panel = Client::connect(&broker, v5("panel"));
    panel.subscribe("#", QoS::AtLeastOnce);
    let mut found = panel.receive_all(2);
    found.sort_by(|one, other| one.topic.cmp(&other.topic));
    assert_eq!(found[0].brief(), ("a", "new"));
    assert_eq!(
        (found[1].topic.as_str(), found[1].payload.len()),
        ("b/large", 100_000)
    );
    assert!(found.iter().all(|message| message.retain));
    panel.expect_nothing();
}

#[test]
fn a_will_that_waits_fires_after_the_restart_and_one_whose_client_is_back_does_not() {
    let mut broker = Broker::start(DURABLE);
    for (client_id, delay) in [("returns", 3600), ("stays-away", 1)] {
        let mut connect = lasting(client_id);
        let mut left = will(&format!("gone/{client_id}"), "gone");
        left.delay_interval_secs = delay;
        connect.will = Some(left);
        Client::connect(&broker, connect).lose();
    }
    let mut watcher = Client::connect(&broker, lasting("watcher"));
    watcher.subscribe("gone/#", QoS::AtLeastOnce);
    watcher.lose();
    broker.kill_and_restart();
    let _returned = Client::connect(&broker, lasting("returns"));
    let mut watcher = Client::connect(&broker, lasting("watcher"));
    assert_eq!(watcher.receive().topic, "gone/stays-away");
    watcher.expect_nothing();
}

#[test]
fn the_will_of_a_client_that_was_connected_fires_when_the_broker_is_back() {
    let mut broker = Broker::start(DURABLE);
    let mut watcher = Client::connect(&broker, lasting("watcher"));
    watcher.subscribe("gone", QoS::AtLeastOnce);
    let mut connect = lasting("lamp");
    connect.will = Some(will("gone", "with the broker"));
    let _lamp = Client::connect(&broker, connect);
    broker.kill_and_restart();
    let mut watcher = Client::connect(&broker, lasting("watcher"));
    assert_eq!(watcher.receive().payload, "with the broker");
}

#[test]
fn a_session_that_ended_while_the_broker_was_down_is_gone() {
    let mut broker = Broker::start(DURABLE);
    let mut short = lasting("short");
    short.properties.session_expiry_interval = Some(1);
    let mut panel = Client::connect(&broker, short.clone());
    panel.subscribe("t", QoS::AtLeastOnce);
    panel.disconnect();
    // Its end has to be recorded, as the answer to something later shows.
    Client::connect(&broker, lasting("other")).disconnect();
    broker.kill();
    a_second_passes();
    broker.restart();
    let panel = Client::connect(&broker, short);
    assert!(!panel.connack().session_present);
}

#[test]
fn a_start_reads_places_and_not_messages() {
    let config = format!("{DURABLE}[session]\nqueue_messages_max = 100_000\nqueue_bytes_max = \"1GiB\"\n");
    let mut broker = Broker::start(&config);
    let mut panel = Client::connect(&broker, lasting("panel"));
    panel.subscribe("t", QoS::AtLeastOnce);
    panel.lose();
    let mut lamp = Client::connect(&broker, v5("lamp"));
    for _ in 0..200 {
        for id in 1..=100 {
            lamp.send(Packet::Publish(publish(
                "t",
                "x".repeat(1000),
                QoS::AtLeastOnce,
                id,
            )));
        }
        (0..100).for_each(|_| drop(lamp.answer(|_: &Puback| true)));
    }
    broker.kill_and_restart();
    let opened = broker.log().story();
    assert!(opened.contains("messages=20000"), "{opened}");
    let mut panel = Client::connect(&broker, lasting("panel"));
    assert_eq!(panel.receive().payload.len(), 1000);
}

/// As the end of a session of another broker shows.
fn a_second_passes() {
    let broker = Broker::start("");
    let mut watcher = Client::connect(&broker, v5("watcher"));
    watcher.subscribe("gone", QoS::AtMostOnce);
    let mut connect = lasting("brief");
    connect.properties.session_expiry_interval = Some(1);
    let mut left = will("gone", "after a second");
    left.delay_interval_secs = 10;
    connect.will = Some(left);
    Client::connect(&broker, connect).lose();
    assert_eq!(watcher.receive().payload, "after a second");
}

#[test]
fn a_session_that_was_ended_leaves_nothing() {
    let mut broker = Broker::start(DURABLE);
    let mut panel = Client::connect(&broker, lasting("panel"));
    panel.subscribe("t", QoS::AtLeastOnce);
    panel.lose();
    let mut lamp = Client::connect(&broker, v5("lamp"));
    lamp.publish("t", "x".repeat(1000), QoS::AtLeastOnce);
    let mut ends = v5("panel");
    ends.clean_start = true;
    Client::connect(&broker, ends).disconnect();
    broker.stop_and_restart();
    assert!(
        !Client::connect(&broker, lasting("panel"))
            .connack()
            .session_present
    );
    broker.terminate();
    assert!(broker.wait_exit().success());
    let checked = broker.setup().store("check", "data");
    assert!(checked.success, "{}", checked.text);
    assert!(checked.text.contains("queue: 0 good records"), "{}", checked.text);
    assert!(
        checked.text.contains("message: 0 good records"),
        "{}",
        checked.text
    );
    assert!(
        checked.text.contains("subscription: 0 good records"),
        "{}",
        checked.text
    );
}

#[test]
fn a_session_belongs_to_its_user_after_a_restart_too() {
    let mut broker = Broker::start(DURABLE);
    let mut connect = lasting("panel");
    connect.username = Some("alice".into());
    Client::connect(&broker, connect.clone()).lose();
    broker.kill_and_restart();
    let mut other = lasting("panel");
    other.username = Some("mallory".into());
    assert_eq!(
        Client::refused(&broker, other).reason,
        ConnectReason::NotAuthorized
    );
    assert!(Client::connect(&broker, connect).connack().session_present);
}

#[test]
fn a_client_that_was_banned_for_flapping_stays_banned() {
    let config = format!("{DURABLE}[flapping]\nconnects_max = 2\nwindow = \"1m\"\nban = \"1h\"\n");
    let mut broker = Broker::start(&config);
    for _ in 0..2 {
        Client::connect(&broker, v5("flap")).disconnect();
    }
    assert_eq!(Client::refused(&broker, v5("flap")).reason, ConnectReason::Banned);
    // Recorded, once something later is.
    Client::connect(&broker, lasting("other")).disconnect();
    broker.kill_and_restart();
    assert_eq!(Client::refused(&broker, v5("flap")).reason, ConnectReason::Banned);
    Client::connect(&broker, v5("another"));
}

#[test]
fn a_shared_subscription_and_what_waits_for_its_members() {
    let mut broker = Broker::start(DURABLE);
    let mut member = Client::connect(&broker, lasting("member"));
    member.subscribe("$share/g/t", QoS::AtLeastOnce);
    member.lose();
    let mut lamp = Client::connect(&broker, v5("lamp"));
    lamp.publish("t", "one", QoS::AtLeastOnce);
    lamp.publish("t", "x".repeat(1000), QoS::AtLeastOnce);
    broker.kill_and_restart();
    // Another member takes what waits for the one that is away.
    let mut other = Client::connect(&broker, v5("other"));
    other.subscribe("$share/g/t", QoS::AtLeastOnce);
    assert_eq!(other.receive().payload, "one");
    assert_eq!(other.receive().payload.len(), 1000);
    // What it has not acknowledged when it goes would go to the member.
    other.expect_nothing();
    broker.stop_and_restart();
    Client::connect(&broker, lasting("member")).expect_nothing();
}

#[test]
fn more_messages_than_are_kept_in_memory_come_in_order() {
    let config = format!("{DURABLE}[session]\nqueue_messages_max = 10_000\n");
    let mut broker = Broker::start(&config);
    let mut panel = Client::connect(&broker, lasting("panel"));
    panel.subscribe("t", QoS::AtLeastOnce);
    panel.lose();
    let mut lamp = Client::connect(&broker, v5("lamp"));
    for n in 0..3000_u32 {
        let payload = if n % 3 == 0 {
            format!("{n} {}", "x".repeat(600))
        } else {
            format!("{n} ")
        };
        lamp.send(Packet::Publish(publish(
            "t",
            payload,
            QoS::AtLeastOnce,
            1 + u16::try_from(n % 60).expect("small"),
        )));
        if n % 60 == 59 {
            (0..60).for_each(|_| drop(lamp.answer(|_: &Puback| true)));
        }
    }
    for is_restarted in [false, true] {
        if is_restarted {
            broker.kill_and_restart();
        }
        let mut panel = Client::connect(&broker, lasting("panel"));
        let first = if is_restarted { 1500 } else { 0 };
        for n in first..first + 1500 {
            let message = panel.receive();
            assert!(message.payload.starts_with(&format!("{n} ")), "{n}: {message:?}");
        }
        if !is_restarted {
            // What it has acknowledged is forgotten before the broker dies: it goes along with something that is answered.
            panel.send(Packet::Pingreq);
            while panel.next_packet() != Some(Packet::Pingresp) {}
            panel.lose();
            Client::connect(&broker, lasting("other")).disconnect();
        }
    }
}

#[test]
fn the_store_of_a_plugin_if_it_is_to_be_durable() {
    for (durable, kept) in [(true, 10), (false, 0)] {
        let keys = format!(
            "grant = {{ publish = [\"flood/#\"], kv = {{ bytes = \"64KiB\", durable = {durable} }} }}"
        );
        let config = "count = 10\nbehaviour = { on_publish = \"kv_flood\" }";
        let hoarder = plugin("hoarder", guest("hostile"), &keys, config);
        let mut broker = Broker::start(&format!("{DURABLE}{hoarder}"));
        for _ in 0..2 {
            Client::connect(&broker, v5("lamp")).publish("t/evil", "x", QoS::AtLeastOnce);
            broker.terminate();
            assert!(broker.wait_exit().success());
            let checked = broker.setup().store("check", "data").text;
            assert!(
                checked.contains(&format!("plugin: {kept} good records")),
                "{checked}"
            );
            broker.restart();
        }
    }
}

#[test]
fn without_a_data_folder_nothing_is_kept_and_nothing_is_written() {
    let mut broker = Broker::start("");
    let mut panel = Client::connect(&broker, lasting("panel"));
    panel.subscribe("t", QoS::AtLeastOnce);
    broker.kill_and_restart();
    assert!(
        !Client::connect(&broker, lasting("panel"))
            .connack()
            .session_present
    );
    let files = std::fs::read_dir(broker.folder()).expect("a folder");
    assert_eq!(files.count(), 1, "the configuration");
}
