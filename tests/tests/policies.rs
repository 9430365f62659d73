//! The plugins that come with the broker, and what the hooks promise, seen from outside.

use bytes::Bytes;
use bytestring::ByteString;
use hookwire_protocol::{
    Connect, ConnectReason, DisconnectReason, Publish, PublishPropertyValues, PublishReason, QoS,
    SubscribeReason,
};
use hookwire_tests::{Broker, Client, Setup, bundled, publish, v5, v311, will};

/// Hashes of `correct horse` and `letmein`: Argon2id, as cheap as it can be.
const HORSE: &str =
    "$argon2id$v=19$m=1024,t=1,p=1$3u6IoZBo2C0dG08/GT4PRQ$vJixkmDWlYC9yvDdd7hO1ICHz9+ubIKzPB5VFYkNfBs";
const LETMEIN: &str =
    "$argon2id$v=19$m=1024,t=1,p=1$AZ/G7a8+k5Gnp+zzBA8hdQ$2qCWKQevL5fSj5cNIWS6No0LWn8wxfHU/pzxBj8BDh8";

fn log_in(connect: Connect, user: &'static str, password: &'static str) -> Connect {
    Connect {
        username: Some(ByteString::from_static(user)),
        password: Some(Bytes::from_static(password.as_bytes())),
        ..connect
    }
}

// ---- acl

fn acl(config: &str) -> String {
    bundled("acl", "grant = { clients = true }", config)
}

#[test]
fn acl_allows_and_denies_with_the_right_codes() {
    let broker = Broker::start(&acl(
        "rules = [\n{ deny = \"all\", topic = \"open/secret/#\" },\n{ allow = \"all\", topic = \"open/#\" },\n\
         { allow = \"publish\", topic = \"drop/#\" },\n{ allow = \"subscribe\", topic = \"news/#\" },\n]",
    ));
    let rows = [
        ("open/x", true, true),
        ("open/secret/x", false, false),
        ("drop/x", true, false),
        ("news/x", false, true),
    ];
    let mut five = Client::connect(&broker, v5("five"));
    let mut three = Client::connect(&broker, v311("three"));
    for (topic, publishes, subscribes) in rows {
        let published = five.publish(topic, "", QoS::AtLeastOnce);
        assert_eq!(published.is_error(), !publishes, "{topic}: {published:?}");
        if !publishes {
            assert_eq!(published, PublishReason::NotAuthorized, "{topic}");
            assert_eq!(
                five.publish(topic, "", QoS::ExactlyOnce),
                PublishReason::NotAuthorized,
                "{topic}"
            );
        }
        let subscribed = if subscribes {
            SubscribeReason::GrantedQos1
        } else {
            SubscribeReason::NotAuthorized
        };
        assert_eq!(five.try_subscribe(topic, QoS::AtLeastOnce), subscribed, "{topic}");
        // MQTT 3.1.1 knows one code for every refusal, and none for a message.
        let subscribed = if subscribes {
            SubscribeReason::GrantedQos1
        } else {
            SubscribeReason::Unspecified
        };
        assert_eq!(
            three.try_subscribe(topic, QoS::AtLeastOnce),
            subscribed,
            "{topic}"
        );
        three.publish(topic, "from three", QoS::AtLeastOnce);
        let arrives = publishes && subscribes;
        if arrives {
            assert_eq!(three.receive().payload, "from three", "{topic}");
            assert_eq!(five.receive().payload, "from three", "{topic}");
        }
        five.expect_nothing();
        three.expect_nothing();
    }
}

#[test]
fn acl_holds_for_wills() {
    let broker = Broker::start(&acl(
        "rules = [{ allow = \"publish\", topic = \"wills/%c\" }, { allow = \"subscribe\", topic = \"#\" }]",
    ));
    let mut heir = Client::connect(&broker, v5("heir"));
    heir.subscribe("#", QoS::AtMostOnce);
    let dying = |id, topic| Connect {
        will: Some(will(topic, "gone")),
        ..v5(id)
    };
    Client::connect(&broker, dying("a", "wills/a")).lose();
    assert_eq!(heir.receive().topic, "wills/a");
    assert_eq!(
        Client::refused(&broker, dying("a", "wills/b")).reason,
        ConnectReason::NotAuthorized
    );
    // Denied by the time it fires: it is not sent.
    let client = Client::connect(&broker, dying("c", "wills/c"));
    broker.put_in_force(&acl("rules = [{ allow = \"subscribe\", topic = \"#\" }]"));
    client.lose();
    heir.expect_nothing();
}

