//! `POST /v1/reload`

use hyper::StatusCode;
use tokio::sync::oneshot;

use super::Admin;
use super::reply::{self, Refusal, Reply};
use crate::policy::Outcome;

/// The same as SIGHUP, with an answer.
pub(super) async fn reload(admin: &Admin) -> Result<Reply, Refusal> {
    let Some(reloader) = admin.0.reloader.load_full() else {
        let text = "the broker runs without a configuration file, or is not ready yet";
        return Err(reply::error(StatusCode::CONFLICT, text));
    };
    let unavailable = || {
        reply::error(
            StatusCode::SERVICE_UNAVAILABLE,
            "the broker does not reload any more",
        )
    };
    let (request, reloaded) = oneshot::channel();
    reloader.send(request).await.map_err(|_| unavailable())?;
    let reloaded = reloaded.await.map_err(|_| unavailable())?;
    let status = match reloaded.outcome {
        Outcome::InForce | Outcome::Unchanged => StatusCode::OK,
        Outcome::Refused => StatusCode::UNPROCESSABLE_ENTITY,
    };
    Ok(reply::json(status, &reloaded))
}
