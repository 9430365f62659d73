//! Counts and times of one loaded plugin, in a shape that may be printed as JSON and relied upon: fields are added, none
//! is renamed.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use hookwire_hooks::{Failure, FailureKind, Hook};
use parking_lot::Mutex;
use serde::{Serialize, Serializer};

use crate::breaker::CircuitState;
use crate::clock;
use crate::comparisons::ShadowStats;
use crate::histogram::{Histogram, HistogramStats};
use crate::http::HttpError;
use crate::observations::Observations;

/// How a plugin is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PluginState {
    /// It is being loaded, and nothing else is in force in its place.
    Loading,
    /// Its answers count.
    Active,
    /// It is asked, and its answers are compared with the chain's.
    Shadow,
    /// At one hook at least it failed so often that it is left alone for a while.
    CircuitOpen,
    /// It did not load when the broker started, and what was in force before stands in for it.
    Degraded,
    /// It does not load, and nothing stands in for it.
    Failed,
}

impl PluginState {
    /// As logs and metrics spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Loading => "loading",
            Self::Active => "active",
            Self::Shadow => "shadow",
            Self::CircuitOpen => "circuit-open",
            Self::Degraded => "degraded",
            Self::Failed => "failed",
        }
    }
}

/// What a plugin is, and what it did since it was loaded.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PluginStats {
    /// Its name in the configuration.
    pub name: String,
    /// How it is.
    pub state: PluginState,
    /// Where it is degraded: what is used instead of what, and why.
    pub degraded: Option<String>,
    /// The sha256 of its component, hexadecimal.
    pub sha256: String,
    /// Its version, where its component tells one.
    pub version: Option<String>,
    /// The generation of the policy that it came into force with; 0: not yet.
    pub generation: u64,
    /// One entry for each hook that it implements.
    pub hooks: Vec<HookStats>,
    /// Its instances.
    pub instances: InstanceStats,
    /// It answers runs of messages in one call.
    pub batch: bool,
    /// Batch calls that failed, after which their messages were judged one by one.
    pub batch_retries: u64,
    /// Messages that it published.
    pub publishes: u64,
    /// Messages that it published and the broker's queue had no room for.
    pub publishes_dropped: u64,
    /// Log lines beyond its rate.
    pub log_lines_suppressed: u64,
    /// Ticks.
    pub ticks: u64,
    /// Ticks and health checks that failed.
    pub tick_failures: u64,
    /// Keys in its store.
    pub kv_entries: usize,
    /// Bytes of keys and values in its store.
    pub kv_bytes: usize,
    /// Its HTTP requests.
    pub http: HttpStats,
    /// Token buckets that are not full.
    pub rate_limit_keys: usize,
    /// The last failure of any kind.
    pub last_error: Option<String>,
    /// Figures of its own, by name.
    #[serde(serialize_with = "map")]
    pub metrics: Vec<(String, MetricValue)>,
}

fn map<S: Serializer, K: Serialize, V: Serialize>(entries: &[(K, V)], to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(entries.iter().map(|(key, value)| (key, value)))
}

fn failure_map<S: Serializer>(entries: &[(FailureKind, u64)], to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(entries.iter().map(|(kind, count)| (kind.as_str(), count)))
}

fn hook_name<S: Serializer>(hook: &Hook, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(hook.as_str())
}

impl PluginStats {
    /// Name and value of each figure, for people; kinds of failures and answers that never occurred are left out.
    pub fn figures(&self) -> Vec<(String, String)> {
        let failures: u64 = self.hooks.iter().map(HookStats::failed).sum();
        let calls: u64 = self.hooks.iter().map(|hook| hook.calls).sum();
        let mut figures = vec![
            ("state".to_owned(), self.state.as_str().to_owned()),
            ("generation".to_owned(), self.generation.to_string()),
            ("sha256".to_owned(), self.sha256.clone()),
            ("calls".to_owned(), calls.to_string()),
            ("failures".to_owned(), failures.to_string()),
            ("instances".to_owned(), self.instances.live.to_string()),
            (
                "instances/discarded".to_owned(),
                self.instances.discarded.to_string(),
            ),
            (
                "memory/maximum".to_owned(),
                self.instances.memory_bytes_peak.to_string(),
            ),
        ];
        figures.extend(
            self.version
                .clone()
                .map(|version| ("version".to_owned(), version)),
        );
        for hook in &self.hooks {
            figures.extend(hook.figures());
        }
        figures.extend(self.http.figures());
        let own = self.metrics.iter();
        figures.extend(own.map(|(name, value)| (format!("metrics/{name}"), value.to_string())));
        figures
    }
}

