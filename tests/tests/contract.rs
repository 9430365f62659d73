//! What was released of the contract stays as it is, and plugins that were built for it go on working.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hookwire_tests::{hookwire, repository};
use sha2::{Digest, Sha256};

/// `tests/contract/released.toml`
fn released() -> Vec<(String, String)> {
    let file = repository().join("tests/contract/released.toml");
    let text = fs::read_to_string(&file).expect("the list of released versions can be read");
    let list: toml::Table = text.parse().expect("the list of released versions is TOML");
    let versions = list.get("released").and_then(toml::Value::as_array);
    let text = |version: &toml::Value, key: &str| {
        let text = version.get(key).and_then(toml::Value::as_str);
        text.unwrap_or_else(|| panic!("{}: a version without {key}", file.display()))
            .to_owned()
    };
    let versions = versions.into_iter().flatten();
    versions
        .map(|version| (text(version, "version"), text(version, "sha256")))
        .collect()
}

fn sorted(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("a folder can be read").path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    files
}

/// One digest of names and contents of all WIT files.
fn digest(wit: &Path) -> String {
    let mut hasher = Sha256::new();
    for file in sorted(wit, "wit") {
        let name = file.file_name().unwrap_or_default().as_encoded_bytes().to_owned();
        let content = fs::read(&file).expect("a WIT file can be read");
        for part in [name, content] {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
    }
    hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The version in `package hookwire:plugin@0.1.0;`.
fn version(wit: &Path) -> String {
    let text = fs::read_to_string(wit.join("types.wit")).expect("types.wit can be read");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("package hookwire:plugin@"));
    line.expect("types.wit names the package")
        .trim_end_matches(';')
        .to_owned()
}

/// Why the folder is not what was released under its version.
fn change(wit: &Path, released: &[(String, String)]) -> Option<String> {
    let (version, digest) = (version(wit), digest(wit));
    let known = released.iter().find(|(released, _)| *released == version);
    let (_, frozen) = known.filter(|(_, frozen)| *frozen != digest)?;
    Some(format!(
        "wit/ has changed since {version} was released (sha256 {digest}, released {frozen}): additions need a new version, \
         anything else a new interface"
    ))
}

#[test]
fn a_released_contract_does_not_change() {
    assert_eq!(change(&repository().join("wit"), &released()), None);
}

/// The test above has nothing to say before there is a release, so it has to be shown that it will.
#[test]
fn a_change_of_a_released_contract_is_noticed() {
    let wit = tempfile::tempdir().expect("a temporary folder can be made");
    for file in sorted(&repository().join("wit"), "wit") {
        let name = file.file_name().expect("a file has a name");
        fs::copy(&file, wit.path().join(name)).expect("a file can be copied");
    }
    let frozen = [(version(wit.path()), digest(wit.path()))];
    assert_eq!(change(wit.path(), &frozen), None);
    fs::write(wit.path().join("types.wit"), "package hookwire:plugin@0.1.0;\n")
        .expect("a file can be written");
    assert!(change(wit.path(), &frozen).is_some_and(|why| why.contains("has changed since 0.1.0")));
    fs::write(wit.path().join("types.wit"), "package hookwire:plugin@0.1.1;\n")
        .expect("a file can be written");
    assert_eq!(change(wit.path(), &frozen), None);
}

/// Components that were built with released SDKs, each with its cases: `tests/contract/VERSION/NAME.wasm` and `NAME.toml`.
#[test]
fn plugins_of_released_versions_go_on_working() {
    for (version, _) in released() {
        let folder = repository().join("tests/contract").join(&version);
        let components = sorted(&folder, "wasm");
        assert!(!components.is_empty(), "no plugin was kept of {version}");
        for component in components {
            let output = Command::new(hookwire())
                .args(["plugin", "test"])
                .args([&component, &component.with_extension("toml")])
                .output()
                .expect("hookwire can be run");
            assert!(
                output.status.success(),
                "{}: {}",
                component.display(),
                String::from_utf8_lossy(&output.stdout)
            );
        }
    }
}
