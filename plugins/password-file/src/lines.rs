//! A password file: lines of `user:hash`.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::hash::Hash;

/// The hashes by user name, or a text for each line that is none.
///
/// A line that is blank or has no hash is an error, not a user without a password (CVE-2018-12551).
pub(crate) fn parse(text: &str) -> Result<BTreeMap<String, Hash>, Vec<String>> {
    let mut hashes = BTreeMap::new();
    let mut problems = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.starts_with('#')) {
        if let Err(problem) = read(line, &mut hashes) {
            problems.push(format!("line {}: {problem}", index + 1));
        }
    }
    if problems.is_empty() { Ok(hashes) } else { Err(problems) }
}

fn read(line: &str, hashes: &mut BTreeMap<String, Hash>) -> Result<(), String> {
    let (name, hash) = line.split_once(':').ok_or("expected `user:hash`")?;
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
