//! From the text of a schema to something that can be asked.
//!
//! What is not known is refused: a keyword that nobody looks at would let pass what it was written to keep out.

use std::collections::BTreeMap;

use regex_lite::Regex;
use serde_json::{Map, Value};

use crate::schema::{Part, PartId, Rules, Schema, Types};

/// Keywords that demand nothing (JSON Schema 2020-12, annotations and identifiers); `format` is one of them there.
const ANNOTATIONS: [&str; 16] = [
    "$schema",
    "$id",
    "$comment",
    "$anchor",
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "format",
    "contentMediaType",
    "contentEncoding",
    "contentSchema",
    "$vocabulary",
];

/// Schemas within schemas when one is read.
const DEPTH_MAX: usize = 64;

/// Schemas within one: each is memory of every instance.
const PARTS_MAX: usize = 10_000;

/// Longest regular expression, bytes.
const PATTERN_BYTES_MAX: usize = 1024;

/// What is wrong with a schema: where in it, as a JSON pointer, and what.
pub(crate) type Fault = String;

impl Schema {
    /// Reads a schema.
    pub(crate) fn compile(document: &Value) -> Result<Self, Fault> {
        let mut compiler = Compiler {
            document,
            parts: Vec::new(),
            by_pointer: BTreeMap::new(),
        };
        let root = compiler.part(document, "", 0)?;
        Ok(Self {
            parts: compiler.parts,
            root,
        })
    }
}

struct Compiler<'a> {
    document: &'a Value,
    parts: Vec<Part>,
    /// Where each schema of the document is among the parts: what refers to one is the same part.
    by_pointer: BTreeMap<String, PartId>,
}

impl<'a> Compiler<'a> {
    fn part(&mut self, schema: &'a Value, at: &str, depth: usize) -> Result<PartId, Fault> {
        if let Some(id) = self.by_pointer.get(at) {
            return Ok(*id);
        }
        if depth > DEPTH_MAX || self.parts.len() >= PARTS_MAX {
            return Err(fault(at, "the schema is too large"));
        }
        // Its place is known before it is read: it may refer to itself.
        let id = self.parts.len();
        self.by_pointer.insert(at.to_owned(), id);
        self.parts.push(Part::Always(true));
        self.parts[id] = match schema {
            Value::Bool(always) => Part::Always(*always),
            Value::Object(keywords) => Part::Rules(Box::new(self.rules(keywords, at, depth)?)),
            _ => return Err(fault(at, "expected a schema: an object, true or false")),
        };
        Ok(id)
    }

    fn rules(&mut self, keywords: &'a Map<String, Value>, at: &str, depth: usize) -> Result<Rules, Fault> {
        let mut rules = Rules::default();
        for (keyword, value) in keywords {
            let place = pointer(at, keyword);
            let known = self.assertion(&mut rules, keyword, value, &place)?
                || self.applicator(&mut rules, keyword, value, &place, depth + 1)?
                || ANNOTATIONS.contains(&keyword.as_str())
                || matches!(keyword.as_str(), "$defs" | "definitions");
            if !known {
                return Err(fault(&place, "this keyword is not known here"));
            }
        }
        // Without a number of its own, one is enough.
        if rules.lists.contains.is_some() && rules.lists.contained.min.is_none() {
            rules.lists.contained.min = Some(1);
        }
        Ok(rules)
    }

