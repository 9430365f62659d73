//! Class 2: connections, and more of everything than there is room for.

use std::io::Read;

use hookwire_protocol::{Connack, ConnectReason, Packet};
use hookwire_tests::{Broker, Client, QoS, publish, v5, v311};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use super::Oracle;
use super::oracle::{as_many_as, descriptors, dial};

#[test]
fn silent_connections_are_closed_and_do_not_keep_others_out() {
    let broker = Broker::start("[limits]\nconnect_timeout = \"2s\"\n");
    let oracle = Oracle::watch(&broker, "2.1");
    let mut silent: Vec<_> = (0..as_many_as(5000)).map(|_| dial(&broker)).collect();
    for n in 0..20 {
        Client::connect(&broker, v5(&format!("talking {n}"))).disconnect();
    }
    assert!(
        oracle.grown() < silent.len() * (8 << 10) + (8 << 20),
        "{}",
        oracle.grown()
    );
    for stream in &mut silent {
        assert_eq!(stream.read(&mut [0; 16]).expect("closed in time"), 0);
    }
    drop(silent);
    oracle.conclude();
}

#[test]
fn stalled_readers_cost_no_more_than_their_bound() {
    let broker = Broker::start("[limits]\noutbox_bytes_max = \"1MiB\"\nwrite_timeout = \"2s\"\n");
    let oracle = Oracle::watch(&broker, "2.6");
    let stalled: Vec<_> = (0..50)
        .map(|n| {
            let mut reader = Client::connect(&broker, v5(&format!("stalled {n}")));
            reader.subscribe("flood", QoS::AtMostOnce);
            reader
        })
        .collect();
    let mut sender = Client::connect(&broker, v5("flooding"));
    for _ in 0..400 {
        sender.send(Packet::Publish(publish(
            "flood",
            vec![7; 64 << 10],
            QoS::AtMostOnce,
            1,
        )));
    }
    sender.expect_nothing();
    // 50 readers of 1 MiB each, and the payloads that they share.
    assert!(oracle.grown() < 200 << 20, "{}", oracle.grown());
    drop(stalled);
    sender.disconnect();
    oracle.conclude();
}

#[test]
fn a_storm_of_connects_leaves_nothing_behind() {
    let broker = Broker::start("[takeover]\nfight_after = 100000\n");
    let mut oracle = Oracle::watch(&broker, "2.7");
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let broker = &broker;
            scope.spawn(move || {
                for n in 0..500 {
                    // Every other one has the name of all.
                    let name = if n % 2 == 0 {
                        "one for all".to_owned()
                    } else {
                        format!("storm {worker} {n}")
                    };
                    Client::begin(broker, v311(&name)).lose();
                }
            });
        }
    });
    oracle.wait_until_they_are_gone();
    // A CONNECT may still wait to be heard though its client is gone, and takes the name once more; whoever comes behind
    // all of them keeps it.
    let stays = (0..2000).any(|_| {
        let mut last = Client::connect(&broker, v311("one for all"));
        last.send(Packet::Pingreq);
        last.next_packet() == Some(Packet::Pingresp)
    });
    assert!(stays, "the name is taken for ever");
    oracle.conclude();
}

#[test]
fn without_descriptors_the_broker_waits_until_there_are_some() {
    const MORE: usize = 20;
    let broker = Broker::start("");
    let oracle = Oracle::watch(&broker, "2.3");
    // So many more than it has now, and not one for a file.
    let limit = Rlimit {
        current: u64::try_from(descriptors(&broker) + MORE).ok(),
        ..getrlimit(Resource::Nofile)
    };
    let pid = i32::try_from(broker.pid()).ok().and_then(Pid::from_raw);
    prlimit(pid, Resource::Nofile, limit).expect("a limit can be lowered");
    let many: Vec<_> = (0..3 * MORE)
        .map(|n| Client::begin(&broker, v5(&format!("many {n}"))))
        .collect();
    broker.wait_log("cannot accept");
    broker.refused("[limits]\nqos_max = 1\n");
    let mut late = Client::begin(&broker, v5("late"));
    drop(many);
    assert!(!late.expect::<Connack>().reason.is_error());
    late.disconnect();
    oracle.conclude();
}

#[test]
fn one_address_has_its_share_of_connections() {
    let broker = Broker::start("sys_interval = \"100ms\"\n[limits]\nconnections_per_address_max = 4\n");
    let mut here: Vec<_> = (0..4)
        .map(|n| Client::connect(&broker, v5(&format!("here {n}"))))
        .collect();
    let connack: Connack = Client::refused(&broker, v5("too many"));
    assert_eq!(connack.reason, ConnectReason::ConnectionRateExceeded);
    assert_eq!(
        Client::refused(&broker, v311("too many")).reason,
        ConnectReason::ServerUnavailable
    );
    let mut watcher = here.pop().expect("four of them");
    watcher.subscribe(
        "$SYS/broker/limits/limits.connections_per_address_max",
        QoS::AtMostOnce,
    );
    while watcher.receive().payload != "2" {}
    for client in &mut here {
        client.expect_nothing();
    }
}

#[test]
fn one_address_opens_connections_at_its_rate() {
    let broker = Broker::start("[limits]\nconnects_per_address_per_second = 2\n");
    let answers: Vec<_> = (0..10)
        .map(|n| {
            let mut client = Client::begin(&broker, v5(&format!("fast {n}")));
            client.expect::<Connack>().reason
        })
        .collect();
    assert_eq!(answers[0], ConnectReason::Success);
    assert!(
        answers.contains(&ConnectReason::ConnectionRateExceeded),
        "{answers:?}"
    );
}
