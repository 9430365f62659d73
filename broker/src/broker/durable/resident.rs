//! The retained messages that are in memory although the store has them, or will have them soon.

use std::collections::VecDeque;
use std::sync::Arc;

use hookwire_store::Committer;
use parking_lot::Mutex;

use crate::session::RetainedCopy;

/// As many as a number of bytes allows. When there are too many, those go first that nobody has asked for since they were
/// looked at last (a clock), so that a subscription to everything does not push out what is asked for all the time.
#[derive(Debug)]
pub(super) struct Resident {
    list: Mutex<List>,
    bytes_max: usize,
}

#[derive(Debug, Default)]
struct List {
    /// Each with the batch that it is safe with. What was replaced stays, empty, until its turn comes.
    copies: VecDeque<(Arc<RetainedCopy>, u64)>,
    /// Those of them that are in memory.
    loaded: usize,
    bytes: usize,
    /// Those that are larger than all of memory's share, which are there until they are safe, and push out nothing.
    oversized: VecDeque<(Arc<RetainedCopy>, u64)>,
}

/// So many empty entries are nothing to clear away.
const EMPTY_MAX: usize = 1024;

impl Resident {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            list: Mutex::default(),
            bytes_max,
        }
    }

    /// A message is in memory; the store has it once this batch is safe.
    pub(super) fn add(&self, copy: Arc<RetainedCopy>, commit: u64, committer: &Committer) {
        let mut list = self.list.lock();
        let is_safe = |commit| committer.is_safe(commit);
        if copy.cost() > self.bytes_max {
            list.oversized.push_back((copy, commit));
        } else {
            list.push(copy, commit);
            list.shrink(self.bytes_max, is_safe);
        }
        list.unload_oversized(is_safe);
    }

    /// A message was replaced or cleared.
    pub(super) fn forget(&self, copy: &RetainedCopy) {
        let mut list = self.list.lock();
        if copy.cost() > self.bytes_max {
            copy.unload();
        } else if copy.is_loaded() {
            list.unload(copy);
        }
        if list.copies.len() > 2 * list.loaded + EMPTY_MAX {
            list.copies.retain(|(copy, _)| copy.is_loaded());
        }
    }

    /// Puts a message that was read into memory, unless another thread was first or it was replaced in the meantime.
    pub(super) fn load(
        &self,
        copy: &Arc<RetainedCopy>,
        message: &Arc<hookwire_hooks::Message>,
        committer: &Committer,
    ) {
        let mut list = self.list.lock();
        let is_safe = |commit| committer.is_safe(commit);
        list.unload_oversized(is_safe);
        let Some(room) = self.bytes_max.checked_sub(copy.cost()) else {
            return;
        };
        if copy.is_loaded() || copy.is_superseded() {
            return;
        }
        list.shrink(room, is_safe);
        // What is there is not safe yet.
        if list.bytes > room {
            return;
        }
        copy.load(Arc::clone(message));
        // Asking for it once is what has brought it here.
        copy.take_used();
        list.push(Arc::clone(copy), 0);
    }
}

impl List {
    fn push(&mut self, copy: Arc<RetainedCopy>, commit: u64) {
        self.loaded += 1;
        self.bytes += copy.cost();
        self.copies.push_back((copy, commit));
    }

    fn unload_oversized(&mut self, is_safe: impl Fn(u64) -> bool) {
        while let Some((copy, _)) = self
            .oversized
            .pop_front_if(|(copy, commit)| !copy.is_loaded() || is_safe(*commit))
        {
            copy.unload();
        }
    }

    fn unload(&mut self, copy: &RetainedCopy) {
        copy.unload();
        self.loaded -= 1;
        self.bytes -= copy.cost();
    }

    fn shrink(&mut self, bytes_max: usize, is_safe: impl Fn(u64) -> bool) {
        while self.bytes > bytes_max {
            let Some((copy, commit)) = self.copies.pop_front() else {
                return;
            };
            if !copy.is_loaded() {
                continue;
            }
            if !is_safe(commit) {
                // Those behind it are hardly older, and a batch is soon safe.
                self.copies.push_front((copy, commit));
                return;
            }
            if copy.take_used() {
                self.copies.push_back((copy, commit));
            } else {
                self.unload(&copy);
            }
        }
    }
}
