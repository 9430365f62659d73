//! Plugins in Python and JavaScript do real work in the broker, like those in Rust.

use std::sync::Once;
use std::time::Duration;

use bytestring::ByteString;
use hookwire_protocol::{Packet, PublishReason, QoS};
use hookwire_tests::{Broker, Client, Setup, guest, in_other_language, plugin, publish, repository, v5};

/// Interpreters need more memory than Rust, and an operator who gives it to them knows.
const ROOM: &str = "memory = \"256MiB\"\ndeadline = \"200ms\"\ndeadline_slow = \"10s\"\ninstances = 2";

/// How long an interpreter may take to compile on a machine that does much else.
const COMPILING: Duration = Duration::from_secs(300);

/// An interpreter takes a quarter of a minute to compile: the tests share what came of it.
fn compiled_once(once: &Once, plugin: &str) -> String {
    let cache = in_other_language("sensor-guard").with_file_name("artefacts");
    let config = format!("[plugins]\ncache = {cache:?}\n{plugin}");
    once.call_once(|| drop(Setup::new(&config).start_within(COMPILING)));
    config
}

fn sensor_guard(config: &str) -> String {
    static COMPILED: Once = Once::new();
    let keys = format!("{ROOM}\ngrant = {{ kv = {{ bytes = \"64KiB\" }} }}");
    let plugin = plugin("sensors", in_other_language("sensor-guard"), &keys, config);
    compiled_once(&COMPILED, &plugin)
}

fn normalize(config: &str) -> String {
    static COMPILED: Once = Once::new();
    let plugin = plugin("normalize", in_other_language("normalize"), ROOM, config);
    compiled_once(&COMPILED, &plugin)
}

