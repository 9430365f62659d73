//! Looking on: who saw a message, what they answered, what became of it. `hookwire explain` and
//! `hookwire plugin record` are made of this.
//!
//! A [`Watch`] has a subject and bounds; what concerns it is written for it, line by line, as JSON. While nobody watches,
//! all of it costs one relaxed load where something could be told.

mod lines;
mod plugin;
mod subject;
mod telling;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::RwLock;
use serde_json::Value;

pub use lines::{Bounds, Lines};
pub use plugin::WatchedPlugin;
pub use subject::Subject;
pub use telling::{Asked, Basis, Happening, Published, What};

use lines::Queue;

/// One who looks on.
#[derive(Debug)]
pub struct Watch {
    id: u64,
    subject: Subject,
    queue: Queue,
}

/// Everybody who looks on.
#[derive(Debug, Default)]
pub struct Watches {
    is_on: AtomicBool,
    watches: RwLock<Vec<Arc<Watch>>>,
    last_id: AtomicU64,
}

impl Watches {
    /// Whether anybody looks on at all.
    #[inline]
    pub fn is_on(&self) -> bool {
        // Nothing is ordered by it: whoever begins to look on sees what comes a moment later.
        self.is_on.load(Ordering::Relaxed)
    }

    /// Begins to look on, unless so many others do already. It ends when the lines are dropped.
    pub fn open(self: &Arc<Self>, subject: Subject, bounds: Bounds, watches_max: usize) -> Option<Lines> {
        let mut watches = self.watches.write();
        if watches.len() >= watches_max {
            return None;
        }
        let watch = Arc::new(Watch {
            id: self.last_id.fetch_add(1, Ordering::Relaxed),
            subject,
            queue: Queue::new(bounds),
        });
        watches.push(Arc::clone(&watch));
        self.is_on.store(true, Ordering::Relaxed);
        drop(watches);
        Some(Lines::new(watch, Arc::clone(self)))
    }

    /// How many look on.
    pub fn count(&self) -> usize {
        self.watches.read().len()
    }

    fn close(&self, watch: &Watch) {
        let mut watches = self.watches.write();
        watches.retain(|other| other.id != watch.id);
        self.is_on.store(!watches.is_empty(), Ordering::Relaxed);
    }

    /// Tells those whom it concerns.
    pub fn tell(&self, happening: &Happening<'_>) {
        for watch in self.watches.read().iter() {
            if let Some(line) = watch.subject.line_of(happening) {
                watch.queue.push(&line);
            }
        }
    }
}

/// A line of JSON.
fn line(value: &Value) -> Vec<u8> {
    let mut line = value.to_string().into_bytes();
    line.push(b'\n');
    line
}
