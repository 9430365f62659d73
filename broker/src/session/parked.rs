//! Packets that wait until what they say is safe.

use std::collections::VecDeque;

use super::Outbox;

/// Encoded packets, each with the batch that it waits for. They go out in the order in which they came, however their batches
/// settle; what needs not wait does not come here.
#[derive(Debug, Default)]
pub(super) struct Parked {
    groups: VecDeque<(u64, Outbox)>,
    bytes: usize,
}

impl Parked {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Bytes that wait.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.bytes
    }

    /// Adds what `write` writes; it waits for this batch, and for whatever came before it.
    pub(super) fn write<R>(&mut self, commit: u64, write: impl FnOnce(&mut Outbox) -> R) -> R {
        if self.groups.back().is_none_or(|(last, _)| *last < commit) {
            self.groups.push_back((commit, Outbox::default()));
        }
        let mut spare = Outbox::default();
        let outbox = self.groups.back_mut().map_or(&mut spare, |(_, outbox)| outbox);
        let before = outbox.len();
        let done = write(outbox);
        self.bytes += outbox.len() - before;
        done
    }

    /// Moves what waits no longer; tells the batch that the rest waits for.
    pub(super) fn release(&mut self, is_safe: impl Fn(u64) -> bool, into: &mut Outbox) -> Option<u64> {
        while let Some((commit, outbox)) = self.groups.front_mut() {
            if !is_safe(*commit) {
                return Some(*commit);
            }
            self.bytes -= outbox.len();
            outbox.drain_into(into);
            self.groups.pop_front();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(parked: &mut Parked, commit: u64, text: &[u8]) {
        parked.write(commit, |outbox| outbox.tail().extend_from_slice(text));
    }

    fn text(outbox: &Outbox) -> Vec<u8> {
        outbox.slices().flatten().copied().collect()
    }

    #[test]
    fn nothing_overtakes() {
        let mut parked = Parked::default();
        write(&mut parked, 3, b"a");
        // Safe sooner, and still behind the other.
        write(&mut parked, 2, b"b");
        write(&mut parked, 4, b"c");
        let mut out = Outbox::default();
        assert_eq!(parked.release(|commit| commit <= 2, &mut out), Some(3));
        assert!(out.is_empty());
        assert_eq!(parked.release(|commit| commit <= 3, &mut out), Some(4));
        assert_eq!((text(&out), parked.len()), (b"ab".to_vec(), 1));
        assert_eq!(parked.release(|_| true, &mut out), None);
        assert_eq!(text(&out), b"abc");
        assert!(parked.is_empty());
    }
}
