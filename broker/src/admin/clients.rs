//! Sessions and their connections.

use hyper::StatusCode;
use serde_json::json;

use super::Admin;
use super::query::{self, Query, bad};
use super::reply::{self, Refusal, Reply};

/// Sessions of one answer, unless another number is asked for.
const PAGE: usize = 100;
/// … and the most that may be.
const PAGE_MAX: usize = 10_000;

/// `GET /v1/clients?limit=N&after=ID`
pub(super) async fn list(admin: &Admin, mut query: Query) -> Result<Reply, Refusal> {
    let limit = query.read("limit")?.unwrap_or(PAGE);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(bad(format!("limit: from 1 to {PAGE_MAX}")));
    }
    let after = query.text("after");
    query.finish()?;
    let broker = admin.broker().clone();
    // One more than wanted tells whether there are more.
    let mut clients = query::wait(move || broker.list_clients(after.as_deref(), limit + 1)).await?;
    let has_more = clients.len() > limit;
    clients.truncate(limit);
    let next = clients
        .last()
        .filter(|_| has_more)
        .map(|client| client.client_id.clone());
    Ok(reply::ok(&json!({ "clients": clients, "next": next })))
}

/// `GET /v1/clients/ID`
pub(super) fn one(admin: &Admin, client_id: &str) -> Result<Reply, Refusal> {
    let details = admin.broker().client_details(client_id);
    details
        .map(|details| reply::ok(&details))
        .ok_or_else(|| unknown("there is no session with this client id"))
}

/// `DELETE /v1/clients/ID`
pub(super) fn kick(admin: &Admin, client_id: &str) -> Result<Reply, Refusal> {
    if admin.broker().kick_client(client_id, None) {
        Ok(reply::empty())
    } else {
        Err(unknown("there is no connection with this client id"))
    }
}

fn unknown(text: &str) -> Refusal {
    reply::error(StatusCode::NOT_FOUND, text)
}
