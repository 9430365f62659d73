//! Asks again what was recorded in a live broker, and compares the answers.

use std::fmt;
use std::io::BufRead;
use std::time::Duration;

use hookwire_hooks::ClientFacts;
use hookwire_plugin_host::recording::{Case, Reader, RecordingError};
use serde_json::{Value, json};

use crate::{Actor, Chance, Stage};

/// Once in so many questions the instances are taken away.
const RENEWED_ONE_IN: u64 = 16;

/// A recording that is being asked again.
#[derive(Debug)]
pub struct Replay<R> {
    recording: Reader<R>,
    with_secrets: bool,
}

/// What came of a replay.
#[derive(Debug, Default)]
pub struct Replayed {
    /// Questions that were answered as they were then.
    pub same: usize,
    /// Questions that were answered differently.
    pub different: usize,
    /// Questions that cannot be asked again, because secrets were left out of them.
    pub skipped: usize,
    /// Questions to hooks that the component does not have.
    pub unasked: usize,
}

/// A question that was answered differently.
#[derive(Debug)]
pub struct Difference {
    /// The line of the recording.
    pub line: usize,
    /// The question, with its hook.
    pub question: Value,
    /// The answer in the recording.
    pub recorded: Value,
    /// The answer now.
    pub now: Value,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "line {}: {}", self.line, self.question)?;
        writeln!(f, "  recorded {}", self.recorded)?;
        writeln!(f, "  now      {}", self.now)
    }
}

impl<R: BufRead> Replay<R> {
    /// Reads what stands at the beginning of a recording.
    ///
    /// # Errors
    /// It is none.
    pub fn new(recording: R) -> Result<Self, RecordingError> {
        let recording = Reader::new(recording)?;
        let with_secrets = recording.header().secrets;
        Ok(Self {
            recording,
            with_secrets,
        })
    }

    /// Asks all of it, with the clocks where they were, and shows each difference.
    ///
    /// # Errors
    /// A line cannot be read.
    pub fn run(
        mut self,
        stage: &Stage,
        plugin: &Actor,
        chance: &mut Chance,
        mut show: impl FnMut(Difference),
    ) -> Result<Replayed, RecordingError> {
        let mut replayed = Replayed::default();
        let began = self.recording.header().began_at_ms;
        while let Some(case) = self.recording.next() {
            let (case, line) = (case?, self.recording.line());
            if !plugin.has_hook_of(&case.exchange) {
                replayed.unasked += 1;
                continue;
            }
            if chance.one_in(RENEWED_ONE_IN) {
                plugin.renew();
            }
            prepare(stage, &case, began, line)?;
            match self.ask(plugin, &case) {
                None => replayed.skipped += 1,
                Some((recorded, now)) if recorded == now => replayed.same += 1,
                Some((recorded, now)) => {
                    replayed.different += 1;
                    show(Difference {
                        line,
                        question: question(&case),
                        recorded,
                        now,
                    });
                }
            }
        }
        Ok(replayed)
    }

    /// The answers then and now; none when the question was recorded without what it takes to ask it.
    fn ask(&self, plugin: &Actor, case: &Case) -> Option<(Value, Value)> {
        let asked = if self.with_secrets {
            plugin.ask(&case.exchange)
        } else {
            plugin.ask_redacted(&case.exchange)
        };
        let answer = |exchange: Value| comparable(exchange.get("answer").cloned().unwrap_or_default());
        let now = asked.ok()?;
        Some((answer(json!(case.exchange)), answer(json!(now))))
    }
}

/// A failure is the same failure if its kind is: the detail has addresses and times in it.
fn comparable(mut answer: Value) -> Value {
    if answer.get("failure").is_some()
        && let Some(fields) = answer.as_object_mut()
    {
        fields.remove("detail");
    }
    answer
}

fn question(case: &Case) -> Value {
    let mut exchange = json!(case.exchange);
    json!({ "hook": exchange["hook"].take(), "question": exchange["question"].take() })
}

/// The clients as they were then, and the time.
fn prepare(stage: &Stage, case: &Case, began_at_ms: u64, line: usize) -> Result<(), RecordingError> {
    for client in &case.clients {
        let facts = ClientFacts::try_from(client.clone()).map_err(|error| RecordingError::Line {
            line,
            reason: error.to_string(),
        })?;
        stage.broker().add_client(facts);
    }
    let at = Duration::from_millis(case.at_ms);
    let since = Duration::from_millis(case.at_ms.saturating_sub(began_at_ms));
    stage.broker().set_time(at, since);
    Ok(())
}
