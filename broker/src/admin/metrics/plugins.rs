//! Figures of plugins, and plugins' own.

use hookwire_hooks::FailureKind;
use hookwire_plugin_host::{
    CircuitState, HistogramStats, HookStats, MetricValue, Observations, PluginState, PluginStats,
};

use crate::admin::exposition::{Exposition, Kind, number};
use crate::policy::PluginStatus;

/// A plugin's name and its figures.
type Figures<'a> = (&'a str, &'a PluginStats);

pub(super) fn write(text: &mut Exposition, plugins: &[PluginStatus]) {
    let all: Vec<Figures<'_>> = plugins
        .iter()
        .filter_map(|plugin| Some((&*plugin.name, plugin.stats.as_ref()?)))
        .collect();
    states(text, plugins);
    infos(text, &all);
    questions(text, &all);
    circuits(text, &all);
    shadows(text, &all);
    times(text, &all);
    instances(text, &all);
    http(text, &all);
    own(text, &all);
}

const STATES: [PluginState; 6] = [
    PluginState::Loading,
    PluginState::Active,
    PluginState::Shadow,
    PluginState::CircuitOpen,
    PluginState::Degraded,
    PluginState::Failed,
];

fn states(text: &mut Exposition, plugins: &[PluginStatus]) {
    let mut family = text.family(
        "hookwire_plugin_state",
        Kind::Gauge,
        "1 for how each plugin of the configuration is, 0 for how it is not.",
    );
    for plugin in plugins {
        for state in STATES {
            let labels = [("plugin", &*plugin.name), ("state", state.as_str())];
            family.sample(&labels, u8::from(plugin.state == state));
        }
    }
}

fn infos(text: &mut Exposition, all: &[Figures<'_>]) {
    let mut family = text.family("hookwire_plugin_info", Kind::Gauge, "The plugins in force.");
    for (plugin, stats) in all {
        let labels = [
            ("plugin", *plugin),
            ("sha256", &*stats.sha256),
            ("version", stats.version.as_deref().unwrap_or_default()),
            ("generation", &stats.generation.to_string()),
        ];
        family.sample(&labels, 1);
    }
}

fn each_hook<'a>(all: &[Figures<'a>]) -> impl Iterator<Item = (&'a str, &'a HookStats)> {
    all.iter()
        .flat_map(|&(plugin, stats)| stats.hooks.iter().map(move |hook| (plugin, hook)))
}

