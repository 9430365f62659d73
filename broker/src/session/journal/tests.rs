//! Records are read as they were written, or not at all.

use std::time::Duration;

use bytes::Bytes;
use hookwire_hooks::{ClientKey, Message, RuleAction, Source, WillCause, WillDelays};
use hookwire_protocol::{
    PublishProperties, PublishPropertyValues, QoS, RetainHandling, SubscriptionOptions, TopicName, Version,
};

use super::Unreadable;
use super::records::*;
use crate::clock;

fn owner() -> Owner {
    Owner {
        client_id: "panel".into(),
        username: Some("ada".into()),
        address: "192.0.2.1:1234".to_owned(),
        listener: "local".to_owned(),
        version: Version::V3_1_1,
        connected_at_ms: 17,
        attributes: vec![("site".into(), "7".into())],
        superuser: true,
        rules: vec![
            (true, RuleAction::Both, "a/#".into()),
            (false, RuleAction::Subscribe, "b".into()),
        ],
    }
}

fn sent() -> Message {
    Message {
        source: Source::Client(ClientKey(0)),
        topic: TopicName::new("a/b").expect("a topic"),
        payload: Bytes::from_static(b"payload"),
        qos: QoS::ExactlyOnce,
        retain: true,
        properties: PublishProperties::from(PublishPropertyValues {
            content_type: Some("text".into()),
            user_properties: vec![("k".into(), "v".into())],
            ..PublishPropertyValues::default()
        }),
        expires_at: None,
    }
}

fn session() -> SessionRecord {
    SessionRecord {
        owner: owner(),
        expiry: Duration::from_secs(60),
        gone_at_ms: Some(18),
        sent_to: 19,
        mount_point: Some("m/".into()),
        will: Some((sent(), Duration::from_secs(5))),
    }
}

#[test]
fn records_are_read_as_they_were_written() {
    let read = SessionRecord::decode(session().encode()).expect("reads");
    assert_eq!(format!("{read:?}"), format!("{:?}", session()));

    let will = WillRecord {
        owner: owner(),
        message: sent(),
        cause: WillCause::ServerShutdown,
        due_at_ms: 20,
        delays: WillDelays {
            times: 2,
            total: Duration::from_secs(9),
        },
    };
    let read = WillRecord::decode(will.encode()).expect("reads");
    assert_eq!(format!("{read:?}"), format!("{will:?}"));

    for retain_handling in [RetainHandling::SendIfNew, RetainHandling::DoNotSend] {
        let options = SubscriptionOptions {
            qos: QoS::AtLeastOnce,
            no_local: true,
            retain_as_published: false,
            retain_handling,
        };
        let read = decode_subscription(encode_subscription(options, Some(21)));
        assert_eq!(read, Ok((options, Some(21))));
    }
    for source in [None, Some(owner())] {
        let record = encode_retained(&sent(), source.as_ref());
        let read = decode_retained(record.clone(), clock::now()).expect("reads");
        assert_eq!(format!("{read:?}"), format!("{:?}", sent()));
        let outlined = outline_retained(record, clock::now()).expect("reads");
        let read = outlined
            .source
            .map(|source| decode_source(&source).expect("reads"));
        assert_eq!(format!("{read:?}"), format!("{source:?}"));
    }
}

#[test]
fn a_record_that_is_cut_or_too_long_is_not_read() {
    let whole = session().encode();
    for end in 0..whole.len() {
        assert_eq!(
            SessionRecord::decode(whole[..end].to_vec()).err(),
            Some(Unreadable),
            "{end}"
        );
    }
    assert!(SessionRecord::decode([&whole[..], &[0]].concat()).is_err());
    assert_eq!(decode_number(vec![1; 9]), Err(Unreadable));
    assert_eq!(decode_subscription(vec![3, 0, 0, 0, 0]), Err(Unreadable), "QoS 3");
}
