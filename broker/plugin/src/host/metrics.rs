//! `metrics`: figures of the plugin's own.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use crate::bindings::imports::metrics::Host;
use crate::guest::Guest;
use crate::{MetricValue, Observations};

/// Longest name; the contract says so.
const NAME_BYTES_MAX: usize = 64;

/// Most names of one plugin: every name is a time series in somebody's monitoring.
const NAMES_MAX: usize = 1000;

/// The figures of one plugin. A name is a counter, a gauge or a histogram, whichever it was first.
#[derive(Default)]
pub(crate) struct Metrics {
    values: Mutex<BTreeMap<String, MetricValue>>,
}

impl Metrics {
    fn count(&self, name: String, delta: u64) {
        self.update(name, MetricValue::Count(0), |value| {
            if let MetricValue::Count(count) = value {
                *count = count.saturating_add(delta);
            }
        });
    }

    fn gauge(&self, name: String, level: f64) {
        self.update(name, MetricValue::Gauge(0.0), |value| {
            if let MetricValue::Gauge(gauge) = value {
                *gauge = level;
            }
        });
    }

    fn observe(&self, name: String, observed: f64) {
        self.update(name, MetricValue::Histogram(Observations::default()), |value| {
            if let MetricValue::Histogram(histogram) = value {
                histogram.observe(observed);
            }
        });
    }

    fn update(&self, name: String, start: MetricValue, change: impl FnOnce(&mut MetricValue)) {
        let mut values = self.values.lock();
        if let Some(value) = values.get_mut(&name) {
            change(value);
        } else if is_name(&name) && values.len() < NAMES_MAX {
            change(values.entry(name).or_insert(start));
        }
    }

    pub(crate) fn all(&self) -> Vec<(String, MetricValue)> {
        self.values
            .lock()
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }
}

fn is_name(name: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&name.len())
        && name
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

impl Host for Guest {
    fn count(&mut self, name: String, delta: u64) {
        self.note(|| format!("metrics.count({name:?}, {delta})"));
        self.services.lasting.metrics.count(name, delta);
    }

    fn gauge(&mut self, name: String, value: f64) {
        self.note(|| format!("metrics.gauge({name:?}, {value})"));
        self.services.lasting.metrics.gauge(name, value);
    }

    fn observe(&mut self, name: String, value: f64) {
        self.note(|| format!("metrics.observe({name:?}, {value})"));
        self.observed(&name, value);
        self.services.lasting.metrics.observe(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_add_and_gauges_replace() {
        let metrics = Metrics::default();
        metrics.count("hits".into(), 2);
        metrics.count("hits".into(), 3);
        metrics.gauge("level".into(), 1.5);
        metrics.gauge("level".into(), -2.0);
        metrics.gauge("hits".into(), 9.0);
        assert_eq!(
            metrics.all(),
            [
                ("hits".into(), MetricValue::Count(5)),
                ("level".into(), MetricValue::Gauge(-2.0))
            ]
        );
    }

    #[test]
    fn histograms_sort_what_they_are_told_into_buckets() {
        let metrics = Metrics::default();
        for value in [0.002, 0.0021, 7.0, -1.0, 1e12, f64::NAN, f64::INFINITY] {
            metrics.observe("took".into(), value);
        }
        metrics.count("took".into(), 1);
        let all = metrics.all();
        let [(_, MetricValue::Histogram(histogram))] = all.as_slice() else {
            panic!("{all:?}")
        };
        assert_eq!(histogram.count(), 5);
        assert!((histogram.sum() - (1e12 + 6.0041)).abs() < 0.001);
        let filled: Vec<_> = histogram.buckets().filter(|(_, count)| *count > 0).collect();
        assert_eq!(
            filled,
            [(1e-6, 1), (0.002, 1), (0.005, 1), (10.0, 1), (f64::INFINITY, 1)]
        );
    }

    #[test]
    fn bad_names_and_too_many_are_ignored() {
        let metrics = Metrics::default();
        for name in ["", "Upper", "a-b", "a{b=\"c\"}", &"x".repeat(65)] {
            metrics.count(name.into(), 1);
        }
        assert!(metrics.all().is_empty());

        for n in 0..=NAMES_MAX {
            metrics.count(format!("n{n}"), 1);
        }
        assert_eq!(metrics.all().len(), NAMES_MAX);
        metrics.count("n0".into(), 1);
        assert!(metrics.all().contains(&("n0".into(), MetricValue::Count(2))));
    }
}
