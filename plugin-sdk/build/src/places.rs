//! Where things lie on this machine, which is nothing that a component should tell.

use std::env;
use std::io;
use std::path::{Path, PathBuf};

use crate::{TARGET, Toolchain};

/// Folders whose names would get into components: by the places of panics, mostly.
#[derive(Debug)]
pub struct Places {
    /// Each with what stands for it. Where several fit, rustc takes the last.
    stand_ins: Vec<(PathBuf, String)>,
}

impl Places {
    /// Those of a build of this workspace into this folder.
    ///
    /// # Errors
    /// There is no rustc.
    pub fn of(toolchain: &Toolchain, workspace: &Path, target_dir: &Path) -> io::Result<Self> {
        let mut stand_ins = vec![(workspace.to_owned(), "/source".to_owned())];
        if let Some(commit) = toolchain.commit()? {
            // As it is called in a toolchain that comes without its own source. One that has it says where.
            let source = toolchain.sysroot()?.join("lib/rustlib/src/rust");
            stand_ins.push((source, format!("/rustc/{commit}")));
        }
        if let Some(home) = cargo_home() {
            stand_ins.push((home, "/cargo".to_owned()));
        }
        stand_ins.push((target_dir.to_owned(), "/target".to_owned()));
        Ok(Self { stand_ins })
    }

    /// What makes cargo have rustc call them otherwise. Flags that the user has for the target hold beside it, if they stand in
    /// a configuration file; those of the variable `RUSTFLAGS` hold instead.
    pub fn arguments(&self) -> [String; 2] {
        let flags = self.stand_ins.iter().map(|(place, stand_in)| {
            let flag = format!("--remap-path-prefix={}={stand_in}", place.display());
            format!("{flag:?}")
        });
        let flags = flags.collect::<Vec<_>>().join(",");
        [
            "--config".to_owned(),
            format!("target.{TARGET}.rustflags=[{flags}]"),
        ]
    }
}

/// As cargo finds it.
fn cargo_home() -> Option<PathBuf> {
    let named = env::var_os("CARGO_HOME").filter(|home| !home.is_empty());
    named
        .map(PathBuf::from)
        .or_else(|| Some(env::home_dir()?.join(".cargo")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrower_place_stands_behind_the_wider() {
        let toolchain = Toolchain::new("rustc", Path::new("."));
        let places = Places::of(&toolchain, Path::new("/w"), Path::new("/w/target")).unwrap();
        let [config, flags] = places.arguments();
        assert_eq!(config, "--config");
        assert!(
            flags.starts_with("target.wasm32-wasip2.rustflags=[\"--remap-path-prefix=/w=/source\","),
            "{flags}"
        );
        assert!(
            flags.ends_with("\"--remap-path-prefix=/w/target=/target\"]"),
            "{flags}"
        );
    }
}
