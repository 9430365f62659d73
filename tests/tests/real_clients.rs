//! Clients that other people wrote: paho-mqtt, mosquitto_pub and mosquitto_sub, MQTT.js.

use hookwire_tests::{Broker, RealClient, Setup, bundled};

/// The hash of `correct horse`: Argon2id, as cheap as it can be.
const HASH: &str =
    "$argon2id$v=19$m=1024,t=1,p=1$3u6IoZBo2C0dG08/GT4PRQ$vJixkmDWlYC9yvDdd7hO1ICHz9+ubIKzPB5VFYkNfBs";

/// Runs a scenario of `tests/clients/paho_scenarios.py` in both versions.
#[track_caller]
fn paho(broker: &Broker, scenario: &str) {
    for version in ["3.1.1", "5"] {
        RealClient::paho(broker, "paho_scenarios.py", &[scenario, version]).finish();
    }
}

macro_rules! paho_scenarios {
    ($($(#[$doc:meta])* $name:ident: $scenario:literal;)+) => {$(
        $(#[$doc])*
        #[test]
        fn $name() {
            paho(&Broker::start("# every default\n"), $scenario);
        }
    )+};
}

paho_scenarios! {
    paho_publishes_to_nobody_one_and_many: "fan_out";
    paho_is_sent_what_its_filters_match: "filters";
    paho_exchanges_every_qos_both_ways: "qos";
    paho_finds_its_session_as_it_left_it: "sessions";
    paho_leaves_a_will_when_it_is_lost: "wills";
    paho_is_thrown_out_by_the_second_with_its_id: "takeover";
    paho_finds_retained_messages: "retained";
    paho_shares_a_subscription: "shared";
    paho_is_taken_for_dead_when_it_is_silent: "keep_alive";
}

// ---- policies

fn passwords() -> String {
    format!("alice:{HASH}\n")
}

#[test]
fn paho_is_refused_with_the_right_codes() {
    let config = "[limits]\nclient_id_bytes_max = 23\n".to_owned()
        + &bundled(
            "password-file",
            "memory = \"32MiB\"",
            "users = { file = \"passwords\" }",
        );
    let broker = Setup::new(&config).file("passwords", passwords()).start();
    paho(&broker, "refused");
}

/// Rules that shut one topic. Everybody has `clients/<client id>/…` for itself.
fn rules(shut: &str) -> String {
    bundled(
        "acl",
        "grant = { clients = true }",
        &format!(
            "default = \"allow\"\nrules = [\n{{ deny = \"all\", topic = \"{shut}/#\" }},\n\
             {{ allow = \"publish\", topic = \"clients/%c/#\" }},\n{{ deny = \"publish\", topic = \"clients/#\" }},\n]"
        ),
    )
}

#[test]
fn paho_obeys_rules_that_change_while_it_is_connected() {
    for version in ["3.1.1", "5"] {
        let broker = Broker::start(&rules("secret"));
        let mut client = RealClient::paho(&broker, "paho_scenarios.py", &["acl", version]);
        for shut in ["open", "secret"] {
            client.wait_line("ready");
            broker.put_in_force(&rules(shut));
            client.tell("go");
        }
        client.finish();
    }
}

#[test]
fn mqtt_js_makes_a_round_trip() {
    let broker = Broker::start("# every default\n");
    for version in ["3.1.1", "5"] {
        RealClient::node(&broker, "mqtt_js.js", &["roundTrip", version]).finish();
    }
}

#[test]
fn mqtt_js_is_told_what_it_may_not_do() {
    let broker = Broker::start(&rules("secret"));
    for version in ["3.1.1", "5"] {
        RealClient::node(&broker, "mqtt_js.js", &["acl", version]).finish();
    }
}

// ---- mosquitto

/// A subscriber that has subscribed.
fn subscriber(broker: &Broker, arguments: &[&str]) -> RealClient {
    let client = RealClient::mosquitto(broker, "mosquitto_sub", &[&["-d", "-v"], arguments].concat());
    client.wait_line("Subscribed");
    client
}

fn publisher(broker: &Broker, arguments: &[&str]) -> RealClient {
    RealClient::mosquitto(broker, "mosquitto_pub", arguments)
}

#[test]
fn mosquitto_pub_and_sub_talk() {
    let broker = Broker::start("# every default\n");
    for version in ["31", "311", "5"] {
        for qos in ["0", "1", "2"] {
            let subscriber = subscriber(&broker, &["-V", version, "-q", qos, "-C", "1", "-t", "house/+"]);
            publisher(
                &broker,
                &["-V", version, "-q", qos, "-t", "house/lamp", "-m", "on"],
            )
            .finish();
            assert!(
                subscriber.finish().contains("house/lamp on"),
                "MQTT {version}, QoS {qos}"
            );
        }
    }
}

#[test]
fn mosquitto_sub_finds_retained_and_held_messages() {
    let broker = Broker::start("# every default\n");
    publisher(&broker, &["-r", "-t", "house/lamp", "-m", "on"]).finish();
    let keeper = ["-c", "-i", "keeper", "-q", "1", "-t", "house/#"];
    let first = subscriber(&broker, &[&["-C", "1"], &keeper[..]].concat());
    assert!(first.finish().contains("house/lamp on"));
    publisher(&broker, &["-q", "1", "-t", "house/oven", "-m", "hot"]).finish();
    // It comes before the client has even subscribed again.
    let second = RealClient::mosquitto(
        &broker,
        "mosquitto_sub",
        &[&["-v", "-C", "1", "-R"], &keeper[..]].concat(),
    );
    assert!(second.finish().contains("house/oven hot"));
}

#[test]
fn mosquitto_sub_leaves_a_will_when_it_is_killed() {
    let broker = Broker::start("# every default\n");
    let heir = subscriber(&broker, &["-C", "1", "-t", "wills/#"]);
    let will = ["--will-topic", "wills/lost", "--will-payload", "gone", "-t", "x"];
    drop(subscriber(&broker, &will));
    assert!(heir.finish().contains("wills/lost gone"));
}

/// mosquitto_pub tells by its exit code: 0 for what passed, and not 0 for what MQTT 5 says was refused.
#[test]
fn mosquitto_pub_and_sub_obey_rules_that_change() {
    let broker = Broker::start(&rules("secret"));
    let listener = subscriber(&broker, &["-C", "3", "-t", "#", "-q", "1"]);
    let send = |topic: &str, payload: &str| {
        publisher(
            &broker,
            &[
                "-V", "5", "-d", "-q", "1", "-i", "lamp", "-t", topic, "-m", payload,
            ],
        )
    };
    assert!(send("open/x", "1").finish().contains("RC:0"));
    assert!(send("secret/x", "2").printed_at_end().contains("RC:135"));
    broker.put_in_force(&rules("open"));
    assert!(send("open/x", "3").printed_at_end().contains("RC:135"));
    assert!(send("secret/x", "4").finish().contains("RC:0"));
    assert!(send("clients/oven/x", "5").printed_at_end().contains("RC:135"));
    assert!(send("clients/lamp/x", "6").finish().contains("RC:0"));
    let heard = listener.finish();
    for (message, arrives) in [
        ("open/x 1", true),
        ("secret/x 2", false),
        ("open/x 3", false),
        ("secret/x 4", true),
        ("clients/oven/x 5", false),
        ("clients/lamp/x 6", true),
    ] {
        assert_eq!(heard.contains(message), arrives, "{message}:\n{heard}");
    }
}

/// Its exit codes are the CONNACK's codes.
#[test]
fn mosquitto_pub_is_refused_with_the_right_code() {
    let config = bundled(
        "password-file",
        "memory = \"32MiB\"",
        "users = { file = \"passwords\" }",
    );
    let broker = Setup::new(&config).file("passwords", passwords()).start();
    let log_in = |arguments: &[&str]| publisher(&broker, &[&["-t", "t", "-m", "x"], arguments].concat());
    log_in(&["-u", "alice", "-P", "correct horse"]).finish();
    for (version, refused) in [("311", ["4", "5"]), ("5", ["134", "135"])] {
        let wrong = log_in(&["-V", version, "-u", "alice", "-P", "wrong"])
            .finish_with(refused[0].parse().expect("a number"));
        assert!(
            wrong.to_lowercase().contains("bad user name or password"),
            "{wrong}"
        );
        log_in(&["-V", version]).finish_with(refused[1].parse().expect("a number"));
    }
}

/// Both come back by themselves whenever they are thrown out.
#[test]
fn two_mosquitto_subs_that_fight_for_one_client_id_are_noticed() {
    let broker = Broker::start("[takeover]\nfight_after = 2\nbackoff = \"100ms\"\n");
    let _fighters =
        [(); 2].map(|()| RealClient::mosquitto(&broker, "mosquitto_sub", &["-i", "same", "-t", "t"]));
    broker.wait_log("two clients fight for one client id");
}
