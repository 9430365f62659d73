//! Policies that wait for a server: who waits with them, and who does not.

use std::fs;

use hookwire_protocol::{
    Connack, Connect, ConnectReason, DisconnectReason, Packet, Puback, PublishReason, Suback, Subscribe,
    SubscribeFilter, SubscribeReason, SubscriptionOptions, UserProperties,
};
use hookwire_tests::{
    Broker, Client, Gate, QoS, Reply, Server, Setup, Witness, bundled, guest, plugin, publish, v5, will,
};

/// A broker whose policy asks this server.
fn asking(server: &Server, grant: &str, keys: &str, config: &str) -> String {
    asking_at(&server.url(), grant, keys, config)
}

fn asking_at(url: &str, grant: &str, keys: &str, config: &str) -> String {
    let keys = format!("{keys}\ngrant = {{ http = {grant} }}");
    plugin(
        "asker",
        guest("asker"),
        &keys,
        &format!("url = {url:?}\n{config}"),
    )
}

/// The grant of one server and nothing else.
fn only(server: &Server) -> String {
    format!("[{:?}]", server.url())
}

fn reason_of(connack: &Connack) -> (ConnectReason, &str) {
    let text = connack.properties.reason_string.as_deref().unwrap_or("");
    (connack.reason, text)
}

/// Answers at once, and says no to everything that ends with `denied`.
fn strict() -> Server {
    Server::start(|asked| {
        Reply::status(if asked.target.ends_with("denied") {
            403
        } else {
            200
        })
    })
}

/// Keeps everything waiting whose name ends with `slow`, until the gate opens.
fn slow(gate: &Gate) -> Server {
    let gate = gate.clone();
    Server::start(move |asked| {
        if asked.target.ends_with("slow") {
            Reply::status(200).after(&gate)
        } else {
            Reply::status(200)
        }
    })
}

fn subscribe(client: &mut Client, filter: &str) {
    let packet_id = client.fresh_id();
    client.send(Packet::Subscribe(Subscribe {
        packet_id,
        subscription_identifier: None,
        user_properties: UserProperties::new(),
        filters: vec![SubscribeFilter {
            filter: filter.into(),
            options: SubscriptionOptions::default(),
        }],
    }));
}

fn threads(broker: &Broker) -> usize {
    fs::read_dir(format!("/proc/{}/task", broker.pid()))
        .expect("the broker runs")
        .count()
}

// ---- what a server says

#[test]
fn a_server_decides_who_connects() {
    const ROUNDS: usize = 20;
    let server = strict();
    let broker = Broker::start(&asking(&server, &only(&server), "", ""));
    for round in 0..ROUNDS {
        Client::connect(&broker, v5(&format!("ask-{round}"))).disconnect();
    }
    let refused = Client::refused(&broker, v5("ask-denied"));
    assert_eq!(reason_of(&refused), (ConnectReason::NotAuthorized, "status 403"));

    let asked = server.requests();
    let logins: Vec<_> = asked
        .iter()
        .filter(|asked| asked.target.contains("authenticate"))
        .collect();
    assert_eq!(logins[0].target, "/authenticate/ask-0");
    assert_eq!(
        logins[0].header("host"),
        Some(server.url().trim_start_matches("http://"))
    );
    assert_eq!(logins.len(), ROUNDS + 1);
    // Not each of them: one that is not put back yet when the next client comes is not waited for.
    assert!(
        server.connections() < ROUNDS,
        "connections are kept: {}",
        server.connections()
    );
}

#[test]
fn what_is_not_granted_is_not_asked() {
    let (granted, other) = (strict(), strict());
    let broker = Broker::start(&asking(&other, &only(&granted), "", ""));
    let refused = Client::refused(&broker, v5("ask"));
    assert_eq!(
        reason_of(&refused),
        (ConnectReason::NotAuthorized, "denied: this server is not granted")
    );
    assert_eq!(other.connections(), 0);
}

