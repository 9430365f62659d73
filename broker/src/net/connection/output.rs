//! From the session's outbox to the socket.

use std::io;
use std::mem;
use std::task::Context;

use super::Connection;
use crate::clock;
use crate::net::{Stream, writer};

/// What an outbox may keep allocated once it is empty.
const OUTBOX_KEEP: usize = 16 * 1024;

impl<S: Stream> Connection<S> {
    /// Writes what the session has, until there is nothing or the socket is full. While it is full, what comes stays in the
    /// session, which knows a bound.
    pub(super) fn poll_output(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.stalled_at.is_none() && self.connected.link.take_signal() {
            self.collect_output();
        }
        loop {
            let waiting = self.out.len();
            let flushed = writer::poll_flush(&mut self.stream, &mut self.out, cx);
            self.bytes_sent += (waiting - self.out.len()) as u64;
            if flushed?.is_pending() {
                self.stall(waiting, cx);
                return Ok(());
            }
            let was_stalled = self.stalled_at.take().is_some();
            if was_stalled {
                // Whoever signals next has to wake us again.
                self.connected.link.take_signal();
                self.arm();
            }
            if was_stalled || self.has_backlog {
                // The session gets what is spare here, and keeps it.
                self.out.shrink(OUTBOX_KEEP);
                self.collect_output();
            }
            if self.out.is_empty() {
                self.out.shrink(OUTBOX_KEEP);
                return Ok(());
            }
        }
    }

    /// Nothing that waits can be written any more.
    pub(super) fn give_up_output(&mut self, error: io::Error) {
        self.out.clear();
        self.stalled_at = None;
        self.unwritable = Some(Box::new(error));
        self.arm();
    }

    /// The socket takes no more of the bytes that were waiting.
    fn stall(&mut self, waiting: usize, cx: &mut Context<'_>) {
        if let Some(mut session) = self.connected.client.session_of(self.connected.key) {
            session.note_unwritten(self.out.len());
        }
        if self.stalled_at.is_none() || self.out.len() < waiting {
            self.stalled_at = Some(clock::now());
            self.arm();
            // The new deadline has to be registered with the task.
            if self.poll_timer(cx).is_ready() {
                cx.waker().wake_by_ref();
            }
        }
    }

    pub(super) fn collect_output(&mut self) {
        // One that is being taken over bears our key for a moment longer, and has nothing for us: not even our CONNACK.
        let session = self.connected.client.session_of(self.connected.key);
        let Some(mut session) = session.filter(|session| session.is_online()) else {
            return;
        };
        let before = self.out.len();
        session.poll_output(clock::now(), &mut self.out);
        if self.out.len() > before {
            // [MQTT-3.2.0-1]: nothing comes before the CONNACK.
            self.connected.greeting = None;
        }
        let was_held_back = self.is_held_back();
        self.held_back = session.output_len();
        if self.unwritable.is_some() {
            self.out.clear();
        }
        self.has_backlog = session.has_backlog();
        let lost = session.take_lost();
        let wanted = session.take_wanted();
        let mut tally = session.take_tally();
        drop(session);
        tally.bytes_sent += mem::take(&mut self.bytes_sent);
        if let Some(input) = &mut self.input {
            tally += mem::take(&mut input.tally);
        }
        if !wanted.is_empty() {
            self.broker.fetch(&self.connected.client, wanted);
        }
        self.broker.metrics().traffic.add(&tally);
        self.broker.report_lost(&self.connected.client, lost);
        if was_held_back && !self.is_held_back() {
            // It was we who did not listen.
            self.connected.keep_alive.heard(clock::now());
            self.arm();
        }
    }
}
