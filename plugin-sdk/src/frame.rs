//! The frames of `on-publish-batch`: many messages in, as many verdicts out, and what other frames have in common with
//! them. The layout is documented in `wit/on-publish.wit`.

use std::{fmt, mem};

use crate::bindings::types::{PublishReason, Qos, Rejection, Replacement, Source, Verdict};
use crate::message::Message;
use crate::properties::Properties;
use crate::wire::{Reader, text};

pub(crate) const VERSION: u8 = 1;
/// Bytes of a message with an empty topic, payload and properties.
const MESSAGE_BYTES_MIN: usize = 22;

const CLIENT: u8 = 0;
const PASS: u8 = 0;

const QOS_BITS: u8 = 0b0011;
const RETAIN_BIT: u8 = 0b0100;
const PROPERTIES_BIT: u8 = 0b1000;

/// Why bytes are not a frame of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameError {
    /// The version is none that this SDK reads.
    UnknownVersion,
    /// The frame ends before its last message does.
    Truncated,
    /// More bytes follow the last message.
    TrailingBytes,
    /// Source, flags or QoS have a value that is not defined.
    UndefinedValue,
    /// The topic is not UTF-8.
    TopicNotUtf8,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownVersion => "unknown version",
            Self::Truncated => "ends early",
            Self::TrailingBytes => "bytes follow the last message",
            Self::UndefinedValue => "undefined value",
            Self::TopicNotUtf8 => "topic is not UTF-8",
        })
    }
}

/// Answers a frame of messages with the verdicts of `judge`.
///
/// Passed messages cost no allocation but their share of the one answer.
#[inline]
pub(crate) fn judge_all(
    frame: &[u8],
    mut judge: impl FnMut(&Message<'_>) -> Verdict,
) -> Result<Vec<u8>, FrameError> {
    let mut reader = Reader::new(frame);
    let count = read_head(&mut reader)?;
    let mut verdicts = Verdicts::with_room_for(count);
    for _ in 0..count {
        let message = read_message(&mut reader)?;
        verdicts.push(judge(&message));
    }
    if reader.is_empty() {
        Ok(verdicts.into_frame())
    } else {
        Err(FrameError::TrailingBytes)
    }
}

/// A frame of verdicts in the making. Nearly all messages pass, so those that do are counted, and written when another verdict
/// follows.
struct Verdicts {
    frame: Vec<u8>,
    /// Messages that pass and are not written yet.
    passing: usize,
}

impl Verdicts {
    fn with_room_for(count: u32) -> Self {
        let mut frame = Vec::with_capacity(5 + count as usize);
        frame.push(VERSION);
        frame.extend_from_slice(&count.to_le_bytes());
        Self { frame, passing: 0 }
    }

    #[inline]
    fn push(&mut self, verdict: Verdict) {
        if matches!(verdict, Verdict::Pass) {
            self.passing += 1;
            // It owns nothing; dropping it would be a call that finds that out.
            mem::forget(verdict);
        } else {
            self.put(verdict);
        }
    }

    /// By itself, so that the loop over the messages stays small.
    #[cold]
    #[inline(never)]
    fn put(&mut self, verdict: Verdict) {
        self.put_passing();
        put_verdict(&mut self.frame, &verdict);
    }

    fn put_passing(&mut self) {
        let len = self.frame.len() + self.passing;
        self.frame.resize(len, PASS);
        self.passing = 0;
    }

    fn into_frame(mut self) -> Vec<u8> {
        self.put_passing();
        self.frame
    }
}

/// The number of messages, which is one that the rest of the frame has room for.
pub(crate) fn read_head(reader: &mut Reader<'_>) -> Result<u32, FrameError> {
    match reader.u8() {
        Some(VERSION) => {}
        Some(_) => return Err(FrameError::UnknownVersion),
        None => return Err(FrameError::Truncated),
    }
    let count = reader
        .array()
        .map(u32::from_le_bytes)
        .ok_or(FrameError::Truncated)?;
    let room = reader.len() / MESSAGE_BYTES_MIN;
    if count as usize > room {
        Err(FrameError::Truncated)
    } else {
        Ok(count)
    }
}

#[inline]
pub(crate) fn read_message<'a>(reader: &mut Reader<'a>) -> Result<Message<'a>, FrameError> {
    let head = Head::read(reader).ok_or(FrameError::Truncated)?;
    let source = read_source(head.source, head.key)?;
    let (qos, retain) = read_flags(head.flags)?;
    let mut bytes = |length: u32| reader.bytes(length as usize).ok_or(FrameError::Truncated);
    let topic = bytes(head.topic_bytes)?;
    let payload = bytes(head.payload_bytes)?;
    let properties = bytes(head.properties_bytes)?;
    if head.flags & PROPERTIES_BIT == 0 && !properties.is_empty() {
        return Err(FrameError::UndefinedValue);
    }
    Ok(Message {
        source,
        topic: text(topic).ok_or(FrameError::TopicNotUtf8)?,
        payload,
        qos,
        retain,
        properties: Properties::wire(properties),
    })
}