#[test]
fn a_redirect_is_not_followed() {
    let other = strict();
    let location = format!("{}/elsewhere", other.url());
    let server = Server::start(move |_| Reply::status(302).header("location", &location));
    let broker = Broker::start(&asking(&server, &only(&server), "", ""));
    let refused = Client::refused(&broker, v5("ask"));
    assert_eq!(reason_of(&refused), (ConnectReason::NotAuthorized, "status 302"));
    assert_eq!(other.connections(), 0);
}

/// `127.1` is no address as URLs have them, so it is looked up like a name, and the system takes it for 127.0.0.1.
#[test]
fn a_name_does_not_lead_into_the_house() {
    let server = strict();
    let url = format!("http://127.1:{}", server.port());
    let refused = |grant: &str| {
        let broker = Broker::start(&asking_at(&url, grant, "", ""));
        let refused = Client::refused(&broker, v5("ask"));
        reason_of(&refused).1.to_owned()
    };
    let reason = refused(&format!("[{url:?}]"));
    assert_eq!(
        reason,
        "denied: 127.1 is at an address that plugins may not reach"
    );
    assert_eq!(server.connections(), 0);

    let private = format!("{{ hosts = [{url:?}], private = true }}");
    let broker = Broker::start(&asking_at(&url, &private, "", ""));
    Client::connect(&broker, v5("ask")).disconnect();
}

#[test]
fn an_answer_has_a_bound() {
    let server = Server::start(|_| Reply::ok(vec![b'x'; 1025]));
    let grant = format!("{{ hosts = {}, response_bytes_max = \"1KiB\" }}", only(&server));
    let broker = Broker::start(&asking(&server, &grant, "", ""));
    let refused = Client::refused(&broker, v5("ask"));
    assert_eq!(reason_of(&refused), (ConnectReason::NotAuthorized, "too-large"));
}

#[test]
fn a_server_that_talks_nonsense_or_is_not_there_has_not_answered() {
    let nonsense = Server::start(|_| Reply::raw("HTTP/9.9 lamp\r\n\r\n"));
    let broker = Broker::start(&asking(&nonsense, &only(&nonsense), "", ""));
    let refused = Client::refused(&broker, v5("ask"));
    assert!(
        reason_of(&refused).1.starts_with("no valid answer: "),
        "{refused:?}"
    );

    // A port that was free a moment ago.
    let free = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    let url = format!("http://{}", free.local_addr().expect("it has an address"));
    drop(free);
    let broker = Broker::start(&asking_at(&url, &format!("[{url:?}]"), "", ""));
    let refused = Client::refused(&broker, v5("ask"));
    assert!(
        reason_of(&refused).1.starts_with("no connection: "),
        "{refused:?}"
    );
}

#[test]
fn a_plugin_without_the_grant_does_not_load() {
    let output = Setup::new(&plugin(
        "asker",
        guest("asker"),
        "",
        "url = \"http://127.0.0.1:1\"",
    ))
    .start_and_fail();
    assert!(
        output
            .text
            .contains("add `grant = { http = [\"https://host\"] }`"),
        "{}",
        output.text
    );
}

/// What is asked in a task of its own, and waited for, is held to `may` like everything else.
#[test]
fn an_answer_that_was_waited_for_does_no_more_than_it_may() {
    let server = strict();
    let keys = format!(
        "{ASYNC}\nmay = [\"admit\", \"allow\"]\non_failure = {{ authorize = \"pass\", on-publish = \"pass\" }}"
    );
    let broker = Broker::start(&asking(&server, &only(&server), &keys, ""));
    let refused = Client::refused(&broker, v5("ask-denied"));
    assert_eq!(reason_of(&refused), (ConnectReason::ServerUnavailable, ""));

    let mut client = Client::connect(&broker, v5("client"));
    client.subscribe("#", QoS::AtLeastOnce);
    client.publish("ask-denied", "as it is", QoS::AtLeastOnce);
    assert_eq!(client.receive().payload, "as it is");
    for (hook, takes) in [
        ("authenticate", "refuse"),
        ("authorize", "refuse"),
        ("on-publish", "refuse"),
        ("route", "route"),
    ] {
        broker.wait_log(&format!(
            "{hook} failed: forbidden-answer: answered with what takes `{takes}`"
        ));
    }
}

// ---- time