#[test]
fn acl_names_in_topics_are_names_and_not_patterns() {
    let broker = Broker::start(&acl("rules = [{ allow = \"all\", topic = \"own/%c/#\" }]"));
    let mut good = Client::connect(&broker, v5("good"));
    good.subscribe("own/good/#", QoS::AtMostOnce);
    for evil in ["+", "#", "good/x"] {
        let mut evil = Client::connect(&broker, v5(evil));
        assert!(evil.publish("own/good/x", "", QoS::AtLeastOnce).is_error());
        assert!(evil.try_subscribe("own/good/x", QoS::AtMostOnce).is_error());
        assert!(evil.try_subscribe("own/+/#", QoS::AtMostOnce).is_error());
    }
    good.expect_nothing();
}

/// The new rules hold for the very next message: for publishing, and for subscriptions that were made before.
#[test]
fn acl_edits_hold_for_the_next_message() {
    let allows = |topic: &str| {
        acl(&format!(
            "rules = [{{ allow = \"all\", topic = \"{topic}\" }}, {{ deny = \"deliver\", topic = \"#\" }}]"
        ))
    };
    let broker = Broker::start(&allows("#"));
    let mut listener = Client::connect(&broker, v311("listener"));
    listener.subscribe("#", QoS::AtLeastOnce);
    let mut sender = Client::connect(&broker, v5("sender"));
    for round in 0..5 {
        for (allowed, denied) in [("a/#", "b/x"), ("b/#", "a/x")] {
            broker.put_in_force(&allows(allowed));
            assert_eq!(
                sender.publish(denied, "", QoS::AtLeastOnce),
                PublishReason::NotAuthorized,
                "round {round}"
            );
            let topic = allowed.replace('#', "x");
            assert_eq!(
                sender.publish(&topic, "", QoS::AtLeastOnce),
                PublishReason::Success,
                "round {round}"
            );
            assert_eq!(listener.receive().topic, topic, "round {round}");
        }
    }
    // Who may publish is one thing, who may be sent it another.
    broker.put_in_force(&acl("rules = [{ allow = \"publish\", topic = \"#\" }, { deny = \"deliver\", topic = \"secret/#\" }, { allow = \"deliver\", topic = \"#\" }]"));
    for topic in ["secret/x", "open/x"] {
        assert!(!sender.publish(topic, "", QoS::AtLeastOnce).is_error(), "{topic}");
    }
    assert_eq!(listener.receive().topic, "open/x");
    listener.expect_nothing();
}

/// A rule that goes takes the right with it, from subscriptions that there are and from what waits for them.
#[test]
fn acl_rules_that_go_end_what_they_allowed() {
    let allows = |topics: &[&str]| {
        let rules: Vec<_> = topics
            .iter()
            .map(|topic| format!("{{ allow = \"all\", topic = \"{topic}\" }}"))
            .collect();
        acl(&format!("rules = [{}]", rules.join(", ")))
    };
    let broker = Broker::start(&allows(&["one", "two"]));
    let mut here = Client::connect(&broker, v5("here"));
    let away = Connect {
        clean_start: false,
        ..v311("away")
    };
    let mut leaving = Client::connect(&broker, away.clone());
    for client in [&mut here, &mut leaving] {
        client.subscribe("one", QoS::AtLeastOnce);
        client.subscribe("two", QoS::AtLeastOnce);
    }
    leaving.disconnect();
    let mut sender = Client::connect(&broker, v5("sender"));
    for topic in ["one", "two"] {
        sender.publish(topic, "before", QoS::AtLeastOnce);
        assert_eq!(here.receive().topic, topic);
    }
    broker.put_in_force(&allows(&["one"]));
    let mut back = Client::connect(&broker, away);
    assert_eq!(back.receive().brief(), ("one", "before"));
    back.expect_nothing();

    // The publisher may go on, and is heard by nobody.
    let rules = "rules = [{ allow = \"publish\", topic = \"two\" }, { allow = \"all\", topic = \"one\" }]";
    broker.put_in_force(&acl(rules));
    for topic in ["two", "one"] {
        assert!(!sender.publish(topic, "after", QoS::AtLeastOnce).is_error());
    }
    for client in [&mut here, &mut back] {
        assert_eq!(client.receive().brief(), ("one", "after"));
        client.expect_nothing();
    }
    // What is given back flows again.
    broker.put_in_force(&allows(&["one", "two"]));
    sender.publish("two", "again", QoS::AtLeastOnce);
    assert_eq!(here.receive().brief(), ("two", "again"));
}

