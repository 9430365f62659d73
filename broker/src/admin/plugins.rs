//! Plugins: what they are, what they did, and what they are asked.

use std::fmt::Write;

use bytes::Bytes;
use hookwire_hooks::{FailureKind, Hook, OnFailure, Plugin};
use hookwire_plugin_host::{HookStats, MetricValue, PluginStats};
use hyper::StatusCode;
use serde_json::{Map, Value, json};

use super::Admin;
use super::query::bad;
use super::reply::{self, Reply};
use crate::in_force::Standing;

/// `GET /v1/plugins`
pub(super) fn list(admin: &Admin) -> Reply {
    let policy = admin.in_force().policy();
    let plugins: Vec<_> = policy.plugins.iter().map(describe).collect();
    reply::ok(&json!({
        "generation": policy.generation,
        "plugins": plugins,
        "left_out": admin.in_force().left_out(),
        "refused": admin.in_force().refusal(),
    }))
}

/// `GET /v1/plugins/NAME`
pub(super) fn one(admin: &Admin, name: &str) -> Result<Reply, Reply> {
    Ok(reply::ok(&describe(&standing(admin, name)?)))
}

/// The plugin of this name.
///
/// # Errors
/// There is none.
pub(super) fn standing(admin: &Admin, name: &str) -> Result<Standing, Reply> {
    let policy = admin.in_force().policy();
    let found = policy
        .plugins
        .iter()
        .find(|standing| standing.plugin.spec().name == name);
    found
        .cloned()
        .ok_or_else(|| reply::error(StatusCode::NOT_FOUND, format!("no plugin {name:?} is in force")))
}

/// `POST /v1/plugins/NAME/control`
pub(super) async fn control(admin: &Admin, name: &str, request: Bytes) -> Result<Reply, Reply> {
    let request = String::from_utf8(request.into()).map_err(bad)?;
    serde_json::from_str::<serde::de::IgnoredAny>(&request).map_err(bad)?;
    let chain = admin.broker().chain().clone();
    let Some(plugin) = chain.plugin(name).cloned() else {
        let text = format!("no plugin {name:?} is in force");
        return Err(reply::error(StatusCode::NOT_FOUND, text));
    };
    if !plugin.hooks().contains(Hook::Control) {
        let text = format!("plugin {name:?} has no control hook");
        return Err(reply::error(StatusCode::NOT_IMPLEMENTED, text));
    }
    match plugin.control(request).await {
        Ok(Ok(answer)) => match serde_json::from_str::<Value>(&answer) {
            Ok(answer) => Ok(reply::ok(&answer)),
            Err(error) => Err(reply::error(
                StatusCode::BAD_GATEWAY,
                format!("the plugin's answer is no JSON: {error}"),
            )),
        },
        Ok(Err(text)) => Err(reply::error(StatusCode::UNPROCESSABLE_ENTITY, text)),
        Err(failure) => {
            let status = match failure.kind {
                FailureKind::NoInstance => StatusCode::SERVICE_UNAVAILABLE,
                FailureKind::Deadline => StatusCode::GATEWAY_TIMEOUT,
                _ => StatusCode::BAD_GATEWAY,
            };
            let refused = json!({ "error": failure.detail, "failure": failure.kind.as_str() });
            Err(reply::json(status, &refused))
        }
    }
}

fn describe(standing: &Standing) -> Value {
    let Standing { plugin, since } = standing;
    let (spec, stats) = (plugin.spec(), plugin.stats());
    let hooks: Vec<_> = plugin.hooks().iter().map(Hook::as_str).collect();
    let rule = |hook: Hook| {
        (
            hook.as_str().to_owned(),
            failure_means(spec.on_failure.of(hook)).into(),
        )
    };
    let on_failure: Map<String, Value> = plugin.hooks().iter().map(rule).collect();
    json!({
        "name": spec.name,
        "state": "active",
        "generation": since,
        "source": format!("{:?}", spec.source),
        "sha256": hex(&plugin.digest()),
        "hooks": hooks,
        "grants": {
            "clients": spec.grants.clients,
            "publish": spec.grants.publish.iter().map(|filter| filter.as_str()).collect::<Vec<_>>(),
            "kv_bytes_max": spec.grants.kv_bytes_max,
            "metrics": spec.grants.metrics,
            "random": spec.grants.random,
            "http": spec.grants.http.iter().flat_map(|http| &http.origins).map(ToString::to_string).collect::<Vec<_>>(),
        },
        "topics": spec.topics.iter().map(|filter| filter.as_str()).collect::<Vec<_>>(),
        "on_failure": on_failure,
        "limits": {
            "deadline_ms": millis(spec.deadline),
            "deadline_slow_ms": millis(spec.deadline_slow),
            "memory_bytes_max": spec.memory_bytes_max,
            "instances_max": spec.instances_max,
            "may_wait": spec.may_wait,
        },
        "stats": describe_stats(&stats),
        "last_error": stats.last_error,
    })
}

fn failure_means(on_failure: OnFailure) -> &'static str {
    match on_failure {
        OnFailure::Deny => "deny",
        OnFailure::Pass => "pass",
        OnFailure::Disconnect => "disconnect",
    }
}

fn describe_stats(stats: &PluginStats) -> Value {
    json!({
        "calls": stats.hooks.iter().map(|hook| hook.calls).sum::<u64>(),
        "failures": stats.hooks.iter().map(failed).sum::<u64>(),
        "hooks": stats.hooks.iter().map(describe_hook).collect::<Vec<_>>(),
        "batch": stats.batch,
        "batch_retries": stats.batch_retries,
        "instances": {
            "live": stats.instances.live,
            "created": stats.instances.created,
            "discarded": stats.instances.discarded,
            "memory_bytes_peak": stats.instances.memory_bytes_peak,
        },
        "http": {
            "requests": stats.http.requests,
            "errors": stats.http.errors.iter().map(|(kind, times)| ((*kind).to_owned(), (*times).into())).collect::<Map<String, Value>>(),
            "total_ns": stats.http.total_ns,
        },
        "publishes": stats.publishes,
        "publishes_dropped": stats.publishes_dropped,
        "log_lines_suppressed": stats.log_lines_suppressed,
        "ticks": stats.ticks,
        "tick_failures": stats.tick_failures,
        "kv": { "entries": stats.kv_entries, "bytes": stats.kv_bytes },
        "metrics": stats.metrics.iter().map(|(name, value)| (name.clone(), figure(*value))).collect::<Map<_, _>>(),
    })
}

fn failed(hook: &HookStats) -> u64 {
    hook.failures.iter().map(|(_, times)| times).sum()
}

fn describe_hook(hook: &HookStats) -> Value {
    let failures = hook.failures.iter();
    let failures = failures.map(|(kind, times)| (kind.as_str().to_owned(), (*times).into()));
    let verdicts = hook.verdicts.iter();
    let verdicts = verdicts.map(|(name, times)| ((*name).to_owned(), (*times).into()));
    json!({
        "hook": hook.hook.as_str(),
        "calls": hook.calls,
        "questions": hook.messages,
        "verdicts": verdicts.collect::<Map<String, Value>>(),
        "failures": failures.collect::<Map<String, Value>>(),
        "total_ns": hook.total_ns,
    })
}

fn figure(value: MetricValue) -> Value {
    match value {
        MetricValue::Count(count) => json!({ "counter": count }),
        MetricValue::Gauge(level) => json!({ "gauge": level }),
    }
}

fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
