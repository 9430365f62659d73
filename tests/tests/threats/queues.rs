//! Class 9: retained messages, wills, queues.

use hookwire_protocol::Packet;
use hookwire_tests::{Broker, Client, QoS, publish, v5, will};

use super::Oracle;
use super::oracle::as_many_as;

fn with_retained(broker: &Broker, count: usize) -> Client {
    let mut sender = Client::connect(broker, v5("retaining"));
    for n in 0..count {
        let mut packet = publish(&format!("kept/{n}"), "x".repeat(100), QoS::AtMostOnce, 1);
        packet.retain = true;
        sender.send(Packet::Publish(packet));
    }
    sender.expect_nothing();
    sender
}

#[test]
fn a_great_many_retained_messages_come_as_the_client_takes_them() {
    let broker = Broker::start("");
    let count = 50_000;
    let sender = with_retained(&broker, count);
    let oracle = Oracle::watch(&broker, "9.2");
    let mut listener = Client::connect(&broker, v5("collector"));
    listener.subscribe("kept/#", QoS::AtMostOnce);
    for _ in 0..count {
        listener.receive();
    }
    listener.expect_nothing();
    assert!(oracle.grown() < 64 << 20, "{}", oracle.grown());
    listener.disconnect();
    sender.disconnect();
    oracle.conclude();
}

#[test]
fn asking_for_all_that_is_retained_again_and_again_harms_nobody() {
    let broker = Broker::start("");
    let sender = with_retained(&broker, 2000);
    let oracle = Oracle::watch(&broker, "9.3");
    std::thread::scope(|scope| {
        for n in 0..10 {
            let broker = &broker;
            scope.spawn(move || {
                let mut client = Client::connect(broker, v5(&format!("again {n}")));
                for _ in 0..10 {
                    client.subscribe("kept/#", QoS::AtMostOnce);
                    client.unsubscribe("kept/#");
                }
                client.lose();
            });
        }
    });
    sender.disconnect();
    oracle.conclude();
}

#[test]
fn a_storm_of_wills_is_published_whole() {
    let broker = Broker::start("");
    let oracle = Oracle::watch(&broker, "9.5");
    let mut listener = Client::connect(&broker, v5("mourner"));
    listener.subscribe("gone/+", QoS::AtLeastOnce);
    let count = as_many_as(2000);
    let doomed: Vec<_> = (0..count)
        .map(|n| {
            let mut connect = v5(&format!("doomed {n}"));
            connect.will = Some(will(&format!("gone/{n}"), "gone"));
            Client::connect(&broker, connect)
        })
        .collect();
    drop(doomed);
    let mut heard: Vec<_> = (0..count).map(|_| listener.receive().topic).collect();
    heard.sort();
    heard.dedup();
    assert_eq!(heard.len(), count, "each once");
    listener.expect_nothing();
    listener.disconnect();
    oracle.conclude();
}
