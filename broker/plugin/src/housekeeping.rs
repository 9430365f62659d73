//! What nobody waits for: ticks of the plugins that asked for them, and the end of instances that are no longer needed.
//!
//! One thread does both. It sleeps while no plugin wants ticks and no instance has to be stopped.

use std::io;
use std::mem;
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::LoadedPlugin;
use crate::clock;
use crate::guest::Budget;
use crate::hook::lifecycle;
use crate::instance::{Instance, at_once};

/// Where plugins leave work for the thread.
#[derive(Default)]
pub(crate) struct Housekeeper {
    chores: Mutex<Chores>,
    changed: Condvar,
}

#[derive(Default)]
struct Chores {
    rounds: Vec<Round>,
    retired: Vec<Retired>,
    /// The host is gone; nobody takes chores any more.
    closed: bool,
}

/// A plugin that is visited now and then.
struct Round {
    plugin: Weak<LoadedPlugin>,
    every: Duration,
    next: Instant,
}

/// The instances of a plugin that is not in force any more.
pub(crate) struct Retired {
    pub(crate) instances: Vec<Instance>,
    /// For all of them together: an end has no right to last.
    pub(crate) budget: Budget,
}

impl Retired {
    /// Tells each instance to stop, as far as the time goes.
    fn stop(self) {
        let start = clock::thread_cpu();
        for mut instance in self.instances {
            let left = self
                .budget
                .deadline
                .saturating_sub(clock::thread_cpu().saturating_sub(start));
            if left.is_zero() {
                return;
            }
            // What it has to say about its end changes nothing.
            let _ = at_once(lifecycle::stop(&mut instance, Budget::slow(left)));
        }
    }
}

/// The thread; dropping it ends the thread after its last chore.
pub(crate) struct HousekeepingThread {
    housekeeper: Arc<Housekeeper>,
    thread: Option<JoinHandle<()>>,
}

impl HousekeepingThread {
    pub(crate) fn start() -> io::Result<Self> {
        let housekeeper = Arc::new(Housekeeper::default());
        let thread = thread::Builder::new().name("plugin-housekeeping".into()).spawn({
            let housekeeper = housekeeper.clone();
            move || housekeeper.run()
        })?;
        Ok(Self {
            housekeeper,
            thread: Some(thread),
        })
    }

    pub(crate) fn housekeeper(&self) -> Arc<Housekeeper> {
        self.housekeeper.clone()
    }
}

impl Drop for HousekeepingThread {
    fn drop(&mut self) {
        self.housekeeper.chores.lock().closed = true;
        self.housekeeper.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Housekeeper {
    /// Ticks a plugin from now on, for as long as it lives.
    pub(crate) fn visit(&self, plugin: &Arc<LoadedPlugin>, every: Duration) {
        let round = Round {
            plugin: Arc::downgrade(plugin),
            every,
            next: clock::now() + every,
        };
        self.chores.lock().rounds.push(round);
        self.changed.notify_one();
    }

    /// Stops instances some time soon; at once if the thread is gone.
    pub(crate) fn retire(&self, retired: Retired) {
        let mut chores = self.chores.lock();
        if chores.closed {
            drop(chores);
            retired.stop();
        } else {
            chores.retired.push(retired);
            self.changed.notify_one();
        }
    }

    fn run(&self) {
        let mut chores = self.chores.lock();
        loop {
            let retired = mem::take(&mut chores.retired);
            let due = chores.due(clock::now());
            if !retired.is_empty() || !due.is_empty() {
                drop(chores);
                retired.into_iter().for_each(Retired::stop);
                due.iter().for_each(|plugin| plugin.tick());
                // Dropping the last reference to a plugin locks the chores.
                drop(due);
                chores = self.chores.lock();
            } else if chores.closed {
                return;
            } else {
                match chores.next() {
                    Some(next) => {
                        self.changed.wait_until(&mut chores, next);
                    }
                    None => self.changed.wait(&mut chores),
                }
            }
        }
    }
}

impl Chores {
    /// The plugins whose time has come, which is set to the next time. Those that are gone are forgotten.
    fn due(&mut self, now: Instant) -> Vec<Arc<LoadedPlugin>> {
        if self.closed {
            return Vec::new();
        }
        self.rounds.retain(|round| round.plugin.strong_count() > 0);
        let due = self.rounds.iter_mut().filter(|round| round.next <= now);
        due.filter_map(|round| {
            // Counted from now: a tick that comes late is not followed by others to catch up.
            round.next = now + round.every;
            round.plugin.upgrade()
        })
        .collect()
    }

    fn next(&self) -> Option<Instant> {
        self.rounds.iter().map(|round| round.next).min()
    }
}