impl std::fmt::Display for MetricValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Gauge(value) => write!(f, "{value}"),
            Self::Histogram(histogram) => write!(f, "{} (sum {})", histogram.count(), histogram.sum()),
        }
    }
}

/// What happened at one hook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HookStats {
    /// The hook.
    #[serde(serialize_with = "hook_name")]
    pub hook: Hook,
    /// Calls of the guest.
    pub calls: u64,
    /// Questions: messages for on-publish, deliveries for deliver, events for events, calls elsewhere.
    pub messages: u64,
    /// Questions that brought no answer, by kind; kinds that never occurred are left out.
    #[serde(serialize_with = "failure_map")]
    pub failures: Vec<(FailureKind, u64)>,
    /// Answers by their name in the contract; those that never occurred are left out.
    #[serde(serialize_with = "map")]
    pub verdicts: Vec<(&'static str, u64)>,
    /// Time in calls, waiting for an instance included.
    pub total_ns: u64,
    /// Nanoseconds that calls took, once they had an instance.
    pub run_ns: HistogramStats,
    /// Nanoseconds that calls waited for an instance; those that found one at once are left out.
    pub wait_ns: HistogramStats,
    /// Messages of one batch call.
    pub batch_messages: HistogramStats,
    /// Whether it is called.
    pub circuit: CircuitState,
    /// How often it was left alone for a while since it failed so often.
    pub circuit_opened: u64,
    /// For a shadow: what it would have done.
    pub shadow: Option<ShadowStats>,
}

impl HookStats {
    fn failed(&self) -> u64 {
        self.failures.iter().map(|(_, times)| times).sum()
    }

    fn figures(&self) -> impl Iterator<Item = (String, String)> {
        let hook = self.hook.as_str();
        let counts = [("calls", self.calls), ("messages", self.messages)];
        let counts = counts.map(|(name, count)| (format!("{hook}/{name}"), count));
        let failures = self.failures.iter();
        let failures =
            failures.map(move |(kind, times)| (format!("{hook}/failures/{}", kind.as_str()), *times));
        let verdicts = self.verdicts.iter();
        let verdicts = verdicts.map(move |(name, times)| (format!("{hook}/verdicts/{name}"), *times));
        let slow = [("p50", 0.5), ("p99", 0.99)].map(|(name, part)| (name, self.run_ns.quantile(part)));
        let slow = slow.into_iter();
        let slow = slow.filter_map(move |(name, ns)| Some((format!("{hook}/run/{name}/nanoseconds"), ns?)));
        let opened = [(format!("{hook}/circuit/opened"), self.circuit_opened)];
        let opened = opened.into_iter().filter(|(_, times)| *times > 0);
        let shadow = self.shadow.iter().flat_map(move |shadow| {
            [("agreed", shadow.agreed), ("differed", shadow.differences())]
                .map(|(name, count)| (format!("{hook}/shadow/{name}"), count))
        });
        let all = counts.into_iter().chain(failures).chain(verdicts);
        let all = all.chain(slow).chain(opened).chain(shadow);
        all.map(|(name, count)| (name, count.to_string()))
            .chain([(format!("{hook}/circuit"), self.circuit.as_str().to_owned())])
    }
}

/// The HTTP requests of a plugin.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct HttpStats {
    /// All, whatever came of them.
    pub requests: u64,
    /// Those that brought no answer, by kind; kinds that never occurred are left out.
    #[serde(serialize_with = "map")]
    pub errors: Vec<(&'static str, u64)>,
    /// Time in requests.
    pub total_ns: u64,
}

impl HttpStats {
    fn figures(&self) -> Vec<(String, String)> {
        if self.requests == 0 {
            return Vec::new();
        }
        let mut figures = vec![
            ("http/requests".to_owned(), self.requests.to_string()),
            (
                "http/milliseconds".to_owned(),
                (self.total_ns / 1_000_000).to_string(),
            ),
        ];
        let errors = self.errors.iter();
        figures.extend(errors.map(|(kind, times)| (format!("http/errors/{kind}"), times.to_string())));
        figures
    }
}

