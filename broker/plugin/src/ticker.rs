//! The clock of the guests: a thread that raises the engine's epoch while calls are in flight.
//!
//! Every call runs with an epoch deadline of one tick. When the tick comes, the guest calls back into the host, which
//! looks at the CPU time that the call has used so far ([`Stopwatch`]) and lets it go on or not. So a deadline is CPU
//! time of the guest, not time on the wall: on an overloaded machine an innocent plugin is not punished for having to
//! wait for its turn.
//!
//! A call that may wait hands its thread over at each tick, and its time is the sum of its turns ([`Meter`]). The time that
//! it waits in functions of the host is counted by itself, against the same deadline.
//!
//! Most calls are over long before a tick could reach them, and each tick wakes a thread: so ticks are rare ([`WATCH`]) until one
//! reaches a call that the one before has reached already, or one that hands its thread over; then they are close ([`TICK`]).
//!
//! A call says that it is there by setting a flag, usually set already; each tick clears it, and a guest that runs on
//! sets it again when the tick reaches it. When the flag stayed clear for [`LINGER_TICKS`], the thread parks, and the
//! next call wakes it. An idle broker has no ticks.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use wasmtime::Engine;

use crate::clock;
use crate::guest::{Budget, Pace};

/// Resolution of deadlines while a call takes long.
const TICK: Duration = Duration::from_millis(1);

/// Time between ticks while no call takes long: an endless loop is found within its deadline and two of these.
const WATCH: Duration = Duration::from_millis(4);

/// Ticks without a call after which the thread parks: long enough that steady traffic never wakes it.
const LINGER_TICKS: u32 = 25;

/// Raises the epoch of one engine while calls are in flight.
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    handle: Thread,
}

#[derive(Default)]
struct Shared {
    /// A call began, or went on over a tick, since the last tick.
    active: AtomicBool,
    /// A call takes long, since the last tick.
    hurried: AtomicBool,
    /// The next tick is close.
    is_close: AtomicBool,
    /// The thread sleeps until somebody clears this.
    parked: AtomicBool,
    stop: AtomicBool,
    ticks: AtomicU64,
}

impl Ticker {
    pub(crate) fn start(engine: Engine) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let thread = thread::Builder::new().name("plugin-ticker".into()).spawn({
            let shared = shared.clone();
            move || shared.run(&engine)
        })?;
        let handle = thread.thread().clone();
        Ok(Self {
            shared,
            thread: Some(thread),
            handle,
        })
    }

    /// Says that a call is about to begin or goes on. One load when calls are frequent.
    pub(crate) fn mark(&self) {
        // A stale `true` is harmless: whoever clears the flag goes on ticking for a while.
        if self.shared.active.load(Ordering::Relaxed) {
            return;
        }
        self.shared.active.store(true, Ordering::SeqCst);
        // Either this load sees that the thread parks, or the thread, which looks at `active` once more after it set
        // `parked`, sees the call.
        if self.shared.parked.load(Ordering::SeqCst) && self.shared.parked.swap(false, Ordering::SeqCst) {
            self.handle.unpark();
        }
    }

    /// Says that a call goes on and takes long: ticks are close from now on, as long as somebody says so at each.
    pub(crate) fn hurry(&self) {
        self.mark();
        self.shared.hurried.store(true, Ordering::SeqCst);
        // Once only: each wake is a tick.
        if !self.shared.is_close.swap(true, Ordering::SeqCst) {
            self.handle.unpark();
        }
    }

    #[cfg(test)]
    fn is_parked(&self) -> bool {
        self.shared.parked.load(Ordering::SeqCst)
    }

    #[cfg(test)]
    fn ticks(&self) -> u64 {
        self.shared.ticks.load(Ordering::Relaxed)
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.shared.parked.store(false, Ordering::SeqCst);
        self.handle.unpark();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn run(&self, engine: &Engine) {
        let mut idle_ticks = 0;
        while !self.stop.load(Ordering::SeqCst) {
            thread::park_timeout(self.until_next());
            engine.increment_epoch();
            self.ticks.fetch_add(1, Ordering::Relaxed);
            idle_ticks = if self.active.swap(false, Ordering::SeqCst) {
                0
            } else {
                idle_ticks + 1
            };
            if idle_ticks >= LINGER_TICKS {
                self.park();
                idle_ticks = 0;
            }
        }
    }

    fn until_next(&self) -> Duration {
        // In this order: whoever hurries later wakes the thread.
        self.is_close.store(false, Ordering::SeqCst);
        if self.hurried.swap(false, Ordering::SeqCst) {
            self.is_close.store(true, Ordering::SeqCst);
            TICK
        } else {
            WATCH
        }
    }

    fn park(&self) {
        self.parked.store(true, Ordering::SeqCst);
        if self.active.load(Ordering::SeqCst) || self.stop.load(Ordering::SeqCst) {
            self.parked.store(false, Ordering::SeqCst);
        }
        while self.parked.load(Ordering::SeqCst) {
            thread::park();
        }
    }
}

/// The time of one call.
///
/// A call that keeps its thread is on it from the first tick on, so that a quick call never reads a clock; it is thus given
/// up to [`WATCH`] more than its deadline. One that may wait is measured by its [`Meter`].
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Stopwatch {
    deadline: Duration,
    pace: Pace,
    started: Option<Duration>,
    overrun: Option<Overrun>,
}

/// Of which time a call has used more than its deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overrun {
    Cpu,
    Waiting,
}

impl Stopwatch {
    pub(crate) fn new(budget: Budget) -> Self {
        Self {
            deadline: budget.deadline,
            pace: budget.pace,
            started: None,
            overrun: None,
        }
    }

