//! Why a text is not a hash.

use std::fmt;

/// Why a text is not a hash. It does not quote the text, which may be a password by mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashError {
    /// It begins like none that is known.
    UnknownForm,
    /// It begins like one, and goes on like none.
    Malformed,
    /// A comparison would take more time or memory than any should.
    TooCostly {
        /// What is too large.
        parameter: &'static str,
        /// The largest that is allowed.
        max: u32,
    },
}

impl fmt::Display for HashError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownForm => f.write_str(
                "expected a hash that begins with `$argon2id$`, `$2b$`, `$pbkdf2-sha512$`, `$7$` or `$6$`",
            ),
            Self::Malformed => f.write_str("the hash is malformed"),
            Self::TooCostly { parameter, max } => {
                write!(f, "{parameter} of the hash is too large, allowed are {max}")
            }
        }
    }
}

impl std::error::Error for HashError {}