#[test]
fn acl_reads_mosquittos_file_and_sees_it_change() {
    let config = acl("acl = { file = \"acl_file\" }");
    let broker = Setup::new(&config)
        .file("acl_file", "topic readwrite a/#\n")
        .start();
    let mut client = Client::connect(&broker, v5("c"));
    client.subscribe("a/#", QoS::AtMostOnce);
    assert_eq!(
        client.publish("b/x", "", QoS::AtLeastOnce),
        PublishReason::NotAuthorized
    );
    broker.edit_file("acl_file", "topic readwrite b/#\n");
    broker.wait_in_force();
    assert!(!client.publish("b/x", "", QoS::AtLeastOnce).is_error());
    // A file that makes no sense changes nothing, and opens nothing.
    broker.edit_file("acl_file", "topic sometimes b/#\n");
    let line = broker.wait_log("the running one stays");
    assert!(
        line.contains("sometimes") || broker.log().story().contains("sometimes"),
        "{line}"
    );
    assert_eq!(
        client.publish("a/x", "", QoS::AtLeastOnce),
        PublishReason::NotAuthorized
    );
    client.expect_nothing();
}

// ---- password-file

fn password_file(config: &str) -> String {
    bundled("password-file", "memory = \"32MiB\"", config)
}

#[test]
fn passwords_are_right_wrong_or_unknown() {
    let config = password_file("users = { file = \"passwords\" }");
    let broker = Setup::new(&config)
        .file("passwords", format!("alice:{HORSE}\n# more to come\n"))
        .start();
    for connect in [v5("c"), v311("c")] {
        Client::connect(&broker, log_in(connect.clone(), "alice", "correct horse")).disconnect();
        for (user, password) in [("alice", "wrong"), ("alice", ""), ("mallory", "correct horse")] {
            let refused = Client::refused(&broker, log_in(connect.clone(), user, password));
            assert_eq!(
                refused.reason,
                ConnectReason::BadUserNameOrPassword,
                "{user} {password}"
            );
        }
        assert_eq!(
            Client::refused(&broker, connect).reason,
            ConnectReason::NotAuthorized
        );
    }
    // A wrong password throws nobody out.
    let mut alice = Client::connect(&broker, log_in(v5("alice"), "alice", "correct horse"));
    Client::refused(&broker, log_in(v5("alice"), "alice", "wrong"));
    alice.expect_nothing();
    // A new line in the file is a new user; who is connected stays.
    broker.edit_file("passwords", format!("bob:{LETMEIN}\n"));
    broker.wait_in_force();
    Client::connect(&broker, log_in(v5("bob"), "bob", "letmein")).disconnect();
    Client::refused(&broker, log_in(v5("alice"), "alice", "correct horse"));
    alice.expect_nothing();
}

#[test]
fn passwords_stay_out_of_the_log() {
    let config = "log = \"info,hookwire=trace,hookwire_hooks=trace,hookwire_plugin_host=trace\"\n".to_owned()
        + &password_file("users = { file = \"passwords\" }");
    let broker = Setup::new(&config)
        .file("passwords", format!("alice:{HORSE}\n"))
        .start();
    Client::connect(&broker, log_in(v5("c"), "alice", "correct horse")).disconnect();
    Client::refused(&broker, log_in(v5("c"), "alice", "wrong-password"));
    for secret in ["correct horse", "wrong-password", "argon2id"] {
        assert_eq!(
            broker.log().count(secret),
            0,
            "{secret:?} is in the log:\n{}",
            broker.log().story()
        );
    }
}

