//! Load averages: how much there was in a minute, over the last one, five and fifteen.

use std::time::Duration;

use super::Report;
use crate::metrics::Tally;

type Figure = (&'static str, fn(&Tally) -> u64);

const FIGURES: [Figure; 9] = [
    ("messages/received", |tally| tally.packets_received),
    ("messages/sent", |tally| tally.packets_sent),
    ("publish/received", |tally| tally.publishes_received),
    ("publish/sent", |tally| tally.publishes_sent),
    ("publish/dropped", |tally| tally.publishes_dropped),
    ("bytes/received", |tally| tally.bytes_received),
    ("bytes/sent", |tally| tally.bytes_sent),
    ("sockets", |tally| tally.sockets),
    ("connections", |tally| tally.connections),
];

const WINDOWS: [(&str, f64); 3] = [("1min", 60.0), ("5min", 300.0), ("15min", 900.0)];

/// The averages, one for each figure and window.
#[derive(Debug, Default)]
pub(super) struct Loads {
    before: Tally,
    averages: [[f64; WINDOWS.len()]; FIGURES.len()],
}

impl Loads {
    /// Takes in what happened in the time `since` the last call.
    pub(super) fn advance(&mut self, since: Duration, now: &Tally) {
        let secs = since.as_secs_f64();
        if secs > 0.0 {
            for ((_, figure), averages) in FIGURES.iter().zip(&mut self.averages) {
                let happened = figure(now).saturating_sub(figure(&self.before));
                #[expect(clippy::cast_precision_loss, reason = "an average is not that exact")]
                let per_minute = happened as f64 * 60.0 / secs;
                for ((_, window), average) in WINDOWS.iter().zip(averages) {
                    let weight = (-secs / window).exp();
                    *average = per_minute + weight * (*average - per_minute);
                }
            }
        }
        self.before = *now;
    }

    pub(super) fn topics(&self) -> Vec<Report> {
        let mut topics = Vec::with_capacity(FIGURES.len() * WINDOWS.len());
        for ((name, _), averages) in FIGURES.iter().zip(&self.averages) {
            for ((window, _), average) in WINDOWS.iter().zip(averages) {
                topics.push((
                    format!("$SYS/broker/load/{name}/{window}"),
                    format!("{average:.2}"),
                ));
            }
        }
        topics
    }
}
