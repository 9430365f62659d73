//! What a process prints, line by line, to be waited for.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::PATIENCE;

/// How many lines are shown when a test fails.
const STORY_LINES_MAX: usize = 100;
/// What is shown of a line when a test fails.
const LINE_CHARS_MAX: usize = 500;

/// The lines that a process has printed so far. Clones share them.
#[derive(Debug, Clone)]
pub struct Lines(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    printed: Mutex<Printed>,
    news: Condvar,
}

#[derive(Debug, Default)]
struct Printed {
    lines: Vec<String>,
    /// Where the next wait begins: behind the line that ended the last one.
    cursor: usize,
    pipes_open: usize,
    /// The pipes are closed at the next line, although more may come.
    is_enough: bool,
}

impl Lines {
    /// Collects from pipes until they are closed.
    pub(crate) fn collect(pipes: Vec<Box<dyn Read + Send>>) -> Self {
        let printed = Printed {
            pipes_open: pipes.len(),
            ..Printed::default()
        };
        let lines = Self(Arc::new(Shared {
            printed: Mutex::new(printed),
            news: Condvar::new(),
        }));
        for pipe in pipes {
            let lines = lines.clone();
            thread::spawn(move || lines.read(pipe));
        }
        lines
    }

    fn read(&self, pipe: Box<dyn Read + Send>) {
        let mut lines = BufReader::new(pipe).split(b'\n').map_while(Result::ok);
        for line in lines.by_ref() {
            self.printed()
                .lines
                .push(String::from_utf8_lossy(&line).into_owned());
            self.0.news.notify_all();
            if self.printed().is_enough {
                break;
            }
        }
        drop(lines);
        self.printed().pipes_open -= 1;
        self.0.news.notify_all();
    }

    /// Stops reading: from the next line on, the process prints into a pipe that is closed.
    pub fn stop(&self) {
        self.printed().is_enough = true;
    }

    fn printed(&self) -> MutexGuard<'_, Printed> {
        self.0.printed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a line that contains `text`, after the line that ended the last wait, and returns it.
    #[track_caller]
    pub fn wait(&self, text: &str) -> String {
        self.wait_any(&[text])
    }

    /// Waits for a line that contains one of `texts`.
    #[track_caller]
    pub fn wait_any(&self, texts: &[&str]) -> String {
        self.wait_within(PATIENCE, texts)
    }

    /// The same with a patience of its own.
    #[track_caller]
    pub(crate) fn wait_within(&self, patience: Duration, texts: &[&str]) -> String {
        let fits = |line: &String| texts.iter().any(|text| line.contains(text));
        let find = |printed: &Printed| {
            printed
                .lines
                .iter()
                .skip(printed.cursor)
                .position(fits)
                .map(|at| printed.cursor + at)
        };
        let waiting = self.printed();
        let is_waiting = |printed: &mut Printed| find(printed).is_none() && printed.pipes_open > 0;
        let (mut printed, _) = self
            .0
            .news
            .wait_timeout_while(waiting, patience, is_waiting)
            .unwrap_or_else(PoisonError::into_inner);
        let Some(at) = find(&printed) else {
            let ended = if printed.pipes_open == 0 {
                "the process has ended"
            } else {
                "it took too long"
            };
            let from = printed.cursor;
            drop(printed);
            let story = self.story();
            panic!("no line with any of {texts:?} after line {from}; {ended}. It printed:\n{story}");
        };
        printed.cursor = at + 1;
        printed.lines[at].clone()
    }

    /// Waits until nothing can be printed any more; false if that takes too long.
    pub fn wait_end(&self) -> bool {
        let waiting = self
            .0
            .news
            .wait_timeout_while(self.printed(), PATIENCE, |printed| printed.pipes_open > 0);
        waiting.unwrap_or_else(PoisonError::into_inner).0.pipes_open == 0
    }

    /// How many lines contain `text`, from the beginning.
    pub fn count(&self, text: &str) -> usize {
        self.printed()
            .lines
            .iter()
            .filter(|line| line.contains(text))
            .count()
    }

    /// How many lines begin with `text`, from the beginning.
    pub fn count_starting(&self, text: &str) -> usize {
        self.printed()
            .lines
            .iter()
            .filter(|line| line.starts_with(text))
            .count()
    }

    /// Everything printed so far.
    pub fn text(&self) -> String {
        self.printed().lines.join("\n")
    }

    /// The last lines, for a person: not too many, and none too long.
    pub fn story(&self) -> String {
        let printed = self.printed();
        let last = &printed.lines[printed.lines.len().saturating_sub(STORY_LINES_MAX)..];
        let cut = |line: &String| line.chars().take(LINE_CHARS_MAX).collect::<String>();
        last.iter().map(cut).collect::<Vec<_>>().join("\n")
    }
}
