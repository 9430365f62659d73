//! Who is told what, and how much of it.

use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use hookwire_hooks::{
    ClientFacts, ClientKey, Hook, HookSet, Host, Matter, Message, Plugin, PluginPublish, RetainedAmount,
    Source, Unread, Verdict,
};
use hookwire_plugin_host::recording::{Exchange, Header, Outcome, Reader, VerdictReply};
use hookwire_protocol::{PublishProperties, QoS, TopicFilter, TopicName, Version};

use super::*;
use crate::broker::tests::policy::{failure, judging};

fn topic(text: &str) -> TopicName {
    TopicName::new(text.to_owned()).unwrap()
}

fn explain(client: Option<&str>, filter: Option<&str>, payload: bool) -> Subject {
    Subject::Explain {
        client: client.map(str::to_owned),
        topic: filter.map(|filter| TopicFilter::new(filter.to_owned()).unwrap()),
        payload,
    }
}

const BOUNDS: Bounds = Bounds {
    lines_max: 100,
    waiting_bytes_max: 1 << 20,
};

/// What waits to be read; and whether it is over.
fn read(lines: &Lines) -> (Vec<Value>, bool) {
    let mut all = Vec::new();
    let context = Context::from_waker(Waker::noop());
    loop {
        match lines.poll_next(&context) {
            Poll::Ready(Some(line)) => all.push(serde_json::from_slice(&line).unwrap()),
            Poll::Ready(None) => return (all, true),
            Poll::Pending => return (all, false),
        }
    }
}

fn routed(watches: &Watches, client: &str, to: Option<&str>, name: &str) {
    watches.tell(&Happening {
        client: Some(client),
        to,
        topic: Some(Matter::Topic(&topic(name))),
        what: What::Judged(Published::Routed),
    });
}

