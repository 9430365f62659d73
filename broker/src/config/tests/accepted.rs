use std::collections::HashSet;
use std::env;
use std::time::Duration;

use hookwire_hooks::{FailureRules, Hook, OnFailure};
use hookwire_plugin_host::{BreakerSettings, Mode, PluginSource, Power, Powers};
use hookwire_protocol::{QoS, TopicFilter};
use serde_json::json;

use super::super::{
    AccessDefault, CompileIn, Config, Features, FlappingSettings, Mqtt3Rejected, Overlapping, Part,
    PluginsSettings, QueueOverflow, RateExcess, RateSettings, Redirect, SharedStrategy,
};
use super::{Folder, parse};

#[test]
fn an_empty_text_is_all_defaults() {
    assert_eq!(parse(""), Ok(Config::default()));
    assert_eq!(
        parse("[limits]\n[session]\n[takeover]\n[authorization]\n"),
        Ok(Config::default())
    );
}

#[test]
fn the_default_listener() {
    let [listener] = &Config::default().listeners[..] else {
        panic!("one listener")
    };
    assert_eq!(listener.name, "default");
    assert_eq!(listener.address.to_string(), "127.0.0.1:1883");
    assert_eq!(listener.allow_anonymous, None);
}

/// Every key once, each with a value that is not its default: no key is read into another's place.
#[test]
fn every_key() {
    let folder = Folder::new()
        .with("p.wasm", "")
        .with("ca.pem", "certificates")
        .with("sub/rules.txt", "text")
        .with("key.txt", "s3cret\n");
    let config = folder.parse(EVERY_KEY).unwrap();

    assert_eq!(config.log, "hookwire=debug");
    assert_eq!(config.data_dir, Some(folder.path("data")));
    assert_eq!(config.sys_interval, Duration::from_secs(55));
    assert_eq!(config.shutdown_timeout, Duration::from_secs(3));

    let listener = &config.listeners[0];
    assert_eq!(
        (listener.name.as_str(), listener.address.to_string()),
        ("outer", "[::]:2883".to_owned())
    );
    assert_eq!(
        (listener.allow_anonymous, listener.connections_max),
        (Some(true), 11)
    );

    let limits = &config.limits;
    assert_eq!(limits.connect_timeout, Duration::from_secs(12));
    assert_eq!((limits.connections_max, limits.authentications_max), (13, 14));
    assert_eq!(
        (limits.connect_packet_bytes_max, limits.decode.packet_bytes_max),
        (15_000, 16_000)
    );
    assert_eq!(
        (
            limits.decode.user_properties_max,
            limits.decode.user_property_bytes_max
        ),
        (17, 18)
    );
    assert_eq!((limits.decode.filters_max, limits.client_id_bytes_max), (19, 23));
    assert_eq!(
        (limits.decode.topic.levels_max, limits.decode.topic.bytes_max),
        (20, 21)
    );
    assert_eq!(
        (
            limits.keep_alive_secs_max,
            limits.receive_maximum,
            limits.topic_alias_maximum
        ),
        (3600, 24, 25)
    );
    assert_eq!(
        (limits.mqtt_3_1_client_id_bytes_max, limits.topic_aliases_sent_max),
        (45, 46)
    );
    let features = Features {
        shared_subscriptions: true,
        retain: false,
        wildcard_subscriptions: false,
        subscription_identifiers: false,
    };
    assert_eq!(limits.features, features);
    let rate = RateSettings {
        messages_per_second_max: 47,
        bytes_per_second_max: 48,
        excess: RateExcess::Disconnect,
    };
    assert_eq!((limits.payload_format_check, limits.rate), (true, rate));
    assert_eq!(
        (
            limits.connections_per_address_max,
            limits.connects_per_address_per_second
        ),
        (49, 50)
    );
    assert_eq!(limits.memory_max, Some(51 << 20));
    assert_eq!(
        (limits.qos_max, limits.outbox_bytes_max),
        (QoS::AtLeastOnce, 26 << 10)
    );
    assert_eq!(limits.write_timeout, Duration::from_secs(27));
    assert_eq!(
        (limits.retained_messages_max, limits.retained_bytes_max),
        (28, 29)
    );

    let session = &config.session;
    assert_eq!(
        (
            session.sessions_max,
            session.subscriptions_max,
            session.inflight_max,
            session.inflight_bytes_max
        ),
        (30, 32, 33, 37 << 10)
    );
    assert_eq!(
        (session.expiry_max, session.will_delay_max),
        (Duration::from_secs(31), Duration::from_secs(36))
    );
    assert_eq!(
        (session.queue_messages_max, session.queue_bytes_max),
        (34, 35 << 10)
    );
    assert_eq!(
        (session.queue_overflow, session.queue_qos0),
        (QueueOverflow::DropNewest, true)
    );

    assert!(session.check_retain_source);
    assert_eq!(session.overlapping, Overlapping::Each);
    assert_eq!(session.mqtt_3_rejected, Mqtt3Rejected::Disconnect);
    assert_eq!(session.shared_strategy, SharedStrategy::LeastInflight);
    assert_eq!(session.response_information.as_deref(), Some("answers/%c/"));
    admission(&config);

    let takeover = &config.takeover;
    assert_eq!(
        (takeover.fight_after, takeover.window),
        (37, Duration::from_secs(38))
    );
    assert_eq!(
        (takeover.backoff, takeover.backoff_max),
        (Duration::from_millis(39), Duration::from_secs(40))
    );
    assert_eq!(config.access_default, Some(AccessDefault::Deny));

    let filter = |text: &'static str| TopicFilter::new(text).unwrap();
    let [first, second] = &config.plugins[..] else {
        panic!("two plugins")
    };
    assert_eq!(first.spec.name, "first");
    assert_eq!(first.spec.source, PluginSource::Path(folder.path("p.wasm")));
    assert_eq!(first.spec.sha256.unwrap()[..3], [0x01, 0xab, 0xcd]);
    assert_eq!(first.spec.topics, [filter("a/#"), filter("b/+")]);
    assert_eq!(first.spec.may, Powers::only(Power::Admit).with(Power::Drop));
    assert_eq!(second.spec.may, Powers::ALL);
    assert_eq!(
        first.spec.on_failure,
        FailureRules::everywhere(OnFailure::Disconnect)
    );
    assert_eq!(
        (first.spec.deadline, first.spec.deadline_slow),
        (Duration::from_millis(41), Duration::from_millis(42))
    );
    assert_eq!(
        (first.spec.memory_bytes_max, first.spec.instances_max),
        (43 << 20, 44)
    );
    guards(&config, &folder);
    assert!(
        first.optional && first.spec.grants.clients && first.spec.grants.metrics && first.spec.grants.random
    );
    assert_eq!(
        (&first.spec.grants.publish[..], first.spec.grants.kv_bytes_max),
        (&[filter("c")][..], Some(4500))
    );
    assert_eq!(
        (first.spec.instances_slow_max, first.spec.may_wait),
        (Some(45), true)
    );
    let http = first.spec.grants.http.as_ref().unwrap();
    let origins: Vec<_> = http.origins.iter().map(ToString::to_string).collect();
    assert_eq!(origins, ["https://auth.example.com:443/v1", "http://[::1]:8080"]);
    assert_eq!(
        (http.timeout, http.concurrent_max, http.response_bytes_max),
        (Duration::from_millis(46), 47, 48 << 10)
    );
    assert_eq!((http.private, http.ca.as_deref()), (true, Some("certificates")));
    let retained = first.spec.grants.retained.as_ref().unwrap();
    assert_eq!(
        (&retained.read[..], &retained.write[..]),
        (&[filter("d")][..], &[filter("d")][..])
    );
    assert_eq!(&*first.spec.grants.secrets["key"].0, b"s3cret");
    assert!(first.spec.grants.password);
    assert_eq!(first.spec.grants.rate_limit_keys_max, Some(45));
    assert_eq!(first.spec.config["rules"], "text");
    assert_eq!(
        first.files,
        [
            folder.path("key.txt"),
            folder.path("ca.pem"),
            folder.path("sub/rules.txt")
        ]
    );

    assert_eq!(
        second.spec.on_failure,
        FailureRules::default().with(Hook::OnWill, OnFailure::Deny)
    );
    assert_eq!(
        second.spec.source,
        PluginSource::Bundled {
            name: "will-guard",
            bytes: b"will-guard"
        }
    );
    assert_eq!(
        config.watched_files(),
        [
            folder.path("ca.pem"),
            folder.path("key.txt"),
            folder.path("p.wasm"),
            folder.path("sub/rules.txt")
        ]
    );
}

