//! Faults in a configuration.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};

use crate::bindings::lifecycle::exports::hookwire::plugin::lifecycle::Problem;

impl Problem {
    /// A fault at a key: `path` is keys joined by dots, counted from the plugin's `config` table, for example
    /// `rules.2.topic`; `message` says what is wrong and what was expected.
    pub fn at(path: impl fmt::Display, message: impl fmt::Display) -> Self {
        Self {
            path: path.to_string(),
            message: message.to_string(),
        }
    }
}

/// All the faults that were found in a configuration, so that a user can mend them in one go.
#[derive(Debug, Clone, PartialEq)]
pub struct Problems(pub Vec<Problem>);

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl From<Vec<Problem>> for Problems {
    fn from(problems: Vec<Problem>) -> Self {
        Self(problems)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Problem { path, message }) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{path}: {message}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Reads the plugin's `config` table, which comes as a JSON object.
pub(crate) fn read_config<C: DeserializeOwned>(json: &str) -> Result<C, Problem> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| Problem::at(dotted(error.path()), without_position(error.inner())))
}

/// Reads what an administrator asks for; the error says in one line what is wrong with it.
pub(crate) fn read_request<R: DeserializeOwned>(json: &str) -> Result<R, String> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let request = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let (path, message) = (dotted(error.path()), without_position(error.inner()));
        if path.is_empty() {
            message
        } else {
            format!("{path}: {message}")
        }
    })?;
    deserializer.end().map_err(|error| error.to_string())?;
    Ok(request)
}

/// The path as the contract writes it: `rules.2.topic`, where `serde_path_to_error` writes `rules[2].topic`.
fn dotted(path: &Path) -> String {
    let segments = path.iter().filter_map(|segment| match segment {
        Segment::Seq { index } => Some(index.to_string()),
        Segment::Map { key } => Some(key.clone()),
        Segment::Enum { variant } => Some(variant.clone()),
        Segment::Unknown => None,
    });
    segments.collect::<Vec<_>>().join(".")
}

/// The error without its place in the JSON text, which nobody wrote and nobody can look up.
fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&position).map(str::to_owned).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read by serde")]
    struct Config {
        rules: Vec<Rule>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read by serde")]
    struct Rule {
        topic: String,
    }

    #[test]
    fn problems_say_where_they_are() {
        let problem = read_config::<Config>(r#"{"rules":[{"topic":"a"},{"topic":"b"},{"topic":3}]}"#);
        let expected = Problem::at("rules.2.topic", "invalid type: integer `3`, expected a string");
        assert_eq!(problem.unwrap_err(), expected);
    }

    #[test]
    fn unknown_keys_are_named() {
        let problem = read_config::<Config>(r#"{"rules":[],"ruels":[]}"#).unwrap_err();
        assert_eq!(
            problem,
            Problem::at("ruels", "unknown field `ruels`, expected `rules`")
        );
    }

    #[test]
    fn a_missing_key_is_a_problem_of_its_table() {
        let problem = read_config::<Config>(r#"{"rules":[{}]}"#).unwrap_err();
        assert_eq!(problem, Problem::at("rules.0", "missing field `topic`"));
    }
}
