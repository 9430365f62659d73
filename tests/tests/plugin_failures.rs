//! Every row of `docs/plugins/when-a-plugin-fails.md`, with every kind of failure: the page is the table that is tested.

use bytestring::ByteString;
use hookwire_protocol::{
    Connack, Connect, ConnectReason, Disconnect, Packet, Puback, Suback, Subscribe, SubscribeFilter,
    SubscriptionOptions, Unsuback, Unsubscribe, Version,
};
use hookwire_tests::{Broker, Client, QoS, guest, plugin, publish, repository, v5, v311, will};

/// A row: the hook (and what `authorize` is asked about), the verdict, and what a client of each version sees.
#[derive(Debug, Clone)]
struct Row {
    hook: String,
    verdict: String,
    five: String,
    three: String,
}

impl Row {
    /// As the configuration spells it.
    fn hook_name(&self) -> &str {
        self.hook.split(':').next().unwrap_or_default()
    }

    /// As the guest spells it.
    fn behaviour(&self) -> String {
        self.hook_name().replace('-', "_")
    }
}

fn rows() -> Vec<Row> {
    let page = std::fs::read_to_string(repository().join("docs/plugins/when-a-plugin-fails.md"))
        .expect("the page is there");
    let cells = page.lines().filter_map(|line| {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        <[&str; 4]>::try_from(cells).ok()
    });
    let rows = cells.filter(|[hook, ..]| !hook.starts_with("---") && *hook != "hook");
    rows.map(|[hook, verdict, five, three]| Row {
        hook: hook.to_owned(),
        verdict: verdict.trim_end_matches([' ', '*']).to_owned(),
        five: five.to_owned(),
        three: three.to_owned(),
    })
    .collect()
}

const QUESTIONS: [&str; 13] = [
    "authenticate",
    "authenticate-enhanced",
    "authorize: publish",
    "authorize: subscribe",
    "authorize: deliver",
    "authorize: will",
    "on-subscribe",
    "on-unsubscribe",
    "on-publish",
    "route",
    "deliver",
    "on-will",
    "events",
];

#[test]
fn the_page_has_every_hook_with_every_verdict() {
    let found: Vec<_> = rows().into_iter().map(|row| (row.hook, row.verdict)).collect();
    let expected: Vec<_> = QUESTIONS
        .iter()
        .flat_map(|hook| {
            ["deny", "pass", "disconnect"].map(|verdict| ((*hook).to_owned(), verdict.to_owned()))
        })
        .collect();
    assert_eq!(found, expected);
}

/// A kind of failure, and how the guest brings it about.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    behaviour: &'static str,
}

#[test]
fn a_trap_is_what_the_page_says() {
    hold_the_page_to(Kind {
        name: "trap",
        behaviour: "panic",
    });
}

#[test]
fn an_overrun_deadline_is_what_the_page_says() {
    hold_the_page_to(Kind {
        name: "deadline",
        behaviour: "loop",
    });
}

#[test]
fn an_overrun_memory_is_what_the_page_says() {
    hold_the_page_to(Kind {
        name: "memory",
        behaviour: "memory",
    });
}

#[test]
fn an_invalid_answer_is_what_the_page_says() {
    hold_the_page_to(Kind {
        name: "invalid-answer",
        behaviour: "invalid_topic",
    });
}

/// The plugin refuses, which is no failure where it may.
#[test]
fn a_forbidden_answer_is_what_the_page_says() {
    hold_the_page_to(Kind {
        name: FORBIDDEN_ANSWER,
        behaviour: "refuse",
    });
}

#[test]
fn a_missing_instance_is_what_the_page_says() {
    hold_the_page_to(Kind {
        name: NO_INSTANCE,
        behaviour: "panic",
    });
}

const NO_INSTANCE: &str = "no-instance";

const FORBIDDEN_ANSWER: &str = "forbidden-answer";

fn hold_the_page_to(kind: Kind) {
    let broker = Broker::start(&config(kind, None, 0));
    let mut nonce = 0;
    for row in rows() {
        if row.hook == "events" && ["invalid-answer", FORBIDDEN_ANSWER].contains(&kind.name) {
            // It has no answer.
            continue;
        }
        let seen = [v5("five"), v311("three")].map(|connect| {
            let version = connect.version;
            nonce += 1;
            broker.put_in_force(&config(kind, Some(&row), nonce));
            Scene::set(&broker, kind, &row, connect).play(version)
        });
        assert_eq!(
            seen,
            [row.five.clone(), row.three.clone()],
            "{} at {} with {}",
            kind.name,
            row.hook,
            row.verdict
        );
    }
}

