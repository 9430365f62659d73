//! What plugins may use of the broker, seen from outside: the guest of `tests/guests/toolbox` does what messages tell it to,
//! and says what came of it.

use bytes::Bytes;
use bytestring::ByteString;
use hookwire_protocol::{
    Connect, ConnectReason, Publish, PublishPropertyValues, PublishReason, SubscribeReason,
};
use hookwire_tests::{Broker, Client, QoS, Setup, bundled, guest, plugin, publish, v5};

/// Of `letmein`: Argon2id, as cheap as it can be.
const LETMEIN: &str =
    "$argon2id$v=19$m=1024,t=1,p=1$AZ/G7a8+k5Gnp+zzBA8hdQ$2qCWKQevL5fSj5cNIWS6No0LWn8wxfHU/pzxBj8BDh8";

const GRANTS: &str = "grant = { publish = [\"result\"], retained = { read = [\"kept/#\"], write = [\"kept/+\"] }, \
                      secrets = [\"mine\"], password = true, rate_limit = { keys = 2 }, kv = { bytes = \"1KiB\" }, \
                      metrics = true, clients = true }";

fn toolbox() -> String {
    let hash = format!("hash = \"{LETMEIN}\"");
    let entry = plugin("toolbox", guest("toolbox"), GRANTS, &hash);
    format!("[secrets]\nmine = {{ file = \"mine.key\" }}\nother = \"not for it\"\n{entry}")
}

fn start(more: &str) -> Broker {
    Setup::new(&(toolbox() + more))
        .file("mine.key", "s3cret\n")
        .start()
}

/// A client that uses tools and hears what came of it.
fn operator(broker: &Broker) -> Client {
    let mut client = Client::connect(broker, v5("operator"));
    client.subscribe("result", QoS::AtLeastOnce);
    client
}

#[track_caller]
fn use_tool(client: &mut Client, tool: &str, payload: &str) -> String {
    client.publish(&format!("tool/{tool}"), payload, QoS::AtLeastOnce);
    client.receive().payload
}

fn with_password(id: &str, password: &'static str) -> Connect {
    Connect {
        password: Some(Bytes::from_static(password.as_bytes())),
        ..v5(id)
    }
}

#[test]
fn a_component_without_its_grants_does_not_load_and_hears_which_to_add() {
    let ungranted = plugin("toolbox", guest("toolbox"), "", &format!("hash = \"{LETMEIN}\""));
    let said = Setup::new(&ungranted).start_and_fail().text;
    for grant in [
        "grant = { publish = [\"topic/filter\"] }",
        "grant = { retained = [\"topic/filter\"] }",
        "grant = { secrets = [\"name\"] }",
        "grant = { password = true }",
        "grant = { rate_limit = { keys = 10_000 } }",
        "grant = { kv = { bytes = \"1MiB\" } }",
        "grant = { metrics = true }",
        "grant = { clients = true }",
    ] {
        assert!(said.contains(grant), "{grant} is missing in: {said}");
    }
    assert!(!said.contains("signatures"), "it needs no grant: {said}");
}

#[test]
fn retained_messages_are_read_written_and_removed() {
    let broker = start("");
    let mut operator = operator(&broker);
    assert_eq!(use_tool(&mut operator, "get/kept/a", ""), "Ok(None)");
    assert_eq!(use_tool(&mut operator, "retain/kept/a", "one"), "Ok(())");
    assert_eq!(use_tool(&mut operator, "get/kept/a", ""), "one None");
    let mut late = Client::connect(&broker, v5("late"));
    late.subscribe("kept/#", QoS::AtMostOnce);
    assert_eq!(late.receive().brief(), ("kept/a", "one"));
    // It is kept for those who come later, and sent to nobody.
    assert_eq!(use_tool(&mut operator, "retain/kept/a", "two"), "Ok(())");
    assert_eq!(use_tool(&mut operator, "get/kept/a", ""), "two None");
    late.expect_nothing();

    assert_eq!(use_tool(&mut operator, "unretain/kept/a", ""), "Ok(())");
    assert_eq!(use_tool(&mut operator, "get/kept/a", ""), "Ok(None)");

    let expiring = Publish {
        retain: true,
        properties: PublishPropertyValues {
            message_expiry_interval_secs: Some(100),
            ..PublishPropertyValues::default()
        }
        .into(),
        ..publish("kept/b", "for a while", QoS::AtLeastOnce, 90)
    };
    operator.publish_packet(expiring);
    let said = use_tool(&mut operator, "get/kept/b", "");
    assert!(
        said == "for a while Some(100)" || said.starts_with("for a while Some(9"),
        "{said}"
    );
}