    /// Keywords that demand something of the value itself; false when it is none of them.
    fn assertion(&self, rules: &mut Rules, keyword: &str, value: &Value, at: &str) -> Result<bool, Fault> {
        let (numbers, lists, objects) = (&mut rules.numbers, &mut rules.lists, &mut rules.objects);
        match keyword {
            "type" => rules.types = Some(types(value, at)?),
            "enum" => rules.values = Some(array(value, at)?.clone()),
            "const" => rules.values = Some(vec![value.clone()]),
            "minimum" => numbers.minimum = Some(number(value, at)?),
            "maximum" => numbers.maximum = Some(number(value, at)?),
            "exclusiveMinimum" => numbers.above = Some(number(value, at)?),
            "exclusiveMaximum" => numbers.below = Some(number(value, at)?),
            "multipleOf" => {
                let unit = number(value, at)?;
                if unit <= 0.0 {
                    return Err(fault(at, "expected a number above 0"));
                }
                numbers.multiple_of = Some(unit);
            }
            "minLength" => rules.texts.length.min = Some(count(value, at)?),
            "maxLength" => rules.texts.length.max = Some(count(value, at)?),
            "pattern" => rules.texts.pattern = Some(regex(text(value, at)?, at)?),
            "minItems" => lists.length.min = Some(count(value, at)?),
            "maxItems" => lists.length.max = Some(count(value, at)?),
            "uniqueItems" => lists.unique = boolean(value, at)?,
            "minContains" => lists.contained.min = Some(count(value, at)?),
            "maxContains" => lists.contained.max = Some(count(value, at)?),
            "minProperties" => objects.size.min = Some(count(value, at)?),
            "maxProperties" => objects.size.max = Some(count(value, at)?),
            "required" => objects.required = texts(value, at)?,
            "dependentRequired" => {
                for (name, names) in object(value, at)? {
                    let names = texts(names, &pointer(at, name))?;
                    objects.dependent_required.insert(name.clone(), names);
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Keywords with schemas in them; false when it is none of them.
    fn applicator(
        &mut self,
        rules: &mut Rules,
        keyword: &str,
        value: &'a Value,
        at: &str,
        depth: usize,
    ) -> Result<bool, Fault> {
        match keyword {
            "$ref" => rules.reference = Some(self.reference(text(value, at)?, at, depth)?),
            "allOf" => rules.all_of = self.parts_of_list(value, at, depth)?,
            "anyOf" => rules.any_of = self.parts_of_list(value, at, depth)?,
            "oneOf" => rules.one_of = self.parts_of_list(value, at, depth)?,
            "not" => rules.not = Some(self.part(value, at, depth)?),
            "if" => rules.condition = Some(self.part(value, at, depth)?),
            "then" => rules.then = Some(self.part(value, at, depth)?),
            "else" => rules.otherwise = Some(self.part(value, at, depth)?),
            "prefixItems" => rules.lists.prefix = self.parts_of_list(value, at, depth)?,
            // As a list, `items` is what `prefixItems` was called before 2020.
            "items" if value.is_array() => rules.lists.prefix = self.parts_of_list(value, at, depth)?,
            "items" | "additionalItems" => rules.lists.items = Some(self.part(value, at, depth)?),
            "contains" => rules.lists.contains = Some(self.part(value, at, depth)?),
            "properties" => rules.objects.properties = self.parts_of_object(value, at, depth)?,
            "dependentSchemas" => rules.objects.dependent_schemas = self.parts_of_object(value, at, depth)?,
            "patternProperties" => {
                for (pattern, schema) in object(value, at)? {
                    let place = pointer(at, pattern);
                    let part = self.part(schema, &place, depth)?;
                    rules.objects.patterns.push((regex(pattern, &place)?, part));
                }
            }
            "additionalProperties" => rules.objects.additional = Some(self.part(value, at, depth)?),
            "propertyNames" => rules.objects.names = Some(self.part(value, at, depth)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Another schema of the same document.
    fn reference(&mut self, target: &str, at: &str, depth: usize) -> Result<PartId, Fault> {
        let Some(fragment) = target.strip_prefix('#') else {
            return Err(fault(
                at,
                "expected a reference into this schema, such as `#/$defs/name`",
            ));
        };
        let document = self.document;
        match document.pointer(fragment) {
            Some(schema) => self.part(schema, fragment, depth),
            None => Err(fault(at, &format!("there is nothing at `{target}`"))),
        }
    }

    fn parts_of_list(&mut self, value: &'a Value, at: &str, depth: usize) -> Result<Vec<PartId>, Fault> {
        let schemas = array(value, at)?;
        if schemas.is_empty() {
            return Err(fault(at, "expected at least one schema"));
        }
        schemas
            .iter()
            .enumerate()
            .map(|(index, schema)| self.part(schema, &pointer(at, &index.to_string()), depth))
            .collect()
    }

    fn parts_of_object(
        &mut self,
        value: &'a Value,
        at: &str,
        depth: usize,
    ) -> Result<BTreeMap<String, PartId>, Fault> {
        object(value, at)?
            .iter()
            .map(|(name, schema)| Ok((name.clone(), self.part(schema, &pointer(at, name), depth)?)))
            .collect()
    }
}

fn fault(at: &str, text: &str) -> Fault {
    if at.is_empty() {
        text.to_owned()
    } else {
        format!("{at}: {text}")
    }
}

fn pointer(at: &str, key: &str) -> String {
    format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"))
}

fn types(value: &Value, at: &str) -> Result<Types, Fault> {
    let unknown = || {
        fault(
            at,
            "expected null, boolean, object, array, number, integer or string, or several",
        )
    };
    match value {
        Value::String(name) => Types::NONE.with(name).ok_or_else(unknown),
        Value::Array(names) if !names.is_empty() => names.iter().try_fold(Types::NONE, |types, name| {
            name.as_str()
                .and_then(|name| types.with(name))
                .ok_or_else(unknown)
        }),
        _ => Err(unknown()),
    }
}

fn array<'v>(value: &'v Value, at: &str) -> Result<&'v Vec<Value>, Fault> {
    value.as_array().ok_or_else(|| fault(at, "expected an array"))
}

fn object<'v>(value: &'v Value, at: &str) -> Result<&'v Map<String, Value>, Fault> {
    value.as_object().ok_or_else(|| fault(at, "expected an object"))
}

fn text<'v>(value: &'v Value, at: &str) -> Result<&'v str, Fault> {
    value.as_str().ok_or_else(|| fault(at, "expected a text"))
}

fn texts(value: &Value, at: &str) -> Result<Vec<String>, Fault> {
    let texts = array(value, at)?
        .iter()
        .map(|text| text.as_str().map(str::to_owned));
    texts
        .collect::<Option<_>>()
        .ok_or_else(|| fault(at, "expected an array of texts"))
}

fn number(value: &Value, at: &str) -> Result<f64, Fault> {
    value.as_f64().ok_or_else(|| fault(at, "expected a number"))
}

fn boolean(value: &Value, at: &str) -> Result<bool, Fault> {
    value.as_bool().ok_or_else(|| fault(at, "expected true or false"))
}

fn count(value: &Value, at: &str) -> Result<u64, Fault> {
    let whole = value.as_u64();
    let fraction = value
        .as_f64()
        .filter(|n| *n >= 0.0 && n.fract() == 0.0 && *n < 1e15);
    whole
        .or_else(|| fraction.map(|n| n as u64))
        .ok_or_else(|| fault(at, "expected a whole number from 0 on"))
}

fn regex(pattern: &str, at: &str) -> Result<Regex, Fault> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return Err(fault(at, "the pattern is too long"));
    }
    Regex::new(pattern).map_err(|error| fault(at, &format!("not a regular expression: {error}")))
}
