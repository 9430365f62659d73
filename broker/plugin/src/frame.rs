//! The frames of verdicts of `on-publish-batch`, and what other frames have in common with them; `wit/on-publish.wit` has the
//! layout byte by byte.

use bytes::Bytes;
use bytestring::ByteString;
use hookwire_hooks::{Message, Rejection, Replacement, Source, Verdict, Verdicts};
use hookwire_protocol::{PublishPropertyValues, PublishReason, QoS, encode_publish_properties};

use crate::hook::convert::{self, Invalid, Shown};
use crate::hook::on_publish::THROTTLE_MS_MAX;

/// Version of the layouts.
pub(crate) const VERSION: u8 = 1;

/// Bytes in front of the messages or verdicts: version, count.
pub(crate) const HEAD_BYTES: usize = 1 + 4;

const PASS: u8 = 0;

/// Bytes of a message beyond its topic, payload and properties.
const MESSAGE_HEAD_BYTES: usize = 1 + 8 + 1 + 4 + 4 + 4;

const SOURCE_CLIENT: u8 = 0;
const SOURCE_WILL: u8 = 1;
const SOURCE_PLUGIN: u8 = 2;
const SOURCE_ADMIN: u8 = 3;

const FLAG_RETAIN: u8 = 1 << 2;
pub(crate) const FLAG_PROPERTIES: u8 = 1 << 3;

const HAS_TOPIC: u8 = 1 << 0;
const HAS_PAYLOAD: u8 = 1 << 1;
const HAS_QOS: u8 = 1 << 2;
const HAS_RETAIN: u8 = 1 << 3;
const HAS_PROPERTIES: u8 = 1 << 4;

/// Writes a message as deliveries have it: all that is known of it, then its topic, payload and properties.
pub(crate) fn encode_message(message: &Message, shown: Shown, out: &mut Vec<u8>) {
    let properties = shown.properties(message);
    let topic = message.topic.as_str().as_bytes();
    let payload = shown.payload(message);
    let (kind, key) = origin(message.source);
    let has_properties = if properties.is_some() { FLAG_PROPERTIES } else { 0 };
    out.push(kind);
    out.extend_from_slice(&key.to_le_bytes());
    out.push(flags(message) | has_properties);
    put_len(out, topic.len());
    put_len(out, payload.len());
    let properties_len_at = out.len();
    put_len(out, 0);
    out.extend_from_slice(topic);
    out.extend_from_slice(payload);
    if let Some(values) = properties {
        let start = out.len();
        encode_publish_properties(values, out);
        let len = len_bytes(out.len() - start);
        out[properties_len_at..properties_len_at + len.len()].copy_from_slice(&len);
    }
}

/// Who a message is from: the kind, and the client's key.
#[inline]
pub(crate) fn origin(source: Source) -> (u8, u64) {
    match source {
        Source::Client(key) => (SOURCE_CLIENT, key.0),
        Source::Will(key) => (SOURCE_WILL, key.0),
        Source::Plugin { .. } => (SOURCE_PLUGIN, 0),
        // The broker's own messages are not shown to plugins.
        Source::Admin | Source::Broker => (SOURCE_ADMIN, 0),
    }
}

/// QoS and RETAIN flag of a message.
#[inline]
pub(crate) fn flags(message: &Message) -> u8 {
    message.qos as u8 | if message.retain { FLAG_RETAIN } else { 0 }
}

pub(crate) fn put_len(out: &mut Vec<u8>, len: usize) {
    out.extend_from_slice(&len_bytes(len));
}

/// Lengths here come from packets, which are far smaller than 4 GiB; a larger one would make the guest refuse the frame.
#[inline]
pub(crate) fn len_bytes(len: usize) -> [u8; 4] {
    u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes()
}

/// How many bytes a message takes in a frame, its properties not counted exactly.
pub(crate) fn approximate_len(message: &Message, shown: Shown) -> usize {
    let properties = shown.properties(message).map_or(0, approximate_properties_len);
    MESSAGE_HEAD_BYTES + message.topic.as_str().len() + shown.payload(message).len() + properties
}

pub(crate) fn approximate_properties_len(values: &PublishPropertyValues) -> usize {
    let pairs = values.user_properties.iter();
    let pairs: usize = pairs.map(|(name, value)| name.len() + value.len() + 5).sum();
    pairs + values.correlation_data.as_ref().map_or(0, Bytes::len) + 64
}

