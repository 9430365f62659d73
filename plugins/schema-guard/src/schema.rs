//! A schema, ready to be asked.

use std::collections::BTreeMap;

use regex_lite::Regex;
use serde_json::Value;

/// Place of a part of a schema among all of them: parts may refer to one another, in circles too.
pub(crate) type PartId = usize;

/// A schema with everything that it refers to.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) parts: Vec<Part>,
    pub(crate) root: PartId,
}

/// One schema within a schema.
#[derive(Debug)]
pub(crate) enum Part {
    /// `true` or `false`.
    Always(bool),
    Rules(Box<Rules>),
}

/// All that a schema demands at one place. What it does not say is none.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    pub(crate) types: Option<Types>,
    pub(crate) values: Option<Vec<Value>>,
    pub(crate) numbers: Numbers,
    pub(crate) texts: Texts,
    pub(crate) lists: Lists,
    pub(crate) objects: Objects,
    pub(crate) all_of: Vec<PartId>,
    pub(crate) any_of: Vec<PartId>,
    pub(crate) one_of: Vec<PartId>,
    pub(crate) not: Option<PartId>,
    pub(crate) condition: Option<PartId>,
    pub(crate) then: Option<PartId>,
    pub(crate) otherwise: Option<PartId>,
    pub(crate) reference: Option<PartId>,
}

/// A set of types of JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Types(u8);

impl Types {
    pub(crate) const NONE: Self = Self(0);
    const NAMES: [(&'static str, u8); 7] = [
        ("null", 1),
        ("boolean", 2),
        ("object", 4),
        ("array", 8),
        ("number", 16 | 32),
        ("integer", 32),
        ("string", 64),
    ];

    /// With a type more; none when there is no such type.
    pub(crate) fn with(self, name: &str) -> Option<Self> {
        let (_, bits) = Self::NAMES.iter().find(|(known, _)| *known == name)?;
        Some(Self(self.0 | bits))
    }

    pub(crate) fn contains(self, value: &Value) -> bool {
        let bit = match value {
            Value::Null => 1,
            Value::Bool(_) => 2,
            Value::Object(_) => 4,
            Value::Array(_) => 8,
            Value::Number(number) => {
                // 5.0 is an integer too.
                let is_whole =
                    number.is_i64() || number.is_u64() || number.as_f64().is_some_and(|n| n.fract() == 0.0);
                if is_whole { 32 } else { 16 }
            }
            Value::String(_) => 64,
        };
        self.0 & bit != 0
    }

    pub(crate) fn names(self) -> String {
        let is_in = |(_, bits): &&(&str, u8)| self.0 & bits == *bits;
        let mut names: Vec<_> = Self::NAMES.iter().filter(is_in).map(|(name, _)| *name).collect();
        if names.contains(&"number") {
            names.retain(|name| *name != "integer");
        }
        names.join(" or ")
    }
}

#[derive(Debug, Default)]
pub(crate) struct Numbers {
    pub(crate) minimum: Option<f64>,
    pub(crate) maximum: Option<f64>,
    pub(crate) above: Option<f64>,
    pub(crate) below: Option<f64>,
    pub(crate) multiple_of: Option<f64>,
}

#[derive(Debug, Default)]
pub(crate) struct Texts {
    pub(crate) length: Bounds,
    pub(crate) pattern: Option<Regex>,
}

#[derive(Debug, Default)]
pub(crate) struct Lists {
    pub(crate) length: Bounds,
    pub(crate) prefix: Vec<PartId>,
    /// Of those behind the prefix.
    pub(crate) items: Option<PartId>,
    pub(crate) contains: Option<PartId>,
    /// How many must be what `contains` says.
    pub(crate) contained: Bounds,
    pub(crate) unique: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Objects {
    pub(crate) size: Bounds,
    pub(crate) required: Vec<String>,
    pub(crate) properties: BTreeMap<String, PartId>,
    pub(crate) patterns: Vec<(Regex, PartId)>,
    /// Of those that neither `properties` nor `patterns` speak of.
    pub(crate) additional: Option<PartId>,
    pub(crate) names: Option<PartId>,
    pub(crate) dependent_required: BTreeMap<String, Vec<String>>,
    pub(crate) dependent_schemas: BTreeMap<String, PartId>,
}

/// Smallest and largest number of something.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bounds {
    pub(crate) min: Option<u64>,
    pub(crate) max: Option<u64>,
}

impl Bounds {
    /// What a number should have been.
    pub(crate) fn check(self, count: usize) -> Result<(), String> {
        let count = count as u64;
        match self {
            Self { min: Some(min), .. } if count < min => Err(format!("at least {min}")),
            Self { max: Some(max), .. } if count > max => Err(format!("at most {max}")),
            _ => Ok(()),
        }
    }
}