#[test]
fn only_granted_retained_messages_are_within_reach() {
    let broker = start("");
    let mut operator = operator(&broker);
    operator.retain("other", "x");
    for tool in ["get/other", "retain/other", "unretain/other", "retain/kept/a/b"] {
        assert_eq!(
            use_tool(&mut operator, tool, "x"),
            "Err(Error::NotGranted)",
            "{tool}"
        );
    }
    assert_eq!(
        use_tool(&mut operator, "get/kept/?", ""),
        "Err(Error::TopicNameInvalid)"
    );
    assert_eq!(
        use_tool(&mut operator, "find/kept/*", ""),
        "Err(Error::NotInThisHook)"
    );
}

#[test]
fn a_call_that_fails_has_written_nothing() {
    let broker = start("");
    let mut operator = operator(&broker);
    let reason = operator.publish("tool/fail/kept/a", "x", QoS::AtLeastOnce);
    assert_eq!(reason, PublishReason::ImplementationSpecific);
    assert_eq!(use_tool(&mut operator, "get/kept/a", ""), "Ok(None)");
}

/// There is no back door: what a plugin has retained, other plugins judge.
#[test]
fn other_plugins_judge_what_is_retained() {
    let rules =
        "rules = [{ topic = \"kept/no\", drop = true }, { topic = \"kept/other\", rewrite = \"kept/own\" }]";
    let broker = start(&bundled("content-router", "", rules));
    let mut operator = operator(&broker);
    assert_eq!(use_tool(&mut operator, "retain/kept/no", "x"), "Ok(())");
    assert_eq!(use_tool(&mut operator, "get/kept/no", ""), "Ok(None)");
    assert_eq!(use_tool(&mut operator, "retain/kept/other", "x"), "Ok(())");
    assert_eq!(use_tool(&mut operator, "get/kept/own", ""), "x None");
}

#[test]
fn the_limit_of_retained_messages_is_the_plugins_too() {
    let broker = start("[limits]\nretained_messages_max = 1\n");
    let mut operator = operator(&broker);
    operator.retain("first", "x");
    assert_eq!(
        use_tool(&mut operator, "retain/kept/a", "x"),
        "Err(Error::QuotaExceeded)"
    );
    operator.retain("first", "");
    assert_eq!(use_tool(&mut operator, "retain/kept/a", "x"), "Ok(())");
}

#[test]
fn a_hook_that_may_take_its_time_lists_and_verifies() {
    let broker = start("");
    let mut operator = operator(&broker);
    for topic in ["kept/3", "kept/1", "kept/2/x", "kept", "elsewhere"] {
        operator.retain(topic, "x");
    }
    let admitted = Client::connect(&broker, with_password("c", "letmein"));
    let found = &admitted.connack().properties.user_properties;
    let all = ByteString::from_static("kept,kept/1,kept/2/x,kept/3");
    assert_eq!(found[..], [(ByteString::from_static("retained"), all)]);
    let refused = Client::refused(&broker, with_password("c2", "letmeout"));
    assert_eq!(refused.reason, ConnectReason::BadUserNameOrPassword);
    // Where messages wait for the answer nobody hashes.
    assert_eq!(
        use_tool(&mut operator, "password", "letmein"),
        "Err(Error::NotInThisHook)"
    );
    assert_eq!(use_tool(&mut operator, "signature", ""), "false");
}

