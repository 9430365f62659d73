//! Where frames are written: a buffer that each thread keeps from one call to the next. It is not the instance's, so that a
//! frame is made before an instance is taken from others.

use std::cell::Cell;

/// What a buffer may hold on to: more than frames of many messages have. A rare large message must not hold its memory for ever.
const BYTES_KEPT: usize = 256 << 10;

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Lends the buffer, with whatever it holds. Who is within such a step already gets another one.
pub(crate) fn lend<R>(step: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    let mut buffer = BUFFER.take();
    let result = step(&mut buffer);
    if buffer.capacity() <= BYTES_KEPT {
        BUFFER.set(buffer);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_kept_unless_it_is_large() {
        lend(|buffer| buffer.reserve_exact(BYTES_KEPT));
        lend(|buffer| {
            assert_eq!(buffer.capacity(), BYTES_KEPT);
            lend(|other| assert_eq!(other.capacity(), 0));
            buffer.reserve_exact(BYTES_KEPT + 1);
        });
        lend(|buffer| assert_eq!(buffer.capacity(), 0));
    }
}
