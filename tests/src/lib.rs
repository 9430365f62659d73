//! The harness of Hookwire's end-to-end tests: the real binary, a client that speaks raw MQTT, and real clients.
//!
//! A test reads as a conversation:
//!
//! ```no_run
//! use hookwire_tests::{Broker, Client, QoS, v5};
//!
//! let broker = Broker::start("");
//! let mut lamp = Client::connect(&broker, v5("lamp"));
//! let mut panel = Client::connect(&broker, v5("panel"));
//! panel.subscribe("lamps/#", QoS::AtLeastOnce);
//! lamp.publish("lamps/1", "on", QoS::AtLeastOnce);
//! assert_eq!(panel.receive().payload, "on");
//! panel.expect_nothing();
//! ```
//!
//! - [`Broker`] is a process of its own with a folder, a port and a log of its own, so tests run beside each other.
//! - [`Client`] is synchronous and strict: a packet that was not expected fails the test.
//! - [`Witness`] is a pair of clients that goes on talking while a test does something nasty.
//! - [`Server`] is an HTTP server that answers as a test wants it to, or does not.
//! - [`Http`] is a request to the admin endpoint, as well or as badly formed as a test wants it.
//! - [`RealClient`] is a program that other people wrote: paho-mqtt, mosquitto, MQTT.js.
//!
//! **Nothing here sleeps.** What is waited for is an event: a line in the log, a packet, the end of a process. That nothing comes is shown
//! by a fence: whatever was sent before the answer to a PINGREQ arrives before it. Each wait ends after [`PATIENCE`] with the story so far.

mod broker;
mod bulk;
mod client;
mod connects;
mod guests;
mod http;
mod lines;
mod message;
mod other_languages;
mod plugin;
mod real_client;
mod server;
mod setup;
mod witness;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use broker::Broker;
pub use bulk::{with_bomb, with_code};
pub use client::{Client, Expected};
pub use connects::{v5, v31, v311, will};
pub use guests::{guest, guest_names};
pub use hookwire_protocol::QoS;
pub use http::{Http, HttpReply};
pub use lines::Lines;
pub use message::{Message, publish};
pub use other_languages::in_other_language;
pub use plugin::{bundled, plugin};
pub use real_client::RealClient;
pub use server::{Asked, Gate, Reply, Server};
pub use setup::{Outcome, Setup, hookwire};
pub use witness::Witness;

/// How long an event may take on a busy machine before the test has failed. No test that passes waits so long.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The folder of the profile that these tests were built with: `target/release`.
pub(crate) fn profile_dir() -> PathBuf {
    let executable = std::env::current_exe().expect("a test knows where it is");
    let beside = executable.parent().expect("an executable lies in a folder");
    // Test executables lie in `deps`, examples in `examples`.
    let profile = if beside.ends_with("deps") || beside.ends_with("examples") {
        beside.parent().expect("both lie in a folder")
    } else {
        beside
    };
    profile.to_owned()
}

/// The root of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ lies in the repository")
        .to_owned()
}
