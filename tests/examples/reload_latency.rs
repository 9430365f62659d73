//! What the reload of a component of 5 MiB costs clients who publish meanwhile.
//!
//! `cargo run --release --example reload_latency`
//!
//! Twenty clients publish at a pace and each measures how long it takes until its own message has come back. Their figures
//! are told apart by what the broker was doing: nothing, or compiling and loading the component.
#![expect(clippy::disallowed_methods, reason = "measuring is what it is for")]

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use hookwire_tests::{Broker, Client, QoS, Setup, guest, plugin, v5, with_code};

const CLIENTS: usize = 20;

/// Between two messages of a client: 200 a second.
const PACE: Duration = Duration::from_millis(5);

const COMPONENT_BYTES: usize = 5 << 20;

/// How often it is reloaded; as long as each takes, it is quiet before it.
const ROUNDS: u64 = 3;

const QUIET: usize = 0;
const RELOADING: usize = 1;

fn main() {
    let component = fs::read(guest("policy")).expect("the guest is built");
    for compile in ["child", "thread"] {
        let settings = format!("[plugins]\ncompile = \"{compile}\"\n");
        let setup = Setup::new(&(settings.clone() + &stamping("small.wasm", 0)));
        let broker = setup.file("small.wasm", &component).start();
        measure(compile, &broker, |round| {
            // Other bytes each time: the same ones are compiled once.
            let bytes = COMPONENT_BYTES + 10_000 * usize::try_from(round).expect("small");
            broker.edit_file("large.wasm", with_code(&component, bytes));
            broker.put_in_force(&(settings.clone() + &stamping("large.wasm", round)));
        });
    }
}

fn stamping(file: &str, number: u64) -> String {
    plugin("p", file, "", &format!("stamp = \"{number}\""))
}

fn measure(name: &str, broker: &Broker, reload: impl Fn(u64)) {
    let phase = AtomicUsize::new(QUIET);
    let (times, took) = thread::scope(|scope| {
        let mut stops = Vec::new();
        let mut threads = Vec::new();
        for number in 0..CLIENTS {
            let (stop, stopped) = channel::<()>();
            stops.push(stop);
            let phase = &phase;
            threads.push(scope.spawn(move || {
                let mut client = Client::connect(broker, v5(&format!("c{number}")));
                let topic = format!("t/{number}");
                client.subscribe(&topic, QoS::AtMostOnce);
                let mut times = [Vec::new(), Vec::new()];
                while stopped.recv_timeout(PACE) == Err(RecvTimeoutError::Timeout) {
                    let during = phase.load(Ordering::SeqCst);
                    let sent = Instant::now();
                    client.publish(&topic, "x", QoS::AtMostOnce);
                    client.receive();
                    times[during].push(sent.elapsed());
                }
                times
            }));
        }
        let took: Vec<Duration> = (1..=ROUNDS)
            .map(|round| {
                phase.store(RELOADING, Ordering::SeqCst);
                let began = Instant::now();
                reload(round);
                let took = began.elapsed();
                phase.store(QUIET, Ordering::SeqCst);
                let (_nobody, never) = channel::<()>();
                let _ = never.recv_timeout(took);
                took
            })
            .collect();
        drop(stops);
        let mut all = [Vec::new(), Vec::new()];
        for thread in threads {
            let times = thread.join().expect("the client was content");
            for (all, times) in all.iter_mut().zip(times) {
                all.extend(times);
            }
        }
        (all, took)
    });
    println!("compiled by a {name}: reloads took {took:.1?}");
    for (phase, mut times) in ["quiet", "reloading"].into_iter().zip(times) {
        times.sort_unstable();
        let at = |part: usize| times[(times.len() - 1) * part / 1000];
        println!(
            "  {phase:9} {:6} messages, p50 {:.2?}, p99 {:.2?}, p99.9 {:.2?}, longest {:.2?}",
            times.len(),
            at(500),
            at(990),
            at(999),
            at(1000)
        );
    }
}
