//! A plugin that fails again and again is left alone for a while: the failure verdict stands in for it, and no time is
//! spent on calls that would fail.
//!
//! ```text
//!            so many failures in the window,
//!            half of all questions or more                  the time is over
//!  closed ────────────────────────────────► open ────────────────────────────────► half-open
//!    ▲                                        ▲   one call goes through, as a probe    │  │
//!    │                                        └──── it fails: twice as long as before ─┘  │
//!    └───────────────────────── it succeeds ──────────────────────────────────────────────┘
//! ```
//!
//! **Why half of the questions.** One client that knows a message on which the plugin fails could otherwise have the
//! policy taken away, or everybody refused, for all others. A plugin that answers most questions is not broken.
//!
//! One breaker a hook: a plugin that cannot route may still know who is who. While it is closed it costs a call one
//! load.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::Serialize;

/// When the circuit of a plugin opens, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerSettings {
    /// So many failed calls within [`window`](Self::window) open the circuit; 0: nothing does.
    pub failures: usize,
    /// See [`failures`](Self::failures). After so long without opening again, a closed circuit has forgotten the past.
    pub window: Duration,
    /// How long the plugin is left alone at first, doubled whenever it then fails again.
    pub retry_after: Duration,
    /// Bound of the doubling.
    pub retry_after_max: Duration,
}

impl Default for BreakerSettings {
    /// A handful of failures may be a handful of odd messages; ten in ten seconds are the plugin. A second is nothing to
    /// a client that tries again, and a minute after the cause is gone the plugin is back.
    fn default() -> Self {
        Self {
            failures: 10,
            window: Duration::from_secs(10),
            retry_after: Duration::from_secs(1),
            retry_after_max: Duration::from_secs(60),
        }
    }
}

/// Whether a plugin is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum CircuitState {
    /// It is.
    Closed,
    /// It is not.
    Open,
    /// One call at a time, to see whether it works again.
    HalfOpen,
}

impl CircuitState {
    /// As logs and metrics spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

/// A change of the circuit that somebody will want to read about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// It opened, for so long.
    Opened(Duration),
    /// It closed.
    Closed,
}

/// The breaker of one plugin at one hook.
pub(crate) struct Breaker {
    /// What `circuit` says, for those who only want to pass.
    state: AtomicU8,
    opened: AtomicU64,
    circuit: Mutex<Circuit>,
}

impl Breaker {
    pub(crate) fn new(settings: BreakerSettings) -> Self {
        Self {
            state: AtomicU8::new(CircuitState::Closed as u8),
            opened: AtomicU64::new(0),
            circuit: Mutex::new(Circuit::new(settings)),
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state.load(Relaxed) == CircuitState::Closed as u8
    }

    /// Whether a call may be made. `now` is only read where the circuit is not closed.
    pub(crate) fn admits(&self, now: Instant) -> bool {
        if self.is_closed() {
            return true;
        }
        let mut circuit = self.circuit.lock();
        let admitted = circuit.admits(now);
        self.publish(&circuit);
        admitted
    }

    /// A call brought an answer.
    pub(crate) fn succeeded(&self, now: Instant) -> Option<Change> {
        if self.is_closed() {
            return None;
        }
        let mut circuit = self.circuit.lock();
        let change = circuit.succeeded(now);
        self.publish(&circuit);
        change
    }

    /// A call brought none to `failed` questions, of `asked` that there were so far.
    pub(crate) fn failed(&self, now: Instant, failed: u64, asked: u64) -> Option<Change> {
        let mut circuit = self.circuit.lock();
        let change = circuit.failed(now, failed, asked);
        if change.is_some() {
            self.opened.fetch_add(1, Relaxed);
        }
        self.publish(&circuit);
        change
    }

    fn publish(&self, circuit: &Circuit) {
        self.state.store(circuit.state() as u8, Relaxed);
    }

    pub(crate) fn state(&self) -> CircuitState {
        self.circuit.lock().state()
    }

    /// How often it opened.
    pub(crate) fn opened(&self) -> u64 {
        self.opened.load(Relaxed)
    }
}

/// The state machine; the time is an argument.
struct Circuit {
    settings: BreakerSettings,
    phase: Phase,
    /// The latest failures while closed, as many as it takes.
    failures: VecDeque<FailedCall>,
    /// How long the next opening lasts.
    retry_after: Duration,
    /// When it closed after it had been open.
    recovered_at: Option<Instant>,
}

enum Phase {
    Closed,
    Open {
        until: Instant,
    },
    /// A call is under way. One that never comes back must not leave the plugin alone for ever: then another is made.
    Probing {
        until: Instant,
    },
}

struct FailedCall {
    at: Instant,
    questions: u64,
    /// Questions before this call.
    asked_before: u64,
}

impl Circuit {
    fn new(settings: BreakerSettings) -> Self {
        Self {
            retry_after: settings.retry_after,
            settings,
            phase: Phase::Closed,
            failures: VecDeque::new(),
            recovered_at: None,
        }
    }

