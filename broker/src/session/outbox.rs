//! Bytes that wait to be written to one client.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};
use hookwire_hooks::Message;

/// Payloads from this size on are passed on by reference instead of being copied behind their header: below
/// it, a copy is cheaper than one more segment of a gathered write.
const BY_REFERENCE_MIN: usize = 4 * 1024;

/// Behind so many bytes they are copied all the same, into memory of their own: a reference holds all that was read together with the
/// payload, which may be a hundred times as much, and is not in any count. Not those that are larger than
/// [`Message::COPIED_MAX`].
const BY_REFERENCE_BEHIND_MAX: usize = 128 * 1024;

/// Encoded packets in the order in which they go out: whole segments, then what is still being filled.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Apart, from the first one on: few clients are sent anything that large.
    segments: Option<Box<Segments>>,
    tail: BytesMut,
}

#[derive(Debug, Default)]
struct Segments {
    segments: VecDeque<Bytes>,
    bytes: usize,
}

impl Segments {
    fn push(&mut self, segment: Bytes) {
        self.bytes += segment.len();
        self.segments.push_back(segment);
    }

    /// Takes off what was written; what is left of it was written of the tail.
    fn advance(&mut self, mut written: usize) -> usize {
        while let Some(front) = self.segments.front_mut() {
            if written < front.len() {
                front.advance(written);
                self.bytes -= written;
                return 0;
            }
            written -= front.len();
            self.bytes -= front.len();
            self.segments.pop_front();
        }
        written
    }
}

impl Outbox {
    /// Bytes that wait.
    #[inline]
    pub fn len(&self) -> usize {
        self.segments.as_ref().map_or(0, |segments| segments.bytes) + self.tail.len()
    }

    /// Whether nothing waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where small packets are encoded.
    #[inline]
    pub fn tail(&mut self) -> &mut BytesMut {
        &mut self.tail
    }

    /// Appends a payload behind the header that was just encoded into the tail. So many bytes wait in front of it, where it may lie in a
    /// read buffer.
    #[inline]
    pub fn push_payload(&mut self, payload: &Bytes, waiting: usize) {
        if payload.len() < BY_REFERENCE_MIN {
            self.tail.extend_from_slice(payload);
        } else {
            let is_copied = waiting >= BY_REFERENCE_BEHIND_MAX && payload.len() <= Message::COPIED_MAX;
            self.push_segment(if is_copied {
                Bytes::copy_from_slice(payload)
            } else {
                payload.clone()
            });
        }
    }

    /// Moves everything behind what `into` still holds, and leaves `into`'s spare room here for what comes
    /// next.
    pub fn drain_into(&mut self, into: &mut Self) {
        if into.is_empty() {
            std::mem::swap(self, into);
        } else {
            into.close_tail();
            self.close_tail();
            if let Some(own) = &mut self.segments {
                let segments = into.segments.get_or_insert_default();
                segments.bytes += std::mem::take(&mut own.bytes);
                segments.segments.append(&mut own.segments);
            }
        }
    }

    /// The bytes in order, for a gathered write.
    pub fn slices(&self) -> impl Iterator<Item = &[u8]> {
        let tail = (!self.tail.is_empty()).then_some(&self.tail[..]);
        let segments = self.segments.iter().flat_map(|segments| &segments.segments);
        segments.map(|segment| &segment[..]).chain(tail)
    }

    /// Takes off what was written.
    pub fn advance(&mut self, written: usize) {
        let written = match &mut self.segments {
            Some(segments) => segments.advance(written),
            None => written,
        };
        if written == self.tail.len() {
            self.tail.clear();
        } else {
            self.tail.advance(written);
        }
    }

    /// Gives back memory that a burst left behind.
    pub fn shrink(&mut self, keep: usize) {
        if self.is_empty() && self.tail.capacity() > keep {
            *self = Self::default();
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    fn push_segment(&mut self, segment: Bytes) {
        self.close_tail();
        self.segments.get_or_insert_default().push(segment);
    }

    fn close_tail(&mut self) {
        if !self.tail.is_empty() {
            let tail = self.tail.split().freeze();
            self.segments.get_or_insert_default().push(tail);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_of(outbox: &Outbox) -> Vec<u8> {
        outbox.slices().flatten().copied().collect()
    }

    #[test]
    fn keeps_order_across_small_and_large_payloads() {
        let mut outbox = Outbox::default();
        outbox.tail().extend_from_slice(b"a");
        outbox.push_payload(&Bytes::from(vec![b'L'; BY_REFERENCE_MIN]), 0);
        outbox.tail().extend_from_slice(b"b");
        outbox.push_payload(&Bytes::from_static(b"small"), 0);
        let mut expected = b"a".to_vec();
        expected.extend(vec![b'L'; BY_REFERENCE_MIN]);
        expected.extend(b"bsmall");
        assert_eq!(bytes_of(&outbox), expected);
        assert_eq!(outbox.len(), expected.len());
    }

    #[test]
    fn what_waits_behind_much_holds_no_read_buffer() {
        let payload = Bytes::from(vec![7; BY_REFERENCE_MIN]);
        let is_shared = |waiting| {
            let mut outbox = Outbox::default();
            outbox.push_payload(&payload, waiting);
            assert_eq!(bytes_of(&outbox), payload);
            outbox.slices().any(|slice| slice.as_ptr() == payload.as_ptr())
        };
        assert!(is_shared(0));
        assert!(!is_shared(BY_REFERENCE_BEHIND_MAX));
    }

    #[test]
    fn advances_by_any_step() {
        for step in 1..8 {
            let mut outbox = Outbox::default();
            outbox.tail().extend_from_slice(b"head");
            outbox.push_payload(&Bytes::from(vec![7; BY_REFERENCE_MIN + 3]), 0);
            outbox.tail().extend_from_slice(b"tail");
            let mut expected = bytes_of(&outbox);
            while !outbox.is_empty() {
                let n = step.min(outbox.len());
                outbox.advance(n);
                expected.drain(..n);
                assert_eq!(outbox.len(), expected.len());
            }
            assert!(expected.is_empty());
        }
    }

    #[test]
    fn drains_behind_what_is_there() {
        let mut from = Outbox::default();
        let mut into = Outbox::default();
        from.tail().extend_from_slice(b"one");
        from.drain_into(&mut into);
        from.tail().extend_from_slice(b"two");
        from.drain_into(&mut into);
        assert!(from.is_empty());
        assert_eq!(bytes_of(&into), b"onetwo");
    }
}
