//! Class 1: framing and length.

use std::io::{Read, Write};

use hookwire_tests::{Broker, Client, v5};

use super::Oracle;
use super::oracle::{as_many_as, dial};

/// Only received bytes make a buffer grow.
#[test]
fn announced_lengths_cost_nothing() {
    let broker = Broker::start("");
    let oracle = Oracle::watch(&broker, "1.2");
    let mut streams: Vec<_> = (0..as_many_as(2000)).map(|_| dial(&broker)).collect();
    for stream in &mut streams {
        stream
            .write_all(&[0x10, 0xFF, 0xFF, 0xFF, 0x7F])
            .expect("five bytes can be sent");
    }
    for stream in &mut streams {
        // Closed, or reset: five bytes of ours may be unread.
        let _ = stream.read_to_end(&mut Vec::new());
    }
    assert!(oracle.grown() < 64 << 20, "{}", oracle.grown());
    drop(streams);
    oracle.conclude();
}

/// A xorshift generator: the same bytes for the same seed, everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

#[test]
fn random_bytes_end_their_connection_and_nothing_else() {
    let broker = Broker::start("");
    let oracle = Oracle::watch(&broker, "1.14");
    for seed in 1..=1000 {
        let mut random = Random(seed);
        let bytes: Vec<u8> = (0..1250).flat_map(|_| random.next().to_le_bytes()).collect();
        let mut client = Client::connect(&broker, v5(&format!("seed {seed}")));
        // It may be closed while they are on their way.
        client.try_send_bytes(&bytes);
        client.lose();
    }
    oracle.conclude();
}
