//! `hookwire plugin new`: a crate that builds, passes its tests and loads, to be changed from there.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, bail, ensure};

use super::hook_template::{self, HookTemplate};
use super::lock;
use super::vendor::{self, write_file};
use crate::cli::NewArgs;
use crate::output::output;

/// Names a file of the crate and its template.
const FILES: [(&str, &str); 6] = [
    ("Cargo.toml", include_str!("template/Cargo.toml.txt")),
    ("README.md", include_str!("template/README.md.txt")),
    ("cases.toml", include_str!("template/cases.toml.txt")),
    ("hookwire.toml", include_str!("template/hookwire.toml.txt")),
    ("src/tests.rs", include_str!("template/tests.rs.txt")),
    (".gitignore", "/target\n"),
];
const LIB: &str = include_str!("template/lib.rs.txt");
const LIB_WITHOUT_CONFIG: &str = include_str!("template/lib_plain.rs.txt");

/// Makes the folder of a new plugin.
pub(super) fn make(args: &NewArgs) -> anyhow::Result<()> {
    check_name(&args.name)?;
    let hooks = hook_template::find_all(&args.hook)?;
    let dir = args.path.join(&args.name);
    ensure!(!dir.exists(), "{} is there already", dir.display());
    write(&dir, &args.name, &hooks, args.sdk.as_deref())?;
    Ok(writeln!(output(), "{}", next_steps(&dir, &args.name))?)
}

/// What cargo takes as the name of a package and Rust as that of a library.
fn check_name(name: &str) -> anyhow::Result<()> {
    let begins_well = name.starts_with(|first: char| first.is_ascii_alphabetic());
    let is_sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !begins_well || !name.chars().all(is_sound) {
        bail!("{name:?} is no name for a plugin; use a letter, then letters, digits, `-` and `_`");
    }
    ensure!(
        !["test", "core", "std", "alloc", "hookwire-plugin"].contains(&name),
        "{name:?} is the name of another crate"
    );
    Ok(())
}

fn write(dir: &Path, name: &str, hooks: &[&HookTemplate], sdk: Option<&Path>) -> anyhow::Result<()> {
    let sdk = match sdk {
        None => {
            vendor::write(dir)?;
            vendor::FOLDER.to_owned()
        }
        Some(path) => existing_sdk(path)?,
    };
    let values = Values::new(name, hooks, &sdk);
    let lib = if values.has_config() {
        LIB
    } else {
        LIB_WITHOUT_CONFIG
    };
    for (path, template) in FILES.into_iter().chain([("src/lib.rs", lib)]) {
        write_file(&dir.join(path), &values.fill(template))?;
    }
    write_file(&dir.join("Cargo.lock"), &lock::for_plugin()?)
}

/// The absolute path of an SDK that the crate is to depend on.
fn existing_sdk(path: &Path) -> anyhow::Result<String> {
    let path = fs::canonicalize(path).with_context(|| format!("there is no SDK in {}", path.display()))?;
    let manifest = fs::read_to_string(path.join("Cargo.toml")).unwrap_or_default();
    ensure!(
        manifest.contains("name = \"hookwire-plugin\""),
        "{} is not the SDK: its Cargo.toml does not name hookwire-plugin",
        path.display()
    );
    Ok(path.display().to_string())
}

/// What stands between `{{` and `}}` in templates.
struct Values(Vec<(&'static str, String)>);

impl Values {
    fn new(name: &str, hooks: &[&HookTemplate], sdk: &str) -> Self {
        let join = |part: fn(&HookTemplate) -> &str, between: &str| {
            let parts = hooks
                .iter()
                .map(|hook| part(hook))
                .filter(|part| !part.is_empty());
            parts.collect::<Vec<_>>().join(between)
        };
        let grants = join(|hook| hook.grant.trim(), ", ");
        let granted = Some(format!("grant = {{ {grants} }}")).filter(|_| !grants.is_empty());
        Self(vec![
            (
                "granted",
                granted
                    .as_ref()
                    .map(|grant| format!("{grant}\n"))
                    .unwrap_or_default(),
            ),
            (
                "grant",
                granted.unwrap_or_else(|| "# grant = { clients = true }".to_owned()),
            ),
            ("toml", join(|hook| hook.toml, "")),
            ("json", join(|hook| hook.json.trim(), ", ")),
            ("fields", join(|hook| hook.fields, "")),
            ("checks", join(|hook| hook.checks, "")),
            ("hooks", join(|hook| hook.rust, "\n")),
            ("tests", join(|hook| hook.test, "\n").trim_end().to_owned()),
            ("cases", join(|hook| hook.cases, "\n").trim_end().to_owned()),
            ("purpose", join(|hook| hook.purpose.trim(), "; it ")),
            ("traits", join(|hook| hook.of_trait.trim(), " + ")),
            // Last: they stand in the parts above too.
            ("name", name.to_owned()),
            ("type", type_name(name)),
            ("file", name.replace('-', "_")),
            (
                "wasm",
                format!("target/wasm32-wasip2/release/{}.wasm", name.replace('-', "_")),
            ),
            ("sdk", format!("{sdk:?}")),
        ])
    }

    fn has_config(&self) -> bool {
        self.0
            .iter()
            .any(|(key, value)| *key == "fields" && !value.is_empty())
    }

    fn fill(&self, template: &str) -> String {
        let fill =
            |text: String, (key, value): &(&str, String)| text.replace(&format!("{{{{{key}}}}}"), value);
        self.0.iter().fold(template.to_owned(), fill)
    }
}

/// `SizeLimit` for `size-limit`; `MessagePlugin` for `message`, since the SDK has a type `Message`.
fn type_name(name: &str) -> String {
    let words = name.split(['-', '_']).filter(|word| !word.is_empty());
    let name: String = words
        .map(|word| format!("{}{}", word[..1].to_ascii_uppercase(), &word[1..]))
        .collect();
    if vendor::prelude_has(&name) {
        format!("{name}Plugin")
    } else {
        name
    }
}

fn next_steps(dir: &Path, name: &str) -> String {
    let wasm = format!("target/wasm32-wasip2/release/{}.wasm", name.replace('-', "_"));
    format!(
        "{dir}: made\n\n  cd {dir}\n  cargo test                                    # natively\n  \
         hookwire plugin build                         # the component\n  \
         hookwire plugin test {wasm} cases.toml\n  \
         hookwire --config hookwire.toml               # a broker with it",
        dir = dir.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_types() {
        assert_eq!(type_name("size-limit"), "SizeLimit");
        assert_eq!(type_name("a_2b--c"), "A2bC");
        assert_eq!(type_name("on-publish"), "OnPublishPlugin");
        for bad in ["", "1a", "-a", "a/b", "ä", "test", "../x"] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
        assert!(check_name("Size-limit_2").is_ok());
    }

    #[test]
    fn nothing_is_left_to_be_filled_in() {
        for names in [vec!["on-will"], hook_template::names().collect()] {
            let names: Vec<_> = names.into_iter().map(str::to_owned).collect();
            let hooks = hook_template::find_all(&names).unwrap();
            let values = Values::new("size-limit", &hooks, "vendor/sdk");
            for template in FILES
                .map(|(_, template)| template)
                .into_iter()
                .chain([LIB, LIB_WITHOUT_CONFIG])
            {
                let text = values.fill(template);
                assert!(
                    !text.contains("{{") || text.contains("format!(\"{}{}\""),
                    "{text}"
                );
                assert!(!text.contains("{{name") && !text.contains("{{type"), "{text}");
            }
        }
    }
}
