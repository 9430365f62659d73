//! The keep alive of one connection.

use std::time::{Duration, Instant};

/// Ends a connection from which nothing was heard for one and a half keep alive periods. [MQTT-3.1.2-22]
#[derive(Debug, Clone, Copy)]
pub struct KeepAlive {
    secs: u16,
    heard_at: Instant,
}

impl KeepAlive {
    /// A keep alive of `secs` seconds, counted from `now`; 0 turns it off.
    pub fn new(secs: u16, now: Instant) -> Self {
        Self { secs, heard_at: now }
    }

    /// A packet came in; or nothing can come in before a time that is still to come, since nobody listens.
    #[inline]
    pub fn heard(&mut self, at: Instant) {
        self.heard_at = self.heard_at.max(at);
    }

    /// When the connection ends if nothing more is heard.
    pub fn deadline(&self) -> Option<Instant> {
        let grace = || Duration::from_secs(u64::from(self.secs)) * 3 / 2;
        (self.secs > 0).then(|| self.heard_at + grace())
    }

    /// Whether it has come to that.
    pub fn is_expired(&self, now: Instant) -> bool {
        self.deadline().is_some_and(|deadline| deadline <= now)
    }
}