    /// A tick has come. Whether the call may go on.
    pub(crate) fn tick(&mut self, meter: &Meter) -> bool {
        match self.pace {
            Pace::AtOnce => self.tick_at(clock::thread_cpu()),
            Pace::Waiting => self.used(meter.used()),
        }
    }

    fn tick_at(&mut self, cpu: Duration) -> bool {
        let started = *self.started.get_or_insert(cpu);
        self.used(cpu.saturating_sub(started))
    }

    fn used(&mut self, cpu: Duration) -> bool {
        if cpu >= self.deadline {
            self.overrun = Some(Overrun::Cpu);
        }
        self.overrun.is_none()
    }

    /// Whether the next tick is to be close: one has come before, or each is a turn of others.
    pub(crate) fn takes_long(&self) -> bool {
        self.started.is_some() || self.pace == Pace::Waiting
    }

    pub(crate) fn waited_too_long(&mut self) {
        self.overrun = Some(Overrun::Waiting);
    }

    pub(crate) fn overrun(&self) -> Option<Overrun> {
        self.overrun
    }

    pub(crate) fn pace(&self) -> Pace {
        self.pace
    }

    pub(crate) fn deadline(&self) -> Duration {
        self.deadline
    }
}

/// CPU time of a call that may be suspended and go on on another thread: the sum of its turns.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    /// Of the turns before this one, nanoseconds.
    used: AtomicU64,
    /// What the thread had used when this turn began.
    since: AtomicU64,
}

impl Meter {
    pub(crate) fn reset(&self) {
        self.used.store(0, Ordering::Relaxed);
        self.since
            .store(clock::nanos(clock::thread_cpu()), Ordering::Relaxed);
    }

    /// To be asked in the middle of a turn, on its thread.
    fn used(&self) -> Duration {
        let turn = clock::nanos(clock::thread_cpu()).saturating_sub(self.since.load(Ordering::Relaxed));
        Duration::from_nanos(self.used.load(Ordering::Relaxed) + turn)
    }

    fn turn<R>(&self, step: impl FnOnce() -> R) -> R {
        self.since
            .store(clock::nanos(clock::thread_cpu()), Ordering::Relaxed);
        let result = step();
        let used = self.used();
        self.used.store(clock::nanos(used), Ordering::Relaxed);
        result
    }

    /// Runs a call so that each of its turns is measured.
    pub(crate) async fn measure<F: Future + Unpin>(&self, mut call: F) -> F::Output {
        poll_fn(|cx| self.turn(|| Pin::new(&mut call).poll(cx))).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn wait_until(what: &str, condition: impl Fn() -> bool) {
        let start = clock::now();
        while !condition() {
            assert!(start.elapsed() < Duration::from_secs(20), "{what}");
            thread::park_timeout(MS);
        }
    }

    #[test]
    fn a_stopwatch_starts_at_its_first_tick() {
        let mut watch = Stopwatch::new(Budget::new(5 * MS));
        assert!(watch.tick_at(1000 * MS));
        assert!(watch.tick_at(1004 * MS));
        assert_eq!(watch.overrun(), None);
        assert!(!watch.tick_at(1005 * MS));
        assert_eq!(watch.overrun(), Some(Overrun::Cpu));
    }

    #[test]
    fn a_call_takes_long_when_a_tick_has_come_before_or_each_is_a_turn_of_others() {
        let mut watch = Stopwatch::new(Budget::new(5 * MS));
        assert!(!watch.takes_long());
        assert!(watch.tick_at(MS));
        assert!(watch.takes_long());
        let waiting = Stopwatch::new(Budget {
            pace: Pace::Waiting,
            ..Budget::new(5 * MS)
        });
        assert!(waiting.takes_long());
    }

    #[test]
    fn ticks_are_close_as_long_as_somebody_hurries() {
        let shared = Shared::default();
        assert_eq!(shared.until_next(), WATCH);
        shared.hurried.store(true, Ordering::SeqCst);
        assert_eq!(shared.until_next(), TICK);
        assert!(shared.is_close.load(Ordering::SeqCst), "nobody wakes it for that");
        assert_eq!(shared.until_next(), WATCH);
        assert!(!shared.is_close.load(Ordering::SeqCst));
    }

    #[test]
    fn cpu_time_stands_still_while_a_thread_waits() {
        let before = clock::thread_cpu();
        thread::park_timeout(30 * MS);
        assert!(clock::thread_cpu() - before < 20 * MS);
    }

    #[test]
    fn the_ticker_parks_when_nobody_calls_and_wakes_for_a_call() {
        let engine = crate::engine::new(&crate::HostLimits::default()).unwrap();
        let ticker = Ticker::start(engine).unwrap();
        wait_until("parks", || ticker.is_parked());
        let ticks = ticker.ticks();
        thread::park_timeout(20 * MS);
        assert_eq!(ticker.ticks(), ticks, "a parked ticker does not tick");

        ticker.mark();
        assert!(!ticker.is_parked());
        wait_until("ticks again", || ticker.ticks() > ticks + 2);
        wait_until("parks again", || ticker.is_parked());
    }

    #[test]
    fn a_call_that_goes_on_keeps_the_ticker_awake() {
        let engine = crate::engine::new(&crate::HostLimits::default()).unwrap();
        let ticker = Ticker::start(engine).unwrap();
        ticker.mark();
        let ticks = ticker.ticks();
        wait_until("ticks on", || {
            ticker.mark();
            ticker.ticks() > ticks + u64::from(2 * LINGER_TICKS)
        });
        assert!(!ticker.is_parked());
    }
}
