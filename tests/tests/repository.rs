//! Rules about the repository itself, each with the reason why it is worth a test.

use std::fs;
use std::path::{Path, PathBuf};

use hookwire_tests::{guest_names, repository};

/// A file longer than this hides a second noun.
const LINES_MAX: usize = 900;

/// All files below a folder with this extension; what is built or fetched is left out.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("a folder can be read").path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.is_dir() {
            if !name.starts_with('.') && !["target", "node_modules"].contains(&name.as_str()) {
                found.extend(files(&path, extension));
            }
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Lines of code, with their numbers: no comments.
fn code(path: &Path) -> Vec<(usize, String)> {
    let text = read(path);
    let is_code = |line: &str| !line.trim_start().starts_with("//");
    (1..)
        .zip(text.lines())
        .filter(|(_, line)| is_code(line))
        .map(|(at, line)| (at, line.to_owned()))
        .collect()
}

/// The arrows of ARCHITECTURE.md, as far as Cargo can hold them.
#[test]
fn inner_crates_know_neither_runtime_nor_engine() {
    for (manifest, forbidden) in [
        (
            "broker/protocol/Cargo.toml",
            &[
                "tokio",
                "wasmtime",
                "hookwire-hooks",
                "hookwire-plugin-host",
                "tracing",
            ][..],
        ),
        (
            "broker/hooks/Cargo.toml",
            &["tokio", "wasmtime", "hookwire-plugin-host"],
        ),
        ("broker/Cargo.toml", &["wasmtime"]),
        ("plugin-sdk/Cargo.toml", &["tokio", "wasmtime", "hookwire-hooks"]),
    ] {
        let manifest = repository().join(manifest);
        let parsed: toml::Table = read(&manifest).parse().expect("a manifest is TOML");
        let dependencies = parsed.get("dependencies").and_then(toml::Value::as_table);
        let names: Vec<_> = dependencies
            .map(|table| table.keys().cloned().collect())
            .unwrap_or_default();
        for name in &names {
            let is_forbidden = forbidden
                .iter()
                .any(|one| name == one || name.starts_with(&format!("{one}-")));
            assert!(!is_forbidden, "{} depends on {name}", manifest.display());
        }
    }
}

/// … and as far as only reading can: session and router are machines without sockets, tasks or a clock.
#[test]
fn session_and_router_do_no_io() {
    for folder in ["broker/src/session", "broker/src/router"] {
        for file in files(&repository().join(folder), "rs") {
            for (at, line) in code(&file) {
                for forbidden in ["tokio::", "std::net", "std::fs", "std::thread", "clock::now"] {
                    let is_test = file.ends_with("tests.rs")
                        || file.components().any(|part| part.as_os_str() == "tests");
                    assert!(
                        is_test || !line.contains(forbidden),
                        "{}:{at}: {forbidden}",
                        file.display()
                    );
                }
            }
        }
    }
}

/// Only `net` and the start of the process touch sockets.
#[test]
fn sockets_are_opened_in_net_alone() {
    for file in files(&repository().join("broker/src"), "rs") {
        if file.components().any(|part| part.as_os_str() == "net") {
            continue;
        }
        for (at, line) in code(&file) {
            for forbidden in ["TcpListener", "TcpStream", "UdpSocket"] {
                assert!(!line.contains(forbidden), "{}:{at}: {forbidden}", file.display());
            }
        }
    }
}

/// A guest that no test uses shows nothing.
#[test]
fn every_guest_is_used_by_a_test() {
    let tests: String = files(&repository().join("tests/tests"), "rs")
        .iter()
        .map(|file| read(file))
        .collect();
    let names: Vec<_> = guest_names().collect();
    assert!(!names.is_empty());
    for name in names {
        assert!(
            tests.contains(&format!("guest(\"{name}\")")),
            "no test uses tests/guests/{name}"
        );
    }
}

/// The WIT folder is the reference of those who write plugins. What an interface with one function is about is what the function is about.
#[test]
fn every_interface_and_function_of_the_contract_is_explained() {
    let mut missing = Vec::new();
    for file in files(&repository().join("wit"), "wit") {
        let text = read(&file);
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        let functions_below = |at: usize| {
            let body = lines[at..]
                .iter()
                .skip(1)
                .take_while(|line| !line.starts_with("interface "));
            body.filter(|line| line.contains(": func(")).count()
        };
        let mut is_only_one = false;
        for (at, line) in lines.iter().enumerate() {
            let is_interface = line.starts_with("interface ");
            if is_interface {
                is_only_one = functions_below(at) == 1;
            }
            let needs = is_interface || (line.contains(": func(") && !is_only_one);
            let is_explained = at > 0 && lines[at - 1].starts_with("///");
            if needs && !is_explained {
                missing.push(format!("{}:{}: {line}", file.display(), at + 1));
            }
        }
    }
    assert!(
        missing.is_empty(),
        "without a doc comment:\n{}",
        missing.join("\n")
    );
}

