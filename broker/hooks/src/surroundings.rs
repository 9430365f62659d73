//! What a test puts in the place of the clock, of chance and of the log, so that a plugin does the same each time.

use std::time::Duration;

/// The world around a plugin, as far as it is not the broker.
pub trait Surroundings: Send + Sync {
    /// Time since 1970-01-01 UTC.
    fn unix(&self) -> Duration;

    /// Time since some moment; never goes back. What plugins store lives by it.
    fn monotonic(&self) -> Duration;

    /// Fills a buffer with bytes that a plugin asked for as random ones.
    fn random(&self, bytes: &mut [u8]);

    /// A plugin called a function of the host, with what came of it: `kv.get("a") = none`. What it asks of its clock, its log
    /// and the rules for topics goes without saying.
    fn called(&self, plugin: &str, call: &str);

    /// A plugin told a histogram of its own a value: afterwards only sums are left.
    fn observed(&self, plugin: &str, name: &str, value: f64);

    /// A plugin said something, `debug`, `info`, `warn` or `error`. It goes to the log as well.
    fn logged(&self, plugin: &str, level: &str, line: &str);
}
