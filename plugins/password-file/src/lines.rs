//! A password file: lines of `name:hash`.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use hookwire_passwords::Hash;

/// What the lines of a file say.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// By user name.
    pub(crate) hashes: BTreeMap<String, Hash>,
    /// A text for each line that cannot be read.
    pub(crate) problems: Vec<String>,
}

impl Lines {
    /// Reads a file. A line without a hash is a problem, not a user without a password (CVE-2018-12551).
    pub(crate) fn parse(text: &str) -> Self {
        let mut lines = Self::default();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| says_something(line)) {
            if let Err(problem) = read(line, &mut lines.hashes) {
                lines.problems.push(format!("line {}: {problem}", index + 1));
            }
        }
        lines
    }
}

/// Whether it is neither blank nor a comment.
fn says_something(line: &str) -> bool {
    !line.trim().is_empty() && !line.starts_with('#')
}

fn read(line: &str, hashes: &mut BTreeMap<String, Hash>) -> Result<(), String> {
    let (name, hash) = line.split_once(':').ok_or("expected `name:hash`")?;
    if name.is_empty() {
        return Err("the user name is empty".to_owned());
    }
    let hash = hash.parse().map_err(|error| format!("user `{name}`: {error}"))?;
    match hashes.entry(name.to_owned()) {
        Entry::Occupied(_) => Err(format!("there is a user `{name}` above")),
        Entry::Vacant(place) => {
            place.insert(hash);
            Ok(())
        }
    }
}
