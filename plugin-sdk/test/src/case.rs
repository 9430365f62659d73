//! One question, the answer that is expected, and what else is to come of it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use hookwire_hooks::{Hook, Message};
use hookwire_plugin_host::recording::{Blob, Exchange, MessageRecord};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::case_file::CaseFileError;
use crate::{Actor, Effects, Stage, plain};

/// One case.
#[derive(Debug)]
pub struct Case {
    /// For a person.
    pub name: String,
    /// The question.
    pub exchange: Exchange,
    /// Whether the answer matters.
    answer_matters: bool,
    advance: Duration,
    published: Vec<Value>,
    disconnected: Vec<u64>,
    log: Option<Vec<String>>,
    calls: Option<Vec<String>>,
    kv: BTreeMap<String, Value>,
    retained: BTreeMap<String, Value>,
}

/// As it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CaseTable {
    #[serde(default)]
    name: String,
    hook: String,
    #[serde(default)]
    question: Value,
    #[serde(default)]
    answer: Value,
    /// Time that passes before the question.
    #[serde(default)]
    advance_ms: u64,
    /// What the plugin publishes, in order; nothing if not said.
    #[serde(default)]
    published: Vec<Value>,
    /// Whom it disconnects, in order; nobody if not said.
    #[serde(default)]
    disconnected: Vec<u64>,
    /// What it logs; anything if not said.
    log: Option<Vec<String>>,
    /// What it calls of the host, in order, with what came of it; anything if not said.
    calls: Option<Vec<String>>,
    /// What it has stored afterwards; `false`: nothing.
    #[serde(default)]
    kv: BTreeMap<String, Value>,
    /// What is retained afterwards, by topic; `false`: nothing.
    #[serde(default)]
    retained: BTreeMap<String, Value>,
}

impl CaseTable {
    pub(crate) fn read(self, place: usize) -> Result<Case, CaseFileError> {
        let what = match self.name.as_str() {
            "" => format!("case {place}"),
            name => format!("case {place} ({name})"),
        };
        let impossible = |why| CaseFileError::Impossible {
            what: what.clone(),
            why,
        };
        let answer_matters = !self.answer.is_null();
        let exchange = plain::exchange(&self.hook, self.question, self.answer).map_err(impossible)?;
        let published = self
            .published
            .into_iter()
            .map(published)
            .collect::<Result<_, _>>();
        Ok(Case {
            exchange,
            answer_matters,
            advance: Duration::from_millis(self.advance_ms),
            published: published.map_err(impossible)?,
            disconnected: self.disconnected,
            log: self.log,
            calls: self.calls,
            kv: self.kv,
            retained: self.retained,
            name: if self.name.is_empty() { what } else { self.name },
        })
    }
}

/// A message as it is expected, in full; what is left out is what a plain message of a plugin has.
fn published(message: Value) -> Result<Value, String> {
    let question = json!({ "message": message });
    let Exchange::OnPublish { question, .. } = plain::exchange("on-publish", question, Value::Null)? else {
        return Err("no message".to_owned());
    };
    Ok(without_source(question.message))
}

/// Who published it goes without saying.
fn without_source(message: MessageRecord) -> Value {
    let mut message = json!(message);
    if let Some(fields) = message.as_object_mut() {
        fields.remove("source");
    }
    message
}

/// A case that failed.
#[derive(Debug)]
pub struct Failed {
    /// Its name.
    pub case: String,
    /// What was not as expected.
    pub troubles: Vec<Trouble>,
}

/// Something that was not as expected.
#[derive(Debug, PartialEq)]
pub struct Trouble {
    /// What.
    pub what: &'static str,
    /// As it should have been.
    pub expected: Value,
    /// As it was.
    pub found: Value,
}

impl Trouble {
    fn unless_equal(what: &'static str, expected: Value, found: Value) -> Option<Self> {
        (expected != found).then_some(Self {
            what,
            expected,
            found,
        })
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.case)?;
        for trouble in &self.troubles {
            writeln!(f, "  {}", trouble.what)?;
            writeln!(f, "    expected {}", trouble.expected)?;
            writeln!(f, "    found    {}", trouble.found)?;
        }
        Ok(())
    }
}

