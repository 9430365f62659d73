//! In a process of its own, which the switch belongs to.

use hookwire::huge_pages::hold_off;
use rustix::thread::{disable_transparent_huge_pages, transparent_huge_pages_are_disabled};

#[test]
fn there_are_none() {
    disable_transparent_huge_pages(false).expect("Linux has the switch");
    hold_off();
    assert_eq!(transparent_huge_pages_are_disabled(), Ok(true));
}
