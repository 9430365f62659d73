//! A typed reader over toml's tree. It keeps reading after a mistake, and each complaint names a line and a key.

use std::fmt;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::report::Report;
use super::suggestion::nearest;

/// Characters of a key or value that a complaint shows: a line of a log must bear it.
const SHOWN_CHARS_MAX: usize = 60;

/// One value with its place in the file.
#[derive(Clone)]
pub(super) struct Item<'a> {
    value: &'a Spanned<DeValue<'a>>,
    path: String,
    report: &'a Report<'a>,
}

/// A table, being read. Whoever reads it asks for each key it may have, then calls [`Section::finish`].
pub(super) struct Section<'a> {
    /// `None`: the table is not in the file, and reads as an empty one.
    table: Option<&'a DeTable<'a>>,
    path: String,
    at: usize,
    known: Vec<&'static str>,
    report: &'a Report<'a>,
}

impl<'a> Item<'a> {
    /// Complains about the value and gives none: "expected …, found …".
    pub(super) fn refuse<T>(&self, expected: impl fmt::Display) -> Option<T> {
        self.problem(format!("expected {expected}, found {}", found(self.value())))
    }

    /// Complains about the value in other words.
    pub(super) fn problem<T>(&self, message: String) -> Option<T> {
        self.report
            .add(self.value.span().start, self.path.clone(), message);
        None
    }

    pub(super) fn value(&self) -> &'a DeValue<'a> {
        self.value.get_ref()
    }

    pub(super) fn line(&self) -> usize {
        self.report.line(self.value.span().start)
    }

    pub(super) fn string(&self) -> Option<&'a str> {
        self.value().as_str()
    }

    /// As a table with known keys.
    pub(super) fn section(self) -> Option<Section<'a>> {
        match self.value() {
            DeValue::Table(table) => Some(self.section_of(table)),
            _ => self.refuse("a table"),
        }
    }

    fn section_of(self, table: &'a DeTable<'a>) -> Section<'a> {
        Section {
            table: Some(table),
            path: self.path,
            at: self.value.span().start,
            known: Vec::new(),
            report: self.report,
        }
    }

    /// The elements, where it is an array.
    pub(super) fn elements(&self) -> Option<impl Iterator<Item = Self>> {
        let array = self.value().as_array()?;
        Some(
            array
                .iter()
                .enumerate()
                .map(|(place, value)| self.child(&place.to_string(), value)),
        )
    }

    /// The entries, where it is a table, whatever its keys.
    pub(super) fn entries(&self) -> Option<impl Iterator<Item = (&'a str, Self)>> {
        let table = self.value().as_table()?;
        Some(
            table
                .iter()
                .map(|(key, value)| (key.get_ref().as_ref(), self.child(key.get_ref(), value))),
        )
    }

    fn child(&self, key: &str, value: &'a Spanned<DeValue<'a>>) -> Self {
        Self {
            value,
            path: join(&self.path, key),
            report: self.report,
        }
    }
}

impl<'a> Section<'a> {
    /// The whole file.
    pub(super) fn root(table: &'a DeTable<'a>, report: &'a Report<'a>) -> Self {
        Self {
            table: Some(table),
            path: String::new(),
            at: 0,
            known: Vec::new(),
            report,
        }
    }

    /// The value of a key, if it is there. The key is a known one from now on.
    pub(super) fn item(&mut self, key: &'static str) -> Option<Item<'a>> {
        self.known.push(key);
        let value = self.table?.get(key)?;
        Some(Item {
            value,
            path: join(&self.path, key),
            report: self.report,
        })
    }

    /// The value of a key, read by `kind`; `None` too when it is not there or not good.
    pub(super) fn take<T>(
        &mut self,
        key: &'static str,
        kind: impl FnOnce(Item<'a>) -> Option<T>,
    ) -> Option<T> {
        self.item(key).and_then(kind)
    }

    /// The same for a key that must be there.
    pub(super) fn require<T>(
        &mut self,
        key: &'static str,
        kind: impl FnOnce(Item<'a>) -> Option<T>,
    ) -> Option<T> {
        match self.item(key) {
            Some(item) => kind(item),
            None => self.problem(format!("{key} is missing")),
        }
    }

    /// Replaces `target`, which holds the default, when the key is there.
    pub(super) fn set<T>(
        &mut self,
        key: &'static str,
        target: &mut T,
        kind: impl FnOnce(Item<'a>) -> Option<T>,
    ) {
        if let Some(value) = self.take(key, kind) {
            *target = value;
        }
    }

    /// A table below this one; an empty one if it is not there.
    pub(super) fn section(&mut self, key: &'static str) -> Self {
        let absent = Section {
            table: None,
            path: join(&self.path, key),
            at: self.at,
            known: Vec::new(),
            report: self.report,
        };
        self.take(key, Item::section).unwrap_or(absent)
    }

    /// The tables of an array of tables, at least one; `None` when the key is not there.
    pub(super) fn sections(&mut self, key: &'static str) -> Option<Vec<Self>> {
        let item = self.item(key)?;
        let tables: Vec<_> = item.elements().into_iter().flatten().collect();
        if tables.is_empty() {
            return item.refuse(format!("an array of tables, each written [[{key}]]"));
        }
        Some(tables.into_iter().filter_map(Item::section).collect())
    }

    /// Complains about the section itself.
    pub(super) fn problem<T>(&self, message: String) -> Option<T> {
        self.report.add(self.at, self.path.clone(), message);
        None
    }

    /// Complains when one value is below another that it must hold; about the first key if the file has it.
    pub(super) fn expect_at_least<T: PartialOrd>(
        &self,
        (key, value): (&'static str, T),
        (bound_key, bound): (&'static str, T),
        show: impl Fn(&T) -> String,
    ) {
        let Some(table) = self.table.filter(|_| value < bound) else {
            return;
        };
        let Some((blamed, item)) = [key, bound_key]
            .into_iter()
            .find_map(|key| Some((key, table.get(key)?)))
        else {
            return;
        };
        let message = format!(
            "{key} ({}) must not be less than {bound_key} ({})",
            show(&value),
            show(&bound)
        );
        self.report
            .add(item.span().start, join(&self.path, blamed), message);
    }

    /// Complains about every key that nobody asked for: a misspelt limit must not go unnoticed.
    pub(super) fn finish(self) {
        for key in self.table.into_iter().flat_map(DeTable::keys) {
            if !self.known.contains(&key.get_ref().as_ref()) {
                let message = unknown_key(key.get_ref(), &self.known);
                self.report
                    .add(key.span().start, join(&self.path, key.get_ref()), message);
            }
        }
    }
}

fn unknown_key(key: &str, known: &[&'static str]) -> String {
    let hint = nearest(key, known)
        .map(|near| format!(", did you mean {near}?"))
        .unwrap_or_default();
    format!("unknown key{hint} (allowed here: {})", known.join(", "))
}

/// A dotted path; a key that TOML would want quoted stands in quotes.
fn join(path: &str, key: &str) -> String {
    let bare = (1..=SHOWN_CHARS_MAX).contains(&key.len())
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    let key = if bare { key.to_owned() } else { shortened(key) };
    if path.is_empty() {
        key
    } else {
        format!("{path}.{key}")
    }
}

/// What stands in the file, for a complaint about it.
fn found(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => shortened(text),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(_) => "a boolean".to_owned(),
        DeValue::Datetime(_) => "a date or time".to_owned(),
        DeValue::Array(array) if array.is_empty() => "an empty array".to_owned(),
        DeValue::Array(_) => "an array".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

/// In quotes, escaped, and shortened.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}
