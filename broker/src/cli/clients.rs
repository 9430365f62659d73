//! `hookwire clients`

use std::io::Write;

use anyhow::ensure;
use clap::{Args, Subcommand};
use hyper::{Method, StatusCode};
use serde_json::Value;

use super::endpoint::{Endpoint, EndpointArgs, block_on, encoded, good};
use super::table::table;
use crate::output::output;

/// Rows that are asked for at a time.
const PAGE: usize = 1000;

/// About clients.
#[derive(Debug, Args)]
pub struct ClientsCommand {
    /// What to do; without: list them
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    endpoint: EndpointArgs,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show everything about one client, as JSON
    Show {
        /// Client id
        client_id: String,
        #[command(flatten)]
        endpoint: EndpointArgs,
    },
    /// Close a client's connection
    Kick {
        /// Client id
        client_id: String,
        #[command(flatten)]
        endpoint: EndpointArgs,
    },
}

impl ClientsCommand {
    pub(super) fn execute(self) -> anyhow::Result<()> {
        match self.action {
            None => list(&self.endpoint),
            Some(Action::Show { client_id, endpoint }) => {
                let path = format!("/v1/clients/{}", encoded(&client_id));
                let shown = block_on(endpoint.find()?.get(&path))?;
                Ok(writeln!(output(), "{shown:#}")?)
            }
            Some(Action::Kick { client_id, endpoint }) => {
                let path = format!("/v1/clients/{}", encoded(&client_id));
                let endpoint = endpoint.find()?;
                let (status, answer) = block_on(endpoint.send(Method::DELETE, &path, None))?;
                good(status, answer)?;
                ensure!(status == StatusCode::NO_CONTENT, "the broker answered {status}");
                Ok(())
            }
        }
    }
}

fn list(endpoint: &EndpointArgs) -> anyhow::Result<()> {
    let endpoint = endpoint.find()?;
    let rows = block_on(rows(&endpoint))?;
    let titles = [
        "CLIENT ID",
        "USER",
        "CONNECTED",
        "ADDRESS",
        "LISTENER",
        "MQTT",
        "SUBSCRIPTIONS",
        "INFLIGHT",
        "QUEUED",
    ];
    Ok(write!(output(), "{}", table(titles, &rows))?)
}

async fn rows(endpoint: &Endpoint) -> anyhow::Result<Vec<[String; 9]>> {
    let mut rows = Vec::new();
    let mut after = String::new();
    loop {
        let page = endpoint.get(&format!("/v1/clients?limit={PAGE}{after}")).await?;
        rows.extend(page["clients"].as_array().into_iter().flatten().map(row));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={}", encoded(next)),
            None => return Ok(rows),
        }
    }
}

fn row(client: &Value) -> [String; 9] {
    let text = |key: &str| match &client[key] {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        other => other.to_string(),
    };
    [
        "client_id",
        "username",
        "connected",
        "address",
        "listener",
        "version",
        "subscriptions",
        "inflight",
        "queued",
    ]
    .map(text)
}
