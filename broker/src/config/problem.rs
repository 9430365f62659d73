//! What is wrong with a configuration.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;

/// A configuration that cannot be used, with everything that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The file, where it came from one.
    pub file: Option<PathBuf>,
    /// Never empty; in the order of the lines.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Counted from 1; `None`: no line of the file is to blame.
    pub line: Option<usize>,
    /// Characters from the start of the line, counted from 1.
    pub column: Option<usize>,
    /// Dotted path, with the places in arrays counted from 0: `plugin.1.grant.publish.0`. Empty: the file as a whole.
    pub key: String,
    /// What is wrong and what was expected.
    pub message: String,
}

impl ConfigError {
    /// One line for each problem.
    fn lines(&self) -> impl Iterator<Item = String> {
        self.problems
            .iter()
            .map(|problem| format!("{}{problem}", self.place(problem)))
    }

    /// `hookwire.toml:12: `, or what of it is known. The column only where there is no key that says more.
    fn place(&self, problem: &Problem) -> String {
        let column = problem
            .column
            .filter(|_| problem.key.is_empty())
            .map(|column| format!(":{column}"));
        let column = column.unwrap_or_default();
        match (&self.file, problem.line) {
            (Some(file), Some(line)) => format!("{}:{line}{column}: ", file.display()),
            (Some(file), None) => format!("{}: ", file.display()),
            (None, Some(line)) => format!("line {line}{column}: "),
            (None, None) => String::new(),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().collect::<Vec<_>>().join("\n"))
    }
}

impl Error for ConfigError {}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}
