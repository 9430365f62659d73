//! `hookwire reload`

use std::io::Write;

use anyhow::bail;
use hyper::Method;
use serde_json::Value;

use super::endpoint::{EndpointArgs, block_on, good};
use crate::output::output;

pub(super) fn reload(endpoint: &EndpointArgs) -> anyhow::Result<()> {
    let endpoint = endpoint.find()?;
    let (status, reloaded) = block_on(endpoint.send(Method::POST, "/v1/reload", None))?;
    if let Some(problems) = reloaded["problems"]
        .as_array()
        .filter(|problems| !problems.is_empty())
    {
        let lines: Vec<_> = problems.iter().map(fault).collect();
        bail!("refused, the running configuration stays:\n{}", lines.join("\n"));
    }
    let reloaded = good(status, reloaded)?;
    let generation = &reloaded["generation"];
    match reloaded["outcome"].as_str() {
        Some("unchanged") => writeln!(
            output(),
            "nothing has changed, generation {generation} stays in force"
        )?,
        _ => writeln!(output(), "in force, generation {generation}")?,
    }
    for key in reloaded["needs_restart"].as_array().into_iter().flatten() {
        let key = key.as_str().unwrap_or_default();
        writeln!(output(), "a change of {key} takes effect at the next start")?;
    }
    Ok(())
}

/// `hookwire.toml:12: limits.x: …`, or what of it is known.
pub(super) fn fault(fault: &Value) -> String {
    let mut text = String::new();
    if let Some(file) = fault["file"].as_str() {
        text.push_str(file);
        text.push(':');
        if let Some(line) = fault["line"].as_u64() {
            text.push_str(&format!("{line}:"));
        }
        text.push(' ');
    }
    if let Some(key) = fault["key"].as_str() {
        text.push_str(&format!("{key}: "));
    }
    text.push_str(fault["message"].as_str().unwrap_or_default());
    text
}
