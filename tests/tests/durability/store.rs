//! The tools for stores, and stores that are damaged or full.

use std::fs;
use std::path::Path;

use hookwire_protocol::{ConnectReason, Packet, PublishReason, SubscribeReason};
use hookwire_tests::{Broker, Client, QoS, publish, v5, v311};

use super::{DURABLE, lasting};

/// A broker that has kept a session with a message, a retained message, and was killed.
fn killed() -> Broker {
    let mut broker = Broker::start(DURABLE);
    let mut panel = Client::connect(&broker, lasting("panel"));
    panel.subscribe("t", QoS::AtLeastOnce);
    panel.lose();
    let mut lamp = Client::connect(&broker, v5("lamp"));
    lamp.publish("t", "x".repeat(1000), QoS::AtLeastOnce);
    lamp.retain("state", "on");
    broker.kill();
    broker
}

fn panel_gets_its_message(broker: &Broker) {
    let mut panel = Client::connect(broker, lasting("panel"));
    assert!(panel.connack().session_present);
    assert_eq!(panel.receive().payload.len(), 1000);
}

#[test]
fn a_store_is_checked_and_compacted() {
    let mut broker = killed();
    let checked = broker.setup().store("check", "data");
    assert!(checked.success, "{}", checked.text);
    assert!(checked.text.contains("queue: 1 good records"), "{}", checked.text);
    let compacted = broker.setup().store("compact", "data");
    assert!(compacted.success, "{}", compacted.text);
    broker.restart();
    panel_gets_its_message(&broker);
    let in_use = broker.setup().store("check", "data");
    assert!(
        !in_use.success && in_use.text.contains("another process uses the store"),
        "{}",
        in_use.text
    );
    let missing = broker.setup().store("check", "elsewhere");
    assert!(
        !missing.success && missing.text.contains("there is no store"),
        "{}",
        missing.text
    );
}

#[test]
fn a_store_is_exported_and_imported() {
    let mut broker = killed();
    let exported = broker.setup().store("export", "data");
    assert!(exported.success, "{}", exported.text);
    let again = broker.setup().store_with("import", "data", &exported.text);
    assert!(
        !again.success && again.text.contains("there is a store"),
        "{}",
        again.text
    );
    fs::rename(broker.folder().join("data"), broker.folder().join("old")).expect("renames");
    let imported = broker.setup().store_with("import", "data", &exported.text);
    assert!(imported.success, "{}", imported.text);
    broker.restart();
    panel_gets_its_message(&broker);
    let mut reader = Client::connect(&broker, v5("reader"));
    reader.subscribe("state", QoS::AtMostOnce);
    assert_eq!(reader.receive().payload, "on");
}

/// What an older version has exported is for this one, too.
#[test]
fn an_export_of_the_first_format_is_imported() {
    let mut broker = killed();
    let exported = broker.setup().store("export", "data").text;
    assert!(exported.starts_with("{\"hookwire-store\":2}"), "{exported}");
    fs::remove_dir_all(broker.folder().join("data")).expect("removes");
    let older = exported.replacen(":2}", ":1}", 1);
    let imported = broker.setup().store_with("import", "data", &older);
    assert!(imported.success, "{}", imported.text);
    broker.restart();
    panel_gets_its_message(&broker);
    broker.kill();
    fs::remove_dir_all(broker.folder().join("data")).expect("removes");
    let newer = exported.replacen(":2}", ":3}", 1);
    let refused = broker.setup().store_with("import", "data", &newer);
    assert!(
        !refused.success && refused.text.contains("an export of format 3"),
        "{}",
        refused.text
    );
}

#[test]
fn a_store_whose_last_commits_are_gone_is_not_opened_unless_somebody_says_so() {
    let mut broker = Broker::start(DURABLE);
    let mut panel = Client::connect(&broker, lasting("panel"));
    panel.subscribe("t", QoS::AtLeastOnce);
    panel.disconnect();
    // In the orderly way, so that it is confirmed up to the end.
    broker.terminate();
    broker.wait_exit();
    let early = broker.folder().join("early");
    copy(&broker.folder().join("data"), &early);
    broker.restart();
    Client::connect(&broker, v5("lamp")).publish("t", "lost", QoS::AtLeastOnce);
    broker.terminate();
    broker.wait_exit();
    // Its files as they were before, the watermark as it is now.
    let data = broker.folder().join("data");
    fs::copy(data.join("watermark"), early.join("watermark")).expect("copies");
    fs::remove_dir_all(&data).expect("removes");
    fs::rename(&early, &data).expect("renames");
    let refused = broker.setup().store("check", "data");
    assert!(
        !refused.success && refused.text.contains("commits are missing"),
        "{}",
        refused.text
    );
    let exported = broker.setup().store("export", "data");
    assert!(
        !exported.success && exported.text.contains("commits are missing"),
        "{}",
        exported.text
    );
    let failed = hookwire_tests::Setup::new(&config_in(&data)).start_and_fail();
    assert!(failed.text.contains("commits are missing"), "{}", failed.text);
    let accepting = hookwire_tests::Setup::new(&config_in(&data))
        .argument("--accept-data-loss")
        .start();
    let panel = Client::connect(&accepting, lasting("panel"));
    assert!(panel.connack().session_present, "what is left is there");
}

fn config_in(data: &Path) -> String {
    DURABLE.replace("\"data\"", &format!("{:?}", data.display().to_string()))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("copies");
        }
    }
}

/// So little is left to others that there is no room for us: as on a disk that is full.
#[test]
fn a_full_disk_refuses_what_has_to_be_kept_and_nothing_else() {
    let mut broker = killed();
    let full = DURABLE.replace("1MiB", "1TiB");
    broker.edit_config(&full);
    broker.restart();
    let mut lamp = Client::connect(&broker, v5("lamp"));
    let mut live = Client::connect(&broker, v5("live"));
    live.subscribe("t", QoS::AtLeastOnce);
    assert_eq!(
        lamp.publish("t", "to be kept", QoS::AtLeastOnce),
        PublishReason::QuotaExceeded
    );
    assert_eq!(lamp.retain("state", "off"), PublishReason::QuotaExceeded);
    let refused = Client::refused(&broker, lasting("new"));
    assert_eq!(refused.reason, ConnectReason::QuotaExceeded);
    let mut old = Client::begin(&broker, v311("old"));
    old.admitted();
    old.send(Packet::Publish(publish("t", "to be kept", QoS::AtLeastOnce, 1)));
    old.expect_closed();
    // What nobody has to keep goes on.
    lamp.publish("t", "at most once", QoS::AtMostOnce);
    assert_eq!(live.receive().payload, "at most once");
    live.subscribe("u", QoS::AtLeastOnce);
    assert_eq!(
        lamp.publish("u", "live", QoS::AtLeastOnce),
        PublishReason::Success
    );
    assert_eq!(live.receive().payload, "live");
    // What was kept before is there, and what goes away is taken note of.
    panel_gets_its_message(&broker);
    let mut panel = Client::connect(&broker, lasting("panel"));
    assert_eq!(
        panel.try_subscribe("v", QoS::AtLeastOnce),
        SubscribeReason::QuotaExceeded
    );
    panel.disconnect();
    // There is room again.
    broker.edit_config(DURABLE);
    broker.stop_and_restart();
    let mut lamp = Client::connect(&broker, v5("lamp"));
    assert_eq!(
        lamp.publish("t", "kept", QoS::AtLeastOnce),
        PublishReason::Success
    );
    let mut panel = Client::connect(&broker, lasting("panel"));
    assert_eq!(panel.receive().payload, "kept");
}