#[test]
fn each_is_told_what_concerns_it() {
    let watches = Arc::new(Watches::default());
    assert!(!watches.is_on());
    let open = |subject| watches.open(subject, BOUNDS, 9).unwrap();
    let by_client = open(explain(Some("lamp"), None, false));
    let by_topic = open(explain(None, Some("a/+"), false));
    let by_both = open(explain(Some("lamp"), Some("a/+"), false));
    assert!(watches.is_on());
    routed(&watches, "lamp", None, "a/b");
    routed(&watches, "oven", None, "a/c");
    routed(&watches, "oven", Some("lamp"), "b");
    let topics = |lines: &Lines| -> Vec<String> {
        let (lines, _) = read(lines);
        lines
            .iter()
            .map(|line| line["topic"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(topics(&by_client), ["a/b", "b"]);
    assert_eq!(topics(&by_topic), ["a/b", "a/c"]);
    assert_eq!(topics(&by_both), ["a/b"]);
    drop((by_client, by_topic));
    assert!(watches.is_on());
    drop(by_both);
    assert!(!watches.is_on());
}

#[test]
fn a_watch_ends_after_its_lines() {
    let watches = Arc::new(Watches::default());
    let bounds = Bounds {
        lines_max: 2,
        ..BOUNDS
    };
    let lines = watches.open(explain(None, Some("#"), false), bounds, 1).unwrap();
    assert!(
        watches.open(explain(None, Some("#"), false), bounds, 1).is_none(),
        "one too many"
    );
    for _ in 0..3 {
        routed(&watches, "c", None, "a");
    }
    let (read, is_over) = read(&lines);
    assert_eq!((read.len(), is_over), (2, true));
}

#[test]
fn what_does_not_fit_is_counted() {
    let watches = Arc::new(Watches::default());
    let bounds = Bounds {
        waiting_bytes_max: 250,
        ..BOUNDS
    };
    let lines = watches.open(explain(None, Some("#"), false), bounds, 1).unwrap();
    for _ in 0..10 {
        routed(&watches, "c", None, "a");
    }
    let (told, _) = read(&lines);
    let (last, before) = told.split_last().unwrap();
    assert_eq!(last["event"], "lost");
    assert_eq!(before.len() as u64 + last["lines"].as_u64().unwrap(), 10);
    routed(&watches, "c", None, "a");
    assert_eq!(read(&lines).0.len(), 1, "there is room again");
}

fn message(payload: &'static [u8]) -> Message {
    Message {
        source: Source::Client(ClientKey(7)),
        topic: topic("a/b"),
        payload: Bytes::from_static(payload),
        qos: QoS::AtLeastOnce,
        retain: false,
        properties: PublishProperties::NONE,
        expires_at: None,
    }
}

#[test]
fn payloads_are_shown_only_if_asked_for() {
    let watches = Arc::new(Watches::default());
    let without = watches.open(explain(None, Some("#"), false), BOUNDS, 9).unwrap();
    let with = watches.open(explain(None, Some("#"), true), BOUNDS, 9).unwrap();
    for payload in [&b"secret"[..], b"\xff\x00\x01\x02"] {
        let message = message(payload);
        watches.tell(&Happening {
            client: Some("c"),
            to: None,
            topic: Some(Matter::Topic(&message.topic)),
            what: What::Arrived(&message),
        });
    }
    let (without, with) = (read(&without).0, read(&with).0);
    assert_eq!(
        (&without[0]["payload_bytes"], &without[0]["payload"]),
        (&6.into(), &Value::Null)
    );
    assert_eq!(without[1]["payload_bytes"], 4);
    assert_eq!(with[0]["payload"], "secret");
    assert_eq!(with[1]["payload"]["base64"], "/wABAg==");
}

/// Knows one client.
struct One;

impl Host for One {
    fn client(&self, key: ClientKey) -> Option<Arc<ClientFacts>> {
        (key == ClientKey(7)).then(|| {
            Arc::new(ClientFacts {
                key,
                client_id: "seven".into(),
                username: None,
                address: "192.0.2.1:1".into(),
                listener: "l".into(),
                version: Version::V5,
                connected_at_ms: 1,
                attributes: Vec::new(),
            })
        })
    }

    fn disconnect(&self, _: ClientKey, _: Option<String>) -> bool {
        false
    }

    fn publish(&self, _: Vec<PluginPublish>) -> bool {
        false
    }

    fn forget_answers(&self, _: ClientKey) -> bool {
        false
    }

    fn reauthorize(&self, _: ClientKey) -> bool {
        false
    }

    fn retained(&self, _: &TopicName) -> Result<Option<Message>, Unread> {
        Ok(None)
    }

    fn retained_matching(
        &self,
        _: &TopicFilter,
        _: Option<&str>,
        _: RetainedAmount,
    ) -> Result<Vec<Message>, Unread> {
        Ok(Vec::new())
    }

    fn has_room_to_retain(&self, _: &Message) -> bool {
        false
    }
}

#[test]
fn what_is_recorded_can_be_read_back() {
    let plugin = judging("judge", |message| {
        if message.payload == "bad" {
            Ok(Verdict::Drop)
        } else {
            Err(failure())
        }
    });
    let watches = Arc::new(Watches::default());
    let watched = WatchedPlugin::new(plugin, 3, Arc::clone(&watches), Arc::new(One));
    assert_eq!(watched.hooks(), HookSet::EMPTY.with(Hook::OnPublish));
    let run = [&message(b"bad"), &message(b"odd")];
    assert_eq!(
        watched.on_publish(&run).len(),
        2,
        "asked although nobody looks on"
    );

    let record = |plugin: &str| {
        let subject = Subject::Record {
            plugin: plugin.to_owned(),
            with_secrets: false,
        };
        watches.open(subject, BOUNDS, 9).unwrap()
    };
    let (lines, others) = (record("judge"), record("another"));
    watched.on_publish(&run);
    assert_eq!(read(&others).0.len(), 0);

    let header = Header {
        hookwire_recording: hookwire_plugin_host::recording::FORMAT,
        plugin: "judge".into(),
        sha256: String::new(),
        generation: 3,
        began_at_ms: 0,
        secrets: false,
    };
    let mut file = line(&serde_json::to_value(&header).unwrap());
    for case in read(&lines).0 {
        file.extend(line(&case));
    }
    let cases: Vec<_> = Reader::new(&file[..]).unwrap().map(Result::unwrap).collect();
    assert_eq!(cases.len(), 2);
    assert_eq!(cases[0].clients[0].client_id, "seven");
    let answers: Vec<_> = cases
        .iter()
        .map(|case| match &case.exchange {
            Exchange::OnPublish { answer, .. } => answer.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(answers[0], Outcome::Answered(VerdictReply::Drop));
    assert!(matches!(&answers[1], Outcome::Failed(failed) if failed.failure == "trap"));
}