/// Why a frame of verdicts is of no use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// It breaks the layout: nothing in it means anything.
    Layout(String),
    /// One of its verdicts says what no verdict may say.
    Verdict(Invalid),
}

/// Reads the verdicts on `count` messages. Every byte must be accounted for.
pub(crate) fn decode(frame: Vec<u8>, count: usize) -> Result<Verdicts, Unusable> {
    if is_all_passing(&frame, count) {
        return Ok(Verdicts::passing(count));
    }
    Ok(decode_all(frame, count, verdict)?.into_iter().map(Ok).collect())
}

/// Whether a frame says of all messages that they pass, as nearly all frames do.
fn is_all_passing(frame: &[u8], count: usize) -> bool {
    frame
        .split_at_checked(HEAD_BYTES)
        .is_some_and(|(head, verdicts)| {
            head[0] == VERSION
                && head[1..] == len_bytes(count)
                && verdicts.len() == count
                // Without a way out before the end: then it is done many bytes at a time.
                && verdicts.iter().fold(PASS, |all, verdict| all | verdict) == PASS
        })
}

/// Reads `count` answers, each by `read`.
pub(crate) fn decode_all<T>(
    frame: Vec<u8>,
    count: usize,
    read: impl Fn(&mut Reader) -> Read<T>,
) -> Result<Vec<T>, Unusable> {
    let mut reader = Reader {
        bytes: frame.into(),
        at: 0,
    };
    let version = reader.u8()?;
    if version != VERSION {
        return Err(Unusable::Layout(format!(
            "verdict frame of version {version}, expected {VERSION}"
        )));
    }
    let found = reader.len()?;
    if found != count {
        return Err(Unusable::Layout(format!("{found} verdicts on {count} messages")));
    }
    let mut verdicts = Vec::with_capacity(count);
    // The layout of all verdicts is read before the contents of one are complained about.
    let mut invalid = None;
    for _ in 0..count {
        match read(&mut reader)? {
            Ok(verdict) => verdicts.push(verdict),
            Err(reason) => invalid = invalid.or(Some(reason)),
        }
    }
    match (reader.left(), invalid) {
        (0, None) => Ok(verdicts),
        (0, Some(reason)) => Err(Unusable::Verdict(reason)),
        (left, _) => Err(Unusable::Layout(format!("{left} bytes behind the last verdict"))),
    }
}

/// The outer error breaks the layout, the inner one is about this verdict alone.
pub(crate) type Read<T> = Result<Result<T, Invalid>, Unusable>;

fn verdict(reader: &mut Reader) -> Read<Verdict> {
    Ok(match reader.u8()? {
        PASS => Ok(Verdict::Pass),
        1 => replacement(reader)?.map(|replacement| Verdict::Replace(Box::new(replacement))),
        2 => Ok(Verdict::Drop),
        3 => rejection(reader)?.map(Verdict::Reject),
        4 => rejection(reader)?.map(Verdict::Disconnect),
        5 => Ok(Verdict::Throttle(reader.u32()?.min(THROTTLE_MS_MAX))),
        other => return Err(Unusable::Layout(format!("verdict {other} does not exist"))),
    })
}

pub(crate) fn replacement(reader: &mut Reader) -> Read<Replacement> {
    let has = reader.u8()?;
    if has >= HAS_PROPERTIES << 1 {
        return Err(Unusable::Layout(format!(
            "replacement with unknown fields {has:#04x}"
        )));
    }
    let topic = when(has & HAS_TOPIC, || reader.text())?;
    let payload = when(has & HAS_PAYLOAD, || reader.blob())?;
    let qos = when(has & HAS_QOS, || reader.qos())?;
    let retain = when(has & HAS_RETAIN, || reader.bool())?;
    let properties = when(has & HAS_PROPERTIES, || reader.blob())?;
    let check = || {
        Ok(Replacement {
            topic: topic.map(convert::topic).transpose()?,
            payload,
            qos,
            retain,
            properties: properties
                .map(|bytes| convert::properties_from_wire(&bytes))
                .transpose()?,
        })
    };
    Ok(check())
}

fn when<T>(bit: u8, read: impl FnOnce() -> Result<T, Unusable>) -> Result<Option<T>, Unusable> {
    if bit == 0 { Ok(None) } else { read().map(Some) }
}

