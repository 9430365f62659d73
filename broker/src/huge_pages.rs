//! Huge pages: for a broker that has much to do.
//!
//! The allocator asks the system for them. Then 2 MiB are taken as soon as one byte of them is used, and the first thousands of
//! connections take twice the memory that they need; but who writes into the buffers of hundreds of clients in turn spends a tenth
//! less time on it. So there are none until messages come in bulk.

use std::sync::atomic::{AtomicBool, Ordering};

use rustix::thread::{disable_transparent_huge_pages, transparent_huge_pages_are_disabled};

/// So many messages of one client at once come only from one that sends as fast as it can.
pub const MANY: usize = 32;

static ARE_HELD_OFF: AtomicBool = AtomicBool::new(false);

/// None are taken until there are many messages. Where there is no such switch, or somebody else has turned it, all stays as it is.
pub fn hold_off() {
    let is_ours = transparent_huge_pages_are_disabled() == Ok(false);
    let is_done = is_ours && disable_transparent_huge_pages(true).is_ok();
    ARE_HELD_OFF.store(is_done, Ordering::Relaxed);
}

/// So many messages of one client have come at once: if they are many, huge pages are taken from now on.
#[inline]
pub fn welcome_for(messages: usize) {
    if messages >= MANY && ARE_HELD_OFF.load(Ordering::Relaxed) {
        welcome();
    }
}

#[cold]
fn welcome() {
    ARE_HELD_OFF.store(false, Ordering::Relaxed);
    // It was turned the other way before.
    let _ = disable_transparent_huge_pages(false);
}
