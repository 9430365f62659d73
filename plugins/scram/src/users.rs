//! The users: lines of a name and a verifier.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use hookwire_plugin::prelude::*;

use crate::verifier::Verifier;

/// By name.
#[derive(Debug)]
pub(crate) struct Users(BTreeMap<String, Verifier>);

impl Users {
    /// Reads all lines, or tells all that is wrong with them.
    pub(crate) fn parse(text: &str) -> Result<Self, Problems> {
        let mut users = BTreeMap::new();
        let mut problems = Vec::new();
        let lines = text.lines().enumerate();
        for (index, line) in lines.filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#')) {
            if let Err(problem) = read(line, &mut users) {
                problems.push(Problem::at("users", format!("line {}: {problem}", index + 1)));
            }
        }
        // A file that was emptied by accident must not pass for a decision.
        if users.is_empty() && problems.is_empty() {
            problems.push(Problem::at(
                "users",
                "no user at all: expected lines of `name:verifier`",
            ));
        }
        if problems.is_empty() {
            Ok(Self(users))
        } else {
            Err(problems.into())
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Verifier> {
        self.0.get(name)
    }

    pub(crate) fn verifiers(&self) -> impl Iterator<Item = &Verifier> {
        self.0.values()
    }
}

fn read(line: &str, users: &mut BTreeMap<String, Verifier>) -> Result<(), String> {
    let (name, verifier) = line.split_once(':').ok_or("expected `name:verifier`")?;
    if name.is_empty() {
        return Err("the user name is empty".to_owned());
    }
    let verifier = verifier
        .parse()
        .map_err(|error| format!("user `{name}`: {error}"))?;
    match users.entry(name.to_owned()) {
        Entry::Occupied(_) => Err(format!("there is a user `{name}` above")),
        Entry::Vacant(place) => {
            place.insert(verifier);
            Ok(())
        }
    }
}
