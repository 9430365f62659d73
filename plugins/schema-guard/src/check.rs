//! Whether a value fits a schema.

use std::fmt::Write;

use serde_json::{Map, Value};

use crate::equality::same;
use crate::schema::{Lists, Numbers, Objects, Part, PartId, Rules, Schema, Texts};

/// Schemas within schemas that are followed: a schema that refers to itself without end stops here.
const DEPTH_MAX: usize = 128;

/// Steps of one check. Alternatives within alternatives multiply, and nobody who publishes may make the broker wait.
const STEPS_MAX: usize = 100_000;

impl Schema {
    /// Whether a value fits; the error says where it does not, and what was expected.
    pub(crate) fn check(&self, value: &Value) -> Result<(), String> {
        let mut check = Check {
            parts: &self.parts,
            path: Vec::new(),
            steps: 0,
            depth: 0,
        };
        let fits = check.part(self.root, value);
        fits.map_err(|fault| fault.to_string())
    }
}

/// What does not fit.
struct Fault {
    /// A JSON pointer into the value.
    at: String,
    expected: String,
    /// The check was given up: nothing further is tried, and it fits nothing.
    is_final: bool,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.at.is_empty() {
            f.write_str(&self.expected)
        } else {
            write!(f, "{}: {}", self.at, self.expected)
        }
    }
}

/// One check on its way.
struct Check<'a> {
    parts: &'a [Part],
    path: Vec<Step<'a>>,
    steps: usize,
    depth: usize,
}

/// A step from a value into it.
enum Step<'a> {
    Member(&'a str),
    Item(usize),
}

impl<'a> Check<'a> {
    fn fault(&self, expected: impl Into<String>) -> Fault {
        let mut at = String::new();
        for step in &self.path {
            let _ = match step {
                Step::Member(name) => write!(at, "/{name}"),
                Step::Item(index) => write!(at, "/{index}"),
            };
        }
        Fault {
            at,
            expected: expected.into(),
            is_final: false,
        }
    }

    /// Pays for something; an end when there is too much of it.
    fn pay(&mut self, steps: usize) -> Result<(), Fault> {
        self.steps = self.steps.saturating_add(steps);
        if self.steps > STEPS_MAX || self.depth > DEPTH_MAX {
            return Err(Fault {
                is_final: true,
                ..self.fault("too intricate to be checked")
            });
        }
        Ok(())
    }

    fn part(&mut self, id: PartId, value: &'a Value) -> Result<(), Fault> {
        self.depth += 1;
        self.pay(1)?;
        let fits = match &self.parts[id] {
            Part::Always(true) => Ok(()),
            Part::Always(false) => Err(self.fault("nothing is allowed here")),
            Part::Rules(rules) => self.rules(rules, value),
        };
        self.depth -= 1;
        fits
    }

    /// Whether a value fits, where it may not.
    fn fits(&mut self, id: PartId, value: &'a Value) -> Result<bool, Fault> {
        let (depth, steps_in) = (self.depth, self.path.len());
        match self.part(id, value) {
            Ok(()) => Ok(true),
            Err(fault) if fault.is_final => Err(fault),
            Err(_) => {
                self.depth = depth;
                self.path.truncate(steps_in);
                Ok(false)
            }
        }
    }

    fn within(&mut self, step: Step<'a>, id: PartId, value: &'a Value) -> Result<(), Fault> {
        self.path.push(step);
        self.part(id, value)?;
        self.path.pop();
        Ok(())
    }

    fn rules(&mut self, rules: &'a Rules, value: &'a Value) -> Result<(), Fault> {
        if let Some(types) = rules.types.filter(|types| !types.contains(value)) {
            return Err(self.fault(format!("expected {}, found {}", types.names(), kind(value))));
        }
        if let Some(values) = &rules.values {
            self.pay(values.len())?;
            if !values.iter().any(|allowed| same(allowed, value)) {
                return Err(self.fault("not one of the values that are allowed"));
            }
        }
        match value {
            Value::Number(number) => self.number(&rules.numbers, number.as_f64().unwrap_or(f64::NAN))?,
            Value::String(text) => self.text(&rules.texts, text)?,
            Value::Array(items) => self.list(&rules.lists, items)?,
            Value::Object(members) => self.object(&rules.objects, members, value)?,
            Value::Null | Value::Bool(_) => {}
        }
        self.combinations(rules, value)
    }

    fn number(&self, rules: &Numbers, number: f64) -> Result<(), Fault> {
        let bounds = [
            (
                rules.minimum.is_some_and(|min| number < min),
                "at least",
                rules.minimum,
            ),
            (
                rules.maximum.is_some_and(|max| number > max),
                "at most",
                rules.maximum,
            ),
            (
                rules.above.is_some_and(|min| number <= min),
                "more than",
                rules.above,
            ),
            (
                rules.below.is_some_and(|max| number >= max),
                "less than",
                rules.below,
            ),
        ];
        for (is_broken, word, bound) in bounds {
            if is_broken {
                return Err(self.fault(format!("expected {word} {}", bound.unwrap_or_default())));
            }
        }
        if let Some(unit) = rules.multiple_of {
            let times = number / unit;
            // Fractions such as 0.1 are not whole in binary either.
            if (times - times.round()).abs() > 1e-9 * times.abs().max(1.0) {
                return Err(self.fault(format!("expected a multiple of {unit}")));
            }
        }
        Ok(())
    }

