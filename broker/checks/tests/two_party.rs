//! Seeded packets, whole and damaged. `TWO_PARTY_SEED=n` sends one of them again, `TWO_PARTY_COUNT=n` more of them.

use std::env;

use hookwire_checks::random::Random;
use hookwire_checks::two_party::two_party;

/// Runs of a normal test.
const COUNT: u64 = 2000;

/// PUBLISH packets of MQTT 5 and 3, with everything that they may have.
const WHOLE: [&[u8]; 6] = [
    b"\x30\x04\x00\x01a\x00",
    b"\x32\x07\x00\x01a\x00\x05\x00x",
    b"\x35\x07\x00\x01a\x00\x06\x00x",
    b"\x31\x2c\x00\x03a/b\x24\x01\x01\x02\x00\x00\x00\x09\x03\x00\x01t\x08\x00\x01r\x09\x00\x02\x00\xff\x26\x00\x01k\x00\x01v\x26\x00\x01k\x00\x01wxy",
    b"\x30\x03\x00\x01a",
    b"\x34\x06\x00\x01a\x00\x07z",
];

fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

fn packets(seed: u64) -> Vec<u8> {
    let dice = Random::new(seed).bytes(64);
    let mut dice = dice.into_iter().map(usize::from);
    let mut roll = |sides: usize| dice.next().unwrap_or(0) % sides;
    let mut sent = vec![u8::try_from(roll(3)).unwrap_or(0)];
    for _ in 0..=roll(6) {
        let mut packet = WHOLE[roll(WHOLE.len())].to_vec();
        for _ in 0..roll(3) {
            let at = roll(packet.len());
            packet[at] = u8::try_from(roll(256)).unwrap_or(0);
        }
        sent.extend(packet);
    }
    sent
}

#[test]
fn subscribers_are_sent_valid_packets_only() {
    let seeds = match number("TWO_PARTY_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("TWO_PARTY_COUNT").unwrap_or(COUNT),
    };
    for seed in seeds {
        if let Err(wrong) = two_party(&packets(seed)) {
            panic!("TWO_PARTY_SEED={seed}: {wrong}");
        }
    }
}
