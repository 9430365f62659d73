//! The component of a plugin, run by the `hookwire` command at the other end of two pipes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{HOST, Host, question};
use crate::bindings::types::ClientKey;
use crate::problem::Problems;
use crate::{MessageBuf, Problem};

/// Names the component; without it everything runs natively.
const COMPONENT: &str = "HOOKWIRE_COMPONENT";
/// Names the command.
const COMMAND: &str = "HOOKWIRE";

/// A running `hookwire plugin serve`, ended when it is dropped.
#[derive(Debug)]
pub(super) struct Component(RefCell<Process>);

#[derive(Debug)]
struct Process {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// What comes back for a question.
#[derive(Deserialize)]
struct Reply {
    #[serde(default)]
    answer: Value,
    error: Option<String>,
    #[serde(default)]
    log: Vec<String>,
    #[serde(default)]
    published: Vec<super::answer::Published>,
    /// All that there are now.
    #[serde(default)]
    retained: Vec<super::answer::Published>,
    #[serde(default)]
    disconnected: Vec<ClientKey>,
    #[serde(default)]
    forgotten: Vec<ClientKey>,
    #[serde(default)]
    reauthorized: Vec<ClientKey>,
    #[serde(default)]
    observed: Vec<(String, f64)>,
    #[serde(default)]
    metrics: BTreeMap<String, Figure>,
    #[serde(default)]
    random: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Figure {
    Count(u64),
    Gauge(f64),
}

/// What comes back for a configuration.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Start {
    Loaded {},
    Problems(Vec<Fault>),
    Error(String),
}

#[derive(Deserialize)]
struct Fault {
    path: String,
    message: String,
}

impl Component {
    /// Starts the component with a configuration; none when tests run natively.
    pub(super) fn start(config: &str) -> Option<Result<Self, Problems>> {
        let component = env::var_os(COMPONENT)?;
        let command = env::var_os(COMMAND).unwrap_or_else(|| "hookwire".into());
        let mut child = Command::new(&command)
            .args(["plugin", "serve"])
            .arg(component)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{command:?} cannot be run: {error}; set {COMMAND} to where it is")
            });
        let questions = child.stdin.take().expect("it is piped");
        let answers = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut process = Process {
            child,
            questions,
            answers,
        };
        // What is no JSON has to be refused by the plugin as it is natively.
        let config: Value = match serde_json::from_str(config) {
            Ok(config) => config,
            Err(error) => return Some(Err(Problem::at("", error).into())),
        };
        let secrets: Value = HOST.with_borrow(|host| {
            let secrets = host.secrets.iter();
            let secrets = secrets.map(|(name, secret)| (name.clone(), question::blob(secret)));
            Value::Object(secrets.collect())
        });
        Some(
            match process.exchange(&json!({ "config": config, "secrets": secrets })) {
                Start::Loaded {} => Ok(Self(RefCell::new(process))),
                Start::Problems(faults) => {
                    let problems = faults.into_iter();
                    Err(Problems(
                        problems
                            .map(|fault| Problem::at(fault.path, fault.message))
                            .collect(),
                    ))
                }
                Start::Error(error) => panic!("the component does not load: {error}"),
            },
        )
    }

    /// Puts a question of a hook, with what the mock knows, and lets the mock know what was done.
    ///
    /// # Panics
    /// When the call fails, as a plugin's own panic would end a test natively.
    pub(super) fn ask<A: DeserializeOwned>(&self, hook: &str, asked: Value) -> A {
        let request = HOST.with_borrow(|host| request(host, hook, asked));
        let reply: Reply = self.0.borrow_mut().exchange(&request);
        if let Some(error) = reply.error {
            panic!("{hook}: {error}");
        }
        if let (Some(failure), Some(detail)) = (reply.answer.get("failure"), reply.answer.get("detail")) {
            panic!("{hook} failed: {failure}: {detail}");
        }
        let answer = serde_json::from_value(reply.answer.clone())
            .unwrap_or_else(|error| panic!("{hook}: {error} in {}", reply.answer));
        HOST.with_borrow_mut(|host| take_in(host, reply));
        answer
    }

    /// Calls `tick`, then `health`.
    pub(super) fn tick(&self) {
        self.ask::<Value>("tick", Value::Null);
    }
}

fn request(host: &Host, hook: &str, asked: Value) -> Value {
    let clients = host.clients.iter();
    let clients: Value = clients
        .map(|(key, client)| question::client(*key, client))
        .collect();
    let retained: Value = host.retained.values().map(question::retained).collect();
    json!({
        "hook": hook,
        "question": asked,
        "clients": clients,
        "retained": retained,
        "unix_ms": host.now_ms,
        "monotonic_ns": host.monotonic_ns,
        "random": host.random_state,
    })
}

fn take_in(host: &mut Host, reply: Reply) {
    host.log_lines.extend(reply.log);
    host.published
        .extend(reply.published.into_iter().map(MessageBuf::from));
    let retained = reply.retained.into_iter().map(MessageBuf::from);
    host.retained = retained.map(|message| (message.topic.clone(), message)).collect();
    host.disconnected.extend(reply.disconnected);
    host.forgotten.extend(reply.forgotten);
    host.reauthorized.extend(reply.reauthorized);
    for (name, value) in reply.observed {
        host.observed.entry(name).or_default().push(value);
    }
    host.random_state = reply.random;
    for (name, figure) in reply.metrics {
        match figure {
            Figure::Count(count) => drop(host.counters.insert(name, count)),
            Figure::Gauge(gauge) => drop(host.gauges.insert(name, gauge)),
        }
    }
}

impl Process {
    fn exchange<R: DeserializeOwned>(&mut self, request: &Value) -> R {
        let mut line = String::new();
        let sent = writeln!(self.questions, "{request}").and_then(|()| self.questions.flush());
        let read = sent.and_then(|()| self.answers.read_line(&mut line));
        match read {
            Ok(1..) => serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in {line:?}")),
            _ => panic!("`hookwire plugin serve` has ended; what it said is above"),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