#[test]
fn a_server_that_never_answers_costs_a_time_out() {
    let gate = Gate::new();
    let server = slow(&gate);
    let grant = format!("{{ hosts = {}, timeout = \"50ms\" }}", only(&server));
    let broker = Broker::start(&asking(&server, &grant, "", ""));
    let refused = Client::refused(&broker, v5("ask-slow"));
    assert_eq!(reason_of(&refused), (ConnectReason::NotAuthorized, "timeout"));
    Client::connect(&broker, v5("ask")).disconnect();
    gate.open();
}

/// A plugin that waits again and again is ended like one that loops.
#[test]
fn a_call_may_wait_as_long_as_its_deadline() {
    let gate = Gate::new();
    let server = slow(&gate);
    let grant = format!("{{ hosts = {}, timeout = \"60s\" }}", only(&server));
    let broker = Broker::start(&asking(&server, &grant, "deadline_slow = \"100ms\"", ""));
    let refused = Client::refused(&broker, v5("ask-slow"));
    assert_eq!(refused.reason, ConnectReason::ServerUnavailable);
    broker.wait_log("authenticate failed: deadline: waited longer than 100ms");
    Client::connect(&broker, v5("ask")).disconnect();
    gate.open();
}

// ---- who waits

#[test]
fn many_who_wait_slow_nobody_and_hold_no_threads() {
    const WAITING: usize = 200;
    let gate = Gate::new();
    let server = slow(&gate);
    let grant = format!("{{ hosts = {}, timeout = \"30s\" }}", only(&server));
    let limits = "[limits]\nconnect_timeout = \"30s\"\n";
    let broker =
        Broker::start(&(limits.to_owned() + &asking(&server, &grant, "deadline_slow = \"30s\"", "")));
    let witness = Witness::start(&broker, "beside");
    let before = threads(&broker);
    let mut waiting: Vec<_> = (0..WAITING)
        .map(|n| Client::begin(&broker, v5(&format!("ask-{n}-slow"))))
        .collect();
    server.wait_requests(WAITING);
    let during = threads(&broker);
    assert!(during < before + 20, "{during} threads, {before} before");
    Client::connect(&broker, v5("ask")).disconnect();
    gate.open();
    for client in &mut waiting {
        client.admitted();
    }
    witness.finish();
}

/// More than there are instances, which wait for one in the order in which they came.
#[test]
fn calls_queue_for_instances() {
    let gate = Gate::new();
    let server = slow(&gate);
    let broker = Broker::start(&asking(&server, &only(&server), "instances_slow = 2", ""));
    let mut waiting: Vec<_> = (0..6)
        .map(|n| Client::begin(&broker, v5(&format!("ask-{n}-slow"))))
        .collect();
    server.wait_requests(2);
    assert_eq!(server.requests().len(), 2);
    gate.open();
    for client in &mut waiting {
        client.admitted();
    }
}

#[test]
fn clients_that_leave_while_they_wait_leave_nothing_behind() {
    const LEAVING: usize = 300;
    let gate = Gate::new();
    let server = slow(&gate);
    let grant = format!("{{ hosts = {}, timeout = \"30s\" }}", only(&server));
    let config = format!(
        "sys_interval = \"100ms\"\n{}",
        asking(&server, &grant, "deadline_slow = \"30s\"\ninstances = 2", "")
    );
    let broker = Broker::start(&config);
    let witness = Witness::start(&broker, "stays");
    for n in 0..LEAVING {
        Client::begin(&broker, v5(&format!("ask-{n}-slow"))).lose();
    }
    server.wait_requests(1);
    gate.open();
    for round in 0..5 {
        Client::connect(&broker, v5(&format!("ask-{round}"))).disconnect();
    }
    let mut watcher = Client::connect(&broker, v5("watcher"));
    watcher.subscribe("$SYS/broker/plugins/asker/instances", QoS::AtMostOnce);
    // Of either kind no more than two are kept.
    while watcher
        .receive()
        .payload
        .parse::<usize>()
        .is_ok_and(|live| live > 4)
    {}
    witness.finish();
}

