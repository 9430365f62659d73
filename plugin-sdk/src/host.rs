//! What the broker offers to plugins, a module for each interface. Only what a plugin's code reaches becomes an import
//! of its component.

pub mod clients;
pub mod clock;
pub mod http;
pub mod kv;
pub mod log;
pub mod metrics;
pub mod password;
pub mod publish;
pub mod random;
pub mod rate_limit;
pub mod retained;
pub mod secrets;
pub mod signatures;
pub mod topics;
