//! The frames of `on-publish-batch`: many messages in, as many verdicts out. The layout is documented in `wit/on-publish.wit`.

use std::mem;

use crate::bindings::types::{PublishReason, Rejection, Replacement, Verdict};
use crate::frame::{FrameError, VERSION};
use crate::head::Head;
use crate::message::Message;
use crate::properties::Properties;

/// Version of the messages' layout; verdicts have that of all other frames.
const MESSAGES_VERSION: u8 = 2;

/// What is known of one message: source, flags, where its pieces are, and its client's key.
const ENTRY_BYTES: usize = 1 + 1 + 2 + 4 + 4 + 4 + 4 + 8;

const PASS: u8 = 0;

/// A frame of messages: what is known of each, and the bytes that topics, payloads and properties are pieces of.
pub(crate) struct PublishFrame<'a> {
    entries: &'a [[u8; ENTRY_BYTES]],
    bytes: &'a [u8],
}

impl<'a> PublishFrame<'a> {
    /// A frame as the broker hands it over.
    ///
    /// # Safety
    /// Topics in it are UTF-8, as the contract says. What is generated for the strings of the typed hooks trusts the broker with
    /// that as well.
    #[expect(unsafe_code, reason = "to check all topics takes a tenth of a plugin's time")]
    pub(crate) unsafe fn of_broker(frame: &'a [u8]) -> Result<Self, FrameError> {
        let (&version, rest) = frame.split_first().ok_or(FrameError::Truncated)?;
        if version != MESSAGES_VERSION {
            return Err(FrameError::UnknownVersion);
        }
        let (count, rest) = rest.split_first_chunk().ok_or(FrameError::Truncated)?;
        let entries_len = (u32::from_le_bytes(*count) as usize).checked_mul(ENTRY_BYTES);
        let (entries, bytes) = entries_len
            .and_then(|len| rest.split_at_checked(len))
            .ok_or(FrameError::Truncated)?;
        Ok(Self {
            entries: entries.as_chunks().0,
            bytes,
        })
    }

    /// The message of an entry, if all of it is there and has a meaning.
    ///
    /// A plugin that lets messages pass spends its time on this. Compilers make the most of one way out that carries nothing, and far
    /// less of many, each with a part of a message.
    #[inline]
    fn message(&self, entry: &'a [u8; ENTRY_BYTES]) -> Option<Message<'a>> {
        let entry = Entry(entry);
        let head = entry.head();
        let pieces = entry.pieces(self.bytes)?;
        if !head.is_defined(!pieces.properties.is_empty()) {
            return None;
        }
        Some(Message {
            head,
            #[expect(unsafe_code, reason = "to check all topics takes a tenth of a plugin's time")]
            // SAFETY: that topics are UTF-8 was promised when the frame was made.
            topic: unsafe { str::from_utf8_unchecked(pieces.topic) },
            payload: pieces.payload,
            properties: Properties::wire(pieces.properties),
        })
    }

    /// Why there is none.
    #[cold]
    #[inline(never)]
    fn why_no_message(&self, entry: &[u8; ENTRY_BYTES]) -> FrameError {
        match Entry(entry).pieces(self.bytes) {
            Some(_) => FrameError::UndefinedValue,
            None => FrameError::Truncated,
        }
    }
}

#[derive(Clone, Copy)]
struct Entry<'a>(&'a [u8; ENTRY_BYTES]);

struct Pieces<'a> {
    topic: &'a [u8],
    payload: &'a [u8],
    properties: &'a [u8],
}

impl Entry<'_> {
    #[inline]
    fn head(self) -> Head {
        Head::of_frame(self.0[0], u64::from_le_bytes(self.field(20)), self.0[1])
    }

    #[inline]
    fn pieces(self, bytes: &[u8]) -> Option<Pieces<'_>> {
        let topic_len = usize::from(u16::from_le_bytes(self.field(2)));
        let [topic_at, payload_at, payload_len, properties_len] = [4, 8, 12, 16].map(|at| self.number(at));
        let topic = bytes.get(topic_at..)?.get(..topic_len)?;
        let (payload, behind) = bytes.get(payload_at..)?.split_at_checked(payload_len)?;
        let properties = behind.get(..properties_len)?;
        Some(Pieces {
            topic,
            payload,
            properties,
        })
    }

    #[inline]
    fn number(self, at: usize) -> usize {
        u32::from_le_bytes(self.field(at)) as usize
    }

    #[inline]
    fn field<const N: usize>(self, at: usize) -> [u8; N] {
        *self.0[at..].first_chunk().expect("within an entry")
    }
}

/// Answers a frame of messages with the verdicts of `judge`.
///
/// Passed messages cost no allocation but their share of the one answer.
#[inline]
pub(crate) fn judge_all(
    frame: &PublishFrame<'_>,
    mut judge: impl FnMut(&Message<'_>) -> Verdict,
) -> Result<Vec<u8>, FrameError> {
    let mut verdicts = with_room_for(frame.entries.len());
    // Nearly all messages pass, so those that do are counted, and written when another verdict follows.
    let mut passing = 0;
    for entry in frame.entries {
        let Some(message) = frame.message(entry) else {
            return Err(frame.why_no_message(entry));
        };
        let verdict = judge(&message);
        if matches!(verdict, Verdict::Pass) {
            passing += 1;
            // It owns nothing; dropping it would be a call that finds that out.
            mem::forget(verdict);
        } else {
            put_after(&mut verdicts, mem::take(&mut passing), &verdict);
        }
    }
    put_passing(&mut verdicts, passing);
    Ok(verdicts)
}

fn with_room_for(count: usize) -> Vec<u8> {
    let mut verdicts = Vec::with_capacity(5 + count);
    verdicts.push(VERSION);
    // It came as so many bytes.
    verdicts.extend_from_slice(&(count as u32).to_le_bytes());
    verdicts
}

/// By itself, so that the loop over the messages stays small.
#[cold]
#[inline(never)]
fn put_after(verdicts: &mut Vec<u8>, passing: usize, verdict: &Verdict) {
    put_passing(verdicts, passing);
    put_verdict(verdicts, verdict);
}

fn put_passing(verdicts: &mut Vec<u8>, passing: usize) {
    verdicts.resize(verdicts.len() + passing, PASS);
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
#[path = "publish_frame_tests.rs"]
mod tests;