/// The instances of a plugin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct InstanceStats {
    /// Alive now, idle or in a call.
    pub live: usize,
    /// Made since the plugin was loaded.
    pub created: u64,
    /// Dropped because a call of theirs failed.
    pub discarded: u64,
    /// Largest linear memory that one of them had, bytes.
    pub memory_bytes_peak: usize,
}

/// A figure of a plugin's own.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MetricValue {
    /// Only grows.
    Count(u64),
    /// Goes up and down.
    Gauge(f64),
    /// How often what was seen.
    Histogram(Observations),
}

/// Names of the answers to each hook, in the order in which they are counted.
pub(crate) const fn verdict_names(hook: Hook) -> &'static [&'static str] {
    match hook {
        Hook::Authenticate => &["next", "allow", "deny", "unavailable"],
        Hook::AuthenticateEnhanced => &["next", "challenge", "allow", "deny"],
        Hook::Authorize => &["next", "allow", "deny", "disconnect"],
        Hook::OnSubscribe => &["pass", "replace", "without-retained", "reject"],
        Hook::OnUnsubscribe => &["pass", "replace", "reject"],
        Hook::OnPublish => &["pass", "replace", "drop", "reject", "disconnect", "throttle"],
        Hook::Route => &["default", "change"],
        Hook::Deliver => &["pass", "replace", "drop"],
        Hook::OnWill => &["publish", "replace", "suppress", "delay"],
        Hook::Events => &[],
        Hook::Control => &["reply", "error"],
    }
}

const VERDICTS_MAX: usize = 6;

/// Place of an answer in [`verdict_names`].
pub(crate) type VerdictIndex = usize;

/// The counters of one hook. They are statistics: nothing is ordered by them.
#[derive(Default)]
pub(crate) struct HookCounters {
    messages: AtomicU64,
    /// Counts the calls too.
    run_ns: Histogram,
    wait_ns: Histogram,
    batch_messages: Histogram,
    verdicts: [AtomicU64; VERDICTS_MAX],
    failures: [AtomicU64; FailureKind::ALL.len()],
}

impl HookCounters {
    /// A call that waited for an instance, if it had to, then ran.
    pub(crate) fn call(&self, waited: Duration, ran: Duration) {
        self.run_ns.record(clock::nanos(ran));
        if !waited.is_zero() {
            self.wait_ns.record(clock::nanos(waited));
        }
    }

    /// A call had so many messages.
    pub(crate) fn batch(&self, messages: usize) {
        self.batch_messages.record(messages as u64);
    }

    pub(crate) fn messages(&self, count: usize) {
        self.messages.fetch_add(count as u64, Relaxed);
    }

    /// Questions so far.
    pub(crate) fn asked(&self) -> u64 {
        self.messages.load(Relaxed)
    }

    pub(crate) fn verdict(&self, index: VerdictIndex) {
        self.verdicts[index].fetch_add(1, Relaxed);
    }

    /// Counts many answers with one access for each kind, for batches.
    pub(crate) fn verdicts(&self, indices: impl Iterator<Item = VerdictIndex>) {
        self.verdicts_beside(0, 0, indices);
    }

    /// The same, and so many of one kind that need not be looked at.
    pub(crate) fn verdicts_beside(
        &self,
        usual: VerdictIndex,
        usual_count: usize,
        indices: impl Iterator<Item = VerdictIndex>,
    ) {
        let mut counts = [0_u64; VERDICTS_MAX];
        counts[usual] = usual_count as u64;
        for index in indices {
            counts[index] += 1;
        }
        for (counter, count) in self.verdicts.iter().zip(counts) {
            if count != 0 {
                counter.fetch_add(count, Relaxed);
            }
        }
    }

    pub(crate) fn failures(&self, kind: FailureKind, count: usize) {
        if let Some(index) = FailureKind::ALL.iter().position(|known| *known == kind) {
            self.failures[index].fetch_add(count as u64, Relaxed);
        }
    }

    fn read(&self, hook: Hook) -> HookStats {
        let (run_ns, wait_ns) = (self.run_ns.read(), self.wait_ns.read());
        HookStats {
            hook,
            calls: run_ns.count,
            messages: self.messages.load(Relaxed),
            failures: counted(FailureKind::ALL.iter().copied(), &self.failures),
            verdicts: counted(verdict_names(hook).iter().copied(), &self.verdicts),
            total_ns: run_ns.sum + wait_ns.sum,
            run_ns,
            wait_ns,
            batch_messages: self.batch_messages.read(),
            circuit: CircuitState::Closed,
            circuit_opened: 0,
            shadow: None,
        }
    }
}

