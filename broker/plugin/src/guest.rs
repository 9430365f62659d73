//! What the host keeps for one instance: the data of its store.

use std::sync::Arc;
use std::time::Duration;

use hookwire_hooks::{PluginPublish, Surroundings};
use tracing::Level;

use crate::clock;
use crate::memory::MemoryLimiter;
use crate::services::Services;
use crate::ticker::{Meter, Stopwatch};
use crate::wasi::Console;

/// How long a call may take, and what led to it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    /// CPU time; and, for a call that may wait, the time that it may spend waiting in functions of the host.
    pub(crate) deadline: Duration,
    pub(crate) pace: Pace,
    /// [`Source::hops`](hookwire_hooks::Source::hops) of the message in question; 0 where there is none.
    pub(crate) hops: u8,
    /// Whether it may take its time, though it keeps its thread: no client's packets wait for it.
    pub(crate) is_slow: bool,
    /// How many times as much as the limits of one call it may publish and be shown: one share for each so many messages.
    pub(crate) shares: usize,
}

/// Messages in one call for which there is one share: few of many have something published, and all of it waits in memory.
const QUESTIONS_PER_SHARE: usize = 256;

impl Budget {
    pub(crate) fn new(deadline: Duration) -> Self {
        Self {
            deadline,
            pace: Pace::AtOnce,
            hops: 0,
            is_slow: false,
            shares: 1,
        }
    }

    /// Of a call that may wait.
    pub(crate) fn waiting(self) -> Self {
        Self {
            pace: Pace::Waiting,
            ..self
        }
    }

    /// For a call that may take its time, though it keeps its thread.
    pub(crate) fn slow(deadline: Duration) -> Self {
        Self {
            is_slow: true,
            ..Self::new(deadline)
        }
    }

    pub(crate) fn with_hops(self, hops: u8) -> Self {
        Self { hops, ..self }
    }

    /// For a call about so many messages.
    pub(crate) fn about(self, questions: usize) -> Self {
        Self {
            shares: questions.div_ceil(QUESTIONS_PER_SHARE).max(1),
            ..self
        }
    }
}

/// Whether a call may give its thread away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Pace {
    /// It keeps its thread from its begin to its end. What would have to wait fails instead.
    #[default]
    AtOnce,
    /// It is suspended while it waits, and at each tick, so that others get their turn.
    Waiting,
}

/// The state of one instance, as its host functions see it.
pub(crate) struct Guest {
    pub(crate) services: Arc<Services>,
    pub(crate) memory: MemoryLimiter,
    pub(crate) console: Console,
    pub(crate) watch: Stopwatch,
    /// CPU time of calls that change their thread.
    pub(crate) meter: Arc<Meter>,
    pub(crate) outbox: Outbox,
    /// It was linked with functions that wait, so that every call needs a stack of its own.
    needs_fiber: bool,
    /// It has its configuration, and is asked.
    is_configured: bool,
    /// What the running call has spent waiting.
    waited: Duration,
    /// [`Budget::is_slow`] of the running call.
    is_slow: bool,
    /// [`Budget::shares`] of the running call.
    pub(crate) shares: usize,
    /// Bytes of retained messages that the running call was shown so far.
    pub(crate) retained_bytes_read: usize,
}

/// Messages that the running call published so far.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pub(crate) hops: u8,
    pub(crate) bytes: usize,
    pub(crate) messages: Vec<PluginPublish>,
}

impl Guest {
    pub(crate) fn new(services: Arc<Services>, memory_bytes_max: usize, needs_fiber: bool) -> Self {
        Self {
            memory: MemoryLimiter::new(memory_bytes_max, services.limits()),
            console: Console::default(),
            watch: Stopwatch::default(),
            meter: Arc::default(),
            outbox: Outbox::default(),
            needs_fiber,
            is_configured: false,
            waited: Duration::ZERO,
            is_slow: false,
            shares: 1,
            retained_bytes_read: 0,
            services,
        }
    }

