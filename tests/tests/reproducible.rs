//! The plugins that come with the broker are the same bytes wherever they are built.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use hookwire_tests::{guest, hookwire, repository};
use sha2::{Digest, Sha256};

const PAGE: &str = "docs/plugins/loading.md";

/// What is no source.
const LEFT_OUT: [&str; 3] = ["target", ".git", "node_modules"];

/// The same folder in each run: what the plugins are made of is built there once.
fn elsewhere() -> PathBuf {
    let profile = hookwire().parent().expect("a file lies in a folder").to_owned();
    profile
        .parent()
        .expect("a folder lies in a folder")
        .join("elsewhere")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder can be made");
    for entry in fs::read_dir(from).expect("the repository can be read") {
        let (name, path) = entry
            .map(|entry| (entry.file_name(), entry.path()))
            .expect("the repository can be read");
        if LEFT_OUT.iter().any(|left_out| name == *left_out) {
            continue;
        }
        let to = to.join(name);
        if path.is_symlink() {
            let leads_to = fs::read_link(&path).expect("a link can be read");
            symlink(leads_to, to).expect("a link can be made");
        } else if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, &to).expect("a file can be copied");
        }
    }
}

/// The command of the page, which prints digests and names.
fn command() -> String {
    let page = fs::read_to_string(repository().join(PAGE)).expect("there is the page");
    let behind = page.split("<!-- step: digests -->\n```sh\n").nth(1);
    let command = behind.and_then(|behind| behind.split("\n```").next());
    command.expect("the page has the command").to_owned()
}

/// What the folder of cargo has, under another name.
fn cargo_home() -> PathBuf {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    let other = elsewhere().join("home");
    fs::create_dir_all(&other).expect("a folder can be made");
    for part in ["registry", "git"] {
        let part_of_home = home.as_ref().expect("there is a home").join(part);
        if part_of_home.exists() {
            symlink(part_of_home, other.join(part)).expect("a link can be made");
        }
    }
    other
}

fn digest(component: &Path) -> String {
    let bytes = fs::read(component).unwrap_or_else(|error| panic!("{}: {error}", component.display()));
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Requirement 67: another checkout, another folder for what is built, another home of cargo.
#[test]
fn the_bundled_plugins_are_the_same_wherever_they_are_built() {
    let source = elsewhere().join("source");
    for old in [&source, &elsewhere().join("home")] {
        if old.exists() {
            fs::remove_dir_all(old).expect("what the last run left can be removed");
        }
    }
    copy(&repository(), &source);
    let built = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &command()])
        .current_dir(&source)
        .env("CARGO_TARGET_DIR", elsewhere().join("target"))
        .env("CARGO_HOME", cargo_home())
        .env("CARGO_NET_OFFLINE", "true")
        .env_remove("CARGO")
        .output()
        .expect("bash can be run");
    let told = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{told}");
    let printed = String::from_utf8_lossy(&built.stdout);
    // Beside the guests of the tests are those that are in the binary.
    let folder = guest("policy")
        .parent()
        .expect("a file lies in a folder")
        .to_owned();
    let mut compared = 0;
    for line in printed.lines() {
        let (found, name) = line.split_once("  ").expect("a digest and a name");
        let component = folder.join(format!("hookwire_{}.wasm", name.replace('-', "_")));
        assert_eq!(found, digest(&component), "{name} is another one elsewhere");
        compared += 1;
    }
    let plugins = fs::read_dir(repository().join("plugins")).expect("there are plugins");
    let crates = plugins.filter(|entry| {
        let entry = entry.as_ref().expect("there are plugins");
        entry.path().join("Cargo.toml").exists()
    });
    assert_eq!(compared, crates.count(), "{printed}");
}