#[test]
fn no_file_hides_a_second_noun() {
    for folder in ["broker", "plugin-sdk", "plugins", "tests"] {
        for file in files(&repository().join(folder), "rs") {
            let lines = read(&file).lines().count();
            assert!(lines <= LINES_MAX, "{} has {lines} lines", file.display());
        }
    }
}

/// Tests wait for events, and all of them run.
#[test]
fn tests_neither_sleep_nor_are_left_out() {
    let forbidden = [
        ["thread::", "sleep"].concat(),
        ["#[ig", "nore"].concat(),
        ["Instant::", "now"].concat(),
    ];
    let folders = ["tests/src", "tests/tests"].map(|folder| repository().join(folder));
    for file in folders.iter().flat_map(|folder| files(folder, "rs")) {
        for (at, line) in code(&file) {
            for forbidden in &forbidden {
                assert!(
                    !line.contains(forbidden.as_str()),
                    "{}:{at}: {forbidden}",
                    file.display()
                );
            }
        }
    }
}

/// Each hook has a page of the reference, with an example that the documentation tests of the SDK compile.
#[test]
fn every_hook_has_a_page_with_an_example_that_is_compiled() {
    let named = read(&repository().join("plugin-sdk/src/pages.rs"));
    let pages = files(&repository().join("docs/plugins/hooks"), "md");
    for page in &pages {
        let name = page.file_name().unwrap_or_default().to_string_lossy();
        assert!(read(page).contains("```rust\n"), "{name} has no example");
        assert!(
            named.contains(&format!("\"hooks/{name}\"")),
            "the example of {name} is not compiled"
        );
    }
    let all: String = pages.iter().map(|page| read(page)).collect();
    let chain = read(&repository().join("docs/plugins/chain.md"));
    let rows = chain
        .lines()
        .skip_while(|line| !line.starts_with("| hook |"))
        .skip(2);
    let hooks: Vec<_> = rows
        .take_while(|line| line.starts_with("| "))
        .filter_map(|line| line.split('|').nth(1).map(str::trim))
        .collect();
    assert_eq!(hooks.len(), 11, "{hooks:?}");
    for hook in hooks {
        let heads: Vec<_> = all.lines().filter(|line| line.starts_with("# ")).collect();
        assert!(
            heads.iter().any(|head| head.split(' ').any(|word| word == hook)),
            "no page about {hook}"
        );
    }
}

/// What stands in the chain in a plugin's place hands everything on, methods with a default too, which the compiler would not
/// miss.
#[test]
fn a_watched_plugin_is_asked_all_that_the_plugin_would_be() {
    let contract = read(&repository().join("broker/hooks/src/plugin.rs"));
    let (_, body) = contract
        .split_once("pub trait Plugin")
        .expect("there is the trait");
    let stand_in = read(&repository().join("broker/src/watch/plugin.rs"));
    let (_, stand_in) = stand_in
        .split_once("impl Plugin for WatchedPlugin")
        .expect("it is a plugin");
    let methods: Vec<_> = body
        .lines()
        .take_while(|line| *line != "}")
        .filter_map(|line| line.strip_prefix("    fn ")?.split('(').next())
        .collect();
    assert!(methods.len() > 20, "{methods:?}");
    for method in methods {
        assert!(
            stand_in.contains(&format!("fn {method}(")),
            "{method} is not handed on"
        );
    }
}

/// A plugin that comes with the broker says what it does.
#[test]
fn every_bundled_plugin_has_a_page() {
    for entry in fs::read_dir(repository().join("plugins")).expect("there are plugins") {
        let folder = entry.expect("a folder can be read").path();
        if folder.join("Cargo.toml").exists() {
            let page = read(&folder.join("README.md"));
            assert!(
                page.contains("[plugin.config]"),
                "{} shows no configuration",
                folder.display()
            );
        }
    }
}

/// The SDK's documentation tests compile and run the examples of the pages that it names.
#[test]
fn every_example_for_authors_is_compiled() {
    let named = read(&repository().join("plugin-sdk/src/pages.rs"));
    let entries = fs::read_dir(repository().join("docs/plugins")).expect("there are pages for authors");
    for entry in entries {
        let page = entry.expect("a folder can be read").path();
        if page.is_file() && read(&page).contains("```rust") {
            let name = page
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            assert!(
                named.contains(&format!("\"{name}\"")),
                "plugin-sdk/src/pages.rs does not name {name}"
            );
        }
    }
}

/// The clock that people set may jump by a year. Sessions, wills, messages and bans go by one that does not; the other is looked
/// at in one file, for what is stored and shown.
#[test]
fn only_the_clock_asks_what_time_it_is() {
    let asks = |path: &PathBuf| {
        code(path)
            .iter()
            .any(|(_, line)| line.contains("SystemTime::now"))
    };
    let asking: Vec<_> = files(&repository().join("broker"), "rs")
        .into_iter()
        .filter(asks)
        .collect();
    let clocks = ["broker/plugin/src/clock.rs", "broker/src/clock.rs"].map(|file| repository().join(file));
    assert_eq!(
        asking.iter().collect::<std::collections::BTreeSet<_>>(),
        clocks.iter().collect()
    );
}
