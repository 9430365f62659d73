//! Builds the guests in `tests/guests`, all of them in one call of cargo, and tells the harness where they are.

use std::path::{Path, PathBuf};
use std::{env, fs};

use hookwire_plugin_build::Bundle;

fn main() {
    let root = Path::new(&variable("CARGO_MANIFEST_DIR")).join("..");
    let guests_dir = guests_dir(Path::new(&variable("OUT_DIR")));
    for watched in ["tests/guests", "plugin-sdk", "wit", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", root.join(watched).display());
    }
    let guests = guests(&root.join("tests/guests"));
    let packages = guests.iter().map(|(_, package)| package);
    let bundle = Bundle::new(&root, &guests_dir, packages).expect("the tests lie in their workspace");
    if let Err(why) = bundle.build() {
        panic!("the guests of the tests do not build: {why}");
    }
    let list: Vec<_> = guests
        .iter()
        .map(|(folder, package)| format!("{folder}={package}"))
        .collect();
    println!("cargo::rustc-env=HOOKWIRE_GUESTS={}", list.join(";"));
    println!(
        "cargo::rustc-env=HOOKWIRE_GUESTS_DIR={}",
        bundle.folder().display()
    );
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"))
}

/// As the broker's build script has it, so that what all plugins are made of is built once.
fn guests_dir(out: &Path) -> PathBuf {
    out.ancestors()
        .nth(4)
        .expect("OUT_DIR lies four levels below the target directory")
        .join("guests")
}

/// Folder and package of each guest.
fn guests(folder: &Path) -> Vec<(String, String)> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut guests: Vec<_> = entries
        .filter_map(|entry| {
            let path = entry.expect("tests/guests can be read").path();
            let manifest = fs::read_to_string(path.join("Cargo.toml")).ok()?;
            let name = manifest.lines().find_map(|line| line.strip_prefix("name = "))?;
            let folder = path.file_name()?.to_str()?.to_owned();
            Some((folder, name.trim().trim_matches('"').to_owned()))
        })
        .collect();
    guests.sort();
    guests
}
