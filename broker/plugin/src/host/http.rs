//! `http`: requests to servers that are granted.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinError, JoinHandle};
use wasmtime::StoreContextMut;
use wasmtime::component::Linker;

use crate::bindings::imports::http::{Error, Header, Host, Request, Response};
use crate::clock;
use crate::guest::Guest;
use crate::http::{Ask, HttpError, Reply};

/// In calls that may not wait.
pub(super) fn add_refusing(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut interface = linker.instance("hookwire:plugin/http@0.1.0")?;
    interface.func_wrap("send", |guest: StoreContextMut<'_, Guest>, _: (Request,)| {
        let refused = guest.data().refuse();
        Ok((Err::<Response, Error>(refused),))
    })
}

impl Guest {
    fn refuse(&self) -> Error {
        self.services.counters.http.not_in_this_hook();
        Error::NotInThisHook
    }
}

impl Host for Guest {
    async fn send(&mut self, request: Request) -> wasmtime::Result<Result<Response, Error>> {
        let Some(patience) = self.patience() else {
            return Ok(Err(self.refuse()));
        };
        let Some(http) = self.services.http.clone() else {
            return Ok(Err(Error::Denied("no server is granted".to_owned())));
        };
        self.note(|| format!("http.send({} {})", request.method, request.url));
        let asked = request
            .timeout_ms
            .map_or(Duration::MAX, |ms| Duration::from_millis(ms.into()));
        let limit = asked.min(http.timeout()).min(patience);
        let start = clock::now();
        // In a task of its own: this runs on the small stack of the guest.
        let exchange = Exchange(tokio::spawn(Arc::clone(&http).send(ask(request))));
        let outcome = tokio::time::timeout(limit, exchange.outcome()).await;
        let took = start.elapsed();
        self.has_waited(took);
        let outcome = outcome.unwrap_or(Err(HttpError::Timeout));
        self.services.counters.http.count(took, outcome.as_ref().err());
        if self.watch.overrun().is_some() {
            return Err(wasmtime::format_err!("the call has waited too long"));
        }
        Ok(outcome.map(response).map_err(Error::from))
    }
}

/// A request on its way, which ends with whoever waits for it.
struct Exchange(JoinHandle<Result<Reply, HttpError>>);

impl Exchange {
    async fn outcome(mut self) -> Result<Reply, HttpError> {
        let broken = |_: JoinError| HttpError::Protocol("the request was broken off".to_owned());
        (&mut self.0).await.unwrap_or_else(|error| Err(broken(error)))
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn ask(request: Request) -> Ask {
    Ask {
        method: request.method,
        url: request.url,
        headers: request
            .headers
            .into_iter()
            .map(|header| (header.name, header.value))
            .collect(),
        body: request.body,
    }
}

fn response(reply: Reply) -> Response {
    Response {
        status: reply.status,
        headers: reply
            .headers
            .into_iter()
            .map(|(name, value)| Header { name, value })
            .collect(),
        body: reply.body,
    }
}

impl From<HttpError> for Error {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::Denied(reason) => Self::Denied(reason),
            HttpError::Invalid(reason) => Self::InvalidRequest(reason),
            HttpError::Timeout => Self::Timeout,
            HttpError::TooLarge => Self::TooLarge,
            HttpError::Connect(reason) => Self::Connect(reason),
            HttpError::Protocol(reason) => Self::Protocol(reason),
        }
    }
}
