//! Builds the guests in `tests/guests`, all of them in one call of cargo, and tells the harness where they are.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn main() {
    let root = Path::new(&variable("CARGO_MANIFEST_DIR")).join("..");
    let guests_dir = guests_dir(Path::new(&variable("OUT_DIR")));
    for watched in ["tests/guests", "plugin-sdk", "wit", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", root.join(watched).display());
    }
    let guests = guests(&root.join("tests/guests"));
    if !guests.is_empty() {
        require_target();
        build(&root, &guests_dir, &guests);
    }
    let list: Vec<_> = guests
        .iter()
        .map(|(folder, package)| format!("{folder}={package}"))
        .collect();
    println!("cargo::rustc-env=HOOKWIRE_GUESTS={}", list.join(";"));
    println!(
        "cargo::rustc-env=HOOKWIRE_GUESTS_DIR={}",
        guests_dir.join("wasm32-wasip2/plugin").display()
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

fn require_target() {
    let libraries = Command::new(variable("RUSTC"))
        .args(["--print", "target-libdir", "--target", "wasm32-wasip2"])
        .output()
        .map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    assert!(
        libraries.is_ok_and(|path| path.is_dir()),
        "the guests are built for wasm32-wasip2, which this toolchain lacks; run: rustup target add wasm32-wasip2"
    );
}

fn build(root: &Path, target_dir: &Path, guests: &[(String, String)]) {
    let mut cargo = Command::new(variable("CARGO"));
    cargo.current_dir(root).args([
        "build",
        "--profile",
        "plugin",
        "--target",
        "wasm32-wasip2",
        "--target-dir",
    ]);
    cargo.arg(target_dir);
    for (_, package) in guests {
        cargo.args(["--package", package]);
    }
    // What is set for the tests' own build (wrappers of clippy, flags of coverage) is not for the guests.
    for name in [
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "CARGO_ENCODED_RUSTFLAGS",
        "RUSTFLAGS",
        "CARGO_TARGET_DIR",
    ] {
        cargo.env_remove(name);
    }
    let status = cargo.status().expect("cargo starts");
    assert!(status.success(), "the guests of the tests do not build");
}
