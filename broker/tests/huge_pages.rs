//! In a process of its own, which the switch belongs to.

use hookwire::huge_pages::{MANY, hold_off, welcome_for};
use rustix::thread::{disable_transparent_huge_pages, transparent_huge_pages_are_disabled};

fn are_disabled() -> bool {
    transparent_huge_pages_are_disabled().expect("Linux has the switch")
}

#[test]
fn they_come_with_many_messages_at_once_unless_somebody_else_has_turned_them_off() {
    disable_transparent_huge_pages(false).expect("Linux has the switch");
    hold_off();
    welcome_for(MANY - 1);
    assert!(are_disabled());
    welcome_for(MANY);
    assert!(!are_disabled());

    disable_transparent_huge_pages(true).expect("Linux has the switch");
    hold_off();
    welcome_for(MANY);
    assert!(are_disabled());
}