/// What stands before the bytes of a message.
struct Head {
    source: u8,
    key: u64,
    flags: u8,
    topic_bytes: u32,
    payload_bytes: u32,
    properties_bytes: u32,
}

impl Head {
    #[inline]
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let mut head = Reader::new(reader.bytes(MESSAGE_BYTES_MIN)?);
        Some(Self {
            source: head.u8()?,
            key: u64::from_le_bytes(head.array()?),
            flags: head.u8()?,
            topic_bytes: u32::from_le_bytes(head.array()?),
            payload_bytes: u32::from_le_bytes(head.array()?),
            properties_bytes: u32::from_le_bytes(head.array()?),
        })
    }
}

#[inline]
fn read_source(kind: u8, key: u64) -> Result<Source, FrameError> {
    if kind == CLIENT {
        Ok(Source::Client(key))
    } else {
        read_other_source(kind, key)
    }
}

/// By itself, so that what nearly every message takes is one comparison and no table.
#[cold]
fn read_other_source(kind: u8, key: u64) -> Result<Source, FrameError> {
    match (kind, key) {
        (1, key) => Ok(Source::Will(key)),
        (2, 0) => Ok(Source::Plugin),
        (3, 0) => Ok(Source::Admin),
        (4, 0) => Ok(Source::Bridge),
        _ => Err(FrameError::UndefinedValue),
    }
}

fn read_flags(flags: u8) -> Result<(Qos, bool), FrameError> {
    if flags & !(QOS_BITS | RETAIN_BIT | PROPERTIES_BIT) != 0 {
        return Err(FrameError::UndefinedValue);
    }
    let qos = match flags & QOS_BITS {
        0 => Qos::AtMostOnce,
        1 => Qos::AtLeastOnce,
        2 => Qos::ExactlyOnce,
        _ => return Err(FrameError::UndefinedValue),
    };
    Ok((qos, flags & RETAIN_BIT != 0))
}

fn put_verdict(out: &mut Vec<u8>, verdict: &Verdict) {
    match verdict {
        Verdict::Pass => out.push(PASS),
        Verdict::Replace(replacement) => put_replacement(out, replacement),
        Verdict::Drop => out.push(2),
        Verdict::Reject(rejection) => put_rejection(out, 3, rejection),
        Verdict::Disconnect(rejection) => put_rejection(out, 4, rejection),
        Verdict::Throttle(ms) => {
            out.push(5);
            out.extend_from_slice(&ms.to_le_bytes());
        }
    }
}

/// A property that MQTT has no room for spoils this one message, not the frame: it is rejected.
fn put_replacement(out: &mut Vec<u8>, replacement: &Replacement) {
    let start = out.len();
    if try_put_replacement(out, replacement).is_none() {
        out.truncate(start);
        let text = "a replaced property is longer than 65,535 bytes";
        put_rejection(
            out,
            3,
            &Rejection::new(PublishReason::ImplementationSpecific, text),
        );
    }
}

pub(crate) fn try_put_replacement(out: &mut Vec<u8>, replacement: &Replacement) -> Option<()> {
    let Replacement {
        topic,
        payload,
        qos,
        retain,
        properties,
    } = replacement;
    let fields = [
        topic.is_some(),
        payload.is_some(),
        qos.is_some(),
        retain.is_some(),
        properties.is_some(),
    ];
    out.push(1);
    out.push(
        fields
            .iter()
            .rev()
            .fold(0, |bits, &set| bits << 1 | u8::from(set)),
    );
    if let Some(topic) = topic {
        put_bytes(out, topic.as_bytes())?;
    }
    if let Some(payload) = payload {
        put_bytes(out, payload)?;
    }
    if let Some(qos) = qos {
        out.push(*qos as u8);
    }
    if let Some(retain) = retain {
        out.push(u8::from(*retain));
    }
    if let Some(properties) = properties {
        let length_at = out.len();
        out.extend_from_slice(&[0; 4]);
        properties.put_wire(out)?;
        let length = u32::try_from(out.len() - length_at - 4).ok()?;
        out[length_at..length_at + 4].copy_from_slice(&length.to_le_bytes());
    }
    Some(())
}

fn put_rejection(out: &mut Vec<u8>, kind: u8, rejection: &Rejection) {
    let start = out.len();
    out.extend_from_slice(&[kind, rejection.reason as u8]);
    let text = rejection.text.as_deref().unwrap_or_default();
    if put_bytes(out, text.as_bytes()).is_none() {
        out.truncate(start + 2);
        out.extend_from_slice(&[0; 4]);
    }
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) -> Option<()> {
    let length = u32::try_from(bytes.len()).ok()?;
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(bytes);
    Some(())
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
