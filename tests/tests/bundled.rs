//! The smaller of the plugins that come with the broker, each through the binary.

use base64ct::{Base64UrlUnpadded, Encoding};
use bytes::Bytes;
use bytestring::ByteString;
use hmac::{Hmac, Mac};
use hookwire_protocol::{
    Connect, ConnectReason, DisconnectReason, Packet, Publish, PublishPropertyValues, PublishReason,
};
use hookwire_tests::{Broker, Client, Message, QoS, Setup, bundled, publish, repository, v5, v311, will};
use sha2::Sha256;

/// What is said of a message in its user properties.
fn user_properties(message: &Message) -> Vec<(String, String)> {
    let values = message.properties.values();
    let pairs = values
        .map(|values| values.user_properties.clone())
        .unwrap_or_default();
    pairs
        .into_iter()
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect()
}

fn with_properties(topic: &str, payload: &str, pairs: &[(&'static str, &'static str)]) -> Publish {
    let user_properties = pairs
        .iter()
        .map(|&(name, value)| (ByteString::from_static(name), ByteString::from_static(value)))
        .collect();
    Publish {
        properties: PublishPropertyValues {
            user_properties,
            ..PublishPropertyValues::default()
        }
        .into(),
        ..publish(topic, payload, QoS::AtLeastOnce, 77)
    }
}

