//! What the host keeps for one instance: the data of its store.

use std::sync::Arc;
use std::time::Duration;

use hookwire_hooks::PluginPublish;

use crate::memory::MemoryLimiter;
use crate::services::Services;
use crate::ticker::Stopwatch;
use crate::wasi::Console;

/// How long a call may take, and what led to it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    /// CPU time.
    pub(crate) deadline: Duration,
    /// [`Source::hops`](hookwire_hooks::Source::hops) of the message in question; 0 where there is none.
    pub(crate) hops: u8,
}

impl Budget {
    pub(crate) fn new(deadline: Duration) -> Self {
        Self { deadline, hops: 0 }
    }

    pub(crate) fn with_hops(self, hops: u8) -> Self {
        Self { hops, ..self }
    }
}

/// The state of one instance, as its host functions see it.
pub(crate) struct Guest {
    pub(crate) services: Arc<Services>,
    pub(crate) memory: MemoryLimiter,
    pub(crate) console: Console,
    pub(crate) watch: Stopwatch,
    pub(crate) outbox: Outbox,
}

/// Messages that the running call published so far.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pub(crate) hops: u8,
    pub(crate) bytes: usize,
    pub(crate) messages: Vec<PluginPublish>,
}

impl Guest {
    pub(crate) fn new(services: Arc<Services>, memory_bytes_max: usize) -> Self {
        Self {
            memory: MemoryLimiter::new(memory_bytes_max, services.limits()),
            console: Console::default(),
            watch: Stopwatch::default(),
            outbox: Outbox::default(),
            services,
        }
    }

    /// Prepares for a call: nothing of the last one is left.
    pub(crate) fn begin(&mut self, budget: Budget) {
        self.watch = Stopwatch::new(budget.deadline);
        self.outbox.hops = budget.hops;
        self.outbox.bytes = 0;
        self.outbox.messages.clear();
        self.console.forget_errors();
        self.memory.take_refused();
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use hookwire_hooks::NoHost;

    use super::*;
    use crate::services::{Foundation, Lasting};
    use crate::ticker::Ticker;
    use crate::{Grants, HostLimits, engine};

    /// The state of an instance of a plugin with these grants, for tests of host functions.
    pub(crate) fn guest(grants: Grants, limits: HostLimits) -> Guest {
        let ticker = Ticker::start(engine::new(&limits).unwrap()).unwrap();
        let foundation = Arc::new(Foundation {
            limits,
            broker: Arc::new(NoHost),
            ticker,
        });
        let services = Services::new("test", grants, Arc::new(Lasting::default()), foundation);
        let mut guest = Guest::new(Arc::new(services), 1 << 20);
        guest.begin(Budget::new(Duration::from_millis(5)));
        guest
    }
}