fn rejection(reader: &mut Reader) -> Read<Rejection> {
    let reason = match reader.u8()? {
        0 => PublishReason::Unspecified,
        1 => PublishReason::ImplementationSpecific,
        2 => PublishReason::NotAuthorized,
        3 => PublishReason::TopicNameInvalid,
        4 => PublishReason::QuotaExceeded,
        5 => PublishReason::PayloadFormatInvalid,
        other => return Err(Unusable::Layout(format!("publish reason {other} does not exist"))),
    };
    let text = Some(reader.text()?).filter(|text| !text.is_empty());
    Ok(text
        .map(convert::text)
        .transpose()
        .map(|text| Rejection { reason, text }))
}

/// A place in a frame. All reading of it goes through here.
pub(crate) struct Reader {
    bytes: Bytes,
    at: usize,
}

impl Reader {
    fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn take(&mut self, len: usize) -> Result<&[u8], Unusable> {
        if len > self.left() {
            return Err(Unusable::Layout(format!(
                "verdict frame ends {} bytes early",
                len - self.left()
            )));
        }
        let start = self.at;
        self.at += len;
        Ok(&self.bytes[start..self.at])
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Unusable> {
        Ok(self.take(1)?[0])
    }

    fn u32(&mut self) -> Result<u32, Unusable> {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(self.take(4)?);
        Ok(u32::from_le_bytes(bytes))
    }

    fn len(&mut self) -> Result<usize, Unusable> {
        Ok(self.u32()? as usize)
    }

    /// A length and so many bytes, which stay where they are.
    fn blob(&mut self) -> Result<Bytes, Unusable> {
        let len = self.len()?;
        let start = self.at;
        self.take(len)?;
        Ok(self.bytes.slice(start..self.at))
    }

    fn text(&mut self) -> Result<ByteString, Unusable> {
        ByteString::try_from(self.blob()?).map_err(|_| Unusable::Layout("a text that is not UTF-8".into()))
    }

    fn qos(&mut self) -> Result<QoS, Unusable> {
        match self.u8()? {
            0 => Ok(QoS::AtMostOnce),
            1 => Ok(QoS::AtLeastOnce),
            2 => Ok(QoS::ExactlyOnce),
            other => Err(Unusable::Layout(format!("QoS {other} does not exist"))),
        }
    }

    fn bool(&mut self) -> Result<bool, Unusable> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(Unusable::Layout(format!("retain is 0 or 1, not {other}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame with one verdict.
    fn one(verdict: &[u8]) -> Vec<u8> {
        [&[1, 1, 0, 0, 0], verdict].concat()
    }

    #[test]
    fn every_verdict_is_understood() {
        let replace = [
            &[1, 0b1_1111, 3, 0, 0, 0][..],
            b"n/t",
            &[2, 0, 0, 0],
            b"pl",
            &[2, 1, 2, 0, 0, 0, 1, 1],
        ];
        let cases: &[(Vec<u8>, &str)] = &[
            (vec![0], "Pass"),
            (vec![2], "Drop"),
            (
                vec![3, 2, 0, 0, 0, 0],
                "Reject(Rejection { reason: NotAuthorized, text: None })",
            ),
            (
                vec![4, 4, 2, 0, 0, 0, b'n', b'o'],
                "Disconnect(Rejection { reason: QuotaExceeded, text: Some(\"no\") })",
            ),
            (vec![5, 100, 0, 0, 0], "Throttle(100)"),
            (vec![5, 0xff, 0xff, 0xff, 0xff], "Throttle(60000)"),
        ];
        for (bytes, expected) in cases {
            let verdict = decode(one(bytes), 1).unwrap().pop().unwrap().unwrap();
            assert_eq!(format!("{verdict:?}"), *expected, "{bytes:?}");
        }

        let verdict = decode(one(&replace.concat()), 1).unwrap().pop().unwrap();
        let Ok(Verdict::Replace(replacement)) = &verdict else {
            panic!("{verdict:?}")
        };
        assert_eq!(replacement.topic.as_ref().unwrap().as_str(), "n/t");
        assert_eq!(replacement.payload.as_deref(), Some(&b"pl"[..]));
        assert_eq!(
            (replacement.qos, replacement.retain),
            (Some(QoS::ExactlyOnce), Some(true))
        );
        let properties = replacement.properties.as_ref().unwrap();
        assert_eq!(properties.values().unwrap().payload_format_utf8, Some(true));

        let empty = decode(one(&[1, 0b1_0000, 0, 0, 0, 0]), 1).unwrap().pop().unwrap();
        let Ok(Verdict::Replace(replacement)) = &empty else {
            panic!("{empty:?}")
        };
        assert!(
            replacement.properties.as_ref().unwrap().is_empty(),
            "the empty set removes all properties"
        );
    }

    #[test]
    fn broken_frames_are_refused() {
        let cases: &[(&str, Vec<u8>)] = &[
            ("empty", vec![]),
            ("version", vec![2, 1, 0, 0, 0, 0]),
            ("too few verdicts", vec![1, 0, 0, 0, 0]),
            ("too many verdicts", vec![1, 2, 0, 0, 0, 0, 0]),
            ("absurd count", vec![1, 0xff, 0xff, 0xff, 0xff, 0]),
            ("trailing byte", one(&[0, 0])),
            ("unknown verdict", one(&[6])),
            ("unknown field", one(&[1, 0b10_0000])),
            ("topic with wildcard", one(&[1, 1, 1, 0, 0, 0, b'#'])),
            ("empty topic", one(&[1, 1, 0, 0, 0, 0])),
            (
                "topic of the broker",
                one(&[&[1, 1, 6, 0, 0, 0][..], b"$SYS/x"].concat()),
            ),
            ("topic not UTF-8", one(&[1, 1, 1, 0, 0, 0, 0xff])),
            ("QoS 3", one(&[1, 0b100, 3])),
            ("retain 2", one(&[1, 0b1000, 2])),
            ("broken properties", one(&[1, 0b1_0000, 1, 0, 0, 0, 1])),
            ("length beyond the end", one(&[1, 0b10, 0xff, 0xff, 0xff, 0xff])),
            ("reason 6", one(&[3, 6, 0, 0, 0, 0])),
            ("reason string with U+0000", one(&[3, 0, 1, 0, 0, 0, 0])),
            ("throttle cut short", one(&[5, 1, 0, 0])),
        ];
        for (name, frame) in cases {
            assert!(decode(frame.clone(), 1).is_err(), "{name}");
        }
    }

    #[test]
    fn a_bad_verdict_is_told_from_a_broken_frame() {
        let bad_topic = [1, 1, 1, 0, 0, 0, b'#'];
        let frame = |tail: &[u8]| [&[1, 2, 0, 0, 0][..], &bad_topic, tail].concat();
        assert!(matches!(decode(frame(&[0]), 2), Err(Unusable::Verdict(_))));
        assert!(matches!(decode(frame(&[9]), 2), Err(Unusable::Layout(_))));
        assert!(matches!(decode(frame(&[0, 0]), 2), Err(Unusable::Layout(_))));
        assert!(matches!(decode(frame(&[]), 2), Err(Unusable::Layout(_))));

        let property = |n: usize| [&[38, 0, 1, b'n', 0, 1, b'v'][..]; 1].concat().repeat(n);
        let with = |n: usize| {
            let properties = property(n);
            one(&[
                &[1, 0b1_0000][..],
                &(properties.len() as u32).to_le_bytes(),
                &properties,
            ]
            .concat())
        };
        assert!(decode(with(256), 1).is_ok());
        assert!(
            matches!(decode(with(257), 1), Err(Unusable::Verdict(_))),
            "too many user properties"
        );
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = move || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed
        };
        for _ in 0..200_000 {
            let count = random() as usize % 4;
            let mut frame = vec![1, count as u8, 0, 0, 0];
            // Small values are more likely to mean something.
            frame.extend(
                (0..random() % 40).map(|_| (random() % if random() % 4 == 0 { 256 } else { 7 }) as u8),
            );
            let _ = decode(frame, count);
        }
    }

    #[test]
    fn every_cut_of_a_good_frame_is_refused() {
        let verdicts = [
            &[0][..],
            &[1, 1, 1, 0, 0, 0, b't'],
            &[3, 0, 2, 0, 0, 0, b'n', b'o'],
            &[5, 1, 0, 0, 0],
        ];
        let frame = [&[1, 4, 0, 0, 0][..], &verdicts.concat()].concat();
        assert_eq!(decode(frame.clone(), 4).unwrap().len(), 4);
        for end in 0..frame.len() {
            assert!(decode(frame[..end].to_vec(), 4).is_err(), "cut at {end}");
        }
    }
}
