//! A reader of Prometheus' text format that takes nothing that the format does not allow.

use std::collections::{BTreeMap, BTreeSet};

/// Every series by its name with its labels in order, and its value.
pub(crate) type Series = BTreeMap<String, f64>;

struct Family<'t> {
    name: &'t str,
    kind: &'t str,
}

/// Reads all of a text, or fails the test.
#[track_caller]
pub(crate) fn read(text: &str) -> Series {
    assert!(text.ends_with('\n'), "the last line has no end");
    let mut series = Series::new();
    let mut families = BTreeSet::new();
    let mut helped = None;
    let mut family: Option<Family<'_>> = None;
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').unwrap_or((help, ""));
            assert!(is_name(name) && name.starts_with("hookwire_"), "{line}");
            assert!(!help.is_empty(), "no help: {line}");
            assert!(families.insert(name), "a second time: {line}");
            (helped, family) = (Some(name), None);
        } else if let Some(declared) = line.strip_prefix("# TYPE ") {
            let (name, kind) = declared.split_once(' ').unwrap_or((declared, ""));
            assert_eq!(helped, Some(name), "help and type belong together: {line}");
            assert!(
                ["counter", "gauge", "summary", "histogram"].contains(&kind),
                "{line}"
            );
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            family = Some(Family { name, kind });
        } else {
            let family = family
                .as_ref()
                .unwrap_or_else(|| panic!("a sample of no family: {line}"));
            let (key, value) = sample(line, family);
            assert!(series.insert(key, value).is_none(), "a series twice: {line}");
        }
    }
    series
}

fn sample(line: &str, family: &Family<'_>) -> (String, f64) {
    let end = line
        .find(['{', ' '])
        .unwrap_or_else(|| panic!("no value: {line}"));
    let (name, rest) = line.split_at(end);
    let suffix = name.strip_prefix(family.name);
    let suffixes: &[&str] = match family.kind {
        "summary" => &["_sum", "_count", ""],
        "histogram" => &["_sum", "_count", "_bucket"],
        _ => &[""],
    };
    assert!(
        suffix.is_some_and(|suffix| suffixes.contains(&suffix)),
        "not of the family {}: {line}",
        family.name
    );
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(inside) => labels(inside, line),
        None => (Vec::new(), rest),
    };
    let value = rest
        .strip_prefix(' ')
        .unwrap_or_else(|| panic!("no space: {line}"));
    let value = match value {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        "NaN" => f64::NAN,
        number => number.parse().unwrap_or_else(|error| panic!("{error}: {line}")),
    };
    assert!(
        family.kind != "counter" || value >= 0.0,
        "a counter below zero: {line}"
    );
    let labels: Vec<_> = labels
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    (
        format!("{name} {}", labels.join(" ")).trim_end().to_owned(),
        value,
    )
}

/// The labels, and what follows the closing brace.
fn labels<'l>(mut rest: &'l str, line: &str) -> (Vec<(String, String)>, &'l str) {
    let mut labels = Vec::new();
    loop {
        let (name, after) = rest
            .split_once("=\"")
            .unwrap_or_else(|| panic!("no label: {line}"));
        assert!(
            is_name(name) && !name.contains(':'),
            "{name:?} is no label: {line}"
        );
        let (value, after) = quoted(after, line);
        assert!(
            labels.iter().all(|(other, _)| other != name),
            "a label twice: {line}"
        );
        labels.push((name.to_owned(), value));
        match after.split_at(1) {
            (",", after) => rest = after,
            ("}", after) => return (labels, after),
            _ => panic!("neither , nor }}: {line}"),
        }
    }
}

/// A value up to its closing quote, and what follows that.
fn quoted<'v>(text: &'v str, line: &str) -> (String, &'v str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return (value, &text[at + 1..]),
            '\\' => value.push(match chars.next().map(|(_, escaped)| escaped) {
                Some('n') => '\n',
                Some(plain @ ('\\' | '"')) => plain,
                other => panic!("{other:?} is no escape: {line}"),
            }),
            other => value.push(other),
        }
    }
    panic!("no closing quote: {line}")
}

fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_' || first == ':')
        && name
            .chars()
            .all(|char| char.is_ascii_alphanumeric() || char == '_' || char == ':')
}