#[test]
fn a_secret_is_seen_by_whom_it_is_for_and_nobody_else() {
    let config = "log = \"info,hookwire=trace,hookwire_plugin_host=trace\"\n".to_owned() + &toolbox();
    let broker = Setup::new(&config).file("mine.key", "s3cret\n").start();
    let mut operator = operator(&broker);
    assert_eq!(use_tool(&mut operator, "secret", ""), "Some(\"s3cret\") false");
    broker.edit_file("mine.key", "changed\n");
    broker.wait_in_force();
    assert_eq!(use_tool(&mut operator, "secret", ""), "Some(\"changed\") false");
    for secret in ["s3cret", "changed", "not for it"] {
        let lines = broker.log().text();
        assert!(!lines.contains(secret), "{secret:?} is in the log:\n{lines}");
    }
}

#[test]
fn buckets_are_shared_counted_and_outlive_a_reload() {
    let broker = start("");
    let mut operator = operator(&broker);
    let taken: Vec<_> = (0..3).map(|_| use_tool(&mut operator, "take/a", "")).collect();
    assert_eq!(taken, ["true", "true", "false"]);
    assert_eq!(use_tool(&mut operator, "take/b", ""), "true");
    assert_eq!(use_tool(&mut operator, "take/c", ""), "false", "two were granted");
    broker.put_in_force(&toolbox().replace("keys = 2", "keys = 3"));
    assert_eq!(use_tool(&mut operator, "take/a", ""), "false", "still empty");
    assert_eq!(use_tool(&mut operator, "take/c", ""), "true");
}

#[test]
fn keys_are_listed_in_pages() {
    let broker = start("");
    let mut operator = operator(&broker);
    for key in ["put/n/2", "put/n/1", "put/m", "put/n/3"] {
        assert_eq!(use_tool(&mut operator, key, "x"), "Ok(())");
    }
    assert_eq!(
        use_tool(&mut operator, "keys/n/", ""),
        r#"["n/1", "n/2"] Some("n/2")"#
    );
    assert_eq!(use_tool(&mut operator, "keys/n/", "n/2"), r#"["n/3"] None"#);
}

#[test]
fn a_histogram_is_among_the_figures_of_the_plugin() {
    let config = "sys_interval = \"1s\"\n".to_owned() + &toolbox();
    let broker = Setup::new(&config).file("mine.key", "s3cret\n").start();
    let mut operator = operator(&broker);
    assert_eq!(use_tool(&mut operator, "observe", "0.5"), "observed");
    assert_eq!(use_tool(&mut operator, "observe", "1.5"), "observed");
    let mut watcher = Client::connect(&broker, v5("watcher"));
    watcher.subscribe("$SYS/broker/plugins/toolbox/metrics/seen", QoS::AtMostOnce);
    assert_eq!(watcher.receive().payload, "2 (sum 2)");
}

/// All answers of the guest may be kept for weeks, so what changes has to be told.
#[test]
fn rights_are_looked_at_again_when_a_plugin_says_so() {
    let broker = start("");
    let mut operator = operator(&broker);
    operator.subscribe("news/#", QoS::AtLeastOnce);
    assert!(!operator.publish("one", "", QoS::AtLeastOnce).is_error());
    assert_eq!(use_tool(&mut operator, "deny/one", ""), "Ok(())");
    assert!(
        !operator.publish("one", "", QoS::AtLeastOnce).is_error(),
        "the broker remembers"
    );
    assert_eq!(use_tool(&mut operator, "deny/one", "forget"), "Ok(()) true");
    assert_eq!(
        operator.publish("one", "", QoS::AtLeastOnce),
        PublishReason::NotAuthorized
    );

    let mut sender = Client::connect(&broker, v5("sender"));
    sender.publish("news/1", "before", QoS::AtLeastOnce);
    assert_eq!(operator.receive().payload, "before");
    assert_eq!(
        use_tool(&mut operator, "deny/news/*", "reauthorize"),
        "Ok(()) true"
    );
    // It happens soon: the subscription is gone when the broker says that there is none.
    while sender.publish("news/1", "after", QoS::AtLeastOnce) != PublishReason::NoMatchingSubscribers {
        assert_eq!(operator.receive().payload, "after");
    }
    operator.expect_nothing();
    assert_eq!(
        operator.try_subscribe("news/#", QoS::AtLeastOnce),
        SubscribeReason::NotAuthorized
    );
    assert_eq!(
        use_tool(&mut operator, "get/kept/a", ""),
        "Ok(None)",
        "other subscriptions stay"
    );
}
