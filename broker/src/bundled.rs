//! The plugins that come with the binary.

use crate::config::BundledPlugin;

/// Every bundled plugin.
pub const BUNDLED: &[BundledPlugin] = include!(concat!(env!("OUT_DIR"), "/bundled.rs"));
