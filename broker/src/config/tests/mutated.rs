//! Whatever the file: an answer, and never a panic.

use proptest::prelude::*;

use super::Folder;
use super::accepted::EVERY_KEY;

/// Bits of text that mean something to a TOML parser or to a kind.
const SNIPPETS: &[&str] = &[
    "",
    "\n",
    "=",
    ".",
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    "\"",
    "'",
    "#",
    ",",
    "-1",
    "0",
    "1e9",
    "nan",
    "0xFF",
    "true",
    "9223372036854775807",
    "99999999999999999999",
    "1979-05-27",
    "\"1d\"",
    "\"9999999999999999d\"",
    "\"4TiB\"",
    "\u{0}",
    "ä",
    "\u{feff}",
    "file",
    "config",
    "plugin",
    "name",
];

/// A place, how much is cut there, and what comes instead.
fn edit() -> impl Strategy<Value = (prop::sample::Index, usize, &'static str)> {
    (
        any::<prop::sample::Index>(),
        0..40usize,
        prop::sample::select(SNIPPETS),
    )
}

proptest! {
    #[test]
    fn every_edit_gets_an_answer(edits in prop::collection::vec(edit(), 1..6)) {
        let mut chars: Vec<char> = EVERY_KEY.chars().collect();
        for (at, cut, snippet) in edits {
            let at = at.index(chars.len());
            let end = (at + cut).min(chars.len());
            chars.splice(at..end, snippet.chars());
        }
        let text: String = chars.into_iter().collect();
        let folder = Folder::new()
            .with("p.wasm", "")
            .with("ca.pem", "certificates")
            .with("sub/rules.txt", "text")
            .with("key.txt", "s3cret");
        if let Err(error) = folder.parse(&text) {
            let lines = text.lines().count() + 1;
            prop_assert!(!error.problems.is_empty());
            let mut known = error.problems.iter().filter_map(|problem| problem.line);
            prop_assert!(known.all(|line| (1..=lines).contains(&line)));
            prop_assert!(error.problems.is_sorted_by_key(|problem| problem.line.unwrap_or(usize::MAX)));
            prop_assert_eq!(error.to_string().lines().count(), error.problems.len());
        }
    }
}