/// A plugin that fails at one hook, or at all of them where no instance is left; then the others let pass.
fn config(kind: Kind, row: Option<&Row>, nonce: u32) -> String {
    let listener = "[[listener]]\nname = \"l\"\naddress = \"127.0.0.1:0\"\nallow_anonymous = true\n";
    let rules = row.map_or(String::new(), |row| {
        let hooks = QUESTIONS.map(|hook| hook.split(':').next().unwrap_or_default());
        let mut rules: Vec<_> = hooks
            .into_iter()
            .filter(|hook| *hook != row.hook_name())
            .map(|hook| format!("{hook} = \"pass\""))
            .collect();
        rules.dedup();
        format!(
            "on_failure = {{ {}, {} = \"{}\" }}\n",
            rules.join(", "),
            row.hook_name(),
            row.verdict
        )
    });
    let budgets = if kind.name == "deadline" {
        "deadline = \"5ms\"\ndeadline_slow = \"50ms\"\n"
    } else {
        "deadline = \"5s\"\ndeadline_slow = \"5s\"\n"
    };
    // What it does where nothing is to fail.
    let may = if kind.name == FORBIDDEN_ANSWER {
        "may = [\"admit\", \"allow\"]\n"
    } else {
        ""
    };
    let behaviour = match row {
        None => String::new(),
        Some(_) if kind.name == NO_INSTANCE => {
            "configure = \"refuse_later\", on_publish = \"panic\", authorize = \"slow\"".to_owned()
        }
        Some(row) => format!("{} = \"{}\"", row.behaviour(), kind.behaviour),
    };
    let keys = format!(
        "instances = 1\n{rules}{budgets}{may}grant = {{ publish = [\"flood\"], kv = {{ bytes = \"64KiB\" }} }}"
    );
    let action = row.and_then(|row| row.hook.split_once(": "));
    let action = action.map_or(String::new(), |(_, action)| {
        format!("only_action = \"{action}\"\n")
    });
    let own = format!("nonce = {nonce}\nslow_ms = 0\n{action}behaviour = {{ {behaviour} }}");
    listener.to_owned() + &plugin("hostile", guest("hostile"), &keys, &own)
}

/// Clients that were there before anything failed.
struct Scene<'b> {
    broker: &'b Broker,
    kind: Kind,
    row: Row,
    subject: Client,
    watcher: Client,
    /// A client whose will is for the watcher, where the row is about wills.
    dying: Option<Client>,
}

/// Names that end like this make the guest fail.
const EVIL: &str = "t/evil";

impl<'b> Scene<'b> {
    fn set(broker: &'b Broker, kind: Kind, row: &Row, connect: Connect) -> Self {
        let version = connect.version;
        let mut subject = Client::connect(broker, connect);
        let mut watcher = Client::connect(broker, v5("watcher"));
        watcher.subscribe("t/#", QoS::AtMostOnce);
        if row.hook == "on-unsubscribe" || row.hook.ends_with("deliver") {
            subject.subscribe(EVIL, QoS::AtMostOnce);
        }
        let dying = (row.hook == "on-will").then(|| {
            let connect = Connect {
                will: Some(will(EVIL, "gone")),
                version,
                ..v5("dying")
            };
            Client::connect(broker, connect)
        });
        if kind.name == NO_INSTANCE {
            lose_the_only_instance(broker);
        }
        Self {
            broker,
            kind,
            row: row.clone(),
            subject,
            watcher,
            dying,
        }
    }

    /// Does what the hook is asked about, and tells what the client sees.
    fn play(mut self, version: Version) -> String {
        let is_five = version == Version::V5;
        let seen = match self.row.hook.as_str() {
            "authenticate" => match self.connect(version, |_| {}) {
                seen if seen == "admitted" => "as the listener's `allow_anonymous` says".to_owned(),
                seen => seen,
            },
            "authenticate-enhanced" if !is_five => return "not asked".to_owned(),
            "authenticate-enhanced" => self.connect(version, |connect| {
                connect.properties.authentication_method = Some(ByteString::from_static("any"));
            }),
            "authorize: will" => self.connect(version, |connect| connect.will = Some(will(EVIL, "gone"))),
            "authorize: publish" | "on-publish" | "route" => self.publish(is_five),
            "authorize: subscribe" | "on-subscribe" => self.subscribe(is_five),
            "on-unsubscribe" => self.unsubscribe(is_five),
            "authorize: deliver" | "deliver" => self.be_sent(),
            "on-will" => self.die(),
            "events" => {
                self.connect(version, |_| {});
                self.wait_failed();
                self.subject.expect_nothing();
                return "nothing".to_owned();
            }
            other => panic!("no such hook: {other}"),
        };
        // Where every hook fails, the log has only the first few lines of a second.
        if self.kind.name != NO_INSTANCE && self.row.hook != "on-will" {
            self.wait_failed();
        }
        seen
    }

    /// The log tells of the failure, by its name.
    fn wait_failed(&self) {
        let hook = self.row.hook_name();
        self.broker
            .wait_log(&format!("{hook} failed: {}", self.kind.name));
    }

    fn connect(&self, version: Version, change: impl FnOnce(&mut Connect)) -> String {
        let mut connect = Connect {
            version,
            ..v5("c/evil")
        };
        change(&mut connect);
        let mut client = Client::begin(self.broker, connect);
        let Connack { reason, .. } = client.expect();
        if reason == ConnectReason::Success {
            "admitted".to_owned()
        } else if version == Version::V5 {
            format!("CONNACK {}", hex(reason.code()))
        } else {
            format!("CONNACK {}", reason.v3_code())
        }
    }