// ---- jwt

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn token(claims: &str) -> String {
    let part = |text: &str| Base64UrlUnpadded::encode_string(text.as_bytes());
    let signed = format!("{}.{}", part(r#"{"alg":"HS256","typ":"JWT"}"#), part(claims));
    let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any key will do");
    let code = mac.chain_update(&signed).finalize().into_bytes();
    format!("{signed}.{}", Base64UrlUnpadded::encode_string(&code))
}

fn bearer(id: &str, token: &str) -> Connect {
    Connect {
        username: Some(ByteString::from_static("anyone")),
        password: Some(Bytes::copy_from_slice(token.trim().as_bytes())),
        ..v5(id)
    }
}

/// Tokens of each kind of key, made with other people's libraries, through the broker's own verification.
#[test]
fn tokens_of_every_kind_of_key_are_verified() {
    let testdata = repository().join("plugins/jwt/testdata");
    let read = |name: &str| std::fs::read_to_string(testdata.join(name)).expect("test data can be read");
    let config = bundled(
        "jwt",
        "",
        "jwks = { file = \"keys.json\" }\nissuer = \"https://issuer.example\"\naudience = \"mqtt\"",
    );
    let broker = Setup::new(&config).file("keys.json", read("jwks.json")).start();
    for kind in ["rs256", "rs384", "rs512", "ps256", "es256", "es384", "eddsa"] {
        let token = read(&format!("{kind}.jwt"));
        Client::connect(&broker, bearer(kind, &token)).disconnect();
        let (signed, signature) = token.rsplit_once('.').expect("three parts");
        let turned: String = signature.trim().chars().rev().collect();
        let refused = Client::refused(&broker, bearer(kind, &format!("{signed}.{turned}")));
        assert_eq!(refused.reason, ConnectReason::BadUserNameOrPassword, "{kind}");
    }
    let confused = Client::refused(&broker, bearer("confused", &read("confused.jwt")));
    assert_eq!(confused.reason, ConnectReason::BadUserNameOrPassword);
    assert_eq!(
        Client::refused(&broker, v5("without")).reason,
        ConnectReason::NotAuthorized
    );
}

#[test]
fn a_token_says_who_somebody_is_and_what_they_may_do() {
    let config = bundled(
        "jwt",
        "",
        &format!("keys = [{{ secret = \"{SECRET}\" }}]\nleeway_secs = 0"),
    ) + &bundled(
        "stamp",
        "grant = { clients = true }",
        "properties = { username = \"user\" }",
    );
    let broker = Broker::start(&config);
    let acl = r#"{"pub":["devices/%c/#"],"sub":["news/#"]}"#;
    let lamp = token(&format!(r#"{{"sub":"ada","exp":4102444800,"acl":{acl}}}"#));
    let mut lamp = Client::connect(&broker, bearer("lamp", &lamp));
    let free = token(r#"{"sub":"bob","exp":4102444800}"#);
    let mut watcher = Client::connect(&broker, bearer("watcher", &free));
    watcher.subscribe("#", QoS::AtMostOnce);

    assert!(!lamp.publish("devices/lamp/on", "1", QoS::AtLeastOnce).is_error());
    let received = watcher.receive();
    assert_eq!(
        user_properties(&received),
        [("user".to_owned(), "ada".to_owned())]
    );
    for topic in ["devices/other/on", "news/1", "elsewhere"] {
        assert_eq!(
            lamp.publish(topic, "", QoS::AtLeastOnce),
            PublishReason::NotAuthorized,
            "{topic}"
        );
    }
    assert!(!lamp.try_subscribe("news/+", QoS::AtMostOnce).is_error());
    assert!(lamp.try_subscribe("#", QoS::AtMostOnce).is_error());
    watcher.expect_nothing();

    for claims in [
        r#"{"sub":"ada","exp":1}"#,
        r#"{"sub":"ada"}"#,
        r#"{"exp":4102444800}"#,
        r#"{"sub":"ada","exp":4102444800,"acl":"all"}"#,
    ] {
        let refused = Client::refused(&broker, bearer("c", &token(claims)));
        assert_eq!(refused.reason, ConnectReason::BadUserNameOrPassword, "{claims}");
    }
}

#[expect(clippy::disallowed_methods, reason = "tokens end at a time of the day")]
fn unix_secs() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("it is later than 1970").as_secs()
}

/// A token that ends takes its client along.
#[test]
fn a_client_goes_when_its_token_ends() {
    let broker = Broker::start(&bundled(
        "jwt",
        "",
        &format!("keys = [{{ secret = \"{SECRET}\" }}]"),
    ));
    let brief = token(&format!(r#"{{"sub":"ada","exp":{}}}"#, unix_secs() + 1));
    let mut client = Client::connect(&broker, bearer("c", &brief));
    client.expect_disconnect(DisconnectReason::MaximumConnectTime);
}

// ---- stamp

#[test]
fn messages_are_stamped_and_no_stamp_is_forged() {
    let config = "properties = { client_id = \"from\", time = \"at\", source = \"by\" }";
    let broker = Broker::start(&bundled("stamp", "grant = { clients = true }", config));
    let mut watcher = Client::connect(&broker, v5("watcher"));
    watcher.subscribe("#", QoS::AtMostOnce);
    let mut lamp = Client::connect(&broker, v5("lamp"));
    lamp.publish_packet(with_properties(
        "a",
        "x",
        &[("from", "boss"), ("kept", "1"), ("at", "never")],
    ));
    let stamps = user_properties(&watcher.receive());
    let names: Vec<_> = stamps.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["kept", "from", "by", "at"]);
    assert_eq!((stamps[1].1.as_str(), stamps[2].1.as_str()), ("lamp", "client"));
    assert!(
        stamps[3].1.starts_with("20") && stamps[3].1.ends_with('Z'),
        "{stamps:?}"
    );

    // Who speaks MQTT 3 cannot say so, and a will has an owner too.
    Client::connect(&broker, v311("old")).publish("a", "x", QoS::AtLeastOnce);
    assert_eq!(
        user_properties(&watcher.receive())[0],
        ("from".to_owned(), "old".to_owned())
    );
    let dying = Connect {
        will: Some(will("wills/dying", "gone")),
        ..v5("dying")
    };
    Client::connect(&broker, dying).lose();
    let stamps = user_properties(&watcher.receive());
    assert_eq!((stamps[0].1.as_str(), stamps[1].1.as_str()), ("dying", "will"));
}

// ---- topic-rewrite

#[test]
fn topics_go_by_another_name() {
    let rules = "rules = [{ from = \"legacy/+/temp\", to = \"sensors/{1}/temperature\" }, { from = \"old/#\", to = \"{#}\" }]";
    let broker = Broker::start(&bundled("topic-rewrite", "", rules));
    let mut watcher = Client::connect(&broker, v5("watcher"));
    watcher.subscribe("#", QoS::AtMostOnce);
    let mut sender = Client::connect(&broker, v311("sender"));
    sender.publish("legacy/7/temp", "21", QoS::AtLeastOnce);
    assert_eq!(watcher.receive().brief(), ("sensors/7/temperature", "21"));
    sender.publish("legacy/7/other", "x", QoS::AtLeastOnce);
    assert_eq!(watcher.receive().topic, "legacy/7/other");
    let mut five = Client::connect(&broker, v5("five"));
    assert_eq!(
        five.publish("old/$SYS/x", "x", QoS::AtLeastOnce),
        PublishReason::TopicNameInvalid
    );
    five.retain("old/state", "kept");
    assert_eq!(watcher.receive().topic, "state");
    let mut late = Client::connect(&broker, v5("late"));
    late.subscribe("state", QoS::AtMostOnce);
    assert_eq!(late.receive().payload, "kept");
}

// ---- schema-guard

#[test]
fn messages_have_to_fit_their_schema() {
    let config = "schemas = [\n{ topic = \"sensors/#\", schema = { file = \"reading.json\" } },\n\
                  { topic = \"orders/#\", schema = { required = [\"id\"] }, otherwise = \"mark\" },\n\
                  { topic = \"noise/#\", schema = { type = \"number\" }, otherwise = \"drop\" },\n]";
    let schema = r##"{ "type": "object", "required": ["t"], "properties": { "t": { "$ref": "#/$defs/celsius" } },
                      "$defs": { "celsius": { "type": "number", "minimum": -273.15 } } }"##;
    let broker = Setup::new(&bundled("schema-guard", "", config))
        .file("reading.json", schema)
        .start();
    let mut watcher = Client::connect(&broker, v5("watcher"));
    watcher.subscribe("#", QoS::AtMostOnce);
    let mut sender = Client::connect(&broker, v5("sender"));
    assert!(
        !sender
            .publish("sensors/1", r#"{"t": 21.5}"#, QoS::AtLeastOnce)
            .is_error()
    );
    assert_eq!(watcher.receive().payload, r#"{"t": 21.5}"#);
    for bad in [r#"{"t": -300}"#, "{}", "21.5", "not json", ""] {
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let reason = sender.publish("sensors/1", bad, qos);
            assert_eq!(reason, PublishReason::PayloadFormatInvalid, "{bad:?}");
        }
    }
    assert!(!sender.publish("noise/1", "\"loud\"", QoS::AtLeastOnce).is_error());
    watcher.expect_nothing();

    sender.publish_packet(with_properties("orders/1", "{}", &[("schema", "valid")]));
    let marked = user_properties(&watcher.receive());
    assert_eq!(
        marked,
        [("schema".to_owned(), "invalid: `id` is missing".to_owned())]
    );
    sender.publish("orders/1", r#"{"id": 5}"#, QoS::AtLeastOnce);
    assert_eq!(user_properties(&watcher.receive())[0].1, "valid");

    // Another schema holds for the next message.
    broker.edit_file("reading.json", r#"{ "type": "number" }"#);
    broker.wait_in_force();
    assert!(!sender.publish("sensors/1", "21.5", QoS::AtLeastOnce).is_error());
    broker.edit_file("reading.json", r#"{ "typo": "number" }"#);
    broker.wait_log("the running one stays");
    let story = broker.log().story();
    assert!(story.contains("/typo: this keyword is not known here"), "{story}");
}

// ---- rate-limit

fn rate_limit(limits: &str) -> String {
    let grants = "grant = { clients = true, rate_limit = { keys = 100 }, metrics = true }";
    bundled("rate-limit", grants, &format!("limits = [\n{limits}\n]"))
}

/// The rates are so low that no bucket fills again while a test runs.
#[test]
fn above_their_limits_clients_are_refused_or_disconnected() {
    let broker = Broker::start(&rate_limit(
        "{ topic = \"a/#\", messages_per_second = 0.0001, burst = 3, excess = \"reject\" },\n\
         { topic = \"b/#\", per = \"all\", messages_per_second = 0.0001, burst = 2, excess = \"drop\" },\n\
         { topic = \"c/#\", messages_per_second = 0.0001, excess = \"disconnect\" },",
    ));
    let mut watcher = Client::connect(&broker, v5("watcher"));
    watcher.subscribe("#", QoS::AtMostOnce);
    let mut one = Client::connect(&broker, v5("one"));
    let mut two = Client::connect(&broker, v5("two"));
    let publish = |client: &mut Client, topic: &str| client.publish(topic, "x", QoS::AtLeastOnce);
    let reasons: Vec<_> = (0..5).map(|_| publish(&mut one, "a/1")).collect();
    let (good, full) = (PublishReason::Success, PublishReason::QuotaExceeded);
    assert_eq!(reasons, [good, good, good, full, full]);
    assert_eq!(
        publish(&mut two, "a/1"),
        good,
        "the other has a bucket of its own"
    );
    assert_eq!(watcher.receive_all(4).len(), 4);

    for _ in 0..2 {
        assert_eq!(publish(&mut one, "b/1"), good, "dropped or not, all is well");
        assert_eq!(publish(&mut two, "b/1"), good, "dropped or not, all is well");
    }
    assert_eq!(watcher.receive_all(2).len(), 2);
    // A connection is not a way around: the bucket is the client id's.
    one.disconnect();
    let mut one = Client::connect(&broker, v5("one"));
    assert_eq!(one.publish("a/1", "x", QoS::AtLeastOnce), full);
    assert_eq!(one.publish("c/1", "x", QoS::AtLeastOnce), good);
    assert_eq!(watcher.receive().topic, "c/1");
    one.send(Packet::Publish(hookwire_tests::publish(
        "c/1",
        "x",
        QoS::AtLeastOnce,
        9,
    )));
    one.expect_disconnect(DisconnectReason::QuotaExceeded);
    watcher.expect_nothing();
}

/// What is slowed arrives all the same, in order.
#[test]
fn above_its_limit_a_client_is_slowed_and_loses_nothing() {
    let broker = Broker::start(&rate_limit("{ messages_per_second = 50, burst = 5 },"));
    let mut watcher = Client::connect(&broker, v5("watcher"));
    watcher.subscribe("a", QoS::AtLeastOnce);
    let mut sender = Client::connect(&broker, v5("sender"));
    for n in 0..30 {
        sender.publish("a", n.to_string(), QoS::AtLeastOnce);
    }
    let received: Vec<_> = watcher
        .receive_all(30)
        .into_iter()
        .map(|message| message.payload)
        .collect();
    let sent: Vec<_> = (0..30).map(|n| n.to_string()).collect();
    assert_eq!(received, sent);
}

// ---- tenant

#[test]
fn tenants_see_nothing_of_one_another() {
    let config = "[authorization]\ndefault = \"allow\"\n[[listener]]\nname = \"l\"\naddress = \"127.0.0.1:0\"\nallow_anonymous = true\n"
        .to_owned()
        + &bundled(
            "tenant",
            "grant = { clients = true }",
            "by = \"client_id\"\nbefore = \"-\"\nprefix = \"tenants/{tenant}/\"\ncommon = [{ topic = \"news/#\", allow = \"subscribe\" }]",
        );
    let broker = Broker::start(&config);
    let mut lamp = Client::connect(&broker, v5("acme-lamp"));
    let mut panel = Client::connect(&broker, v5("acme-panel"));
    let mut spy = Client::connect(&broker, v5("globex-spy"));
    panel.subscribe("tenants/acme/#", QoS::AtMostOnce);
    spy.subscribe("tenants/globex/#", QoS::AtMostOnce);
    spy.subscribe("news/#", QoS::AtMostOnce);
    for filter in [
        "#",
        "tenants/#",
        "tenants/+/x",
        "tenants/acme/#",
        "$share/g/tenants/acme/#",
    ] {
        assert!(spy.try_subscribe(filter, QoS::AtMostOnce).is_error(), "{filter}");
    }
    assert!(!lamp.publish("tenants/acme/x", "1", QoS::AtLeastOnce).is_error());
    assert_eq!(panel.receive().payload, "1");
    for topic in ["tenants/globex/x", "news/1", "x"] {
        assert_eq!(
            lamp.publish(topic, "", QoS::AtLeastOnce),
            PublishReason::NotAuthorized,
            "{topic}"
        );
    }
    let stranger = Connect {
        will: Some(will("tenants/acme/x", "")),
        ..v5("stranger")
    };
    assert_eq!(
        Client::refused(&broker, stranger).reason,
        ConnectReason::NotAuthorized
    );
    spy.expect_nothing();
    panel.expect_nothing();
}

// ---- Mosquitto's files

/// Made with `mosquitto_passwd -b` and `mosquitto_passwd -H sha512 -b`, of version 2.0.11: the password of both is `letmein`.
const PASSWORD_FILE: &str = "\
ada:$7$101$4GRsXYbZG2KOBOu9$6VRLTMshOwMYZ1m4M4KvsDBfgot9wFXRv+8Dzeh8UaWSv3onE3t+DrQk25Bs25gw2lgtLCiIZ7IM4nZ7CR/GsQ==
bob:$6$d47IwN1QcgzCYRzV$1ReTpb1NTE1xXl98BIU4nE0wtkmd9s5hLZkv0ey3gx0dppH4BtaeTpox1Vd8Kv090LZNCbPqiJunTj9FU/kluA==
";

/// As Mosquitto's manual has it.
const ACL_FILE: &str = "\
# This affects access control for clients with no username.
topic read $SYS/#
topic public/#

# This only affects clients with username \"ada\".
user ada
topic readwrite home/#
topic deny home/safe
topic write log
topic read  news/+

user bob
topic home/kitchen/lamp

# This affects all clients.
pattern write devices/%c/status
pattern readwrite users/%u/#
";

#[test]
fn mosquittos_files_are_read_as_they_are() {
    let config = bundled(
        "password-file",
        "",
        "users = { file = \"passwd\" }\nanonymous = \"next\"",
    ) + &bundled(
        "acl",
        "grant = { clients = true }",
        "acl = { file = \"aclfile\" }",
    );
    let config =
        format!("[[listener]]\nname = \"l\"\naddress = \"127.0.0.1:0\"\nallow_anonymous = true\n{config}");
    let broker = Setup::new(&config)
        .file("passwd", PASSWORD_FILE)
        .file("aclfile", ACL_FILE)
        .start();
    let log_in = |id: &str, user: &'static str, password: &'static str| Connect {
        username: Some(ByteString::from_static(user)),
        password: Some(Bytes::from_static(password.as_bytes())),
        ..v5(id)
    };
    for (user, password) in [("ada", "letmeout"), ("bob", ""), ("eve", "letmein")] {
        let refused = Client::refused(&broker, log_in("c", user, password));
        assert_eq!(refused.reason, ConnectReason::BadUserNameOrPassword, "{user}");
    }
    let mut ada = Client::connect(&broker, log_in("ada-1", "ada", "letmein"));
    let mut bob = Client::connect(&broker, log_in("bob-1", "bob", "letmein"));
    let mut nobody = Client::connect(&broker, v5("nobody"));
    // Who may publish, and who may subscribe, there.
    let rows = [
        ("home/kitchen/lamp", [true, true, false], [true, true, false]),
        ("home/safe", [false; 3], [false; 3]),
        ("log", [true, false, false], [false; 3]),
        ("news/1", [false; 3], [true, false, false]),
        ("public/x", [false, false, true], [false, false, true]),
        ("devices/ada-1/status", [true, false, false], [false; 3]),
        ("devices/nobody/status", [false, false, true], [false; 3]),
        ("users/ada/x", [true, false, false], [true, false, false]),
        ("users/bob/x", [false, true, false], [false, true, false]),
        ("elsewhere", [false; 3], [false; 3]),
    ];
    for (topic, publishes, subscribes) in rows {
        let clients = [&mut ada, &mut bob, &mut nobody];
        for (client, (publishes, subscribes)) in
            clients.into_iter().zip(publishes.into_iter().zip(subscribes))
        {
            let published = client.publish(topic, "", QoS::AtLeastOnce);
            assert_eq!(!published.is_error(), publishes, "{topic}: {published:?}");
            let subscribed = client.try_subscribe(topic, QoS::AtMostOnce);
            assert_eq!(!subscribed.is_error(), subscribes, "{topic}: {subscribed:?}");
        }
    }
    assert!(
        !nobody
            .try_subscribe("$SYS/broker/uptime", QoS::AtMostOnce)
            .is_error()
    );
    assert!(
        ada.try_subscribe("$SYS/broker/uptime", QoS::AtMostOnce)
            .is_error()
    );
}

/// With a hidden prefix the same names are other topics for each tenant.
#[test]
fn tenants_may_know_nothing_of_their_prefix() {
    let config = "[authorization]\ndefault = \"allow\"\n[[listener]]\nname = \"l\"\naddress = \"127.0.0.1:0\"\nallow_anonymous = true\n"
        .to_owned()
        + &bundled(
            "tenant",
            "grant = { clients = true }",
            "by = \"client_id\"\nbefore = \"-\"\nprefix = \"t/{tenant}/\"\nhide_prefix = true\nnobody = \"next\"",
        );
    let broker = Broker::start(&config);
    let mut admin = Client::connect(&broker, v5("admin"));
    admin.subscribe("#", QoS::AtMostOnce);
    let mut lamp = Client::connect(&broker, v311("acme-lamp"));
    let mut panel = Client::connect(&broker, v5("acme-panel"));
    let mut other = Client::connect(&broker, v5("globex-panel"));
    panel.subscribe("#", QoS::AtMostOnce);
    other.subscribe("#", QoS::AtMostOnce);
    lamp.publish("lamps/1", "on", QoS::AtLeastOnce);
    assert_eq!(panel.receive().brief(), ("lamps/1", "on"));
    assert_eq!(admin.receive().brief(), ("t/acme/lamps/1", "on"));
    other.expect_nothing();
    other.retain("lamps/1", "off");
    assert_eq!(other.receive().brief(), ("lamps/1", "off"));
    assert_eq!(admin.receive().topic, "t/globex/lamps/1");
    panel.expect_nothing();
    // What is retained and what the dead leave is hidden alike.
    let mut late = Client::connect(&broker, v5("globex-late"));
    late.subscribe("lamps/+", QoS::AtMostOnce);
    assert_eq!(late.receive().brief(), ("lamps/1", "off"));
    let dying = Connect {
        will: Some(will("wills/1", "gone")),
        ..v5("acme-dying")
    };
    Client::connect(&broker, dying).lose();
    assert_eq!(panel.receive().brief(), ("wills/1", "gone"));
    late.expect_nothing();
    // And a subscription ends under the name that it was asked for by.
    assert!(!panel.unsubscribe("#").is_error());
    lamp.publish("lamps/1", "again", QoS::AtLeastOnce);
    panel.expect_nothing();
}

#[test]
fn subscriptions_and_deliveries_go_by_another_name_too() {
    let rules = "rules = [{ from = \"legacy/+/temp\", to = \"sensors/{1}/temperature\" }, \
                 { from = \"sensors/+/temperature\", to = \"legacy/{1}/temp\", at = [\"deliver\"] }]";
    let broker = Broker::start(&bundled("topic-rewrite", "", rules));
    let mut old = Client::connect(&broker, v311("old"));
    old.subscribe("legacy/+/temp", QoS::AtMostOnce);
    let mut new = Client::connect(&broker, v5("new"));
    new.subscribe("sensors/#", QoS::AtMostOnce);
    new.publish("sensors/7/temperature", "21", QoS::AtLeastOnce);
    for client in [&mut old, &mut new] {
        assert_eq!(client.receive().brief(), ("legacy/7/temp", "21"));
    }
    old.publish("legacy/7/temp", "22", QoS::AtLeastOnce);
    assert_eq!(old.receive().payload, "22");
    assert_eq!(new.receive().payload, "22");
    assert!(!old.unsubscribe("legacy/+/temp").is_error());
    new.publish("sensors/7/temperature", "23", QoS::AtLeastOnce);
    assert_eq!(new.receive().payload, "23");
    old.expect_nothing();
}
