//! Seeded stories. `SESSIONS_SEED=n` tells one again, `SESSIONS_COUNT=n` tells more of them.

use std::env;

use hookwire_checks::random::Random;
use hookwire_checks::sessions::{OPERATION_BYTES, Story};

/// Stories in a normal run.
const COUNT: u64 = 300;
/// Operations of one.
const LENGTH: usize = 200;

fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")),
    )
}

#[test]
fn the_broker_does_what_the_model_says() {
    let seeds = match number("SESSIONS_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SESSIONS_COUNT").unwrap_or(COUNT),
    };
    for seed in seeds {
        let bytes = Random::new(seed).bytes(LENGTH * OPERATION_BYTES);
        if let Err(wrong) = Story::of(&bytes).tell() {
            panic!("SESSIONS_SEED={seed}: {wrong}");
        }
    }
}
