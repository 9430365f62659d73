//! The frames of `on-publish-batch`: many messages in, as many verdicts out. The layout is documented in `wit/on-publish.wit`.

use std::mem;

use crate::bindings::types::{PublishReason, Rejection, Replacement, Verdict};
use crate::frame::{Frame, FrameError, VERSION};
use crate::message::Message;

const PASS: u8 = 0;

/// Answers a frame of messages with the verdicts of `judge`.
///
/// Passed messages cost no allocation but their share of the one answer.
#[inline]
pub(crate) fn judge_all(
    mut frame: Frame<'_>,
    mut judge: impl FnMut(&Message<'_>) -> Verdict,
) -> Result<Vec<u8>, FrameError> {
    let count = frame.take_count()?;
    let mut verdicts = with_room_for(count);
    // Nearly all messages pass, so those that do are counted, and written when another verdict follows.
    let mut passing = 0;
    for _ in 0..count {
        let Some(framed) = frame.next() else {
            return Err(frame.why_no_next());
        };
        let verdict = judge(&frame.take_message(framed));
        if matches!(verdict, Verdict::Pass) {
            passing += 1;
            // It owns nothing; dropping it would be a call that finds that out.
            mem::forget(verdict);
        } else {
            put_after(&mut verdicts, mem::take(&mut passing), &verdict);
        }
    }
    put_passing(&mut verdicts, passing);
    frame.end()?;
    Ok(verdicts)
}

fn with_room_for(count: u32) -> Vec<u8> {
    let mut verdicts = Vec::with_capacity(5 + count as usize);
    verdicts.push(VERSION);
    verdicts.extend_from_slice(&count.to_le_bytes());
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
