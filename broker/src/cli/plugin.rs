//! `hookwire plugin …`

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Subcommand;
use hookwire_hooks::NoHost;
use hookwire_plugin_host::{HostLimits, PluginHost};
use hyper::Method;
use serde_json::Value;

use super::endpoint::{EndpointArgs, block_on, encoded, good};
use super::record::RecordArgs;
use super::table::table;
use crate::inspect::describe;

/// About plugins.
#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// Show what a component exports, imports, and needs to be granted
    Inspect {
        /// The component
        file: PathBuf,
    },
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
            Self::Inspect { file } => inspect(&file),
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

fn inspect(file: &Path) -> anyhow::Result<()> {
    let bytes = std::fs::read(file)?;
    let host = PluginHost::new(HostLimits::default(), Arc::new(NoHost))?;
    print!("{}", describe(&host.inspect(&bytes)?));
    Ok(())
}

fn list(endpoint: &EndpointArgs, json: bool) -> anyhow::Result<()> {
    let listed = block_on(endpoint.find()?.get("/v1/plugins"))?;
    if json {
        println!("{listed:#}");
    } else {
        print!("{}", listing(&listed));
    }
    Ok(())
}

fn show(endpoint: &EndpointArgs, name: &str) -> anyhow::Result<()> {
    let path = format!("/v1/plugins/{}", encoded(name));
    println!("{:#}", block_on(endpoint.find()?.get(&path))?);
    Ok(())
}

fn control(endpoint: &EndpointArgs, name: &str, request: String) -> anyhow::Result<()> {
    let path = format!("/v1/plugins/{}/control", encoded(name));
    let endpoint = endpoint.find()?;
    let (status, answer) = block_on(endpoint.send(Method::POST, &path, Some(request)))?;
    println!("{:#}", good(status, answer)?);
    Ok(())
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

/// The plugins in the order in which they are asked, then those that the broker does without.
fn listing(listed: &Value) -> String {
    let plugins = array(&listed["plugins"]).iter().map(row);
    let left_out = array(&listed["left_out"]).iter().map(|left_out| {
        let mut row: [String; TITLES.len()] = std::array::from_fn(|_| "-".to_owned());
        row[0] = text(&left_out["name"]);
        row[1] = "left out".to_owned();
        row[8] = text(&left_out["reason"]);
        row
    });
    let rows: Vec<_> = plugins.chain(left_out).collect();
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
    [
        text(&plugin["name"]),
        text(&plugin["state"]),
        text(&plugin["generation"]),
        hooks.join(","),
        text(&stats["calls"]),
        text(&stats["failures"]),
        circuit(stats),
        size(stats["instances"]["memory_bytes_peak"].as_u64()),
        text(&plugin["last_error"]),
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
                "name": "acl", "state": "active", "generation": 3, "hooks": ["authorize", "control"],
                "stats": {
                    "calls": 12, "failures": 1, "instances": { "memory_bytes_peak": 1_114_112 },
                    "hooks": [{ "circuit": "closed" }, { "circuit": "open" }],
                },
                "last_error": "authorize: trap",
            }],
            "left_out": [{ "name": "jwt", "reason": "cannot read" }],
            "refused": { "at_ms": 1, "problems": [{ "file": "h.toml", "line": 3, "message": "wrong" }] },
        });
        assert_eq!(
            listing(&listed),
            "NAME  STATE     GENERATION  HOOKS              CALLS  FAILURES  CIRCUIT  MEMORY    LAST ERROR\n\
             acl   active    3           authorize,control  12     1         open     1088 KiB  authorize: trap\n\
             jwt   left out  -           -                  -      -         -        -         cannot read\n\
             the configuration file is refused: h.toml:3: wrong\n"
        );
    }
}
