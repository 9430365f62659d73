//! The plugin's `config` table.

use hookwire_plugin::prelude::*;
use serde_json::Value;

use crate::schema::Schema;
use crate::{Guard, Otherwise, SchemaGuard};

/// Largest payload that is parsed when nothing is said about it, bytes.
const MAX_PAYLOAD_DEFAULT: usize = 65_536;

/// Name of the mark when nothing is said about it.
const MARK_DEFAULT: &str = "schema";

/// Longest name of a user property here, bytes.
const MARK_BYTES_MAX: usize = 256;

/// The table, as it is read.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    schemas: Vec<GuardConfig>,
    #[serde(default = "max_payload_default")]
    max_payload: usize,
    #[serde(default = "mark_default")]
    mark: String,
}

fn max_payload_default() -> usize {
    MAX_PAYLOAD_DEFAULT
}

fn mark_default() -> String {
    MARK_DEFAULT.to_owned()
}

/// One schema, as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GuardConfig {
    topic: String,
    /// The schema itself, or its text.
    schema: Value,
    #[serde(default = "reject")]
    otherwise: Otherwise,
}

fn reject() -> Otherwise {
    Otherwise::Reject
}

impl Config {
    /// The plugin, or all that is wrong with its schemas.
    pub(crate) fn check(self) -> Result<SchemaGuard, Problems> {
        let mut problems = Vec::new();
        let mut guards = Vec::new();
        for (index, guard) in self.schemas.iter().enumerate() {
            match guard.check() {
                Ok(guard) => guards.push(guard),
                Err((key, text)) => {
                    problems.push(Problem::at(format_args!("schemas.{index}.{key}"), text));
                }
            }
        }
        if guards.is_empty() && problems.is_empty() {
            problems.push(Problem::at("schemas", "no schema at all"));
        }
        if !(1..=MARK_BYTES_MAX).contains(&self.mark.len()) || self.mark.contains('\0') {
            let text = format!("expected the name of a user property, 1 to {MARK_BYTES_MAX} bytes");
            problems.push(Problem::at("mark", text));
        }
        if !problems.is_empty() {
            return Err(problems.into());
        }
        Ok(SchemaGuard {
            guards,
            payload_bytes_max: self.max_payload,
            mark: self.mark,
        })
    }
}

impl GuardConfig {
    fn check(&self) -> Result<Guard, (&'static str, String)> {
        let filter = self
            .topic
            .parse()
            .map_err(|error| ("topic", format!("{error}")))?;
        let schema = match &self.schema {
            Value::String(text) => {
                let document: Value =
                    serde_json::from_str(text).map_err(|error| ("schema", format!("not JSON: {error}")))?;
                Schema::compile(&document)
            }
            document => Schema::compile(document),
        };
        Ok(Guard {
            filter,
            schema: schema.map_err(|error| ("schema", error))?,
            otherwise: self.otherwise,
        })
    }
}
