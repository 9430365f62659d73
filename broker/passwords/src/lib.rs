//! Stored passwords: the forms in which they are read, and comparing with them. The plugin host uses it at native speed,
//! and the plugin `password-file` inside of its component.
//!
//! ```
//! use hookwire_passwords::{Hash, Memory};
//!
//! let hash: Hash = "$2b$04$....................../dCAsp4PpJoDgv6BeaLP6BKrXlBV1oi".parse()?;
//! let mut memory = Memory::for_hashes([&hash]).unwrap();
//! assert!(hash.verify(b"secret", &mut memory) && !hash.verify(b"guess", &mut memory));
//! # Ok::<(), hookwire_passwords::HashError>(())
//! ```
#![forbid(unsafe_code)]

mod encoding;
mod error;
mod hash;
mod memory;

pub use error::HashError;
pub use hash::Hash;
pub use memory::{Memory, NoMemory};