#[test]
fn a_subscription_waits_and_its_client_with_it() {
    let gate = Gate::new();
    let server = slow(&gate);
    let broker = Broker::start(&asking(&server, &only(&server), "", ""));
    let mut client = Client::connect(&broker, v5("client"));
    let mut other = Client::connect(&broker, v5("other"));
    subscribe(&mut client, "ask/slow");
    server.wait_requests(1);
    client.send(Packet::Publish(publish("news", "after", QoS::AtLeastOnce, 9)));
    other.subscribe("news", QoS::AtLeastOnce);
    other.expect_nothing();
    gate.open();
    assert_eq!(client.expect::<Suback>().reasons, [SubscribeReason::GrantedQos0]);
    assert_eq!(client.expect::<Puback>().reason, PublishReason::Success);
    assert_eq!(other.receive().payload, "after");
}

#[test]
fn a_will_is_asked_about_at_connect() {
    let server = strict();
    let broker = Broker::start(&asking(&server, &only(&server), "", ""));
    let with_will = |topic: &str| Connect {
        will: Some(will(topic, "gone")),
        ..v5("client")
    };
    let refused = Client::refused(&broker, with_will("ask/denied"));
    assert_eq!(reason_of(&refused), (ConnectReason::NotAuthorized, "status 403"));
    Client::connect(&broker, with_will("ask/fine")).disconnect();
}

// ---- messages

#[test]
fn a_hook_that_may_not_wait_is_told_so_at_once() {
    let server = strict();
    let broker = Broker::start(&asking(&server, &only(&server), "", ""));
    let mut client = Client::connect(&broker, v5("client"));
    client.send(Packet::Publish(publish("ask/x", "", QoS::AtLeastOnce, 1)));
    let puback = client.expect::<Puback>();
    assert_eq!(puback.reason, PublishReason::NotAuthorized);
    assert_eq!(
        puback.properties.reason_string.as_deref(),
        Some("not-in-this-hook")
    );
    assert_eq!(server.connections(), 0);
    assert!(broker.log().count("configure: not-in-this-hook") > 0);
}

const ASYNC: &str = "async = true";

#[test]
fn messages_of_a_client_that_waits_stay_in_order() {
    let gate = Gate::new();
    let server = slow(&gate);
    let broker = Broker::start(&asking(&server, &only(&server), ASYNC, ""));
    let mut watcher = Client::connect(&broker, v5("watcher"));
    watcher.subscribe("#", QoS::AtLeastOnce);
    let mut client = Client::connect(&broker, v5("client"));
    let topics = ["plain/1", "ask/2/slow", "plain/3", "ask/4", "plain/5"];
    let run = (1..)
        .zip(topics)
        .map(|(id, topic)| Packet::Publish(publish(topic, "", QoS::ExactlyOnce, id)));
    let last = Packet::Disconnect(hookwire_protocol::Disconnect::new(
        DisconnectReason::NormalDisconnection,
    ));
    client.send_together(run.chain([last]));
    server.wait_requests(1);
    let mut other = Client::connect(&broker, v5("other"));
    assert_eq!(
        other.publish("other", "", QoS::AtLeastOnce),
        PublishReason::Success
    );
    assert_eq!(watcher.receive().topic, "other");
    gate.open();
    let topics: Vec<_> = watcher
        .receive_all(5)
        .into_iter()
        .map(|message| message.topic)
        .collect();
    assert_eq!(topics, ["plain/1", "ask/2/slow", "plain/3", "ask/4", "plain/5"]);
    watcher.expect_nothing();
    let asked: Vec<_> = server.requests().into_iter().map(|asked| asked.target).collect();
    let of_two: Vec<_> = asked
        .iter()
        .filter(|target| target.ends_with("/2/slow"))
        .collect();
    assert_eq!(
        of_two,
        [
            "/publish/ask/2/slow",
            "/on-publish/ask/2/slow",
            "/route/ask/2/slow"
        ]
    );
}

