//! Tests of [`super`]: the layout byte by byte, and that messages are seen alike where they were read and in copies.

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use hookwire_hooks::{ClientKey, Source};
use hookwire_protocol::{
    Decoder, Delivery, FrameHeader, Packet, PacketId, Publish, PublishProperties, PublishPropertyValues,
    PublishTopic, QoS, TopicName, Version,
};

use super::*;

const ALL: Shown = Shown {
    payload: true,
    properties: true,
};

fn message(source: Source) -> Message {
    Message {
        source,
        topic: TopicName::new("a/b").unwrap(),
        payload: Bytes::from_static(b"xyz"),
        qos: QoS::AtLeastOnce,
        retain: false,
        properties: PublishProperties::default(),
        expires_at: None,
    }
}

fn with_property(message: Message) -> Message {
    let values = PublishPropertyValues {
        payload_format_utf8: Some(true),
        ..Default::default()
    };
    Message {
        properties: values.into(),
        ..message
    }
}

/// A frame, where they were read if that can be.
fn encode<'a>(
    messages: &[&Message],
    packets: &'a [u8],
    shown: Shown,
    bytes_max: usize,
    room: &'a mut Vec<u8>,
) -> PublishFrame<'a> {
    if as_read(messages, packets, shown, bytes_max, room).is_some() {
        return as_read(messages, packets, shown, bytes_max, room).unwrap();
    }
    of_pieces(messages, shown, bytes_max, room)
}

/// The frame of all messages, and whether it has their packets in place of copies.
fn frame_of(messages: &[Message], packets: &[u8], shown: Shown) -> (Owned, bool) {
    let messages: Vec<&Message> = messages.iter().collect();
    let mut room = vec![9; 100];
    let frame = encode(&messages, packets, shown, usize::MAX, &mut room);
    assert_eq!(frame.len(), messages.len());
    let is_as_read = packets.as_ptr_range().contains(&frame.bytes.as_ptr());
    (Owned::from(frame), is_as_read)
}

/// A frame that has a life of its own.
#[derive(Debug, PartialEq, Eq)]
struct Owned {
    entries: Vec<u8>,
    bytes: Vec<u8>,
}

impl From<PublishFrame<'_>> for Owned {
    fn from(frame: PublishFrame<'_>) -> Self {
        Self {
            entries: frame.entries.to_vec(),
            bytes: frame.bytes.to_vec(),
        }
    }
}

/// What a plugin sees of one message.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    source: u8,
    flags: u8,
    key: u64,
    topic: Vec<u8>,
    payload: Vec<u8>,
    properties: Vec<u8>,
}

fn seen_in(Owned { entries, bytes }: &Owned) -> Vec<Seen> {
    let (entries, rest) = entries.as_chunks::<28>();
    assert!(rest.is_empty());
    let seen = entries.iter().map(|entry| {
        let number = |at: usize| u32::from_le_bytes(entry[at..at + 4].try_into().unwrap()) as usize;
        let topic_len = usize::from(u16::from_le_bytes([entry[2], entry[3]]));
        let [topic_at, payload_at, payload_len, properties_len] = [4, 8, 12, 16].map(number);
        let properties_at = payload_at + payload_len;
        Seen {
            source: entry[0],
            flags: entry[1],
            key: u64::from_le_bytes(entry[20..].try_into().unwrap()),
            topic: bytes[topic_at..topic_at + topic_len].to_vec(),
            payload: bytes[payload_at..properties_at].to_vec(),
            properties: bytes[properties_at..properties_at + properties_len].to_vec(),
        }
    });
    seen.collect()
}

/// The messages of PUBLISH packets, as pieces of them.
fn messages_of(packets: &Bytes, version: Version) -> Vec<Message> {
    let decoder = Decoder {
        version,
        limits: Default::default(),
    };
    let mut at = 0;
    let mut messages = Vec::new();
    while at < packets.len() {
        let header = FrameHeader::peek(&packets[at..]).unwrap().unwrap();
        if let Packet::Publish(publish) = decoder.decode_frame(packets, at, header).unwrap() {
            let PublishTopic::Name { topic, .. } = publish.topic else {
                panic!("no name")
            };
            messages.push(Message {
                source: Source::Client(ClientKey(7)),
                topic,
                payload: publish.payload,
                qos: publish.delivery.qos(),
                retain: publish.retain,
                properties: publish.properties,
                expires_at: None,
            });
        }
        at += header.total_len();
    }
    messages
}

