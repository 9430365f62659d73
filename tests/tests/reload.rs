//! Policies that change while clients are connected.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use hookwire_protocol::{ConnectReason, Packet, Puback, Publish, PublishReason, Version};
use hookwire_tests::{Broker, Client, QoS, Setup, Witness, guest, plugin, publish, v5, v311};

/// The guest of `tests/guests/policy`, which stamps payloads.
fn stamping(name: &str, stamp: &str) -> String {
    plugin(
        name,
        guest("policy"),
        "",
        &format!("stamp = \"{stamp}\"\nplace = \"payload\""),
    )
}

/// A plugin for these topics only.
fn on_topics(filter: &str, plugin: &str) -> String {
    plugin.replace(
        "[plugin.config]",
        &format!("topics = [\"{filter}\"]\n[plugin.config]"),
    )
}

/// A pair that talks about `t`, to see what becomes of a message.
struct Pair {
    sender: Client,
    listener: Client,
}

impl Pair {
    fn connect(broker: &Broker) -> Self {
        let sender = Client::connect(broker, v5("sender"));
        let mut listener = Client::connect(broker, v311("listener"));
        listener.subscribe("t", QoS::AtLeastOnce);
        Self { sender, listener }
    }

    /// What arrives when `x` is sent.
    #[track_caller]
    fn sees(&mut self) -> String {
        assert_eq!(
            self.sender.publish("t", "x", QoS::AtLeastOnce),
            PublishReason::Success
        );
        let seen = self.listener.receive().payload;
        self.listener.expect_nothing();
        seen
    }
}

#[test]
fn plugins_come_change_places_and_go_while_clients_are_connected() {
    let broker = Broker::start("# no plugin\n");
    let mut pair = Pair::connect(&broker);
    assert_eq!(pair.sees(), "x");
    let rows = [
        ("added", stamping("a", "1"), "x|1"),
        ("configured anew", stamping("a", "2"), "x|2"),
        ("joined", stamping("a", "2") + &stamping("b", "3"), "x|2|3"),
        ("reordered", stamping("b", "3") + &stamping("a", "2"), "x|3|2"),
        ("renamed", stamping("c", "3") + &stamping("a", "2"), "x|3|2"),
        ("left", stamping("a", "2"), "x|2"),
        (
            "bound to other topics",
            on_topics("other/#", &stamping("a", "2")),
            "x",
        ),
        ("removed", "# no plugin\n".to_owned(), "x"),
    ];
    for (name, config, seen) in rows {
        broker.put_in_force(&config);
        assert_eq!(pair.sees(), seen, "{name}");
    }
    for (line, times) in [
        ("plugin \"b\" in force", 1),
        ("plugin \"b\" removed", 1),
        ("plugin \"a\" replaced", 2),
    ] {
        assert_eq!(
            broker.log().count(line),
            times,
            "{line}:\n{}",
            broker.log().story()
        );
    }
}

#[test]
fn a_component_that_is_replaced_under_its_path_is_taken_over() {
    let config = plugin(
        "p",
        "plugin.wasm",
        "grant = { publish = [\"x\"], kv = { bytes = \"1KiB\" } }",
        "stamp = \"1\"\nplace = \"payload\"",
    );
    let policy = fs::read(guest("policy")).expect("the guest is built");
    let broker = Setup::new(&config).file("plugin.wasm", &policy).start();
    let mut pair = Pair::connect(&broker);
    assert_eq!(pair.sees(), "x|1");
    // Another component wants another configuration, and so does not load under this path.
    broker.edit_file(
        "plugin.wasm",
        fs::read(guest("hostile")).expect("the guest is built"),
    );
    let line = broker.wait_log("policy refused");
    assert!(line.contains("\"p\""), "{line}");
    assert_eq!(pair.sees(), "x|1");
    // One that does the same is taken over.
    broker.edit_file("plugin.wasm", with_note(&policy));
    broker.wait_log("plugin \"p\" replaced");
    broker.wait_in_force();
    assert_eq!(pair.sees(), "x|1");
    fs::remove_file(broker.folder().join("plugin.wasm")).expect("it is there");
    broker.wait_log("the running one stays");
    assert_eq!(pair.sees(), "x|1");
}

#[test]
fn sighup_reloads_and_changes_nothing_when_nothing_has_changed() {
    let broker = Broker::start(&stamping("a", "1"));
    let mut pair = Pair::connect(&broker);
    broker.hang_up();
    broker.put_in_force(&stamping("a", "2"));
    assert_eq!(pair.sees(), "x|2");
    assert_eq!(broker.log().count("policy in force"), 1);
}

