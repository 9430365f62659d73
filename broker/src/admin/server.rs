//! Connections to the endpoint, within limits.

use std::convert::Infallible;
use std::sync::Arc;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::Semaphore;
use tokio::time::{Duration, sleep};

use super::patience::Patience;
use super::reply::Reply;
use super::{Admin, guard, routes};
use crate::metrics::Limit;
use crate::net::{AdminSocket, Stream, Way};

/// Headers of one request; `curl` sends three, a browser fifteen.
const HEADERS_MAX: usize = 64;
/// How long accepting rests when the system has no descriptor left.
const REST: Duration = Duration::from_millis(100);

/// Serves until the task is aborted. The slots are those of all sockets together.
pub async fn serve(admin: Admin, socket: AdminSocket, slots: Arc<Semaphore>) {
    let way = match socket.way() {
        Ok(way) => way,
        Err(error) => return tracing::error!("admin endpoint: {error}"),
    };
    loop {
        match socket.accept().await {
            Ok(stream) => match slots.clone().try_acquire_owned() {
                Ok(slot) => {
                    let admin = admin.clone();
                    tokio::spawn(async move {
                        serve_connection(admin, stream, way).await;
                        drop(slot);
                    });
                }
                Err(_) => admin.reached(Limit::AdminConnectionsMax),
            },
            Err(error) => {
                tracing::warn!("admin endpoint: cannot accept: {error}");
                sleep(REST).await;
            }
        }
    }
}

/// Serves one connection to its end.
pub(super) async fn serve_connection(admin: Admin, stream: impl Stream, way: Way) {
    let settings = admin.broker().settings().admin.clone();
    let slow = admin.clone();
    let stream = Patience::new(stream, settings.timeout, move || {
        slow.reached(Limit::AdminTimeout)
    });
    let service = service_fn(|request| {
        let admin = admin.clone();
        async move { Ok::<_, Infallible>(answer(&admin, way, request).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.timeout)
        .max_buf_size(settings.header_bytes_max)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        if error.is_timeout() {
            admin.reached(Limit::AdminTimeout);
        }
        tracing::debug!("admin endpoint: {error}");
    }
}

async fn answer(admin: &Admin, way: Way, request: Request<Incoming>) -> Reply {
    let (head, body) = request.into_parts();
    // As they are now, not as they were when the connection began: a token may have been changed.
    let settings = admin.broker().settings().admin.clone();
    let trust = match guard::judge(&settings, way, &head) {
        Ok(trust) => trust,
        Err(refusal) => {
            tracing::debug!(status = refusal.status.as_u16(), "admin request refused");
            return refusal.into();
        }
    };
    routes::answer(admin, &settings, trust, &head, body).await
}

impl Admin {
    pub(super) fn reached(&self, limit: Limit) {
        self.broker().metrics().limits.reached(limit);
    }
}
