//! Keeps the tables of `tests/conformance`, `tests/threats` and `tests/requirements` whole: every row names tests that exist, or says why not.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use hookwire_tests::repository;
use toml::{Table, Value};

/// Sections of MQTT 5.0 with numbered statements, and the number of the last one.
const V5: &[(&str, u32)] = &[
    ("1.5.4", 3),
    ("1.5.5", 1),
    ("1.5.7", 1),
    ("2.1.3", 1),
    ("2.2.1", 6),
    ("2.2.2", 1),
    ("3.1.0", 2),
    ("3.1.2", 30),
    ("3.1.3", 12),
    ("3.1.4", 6),
    ("3.2.0", 2),
    ("3.2.2", 22),
    ("3.3.1", 13),
    ("3.3.2", 20),
    ("3.3.4", 10),
    ("3.4.2", 3),
    ("3.5.2", 3),
    ("3.6.1", 1),
    ("3.6.2", 3),
    ("3.7.2", 3),
    ("3.8.1", 1),
    ("3.8.3", 5),
    ("3.8.4", 8),
    ("3.9.2", 2),
    ("3.9.3", 2),
    ("3.10.1", 1),
    ("3.10.3", 2),
    ("3.10.4", 6),
    ("3.11.2", 2),
    ("3.11.3", 2),
    ("3.12.4", 1),
    ("3.14.0", 1),
    ("3.14.1", 1),
    ("3.14.2", 4),
    ("3.14.4", 3),
    ("3.15.1", 1),
    ("3.15.2", 3),
    ("4.1.0", 2),
    ("4.2.0", 1),
    ("4.3.1", 1),
    ("4.3.2", 5),
    ("4.3.3", 13),
    ("4.4.0", 2),
    ("4.5.0", 2),
    ("4.6.0", 6),
    ("4.7.0", 1),
    ("4.7.1", 2),
    ("4.7.2", 1),
    ("4.7.3", 4),
    ("4.8.2", 6),
    ("4.9.0", 3),
    ("4.12.0", 7),
    ("4.12.1", 2),
    ("4.13.1", 1),
    ("4.13.2", 1),
    ("6.0.0", 4),
];

/// The same of MQTT 3.1.1.
const V3_1_1: &[(&str, u32)] = &[
    ("1.5.3", 3),
    ("2.2.2", 2),
    ("2.3.1", 7),
    ("3.1.0", 2),
    ("3.1.2", 24),
    ("3.1.3", 11),
    ("3.1.4", 5),
    ("3.2.0", 1),
    ("3.2.2", 6),
    ("3.3.1", 12),
    ("3.3.2", 3),
    ("3.3.4", 1),
    ("3.3.5", 2),
    ("3.6.1", 1),
    ("3.8.1", 1),
    ("3.8.3", 4),
    ("3.8.4", 6),
    ("3.9.3", 2),
    ("3.10.1", 1),
    ("3.10.3", 2),
    ("3.10.4", 6),
    ("3.12.4", 1),
    ("3.14.1", 1),
    ("3.14.4", 3),
    ("4.1.0", 2),
    ("4.3.1", 1),
    ("4.3.2", 2),
    ("4.3.3", 2),
    ("4.4.0", 1),
    ("4.5.0", 2),
    ("4.6.0", 6),
    ("4.7.1", 3),
    ("4.7.2", 1),
    ("4.7.3", 4),
    ("4.8.0", 2),
    ("6.0.0", 4),
    ("7.0.0", 2),
    ("7.1.1", 1),
    ("7.1.2", 1),
];

/// The document numbers from 2 there.
const NOT_IN_V5: &str = "MQTT-2.2.1-1";

/// Requirements of the plugin system.
const REQUIREMENTS: u32 = 67;

/// Cases of each class of threats.
const CLASSES: [(u32, u32); 12] = [
    (1, 15),
    (2, 10),
    (3, 13),
    (4, 6),
    (5, 8),
    (6, 9),
    (7, 10),
    (8, 12),
    (9, 8),
    (11, 18),
    (12, 6),
    (13, 7),
];

fn rows(file: &str, kind: &str) -> Vec<Table> {
    let text = fs::read_to_string(repository().join(file)).expect("the table can be read");
    let mut table: Table = toml::from_str(&text).expect("the table is TOML");
    let rows = table.remove(kind).and_then(|rows| rows.try_into().ok());
    rows.unwrap_or_else(|| panic!("{file} has rows named {kind}"))
}