#[test]
fn settings_hold_for_those_who_come_after_the_change() {
    let broker = Broker::start("[limits]\nqos_max = 2\n");
    let mut early = Client::connect(&broker, v5("early"));
    broker.edit_config("[limits]\nqos_max = 0\n");
    broker.wait_log("settings in force");
    early.subscribe("t", QoS::ExactlyOnce);
    let late = Client::connect(&broker, v5("late"));
    assert_eq!(late.connack().properties.maximum_qos, Some(QoS::AtMostOnce));
}

/// The plugin that takes its time is still being configured when the file changes again.
#[test]
fn an_edit_during_a_reload_is_not_lost() {
    let broker = Broker::start("# no plugin\n");
    let mut pair = Pair::connect(&broker);
    let keys = "grant = { publish = [\"x\"], kv = { bytes = \"1KiB\" } }";
    let slow = "slow_ms = 500\nbehaviour = { configure = \"slow\" }";
    broker.edit_config(&(stamping("a", "1") + &plugin("slow", guest("hostile"), keys, slow)));
    broker.wait_log("stamp 1");
    broker.edit_config(&stamping("a", "2"));
    broker.wait_in_force();
    broker.wait_log("stamp 2");
    broker.wait_in_force();
    assert_eq!(pair.sees(), "x|2");
}

#[test]
fn what_cannot_change_is_told() {
    let broker = Broker::start("# nothing\n");
    broker.edit_config("data_dir = \"elsewhere\"\n");
    let line = broker.wait_log("takes effect at the next start");
    assert!(line.contains("data_dir"), "{line}");
}

/// There is no moment in which clients are thrown out, or come in by another rule than the one that the listener began with.
#[test]
fn a_listener_stays_as_it_is_until_the_next_start() {
    let listener = |name: &str, more: &str| {
        format!("[[listener]]\nname = \"{name}\"\naddress = \"127.0.0.1:0\"\n{more}")
    };
    let broker = Broker::start(&listener("one", "allow_anonymous = false\n"));
    broker.edit_config(&listener("two", "allow_anonymous = true\n"));
    let line = broker.wait_log("takes effect at the next start");
    assert!(line.contains("listener"), "{line}");
    let refused = Client::refused(&broker, v5("stranger"));
    assert_eq!(refused.reason, ConnectReason::NotAuthorized);
}

// ---- what is refused

/// A component with an empty custom section at its end: other bytes, the same component.
fn with_note(component: &[u8]) -> Vec<u8> {
    [component, b"\0\x05\x04note"].concat()
}

