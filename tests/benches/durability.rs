//! What durability costs: `cargo build --release --bins`, then `cargo bench --bench durability`.
//!
//! The figures of `docs/durability.md` come from here. `HOOKWIRE_BENCH_SCALE` divides the large numbers (a million messages,
//! a hundred thousand sessions); `HOOKWIRE_DURABILITY` is what `store.durability` is to be.

#![expect(clippy::disallowed_methods, reason = "time is what is measured")]

use std::env;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hookwire_protocol::{Connect, Packet, Puback, Publish};
use hookwire_tests::{Broker, Client, QoS, publish, v5};

const SECONDS: u64 = 5;
const PAYLOAD_BYTES: usize = 1000;

fn main() {
    for publishers in [1, 64, 512] {
        rate(publishers);
    }
    let scale = number("HOOKWIRE_BENCH_SCALE").unwrap_or(1);
    enqueue_and_drain(200_000 / scale);
    restart(1_000_000 / scale, 1_000_000 / scale, 100_000 / scale);
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

fn broker() -> Broker {
    let durability = env::var("HOOKWIRE_DURABILITY").unwrap_or_else(|_| "always".to_owned());
    Broker::start(&format!(
        "data_dir = \"data\"\nsys_interval = \"0s\"\n[store]\ndurability = \"{durability}\"\n\
         [limits]\nreceive_maximum = 1000\nretained_bytes_max = \"4GiB\"\nretained_messages_max = 10_000_000\n\
         [session]\nqueue_messages_max = 10_000_000\nqueue_bytes_max = \"64GiB\"\n"
    ))
}

fn lasting(client_id: &str) -> Connect {
    let mut connect = v5(client_id);
    connect.clean_start = false;
    connect.properties.session_expiry_interval = Some(3600);
    connect
}

/// A session that waits, its client away.
fn away(broker: &Broker, client_id: &str, filter: &str) {
    let mut client = Client::connect(broker, lasting(client_id));
    client.subscribe(filter, QoS::AtLeastOnce);
    client.disconnect();
}

/// A figure of `/proc/<pid>/<file>`.
fn figure(broker: &Broker, file: &str, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{}/{file}", broker.pid())).expect("Linux tells");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .expect("a figure");
    let value = line.trim_start_matches(':').split_whitespace().next();
    value.and_then(|value| value.parse().ok()).expect("a number")
}

fn resident_mib(broker: &Broker) -> u64 {
    figure(broker, "status", "VmRSS") / 1024
}

/// Time of all threads since the start. The system counts in hundredths of a second.
fn cpu_secs(broker: &Broker) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", broker.pid())).expect("Linux tells");
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2);
    ticks.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn written(broker: &Broker) -> u64 {
    figure(broker, "io", "write_bytes")
}

/// QoS 1 messages that a session which is away gets, each publisher waiting for the answer to each.
fn rate(publishers: usize) {
    let broker = broker();
    away(&broker, "panel", "t");
    let (count, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let before = written(&broker);
    thread::scope(|scope| {
        for publisher in 0..publishers {
            let (broker, count, is_over) = (&broker, &count, &is_over);
            scope.spawn(move || {
                let mut client = Client::connect(broker, v5(&format!("publisher-{publisher}")));
                let payload = noise(publisher as u64);
                while !is_over.load(Ordering::Relaxed) {
                    client.publish("t", &payload, QoS::AtLeastOnce);
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let (began, first) = (Instant::now(), count.load(Ordering::Relaxed));
        thread::park_timeout(Duration::from_secs(SECONDS));
        let done = count.load(Ordering::Relaxed) - first;
        is_over.store(true, Ordering::Relaxed);
        let rate = done as f64 / began.elapsed().as_secs_f64();
        let amplification = (written(&broker) - before) as f64 / (done as f64 * PAYLOAD_BYTES as f64);
        println!(
            "{publishers} publishers: {rate:.0} messages/s, {amplification:.2} bytes written for each of payload"
        );
    });
}

/// Does not compress.
fn noise(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..PAYLOAD_BYTES)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        })
        .collect()
}

/// Publishes without waiting for each answer.
fn pipelined(client: &mut Client, count: u64, message: impl Fn(u64) -> Publish) {
    const WINDOW: u64 = 500;
    let mut sent = 0;
    while sent < count {
        let run = WINDOW.min(count - sent);
        for at in 0..run {
            client.send(Packet::Publish(message(sent + at)));
        }
        for _ in 0..run {
            client.answer(|_: &Puback| true);
        }
        sent += run;
    }
}

fn id(at: u64) -> u16 {
    u16::try_from(at % 500 + 1).unwrap_or(1)
}

fn enqueue_and_drain(count: u64) {
    let broker = broker();
    away(&broker, "panel", "t");
    let payload = noise(1);
    let (memory, disk) = (resident_mib(&broker), written(&broker));
    let began = Instant::now();
    let mut client = Client::connect(&broker, v5("publisher"));
    pipelined(&mut client, count, |at| {
        publish("t", &payload, QoS::AtLeastOnce, id(at))
    });
    let enqueued = count as f64 / began.elapsed().as_secs_f64();
    let full = resident_mib(&broker);
    let began = Instant::now();
    let mut panel = Client::connect(&broker, lasting("panel"));
    for _ in 0..count {
        panel.receive();
    }
    let drained = count as f64 / began.elapsed().as_secs_f64();
    let amplification = (written(&broker) - disk) as f64 / (count as f64 * PAYLOAD_BYTES as f64);
    println!(
        "{count} messages: {enqueued:.0}/s in, {drained:.0}/s out, {amplification:.2} bytes written for each of payload, \
         resident {memory} MiB before, {full} MiB with them"
    );
}

fn restart(messages: u64, retained: u64, sessions: u64) {
    let mut broker = broker();
    let queues = sessions.clamp(1, 1000);
    let connecting = Instant::now();
    thread::scope(|scope| {
        for worker in 0..64 {
            let broker = &broker;
            scope.spawn(move || {
                for session in (worker..sessions).step_by(64) {
                    away(broker, &format!("session-{session}"), &format!("q/{session}"));
                }
            });
        }
    });
    println!(
        "{sessions} sessions made in {:.1} s",
        connecting.elapsed().as_secs_f64()
    );
    let payload = noise(2);
    let mut client = Client::connect(&broker, v5("publisher"));
    pipelined(&mut client, messages, |at| {
        publish(&format!("q/{}", at % queues), &payload, QoS::AtLeastOnce, id(at))
    });
    pipelined(&mut client, retained, |at| Publish {
        retain: true,
        ..publish(&format!("r/{at}"), &payload[..100], QoS::AtLeastOnce, id(at))
    });
    println!(
        "with {sessions} sessions, {messages} messages of {PAYLOAD_BYTES} bytes and {retained} retained ones of 100: resident {} MiB",
        resident_mib(&broker)
    );
    broker.kill();
    let began = Instant::now();
    broker.restart_within(Duration::from_secs(300));
    let took = began.elapsed().as_secs_f64();
    println!(
        "started again in {took:.1} s, {:.1} s of CPU time, resident {} MiB",
        cpu_secs(&broker),
        resident_mib(&broker)
    );
}
