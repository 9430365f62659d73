//! The way from a session to the task that serves its connection.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

use atomic_waker::AtomicWaker;
use bytestring::ByteString;
use hookwire_hooks::WillCause;
use hookwire_protocol::DisconnectReason;
use hookwire_store::Waiter;
use parking_lot::Mutex;

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
    is_busy: AtomicBool,
    has_next: AtomicBool,
    next: Mutex<Next>,
    closure: OnceLock<Box<Closure>>,
}

/// Who goes on once the task has written what it has.
#[derive(Debug, Default)]
enum Next {
    #[default]
    Nobody,
    Waits(Waker),
    /// The task is over: it is not to be waited for.
    Over,
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

    /// Whoever calls wants this connection's task to go first: true if `waker` is woken once it has written what it has, or is over.
    /// False if the task is over, is in the middle of something that may take long, or somebody else waits for it already.
    pub fn let_pass(&self, waker: &Waker) -> bool {
        if self.is_busy.load(Ordering::Relaxed) {
            return false;
        }
        let mut next = self.next.lock();
        if !matches!(*next, Next::Nobody) {
            return false;
        }
        *next = Next::Waits(waker.clone());
        self.has_next.store(true, Ordering::Relaxed);
        drop(next);
        // It may have been woken, and have looked, before we were there.
        self.wake();
        true
    }

    /// For the task: a turn of it begins or ends.
    #[inline]
    pub fn set_busy(&self, is_busy: bool) {
        self.is_busy.store(is_busy, Ordering::Relaxed);
    }

    /// For the task, each time it has written what it has: whoever let it pass goes on. What is set before a wake is seen by whoever
    /// registers before it looks.
    #[inline]
    pub fn pass_on(&self) {
        if self.has_next.load(Ordering::Relaxed) {
            self.go_on(Next::Nobody);
        }
    }

    /// For the task: it is over, and nobody is to wait for it any more.
    pub fn end(&self) {
        self.go_on(Next::Over);
    }

    fn go_on(&self, then: Next) {
        let mut next = self.next.lock();
        self.has_next.store(false, Ordering::Relaxed);
        let before = std::mem::replace(&mut *next, then);
        drop(next);
        if let Next::Waits(waker) = before {
            waker.wake();
        }
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
    pub fn register(&self, waker: &Waker) {
        self.waker.register(waker);
    }
}
