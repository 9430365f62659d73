//! `log`: lines in the broker's log.

use crate::bindings::imports::log::{Host, Level};
use crate::guest::Guest;

impl Host for Guest {
    fn log(&mut self, level: Level, message: String) {
        let level = match level {
            Level::Debug => tracing::Level::DEBUG,
            Level::Info => tracing::Level::INFO,
            Level::Warn => tracing::Level::WARN,
            Level::Error => tracing::Level::ERROR,
        };
        if level == tracing::Level::ERROR {
            self.console.remember_errors(message.as_bytes());
            self.console.remember_errors(b"\n");
        }
        self.say(level, &message);
    }
}
