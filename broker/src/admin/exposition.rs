//! The text format of Prometheus, version 0.0.4.

use std::fmt::{Display, Write};

/// What a figure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only grows, until the broker starts again.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A number of observations and their sum.
    Summary,
    /// The same, with how many observations are at or below some bounds.
    Histogram,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Summary => "summary",
            Self::Histogram => "histogram",
        }
    }
}

/// Figures, written one family after the other.
#[derive(Debug, Default)]
pub(super) struct Exposition(String);

/// Labels of a sample: names that need no escaping, and values that may.
pub(super) type Labels<'a> = &'a [(&'a str, &'a str)];

impl Exposition {
    pub(super) fn into_text(self) -> String {
        self.0
    }

    /// Begins a family; its samples follow.
    pub(super) fn family(&mut self, name: &'static str, kind: Kind, help: &str) -> Family<'_> {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {}", escaped(help, false));
        let _ = writeln!(self.0, "# TYPE {name} {}", kind.as_str());
        Family {
            text: &mut self.0,
            name,
        }
    }

    /// A family of one figure without labels.
    pub(super) fn one(&mut self, name: &'static str, kind: Kind, help: &str, value: impl Display) {
        self.family(name, kind, help).sample(&[], value);
    }
}

/// A family that is being written.
#[derive(Debug)]
pub(super) struct Family<'e> {
    text: &'e mut String,
    name: &'static str,
}

impl Family<'_> {
    pub(super) fn sample(&mut self, labels: Labels<'_>, value: impl Display) {
        self.suffixed("", labels, value);
    }

    /// The samples of a histogram: bounds in ascending order with the number of observations at or below each, infinity at
    /// last.
    pub(super) fn histogram(&mut self, labels: Labels<'_>, buckets: Vec<(f64, u64)>, sum: f64) {
        let count = buckets.last().map_or(0, |(_, count)| *count);
        for (bound, count) in buckets {
            let bound = number(bound);
            let labels: Vec<_> = labels.iter().copied().chain([("le", &*bound)]).collect();
            self.suffixed("_bucket", &labels, count);
        }
        self.suffixed("_sum", labels, number(sum));
        self.suffixed("_count", labels, count);
    }

    /// A sample of a summary: `_sum` or `_count`.
    pub(super) fn suffixed(&mut self, suffix: &str, labels: Labels<'_>, value: impl Display) {
        let _ = write!(self.text, "{}{suffix}", self.name);
        for (at, (name, value)) in labels.iter().enumerate() {
            let before = if at == 0 { '{' } else { ',' };
            let _ = write!(self.text, "{before}{name}=\"{}\"", escaped(value, true));
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }
}

fn escaped(text: &str, is_label: bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            '"' if is_label => escaped.push_str("\\\""),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A number as Prometheus writes it.
pub(super) fn number(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else {
        value.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        let mut text = Exposition::default();
        let mut family = text.family("hookwire_x", Kind::Gauge, "a \"b\" \\ c\nd");
        family.sample(&[("plugin", "a\"b\\c\nd"), ("hook", "route")], 7);
        family.sample(&[], number(f64::NEG_INFINITY));
        assert_eq!(
            text.into_text(),
            "# HELP hookwire_x a \"b\" \\\\ c\\nd\n\
             # TYPE hookwire_x gauge\n\
             hookwire_x{plugin=\"a\\\"b\\\\c\\nd\",hook=\"route\"} 7\n\
             hookwire_x -Inf\n"
        );
    }
}
