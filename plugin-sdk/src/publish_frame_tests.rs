//! Tests of [`super`] and of frames: the layout byte by byte, and that no bytes make the parser panic.

use proptest::prelude::*;

use super::*;
use crate::bindings::types::{Properties as PropertiesBuf, PublishReason as Reason, Qos, Source};

/// One message as the broker would write it.
#[derive(Debug, Clone)]
struct Sent {
    source: u8,
    key: u64,
    flags: u8,
    topic: String,
    payload: Vec<u8>,
    properties: Vec<u8>,
}

/// What the broker hands over.
#[derive(Debug, Clone, Default)]
struct Handed {
    entries: Vec<u8>,
    bytes: Vec<u8>,
}

fn handed(messages: &[Sent]) -> Handed {
    let Handed {
        mut entries,
        mut bytes,
    } = Handed::default();
    for Sent {
        source,
        key,
        flags,
        topic,
        payload,
        properties,
    } in messages
    {
        let topic_at = bytes.len();
        bytes.extend_from_slice(topic.as_bytes());
        let payload_at = bytes.len();
        bytes.extend_from_slice(payload);
        bytes.extend_from_slice(properties);
        entries.extend_from_slice(&[*source, *flags]);
        entries.extend_from_slice(&(topic.len() as u16).to_le_bytes());
        for number in [topic_at, payload_at, payload.len(), properties.len()] {
            entries.extend_from_slice(&(number as u32).to_le_bytes());
        }
        entries.extend_from_slice(&key.to_le_bytes());
    }
    Handed { entries, bytes }
}

fn sent(topic: &str) -> Sent {
    let (payload, properties) = (b"payload".to_vec(), vec![0x26, 0, 1, b'k', 0, 1, b'v']);
    Sent {
        source: 0,
        key: 7,
        flags: 0b1110,
        topic: topic.to_owned(),
        payload,
        properties,
    }
}

/// As nearly all messages are, for which there is a shorter way: of a client, of QoS 0 or 1, without properties.
fn usual(topic: &str) -> Sent {
    Sent {
        flags: 0b0101,
        properties: vec![],
        ..sent(topic)
    }
}

