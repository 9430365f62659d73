//! Builds the bundled plugins, so that `bundled = "acl"` works from the binary alone, and lists the files of the SDK, so that
//! `hookwire plugin new` does.

use std::path::{Path, PathBuf};
use std::{env, fs};

use hookwire_plugin_build::Bundle;

/// Name in the configuration, and package.
const BUNDLED: [(&str, &str); 12] = [
    ("acl", "hookwire-acl"),
    ("password-file", "hookwire-password-file"),
    ("scram", "hookwire-scram"),
    ("http-auth", "hookwire-http-auth"),
    ("jwt", "hookwire-jwt"),
    ("content-router", "hookwire-content-router"),
    ("topic-rewrite", "hookwire-topic-rewrite"),
    ("schema-guard", "hookwire-schema-guard"),
    ("rate-limit", "hookwire-rate-limit"),
    ("tenant", "hookwire-tenant"),
    ("stamp", "hookwire-stamp"),
    ("will-guard", "hookwire-will-guard"),
];

fn main() {
    let root = Path::new(&variable("CARGO_MANIFEST_DIR")).join("..");
    let out = PathBuf::from(variable("OUT_DIR"));
    for watched in [
        "plugins",
        "plugin-sdk",
        "broker/passwords",
        "wit",
        "Cargo.toml",
        "Cargo.lock",
    ] {
        println!("cargo::rerun-if-changed={}", root.join(watched).display());
    }
    let components = build(&root, &guests_dir(&out));
    write_list(&components, &out.join("bundled.rs"));
    write_sdk(&root, &out.join("sdk.rs"));
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"))
}

/// Beside the profiles' folders, so that every profile, and the guests of the tests, share one build of what
/// all plugins are made of.
fn guests_dir(out: &Path) -> PathBuf {
    out.ancestors()
        .nth(4)
        .expect("OUT_DIR lies four levels below the target directory")
        .join("guests")
}

fn build(root: &Path, target_dir: &Path) -> Vec<(&'static str, PathBuf)> {
    let packages = BUNDLED.map(|(_, package)| package);
    let bundle = Bundle::new(root, target_dir, packages).expect("the broker lies in its workspace");
    if let Err(why) = bundle.build() {
        panic!("the bundled plugins do not build: {why}");
    }
    BUNDLED
        .map(|(name, package)| (name, bundle.component(package)))
        .into()
}

fn write_list(components: &[(&str, PathBuf)], list: &Path) {
    let entries: String = components
        .iter()
        .map(|(name, path)| {
            format!("    BundledPlugin {{ name: {name:?}, bytes: include_bytes!({path:?}) }},\n")
        })
        .collect();
    fs::write(list, format!("&[\n{entries}]\n")).expect("OUT_DIR can be written");
}

/// Lists what the SDK is compiled from. The contract lies where the SDK has a link to it.
fn write_sdk(root: &Path, list: &Path) {
    let sdk = root.join("plugin-sdk");
    let mut files: Vec<_> = ["README.md", "worlds.wit"]
        .map(|name| (name.to_owned(), sdk.join(name)))
        .into();
    collect(&sdk.join("src"), "src", &mut files);
    collect(&root.join("wit"), "wit", &mut files);
    files.sort();
    let entries: String = files
        .iter()
        .map(|(path, file)| format!("    SourceFile {{ path: {path:?}, text: include_str!({file:?}) }},\n"))
        .collect();
    fs::write(list, format!("&[\n{entries}]\n")).expect("OUT_DIR can be written");
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<(String, PathBuf)>) {
    for entry in fs::read_dir(folder).expect("the SDK can be read") {
        let path = entry.expect("the SDK can be read").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let place = format!("{prefix}/{name}");
        if path.is_dir() {
            collect(&path, &place, files);
        } else {
            files.push((place, path));
        }
    }
}
