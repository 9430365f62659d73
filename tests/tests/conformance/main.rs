//! The normative statements of MQTT 5.0 and 3.1.1, shown on the real binary over TCP. `tests/conformance/*.toml` says which
//! test shows which statement; where both documents have a statement, one test shows it in both versions.

mod bytes;
mod connects;
mod delivery;
mod packets;
mod publishing;
mod sessions;
mod subscribing;
mod v3_1;
mod wills;

use std::sync::LazyLock;

use hookwire_protocol::{Connect, ConnectProperties, Version, Will};
use hookwire_tests::{Broker, Client, QoS, v5, v311, will};

/// All defaults but two, shared by all tests that need no more: each has clients and topics of its own.
static BROKER: LazyLock<Broker> = LazyLock::new(|| {
    Broker::start("[takeover]\nfight_after = 1000\n[limits]\nreceive_maximum = 8\n").for_this_process()
});

/// The versions that have a document with numbered statements.
const VERSIONS: [Version; 2] = [Version::V3_1_1, Version::V5];

/// A client of a version, with a name that no other test has.
fn client(version: Version, name: &str) -> Connect {
    let name = format!("{name} {}", version.as_str());
    match version {
        Version::V5 => v5(&name),
        _ => v311(&name),
    }
}

/// Waits until the broker's own clock says that seconds have passed: a will with that delay is published then.
fn let_pass(secs: u32, name: &str) {
    let topic = format!("clock/{name}");
    let mut listener = Client::connect(
        &BROKER,
        client(Version::V5, &format!("{name} looks at the clock")),
    );
    listener.subscribe(&topic, QoS::AtLeastOnce);
    let mut connect = lasting(Version::V5, &format!("{name} clock"));
    connect.will = Some(Will {
        delay_interval_secs: secs,
        ..will(&topic, "now")
    });
    Client::connect(&BROKER, connect).lose();
    listener.receive();
}

/// The same with a session that stays.
fn lasting(version: Version, name: &str) -> Connect {
    let mut connect = client(version, name);
    connect.clean_start = false;
    if version == Version::V5 {
        connect.properties = ConnectProperties {
            session_expiry_interval: Some(600),
            ..ConnectProperties::default()
        };
    }
    connect
}
