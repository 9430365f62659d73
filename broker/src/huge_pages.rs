//! Huge pages: for a broker that has much to do.
//!
//! The allocator asks the system for them. Then 2 MiB are taken as soon as one byte of them is used, and the first thousands of
//! connections take twice the memory that they need; but who writes into the buffers of hundreds of clients in turn spends a tenth
//! less time on it. So there are none until messages come in bulk.

use std::sync::atomic::{AtomicBool, Ordering};

use rustix::thread::disable_transparent_huge_pages;

/// So many messages of one client at once come only from one that sends as fast as it can.
const MANY: usize = 32;

static ARE_HELD_OFF: AtomicBool = AtomicBool::new(false);

/// From now on none are taken. Where the system has no such switch, all stays as it is.
pub fn hold_off() {
    let is_done = disable_transparent_huge_pages(true).is_ok();
    ARE_HELD_OFF.store(is_done, Ordering::Relaxed);
}

/// So many messages of one client have come at once: if they are many, huge pages are taken from now on.
#[inline]
pub fn welcome_for(messages: usize) {
    if messages >= MANY && ARE_HELD_OFF.load(Ordering::Relaxed) {
        welcome();
    }
}

/// From now on they are taken. A process that the broker starts has its switch as the broker has it.
#[cold]
pub fn welcome() {
    ARE_HELD_OFF.store(false, Ordering::Relaxed);
    // Where there is no such switch they were never held off.
    let _ = disable_transparent_huge_pages(false);
}

#[cfg(test)]
mod tests {
    use rustix::thread::transparent_huge_pages_are_disabled;

    use super::*;

    #[test]
    fn they_come_with_many_messages_at_once() {
        let Ok(were_disabled) = transparent_huge_pages_are_disabled() else {
            return;
        };
        assert!(!were_disabled);
        hold_off();
        welcome_for(MANY - 1);
        assert_eq!(transparent_huge_pages_are_disabled(), Ok(true));
        welcome_for(MANY);
        assert_eq!(transparent_huge_pages_are_disabled(), Ok(false));
    }
}
