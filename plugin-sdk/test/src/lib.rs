//! Puts questions to a plugin's component in the broker's own host, without a broker.
//!
//! The engine, the limits, the deadlines and the checks are those of the broker: what fails there fails here. What is not
//! there is the broker itself; in its place stands a [`TestBroker`], which knows the clients that it was told of, whose
//! clock is moved by hand, and which remembers what plugins did.
//!
//! - [`Stage`] loads a component, and the [`Actor`] that comes of it is asked.
//! - [`CaseFile`] is a file of questions with the answers that are expected: `hookwire plugin test`.
//! - [`Replay`] asks what was recorded in a live broker again and compares: `hookwire plugin replay`.
//!
//! ```no_run
//! use hookwire_plugin_test::{CaseFile, Chance, Stage};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let stage = Stage::new()?;
//! let cases = CaseFile::parse(&std::fs::read_to_string("cases.toml")?)?;
//! let plugin = stage.load_file("size_limit.wasm".as_ref(), cases.config().clone())?;
//! let failed = cases.run(&stage, &plugin, &mut Chance::new(7));
//! assert!(failed.is_empty(), "{failed:#?}");
//! # Ok(())
//! # }
//! ```
//!
//! This needs the engine, which takes minutes to compile. A plugin's own tests need not: the SDK's `mock::Subject` puts them
//! to the component through the `hookwire` command.

mod broker;
mod case;
mod case_file;
mod chance;
mod plain;
mod question;
mod replay;
mod stage;
mod waiting;

pub use broker::{Effects, TestBroker};
pub use case::{Case, Failed, Trouble};
pub use case_file::{CaseFile, CaseFileError};
pub use chance::Chance;
pub use plain::{client, exchange, plain_questions};
pub use question::Question;
pub use replay::{Difference, Replay, Replayed};
pub use stage::{Actor, Stage};
pub use waiting::wait_for;