#[test]
fn a_plugin_in_python_rejects_what_no_sensor_measures() {
    let broker = Broker::start(&sensor_guard(
        "rules = [{ topics = \"plant/+/temperature\", field = \"value\", min = -40, max = 125, change_per_second_max = 5 }]",
    ));
    let mut watcher = Client::connect(&broker, v5("watcher"));
    watcher.subscribe("plant/#", QoS::AtLeastOnce);
    let mut sensor = Client::connect(&broker, v5("sensor"));
    let rows = [
        (r#"{"value": 20.5}"#, PublishReason::Success),
        (r#"{"value": 999}"#, PublishReason::PayloadFormatInvalid),
        (r#"{"value": "warm"}"#, PublishReason::PayloadFormatInvalid),
        (r#"{"val": 20}"#, PublishReason::PayloadFormatInvalid),
        ("not JSON", PublishReason::PayloadFormatInvalid),
        // Within the range, and yet too far from 20.5.
        (r#"{"value": 120}"#, PublishReason::PayloadFormatInvalid),
        (r#"{"value": 21}"#, PublishReason::Success),
    ];
    for (payload, expected) in rows {
        let answered = sensor.publish("plant/7/temperature", payload, QoS::AtLeastOnce);
        assert_eq!(answered, expected, "{payload}");
    }
    assert_eq!(watcher.receive().payload, r#"{"value": 20.5}"#);
    assert_eq!(watcher.receive().payload, r#"{"value": 21}"#);
    // Other topics are none of its business.
    assert_eq!(
        sensor.publish("plant/7/note", "not JSON", QoS::AtLeastOnce),
        PublishReason::Success
    );
    assert_eq!(watcher.receive().payload, "not JSON");
    watcher.expect_nothing();
}

#[test]
fn a_plugin_in_python_marks_and_keeps_what_was_there() {
    let broker = Broker::start(&sensor_guard(
        "rules = [{ topics = \"level\", max = 10, on_violation = \"mark\" }]",
    ));
    let mut watcher = Client::connect(&broker, v5("watcher"));
    watcher.subscribe("level", QoS::AtMostOnce);
    let mut sensor = Client::connect(&broker, v5("sensor"));
    let mut message = publish("level", "11", QoS::AtMostOnce, 0);
    message.properties.get_or_insert().user_properties = vec![("unit".into(), "m".into())];
    sensor.send(Packet::Publish(message));
    let received = watcher.receive();
    let properties = received.properties.values().expect("it is marked");
    let expected: [(ByteString, ByteString); 2] = [
        ("unit".into(), "m".into()),
        ("fault".into(), "11 is not within -inf to 10".into()),
    ];
    assert_eq!(properties.user_properties, expected);
}

#[test]
fn a_plugin_in_javascript_brings_readings_into_one_form() {
    let broker = Broker::start(&normalize(
        "mappings = [{ topics = \"acme/+/telemetry\", to = \"readings/{2}\", add = { maker = \"acme\" }, \
         fields = { celsius = { from = \"t.fahrenheit\", scale = 0.555555555556, offset = -17.7777777778 }, battery = \"bat\" } }]",
    ));
    let mut watcher = Client::connect(&broker, v5("watcher"));
    watcher.subscribe("#", QoS::AtLeastOnce);
    let mut device = Client::connect(&broker, v5("device"));
    let good = device.publish(
        "acme/d7/telemetry",
        r#"{"t":{"fahrenheit":212},"bat":81}"#,
        QoS::AtLeastOnce,
    );
    assert_eq!(good, PublishReason::Success);
    let reading = watcher.receive();
    assert_eq!(reading.topic, "readings/d7");
    assert_eq!(reading.payload, r#"{"maker":"acme","battery":81,"celsius":100}"#);
    for bad in ["nonsense", r#"{"t":{}}"#, r#"{"t":{"fahrenheit":"hot"},"bat":1}"#] {
        let answered = device.publish("acme/d7/telemetry", bad, QoS::AtLeastOnce);
        assert_eq!(answered, PublishReason::PayloadFormatInvalid, "{bad}");
    }
    watcher.expect_nothing();
}

#[test]
fn their_configuration_is_blamed_line_by_line() {
    let wrong_python = Setup::new(&sensor_guard(
        "rules = [\n{ topics = \"a/#/b\", min = 2, max = 1 },\n]",
    ))
    .check();
    assert!(!wrong_python.success);
    for said in [
        "rules.0.topics: plugin \"sensors\": expected a topic filter",
        "rules.0.min: plugin \"sensors\": expected at most max",
    ] {
        assert!(
            wrong_python.text.contains(said),
            "{said} is not in:\n{}",
            wrong_python.text
        );
    }
    let wrong_javascript =
        Setup::new(&normalize("mappings = [\n{ topics = \"a\", feilds = {} },\n]")).check();
    assert!(!wrong_javascript.success);
    for said in [
        "mappings.0.feilds: plugin \"normalize\": unknown key",
        "mappings.0.fields: plugin \"normalize\": expected a table",
    ] {
        assert!(
            wrong_javascript.text.contains(said),
            "{said} is not in:\n{}",
            wrong_javascript.text
        );
    }
}

#[test]
fn without_its_grant_the_plugin_in_python_does_not_load() {
    let ungranted = plugin(
        "sensors",
        in_other_language("sensor-guard"),
        ROOM,
        "rules = [{ topics = \"a\" }]",
    );
    let outcome = Setup::new(&ungranted).start_and_fail();
    assert!(
        outcome.text.contains("kv"),
        "the grant to add is not named in:\n{}",
        outcome.text
    );
}

/// Requirement 7: what a filter does is no matter of the language that it is written in.
#[test]
fn the_same_filter_in_three_languages_passes_the_same_cases() {
    let cases = repository().join("tests/guests/sensor-guard/cases.toml");
    for component in [
        guest("sensor-guard"),
        in_other_language("sensor-guard"),
        in_other_language("sensor-guard-in-javascript"),
    ] {
        let told = Setup::run(&[
            "plugin",
            "test",
            &component.to_string_lossy(),
            &cases.to_string_lossy(),
        ]);
        assert!(
            told.success && told.text.contains("19 passed, 0 failed"),
            "{}: {}",
            component.display(),
            told.text
        );
    }
}