fn publish(topic: &str, payload: &'static [u8], delivery: Delivery) -> Publish {
    Publish {
        dup: false,
        retain: delivery.qos() == QoS::ExactlyOnce,
        delivery,
        topic: PublishTopic::Name {
            topic: TopicName::new(topic).unwrap(),
            alias: None,
        },
        payload: Bytes::from_static(payload),
        properties: PublishProperties::default(),
    }
}

fn wire(packets: &[Publish], version: Version) -> Bytes {
    let mut out = BytesMut::from(&b"before"[..]).split_off(6);
    packets.iter().for_each(|packet| packet.encode(version, &mut out));
    out.freeze()
}

fn some_packets() -> Vec<Publish> {
    let id = |n| PacketId::new(n).unwrap();
    vec![
        publish("a/b", b"xyz", Delivery::AtMostOnce),
        publish("a/ü", b"", Delivery::AtMostOnce),
        publish("c", &[7; 300], Delivery::AtLeastOnce(id(1))),
        publish("d", &[8; 20_000], Delivery::AtMostOnce),
        publish("a/b", b"", Delivery::ExactlyOnce(id(2))),
    ]
}

#[test]
fn messages_are_laid_out_as_documented() {
    let client = message(Source::Client(ClientKey(0x0102_0304_0506_0708)));
    let will = Message {
        retain: true,
        qos: QoS::ExactlyOnce,
        ..message(Source::Will(ClientKey(7)))
    };
    let plugin = with_property(message(Source::Plugin { hops: 3 }));
    let mut room = vec![9; 100];
    let frame = encode(&[&client, &will, &plugin], &[], ALL, 1 << 10, &mut room);
    assert_eq!(frame.hops, 3);

    let mut expected = Vec::new();
    expected.extend([0, 0b0001, 3, 0, 0, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0]);
    expected.extend([8, 7, 6, 5, 4, 3, 2, 1]);
    expected.extend([1, 0b0110, 3, 0, 6, 0, 0, 0, 9, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0]);
    expected.extend([7, 0, 0, 0, 0, 0, 0, 0]);
    expected.extend([2, 0b1001, 3, 0, 12, 0, 0, 0, 15, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0]);
    expected.extend([0; 8]);
    assert_eq!(frame.entries, expected);
    assert_eq!(frame.bytes, b"a/bxyza/bxyza/bxyz\x01\x01");
}

#[test]
fn messages_are_seen_alike_where_they_were_read_and_in_copies() {
    for version in [Version::V3_1_1, Version::V5] {
        let packets = wire(&some_packets(), version);
        let messages = messages_of(&packets, version);
        let (as_read, is_as_read) = frame_of(&messages, &packets, ALL);
        assert!(is_as_read, "{version:?}");
        let (copied, is_as_read) = frame_of(&messages, &[], ALL);
        assert!(!is_as_read);
        assert_eq!(seen_in(&as_read), seen_in(&copied), "{version:?}");
        assert_eq!(seen_in(&copied).len(), messages.len());

        // From any of them on, and up to any.
        for from in 0..messages.len() {
            for to in from + 1..=messages.len() {
                let (as_read, is_as_read) = frame_of(&messages[from..to], &packets, ALL);
                assert!(is_as_read);
                assert_eq!(
                    seen_in(&as_read),
                    seen_in(&frame_of(&messages[from..to], &[], ALL).0)
                );
            }
        }
    }
}

