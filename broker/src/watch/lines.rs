//! What was written for a watch and is not read yet: bounded, since whoever reads it may be slow.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::{Watch, Watches, line};

/// How much a watch may bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Lines; then it is over.
    pub lines_max: u64,
    /// Bytes that may wait to be read; beyond it lines are lost, and counted.
    pub waiting_bytes_max: usize,
}

/// Lines on their way to one reader.
#[derive(Debug)]
pub(super) struct Queue(Mutex<Waiting>);

#[derive(Debug)]
struct Waiting {
    lines: VecDeque<Bytes>,
    bytes: usize,
    bytes_max: usize,
    /// Lines that may still come.
    left: u64,
    lost: u64,
    reader: Option<Waker>,
}

impl Queue {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self(Mutex::new(Waiting {
            lines: VecDeque::new(),
            bytes: 0,
            bytes_max: bounds.waiting_bytes_max,
            left: bounds.lines_max,
            lost: 0,
            reader: None,
        }))
    }

    /// Adds a line, unless enough have come.
    pub(super) fn push(&self, value: &Value) {
        let mut waiting = self.0.lock();
        if waiting.left == 0 {
            return;
        }
        waiting.left -= 1;
        let line = line(value);
        if waiting.bytes + line.len() > waiting.bytes_max {
            waiting.lost += 1;
        } else {
            waiting.add(line);
        }
        if let Some(reader) = waiting.reader.take() {
            drop(waiting);
            reader.wake();
        }
    }

    fn poll(&self, context: &Context<'_>) -> Poll<Option<Bytes>> {
        let mut waiting = self.0.lock();
        if let Some(line) = waiting.lines.pop_front() {
            waiting.bytes -= line.len();
            return Poll::Ready(Some(line));
        }
        if waiting.lost > 0 {
            // There is room again, and the reader should know what it has not seen.
            let lost = std::mem::take(&mut waiting.lost);
            return Poll::Ready(Some(line(&json!({"event": "lost", "lines": lost})).into()));
        }
        if waiting.left == 0 {
            return Poll::Ready(None);
        }
        waiting.reader = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Waiting {
    fn add(&mut self, line: Vec<u8>) {
        self.bytes += line.len();
        self.lines.push_back(line.into());
    }
}

/// The reader's end of a watch; dropping it ends the watch.
#[derive(Debug)]
pub struct Lines {
    watch: Arc<Watch>,
    watches: Arc<Watches>,
}

impl Lines {
    pub(super) fn new(watch: Arc<Watch>, watches: Arc<Watches>) -> Self {
        Self { watch, watches }
    }

    /// The next line, its end included; `None` when the watch is over.
    pub fn poll_next(&self, context: &Context<'_>) -> Poll<Option<Bytes>> {
        self.watch.queue.poll(context)
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.watches.close(&self.watch);
    }
}
