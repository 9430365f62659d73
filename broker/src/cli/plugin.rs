//! `hookwire plugin …`

use std::io::Write;

use clap::Subcommand;
use hyper::Method;
use serde_json::Value;

use super::endpoint::{EndpointArgs, block_on, encoded, good};
use super::plugin_author::AuthorCommand;
use super::record::RecordArgs;
use super::table::table;
use crate::author;
use crate::output::output;

/// About plugins.
#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// For those who write them.
    #[command(flatten)]
    Author(AuthorCommand),
    /// List the plugins of a running broker: what they did, and what went wrong
    List {
        /// Where the broker is.
        #[command(flatten)]
        endpoint: EndpointArgs,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Show everything about one plugin of a running broker, as JSON
    Show {
        /// Its name in the configuration
        name: String,
        /// Where the broker is.
        #[command(flatten)]
        endpoint: EndpointArgs,
    },
    /// Ask a plugin of a running broker something that its own page describes
    Control {
        /// Its name in the configuration
        name: String,
        /// The request, JSON
        #[arg(value_name = "JSON")]
        request: String,
        /// Where the broker is.
        #[command(flatten)]
        endpoint: EndpointArgs,
    },
    /// Write down what a plugin of a running broker is asked and what it answers, to be asked again off-line
    Record(RecordArgs),
}

impl PluginCommand {
    pub(super) fn execute(self) -> anyhow::Result<()> {
        match self {
            Self::Author(command) => author::run(command).map(drop),
            Self::List { endpoint, json } => list(&endpoint, json),
            Self::Show { name, endpoint } => show(&endpoint, &name),
            Self::Control {
                name,
                request,
                endpoint,
            } => control(&endpoint, &name, request),
            Self::Record(args) => args.execute(),
        }
    }
}

fn list(endpoint: &EndpointArgs, json: bool) -> anyhow::Result<()> {
    let listed = block_on(endpoint.find()?.get("/v1/plugins"))?;
    if json {
        writeln!(output(), "{listed:#}")?;
    } else {
        write!(output(), "{}", listing(&listed))?;
    }
    Ok(())
}

fn show(endpoint: &EndpointArgs, name: &str) -> anyhow::Result<()> {
    let path = format!("/v1/plugins/{}", encoded(name));
    let shown = block_on(endpoint.find()?.get(&path))?;
    Ok(writeln!(output(), "{shown:#}")?)
}

fn control(endpoint: &EndpointArgs, name: &str, request: String) -> anyhow::Result<()> {
    let path = format!("/v1/plugins/{}/control", encoded(name));
    let endpoint = endpoint.find()?;
    let (status, answer) = block_on(endpoint.send(Method::POST, &path, Some(request)))?;
    Ok(writeln!(output(), "{:#}", good(status, answer)?)?)
}

const TITLES: [&str; 9] = [
    "NAME",
    "STATE",
    "GENERATION",
    "HOOKS",
    "CALLS",
    "FAILURES",
    "CIRCUIT",
    "MEMORY",
    "LAST ERROR",
];

/// The plugins in the order in which they are asked, then those that do not load.
fn listing(listed: &Value) -> String {
    let rows: Vec<_> = array(&listed["plugins"]).iter().map(row).collect();
    let mut shown = table(TITLES, &rows);
    for problem in array(&listed["refused"]["problems"]) {
        shown.push_str(&format!(
            "the configuration file is refused: {}\n",
            super::reload::fault(problem)
        ));
    }
    shown
}

fn row(plugin: &Value) -> [String; TITLES.len()] {
    let stats = &plugin["stats"];
    let hooks: Vec<_> = array(&plugin["hooks"]).iter().map(text).collect();
    let hooks = if hooks.is_empty() {
        "-".to_owned()
    } else {
        hooks.join(",")
    };
    let error = [&plugin["error"], &stats["last_error"]];
    let error = error.into_iter().find(|error| !error.is_null());
    [
        text(&plugin["name"]),
        text(&plugin["state"]),
        text(&stats["generation"]),
        hooks,
        text(&plugin["calls"]),
        text(&plugin["failures"]),
        circuit(stats),
        size(stats["instances"]["memory_bytes_peak"].as_u64()),
        text(error.unwrap_or(&Value::Null)),
    ]
}

/// The worst of its hooks' circuits, where there are such.
fn circuit(stats: &Value) -> String {
    let states = array(&stats["hooks"])
        .iter()
        .filter_map(|hook| hook["circuit"].as_str());
    let worst = states.max_by_key(|state| *state != "closed");
    worst.unwrap_or("-").to_owned()
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn size(bytes: Option<u64>) -> String {
    match bytes {
        None => "-".to_owned(),
        Some(bytes) if bytes < 10 << 20 => format!("{} KiB", bytes >> 10),
        Some(bytes) => format!("{} MiB", bytes >> 20),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_plugin_is_a_row() {
        let listed = json!({
            "plugins": [{
                "name": "acl", "state": "circuit-open", "error": null, "hooks": ["authorize", "control"],
                "calls": 12, "failures": 1,
                "stats": {
                    "generation": 3, "instances": { "memory_bytes_peak": 1_114_112 },
                    "hooks": [{ "circuit": "closed" }, { "circuit": "open" }],
                    "last_error": "authorize: trap",
                },
            }, {
                "name": "jwt", "state": "failed", "error": "cannot read", "stats": null,
            }],
            "refused": { "at_ms": 1, "problems": [{ "file": "h.toml", "line": 3, "message": "wrong" }] },
        });
        assert_eq!(
            listing(&listed),
            "NAME  STATE         GENERATION  HOOKS              CALLS  FAILURES  CIRCUIT  MEMORY    LAST ERROR\n\
             acl   circuit-open  3           authorize,control  12     1         open     1088 KiB  authorize: trap\n\
             jwt   failed        -           -                  -      -         -        -         cannot read\n\
             the configuration file is refused: h.toml:3: wrong\n"
        );
    }
}
