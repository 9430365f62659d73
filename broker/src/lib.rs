//! Hookwire: an MQTT broker whose policies are WebAssembly components.
//!
//! ```text
//!            bytes in                                                        bytes out
//! socket ──► net ──► protocol ──► session ──► hooks ──► router ──► session ──► protocol ──► net ──► socket
//!           (io)    (sans-io)    (sans-io)   (chain)   (sans-io)  (outbox)    (sans-io)    (io)
//! ```
//!
//! `protocol`, `hooks` and the plugin host are crates of their own, so that Cargo keeps tokio out of the
//! first two and wasmtime inside the third. The rest is here: [`session`] and [`router`] know no sockets,
//! [`broker`] ties them together, [`net`] is where socket and clock meet them, [`config`], [`policy`] and
//! [`reload`] say what is in force.

#![warn(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "they panic when nobody reads any more: see output"
)]

pub mod admin;
pub mod author;
pub mod broker;
pub mod bundled;
pub mod cli;
pub mod clock;
pub mod config;
pub mod huge_pages;
pub mod metrics;
pub mod net;
pub mod offline;
pub mod output;
pub mod policy;
pub mod reload;
pub mod router;
pub mod run;
pub mod session;
pub mod sys;
pub mod watch;
