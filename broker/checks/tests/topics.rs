//! Seeded filters and names, matched in the protocol crate and in the simplest way there is.

use hookwire_checks::random::Random;
use hookwire_checks::topic_match;

#[test]
fn filters_match_as_the_document_says() {
    for seed in 0..20_000 {
        let mut random = Random::new(seed);
        let len = random.below(24);
        // Few different bytes, so that something matches.
        let bytes: Vec<u8> = random
            .bytes(len)
            .into_iter()
            .map(|byte| b"a/+#$b/\n"[usize::from(byte) % 8])
            .collect();
        topic_match(&bytes);
    }
}
