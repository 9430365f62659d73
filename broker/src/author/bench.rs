//! `hookwire plugin bench`: what a component costs, in the broker's own host.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use hookwire_hooks::{Hook, Plugin};
use hookwire_plugin_host::{LoadedPlugin, PluginStats};
use hookwire_plugin_test::{Actor, Question, Stage, plain_questions};

use super::{entry, testing};
use crate::cli::BenchArgs;
use crate::clock;
use crate::output::output;

/// How many messages of a run are judged in one call, where the plugin can do that.
const RUN: usize = 32;
/// Calls before measuring begins: caches and branch predictors know the way by then.
const WARM_UP: usize = 200;
/// Most calls that are measured: enough for a 99.9th percentile, few enough to keep all of them.
const CALLS_MAX: usize = 1_000_000;
/// New instances that are made to see what one costs.
const INSTANCES: usize = 100;

/// Measures and prints a line for each hook.
pub(super) fn bench(args: &BenchArgs) -> anyhow::Result<()> {
    ensure!(
        args.seconds > 0.0 && args.seconds <= 3600.0,
        "--seconds: expected more than 0 and at most 3600"
    );
    let stage = super::stage()?;
    let (plugin, questions) = prepare(&stage, args)?;
    let time = Duration::from_secs_f64(args.seconds);
    writeln!(
        output(),
        "{:32} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "ns",
        "calls",
        "mean",
        "p50",
        "p90",
        "p99",
        "p99.9"
    )?;
    for hook in plugin.plugin().hooks().iter() {
        let of_hook = questions
            .iter()
            .filter(|(of, _)| *of == hook)
            .map(|(_, question)| question);
        let of_hook: Vec<_> = of_hook.collect();
        if of_hook.is_empty() {
            let hook = hook.as_str();
            writeln!(output(), "{hook:32} no question for it among the cases")?;
        } else {
            measure_hook(plugin.plugin(), hook, &of_hook, time)?;
        }
    }
    if let Some((_, question)) = questions.first() {
        let (warm, new) = new_instance(&plugin, question);
        let new = new.saturating_sub(warm);
        writeln!(output(), "{:32} {INSTANCES:>9} {new:>9}", "a new instance")?;
    }
    let stats = plugin.plugin().stats();
    let peak = stats.instances.memory_bytes_peak;
    writeln!(output(), "\n{peak} bytes of memory in the largest instance")?;
    Ok(report_failures(&stats)?)
}

/// A failure is quick, or slow: either way it is not what was to be measured.
fn report_failures(stats: &PluginStats) -> io::Result<()> {
    for hook in &stats.hooks {
        for (kind, times) in &hook.failures {
            let (hook, kind) = (hook.hook.as_str(), kind.as_str());
            writeln!(output(), "{hook}: {times} calls failed: {kind}")?;
        }
    }
    if let Some(error) = &stats.last_error {
        writeln!(output(), "the last one: {error}")?;
    }
    Ok(())
}

/// The plugin, and the questions that it can be asked, with their hooks.
fn prepare(stage: &Stage, args: &BenchArgs) -> anyhow::Result<(Actor, Vec<(Hook, Question)>)> {
    let load = |spec| stage.load(&spec).with_context(|| args.file.display().to_string());
    let (plugin, exchanges) = match &args.cases {
        None => {
            let plugin = load(entry::unconfigured(&args.file))
                .context("a plugin that wants a configuration gets one from a file of cases")?;
            let questions = plain_questions(plugin.plugin().hooks());
            (plugin, questions)
        }
        Some(cases) => {
            let file = testing::read(cases)?;
            file.set_up(stage);
            let plugin = load(entry::of_cases(&file, cases, &args.file)?)?;
            (
                plugin,
                file.cases().iter().map(|case| case.exchange.clone()).collect(),
            )
        }
    };
    let askable = exchanges.iter().filter(|exchange| plugin.has_hook_of(exchange));
    let questions = askable.map(|exchange| Ok((exchange.hook(), Question::of(exchange)?)));
    let questions = questions.collect::<anyhow::Result<Vec<_>>>()?;
    Ok((plugin, questions))
}

fn measure_hook(
    plugin: &Arc<LoadedPlugin>,
    hook: Hook,
    questions: &[&Question],
    time: Duration,
) -> io::Result<()> {
    let ask = |turn: usize| questions[turn].put(plugin, |_| ());
    let one_by_one = Times::of(measure(time, questions.len(), ask), 1);
    if hook != Hook::OnPublish {
        return one_by_one.print(hook.as_str());
    }
    one_by_one.print("on-publish, one message")?;
    let messages = questions.iter().filter_map(|question| question.message());
    let run: Vec<_> = messages.cycle().take(RUN).collect();
    let in_runs = measure(time, 1, |_| drop(plugin.on_publish(&run)));
    Times::of(in_runs, RUN as u64).print(&format!("on-publish, a message of {RUN}"))
}

/// Nanoseconds of each call, for so long; `turns` are taken one after the other.
fn measure(time: Duration, turns: usize, mut call: impl FnMut(usize)) -> Vec<u64> {
    for turn in 0..WARM_UP {
        call(turn % turns);
    }
    let mut times = Vec::new();
    let start = clock::now();
    let mut before = start;
    while times.len() < CALLS_MAX && before.saturating_duration_since(start) < time {
        call(times.len() % turns);
        let after = clock::now();
        times.push(nanos(after.saturating_duration_since(before)));
        before = after;
    }
    times
}

/// Median of a call on a warm instance and on a new one.
fn new_instance(plugin: &Actor, question: &Question) -> (u64, u64) {
    let time = |is_new: bool| {
        let mut times = Vec::with_capacity(INSTANCES);
        for _ in 0..INSTANCES {
            if is_new {
                plugin.renew();
            }
            let before = clock::now();
            question.put(plugin.plugin(), |_| ());
            times.push(nanos(clock::now().saturating_duration_since(before)));
        }
        Times::of(times, 1).percentile(0.5)
    };
    (time(false), time(true))
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Times of calls, sorted.
struct Times(Vec<u64>);

impl Times {
    /// Times of calls about so many messages each, as times of one message.
    fn of(mut times: Vec<u64>, messages: u64) -> Self {
        times.iter_mut().for_each(|time| *time /= messages);
        times.sort_unstable();
        Self(times)
    }

    fn percentile(&self, part: f64) -> u64 {
        let last = self.0.len().saturating_sub(1);
        let place = (last as f64 * part).round() as usize;
        self.0.get(place).copied().unwrap_or_default()
    }

    fn mean(&self) -> u64 {
        self.0.iter().sum::<u64>() / (self.0.len() as u64).max(1)
    }

    fn print(&self, what: &str) -> io::Result<()> {
        let [p50, p90, p99, p999] = [0.5, 0.9, 0.99, 0.999].map(|part| self.percentile(part));
        let (calls, mean) = (self.0.len(), self.mean());
        writeln!(
            output(),
            "{what:32} {calls:>9} {mean:>9} {p50:>9} {p90:>9} {p99:>9} {p999:>9}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_a_hundred() {
        let times = Times::of((0..=100).rev().map(|time| time * 2).collect(), 2);
        assert_eq!(
            (times.percentile(0.5), times.percentile(0.99), times.mean()),
            (50, 99, 50)
        );
        assert_eq!(Times::of(Vec::new(), 1).percentile(0.9), 0);
    }
}
