//! Holds `docs/configuration.md` and `deploy/hookwire.toml` to the code.

use std::collections::BTreeSet;

use super::super::Config;
use super::{Folder, parse};

const REFERENCE: &str = include_str!("../../../../docs/configuration.md");
const DEPLOYED: &str = include_str!("../../../../deploy/hookwire.toml");

/// A row of the reference: the heading above it, its key and its default.
struct Row {
    section: &'static str,
    key: &'static str,
    default: Option<&'static str>,
}

fn rows() -> Vec<Row> {
    let mut section = "";
    let mut rows = Vec::new();
    for line in REFERENCE.lines() {
        if let Some(heading) = line.strip_prefix("##") {
            section = heading.trim_matches(['#', ' ', '`']);
        } else if let Some((key, rest)) = line.strip_prefix("| `").and_then(|row| row.split_once("` | ")) {
            let default = rest
                .strip_prefix('`')
                .and_then(|rest| rest.split_once('`'))
                .map(|(default, _)| default);
            rows.push(Row {
                section,
                key,
                default,
            });
        }
    }
    rows
}

fn example() -> &'static str {
    let (_, rest) = REFERENCE.split_once("```toml\n").unwrap();
    rest.split_once("```").unwrap().0
}

fn example_folder() -> Folder {
    Folder::new()
        .with("passwords.txt", "ada:…")
        .with("admin-token.txt", "0123456789abcdef\n")
        .with("plugins/alerts.wasm", "")
        .with("our-ca.pem", "")
        .with("alerts.key", "s3cret\n")
}

/// The keys that the reader knows, as its complaint about an unknown one lists them.
fn known_keys(section: &str) -> BTreeSet<String> {
    let text = match section {
        "Top level" => "zzzzz = 1".to_owned(),
        "grant.http" => {
            "[[plugin]]\nname = \"a\"\nbundled = \"acl\"\ngrant.http = { hosts = [\"http://h\"], zzzzz = 1 }"
                .to_owned()
        }
        "grant" => "[[plugin]]\nname = \"a\"\nbundled = \"acl\"\ngrant.zzzzz = 1".to_owned(),
        "breaker" => "[[plugin]]\nname = \"a\"\nbundled = \"acl\"\nbreaker.zzzzz = 1".to_owned(),
        "[[listener]]" => "[[listener]]\nname = \"a\"\naddress = \"[::1]:1\"\nzzzzz = 1".to_owned(),
        "[[plugin]]" => "[[plugin]]\nname = \"a\"\nbundled = \"acl\"\nzzzzz = 1".to_owned(),
        _ => format!("{section}\nzzzzz = 1"),
    };
    let error = parse(&text).unwrap_err();
    let (_, list) = error.problems[0].message.split_once("allowed here: ").unwrap();
    list.trim_end_matches(')')
        .split(", ")
        .map(str::to_owned)
        .collect()
}

const SECTIONS: [&str; 16] = [
    "Top level",
    "[store]",
    "[[listener]]",
    "[limits]",
    "[session]",
    "[takeover]",
    "[ban]",
    "[flapping]",
    "[redirect]",
    "[authorization]",
    "[admin]",
    "[plugins]",
    "[[plugin]]",
    "breaker",
    "grant",
    "grant.http",
];

#[test]
fn the_reference_has_a_row_for_every_key() {
    for section in SECTIONS {
        let mut known = known_keys(section);
        // These have sections of their own; the keys of `secrets` are whatever names the operator likes.
        known.retain(|key| {
            section != "Top level"
                || key != "secrets" && !SECTIONS.iter().any(|s| s.trim_matches(['[', ']']) == key)
        });
        let documented = rows().into_iter().filter(|row| row.section == section);
        let documented: BTreeSet<_> = documented.map(|row| row.key.to_owned()).collect();
        assert_eq!(documented, known, "{section}");
    }
    let sections: BTreeSet<_> = rows().into_iter().map(|row| row.section).collect();
    assert_eq!(sections, BTreeSet::from(SECTIONS));
}

#[test]
fn the_defaults_of_the_reference_are_the_defaults() {
    let assignments = |section| {
        let rows = rows().into_iter().filter(move |row| row.section == section);
        let lines = rows.filter_map(|row| Some(format!("{} = {}\n", row.key, row.default?)));
        lines.collect::<String>()
    };
    let mut text = assignments("Top level");
    for section in [
        "[store]",
        "[limits]",
        "[session]",
        "[takeover]",
        "[ban]",
        "[flapping]",
        "[redirect]",
        "[admin]",
        "[plugins]",
    ] {
        text += &format!("{section}\n{}", assignments(section));
    }
    assert_eq!(parse(&text), Ok(Config::default()));

    let plugin = "[[plugin]]\nname = \"a\"\nbundled = \"acl\"\n";
    let written = format!(
        "{plugin}{}[plugin.breaker]\n{}[plugin.grant]\n{}",
        assignments("[[plugin]]"),
        assignments("breaker"),
        assignments("grant")
    );
    let http = |keys: &str| format!("{plugin}[plugin.grant.http]\nhosts = [\"http://h\"]\n{keys}");
    assert_eq!(parse(&http(&assignments("grant.http"))), parse(&http("")));
    assert_eq!(parse(&written), parse(plugin));

    let listener = "[[listener]]\nname = \"a\"\naddress = \"[::1]:1\"\n";
    assert_eq!(
        parse(&format!("{listener}{}", assignments("[[listener]]"))),
        parse(listener)
    );
}

#[test]
fn the_example_has_every_key_and_is_good() {
    example_folder().parse(example()).unwrap();
    for Row { section, key, .. } in rows() {
        let found = example()
            .lines()
            .any(|line| line.contains(&format!("{key} = ")) || line.ends_with(&format!(".{key}]")));
        assert!(found, "{section} {key}");
    }
}

#[test]
fn the_deployed_file_is_good() {
    let config = parse(DEPLOYED).unwrap();
    assert_eq!(config.check_exposure(&[]), Ok(()));
    assert!(config.listeners[0].admits_anonymous(false));
    assert_eq!(config.plugins.len(), 1);
}

/// So that what is commented out there works too when somebody takes the `#` away.
#[test]
fn the_deployed_file_is_good_with_its_comments() {
    let commented = DEPLOYED
        .lines()
        .skip_while(|line| !line.starts_with("# [[plugin]]"));
    let uncommented = commented.filter_map(|line| {
        line.strip_prefix("# ")
            .filter(|line| line.contains(" = ") || line.starts_with('['))
    });
    let text = format!("{DEPLOYED}\n{}", uncommented.collect::<Vec<_>>().join("\n"));
    let config = example_folder().parse(&text).unwrap();
    let names: Vec<_> = config
        .plugins
        .iter()
        .map(|plugin| plugin.spec.name.as_str())
        .collect();
    assert_eq!(names, ["acl", "passwords", "wills"]);
}