#[test]
fn secrets_come_from_files_the_environment_and_the_text_itself() {
    let folder = Folder::new()
        .with("a.key", "from a file\r\n")
        .with("b.key", b"\xff\n\n");
    let secrets = "[secrets]\na = { file = \"a.key\" }\nb = { file = \"b.key\" }\nc = { env = \"PATH\" }\nd = \" text \"\n";
    let plugin =
        "[[plugin]]\nname = \"p\"\nbundled = \"acl\"\ngrant.secrets = [\"a\", \"b\", \"c\", \"d\"]\n";
    let config = folder.parse(&format!("{secrets}{plugin}")).unwrap();
    let entry = &config.plugins[0];
    let secret = |name: &str| &*entry.spec.grants.secrets[name].0;
    assert_eq!(secret("a"), b"from a file");
    assert_eq!(secret("b"), b"\xff\n", "one line end goes");
    assert_eq!(secret("c"), env::var("PATH").unwrap().as_bytes());
    assert_eq!(secret("d"), b" text ");
    assert_eq!(
        config.watched_files(),
        [folder.path("a.key"), folder.path("b.key")]
    );

    let shown = format!("{config:?}");
    assert!(
        shown.contains("Secret(…)") && !shown.contains(" text "),
        "{shown}"
    );
}

