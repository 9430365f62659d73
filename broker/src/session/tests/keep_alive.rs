//! When silence ends a connection.

use std::time::Duration;

use super::super::KeepAlive;
use crate::clock;

/// Whoever is not listened to for a minute is not dead for having said something before the minute is over.
#[test]
fn what_is_heard_takes_back_no_time_in_which_nobody_listens() {
    let now = clock::now();
    let minute = Duration::from_secs(60);
    let mut keep_alive = KeepAlive::new(10, now);
    keep_alive.heard(now + minute);
    keep_alive.heard(now + Duration::from_secs(1));
    assert!(!keep_alive.is_expired(now + minute));
    assert_eq!(
        keep_alive.deadline(),
        Some(now + minute + Duration::from_secs(15))
    );
}
