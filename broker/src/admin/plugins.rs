//! Plugins: what they are, what they did, and what they are asked.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hookwire_hooks::{FailureKind, Hook, OnFailure, Plugin};
use hookwire_plugin_host::{Grants, HookStats, LoadedPlugin, Mode, PluginSpec, Power};
use hookwire_protocol::TopicFilter;
use hyper::StatusCode;
use serde_json::{Map, Value, json};

use super::Admin;
use super::query::bad;
use super::reply::{self, Refusal, Reply};
use crate::policy::PluginStatus;

/// `GET /v1/plugins`
pub(super) fn list(admin: &Admin) -> Reply {
    let status = admin.policy().status();
    reply::ok(&json!({
        "generation": status.generation,
        "plugins": status.plugins.iter().map(describe).collect::<Vec<_>>(),
        "refused": status.refusal,
    }))
}

/// `GET /v1/plugins/NAME`
pub(super) fn one(admin: &Admin, name: &str) -> Result<Reply, Refusal> {
    let status = admin.policy().status();
    let found = status.plugins.iter().find(|plugin| plugin.name == name);
    match found {
        Some(plugin) => Ok(reply::ok(&describe(plugin))),
        None => Err(unknown(name)),
    }
}

/// The plugin in force of this name.
///
/// # Errors
/// There is none.
pub(super) fn in_force(admin: &Admin, name: &str) -> Result<Arc<LoadedPlugin>, Refusal> {
    let plugins = admin.policy().in_force();
    let found = plugins.into_iter().find(|plugin| plugin.name() == name);
    found.ok_or_else(|| unknown(name))
}

fn unknown(name: &str) -> Refusal {
    reply::error(StatusCode::NOT_FOUND, format!("no plugin {name:?} is in force"))
}

/// `POST /v1/plugins/NAME/control`
pub(super) async fn control(admin: &Admin, name: &str, request: Bytes) -> Result<Reply, Refusal> {
    let request = String::from_utf8(request.into()).map_err(bad)?;
    serde_json::from_str::<serde::de::IgnoredAny>(&request).map_err(bad)?;
    let chain = admin.broker().chain().clone();
    let Some(plugin) = chain.plugin(name).cloned() else {
        return Err(unknown(name));
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
                FailureKind::NoInstance | FailureKind::CircuitOpen => StatusCode::SERVICE_UNAVAILABLE,
                FailureKind::Deadline => StatusCode::GATEWAY_TIMEOUT,
                _ => StatusCode::BAD_GATEWAY,
            };
            Err(Refusal {
                status,
                body: json!({ "error": failure.detail, "failure": failure.kind.as_str() }),
            })
        }
    }
}

fn describe(status: &PluginStatus) -> Value {
    let mut described = json!(status);
    if let (Some(plugin), Some(stats)) = (&status.plugin, &status.stats) {
        let calls: u64 = stats.hooks.iter().map(|hook| hook.calls).sum();
        let failures: u64 = stats.hooks.iter().map(failed).sum();
        described["calls"] = calls.into();
        described["failures"] = failures.into();
        for (key, value) in describe_spec(plugin) {
            described[key] = value;
        }
    }
    described
}

fn failed(hook: &HookStats) -> u64 {
    hook.failures.iter().map(|(_, times)| times).sum()
}

/// What it was made of and may do.
fn describe_spec(plugin: &LoadedPlugin) -> [(&'static str, Value); 8] {
    let spec = plugin.spec();
    let hooks: Vec<_> = plugin.hooks().iter().map(Hook::as_str).collect();
    let may: Vec<_> = spec.may.iter().map(Power::as_str).collect();
    let rule = |hook: Hook| {
        let means = failure_means(spec.on_failure.of(hook));
        (hook.as_str().to_owned(), means.into())
    };
    // Who asks at control is told of the failure; nothing stands in for it.
    let with_rules = plugin.hooks().iter().filter(|hook| *hook != Hook::Control);
    let on_failure: Map<String, Value> = with_rules.map(rule).collect();
    [
        ("source", format!("{:?}", spec.source).into()),
        ("mode", mode(spec.mode).into()),
        ("hooks", hooks.into()),
        ("may", may.into()),
        ("grants", describe_grants(&spec.grants)),
        ("topics", filters(&spec.topics)),
        ("on_failure", on_failure.into()),
        ("limits", describe_limits(spec)),
    ]
}

/// Of secrets the names.
fn describe_grants(grants: &Grants) -> Value {
    let retained = grants.retained.as_ref();
    let retained = retained
        .map(|retained| json!({ "read": filters(&retained.read), "write": filters(&retained.write) }));
    let origins = grants.http.iter().flat_map(|http| &http.origins);
    json!({
        "clients": grants.clients,
        "publish": filters(&grants.publish),
        "kv_bytes_max": grants.kv_bytes_max,
        "kv_durable": grants.kv_durable,
        "retained": retained,
        "secrets": grants.secrets.keys().collect::<Vec<_>>(),
        "password": grants.password,
        "rate_limit_keys_max": grants.rate_limit_keys_max,
        "metrics": grants.metrics,
        "random": grants.random,
        "http": origins.map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn describe_limits(spec: &PluginSpec) -> Value {
    json!({
        "deadline_ms": millis(spec.deadline),
        "deadline_slow_ms": millis(spec.deadline_slow),
        "memory_bytes_max": spec.memory_bytes_max,
        "instances_max": spec.instances_max,
        "may_wait": spec.may_wait,
        "breaker": {
            "failures": spec.breaker.failures,
            "window_ms": millis(spec.breaker.window),
            "retry_after_ms": millis(spec.breaker.retry_after),
            "retry_after_max_ms": millis(spec.breaker.retry_after_max),
        },
    })
}

fn filters(filters: &[TopicFilter]) -> Value {
    let filters = filters.iter();
    filters.map(|filter| Value::from(filter.as_str())).collect()
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Enforce => "enforce",
        Mode::Shadow => "shadow",
    }
}

fn failure_means(on_failure: OnFailure) -> &'static str {
    match on_failure {
        OnFailure::Deny => "deny",
        OnFailure::Pass => "pass",
        OnFailure::Disconnect => "disconnect",
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
