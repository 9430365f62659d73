//! Plugins of a workspace, built together.

use std::env;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Places, TARGET, Toolchain};

/// The profile of the workspace that they are built with.
const PROFILE: &str = "plugin";

/// What is set for the build that this one is a part of (wrappers of clippy, flags of coverage) is not for plugins.
const NOT_FOR_PLUGINS: [&str; 5] = [
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "CARGO_ENCODED_RUSTFLAGS",
    "RUSTFLAGS",
    "CARGO_TARGET_DIR",
];

/// Packages that cargo builds in one call: those of another call may have other features of what they depend on, and so
/// other bytes.
#[derive(Debug)]
pub struct Bundle {
    workspace: PathBuf,
    target_dir: PathBuf,
    packages: Vec<String>,
}

impl Bundle {
    /// These packages of a workspace, to be built into a folder that other bundles may share.
    ///
    /// # Errors
    /// There is no such workspace.
    pub fn new<P: Into<String>>(
        workspace: &Path,
        target_dir: &Path,
        packages: impl IntoIterator<Item = P>,
    ) -> io::Result<Self> {
        Ok(Self {
            workspace: workspace.canonicalize()?,
            target_dir: target_dir.to_owned(),
            packages: packages.into_iter().map(Into::into).collect(),
        })
    }

    /// Where its components are: one file each, named after its package.
    pub fn folder(&self) -> PathBuf {
        self.target_dir.join(TARGET).join(PROFILE)
    }

    /// The component of a package.
    pub fn component(&self, package: &str) -> PathBuf {
        self.folder().join(format!("{}.wasm", package.replace('-', "_")))
    }

    /// Builds it.
    ///
    /// # Errors
    /// What to do about it, for a person.
    pub fn build(&self) -> Result<(), String> {
        let toolchain = Toolchain::new(named("RUSTC", "rustc"), &self.workspace);
        let makes_components = toolchain.makes_components();
        if !makes_components.map_err(|error| format!("rustc cannot be run: {error}"))? {
            return Err(format!(
                "this toolchain lacks {TARGET}; run: rustup target add {TARGET}"
            ));
        }
        let places = Places::of(&toolchain, &self.workspace, &self.target_dir);
        let places = places.map_err(|error| error.to_string())?;
        match self.cargo(&places).status() {
            Ok(status) if status.success() => Ok(()),
            Ok(_) => Err("cargo could not build the plugins".to_owned()),
            Err(error) => Err(format!("cargo cannot be run: {error}")),
        }
    }

    fn cargo(&self, places: &Places) -> Command {
        let mut cargo = Command::new(named("CARGO", "cargo"));
        cargo
            .current_dir(&self.workspace)
            .args(["build", "--profile", PROFILE, "--target", TARGET])
            .args(places.arguments())
            .arg("--target-dir")
            .arg(&self.target_dir);
        for package in &self.packages {
            cargo.args(["--package", package]);
        }
        for variable in NOT_FOR_PLUGINS {
            cargo.env_remove(variable);
        }
        cargo
    }
}

/// The program that cargo names to build scripts and tests.
fn named(variable: &str, otherwise: &str) -> OsString {
    env::var_os(variable).unwrap_or_else(|| otherwise.into())
}
