//! `[plugin.config]`: whatever the plugin wants, handed over as JSON.

use std::path::{Path, PathBuf};

use serde_json::{Map, Number, Value};
use toml::de::{DeInteger, DeValue};

use super::file::{open_regular, read_text};
use super::reader::Item;

/// Plugins read their configuration by recursion, on small stacks; toml's tables can be thousands deep.
const DEPTH_MAX: usize = 64;

/// A plugin has its configuration in its memory, which is 16 MiB unless said otherwise.
const INCLUDED_BYTES_MAX: u64 = 16 << 20;

/// Turns one plugin's table into JSON and notes the files that were read for it.
pub(super) struct ConfigReader<'f> {
    folder: &'f Path,
    files: Vec<PathBuf>,
}

impl<'f> ConfigReader<'f> {
    pub(super) fn new(folder: &'f Path) -> Self {
        Self {
            folder,
            files: Vec::new(),
        }
    }

    /// Those named by `{ file = "…" }`.
    pub(super) fn into_files(self) -> Vec<PathBuf> {
        self.files
    }

    /// The table itself; an empty object when there is none.
    pub(super) fn read(&mut self, item: Option<Item<'_>>) -> Value {
        let empty = || Value::Object(Map::new());
        let Some(item) = item else { return empty() };
        // Its own only key may well be `file`: the plugin wants an object whatever stands in it.
        self.object(&item, 0)
            .or_else(|| item.refuse("a table"))
            .unwrap_or_else(empty)
    }

    fn value(&mut self, item: &Item<'_>, depth: usize) -> Option<Value> {
        if depth > DEPTH_MAX {
            return item.problem(format!("nested deeper than {DEPTH_MAX} levels"));
        }
        match item.value() {
            DeValue::String(text) => Some(Value::from(text.as_ref())),
            DeValue::Boolean(value) => Some(Value::from(*value)),
            DeValue::Datetime(time) => Some(Value::from(time.to_string())),
            DeValue::Integer(number) => integer(number).or_else(|| item.refuse("a number of 64 bits")),
            DeValue::Float(number) => {
                float(number.as_str()).or_else(|| item.refuse("a number that JSON has (neither inf nor nan)"))
            }
            DeValue::Array(_) => self.array(item, depth),
            DeValue::Table(_) => match included_file(item) {
                Some(file) => self.include(&file),
                None => self.object(item, depth),
            },
        }
    }

    fn array(&mut self, item: &Item<'_>, depth: usize) -> Option<Value> {
        let values = item
            .elements()?
            .map(|element| self.value(&element, depth + 1))
            .collect::<Vec<_>>();
        values.into_iter().collect::<Option<Vec<_>>>().map(Value::Array)
    }

    /// `None` when it is no table. An entry that is not good has been complained about and is left out.
    fn object(&mut self, item: &Item<'_>, depth: usize) -> Option<Value> {
        let entries = item.entries()?;
        let good = entries.filter_map(|(key, entry)| Some((key.to_owned(), self.value(&entry, depth + 1)?)));
        Some(Value::Object(good.collect()))
    }

    fn include(&mut self, item: &Item<'_>) -> Option<Value> {
        let Some(name) = item.string() else {
            return item.refuse("the path of a file");
        };
        let path = self.folder.join(name);
        match open_regular(&path).and_then(|file| read_text(file, INCLUDED_BYTES_MAX)) {
            Ok(text) => {
                self.files.push(path);
                Some(Value::from(text))
            }
            Err(reason) => item.problem(format!("cannot read {path:?}: {reason}")),
        }
    }
}

/// The path in `{ file = "…" }`: a table with that one key.
fn included_file<'a>(item: &Item<'a>) -> Option<Item<'a>> {
    let mut entries = item.entries()?;
    match (entries.next(), entries.next()) {
        (Some(("file", path)), None) => Some(path),
        _ => None,
    }
}

fn integer(number: &DeInteger<'_>) -> Option<Value> {
    let (digits, radix) = (number.as_str(), number.radix());
    let signed = i64::from_str_radix(digits, radix).map(Value::from);
    signed
        .or_else(|_| u64::from_str_radix(digits, radix).map(Value::from))
        .ok()
}

fn float(text: &str) -> Option<Value> {
    text.parse().ok().and_then(Number::from_f64).map(Value::Number)
}