#[test]
fn a_listener_on_the_network_starts_with_an_authenticator() {
    let open = "[[listener]]\nname = \"open\"\naddress = \"0.0.0.0:0\"\n";
    let config = open.to_owned() + &password_file("users = { file = \"passwords\" }");
    let broker = Setup::new(&config)
        .file("passwords", format!("alice:{HORSE}\n"))
        .start();
    assert_eq!(
        Client::refused(&broker, v5("c")).reason,
        ConnectReason::NotAuthorized
    );
    // Taking the authenticator away would open it: that is refused.
    let line = broker.refused(open);
    let story = broker.log().story();
    assert!(
        line.contains("refused") && story.contains("can be reached from other machines"),
        "{story}"
    );
    assert_eq!(
        Client::refused(&broker, v5("c")).reason,
        ConnectReason::NotAuthorized
    );
}

/// What a grant says: attributes travel, rules hold before `authorize` is asked, a superuser is not asked at all, a mount point
/// is invisible.
#[test]
fn grants_hold() {
    let user = |name: &str, rest: &str| format!("{{ name = \"{name}\", password = \"{HORSE}\", {rest} }},\n");
    let users = user("root", "superuser = true")
        + &user(
            "ruled",
            "rules = [{ allow = \"all\", topic = \"own/%c/#\" }, { deny = \"all\", topic = \"open/not/#\" }]",
        )
        + &user("plain", "attributes = { team = \"north\" }")
        + &user(
            "tenant",
            "mount_point = \"tenants/t/\", rules = [{ allow = \"all\", topic = \"tenants/t/#\" }]",
        );
    let broker = Broker::start(
        &(password_file(&format!("user = [\n{users}]"))
            + &acl("rules = [{ allow = \"all\", topic = \"open/#\" }]")),
    );
    let connect = |id, user| Client::connect(&broker, log_in(v5(id), user, "correct horse"));
    let (mut root, mut ruled, mut plain) = (
        connect("root", "root"),
        connect("ruled", "ruled"),
        connect("plain", "plain"),
    );
    let rows = [
        ("anything", [true, false, false]),
        ("open/x", [true, true, true]),
        ("open/not/x", [true, false, true]),
        ("own/ruled/x", [true, true, false]),
        ("own/plain/x", [true, false, false]),
    ];
    for (topic, allowed) in rows {
        for (client, allowed) in [&mut root, &mut ruled, &mut plain].into_iter().zip(allowed) {
            assert_eq!(
                !client.publish(topic, "", QoS::AtLeastOnce).is_error(),
                allowed,
                "{topic}"
            );
            assert_eq!(
                !client.try_subscribe(topic, QoS::AtMostOnce).is_error(),
                allowed,
                "{topic}"
            );
        }
    }
    let mut tenant = connect("tenant", "tenant");
    let mut root = connect("watching", "root");
    root.subscribe("#", QoS::AtMostOnce);
    tenant.subscribe("#", QoS::AtMostOnce);
    tenant.publish("own", "from the tenant", QoS::AtLeastOnce);
    assert_eq!(root.receive().brief(), ("tenants/t/own", "from the tenant"));
    assert_eq!(tenant.receive().brief(), ("own", "from the tenant"));
    root.publish("tenants/t/mail", "to the tenant", QoS::AtLeastOnce);
    assert_eq!(tenant.receive().brief(), ("mail", "to the tenant"));
    root.publish("tenants/other/mail", "to another", QoS::AtLeastOnce);
    tenant.expect_nothing();
}

// ---- content-router: on-publish and route

fn router(rules: &str) -> String {
    bundled("content-router", "", &format!("rules = [\n{rules}\n]"))
}

