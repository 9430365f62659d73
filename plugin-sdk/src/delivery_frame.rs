//! The frames of `deliver-batch`: messages with their recipients in, as many decisions out. The layout is documented in
//! `wit/deliver.wit`.

use crate::bindings::types::{ClientKey, Replacement};
use crate::deliver::Decision;
use crate::frame::{Frame, FrameError, VERSION};
use crate::message::Message;
use crate::publish_frame::try_put_replacement;
use crate::wire::Reader;

const KEY_BYTES: usize = 8;

/// Answers a frame of deliveries with the decisions of `judge`.
#[inline]
pub(crate) fn judge_all(
    mut frame: Frame<'_>,
    mut judge: impl FnMut(ClientKey, &Message<'_>) -> Decision,
) -> Result<Vec<u8>, FrameError> {
    let messages = frame.take_count()?;
    let mut decisions = vec![VERSION, 0, 0, 0, 0];
    let mut count = 0_u32;
    for _ in 0..messages {
        let Some(framed) = frame.next() else {
            return Err(frame.why_no_next());
        };
        let message = frame.take_message(framed);
        let recipients = frame.take(read_recipients)?;
        decisions.reserve(recipients.len());
        for &recipient in recipients {
            put_decision(&mut decisions, &judge(u64::from_le_bytes(recipient), &message));
            count += 1;
        }
    }
    decisions[1..5].copy_from_slice(&count.to_le_bytes());
    frame.end()?;
    Ok(decisions)
}

fn read_recipients<'a>(reader: &mut Reader<'a>) -> Result<&'a [[u8; KEY_BYTES]], FrameError> {
    let count = reader
        .array()
        .map(u32::from_le_bytes)
        .ok_or(FrameError::Truncated)?;
    if count == 0 {
        return Err(FrameError::UndefinedValue);
    }
    let bytes = (count as usize).checked_mul(KEY_BYTES);
    let bytes = bytes
        .and_then(|bytes| reader.bytes(bytes))
        .ok_or(FrameError::Truncated)?;
    Ok(bytes.as_chunks().0)
}

fn put_decision(out: &mut Vec<u8>, decision: &Decision) {
    match decision {
        Decision::Pass => out.push(0),
        Decision::Replace(replacement) => put_replacement(out, replacement),
        Decision::Drop => out.push(2),
    }
}

/// A property that MQTT has no room for spoils this one delivery, not the frame: it is dropped.
fn put_replacement(out: &mut Vec<u8>, replacement: &Replacement) {
    let start = out.len();
    if try_put_replacement(out, replacement).is_none() {
        out.truncate(start);
        out.push(2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message to `t` with payload `x` for these recipients.
    fn message(recipients: &[u64]) -> Vec<u8> {
        let mut bytes = vec![0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
        bytes.extend(b"tx");
        bytes.extend((recipients.len() as u32).to_le_bytes());
        bytes.extend(recipients.iter().flat_map(|key| key.to_le_bytes()));
        bytes
    }

    fn frame(messages: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend((messages.len() as u32).to_le_bytes());
        bytes.extend(messages.concat());
        bytes
    }

    /// All that is made here is ASCII, or refused.
    #[expect(unsafe_code, reason = "made here")]
    fn judge_each(
        bytes: &[u8],
        judge: impl FnMut(ClientKey, &Message<'_>) -> Decision,
    ) -> Result<Vec<u8>, FrameError> {
        // SAFETY: see above.
        judge_all(unsafe { Frame::of_broker(bytes) }, judge)
    }

    #[test]
    fn each_recipient_of_each_message_gets_its_decision() {
        let frame = frame(&[message(&[1, 2]), message(&[3])]);
        let answer = judge_each(&frame, |recipient, message| {
            assert_eq!((message.topic(), message.payload()), ("t", &b"x"[..]));
            match recipient {
                1 => Decision::Pass,
                2 => Decision::Drop,
                _ => Replacement::payload("y").into(),
            }
        });
        assert_eq!(answer.unwrap(), [1, 3, 0, 0, 0, 0, 2, 1, 0b10, 1, 0, 0, 0, b'y']);
    }

    #[test]
    fn what_mqtt_has_no_room_for_is_dropped() {
        let mut properties = crate::PropertiesBuf::default();
        properties.push_user_property("name", "v".repeat(70_000));
        let answer = judge_each(&frame(&[message(&[1])]), |_, _| {
            Replacement::properties(properties.clone()).into()
        });
        assert_eq!(answer.unwrap(), [1, 1, 0, 0, 0, 2]);
    }

    #[test]
    fn broken_frames_are_refused() {
        let good = frame(&[message(&[1, 2])]);
        for end in 0..good.len() {
            assert!(
                judge_each(&good[..end], |_, _| Decision::Pass).is_err(),
                "cut at {end}"
            );
        }
        for bad in [
            [&good[..], &[0]].concat(),
            frame(&[message(&[])]),
            [&frame(&[message(&[])])[..29], &[0xff; 4]].concat(),
        ] {
            assert!(judge_each(&bad, |_, _| Decision::Pass).is_err(), "{bad:?}");
        }
    }
}