fn text<'a>(row: &'a Table, key: &str) -> Option<&'a str> {
    row.get(key)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
}

/// Each row says something, and has either tests that exist or a reason.
fn are_sound(file: &str, rows: &[Table], id: &str, reason: &str) {
    for row in rows {
        let name = text(row, id).unwrap_or_else(|| panic!("{file}: a row without {id}: {row:?}"));
        assert!(text(row, "says").is_some(), "{file}: {name} says nothing");
        let tests: Vec<&str> = match row.get("tests") {
            Some(tests) => tests
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect(),
            None => Vec::new(),
        };
        let has_reason = text(row, reason).is_some();
        assert!(
            tests.is_empty() == has_reason,
            "{file}: {name} needs either tests or {reason}"
        );
        for test in tests {
            assert!(exists(test), "{file}: {name}: there is no test {test}");
        }
    }
}

/// `conformance::packets::name` is a test in `tests/tests/conformance/packets.rs`; a path that begins with a folder of the
/// repository starts there. Names of inner modules may follow the file's.
fn exists(test: &str) -> bool {
    let Some((modules, name)) = test.rsplit_once("::") else {
        return false;
    };
    let mut path = modules.replace("::", "/");
    loop {
        for folder in ["tests/tests", ""] {
            let file = repository().join(folder).join(format!("{path}.rs"));
            if file.exists() {
                return has_test(&file, name);
            }
        }
        match path.rsplit_once('/') {
            Some((outer, _)) => path = outer.to_owned(),
            None => return false,
        }
    }
}

fn has_test(file: &Path, name: &str) -> bool {
    let source = fs::read_to_string(file).expect("a source file can be read");
    let Some(at) = source.find(&format!("fn {name}(")) else {
        return false;
    };
    let before: Vec<&str> = source[..at].lines().rev().take(4).collect();
    before
        .iter()
        .any(|line| line.contains("test]") || line.contains("::test("))
}

/// Each statement once, in the order of the document, none left out.
fn is_complete(file: &str, rows: &[Table], sections: &[(&str, u32)]) {
    let ids: Vec<_> = rows.iter().filter_map(|row| text(row, "id")).collect();
    let expected = sections
        .iter()
        .flat_map(|(section, last)| (1..=*last).map(move |number| format!("MQTT-{section}-{number}")));
    let expected: Vec<_> = expected.filter(|id| sections != V5 || id != NOT_IN_V5).collect();
    assert_eq!(ids, expected, "{file}");
}

#[test]
fn every_statement_of_mqtt_5_has_its_tests() {
    let file = "tests/conformance/v5.toml";
    let rows = rows(file, "statement");
    are_sound(file, &rows, "id", "untestable");
    is_complete(file, &rows, V5);
}

#[test]
fn every_statement_of_mqtt_3_1_1_has_its_tests() {
    let file = "tests/conformance/v3_1_1.toml";
    let rows = rows(file, "statement");
    are_sound(file, &rows, "id", "untestable");
    is_complete(file, &rows, V3_1_1);
}

#[test]
fn every_threat_has_its_tests() {
    let file = "tests/threats/cases.toml";
    let rows = rows(file, "case");
    are_sound(file, &rows, "number", "elsewhere");
    let numbers: Vec<_> = rows.iter().filter_map(|row| text(row, "number")).collect();
    let expected = CLASSES
        .iter()
        .flat_map(|(class, cases)| (1..=*cases).map(move |case| format!("{class}.{case}")));
    assert_eq!(numbers, expected.collect::<Vec<_>>());
    let distinct: BTreeSet<_> = numbers.iter().collect();
    assert_eq!(distinct.len(), numbers.len());
}

#[test]
fn every_requirement_of_the_plugin_system_has_its_tests() {
    let file = "tests/requirements/plugins.toml";
    let rows = rows(file, "requirement");
    are_sound(file, &rows, "number", "open");
    let numbers: Vec<_> = rows.iter().filter_map(|row| text(row, "number")).collect();
    let expected: Vec<_> = (1..=REQUIREMENTS).map(|number| number.to_string()).collect();
    assert_eq!(numbers, expected, "{file}");
}

/// A name in a table that is misspelt must not go unnoticed.
#[test]
fn tests_that_do_not_exist_are_found_out() {
    assert!(exists("tables::tests_that_do_not_exist_are_found_out"));
    assert!(!exists("tables::tests_that_do_not_exist"));
    assert!(!exists("nowhere::at_all"));
    assert!(!exists("tables::has_test"), "a function that is no test");
}
