//! The way from a session to the task that serves its connection.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use atomic_waker::AtomicWaker;
use bytestring::ByteString;
use hookwire_hooks::WillCause;
use hookwire_protocol::DisconnectReason;
use hookwire_store::Waiter;

/// Why the broker ends a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closure {
    /// Reason code of the DISCONNECT.
    pub reason: DisconnectReason,
    /// Reason string of the DISCONNECT, and the true reason in logs and events.
    pub text: Option<ByteString>,
    /// Where the client is to go instead.
    pub server_reference: Option<ByteString>,
    /// What it is for the will.
    pub cause: WillCause,
}

/// Tells a connection's task, from any thread, that there is something to write or that it is over. It
/// carries no data: the bytes are in the session's outbox, behind the session's lock.
#[derive(Debug, Default)]
pub struct Link {
    waker: AtomicWaker,
    has_output: AtomicBool,
    has_successor: AtomicBool,
    closure: OnceLock<Box<Closure>>,
}

impl Closure {
    /// Another connection of the same client takes over. [MQTT-3.1.4-3]
    pub const fn taken_over() -> Self {
        Self {
            reason: DisconnectReason::SessionTakenOver,
            text: None,
            server_reference: None,
            cause: WillCause::TakenOver,
        }
    }
}

/// Answers wait in the session until what they are about is safe.
impl Waiter for Link {
    fn settled(&self, is_safe: bool) {
        if is_safe {
            self.signal();
            self.wake();
        } else {
            self.close(Closure {
                reason: DisconnectReason::Unspecified,
                text: Some(ByteString::from_static("the store has failed")),
                server_reference: None,
                cause: WillCause::Kicked,
            });
        }
    }
}

impl Link {
    /// There is something in the outbox. True when nobody had said so since the task last looked, so that the
    /// caller owes it a [`Link::wake`].
    #[inline]
    pub fn signal(&self) -> bool {
        !self.has_output.load(Ordering::Relaxed) && !self.has_output.swap(true, Ordering::AcqRel)
    }

    /// Wakes the task; once for many signals.
    #[inline]
    pub fn wake(&self) {
        self.waker.wake();
    }

    /// Ends the connection; the first reason stands.
    pub fn close(&self, closure: Closure) {
        let _ = self.closure.set(Box::new(closure));
        self.waker.wake();
    }

    /// Another connection of the same client is about to take over: what has come in until now still counts, nothing after
    /// it.
    pub fn announce_successor(&self) {
        self.has_successor.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// For the task: whether to end once there is nothing more to read.
    #[inline]
    pub fn has_successor(&self) -> bool {
        self.has_successor.load(Ordering::Acquire)
    }

    /// For the task: whether somebody signalled since the last look.
    #[inline]
    pub fn take_signal(&self) -> bool {
        self.has_output.load(Ordering::Relaxed) && self.has_output.swap(false, Ordering::AcqRel)
    }

    /// For the task: why it is over, if it is.
    #[inline]
    pub fn closure(&self) -> Option<Closure> {
        self.closure.get().map(|closure| Closure::clone(closure))
    }

    /// For the task: wake me from now on.
    #[inline]
    pub fn register(&self, waker: &std::task::Waker) {
        self.waker.register(waker);
    }
}
