//! What came of a reload.

use serde::Serialize;

use super::PolicyError;
use crate::config::{ConfigError, Problem};

/// The last attempt to reload, if it was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// Milliseconds since 1970-01-01 UTC.
    pub at_ms: u64,
    /// Everything that was wrong.
    pub problems: Vec<Fault>,
}

/// What came of a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Something else is in force now.
    InForce,
    /// The same is in force as before.
    Unchanged,
    /// The running configuration stays.
    Refused,
}

impl Outcome {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::InForce, Self::Unchanged, Self::Refused];

    /// As metrics spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InForce => "in-force",
            Self::Unchanged => "unchanged",
            Self::Refused => "refused",
        }
    }
}

/// A reload, for whoever asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reloaded {
    /// What came of it.
    pub outcome: Outcome,
    /// The generation in force now.
    pub generation: u64,
    /// What was wrong.
    pub problems: Vec<Fault>,
    /// Keys whose change takes effect at the next start.
    pub needs_restart: Vec<&'static str>,
}

/// One thing that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Dotted path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// For a person.
    pub message: String,
}

impl Fault {
    /// The problems of a file.
    pub fn of_config(error: &ConfigError) -> Vec<Self> {
        let file = error.file.as_ref().map(|file| file.display().to_string());
        let fault = |problem: &Problem| Self {
            file: file.clone(),
            line: problem.line,
            key: Some(problem.key.clone()).filter(|key| !key.is_empty()),
            message: problem.message.clone(),
        };
        error.problems.iter().map(fault).collect()
    }

    /// Why a policy was refused.
    pub fn of_policy(error: &PolicyError) -> Vec<Self> {
        match error {
            PolicyError::Config(error) => Self::of_config(error),
            other => vec![Self {
                file: None,
                line: None,
                key: None,
                message: other.to_string(),
            }],
        }
    }
}
