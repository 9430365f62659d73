//! Huge pages: none.
//!
//! The allocator asks the system for them. Then 2 MiB are taken, and made empty, as soon as one byte of them is used: the first thousands
//! of connections take twice the memory that they need, and whoever keeps messages waits for far more memory than they fill.

use rustix::thread::disable_transparent_huge_pages;

/// None are taken from now on. Where there is no such switch, all stays as it is.
pub fn hold_off() {
    let _ = disable_transparent_huge_pages(true);
}
