//! Collects the problems of one reading.

use std::cell::RefCell;

use super::problem::Problem;

/// A reading stops collecting here: more than this is one mistake repeated, and each problem costs memory.
const PROBLEMS_MAX: usize = 100;

/// The problems found so far, and where in the text the lines begin.
#[derive(Debug)]
pub(super) struct Report<'a> {
    text: &'a str,
    line_starts: Vec<usize>,
    // Shared by all sections and items of one reading, which borrow it while others are still being read.
    found: RefCell<Found>,
}

#[derive(Debug, Default)]
struct Found {
    problems: Vec<(usize, Problem)>,
    omitted: usize,
}

impl<'a> Report<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let after_newlines = text
            .bytes()
            .enumerate()
            .filter(|(_, byte)| *byte == b'\n')
            .map(|(at, _)| at + 1);
        Self {
            text,
            line_starts: [0].into_iter().chain(after_newlines).collect(),
            found: RefCell::default(),
        }
    }

    /// A problem with the value (or the key, or the table) that begins at byte `at`.
    pub(super) fn add(&self, at: usize, key: String, message: String) {
        let mut found = self.found.borrow_mut();
        if found.problems.len() == PROBLEMS_MAX {
            found.omitted += 1;
            return;
        }
        let (line, column) = self.position(at);
        found.problems.push((
            at,
            Problem {
                line: Some(line),
                column: Some(column),
                key,
                message,
            },
        ));
    }

    /// The line of byte `at`.
    pub(super) fn line(&self, at: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= at)
    }

    fn position(&self, at: usize) -> (usize, usize) {
        let line = self.line(at);
        let before = self.text.get(self.line_starts[line - 1]..at).unwrap_or_default();
        (line, before.chars().count() + 1)
    }

    /// The problems in the order in which they stand in the file.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        let Found {
            mut problems,
            omitted,
        } = self.found.into_inner();
        problems.sort_by_key(|(at, _)| *at);
        let more = (omitted > 0).then(|| Problem {
            line: None,
            column: None,
            key: String::new(),
            message: format!("{omitted} more problems"),
        });
        problems
            .into_iter()
            .map(|(_, problem)| problem)
            .chain(more)
            .collect()
    }
}