fn counted<T>(names: impl Iterator<Item = T>, counters: &[AtomicU64]) -> Vec<(T, u64)> {
    names
        .zip(counters)
        .map(|(name, counter)| (name, counter.load(Relaxed)))
        .filter(|(_, count)| *count != 0)
        .collect()
}

/// Kinds of failed requests, as the contract spells them.
const HTTP_ERRORS: [&str; 7] = [
    "denied",
    "not-in-this-hook",
    "invalid-request",
    "timeout",
    "too-large",
    "connect",
    "protocol",
];

/// The counters of one plugin's requests.
#[derive(Default)]
pub(crate) struct HttpCounters {
    requests: AtomicU64,
    errors: [AtomicU64; HTTP_ERRORS.len()],
    total_ns: AtomicU64,
}

impl HttpCounters {
    pub(crate) fn count(&self, took: Duration, error: Option<&HttpError>) {
        self.requests.fetch_add(1, Relaxed);
        self.total_ns.fetch_add(clock::nanos(took), Relaxed);
        let kind = error.map(|error| match error {
            HttpError::Denied(_) => 0,
            HttpError::Invalid(_) => 2,
            HttpError::Timeout => 3,
            HttpError::TooLarge => 4,
            HttpError::Connect(_) => 5,
            HttpError::Protocol(_) => 6,
        });
        if let Some(kind) = kind {
            self.errors[kind].fetch_add(1, Relaxed);
        }
    }

    pub(crate) fn not_in_this_hook(&self) {
        self.requests.fetch_add(1, Relaxed);
        self.errors[1].fetch_add(1, Relaxed);
    }

    pub(crate) fn read(&self) -> HttpStats {
        HttpStats {
            requests: self.requests.load(Relaxed),
            errors: counted(HTTP_ERRORS.iter().copied(), &self.errors),
            total_ns: self.total_ns.load(Relaxed),
        }
    }
}

/// The counters of one loaded plugin.
#[derive(Default)]
pub(crate) struct Counters {
    hooks: [HookCounters; Hook::ALL.len()],
    pub(crate) batch_retries: AtomicU64,
    pub(crate) publishes: AtomicU64,
    pub(crate) publishes_dropped: AtomicU64,
    pub(crate) ticks: AtomicU64,
    pub(crate) tick_failures: AtomicU64,
    pub(crate) http: HttpCounters,
    pub(crate) memory_bytes_peak: AtomicUsize,
    last_error: Mutex<Option<String>>,
}

impl Counters {
    pub(crate) fn hook(&self, hook: Hook) -> &HookCounters {
        &self.hooks[hook as usize]
    }

    pub(crate) fn hook_stats(&self, hook: Hook) -> HookStats {
        self.hook(hook).read(hook)
    }

    /// Counts a failure and keeps its text.
    pub(crate) fn failure(&self, hook: Hook, failure: &Failure, messages: usize) {
        self.hook(hook).failures(failure.kind, messages);
        // The error that is worth keeping is the one that opened the circuit.
        if failure.kind == FailureKind::CircuitOpen {
            return;
        }
        self.error(format!("{}: {failure}", hook.as_str()));
    }

    pub(crate) fn error(&self, text: String) {
        *self.last_error.lock() = Some(text);
    }

    pub(crate) fn last_error(&self) -> Option<String> {
        self.last_error.lock().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hook_has_room_for_its_verdicts() {
        assert!(
            Hook::ALL
                .iter()
                .all(|hook| verdict_names(*hook).len() <= VERDICTS_MAX)
        );
    }

    #[test]
    fn only_what_occurred_is_listed() {
        let counters = Counters::default();
        let hook = counters.hook(Hook::OnPublish);
        hook.call(Duration::ZERO, Duration::from_nanos(7));
        hook.messages(3);
        hook.verdicts([0, 0, 2].into_iter());
        counters.failure(
            Hook::OnPublish,
            &Failure {
                kind: FailureKind::Trap,
                detail: "unreachable".into(),
            },
            2,
        );

        let stats = counters.hook_stats(Hook::OnPublish);
        assert_eq!((stats.calls, stats.messages, stats.total_ns), (1, 3, 7));
        assert_eq!(stats.verdicts, [("pass", 2), ("drop", 1)]);
        assert_eq!(stats.failures, [(FailureKind::Trap, 2)]);
        assert_eq!(counters.last_error().unwrap(), "on-publish: trap: unreachable");
    }
}