    fn state(&self) -> CircuitState {
        match self.phase {
            Phase::Closed => CircuitState::Closed,
            Phase::Open { .. } => CircuitState::Open,
            Phase::Probing { .. } => CircuitState::HalfOpen,
        }
    }

    fn admits(&mut self, now: Instant) -> bool {
        match self.phase {
            Phase::Closed => true,
            Phase::Open { until } | Phase::Probing { until } if now >= until => {
                let until = now + self.settings.retry_after_max;
                self.phase = Phase::Probing { until };
                true
            }
            Phase::Open { .. } | Phase::Probing { .. } => false,
        }
    }

    fn succeeded(&mut self, now: Instant) -> Option<Change> {
        // A call that began before the circuit opened proves nothing about now.
        let Phase::Probing { .. } = self.phase else {
            return None;
        };
        self.phase = Phase::Closed;
        self.recovered_at = Some(now);
        Some(Change::Closed)
    }

    fn failed(&mut self, now: Instant, questions: u64, asked: u64) -> Option<Change> {
        match self.phase {
            Phase::Open { .. } => return None,
            Phase::Probing { .. } => {}
            Phase::Closed => {
                self.note(FailedCall {
                    at: now,
                    questions,
                    asked_before: asked.saturating_sub(questions),
                });
                if !self.is_broken(asked) {
                    return None;
                }
                self.forget_past(now);
            }
        }
        Some(self.open(now))
    }

    fn note(&mut self, call: FailedCall) {
        let (now, window) = (call.at, self.settings.window);
        self.failures.push_back(call);
        while self.failures.len() > self.settings.failures
            || self
                .failures
                .front()
                .is_some_and(|oldest| now.saturating_duration_since(oldest.at) > window)
        {
            self.failures.pop_front();
        }
    }

    fn is_broken(&self, asked: u64) -> bool {
        let Some(oldest) = self.failures.front() else {
            return false;
        };
        let failed: u64 = self.failures.iter().map(|call| call.questions).sum();
        self.failures.len() >= self.settings.failures
            && failed.saturating_mul(2) >= asked.saturating_sub(oldest.asked_before)
    }

    /// It was well for long enough.
    fn forget_past(&mut self, now: Instant) {
        let healthy = |since: Instant| now.saturating_duration_since(since) >= self.settings.window;
        if self.recovered_at.is_none_or(healthy) {
            self.retry_after = self.settings.retry_after;
        }
    }

