//! `[secrets]`: what plugins may be given by name and nobody else may see.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use hookwire_plugin_host::Secret;

use super::file::open_regular;
use super::kinds::is_name;
use super::reader::{Item, Section};

/// A key, a token or a password is far smaller, a bundle of certificates is not larger.
const SECRET_BYTES_MAX: u64 = 64 << 10;

/// One secret that was read.
#[derive(Clone)]
pub(super) struct KeptSecret {
    pub(super) secret: Secret,
    /// Where it stands, if that is a file.
    pub(super) file: Option<PathBuf>,
}

/// All secrets by name; `None` for one that has been complained about.
pub(super) type Secrets = BTreeMap<String, Option<KeptSecret>>;

pub(super) fn read(root: &mut Section<'_>, folder: &Path) -> Secrets {
    let Some(item) = root.item("secrets") else {
        return Secrets::new();
    };
    let Some(entries) = item.entries() else {
        item.refuse::<()>("a table");
        return Secrets::new();
    };
    entries
        .map(|(name, entry)| (name.to_owned(), read_one(name, &entry, folder)))
        .collect()
}

fn read_one(name: &str, item: &Item<'_>, folder: &Path) -> Option<KeptSecret> {
    if !is_name(name) {
        return item.problem("the name of a secret has letters, digits, \"-\", \"_\" and \".\"".to_owned());
    }
    if let Some(literal) = item.string() {
        return kept(item, literal.as_bytes(), None);
    }
    let Some(entries) = item.entries() else {
        return refuse(item);
    };
    match entries.collect::<Vec<_>>().as_slice() {
        [("file", path)] => of_file(path, folder),
        [("env", variable)] => of_environment(variable),
        _ => refuse(item),
    }
}

fn refuse<T>(item: &Item<'_>) -> Option<T> {
    item.problem("expected { file = \"…\" }, { env = \"…\" } or a text".to_owned())
}

fn of_file(item: &Item<'_>, folder: &Path) -> Option<KeptSecret> {
    let Some(name) = item.string() else {
        return item.refuse("the path of a file");
    };
    let path = folder.join(name);
    match open_regular(&path).and_then(read_bytes) {
        Ok(bytes) => kept(item, without_line_end(&bytes), Some(path)),
        Err(reason) => item.problem(format!("cannot read {path:?}: {reason}")),
    }
}

fn of_environment(item: &Item<'_>) -> Option<KeptSecret> {
    let Some(variable) = item.string() else {
        return item.refuse("the name of an environment variable");
    };
    match std::env::var(variable) {
        Ok(value) => kept(item, value.as_bytes(), None),
        // What the error says of a variable that is no text is the variable.
        Err(_) => item.problem(format!(
            "there is no environment variable {variable:?} with a text in it"
        )),
    }
}

fn kept(item: &Item<'_>, bytes: &[u8], file: Option<PathBuf>) -> Option<KeptSecret> {
    if bytes.is_empty() {
        return item.problem("the secret is empty".to_owned());
    }
    let secret = Secret(bytes.into());
    Some(KeptSecret { secret, file })
}

fn read_bytes(file: File) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    file.take(SECRET_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    if bytes.len() as u64 > SECRET_BYTES_MAX {
        return Err("larger than 64KiB".to_owned());
    }
    Ok(bytes)
}

/// Editors and `echo` end a file with a line end that is no part of the secret.
fn without_line_end(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}
