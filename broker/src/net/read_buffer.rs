//! Bytes read from one connection.

use bytes::{Bytes, BytesMut};

/// Size of the first read, for which a connection that says nothing holds a buffer: most CONNECTs fit.
const READ_FIRST: usize = 512;
/// Smallest size of later reads; an idle connection holds no buffer at all.
const READ_MIN: usize = 4 * 1024;
/// Largest size of a read: large enough that system calls vanish behind the packets, small enough to share
/// the processor.
const READ_MAX: usize = 64 * 1024;

/// A buffer that grows with what comes, never with what was announced, and that packets are cut out of
/// without copying.
#[derive(Debug)]
pub(super) struct ReadBuffer {
    bytes: BytesMut,
    size: usize,
}

impl Default for ReadBuffer {
    fn default() -> Self {
        Self {
            bytes: BytesMut::new(),
            size: READ_FIRST,
        }
    }
}

impl ReadBuffer {
    /// What was read and not taken yet.
    pub(super) fn filled(&self) -> &[u8] {
        &self.bytes
    }

    /// Where the next read goes.
    pub(super) fn room(&mut self) -> &mut BytesMut {
        self.bytes.reserve(self.size);
        &mut self.bytes
    }

    /// Adapts the size of reads: full ones ask for larger ones, small ones for smaller.
    pub(super) fn was_read(&mut self, n: usize) {
        if n >= self.size {
            self.size = (self.size * 2).min(READ_MAX);
        } else if n < self.size / 8 {
            self.size = (self.size / 2).max(READ_MIN);
        }
    }

    /// Takes the first `n` bytes, which hold whole packets. Even no bytes at all would hold on to the buffer.
    pub(super) fn take(&mut self, n: usize) -> Bytes {
        if n == 0 {
            return Bytes::new();
        }
        self.bytes.split_to(n).freeze()
    }

    /// Gives memory back while nothing is expected.
    pub(super) fn rest(&mut self) {
        if self.bytes.is_empty() {
            self.bytes = BytesMut::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_nothing_in_it_holds_no_buffer() {
        let mut buffer = ReadBuffer::default();
        buffer.room().extend_from_slice(b"packet");
        let packet = buffer.take(6);
        let nothing = buffer.take(0);
        buffer.rest();
        assert!(packet.is_unique(), "{nothing:?} shares it");
    }
}