    fn open(&mut self, now: Instant) -> Change {
        let retry_after = self.retry_after;
        self.phase = Phase::Open {
            until: now + retry_after,
        };
        self.retry_after = retry_after.saturating_mul(2).min(self.settings.retry_after_max);
        self.failures.clear();
        Change::Opened(retry_after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Opens with the third failure in ten seconds, for 1, 2, 4, 5, 5 … seconds.
    fn settings() -> BreakerSettings {
        BreakerSettings {
            failures: 3,
            window: 10 * SECOND,
            retry_after: SECOND,
            retry_after_max: 5 * SECOND,
        }
    }

    /// A plugin that is asked one question after the other.
    struct Plugin {
        breaker: Breaker,
        now: Instant,
        asked: u64,
    }

    impl Plugin {
        fn new(settings: BreakerSettings) -> Self {
            Self {
                breaker: Breaker::new(settings),
                now: crate::clock::now(),
                asked: 0,
            }
        }

        fn wait(&mut self, time: Duration) -> &mut Self {
            self.now += time;
            self
        }

        fn is_called(&self) -> bool {
            self.breaker.admits(self.now)
        }

        fn answers(&mut self) -> Option<Change> {
            assert!(self.is_called());
            self.asked += 1;
            self.breaker.succeeded(self.now)
        }

        fn fails(&mut self) -> Option<Change> {
            assert!(self.is_called());
            self.asked += 1;
            self.breaker.failed(self.now, 1, self.asked)
        }

        fn fails_times(&mut self, times: usize) {
            for _ in 0..times {
                self.fails();
            }
        }
    }

    #[test]
    fn so_many_failures_open_the_circuit() {
        let mut plugin = Plugin::new(settings());
        assert_eq!((plugin.fails(), plugin.fails()), (None, None));
        assert_eq!(plugin.fails(), Some(Change::Opened(SECOND)));
        assert!(!plugin.is_called());
        assert_eq!(plugin.breaker.state(), CircuitState::Open);
        assert_eq!(plugin.breaker.opened(), 1);
    }

    #[test]
    fn failures_far_apart_do_not() {
        let mut plugin = Plugin::new(settings());
        for _ in 0..10 {
            assert_eq!(plugin.wait(6 * SECOND).fails(), None);
        }
    }

    #[test]
    fn a_plugin_that_answers_most_questions_is_not_broken() {
        let mut plugin = Plugin::new(settings());
        for _ in 0..1000 {
            assert_eq!(plugin.fails(), None);
            plugin.answers();
            plugin.answers();
        }
        assert_eq!(plugin.fails(), None);
        assert_eq!(plugin.fails(), Some(Change::Opened(SECOND)), "three of five");
    }

    #[test]
    fn a_batch_counts_as_many_questions() {
        let plugin = Plugin::new(settings());
        for asked in [100, 200] {
            assert_eq!(plugin.breaker.failed(plugin.now, 100, asked), None);
        }
        // Since the first of these three batches 300 questions failed, and 299 were answered.
        assert!(plugin.breaker.failed(plugin.now, 100, 599).is_some());

        let plugin = Plugin::new(settings());
        for asked in [100, 200] {
            assert_eq!(plugin.breaker.failed(plugin.now, 100, asked), None);
        }
        assert_eq!(plugin.breaker.failed(plugin.now, 100, 601), None);
    }

    #[test]
    fn one_probe_at_a_time_decides() {
        let mut plugin = Plugin::new(settings());
        plugin.fails_times(3);
        plugin.wait(SECOND);
        assert!(plugin.is_called(), "the probe");
        assert_eq!(plugin.breaker.state(), CircuitState::HalfOpen);
        assert!(!plugin.is_called(), "nobody beside it");
        assert_eq!(plugin.breaker.succeeded(plugin.now), Some(Change::Closed));
        assert!(plugin.is_called() && plugin.is_called());
    }

    #[test]
    fn probes_that_fail_come_less_and_less_often() {
        let mut plugin = Plugin::new(settings());
        plugin.fails_times(3);
        let mut after = SECOND;
        for next in [2, 4, 5, 5] {
            plugin.wait(after - Duration::from_millis(1));
            assert!(!plugin.is_called());
            plugin.wait(Duration::from_millis(1));
            after = next * SECOND;
            assert_eq!(plugin.fails(), Some(Change::Opened(after)));
        }
    }

    #[test]
    fn a_probe_that_never_comes_back_is_followed_by_another() {
        let mut plugin = Plugin::new(settings());
        plugin.fails_times(3);
        assert!(plugin.wait(SECOND).is_called());
        assert!(!plugin.wait(4 * SECOND).is_called());
        assert!(plugin.wait(SECOND).is_called());
    }

    #[test]
    fn healthy_time_is_what_makes_it_forget() {
        let mut plugin = Plugin::new(settings());
        plugin.fails_times(3);
        assert_eq!(plugin.wait(SECOND).answers(), Some(Change::Closed));
        plugin.fails_times(2);
        assert_eq!(plugin.fails(), Some(Change::Opened(2 * SECOND)), "at once again");

        assert_eq!(plugin.wait(2 * SECOND).answers(), Some(Change::Closed));
        plugin.wait(10 * SECOND);
        plugin.fails_times(2);
        assert_eq!(
            plugin.fails(),
            Some(Change::Opened(SECOND)),
            "after ten good seconds"
        );
    }

    #[test]
    fn calls_that_began_before_it_opened_change_nothing() {
        let mut plugin = Plugin::new(settings());
        plugin.fails_times(3);
        assert_eq!(plugin.breaker.failed(plugin.now, 1, 4), None);
        assert_eq!(plugin.breaker.succeeded(plugin.now), None);
        assert!(!plugin.is_called());
    }

    #[test]
    fn without_a_number_it_never_opens() {
        let mut plugin = Plugin::new(BreakerSettings {
            failures: 0,
            ..settings()
        });
        for _ in 0..100 {
            assert_eq!(plugin.fails(), None);
        }
    }
}