/// Replaces every occurrence of one text by another of the same length.
fn with_text(component: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len(), "lengths are written in front of texts");
    let mut changed = component.to_vec();
    let places: Vec<_> = changed
        .windows(from.len())
        .enumerate()
        .filter(|(_, text)| *text == from.as_bytes())
        .collect();
    let places: Vec<_> = places.into_iter().map(|(at, _)| at).collect();
    assert_ne!(places.len(), 0, "{from} does not occur");
    for at in places {
        changed[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    changed
}

/// Each is put beside the running policy, which stays; the log says why.
#[test]
fn a_bad_plugin_is_refused_and_the_policy_stays() {
    let policy = fs::read(guest("policy")).expect("the guest is built");
    let good = "stamp = \"2\"";
    let of_bytes = |bytes: &[u8]| (Some(bytes.to_vec()), plugin("bad", "bad.wasm", "", good));
    let of_policy = |keys: &str, config: &str| (None, plugin("bad", guest("policy"), keys, config));
    let of_hostile = |keys: &str, config: &str| (None, plugin("bad", guest("hostile"), keys, config));
    let granted = "grant = { publish = [\"x\"], kv = { bytes = \"1MiB\" } }\nmemory = \"64MiB\"\ndeadline_slow = \"300ms\"";
    let rows = [
        (
            "random bytes",
            of_bytes(b"\x8f\x1b\x40\x77random bytes"),
            "not a WebAssembly component",
        ),
        ("text", of_bytes(b"#!/bin/sh\n"), "not a WebAssembly component"),
        (
            "core module",
            of_bytes(b"\0asm\x01\0\0\0"),
            "core WebAssembly module",
        ),
        ("empty component", of_bytes(b"\0asm\x0d\0\x01\0"), "lifecycle"),
        ("truncated", of_bytes(&policy[..policy.len() / 2]), "not valid"),
        (
            "another contract",
            of_bytes(&with_text(&policy, "@0.1.0", "@9.9.9")),
            "9.9.9",
        ),
        (
            "unknown import",
            of_bytes(&with_text(
                &policy,
                "hookwire:plugin/log@",
                "hookwire:plugin/lag@",
            )),
            "hookwire:plugin/lag",
        ),
        ("no grant", of_hostile("", ""), "kv = { bytes"),
        (
            "another digest",
            of_policy(&format!("sha256 = \"{}\"", "0".repeat(64)), good),
            "sha256",
        ),
        ("no configuration", of_policy("", ""), "stamp"),
        ("wrong configuration", of_policy("", "stamp = 2"), "stamp"),
        ("unknown key", of_policy("", "stamp = \"2\"\nstmap = 1"), "stmap"),
        (
            "refuses",
            of_policy("", "stamp = \"2\"\nrefuse = true"),
            "refused as asked",
        ),
        (
            "unhealthy",
            of_policy("", "stamp = \"2\"\nunhealthy = true"),
            "unhealthy as asked",
        ),
        (
            "panics",
            of_hostile(granted, "behaviour = { configure = \"panic\" }"),
            "hostile as asked",
        ),
        (
            "loops",
            of_hostile(granted, "behaviour = { configure = \"loop\" }"),
            "CPU time",
        ),
        (
            "takes all memory",
            of_hostile(granted, "behaviour = { configure = \"memory\" }"),
            "memory",
        ),
        (
            "overflows its stack",
            of_hostile(granted, "behaviour = { configure = \"recursion\" }"),
            "trap",
        ),
        (
            "asks for filters that are none",
            of_hostile(granted, "behaviour = { configure = \"invalid_topic\" }"),
            "evil/#/+",
        ),
        (
            "loops when asked for its health",
            of_hostile(granted, "behaviour = { health = \"loop\" }"),
            "CPU time",
        ),
    ];
    let good_of = |stamp| on_topics("t", &stamping("good", stamp));
    let broker = Broker::start(&good_of("1"));
    let mut pair = Pair::connect(&broker);
    let witness = Witness::start(&broker, "bad-plugins");
    for (name, (bytes, bad), words) in rows {
        if let Some(bytes) = bytes {
            broker.edit_file("bad.wasm", bytes);
        }
        let line = broker.refused(&(good_of("2") + &bad));
        let told = broker.log().story();
        let story = &told[told.rfind(&line[..line.len().min(100)]).expect("just read")..];
        assert!(
            line.contains("bad") && story.contains(words),
            "{name}: {words:?} is missing in: {story}"
        );
        assert_eq!(pair.sees(), "x|1", "{name}");
    }
    witness.finish();
    broker.put_in_force(&good_of("3"));
    assert_eq!(pair.sees(), "x|3");
}

#[test]
fn a_bad_file_is_refused_and_the_policy_stays() {
    let broker = Broker::start(&stamping("good", "1"));
    let mut pair = Pair::connect(&broker);
    let rows = [
        ("unknown key", "log = \"info\"\nlgo = 1\n".to_owned(), ":2: lgo"),
        ("not TOML", "[[plugin\n".to_owned(), ":1"),
        ("empty", String::new(), "empty"),
        (
            "no file of that name",
            plugin("p", "none.wasm", "", ""),
            "none.wasm",
        ),
        (
            "two of one name",
            stamping("good", "2") + &stamping("good", "3"),
            "good",
        ),
        (
            "bad topic filter",
            on_topics("a/#/b", &stamping("good", "2")),
            "a/#/b",
        ),
    ];
    for (name, config, words) in rows {
        broker.edit_config(&config);
        // The problems have lines of their own, behind the one that says what becomes of it.
        if !broker.wait_log("the running one stays").contains(words) {
            broker.wait_log(words);
        }
        assert_eq!(pair.sees(), "x|1", "{name}");
    }
    broker.put_in_force(&stamping("good", "2"));
    assert_eq!(pair.sees(), "x|2");
}

#[test]
fn at_start_a_plugin_that_does_not_load_stops_the_broker_unless_it_is_optional() {
    let bad = plugin("bad", "bad.wasm", "", "");
    let said = Setup::new(&bad)
        .file("bad.wasm", "no component")
        .start_and_fail()
        .text;
    assert!(
        said.contains("\"bad\"") && said.contains("not a WebAssembly component"),
        "{said}"
    );
    let optional = plugin("bad", "bad.wasm", "optional = true", "") + &stamping("good", "1");
    let broker = Setup::new(&optional).file("bad.wasm", "no component").start();
    assert_ne!(
        broker.log().count("optional plugin left out"),
        0,
        "{}",
        broker.log().story()
    );
    assert_eq!(Pair::connect(&broker).sees(), "x|1");
}

#[test]
fn check_loads_the_plugins_too() {
    let checked = Setup::new(&plugin("p", guest("policy"), "", "stamp = \"1\"\nrefuse = true")).check();
    assert!(
        !checked.success && checked.text.contains("refused as asked"),
        "{}",
        checked.text
    );
    let checked = Setup::new(&stamping("p", "1")).check();
    assert!(
        checked.success && checked.text.contains("1 plugins"),
        "{}",
        checked.text
    );
}

// ---- at full speed

/// As many as a test takes time for; `HOOKWIRE_RELOADS=1000` for those who want to be sure.
fn reloads() -> u64 {
    let asked = std::env::var("HOOKWIRE_RELOADS").ok();
    asked.map_or(200, |number| {
        number.parse().expect("HOOKWIRE_RELOADS is a number")
    })
}

/// What a broker may take more in the second half of all reloads than in the first: what its allocator keeps, not what
/// 100 generations of plugins would need.
const GROWTH_BYTES_MAX: u64 = 32 << 20;

/// The policy of one generation. The first plugin stamps, the second refuses what does not have its own stamp: a message that is judged by
/// parts of two generations is rejected with "wrong generation". Even generations deny `even/…`, odd ones `odd/…`.
fn generation(number: u64) -> String {
    let denied = ["even/", "odd/"][usize::from(number % 2 == 1)];
    let stamp = format!("stamp = \"{number}\"");
    plugin(
        "stamps",
        guest("policy"),
        "",
        &format!("{stamp}\ndeny_prefix = [\"{denied}\"]"),
    ) + &plugin(
        "requires",
        guest("policy"),
        "",
        &format!("{stamp}\nplace = \"none\"\nrequire = \"{number}\""),
    )
}

/// Which generations may be in force.
#[derive(Default)]
struct Clock {
    /// The log has said that this one is in force: nothing that is sent from now on is judged by an earlier one.
    in_force: AtomicU64,
    /// This one was written: nothing that has come back until now was judged by a later one.
    written: AtomicU64,
    done: AtomicBool,
}

/// Publishes runs of messages as fast as they are taken, and returns what was accepted.
fn publish_at_full_speed(
    name: &str,
    run: u64,
    broker: &Broker,
    clock: &Clock,
    heard: Receiver<()>,
) -> Vec<String> {
    let mut client = Client::connect(broker, v5(name));
    let mut accepted = Vec::new();
    let mut number = 0;
    let mut last = false;
    while !last {
        last = clock.done.load(Ordering::SeqCst);
        let in_force = clock.in_force.load(Ordering::SeqCst);
        let mut bytes = bytes::BytesMut::new();
        let sent: Vec<_> = (number..number + run)
            .map(|number| {
                let kind = ["even", "odd"][usize::from(number % 3 == 0)];
                let topic = format!("{kind}/{name}");
                let packet_id = u16::try_from(number % run + 1).expect("runs are short");
                let payload = format!("{number} {in_force}");
                let packet = Packet::Publish(publish(&topic, payload, QoS::AtLeastOnce, packet_id));
                hookwire_protocol::encode(&packet, Version::V5, &mut bytes);
                format!("{topic} {number}")
            })
            .collect();
        number += run;
        client.send_bytes(&bytes);
        let mut was_last_accepted = false;
        for message in sent {
            let puback = client.expect::<Puback>();
            was_last_accepted = puback.reason == PublishReason::Success;
            match puback.reason {
                PublishReason::Success => accepted.push(message),
                PublishReason::NotAuthorized => {
                    let stamp: u64 = puback
                        .properties
                        .reason_string
                        .as_deref()
                        .and_then(|text| text.parse().ok())
                        .expect("the stamp");
                    let written = clock.written.load(Ordering::SeqCst);
                    assert!(
                        (in_force..=written).contains(&stamp),
                        "{message} refused by {stamp}, in force {in_force}..={written}"
                    );
                    assert!(is_denied(&message, stamp), "{message} refused by {stamp}");
                }
                other => panic!("{message}: {other:?} {:?}", puback.properties.reason_string),
            }
        }
        // So that no queue runs over, the next run waits until the end of this one is heard, unless that was denied.
        if was_last_accepted {
            heard.recv().expect("the listener listens");
        }
    }
    client.disconnect();
    accepted
}

fn is_denied(message: &str, generation: u64) -> bool {
    message.starts_with(["even/", "odd/"][usize::from(generation % 2 == 1)])
}

/// Checks each message and returns all of them, until every publisher has said its last word.
fn listen(
    mut client: Client,
    clock: &Clock,
    publishers: &[(&str, u64, Sender<()>)],
    end: &str,
) -> Vec<String> {
    let mut heard = Vec::new();
    let mut latest = vec![0; publishers.len()];
    loop {
        let publish: Publish = client.expect_publish();
        client.acknowledge(publish.delivery);
        let topic = publish.topic.name().expect("no aliases").as_str().to_owned();
        if topic == end {
            return heard;
        }
        let written = clock.written.load(Ordering::SeqCst);
        let payload = String::from_utf8_lossy(&publish.payload).into_owned();
        let (number, in_force) = payload.split_once(' ').expect("two numbers");
        let (number, in_force): (u64, u64) = (
            number.parse().expect("a number"),
            in_force.parse().expect("a number"),
        );
        let stamps: Vec<u64> = publish
            .properties
            .values()
            .map(|values| {
                values
                    .user_properties
                    .iter()
                    .map(|(_, stamp)| stamp.parse().expect("a number"))
                    .collect()
            })
            .unwrap_or_default();
        let [stamp] = stamps[..] else {
            panic!("{topic} {number} has the stamps {stamps:?}")
        };
        assert!(
            (in_force..=written).contains(&stamp),
            "{topic} {number} stamped by {stamp}, in force {in_force}..={written}"
        );
        assert!(
            !is_denied(&topic, stamp),
            "{topic} {number} slipped through {stamp}"
        );
        let place = publishers
            .iter()
            .position(|(name, ..)| topic.ends_with(name))
            .expect("a publisher's topic");
        assert!(
            stamp >= latest[place],
            "{topic} {number}: {stamp} after {}",
            latest[place]
        );
        latest[place] = stamp;
        heard.push(format!("{topic} {number}"));
        let (_, run, next) = &publishers[place];
        if (number + 1) % run == 0 {
            // The publisher is gone after its last run.
            let _ = next.send(());
        }
    }
}

#[test]
fn many_reloads_at_full_speed_let_nothing_slip_by() {
    let reloads = reloads();
    let broker = Broker::start(&generation(0));
    let clock = Clock::default();
    let mut listener = Client::connect(&broker, v5("listener"));
    listener.subscribe("#", QoS::AtLeastOnce);
    let (talks, talk_heard) = channel();
    let (chats, chat_heard) = channel();
    // Runs are judged in batches, single messages one by one.
    let publishers = [("talker", 100, talks), ("chatter", 1, chats)];
    let (accepted, heard) = thread::scope(|scope| {
        let (broker, clock) = (&broker, &clock);
        let heard = scope.spawn(|| listen(listener, clock, &publishers, "free/end"));
        let talker = scope.spawn(move || publish_at_full_speed("talker", 100, broker, clock, talk_heard));
        let chatter = scope.spawn(move || publish_at_full_speed("chatter", 1, broker, clock, chat_heard));
        let mut resident = Vec::new();
        for number in 1..=reloads {
            clock.written.store(number, Ordering::SeqCst);
            broker.put_in_force(&generation(number));
            clock.in_force.store(number, Ordering::SeqCst);
            if number * 10 % reloads == 0 {
                resident.push(broker.resident_bytes());
            }
        }
        let mib: Vec<_> = resident.iter().map(|bytes| bytes >> 20).collect();
        eprintln!("resident after each tenth of {reloads} reloads, MiB: {mib:?}");
        let (half, end) = (resident[resident.len() / 2], resident[resident.len() - 1]);
        assert!(end < half + GROWTH_BYTES_MAX, "{mib:?}");
        clock.done.store(true, Ordering::SeqCst);
        let accepted =
            [talker, chatter].map(|publisher| publisher.join().expect("the publisher was content"));
        Client::connect(broker, v5("end")).publish("free/end", "", QoS::AtLeastOnce);
        (accepted, heard.join().expect("the listener was content"))
    });
    for (accepted, name) in accepted.iter().zip(["talker", "chatter"]) {
        let heard: Vec<_> = heard.iter().filter(|message| message.contains(name)).collect();
        assert!(
            accepted.len() > usize::try_from(reloads).expect("small"),
            "{name}: only {} messages",
            accepted.len()
        );
        assert!(
            accepted.iter().eq(heard.iter().copied()),
            "{name}: {} accepted, {} heard",
            accepted.len(),
            heard.len()
        );
        eprintln!("{name}: {} messages accepted and delivered", accepted.len());
    }
    assert_eq!(
        broker.log().count("policy in force"),
        usize::try_from(reloads).expect("small")
    );
}
