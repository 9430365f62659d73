//! What a publisher sends reaches subscribers of every version as valid packets, or not at all.
#![no_main]

use hookwire_checks::two_party::two_party;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Err(wrong) = two_party(data) {
        panic!("{wrong}");
    }
});