#[test]
fn what_must_not_come_behind_a_message_that_waits_is_told_as_ever() {
    for (behind, reason) in [
        // A CONNACK, a second CONNECT, a length of five bytes.
        (&b"\x20\0"[..], DisconnectReason::ProtocolError),
        (b"\x10\0", DisconnectReason::ProtocolError),
        (b"\x30\xff\xff\xff\xff\x7f", DisconnectReason::MalformedPacket),
    ] {
        let gate = Gate::new();
        let server = slow(&gate);
        let broker = Broker::start(&asking(&server, &only(&server), ASYNC, ""));
        let mut client = Client::connect(&broker, v5("client"));
        client.send_bytes(&[&b"\x32\x0d\0\x08ask/slow\0\x01\0"[..], behind].concat());
        gate.open();
        assert_eq!(
            client.expect::<Puback>().reason,
            PublishReason::NoMatchingSubscribers
        );
        client.expect_disconnect(reason);
    }
}

#[test]
fn what_a_server_says_about_a_message_is_what_its_publisher_hears() {
    let server = strict();
    let broker = Broker::start(&asking(&server, &only(&server), ASYNC, ""));
    let mut client = Client::connect(&broker, v5("client"));
    assert_eq!(
        client.publish("ask/denied", "", QoS::AtLeastOnce),
        PublishReason::NotAuthorized
    );
    assert_eq!(
        client.publish("ask/denied", "", QoS::ExactlyOnce),
        PublishReason::NotAuthorized
    );
    assert_eq!(
        client.publish("ask/fine", "", QoS::AtLeastOnce),
        PublishReason::NoMatchingSubscribers
    );
}

/// What a client has published it has published, whether or not it waits for the answer.
#[test]
fn a_publisher_that_leaves_does_not_take_its_message_back() {
    let gate = Gate::new();
    let server = slow(&gate);
    let broker = Broker::start(&asking(&server, &only(&server), ASYNC, ""));
    let mut watcher = Client::connect(&broker, v5("watcher"));
    watcher.subscribe("#", QoS::AtLeastOnce);
    let mut client = Client::connect(&broker, v5("client"));
    client.send(Packet::Publish(publish("ask/slow", "x", QoS::ExactlyOnce, 1)));
    server.wait_requests(1);
    // Throws the first one out.
    let second = Client::begin(&broker, v5("client"));
    client.expect_disconnect(DisconnectReason::SessionTakenOver);
    drop(second);
    gate.open();
    assert_eq!(watcher.receive().topic, "ask/slow");
    watcher.expect_nothing();
}

#[test]
fn a_will_passes_the_policy_that_waits() {
    let server = strict();
    let broker = Broker::start(&asking(&server, &only(&server), ASYNC, ""));
    let mut watcher = Client::connect(&broker, v5("watcher"));
    watcher.subscribe("#", QoS::AtLeastOnce);
    let leaving = Connect {
        will: Some(will("ask/will", "gone")),
        ..v5("client")
    };
    Client::connect(&broker, leaving).lose();
    assert_eq!(watcher.receive().payload, "gone");
    let asked: Vec<_> = server.requests().into_iter().map(|asked| asked.target).collect();
    assert_eq!(
        asked,
        [
            "/will/ask/will",
            "/will/ask/will",
            "/on-publish/ask/will",
            "/route/ask/will"
        ]
    );
}

// ---- ticks and events

#[test]
fn ticks_and_events_may_wait_too() {
    let server = strict();
    let broker = Broker::start(&asking(&server, &only(&server), "", "tick_ms = 100"));
    broker.wait_log("tick: told");
    Client::connect(&broker, v5("ask-denied-not")).disconnect();
    broker.wait_log("event of ask-denied-not: Ok(())");
}

/// A reload while calls wait: they end under the policy that they began under.
#[test]
fn a_reload_waits_for_nobody() {
    let gate = Gate::new();
    let server = slow(&gate);
    let grant = format!("{{ hosts = {}, timeout = \"30s\" }}", only(&server));
    let broker = Broker::start(&asking(&server, &grant, "deadline_slow = \"30s\"", ""));
    let mut waiting = Client::begin(&broker, v5("ask-slow"));
    server.wait_requests(1);
    broker.put_in_force(&bundled("acl", "grant = { clients = true }", "rules = []"));
    gate.open();
    waiting.admitted();
}
