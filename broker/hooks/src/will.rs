//! Questions and answers of the on-will hook.

use std::time::Duration;

use crate::Replacement;

/// Why a connection with a will ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WillCause {
    /// The network connection was lost.
    ConnectionLost,
    /// Nothing was heard for one and a half keep alive periods.
    KeepAliveTimeout,
    /// The broker closed it after a protocol error.
    ProtocolError,
    /// DISCONNECT with reason 0x04.
    Requested,
    /// Another connection took the session over.
    TakenOver,
    /// An administrator or a plugin closed it.
    Kicked,
    /// The broker stops.
    ServerShutdown,
}

/// How policies have held a will back so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WillDelays {
    /// How often.
    pub times: u32,
    /// For how long in all.
    pub total: Duration,
}

impl WillDelays {
    /// One more.
    #[must_use]
    pub fn and(self, delay: Duration) -> Self {
        Self {
            times: self.times.saturating_add(1),
            total: self.total.saturating_add(delay),
        }
    }
}

/// One plugin's answer about a will.
#[derive(Debug, Clone)]
pub enum WillDecision {
    /// It is published.
    Publish,
    /// It is published as changed.
    Replace(Box<Replacement>),
    /// It is not published.
    Suppress,
    /// Ask again later.
    Delay(Duration),
}
