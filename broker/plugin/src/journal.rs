//! A plugin's lines in the broker's log: under its name, bounded in length and rate, harmless to a terminal.

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tracing::Level;

use crate::HostLimits;

/// Everything that plugins write has this target, so that a filter can tell it from the broker's own lines.
const TARGET: &str = "hookwire::plugin";

/// Failures of one plugin that are logged in a second; all are counted, and they look alike.
const INCIDENTS_PER_SECOND_MAX: u32 = 5;

/// The log of one plugin.
pub(crate) struct Journal {
    plugin: Arc<str>,
    line_bytes_max: usize,
    rate: Mutex<Rate>,
    suppressed: AtomicU64,
}

impl Journal {
    /// What the plugin says.
    pub(crate) fn of_plugin(plugin: Arc<str>, limits: &HostLimits) -> Self {
        Self::new(plugin, limits.log_line_bytes_max, limits.log_lines_per_second_max)
    }

    /// What the host says about the plugin, which the plugin cannot drown.
    pub(crate) fn of_incidents(plugin: Arc<str>, limits: &HostLimits) -> Self {
        Self::new(plugin, limits.log_line_bytes_max, INCIDENTS_PER_SECOND_MAX)
    }

    fn new(plugin: Arc<str>, line_bytes_max: usize, lines_per_second_max: u32) -> Self {
        let rate = Mutex::new(Rate::new(lines_per_second_max));
        Self {
            plugin,
            line_bytes_max,
            rate,
            suppressed: AtomicU64::new(0),
        }
    }

    /// Writes one line, or counts it when there are too many.
    pub(crate) fn write(&self, level: Level, text: &str, now: Instant) {
        let Some(skipped) = self.rate.lock().admit(now) else {
            self.suppressed.fetch_add(1, Ordering::Relaxed);
            return;
        };
        if skipped > 0 {
            emit(
                Level::WARN,
                &self.plugin,
                &format!("{skipped} lines were suppressed"),
            );
        }
        emit(level, &self.plugin, &printable(text, self.line_bytes_max));
    }

    /// Writes a line that is too rare to be held to a rate, and too important to be lost among others.
    pub(crate) fn announce(&self, level: Level, text: &str) {
        emit(level, &self.plugin, &printable(text, self.line_bytes_max));
    }

    /// Lines that were not written.
    pub(crate) fn suppressed(&self) -> u64 {
        self.suppressed.load(Ordering::Relaxed)
    }
}

fn emit(level: Level, plugin: &str, text: &str) {
    match level {
        Level::ERROR => tracing::error!(target: TARGET, plugin, "{text}"),
        Level::WARN => tracing::warn!(target: TARGET, plugin, "{text}"),
        Level::INFO => tracing::info!(target: TARGET, plugin, "{text}"),
        _ => tracing::debug!(target: TARGET, plugin, "{text}"),
    }
}

/// How many lines there may be in a second.
#[derive(Debug)]
struct Rate {
    per_second_max: u32,
    second: Option<Instant>,
    lines: u32,
    skipped: u64,
}

impl Rate {
    fn new(per_second_max: u32) -> Self {
        Self {
            per_second_max,
            second: None,
            lines: 0,
            skipped: 0,
        }
    }

    /// `None`: not now. Otherwise how many were skipped since the last line.
    fn admit(&mut self, now: Instant) -> Option<u64> {
        let same_second = self
            .second
            .is_some_and(|start| now.saturating_duration_since(start) < Duration::from_secs(1));
        if !same_second {
            self.second = Some(now);
            self.lines = 0;
        }
        if self.lines >= self.per_second_max {
            self.skipped += 1;
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.skipped))
    }
}

/// The text with control characters escaped, cut to `bytes_max` bytes.
pub(crate) fn printable(text: &str, bytes_max: usize) -> Cow<'_, str> {
    let kept = &text[..text.floor_char_boundary(bytes_max)];
    if kept.len() == text.len() && !kept.contains(is_unprintable) {
        return Cow::Borrowed(text);
    }
    let mut line = String::with_capacity(kept.len() + 32);
    for c in kept.chars() {
        if is_unprintable(c) {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    if kept.len() < text.len() {
        let _ = write!(line, "… ({} bytes more)", text.len() - kept.len());
    }
    Cow::Owned(line)
}

/// Characters that move the cursor, end a line, or turn the direction of writing.
fn is_unprintable(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_fool_a_reader_is_escaped() {
        assert_eq!(printable("plain ä 🦀", 100), "plain ä 🦀");
        assert_eq!(printable("a\nb\r\x1b[31m\0", 100), "a\\nb\\r\\u{1b}[31m\\u{0}");
        assert_eq!(printable("\u{202e}evil", 100), "\\u{202e}evil");
    }

    #[test]
    fn long_lines_are_cut_between_characters() {
        assert_eq!(printable("abcdef", 3), "abc… (3 bytes more)");
        assert_eq!(printable("aää", 2), "a… (4 bytes more)");
    }

    #[test]
    fn a_second_has_so_many_lines() {
        let start = crate::clock::now();
        let mut rate = Rate::new(2);
        assert_eq!(rate.admit(start), Some(0));
        assert_eq!(rate.admit(start), Some(0));
        assert_eq!(rate.admit(start), None);
        assert_eq!(rate.admit(start + Duration::from_millis(999)), None);
        assert_eq!(rate.admit(start + Duration::from_secs(1)), Some(2));
        assert_eq!(rate.admit(start + Duration::from_secs(1)), Some(0));
        assert_eq!(rate.admit(start + Duration::from_secs(1)), None);
    }

    #[test]
    fn suppressed_lines_are_counted() {
        let journal = Journal::new("p".into(), 100, 1);
        let now = crate::clock::now();
        for _ in 0..5 {
            journal.write(Level::INFO, "line", now);
        }
        assert_eq!(journal.suppressed(), 4);
    }
}
