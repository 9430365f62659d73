//! Whether the broker is well.

use hyper::StatusCode;
use serde_json::json;

use super::Admin;
use super::guard::Trust;
use super::reply::{self, Reply};
use crate::broker::MemoryState;

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
        "generation": admin.in_force().policy().generation,
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
    if admin.in_force().refusal().is_some() {
        problems
            .push("the last reload was refused: the configuration file is not what is in force".to_owned());
    }
    for left_out in admin.in_force().left_out() {
        problems.push(format!(
            "plugin {:?} is left out: {}",
            left_out.name, left_out.reason
        ));
    }
    problems
}
