//! Whether the broker is well.

use hookwire_plugin_host::PluginState;
use hookwire_store::Health;
use hyper::StatusCode;
use serde_json::json;

use super::Admin;
use super::guard::Trust;
use super::reply::{self, Reply};
use crate::broker::MemoryState;
use crate::policy::PluginStatus;

/// `GET /health`: the process lives, and what is not as it should be.
pub(super) fn health(admin: &Admin, trust: Trust) -> Reply {
    let problems = problems(admin);
    let status = if problems.is_empty() { "ok" } else { "degraded" };
    if trust == Trust::Stranger {
        return reply::ok(&json!({ "status": status }));
    }
    reply::ok(&json!({
        "status": status,
        "ready": admin.is_ready(),
        "version": env!("CARGO_PKG_VERSION"),
        "generation": admin.policy().generation(),
        "problems": problems,
    }))
}

/// `GET /ready`: clients may come.
pub(super) fn ready(admin: &Admin) -> Reply {
    let is_ready = admin.is_ready();
    let status = if is_ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    reply::json(status, &json!({ "ready": is_ready }))
}

/// What is not as it should be, although the broker works.
fn problems(admin: &Admin) -> Vec<String> {
    let mut problems = Vec::new();
    match admin.broker().memory_state() {
        MemoryState::Ample => {}
        MemoryState::Scarce => problems.push("memory is scarce: publishers are slowed".to_owned()),
        MemoryState::Full => problems.push(
            "memory is full: messages that would have to wait are refused, and new sessions".to_owned(),
        ),
    }
    match admin.broker().store_health() {
        None | Some(Health::Good) => {}
        Some(Health::Full) => problems.push(
            "the store, or its disk, is full: messages that would have to be kept are refused".to_owned(),
        ),
        Some(Health::Failed) => problems.push(
            "the store has failed: nothing is kept any more; look after the disk and start again".to_owned(),
        ),
    }
    match admin.broker().store_reads_failed() {
        None | Some(0) => {}
        Some(count) => problems.push(format!(
            "records could not be read {count} times, since they are damaged or the disk fails: the log names them"
        )),
    }
    let policy = admin.policy().status();
    if policy.refusal.is_some() {
        problems
            .push("the last reload was refused: the configuration file is not what is in force".to_owned());
    }
    problems.extend(policy.plugins.iter().filter_map(trouble_of));
    problems
}

/// What is wrong with a plugin.
fn trouble_of(plugin: &PluginStatus) -> Option<String> {
    let name = &plugin.name;
    let error = plugin.error.as_deref().unwrap_or_default();
    match plugin.state {
        PluginState::Active | PluginState::Shadow | PluginState::Loading => None,
        PluginState::Failed => Some(format!("plugin {name:?} is left out: {error}")),
        PluginState::Degraded => Some(format!("plugin {name:?} is degraded: {error}")),
        PluginState::CircuitOpen => Some(format!(
            "plugin {name:?} failed so often that it is left alone for a while"
        )),
    }
}