/// All that is made here is ASCII or text.
#[expect(unsafe_code, reason = "made here")]
fn judge_each(
    Handed { entries, bytes }: &Handed,
    judge: impl FnMut(&Message<'_>) -> Verdict,
) -> Result<Vec<u8>, FrameError> {
    // SAFETY: see above.
    judge_all(&unsafe { PublishFrame::of_broker(entries, bytes) }?, judge)
}

fn judge(handed: &Handed) -> Result<Vec<u8>, FrameError> {
    judge_each(handed, |_| Verdict::Pass)
}

/// What one verdict looks like, without the head of the frame.
fn written(verdict: Verdict) -> Vec<u8> {
    let mut verdict = Some(verdict);
    let frame = judge_each(&handed(&[sent("a")]), |_| verdict.take().unwrap()).unwrap();
    assert_eq!(frame[..5], [1, 1, 0, 0, 0]);
    frame[5..].to_vec()
}

#[test]
fn messages_are_seen_as_sent() {
    let will = Sent {
        source: 1,
        key: u64::MAX,
        flags: 1,
        properties: vec![],
        ..sent("b/ü")
    };
    let plugin = Sent {
        source: 2,
        key: 0,
        flags: 0,
        payload: vec![],
        properties: vec![],
        ..sent("")
    };
    let mut seen = Vec::new();
    let verdicts = judge_each(&handed(&[sent("a"), will, plugin]), |message| {
        let property = message.properties().user_property("k").map(str::to_owned);
        seen.push((
            message.source(),
            message.topic().to_owned(),
            message.payload().to_owned(),
            message.qos(),
            message.retain(),
            property,
        ));
        Verdict::Pass
    });
    assert_eq!(verdicts, Ok(vec![1, 3, 0, 0, 0, 0, 0, 0]));
    let payload = b"payload".to_vec();
    let expected = [
        (
            Source::Client(7),
            "a".into(),
            payload.clone(),
            Qos::ExactlyOnce,
            true,
            Some("v".into()),
        ),
        (
            Source::Will(u64::MAX),
            "b/ü".into(),
            payload,
            Qos::AtLeastOnce,
            false,
            None,
        ),
        (
            Source::Plugin,
            String::new(),
            vec![],
            Qos::AtMostOnce,
            false,
            None,
        ),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn sources_without_a_client_have_no_key() {
    for (source, expected) in [(2, Source::Plugin), (3, Source::Admin), (4, Source::Bridge)] {
        let message = Sent {
            source,
            key: 0,
            ..sent("a")
        };
        let verdicts = judge_each(&handed(&[message]), |message| {
            assert_eq!((message.source(), message.client()), (expected, None));
            Verdict::Pass
        });
        assert!(verdicts.is_ok(), "{source}");
    }
}

#[test]
fn no_messages_no_verdicts() {
    assert_eq!(judge(&Handed::default()), Ok(vec![1, 0, 0, 0, 0]));
}

#[test]
fn verdicts_are_in_the_order_of_their_messages() {
    let messages: Vec<Sent> = ["", "2", "", "", "2", "2", "", ""].map(sent).into();
    let verdicts = judge_each(&handed(&messages), |message| {
        if message.topic.is_empty() {
            Verdict::Pass
        } else {
            Verdict::Drop
        }
    });
    assert_eq!(verdicts, Ok(vec![1, 8, 0, 0, 0, 0, 2, 0, 0, 2, 2, 0, 0]));
}

#[test]
fn verdicts_have_the_documented_layout() {
    assert_eq!(written(Verdict::Pass), [0]);
    assert_eq!(written(Verdict::Drop), [2]);
    assert_eq!(written(Verdict::throttle(0x0102)), [5, 2, 1, 0, 0]);
    assert_eq!(
        written(Verdict::reject(Reason::QuotaExceeded, "no")),
        [3, 4, 2, 0, 0, 0, b'n', b'o']
    );
    assert_eq!(
        written(Verdict::Disconnect(Reason::Unspecified.into())),
        [4, 0, 0, 0, 0, 0]
    );
    assert_eq!(written(Replacement::default().into()), [1, 0]);
    assert_eq!(
        written(Replacement::topic("t").into()),
        [1, 0b00001, 1, 0, 0, 0, b't']
    );
    let mut properties = PropertiesBuf::default();
    properties.push_user_property("k", "v");
    let all = Replacement::topic("t")
        .and_payload("p")
        .and_qos(Qos::ExactlyOnce)
        .and_retain(true)
        .and_properties(properties);
    let mut expected = vec![1, 0b11111, 1, 0, 0, 0, b't', 1, 0, 0, 0, b'p', 2, 1];
    expected.extend([7, 0, 0, 0, 0x26, 0, 1, b'k', 0, 1, b'v']);
    assert_eq!(written(all.into()), expected);
    assert_eq!(
        written(Replacement::properties(PropertiesBuf::default()).into()),
        [1, 0b10000, 0, 0, 0, 0]
    );
}

#[test]
fn a_property_too_long_rejects_its_message_only() {
    let mut properties = PropertiesBuf::default();
    properties.push_user_property("k", "x".repeat(65_536));
    let verdict = written(Replacement::topic("t").and_properties(properties).into());
    assert_eq!(verdict[..2], [3, Reason::ImplementationSpecific as u8]);
}

#[test]
fn broken_frames_are_refused() {
    let bad = |change: fn(&mut Sent)| {
        let mut message = sent("a");
        change(&mut message);
        judge(&handed(&[message]))
    };
    assert_eq!(bad(|message| message.source = 5), Err(FrameError::UndefinedValue));
    assert_eq!(bad(|message| message.source = 3), Err(FrameError::UndefinedValue));
    assert_eq!(bad(|message| message.source = 2), Err(FrameError::UndefinedValue));
    assert_eq!(
        bad(|message| message.flags = 0b1011),
        Err(FrameError::UndefinedValue)
    );
    assert_eq!(
        bad(|message| message.flags |= 0b1_0000),
        Err(FrameError::UndefinedValue)
    );
    assert_eq!(bad(|message| message.flags = 0), Err(FrameError::UndefinedValue));
    // The same without properties, which is what most messages are.
    for (source, flags) in [(0, 0b0011), (0, 0b1_0000), (5, 0), (2, 0)] {
        let message = Sent {
            source,
            flags,
            properties: vec![],
            ..sent("a")
        };
        let judged = judge(&handed(&[message]));
        assert_eq!(judged, Err(FrameError::UndefinedValue), "{source} {flags:#b}");
    }
}

/// What the packets of the messages have besides lies between the pieces.
#[test]
fn bytes_may_belong_to_nothing() {
    let mut handed = handed(&[sent("a")]);
    handed.bytes.push(0);
    assert!(judge(&handed).is_ok());
}

#[test]
fn no_piece_is_beyond_the_end() {
    const HALF: u32 = 1 << 31;
    let (topic_at, payload_at, payload_len, properties_len) = (4, 8, 12, 16);
    for changes in [
        &[(topic_at, u32::MAX)][..],
        &[(topic_at, 1 + 7 + 7)],
        &[(payload_at, u32::MAX)],
        &[(payload_at, HALF), (payload_len, HALF)],
        &[(payload_len, HALF), (properties_len, HALF)],
        &[(payload_len, u32::MAX), (properties_len, 1)],
        &[(payload_at, u32::MAX), (payload_len, u32::MAX)],
        &[(payload_len, 8), (properties_len, 7)],
        &[(payload_len, 15)],
        &[(properties_len, 8)],
    ] {
        for message in [sent("a"), usual("a")] {
            let mut handed = handed(&[message]);
            for (field, value) in changes {
                handed.entries[*field..field + 4].copy_from_slice(&value.to_le_bytes());
            }
            assert_eq!(judge(&handed), Err(FrameError::Truncated), "{changes:?}");
        }
    }
}

#[test]
fn what_ends_early_is_truncated() {
    for messages in [[sent("a"), sent("b/c")], [usual("a"), usual("b/c")]] {
        ends_early(&handed(&messages));
    }
}

fn ends_early(whole: &Handed) {
    let cut = |entries: usize, bytes: usize| Handed {
        entries: whole.entries[..entries].to_vec(),
        bytes: whole.bytes[..bytes].to_vec(),
    };
    for end in (0..whole.entries.len()).filter(|end| !end.is_multiple_of(ENTRY_BYTES)) {
        let judged = judge(&cut(end, whole.bytes.len()));
        assert_eq!(judged, Err(FrameError::Truncated), "{end}");
    }
    for end in 0..whole.bytes.len() {
        let judged = judge(&cut(whole.entries.len(), end));
        assert_eq!(judged, Err(FrameError::Truncated), "{end}");
    }
}

/// Places and lengths at and around the end of 40 bytes, and such whose sum does not fit into 32 bits.
fn number() -> impl Strategy<Value = u32> {
    prop_oneof![0..44_u32, Just(1 << 31), Just(u32::MAX), Just(u32::MAX - 39)]
}

proptest! {
    /// The shorter way, too, tells pieces that are there from those that are not.
    #[test]
    fn pieces_are_handed_out_if_they_are_there(
        (topic_at, topic_len, payload_at, payload_len) in (number(), 0..44_u16, number(), number()),
        flags in prop_oneof![Just(0_u8), Just(1), Just(4), Just(5)],
    ) {
        let bytes: Vec<u8> = (0..40).collect();
        let mut entries = vec![0, flags];
        entries.extend_from_slice(&topic_len.to_le_bytes());
        for number in [topic_at, payload_at, payload_len, 0] {
            entries.extend_from_slice(&number.to_le_bytes());
        }
        entries.extend_from_slice(&7_u64.to_le_bytes());
        let piece = |at: u32, len: u32| bytes.get(at as usize..)?.get(..len as usize);
        let expected = piece(topic_at, topic_len.into()).zip(piece(payload_at, payload_len));
        let mut seen = None;
        let judged = judge_each(&Handed { entries, bytes: bytes.clone() }, |message| {
            seen = Some((message.topic().as_bytes().to_vec(), message.payload().to_vec()));
            Verdict::Pass
        });
        prop_assert_eq!(judged.is_ok(), expected.is_some());
        prop_assert_eq!(seen, expected.map(|(topic, payload)| (topic.to_vec(), payload.to_vec())));
    }

    #[test]
    fn no_bytes_make_it_panic(
        entries in proptest::collection::vec(0..0x80_u8, 0..5 * ENTRY_BYTES),
        bytes in proptest::collection::vec(0..0x80_u8, 0..300),
    ) {
        let _ = judge(&Handed { entries, bytes });
    }

    /// Bytes that have a meaning more often than random ones do.
    #[test]
    fn no_change_makes_it_panic(
        topics in proptest::collection::vec("[a-c/]{0,6}", 0..4),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), 0..0x80_u8), 0..4),
    ) {
        let kinds = [sent, usual];
        let messages: Vec<Sent> = topics.iter().enumerate().map(|(n, topic)| kinds[n % 2](topic)).collect();
        let mut handed = handed(&messages);
        for (index, byte) in changes {
            let at = index.index(handed.entries.len() + handed.bytes.len() + 1);
            let byte_there = handed.entries.iter_mut().chain(&mut handed.bytes).nth(at);
            byte_there.into_iter().for_each(|there| *there = byte);
        }
        let result = judge_each(&handed, |message| {
            let properties = message.properties().to_owned();
            Replacement::payload(message.payload()).and_properties(properties).into()
        });
        if let Ok(verdicts) = result {
            prop_assert_eq!(verdicts[1..5].to_vec(), (messages.len() as u32).to_le_bytes().to_vec());
        }
    }
}