    /// From now on it is asked.
    pub(crate) fn configured(&mut self) {
        self.is_configured = true;
    }

    /// A test that listens to what the plugin does. What an instance does while it is made goes unheard: how many there
    /// are, and when they are made, is up to the host.
    fn listener(&self) -> Option<&dyn Surroundings> {
        let broker = &self.services.foundation.broker;
        broker.surroundings().filter(|_| self.is_configured)
    }

    /// Whether a test listens to what the plugin calls.
    pub(crate) fn is_watched(&self) -> bool {
        self.listener().is_some()
    }

    /// Tells a test what the plugin called; in a broker nobody listens, and the text is not made.
    pub(crate) fn note(&self, call: impl FnOnce() -> String) {
        if let Some(listener) = self.listener() {
            listener.called(&self.services.name, &call());
        }
    }

    /// Tells a test what a histogram of the plugin's was told.
    pub(crate) fn observed(&self, name: &str, value: f64) {
        if let Some(listener) = self.listener() {
            listener.observed(&self.services.name, name, value);
        }
    }

    /// Writes what the plugin says to the log.
    pub(crate) fn say(&self, level: Level, line: &str) {
        if let Some(listener) = self.listener() {
            listener.logged(&self.services.name, &level.as_str().to_ascii_lowercase(), line);
        }
        self.services.journal.write(level, line, clock::now());
    }

    /// Whether the running call has a stack of its own.
    pub(crate) fn is_on_fiber(&self) -> bool {
        self.needs_fiber || self.pace() == Pace::Waiting
    }

    pub(crate) fn pace(&self) -> Pace {
        self.watch.pace()
    }

    /// Whether the running call may do what takes long.
    pub(crate) fn takes_its_time(&self) -> bool {
        self.is_slow || self.pace() == Pace::Waiting
    }

    /// How long the running call may still wait; `None` where it may not at all.
    pub(crate) fn patience(&self) -> Option<Duration> {
        (self.pace() == Pace::Waiting).then(|| self.watch.deadline().saturating_sub(self.waited))
    }

    /// The running call has waited.
    pub(crate) fn has_waited(&mut self, time: Duration) {
        self.waited += time;
        if self.waited >= self.watch.deadline() {
            self.watch.waited_too_long();
        }
    }

    /// Prepares for a call: nothing of the last one is left.
    pub(crate) fn begin(&mut self, budget: Budget) {
        self.watch = Stopwatch::new(budget);
        self.waited = Duration::ZERO;
        if budget.pace == Pace::Waiting {
            self.meter.reset();
        }
        self.outbox.hops = budget.hops;
        self.outbox.bytes = 0;
        self.outbox.messages.clear();
        self.is_slow = budget.is_slow;
        self.shares = budget.shares;
        self.retained_bytes_read = 0;
        self.console.forget_errors();
        self.memory.take_refused();
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use hookwire_hooks::{Host, NoHost};

    use super::*;
    use crate::executor::Executor;
    use crate::services::{Foundation, Lasting};
    use crate::ticker::Ticker;
    use crate::{Grants, HostLimits, engine};

    /// The state of an instance of a plugin with these grants, for tests of host functions.
    pub(crate) fn guest(grants: Grants, limits: HostLimits) -> Guest {
        guest_of(Arc::new(NoHost), grants, limits)
    }

    /// The same with a broker behind it.
    pub(crate) fn guest_of(broker: Arc<dyn Host>, grants: Grants, limits: HostLimits) -> Guest {
        let ticker = Ticker::start(engine::new(&limits).unwrap()).unwrap();
        let foundation = Arc::new(Foundation {
            limits,
            broker,
            ticker: Arc::new(ticker),
            executor: Arc::new(Executor::start().unwrap()),
        });
        let services = Services::new("test", grants, Arc::new(Lasting::default()), foundation).unwrap();
        let mut guest = Guest::new(Arc::new(services), 1 << 20, false);
        guest.begin(Budget::new(Duration::from_millis(5)));
        guest
    }
}