#[test]
fn content_router_replaces_drops_refuses_and_copies() {
    let broker = Broker::start(&router(
        "{ topic = \"sensors/+/data\", field = \"/temperature\", above = 80, copy_to = \"alerts/{1}\" },\n\
         { topic = \"legacy/#\", rewrite = \"devices/{#}\" },\n\
         { topic = \"checked/#\", field = \"unit\", exists = false, reject = \"a reading needs a unit\" },\n\
         { topic = \"devices/+/debug\", property = \"level\", equals = \"trace\", drop = true },\n\
         { topic = \"events/#\", retain = false },",
    ));
    let mut listener = Client::connect(&broker, v5("listener"));
    listener.subscribe("#", QoS::AtMostOnce);
    let mut sender = Client::connect(&broker, v5("sender"));

    sender.publish("sensors/oven/data", r#"{"temperature": 90}"#, QoS::AtLeastOnce);
    let mut topics = [listener.receive().topic, listener.receive().topic];
    topics.sort();
    assert_eq!(topics, ["alerts/oven", "sensors/oven/data"]);
    sender.publish("sensors/fridge/data", r#"{"temperature": 4}"#, QoS::AtLeastOnce);
    assert_eq!(listener.receive().topic, "sensors/fridge/data");

    sender.publish("legacy/a/b", "x", QoS::AtLeastOnce);
    assert_eq!(listener.receive().brief(), ("devices/a/b", "x"));

    assert_eq!(
        sender.publish("checked/x", "{}", QoS::AtLeastOnce),
        PublishReason::PayloadFormatInvalid
    );
    assert_eq!(
        sender.publish("checked/x", "{}", QoS::ExactlyOnce),
        PublishReason::PayloadFormatInvalid
    );
    assert!(
        !sender
            .publish("checked/x", r#"{"unit": "K"}"#, QoS::AtLeastOnce)
            .is_error()
    );
    assert_eq!(listener.receive().topic, "checked/x");

    let debug = |level: &'static str| Publish {
        properties: PublishPropertyValues {
            user_properties: vec![("level".into(), ByteString::from_static(level))],
            ..PublishPropertyValues::default()
        }
        .into(),
        ..publish("devices/a/debug", level, QoS::AtLeastOnce, 77)
    };
    assert!(
        !sender.publish_packet(debug("trace")).is_error(),
        "dropped as if all went well"
    );
    sender.publish_packet(debug("info"));
    assert_eq!(listener.receive().payload, "info");

    sender.retain("events/x", "once");
    assert_eq!(listener.receive().topic, "events/x");
    let mut late = Client::connect(&broker, v5("late"));
    late.subscribe("events/#", QoS::AtMostOnce);
    late.expect_nothing();
    listener.expect_nothing();
}

#[test]
fn policies_hold_for_wills_as_for_every_message() {
    let broker = Broker::start(&router(
        "{ topic = \"legacy/#\", rewrite = \"devices/{#}\" },\n{ topic = \"noise/#\", drop = true },",
    ));
    let mut heir = Client::connect(&broker, v5("heir"));
    heir.subscribe("#", QoS::AtMostOnce);
    for topic in ["noise/x", "legacy/x"] {
        Client::connect(
            &broker,
            Connect {
                will: Some(will(topic, "gone")),
                ..v5("c")
            },
        )
        .lose();
    }
    assert_eq!(heir.receive().topic, "devices/x");
    heir.expect_nothing();
}

// ---- will-guard

fn will_guard(config: &str) -> String {
    bundled("will-guard", "", config)
}

#[test]
fn will_guard_waits_whether_the_client_comes_back() {
    let broker = Broker::start(&will_guard("delay_secs = 1\nstamp_property = \"cause\""));
    let mut heir = Client::connect(&broker, v5("heir"));
    heir.subscribe("wills/#", QoS::AtMostOnce);
    let dying = |id, topic| Connect {
        will: Some(will(topic, "gone")),
        ..v5(id)
    };
    Client::connect(&broker, dying("back", "wills/back")).lose();
    Client::connect(&broker, dying("lost", "wills/lost")).lose();
    // Who is back before the will is due takes it away.
    let _back = Client::connect(&broker, v5("back"));
    let message = heir.receive();
    assert_eq!(message.brief(), ("wills/lost", "gone"));
    let stamps = message
        .properties
        .values()
        .map(|values| values.user_properties.clone());
    assert_eq!(stamps, Some(vec![("cause".into(), "connection-lost".into())]));
    heir.expect_nothing();
}

#[test]
fn will_guard_suppresses_by_cause() {
    let broker = Broker::start(&will_guard(
        "delay_secs = 0\nsuppress_causes = [\"taken-over\", \"protocol-error\"]",
    ));
    let mut heir = Client::connect(&broker, v5("heir"));
    heir.subscribe("wills/#", QoS::AtMostOnce);
    let dying = || Connect {
        will: Some(will("wills/c", "gone")),
        ..v5("c")
    };
    let mut old = Client::connect(&broker, dying());
    let mut clumsy = Client::connect(&broker, dying());
    old.expect_disconnect(DisconnectReason::SessionTakenOver);
    clumsy.send_bytes(&[0xC1, 0]);
    clumsy.expect_disconnect(DisconnectReason::MalformedPacket);
    heir.expect_nothing();
    Client::connect(&broker, dying()).lose();
    assert_eq!(heir.receive().topic, "wills/c");
}

// ---- the chain

#[test]
fn what_holds_without_an_opinion_is_configured() {
    let allow = "[authorization]\ndefault = \"allow\"\n";
    let silent = acl("default = \"next\"");
    for (config, allowed) in [
        ("# nothing\n".to_owned(), true),
        (silent.clone(), false),
        (allow.to_owned() + &silent, true),
        ("[authorization]\ndefault = \"deny\"\n".to_owned(), false),
    ] {
        let broker = Broker::start(&config);
        let mut client = Client::connect(&broker, v5("c"));
        assert_eq!(
            !client.try_subscribe("t", QoS::AtMostOnce).is_error(),
            allowed,
            "{config}"
        );
        assert_eq!(
            !client.publish("t", "", QoS::AtLeastOnce).is_error(),
            allowed,
            "{config}"
        );
    }
}

#[test]
fn access_is_looked_at_before_content() {
    let broker = Broker::start(
        &(router("{ topic = \"#\", reject = \"nothing pleases\" },")
            + &acl("rules = [{ allow = \"all\", topic = \"a/#\" }]")),
    );
    let mut client = Client::connect(&broker, v5("c"));
    assert_eq!(
        client.publish("a/x", "", QoS::AtLeastOnce),
        PublishReason::ImplementationSpecific
    );
    assert_eq!(
        client.publish("b/x", "", QoS::AtLeastOnce),
        PublishReason::NotAuthorized
    );
}

/// A plugin of each kind, in one chain, with a file that is edited: what an operator sees of it.
#[test]
fn the_log_says_which_plugins_are_in_force() {
    let broker = Broker::start(&acl("default = \"allow\""));
    broker.put_in_force(
        &(acl("default = \"allow\"") + &will_guard("") + &router("{ topic = \"a\", drop = true },")),
    );
    for line in [
        "plugin \"will-guard\" in force: {OnWill}",
        "plugin \"content-router\" in force",
    ] {
        assert_eq!(broker.log().count(line), 1, "{line}:\n{}", broker.log().story());
    }
    broker.put_in_force(&will_guard(""));
    broker.put_in_force("# nothing\n");
    assert_eq!(
        broker.log().count("plugin \"will-guard\" removed"),
        1,
        "{}",
        broker.log().story()
    );
}

/// A will that was delayed once is published when its time has come, also by a plugin that is configured anew and would hold it back
/// for an hour.
#[test]
fn a_will_is_held_back_once_whatever_the_configuration_says_meanwhile() {
    let broker = Broker::start(&will_guard("delay_secs = 1"));
    let mut heir = Client::connect(&broker, v5("heir"));
    heir.subscribe("wills/#", QoS::AtMostOnce);
    Client::connect(
        &broker,
        Connect {
            will: Some(will("wills/c", "gone")),
            ..v5("c")
        },
    )
    .lose();
    broker.put_in_force(&will_guard("delay_secs = 3600"));
    assert_eq!(heir.receive().topic, "wills/c");
}
