//! Problems that are found after the file was read, by a plugin in its own table for example, and the lines
//! that they are about.

use std::fs;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::problem::ConfigError;
use super::report::Report;

impl ConfigError {
    /// An error about keys of `file`, each with its message. A key that is not in the file is blamed on the
    /// nearest table around it.
    pub fn about(file: &Path, faults: impl IntoIterator<Item = (String, String)>) -> Self {
        let text = fs::read_to_string(file).unwrap_or_default();
        let report = Report::new(&text);
        for (key, message) in faults {
            report.add(place_of(&text, &key), key, message);
        }
        Self {
            file: Some(file.to_owned()),
            problems: report.into_problems(),
        }
    }
}

/// Where the value of a dotted key begins, or the innermost table or array on the way to it.
fn place_of(text: &str, key: &str) -> usize {
    let Ok(root) = DeTable::parse(text) else { return 0 };
    let mut levels = key.split('.');
    let Some(mut here) = levels.next().and_then(|level| root.get_ref().get(level)) else {
        return 0;
    };
    for level in levels {
        let next = match here.get_ref() {
            DeValue::Table(table) => table.get(level),
            DeValue::Array(items) => level.parse::<usize>().ok().and_then(|at| items.get(at)),
            _ => None,
        };
        match next {
            Some(next) => here = next,
            None => break,
        }
    }
    here.span().start
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_in_tables_arrays_and_inline_tables() {
        let text = "a = 1\n[[plugin]]\nname = \"x\"\n[[plugin]]\nname = \"y\"\n[plugin.config]\nrules = [\n  { topic = \"t\" },\n  { topic = 5 },\n]\n";
        let line = |key| text[..place_of(text, key)].matches('\n').count() + 1;
        assert_eq!(line("a"), 1);
        assert_eq!(line("plugin.1.name"), 5);
        assert_eq!(line("plugin.1.config.rules.1.topic"), 9);
        assert_eq!(line("plugin.1.config.missing"), 6);
        assert_eq!(line("nowhere"), 1);
    }
}
