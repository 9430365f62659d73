//! Builds the plugins that come with the broker, and prints the digest of each: `docs/plugins/loading.md` says what for.

use std::path::Path;
use std::{env, fs};

use hookwire_plugin_build::Bundle;
use sha2::{Digest, Sha256};

fn main() {
    let workspace = env::current_dir().expect("there is a current folder");
    let target_dir = env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), Into::into);
    let packages = packages(&workspace.join("plugins"));
    let bundle = Bundle::new(&workspace, &target_dir.join("guests"), &packages)
        .expect("the current folder is the root of the repository");
    if let Err(why) = bundle.build() {
        panic!("the plugins do not build: {why}");
    }
    for package in packages {
        let component = fs::read(bundle.component(&package)).expect("it was just built");
        let digest = Sha256::digest(component);
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        println!("{digest}  {}", package.trim_start_matches("hookwire-"));
    }
}

/// Names of the packages in this folder, in order.
fn packages(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the current folder is the root of the repository");
    let mut packages: Vec<_> = entries
        .filter_map(|entry| fs::read_to_string(entry.ok()?.path().join("Cargo.toml")).ok())
        .filter_map(|manifest| {
            let name = manifest.lines().find_map(|line| line.strip_prefix("name = "))?;
            Some(name.trim_matches('"').to_owned())
        })
        .collect();
    packages.sort();
    packages
}