    fn publish(&mut self, is_five: bool) -> String {
        self.subject
            .send(Packet::Publish(publish(EVIL, "x", QoS::AtLeastOnce, 77)));
        let answer = self.answer(is_five, "PUBACK", |packet| match packet {
            Packet::Puback(Puback { reason, .. }) => Some(reason.code()),
            _ => None,
        });
        // MQTT 3 knows one PUBACK, and a recipient or none is the same to it.
        let answer = if is_five {
            answer.replace("0x10", "0x00")
        } else {
            answer.replace(" 0x00", "")
        };
        let delivered = if self.watcher_hears() {
            "delivered"
        } else {
            "not delivered"
        };
        format!("{answer}, {delivered}")
    }

    fn watcher_hears(&mut self) -> bool {
        self.watcher.send(Packet::Pingreq);
        match self.watcher.next_packet() {
            Some(Packet::Publish(_)) => {
                assert_eq!(self.watcher.next_packet(), Some(Packet::Pingresp));
                true
            }
            Some(Packet::Pingresp) => false,
            other => panic!("the watcher got {other:?}"),
        }
    }

    fn subscribe(&mut self, is_five: bool) -> String {
        let packet_id = self.subject.fresh_id();
        self.subject.send(Packet::Subscribe(Subscribe {
            packet_id,
            subscription_identifier: None,
            user_properties: Vec::new(),
            filters: vec![SubscribeFilter {
                filter: EVIL.into(),
                options: SubscriptionOptions {
                    qos: QoS::AtLeastOnce,
                    ..SubscriptionOptions::default()
                },
            }],
        }));
        self.answer(is_five, "SUBACK", |packet| match packet {
            Packet::Suback(Suback { reasons, .. }) => Some(if is_five {
                reasons[0].code()
            } else {
                reasons[0].v3_code()
            }),
            _ => None,
        })
    }

    fn unsubscribe(&mut self, is_five: bool) -> String {
        let packet_id = self.subject.fresh_id();
        self.subject.send(Packet::Unsubscribe(Unsubscribe {
            packet_id,
            user_properties: Vec::new(),
            filters: vec![EVIL.into()],
        }));
        let answer = self.answer(is_five, "UNSUBACK", |packet| match packet {
            Packet::Unsuback(Unsuback { reasons, .. }) => {
                Some(reasons.first().map_or(0, |reason| reason.code()))
            }
            _ => None,
        });
        if !answer.starts_with("UNSUBACK") {
            return answer;
        }
        let answer = if is_five {
            answer
        } else {
            answer.replace(" 0x00", "")
        };
        let left = match self.be_sent().as_str() {
            "nothing" => "no longer subscribed",
            _ => "still subscribed",
        };
        format!("{answer}, {left}")
    }

    /// Somebody else publishes what the subject has subscribed to.
    fn be_sent(&mut self) -> String {
        self.watcher
            .send(Packet::Publish(publish(EVIL, "x", QoS::AtLeastOnce, 80)));
        // It is routed once it is answered, or will not be any more: where every question fails, so does that about this.
        while let Some(Packet::Publish(_)) = self.watcher.next_packet() {}
        self.subject.send(Packet::Pingreq);
        match self.subject.next_packet() {
            Some(Packet::Publish(_)) => "the message".to_owned(),
            Some(Packet::Pingresp) => "nothing".to_owned(),
            other => panic!("the subject got {other:?}"),
        }
    }

    fn die(&mut self) -> String {
        self.dying.take().expect("somebody dies in this row").lose();
        self.wait_failed();
        if self.row.verdict == "pass" {
            assert_eq!(self.watcher.receive().payload, "gone");
            "published".to_owned()
        } else {
            self.watcher.expect_nothing();
            "not published".to_owned()
        }
    }

    /// The answer with its code, or how the connection ended.
    fn answer(&mut self, is_five: bool, name: &str, code: impl Fn(&Packet) -> Option<u8>) -> String {
        match self.subject.next_packet() {
            None => "closed".to_owned(),
            Some(Packet::Disconnect(Disconnect { reason, .. })) => {
                assert!(is_five, "MQTT 3 is not told");
                self.subject.expect_closed();
                format!("DISCONNECT {}", hex(reason.code()))
            }
            Some(packet) => {
                let code = code(&packet).unwrap_or_else(|| panic!("expected {name}, got {packet:?}"));
                format!("{name} {}", hex(code))
            }
        }
    }
}

fn hex(code: u8) -> String {
    format!("0x{code:02X}")
}

/// The first message to a topic that the guest panics at: the instance is gone, and no other can be made.
fn lose_the_only_instance(broker: &Broker) {
    let mut sacrifice = Client::connect(broker, v5("sacrifice"));
    sacrifice.send_if_open(Packet::Publish(publish(
        "sacrifice/evil",
        "",
        QoS::AtLeastOnce,
        1,
    )));
    // It is answered, or the connection is closed: whatever the row says of on-publish.
    sacrifice.next_packet();
    broker.wait_log("on-publish failed: trap");
}
