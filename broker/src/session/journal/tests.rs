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

/// As the first format has them; later ones may only add to them.
#[test]
fn records_of_the_first_format_are_read() {
    let retained = [
        &[0; 8][..],   // expires at: never
        &[1 | 4],      // QoS 1, retain
        &[0, 0, 0, 3], // topic
        b"a/b",
        &[0, 0, 0, 0], // properties
        b"on",
    ];
    let outlined = outline_retained(retained.concat(), clock::now()).expect("reads");
    assert_eq!(
        (outlined.topic.as_str(), outlined.outline.payload_bytes),
        ("a/b", 2)
    );
    assert!(outlined.source.is_none());
    let read = decode_retained(retained.concat(), clock::now()).expect("reads");
    assert_eq!(
        (&read.payload[..], read.qos, read.retain),
        (&b"on"[..], QoS::AtLeastOnce, true)
    );
}

/// Clocks of machines jump. What was to last a while lasts no longer than that.
#[test]
fn a_message_lasts_no_longer_than_its_interval_whatever_the_clock_says() {
    let brief = PublishPropertyValues {
        message_expiry_interval_secs: Some(60),
        ..PublishPropertyValues::default()
    };
    let message = Message {
        expires_at: Some(clock::now() + Duration::from_secs(365 * 24 * 3600)),
        properties: PublishProperties::from(brief),
        ..sent()
    };
    let now = clock::now();
    let read = decode_retained(encode_retained(&message, None), now).expect("reads");
    assert_eq!(read.expires_at, Some(now + Duration::from_secs(60)));
}