impl Case {
    /// Asks, and returns what was not as expected.
    pub fn run(&self, stage: &Stage, plugin: &Actor) -> Vec<Trouble> {
        stage.broker().advance(self.advance);
        stage.broker().take_effects();
        if !plugin.has_hook_of(&self.exchange) {
            let hook = self.exchange.hook().as_str();
            let trouble = Trouble::unless_equal("hook", json!(hook), Value::Null);
            return trouble.into_iter().collect();
        }
        let event_failures = event_failures(plugin);
        let asked = match plugin.ask(&self.exchange) {
            Ok(asked) => asked,
            Err(error) => {
                let trouble = Trouble::unless_equal("question", Value::Null, json!(error.to_string()));
                return trouble.into_iter().collect();
            }
        };
        let mut troubles = Vec::new();
        troubles.extend(self.compare_answer(&asked));
        if event_failures != self::event_failures(plugin) {
            let error = plugin.plugin().stats().last_error;
            troubles.extend(Trouble::unless_equal("events", Value::Null, json!(error)));
        }
        self.compare_effects(stage.broker().take_effects(), &mut troubles);
        self.compare_kv(plugin, &mut troubles);
        self.compare_retained(stage, &mut troubles);
        troubles
    }

    /// Without an expectation the answer may be anything, but it has to be one.
    fn compare_answer(&self, asked: &Exchange) -> Option<Trouble> {
        let found = json!(asked)["answer"].take();
        if self.answer_matters {
            let expected = json!(self.exchange)["answer"].take();
            Trouble::unless_equal("answer", expected, found)
        } else if found.get("failure").is_some() {
            Trouble::unless_equal("answer", Value::Null, found)
        } else {
            None
        }
    }

    fn compare_effects(&self, effects: Effects, troubles: &mut Vec<Trouble>) {
        let record = |message: &Message| without_source(MessageRecord::from(message));
        let published: Value = effects.published.iter().map(record).collect();
        let disconnected: Vec<_> = effects.disconnected.iter().map(|key| key.0).collect();
        let unequal = Trouble::unless_equal;
        troubles.extend(unequal("published", json!(self.published), published));
        troubles.extend(unequal(
            "disconnected",
            json!(self.disconnected),
            json!(disconnected),
        ));
        if let Some(log) = &self.log {
            troubles.extend(unequal("log", json!(log), json!(effects.log)));
        }
        if let Some(calls) = &self.calls {
            troubles.extend(unequal("calls", json!(calls), json!(effects.calls)));
        }
    }

    fn compare_kv(&self, plugin: &Actor, troubles: &mut Vec<Trouble>) {
        for (key, expected) in &self.kv {
            let found = plugin.plugin().stored(key);
            let trouble = match found {
                None => Trouble::unless_equal("kv", expected.clone(), json!(false)),
                Some(bytes) => Trouble::unless_equal("kv", expected.clone(), stored(&bytes, expected)),
            };
            troubles.extend(trouble);
        }
    }

    fn compare_retained(&self, stage: &Stage, troubles: &mut Vec<Trouble>) {
        let retained = stage.broker().retained_messages();
        for (topic, expected) in &self.retained {
            let found = retained.iter().find(|message| message.topic.as_str() == topic);
            let found = found.map_or_else(|| json!(false), |message| json!(Blob(message.payload.to_vec())));
            troubles.extend(Trouble::unless_equal("retained", expected.clone(), found));
        }
    }
}

/// A stored value in the form in which it is expected: `increment` writes numbers of eight bytes.
fn stored(bytes: &[u8], expected: &Value) -> Value {
    match <[u8; 8]>::try_from(bytes) {
        Ok(bytes) if expected.is_i64() => json!(i64::from_le_bytes(bytes)),
        _ => json!(Blob(bytes.to_vec())),
    }
}

fn event_failures(plugin: &Actor) -> u64 {
    let stats = plugin.plugin().stats();
    let events = stats.hooks.iter().find(|stats| stats.hook == Hook::Events);
    events.map_or(0, |stats| stats.failures.iter().map(|(_, times)| times).sum())
}