#[test]
fn a_secret_is_given_to_those_it_is_granted_to() {
    let text = "[secrets]\na = \"1\"\nb = \"2\"\n[[plugin]]\nname = \"p\"\nbundled = \"acl\"\ngrant.secrets = [\"a\"]\n";
    let config = parse(text).unwrap();
    let names: Vec<_> = config.plugins[0].spec.grants.secrets.keys().collect();
    assert_eq!(names, ["a"]);
    let other = parse(&text.replace("\"1\"", "\"3\"")).unwrap();
    assert!(
        config.changes(&other).contains(Part::Plugins),
        "its plugin is made anew"
    );
    let other = parse(&text.replace("\"2\"", "\"3\"")).unwrap();
    assert!(config.changes(&other).is_empty());
}

#[test]
fn retained_messages_may_be_granted_for_reading_alone() {
    let text = "[[plugin]]\nname = \"p\"\nbundled = \"acl\"\ngrant.retained = { read = [\"a/#\"] }\n";
    let config = parse(text).unwrap();
    let grant = config.plugins[0].spec.grants.retained.clone().unwrap();
    assert_eq!((grant.read.len(), grant.write.len()), (1, 0));
}

fn guards(config: &Config, folder: &Folder) {
    let spec = &config.plugins[0].spec;
    assert_eq!(spec.mode, Mode::Shadow);
    let breaker = BreakerSettings {
        failures: 45,
        window: Duration::from_secs(46),
        retry_after: Duration::from_secs(47),
        retry_after_max: Duration::from_secs(48),
    };
    assert_eq!(spec.breaker, breaker);
    let plugins = PluginsSettings {
        compile: CompileIn::Thread,
        compile_memory_bytes_max: 70 << 20,
        compile_timeout: Duration::from_secs(71),
        cache: Some(folder.path("artefacts")),
        cache_bytes_max: 72 << 20,
        last_good: false,
    };
    assert_eq!(config.plugin_host, plugins);
}

fn admission(config: &Config) {
    let ban = &config.ban;
    assert_eq!(
        ban.client_ids,
        HashSet::from(["eve".to_owned(), "mallory".to_owned()])
    );
    assert_eq!(ban.usernames, HashSet::from(["trudy".to_owned()]));
    let addresses: Vec<_> = ban.addresses.iter().map(ToString::to_string).collect();
    assert_eq!(addresses, ["192.0.2.7/32", "10.0.0.0/8", "2001:db8::/32"]);
    let flapping = FlappingSettings {
        connects_max: 52,
        window: Duration::from_secs(53),
        ban: Duration::from_secs(54),
    };
    assert_eq!(config.flapping, flapping);
    let redirect = Redirect {
        server: "other.example:1883".to_owned(),
        permanent: true,
    };
    assert_eq!(config.redirect, Some(redirect));
}

