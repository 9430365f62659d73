//! Lines in the broker's log, under the plugin's name. Needs no grant; bounded in length and rate by the broker.
//!
//! ```
//! use hookwire_plugin::log;
//! log::info!("{} rules read", 3);
//! ```

#[cfg(target_family = "wasm")]
use crate::bindings::log as host;
#[cfg(not(target_family = "wasm"))]
use crate::mock::host::log as host;

pub use crate::{log_debug as debug, log_error as error, log_info as info, log_warn as warn};
pub use host::Level;

/// Writes a line. The macros of this module do the same with a format string.
pub fn write(level: Level, message: &str) {
    host::log(level, message);
}

/// A line for those who look into the plugin itself.
#[macro_export]
#[doc(hidden)]
macro_rules! log_debug {
    ($($format:tt)+) => { $crate::log::write($crate::log::Level::Debug, &::std::format!($($format)+)) };
}

/// A line on what went as it should.
#[macro_export]
#[doc(hidden)]
macro_rules! log_info {
    ($($format:tt)+) => { $crate::log::write($crate::log::Level::Info, &::std::format!($($format)+)) };
}

/// A line on what somebody should look at.
#[macro_export]
#[doc(hidden)]
macro_rules! log_warn {
    ($($format:tt)+) => { $crate::log::write($crate::log::Level::Warn, &::std::format!($($format)+)) };
}

/// A line on what failed.
#[macro_export]
#[doc(hidden)]
macro_rules! log_error {
    ($($format:tt)+) => { $crate::log::write($crate::log::Level::Error, &::std::format!($($format)+)) };
}