fn questions(text: &mut Exposition, all: &[Figures<'_>]) {
    let mut questions = text.family(
        "hookwire_plugin_questions_total",
        Kind::Counter,
        "What plugins were asked: messages for on-publish, events for events, calls elsewhere.",
    );
    for (plugin, hook) in each_hook(all) {
        questions.sample(&[("plugin", plugin), ("hook", hook.hook.as_str())], hook.messages);
    }
    let mut verdicts = text.family(
        "hookwire_plugin_verdicts_total",
        Kind::Counter,
        "Answers of plugins by their name in the contract; those that never occurred are left out.",
    );
    for (plugin, hook) in each_hook(all) {
        for (verdict, times) in &hook.verdicts {
            let labels = [
                ("plugin", plugin),
                ("hook", hook.hook.as_str()),
                ("verdict", verdict),
            ];
            verdicts.sample(&labels, times);
        }
    }
    let mut failures = text.family(
        "hookwire_plugin_failures_total",
        Kind::Counter,
        "Questions that brought no answer, by what went wrong.",
    );
    for (plugin, hook) in each_hook(all) {
        for kind in FailureKind::ALL {
            let found = hook.failures.iter().find(|(failure, _)| *failure == kind);
            let labels = [
                ("plugin", plugin),
                ("hook", hook.hook.as_str()),
                ("kind", kind.as_str()),
            ];
            failures.sample(&labels, found.map_or(0, |(_, times)| *times));
        }
    }
}

fn circuits(text: &mut Exposition, all: &[Figures<'_>]) {
    let mut open = text.family(
        "hookwire_plugin_circuit_open",
        Kind::Gauge,
        "1 while a plugin is left alone at a hook, since it failed there again and again.",
    );
    for (plugin, hook) in each_hook(all) {
        let labels = [("plugin", plugin), ("hook", hook.hook.as_str())];
        open.sample(&labels, u8::from(hook.circuit != CircuitState::Closed));
    }
    let mut opened = text.family(
        "hookwire_plugin_circuit_opened_total",
        Kind::Counter,
        "How often that began.",
    );
    for (plugin, hook) in each_hook(all) {
        let labels = [("plugin", plugin), ("hook", hook.hook.as_str())];
        opened.sample(&labels, hook.circuit_opened);
    }
}

fn shadows(text: &mut Exposition, all: &[Figures<'_>]) {
    let each = || each_hook(all).filter_map(|(plugin, hook)| Some((plugin, hook, hook.shadow.as_ref()?)));
    let mut agreed = text.family(
        "hookwire_plugin_shadow_agreed_total",
        Kind::Counter,
        "Answers of shadows that came to what the chain did.",
    );
    for (plugin, hook, shadow) in each() {
        agreed.sample(&[("plugin", plugin), ("hook", hook.hook.as_str())], shadow.agreed);
    }
    let mut differed = text.family(
        "hookwire_plugin_shadow_differed_total",
        Kind::Counter,
        "Those that did not, by what the chain did and what the shadow would have done.",
    );
    for (plugin, hook, shadow) in each() {
        for difference in &shadow.differed {
            let labels = [
                ("plugin", plugin),
                ("hook", hook.hook.as_str()),
                ("chain", difference.chain),
                ("shadow", difference.shadow),
            ];
            differed.sample(&labels, difference.count);
        }
    }
}

/// Buckets of times: powers of four from a microsecond to 17 seconds, as exponents of two of nanoseconds.
const TIMES: [u32; 13] = [10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34];

/// Buckets of runs: powers of two; the longest, 1,024 messages, are in the last.
const RUNS: [u32; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];

fn times(text: &mut Exposition, all: &[Figures<'_>]) {
    let mut ran = text.family(
        "hookwire_plugin_call_seconds",
        Kind::Histogram,
        "Calls of plugins, and the time in them, once they had an instance.",
    );
    for (plugin, hook) in each_hook(all) {
        let labels = [("plugin", plugin), ("hook", hook.hook.as_str())];
        ran.histogram(&labels, buckets(&hook.run_ns, &TIMES, 1e9), secs(hook.run_ns.sum));
    }
    let mut waited = text.family(
        "hookwire_plugin_wait_seconds",
        Kind::Histogram,
        "Calls that had to wait for an instance, and for how long.",
    );
    for (plugin, hook) in each_hook(all) {
        let labels = [("plugin", plugin), ("hook", hook.hook.as_str())];
        waited.histogram(
            &labels,
            buckets(&hook.wait_ns, &TIMES, 1e9),
            secs(hook.wait_ns.sum),
        );
    }
    let mut batches = text.family(
        "hookwire_plugin_batch_messages",
        Kind::Histogram,
        "Batch calls, and the messages in them.",
    );
    for (plugin, hook) in each_hook(all).filter(|(_, hook)| hook.batch_messages.count > 0) {
        let labels = [("plugin", plugin), ("hook", hook.hook.as_str())];
        let sum = real(hook.batch_messages.sum);
        batches.histogram(&labels, buckets(&hook.batch_messages, &RUNS, 1.0), sum);
    }
}

#[expect(clippy::cast_precision_loss, reason = "a sum of times is not that exact")]
fn real(number: u64) -> f64 {
    number as f64
}

fn secs(nanos: u64) -> f64 {
    real(nanos) / 1e9
}

/// Counts below one less than each of these powers of two, in another unit, and all.
fn buckets(stats: &HistogramStats, exponents: &[u32], unit: f64) -> Vec<(f64, u64)> {
    let below = |bound: u64| {
        let within = stats.buckets.iter().filter(|bucket| bucket.up_to <= bound);
        within.map(|bucket| bucket.count).sum()
    };
    let bounds = exponents.iter().map(|exponent| (1_u64 << exponent) - 1);
    let counted = bounds.map(|bound| (real(bound) / unit, below(bound)));
    counted.chain([(f64::INFINITY, stats.count)]).collect()
}

/// A figure of each plugin: name, kind, help, and where it is.
type Figure = (&'static str, Kind, &'static str, fn(&PluginStats) -> u64);

const FIGURES: [Figure; 13] = [
    (
        "hookwire_plugin_instances",
        Kind::Gauge,
        "Instances that live now.",
        |stats| stats.instances.live as u64,
    ),
    (
        "hookwire_plugin_instances_created_total",
        Kind::Counter,
        "Instances made since the plugin was loaded.",
        |stats| stats.instances.created,
    ),
    (
        "hookwire_plugin_instances_discarded_total",
        Kind::Counter,
        "Instances dropped because a call of theirs failed.",
        |stats| stats.instances.discarded,
    ),
    (
        "hookwire_plugin_memory_bytes_max",
        Kind::Gauge,
        "Largest linear memory that an instance had.",
        |stats| stats.instances.memory_bytes_peak as u64,
    ),
    (
        "hookwire_plugin_batch_retries_total",
        Kind::Counter,
        "Batch calls that failed, after which their messages were judged one by one.",
        |stats| stats.batch_retries,
    ),
    (
        "hookwire_plugin_publishes_total",
        Kind::Counter,
        "Messages that plugins published.",
        |stats| stats.publishes,
    ),
    (
        "hookwire_plugin_publishes_dropped_total",
        Kind::Counter,
        "Messages that plugins published and there was no room for.",
        |stats| stats.publishes_dropped,
    ),
    (
        "hookwire_plugin_log_lines_suppressed_total",
        Kind::Counter,
        "Log lines beyond a plugin's rate.",
        |stats| stats.log_lines_suppressed,
    ),
    (
        "hookwire_plugin_ticks_total",
        Kind::Counter,
        "Ticks of plugins.",
        |stats| stats.ticks,
    ),
    (
        "hookwire_plugin_tick_failures_total",
        Kind::Counter,
        "Ticks and health checks that failed.",
        |stats| stats.tick_failures,
    ),
    (
        "hookwire_plugin_kv_entries",
        Kind::Gauge,
        "Keys in the stores of plugins.",
        |stats| stats.kv_entries as u64,
    ),
    (
        "hookwire_plugin_kv_bytes",
        Kind::Gauge,
        "Bytes of keys and values in the stores of plugins.",
        |stats| stats.kv_bytes as u64,
    ),
    (
        "hookwire_plugin_rate_limit_keys",
        Kind::Gauge,
        "Token buckets of plugins that are not full.",
        |stats| stats.rate_limit_keys as u64,
    ),
];

fn http(text: &mut Exposition, all: &[Figures<'_>]) {
    let mut requests = text.family(
        "hookwire_plugin_http_seconds",
        Kind::Summary,
        "HTTP requests of plugins, and the time in them.",
    );
    for (plugin, stats) in all {
        requests.suffixed("_sum", &[("plugin", plugin)], number(secs(stats.http.total_ns)));
        requests.suffixed("_count", &[("plugin", plugin)], stats.http.requests);
    }
    let mut errors = text.family(
        "hookwire_plugin_http_errors_total",
        Kind::Counter,
        "HTTP requests of plugins that brought no answer, by what went wrong.",
    );
    for (plugin, stats) in all {
        for (kind, times) in &stats.http.errors {
            errors.sample(&[("plugin", plugin), ("kind", kind)], times);
        }
    }
}

fn instances(text: &mut Exposition, all: &[Figures<'_>]) {
    for (name, kind, help, figure) in FIGURES {
        let mut family = text.family(name, kind, help);
        for (plugin, stats) in all {
            family.sample(&[("plugin", plugin)], figure(stats));
        }
    }
}

/// Figures of plugins' own. They share three families, each name a label: two plugins may well mean different things, or even
/// different kinds of figure, by one name.
fn own(text: &mut Exposition, all: &[Figures<'_>]) {
    let each = || {
        all.iter().flat_map(|&(plugin, stats)| {
            let own = stats.metrics.iter();
            own.map(move |(name, value)| ([("plugin", plugin), ("name", &**name)], value))
        })
    };
    let mut counters = text.family(
        "hookwire_plugin_counter_total",
        Kind::Counter,
        "Counters of plugins' own.",
    );
    for (labels, value) in each() {
        if let MetricValue::Count(count) = value {
            counters.sample(&labels, count);
        }
    }
    let mut gauges = text.family("hookwire_plugin_gauge", Kind::Gauge, "Gauges of plugins' own.");
    for (labels, value) in each() {
        if let MetricValue::Gauge(level) = value {
            gauges.sample(&labels, number(*level));
        }
    }
    let mut histograms = text.family(
        "hookwire_plugin_histogram",
        Kind::Histogram,
        "Histograms of plugins' own.",
    );
    for (labels, value) in each() {
        if let MetricValue::Histogram(observations) = value {
            histograms.histogram(&labels, cumulative(observations), observations.sum());
        }
    }
}

fn cumulative(observations: &Observations) -> Vec<(f64, u64)> {
    let mut seen = 0;
    let summed = observations.buckets().map(|(end, count)| {
        seen += count;
        (end, seen)
    });
    summed.collect()
}

#[cfg(test)]
mod tests {
    use hookwire_plugin_host::Bucket;

    use super::*;

    #[test]
    fn buckets_count_what_is_below_them() {
        let bucket = |up_to, count| Bucket { up_to, count };
        let stats = HistogramStats {
            count: 9,
            sum: 99,
            buckets: vec![bucket(0, 1), bucket(3, 2), bucket(2047, 6)],
        };
        assert_eq!(
            buckets(&stats, &[0, 1, 2, 10], 1.0),
            [(0.0, 1), (1.0, 1), (3.0, 3), (1023.0, 3), (f64::INFINITY, 9)]
        );
    }
}