pub(super) const EVERY_KEY: &str = r#"
log = "hookwire=debug"
data_dir = "data"
sys_interval = "55s"
shutdown_timeout = "3s"
[[listener]]
name = "outer"
address = "[::]:2883"
allow_anonymous = true
connections_max = 11
[limits]
connect_timeout = "12s"
connections_max = 13
authentications_max = 14
connect_packet_bytes_max = "15kB"
packet_bytes_max = 16_000
user_properties_max = 17
user_property_bytes_max = "18B"
filters_max = 0x13
topic_levels_max = 20
topic_bytes_max = 21
client_id_bytes_max = 23
mqtt_3_1_client_id_bytes_max = 45
keep_alive_max = "1h"
receive_maximum = 24
topic_alias_maximum = 25
topic_aliases_sent_max = 46
payload_format_check = true
retain_available = false
wildcard_subscription_available = false
shared_subscription_available = true
subscription_identifier_available = false
messages_per_second_max = 47
bytes_per_second_max = "48B"
rate_excess = "disconnect"
connections_per_address_max = 49
connects_per_address_per_second = 50
memory_max = "51MiB"
qos_max = 1
outbox_bytes_max = "26KiB"
write_timeout = "27s"
retained_messages_max = 28
retained_bytes_max = 29
[session]
sessions_max = 30
expiry_max = "31s"
subscriptions_max = 32
inflight_max = 33
inflight_bytes_max = "37KiB"
queue_messages_max = 34
queue_bytes_max = "35KiB"
queue_overflow = "drop-newest"
queue_qos0 = true
shared_client_ids = true
will_delay_max = "36s"
overlapping_subscriptions = "each"
shared_strategy = "least-inflight"
check_retain_source = true
mqtt_3_rejected = "disconnect"
response_information = "answers/%c/"
[takeover]
fight_after = 37
window = "38s"
backoff = "39ms"
backoff_max = "40s"
[ban]
client_ids = ["eve", "mallory"]
usernames = ["trudy"]
addresses = ["192.0.2.7", "10.0.0.0/8", "2001:db8::/32"]
[flapping]
connects_max = 52
window = "53s"
ban = "54s"
[redirect]
server = "other.example:1883"
permanent = true
[authorization]
default = "deny"
[secrets]
key = { file = "key.txt" }
[plugins]
compile = "thread"
compile_memory_max = "70MiB"
compile_timeout = "71s"
cache = "artefacts"
cache_bytes_max = "72MiB"
last_good = false
[[plugin]]
name = "first"
path = "p.wasm"
sha256 = "01ABcd0000000000000000000000000000000000000000000000000000000000"
topics = ["a/#", "b/+"]
may = ["drop", "admit"]
on_failure = "disconnect"
deadline = "41ms"
deadline_slow = "42ms"
memory = "43MiB"
instances = 44
instances_slow = 45
async = true
mode = "shadow"
breaker = { failures = 45, window = "46s", retry_after = "47s", retry_after_max = "48s" }
optional = true
[plugin.grant]
clients = true
publish = ["c"]
kv = { bytes = 4500 }
metrics = true
random = true
retained = ["d"]
secrets = ["key"]
password = true
rate_limit = { keys = 45 }
[plugin.grant.http]
hosts = ["https://auth.example.com/v1/", "http://[::1]:8080"]
timeout = "46ms"
concurrent_max = 47
response_bytes_max = "48KiB"
private = true
ca_file = "ca.pem"
[plugin.config]
rules = { file = "sub/rules.txt" }
[[plugin]]
name = "second"
bundled = "will-guard"
on_failure = { on-will = "deny" }
"#;

#[test]
fn a_plugin_config_becomes_json() {
    let folder = Folder::new().with("a.txt", "line\n");
    let text = r#"
[[plugin]]
name = "a"
bundled = "acl"
[plugin.config]
text = "t"
number = -16
large = 18446744073709551615
share = 0.5
yes = true
when = 2020-01-02T03:04:05Z
list = [1, ["x"], { file = "a.txt" }]
table = { file = "a.txt", more = 1 }
[plugin.config.file]
file = "a.txt"
"#;
    let expected = json!({
        "text": "t",
        "number": -16,
        "large": u64::MAX,
        "share": 0.5,
        "yes": true,
        "when": "2020-01-02T03:04:05Z",
        "list": [1, ["x"], "line\n"],
        "table": { "file": "a.txt", "more": 1 },
        "file": "line\n",
    });
    assert_eq!(folder.parse(text).unwrap().plugins[0].spec.config, expected);
}

#[test]
fn a_plugin_config_is_an_object_whatever_stands_in_it() {
    let config = |line: &str| {
        let text = format!("[[plugin]]\nname = \"a\"\nbundled = \"acl\"\n{line}");
        parse(&text).unwrap().plugins[0].spec.config.clone()
    };
    assert_eq!(config(""), json!({}));
    assert_eq!(config("config = {}"), json!({}));
    assert_eq!(config("config = { file = \"x\" }"), json!({ "file": "x" }));
}

/// It is what a plugin is given that only looks on.
#[test]
fn a_plugin_may_be_let_do_nothing() {
    let text = "[[plugin]]\nname = \"a\"\nbundled = \"acl\"\nmay = []";
    assert_eq!(parse(text).unwrap().plugins[0].spec.may, Powers::NONE);
}

#[test]
fn an_optional_plugin_may_be_missing() {
    let text = "[[plugin]]\nname = \"a\"\npath = \"/no/such.wasm\"\noptional = true";
    assert!(parse(text).unwrap().plugins[0].optional);
}

#[test]
fn a_connect_is_a_packet_too() {
    let limits = parse("[limits]\npacket_bytes_max = \"64KiB\"").unwrap().limits;
    assert_eq!(limits.connect_packet_bytes_max, 64 << 10);
}

#[test]
fn port_zero_is_never_taken() {
    let text = "[[listener]]\nname = \"a\"\naddress = \"[::1]:0\"\n[[listener]]\nname = \"b\"\naddress = \"[::1]:0\"";
    assert_eq!(parse(text).unwrap().listeners.len(), 2);
}
