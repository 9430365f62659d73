//! A story of clients, told to the broker and to a model of what should come of it.
#![no_main]

use hookwire_checks::session_model;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| session_model(data));