#[test]
fn what_lies_between_messages_is_not_shown() {
    let secret = publish("s", b"", Delivery::AtMostOnce);
    let [one, other] = [0, 1].map(|_| publish("a/b", b"xyz", Delivery::AtMostOnce));
    let packets = wire(&[one, secret, other], Version::V3_1_1);
    let mut messages = messages_of(&packets, Version::V3_1_1);
    messages.remove(1);
    let (frame, is_as_read) = frame_of(&messages, &packets, ALL);
    assert!(!is_as_read);
    assert!(!frame.bytes.contains(&b's'));
    assert_eq!(seen_in(&frame), seen_in(&frame_of(&messages, &[], ALL).0));
}

#[test]
fn a_message_from_elsewhere_is_copied_from_there() {
    let packets = wire(&some_packets(), Version::V3_1_1);
    let read = messages_of(&packets, Version::V3_1_1);
    let changes: [fn(&mut Message); 4] = [
        |message| message.topic = TopicName::new("n/t").unwrap(),
        |message| message.payload = Bytes::from_static(b"new"),
        |message| *message = with_property(message.clone()),
        |message| message.payload = message.payload.slice(..message.payload.len() / 2),
    ];
    for (index, change) in changes.iter().enumerate() {
        for at in 0..read.len() {
            let mut messages = read.clone();
            change(&mut messages[at]);
            let (frame, _) = frame_of(&messages, &packets, ALL);
            assert_eq!(
                seen_in(&frame),
                seen_in(&frame_of(&messages, &[], ALL).0),
                "{index} {at}"
            );
        }
    }
    // Their order is that of the messages, not that of the packets.
    let mut messages = read;
    messages.reverse();
    let (frame, is_as_read) = frame_of(&messages, &packets, ALL);
    assert!(!is_as_read);
    assert_eq!(seen_in(&frame), seen_in(&frame_of(&messages, &[], ALL).0));
}

/// A topic of other memory may end where the packets begin, and be followed by nothing.
#[test]
fn what_lies_right_before_the_packets_is_none_of_them() {
    let memory = Bytes::from_static(b"a/bpackets");
    let message = Message {
        topic: TopicName::new(ByteString::try_from(memory.slice(..3)).unwrap()).unwrap(),
        payload: Bytes::new(),
        ..message(Source::Client(ClientKey(1)))
    };
    for (packets, begins) in [(&memory[3..], "behind it"), (&memory[..0], "nowhere")] {
        let (frame, is_as_read) = frame_of(std::slice::from_ref(&message), packets, ALL);
        assert!(!is_as_read, "{begins}");
        assert_eq!(seen_in(&frame)[0].topic, b"a/b");
    }
}

#[test]
fn what_is_not_wanted_is_not_shown() {
    let shown = Shown {
        payload: false,
        properties: false,
    };
    let (frame, _) = frame_of(
        &[with_property(message(Source::Client(ClientKey(1))))],
        &[],
        shown,
    );
    let mut expected = vec![0, 1, 3, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    expected.extend([1, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(frame.entries, expected);
    assert_eq!(frame.bytes, b"a/b");

    let packets = wire(&some_packets(), Version::V3_1_1);
    let messages = messages_of(&packets, Version::V3_1_1);
    let (frame, is_as_read) = frame_of(&messages, &packets, shown);
    assert!(!is_as_read);
    assert!(seen_in(&frame).iter().all(|seen| seen.payload.is_empty()));
    assert!(frame.bytes.len() < 20);
}

#[test]
fn a_frame_ends_before_it_is_too_long() {
    let same = [0; 3].map(|_| publish("a/b", b"xyz", Delivery::AtMostOnce));
    let packets = wire(&same, Version::V3_1_1);
    let messages = messages_of(&packets, Version::V3_1_1);
    let messages: Vec<&Message> = messages.iter().collect();
    let mut room = Vec::new();
    // With the heads of the packets in between or without.
    for (packets, between) in [(&packets[..], 4), (&[][..], 0)] {
        let len = 28 + 6;
        let two = 2 * len + between;
        for (bytes_max, fit) in [(0, 1), (len, 1), (two - 1, 1), (two, 2), (9 * len, 3)] {
            let frame = encode(&messages, packets, ALL, bytes_max, &mut room);
            assert_eq!(frame.len(), fit, "{bytes_max}");
            assert_eq!(frame.bytes.len(), fit * 6 + (fit - 1) * between);
        }
    }
}
