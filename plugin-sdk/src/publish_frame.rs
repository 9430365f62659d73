//! What `on-publish-batch` is handed and answers: many messages in, as many verdicts out. The layout is documented in `wit/on-publish.wit`.

use std::{mem, slice};

use crate::bindings::types::{PublishReason, Rejection, Replacement, Verdict};
use crate::frame::{FrameError, VERSION};
use crate::head::Head;
use crate::message::Message;
use crate::properties::Properties;

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
    pub(crate) unsafe fn of_broker(entries: &'a [u8], bytes: &'a [u8]) -> Result<Self, FrameError> {
        match entries.as_chunks() {
            (entries, []) => Ok(Self { entries, bytes }),
            _ => Err(FrameError::Truncated),
        }
    }

    /// Whether all of an entry's message is there and has a meaning.
    ///
    /// A plugin that lets messages pass spends its time on this and on [`message`](Self::message), so what nearly every message is
    /// takes one look.
    #[inline]
    fn is_sound(&self, entry: Entry<'_>) -> bool {
        self.is_usual(entry) || self.is_sound_though_unusual(entry)
    }

    /// Whether it is all there, without properties, of a client and of QoS 0 or 1. By arithmetic: compilers make a way out of each
    /// comparison, and ways out are what takes time in a guest.
    #[inline]
    fn is_usual(&self, entry: Entry<'_>) -> bool {
        let len = self.bytes.len() as u64;
        let topic_end = end(entry.topic_at(), entry.topic_len());
        let payload_end = end(entry.payload_at(), entry.payload_len());
        // All of them are far below the sign.
        let is_beyond = (len.wrapping_sub(topic_end) | len.wrapping_sub(payload_end)) >> 63;
        let unusual = u32::from(entry.head().unusual()) | entry.properties_len();
        is_beyond | u64::from(unusual) == 0
    }

    #[cold]
    #[inline(never)]
    fn is_sound_though_unusual(&self, entry: Entry<'_>) -> bool {
        self.has_all(entry) && entry.head().is_defined(entry.properties_len() != 0)
    }

    #[inline]
    fn has_all(&self, entry: Entry<'_>) -> bool {
        let len = self.bytes.len() as u64;
        let payload_end = end(entry.payload_at(), entry.payload_len());
        (end(entry.topic_at(), entry.topic_len()) <= len)
            & (payload_end + u64::from(entry.properties_len()) <= len)
    }

    /// Why an entry is not sound.
    #[cold]
    #[inline(never)]
    fn why_not_sound(&self, entry: Entry<'_>) -> FrameError {
        if self.has_all(entry) {
            FrameError::UndefinedValue
        } else {
            FrameError::Truncated
        }
    }

    /// The message of an entry.
    ///
    /// # Safety
    /// The entry [is sound](Self::is_sound).
    #[expect(
        unsafe_code,
        reason = "to check all topics takes a tenth of a plugin's time, and places once more as much"
    )]
    #[inline]
    unsafe fn message(&self, entry: Entry<'_>) -> Message<'a> {
        // SAFETY: as of the caller.
        let [topic, payload, properties] = unsafe { self.pieces(entry) };
        Message {
            head: entry.head(),
            // SAFETY: that topics are UTF-8 was promised when the frame was made.
            topic: unsafe { str::from_utf8_unchecked(topic) },
            payload,
            properties: Properties::wire(properties),
        }
    }

    /// Topic, payload and properties.
    ///
    /// # Safety
    /// The entry [is sound](Self::is_sound).
    #[expect(unsafe_code, reason = "they were looked for already")]
    #[inline]
    unsafe fn pieces(&self, entry: Entry<'_>) -> [&'a [u8]; 3] {
        let (payload_at, payload_len) = (entry.payload_at() as usize, entry.payload_len() as usize);
        let pieces = [
            (entry.topic_at() as usize, entry.topic_len() as usize),
            (payload_at, payload_len),
            (
                payload_at.wrapping_add(payload_len),
                entry.properties_len() as usize,
            ),
        ];
        // SAFETY: a sound entry's message ends before the bytes do.
        pieces.map(|(at, len)| unsafe { slice::from_raw_parts(self.bytes.as_ptr().add(at), len) })
    }
}

/// Where a piece ends.
#[inline]
fn end(at: u32, len: u32) -> u64 {
    u64::from(at) + u64::from(len)
}

/// An entry, whose fields are taken out of few large words: a guest finds the place of each word that it loads anew.
#[derive(Clone, Copy)]
struct Entry<'a>(&'a [u8; ENTRY_BYTES]);

impl Entry<'_> {
    #[inline]
    fn head(self) -> Head {
        let [source, flags, ..] = self.front().to_le_bytes();
        Head::of_frame(source, self.word(20), flags)
    }

    #[inline]
    fn topic_len(self) -> u32 {
        (self.front() >> 16) as u32 & 0xffff
    }

    #[inline]
    fn topic_at(self) -> u32 {
        (self.front() >> 32) as u32
    }

    #[inline]
    fn payload_at(self) -> u32 {
        self.word(8) as u32
    }

    #[inline]
    fn payload_len(self) -> u32 {
        (self.word(8) >> 32) as u32
    }

    #[inline]
    fn properties_len(self) -> u32 {
        u32::from_le_bytes(self.field(16))
    }

    /// Source, flags, and length and place of the topic.
    #[inline]
    fn front(self) -> u64 {
        self.word(0)
    }

    #[inline]
    fn word(self, at: usize) -> u64 {
        u64::from_le_bytes(self.field(at))
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
    let mut passing = 0_usize;
    for entry in frame.entries {
        let entry = Entry(entry);
        if !frame.is_sound(entry) {
            return Err(frame.why_not_sound(entry));
        }
        #[expect(unsafe_code, reason = "just asked")]
        // SAFETY: it is sound.
        let message = unsafe { frame.message(entry) };
        let verdict = judge(&message);
        if matches!(verdict, Verdict::Pass) {
            // No more than there are messages.
            passing = passing.wrapping_add(1);
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