    fn text(&mut self, rules: &Texts, text: &str) -> Result<(), Fault> {
        if rules.length.min.is_some() || rules.length.max.is_some() {
            let length = rules.length.check(text.chars().count());
            length.map_err(|bound| self.fault(format!("expected {bound} characters")))?;
        }
        if let Some(pattern) = &rules.pattern {
            self.pay(1 + text.len() / 16)?;
            if !pattern.is_match(text) {
                return Err(self.fault(format!("expected a text like {}", pattern.as_str())));
            }
        }
        Ok(())
    }

    fn list(&mut self, rules: &'a Lists, items: &'a [Value]) -> Result<(), Fault> {
        let length = rules.length.check(items.len());
        length.map_err(|bound| self.fault(format!("expected {bound} items")))?;
        for (index, item) in items.iter().enumerate() {
            if let Some(id) = rules.prefix.get(index).copied().or(rules.items) {
                self.within(Step::Item(index), id, item)?;
            }
        }
        if let Some(id) = rules.contains {
            let mut found = 0;
            for item in items {
                found += usize::from(self.fits(id, item)?);
            }
            let contained = rules.contained.check(found);
            contained
                .map_err(|bound| self.fault(format!("expected {bound} items of a kind, found {found}")))?;
        }
        if rules.unique {
            self.pay(items.len().saturating_mul(items.len()) / 2)?;
            let mut pairs = items.iter().enumerate();
            if pairs.any(|(index, item)| items[..index].iter().any(|other| same(item, other))) {
                return Err(self.fault("expected no item twice"));
            }
        }
        Ok(())
    }

    fn object(
        &mut self,
        rules: &'a Objects,
        members: &'a Map<String, Value>,
        whole: &'a Value,
    ) -> Result<(), Fault> {
        let size = rules.size.check(members.len());
        size.map_err(|bound| self.fault(format!("expected {bound} members")))?;
        let missing = |names: &'a [String]| names.iter().find(|name| !members.contains_key(*name));
        if let Some(name) = missing(&rules.required) {
            return Err(self.fault(format!("`{name}` is missing")));
        }
        for (name, needed) in &rules.dependent_required {
            if let Some(absent) = missing(needed).filter(|_| members.contains_key(name)) {
                return Err(self.fault(format!("`{absent}` is missing beside `{name}`")));
            }
        }
        for (name, id) in &rules.dependent_schemas {
            if members.contains_key(name) {
                self.part(*id, whole)?;
            }
        }
        for (name, value) in members {
            self.member(rules, name, value)?;
        }
        Ok(())
    }

    fn member(&mut self, rules: &'a Objects, name: &'a str, value: &'a Value) -> Result<(), Fault> {
        self.pay(1)?;
        if let Some(id) = rules.names {
            let text = Value::from(name);
            let names = Schema::check_name(self.parts, id, &text);
            names.map_err(|expected| self.fault(format!("the name `{name}`: {expected}")))?;
        }
        let mut is_known = false;
        if let Some(id) = rules.properties.get(name) {
            is_known = true;
            self.within(Step::Member(name), *id, value)?;
        }
        for (pattern, id) in &rules.patterns {
            self.pay(1 + name.len() / 16)?;
            if pattern.is_match(name) {
                is_known = true;
                self.within(Step::Member(name), *id, value)?;
            }
        }
        match rules.additional.filter(|_| !is_known) {
            Some(id) if matches!(self.parts[id], Part::Always(false)) => {
                Err(self.fault(format!("`{name}` is not allowed here")))
            }
            Some(id) => self.within(Step::Member(name), id, value),
            None => Ok(()),
        }
    }

    fn combinations(&mut self, rules: &'a Rules, value: &'a Value) -> Result<(), Fault> {
        for id in rules.reference.iter().chain(&rules.all_of) {
            self.part(*id, value)?;
        }
        if !rules.any_of.is_empty() {
            let mut fits = false;
            for id in &rules.any_of {
                fits = fits || self.fits(*id, value)?;
            }
            if !fits {
                return Err(self.fault("none of the alternatives fits"));
            }
        }
        if !rules.one_of.is_empty() {
            let mut fitting = 0;
            for id in &rules.one_of {
                fitting += usize::from(self.fits(*id, value)?);
            }
            if fitting != 1 {
                return Err(self.fault(format!("{fitting} alternatives fit, expected one")));
            }
        }
        if let Some(id) = rules.not
            && self.fits(id, value)?
        {
            return Err(self.fault("it is what it must not be"));
        }
        if let Some(condition) = rules.condition {
            let branch = if self.fits(condition, value)? {
                rules.then
            } else {
                rules.otherwise
            };
            if let Some(id) = branch {
                self.part(id, value)?;
            }
        }
        Ok(())
    }
}

impl Schema {
    /// The name of a member is a value of its own, which lives no longer than this.
    fn check_name(parts: &[Part], id: PartId, name: &Value) -> Result<(), String> {
        let mut check = Check {
            parts,
            path: Vec::new(),
            steps: 0,
            depth: 0,
        };
        check.part(id, name).map_err(|fault| fault.to_string())
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Object(_) => "object",
        Value::Array(_) => "array",
        Value::Number(_) => "number",
        Value::String(_) => "string",
    }
}
