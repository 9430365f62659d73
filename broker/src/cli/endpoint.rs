//! The admin endpoint of a running broker, as the other commands use it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use clap::Args;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::bundled::BUNDLED;
use crate::config::{ADMIN_ADDRESS, AdminSettings, Config};
use crate::net::{dial, dial_file};

/// The variable that may hold the token.
const TOKEN_VARIABLE: &str = "HOOKWIRE_ADMIN_TOKEN";

/// How long an answer may take to begin; a plugin that is asked has its own, shorter deadline.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What stands for itself in a path or query.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// Where the broker is.
#[derive(Debug, Clone, Args)]
pub struct EndpointArgs {
    /// Admin endpoint of the broker: an address such as 127.0.0.1:1882, or the path of a socket
    #[arg(long, value_name = "ADDR|SOCKET")]
    pub admin: Option<String>,
    /// Configuration file of the broker, which says where its admin endpoint is
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// File with the token, if one is needed; or put it into the variable HOOKWIRE_ADMIN_TOKEN
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Address(String),
    Socket(PathBuf),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(address) => f.write_str(address),
            Self::Socket(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Where requests go, and what is shown there.
#[derive(Debug)]
pub(super) struct Endpoint {
    place: Place,
    token: Option<String>,
}

/// Text in a path or query.
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

/// Does something that waits for the network.
pub(super) fn block_on<R>(step: impl Future<Output = anyhow::Result<R>>) -> anyhow::Result<R> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(step)
}

impl EndpointArgs {
    /// Finds the endpoint.
    pub(super) fn find(&self) -> anyhow::Result<Endpoint> {
        let settings = match &self.config {
            Some(file) => Some(Config::load(file, BUNDLED)?.admin),
            None => None,
        };
        Ok(Endpoint {
            place: self.place(settings.as_ref())?,
            token: self.token(settings.as_ref())?,
        })
    }

    fn place(&self, settings: Option<&AdminSettings>) -> anyhow::Result<Place> {
        match (&self.admin, settings) {
            (Some(place), _) => Ok(place_of(place)),
            (None, Some(settings)) => configured(settings),
            (None, None) => Ok(Place::Address(ADMIN_ADDRESS.to_string())),
        }
    }

    fn token(&self, settings: Option<&AdminSettings>) -> anyhow::Result<Option<String>> {
        if let Some(file) = &self.token_file {
            let token = std::fs::read_to_string(file).with_context(|| format!("cannot read {file:?}"))?;
            return Ok(Some(token.trim().to_owned()));
        }
        let given = std::env::var(TOKEN_VARIABLE).ok();
        let configured = || settings.and_then(|settings| settings.token.as_ref());
        Ok(given.or_else(|| configured().map(|token| token.reveal().to_owned())))
    }
}

/// A path has a slash or no port.
fn place_of(text: &str) -> Place {
    let address = text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/');
    let has_port = address
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if has_port && !address.contains('/') {
        Place::Address(address.to_owned())
    } else {
        Place::Socket(PathBuf::from(text))
    }
}

fn configured(settings: &AdminSettings) -> anyhow::Result<Place> {
    if let Some(socket) = &settings.socket {
        return Ok(Place::Socket(socket.clone()));
    }
    match settings.address {
        Some(address) if address.port() == 0 => {
            bail!(
                "the system chose the port of the admin endpoint: the broker's log says which, give it with --admin"
            )
        }
        Some(address) => Ok(Place::Address(reachable(address).to_string())),
        None => {
            bail!("this configuration has no admin endpoint; add [admin] with address = \"{ADMIN_ADDRESS}\"")
        }
    }
}

/// Who listens at all addresses is reached at the loopback one.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

impl Endpoint {
    /// Asks for JSON.
    pub(super) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let (status, value) = self.send(Method::GET, path, None).await?;
        good(status, value)
    }

    /// Sends a request, with JSON if there is some, and waits for all of the answer.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let exchange = async {
            let response = self.begin(method, path, body).await?;
            let status = response.status();
            let bytes = response.into_body().collect().await?.to_bytes();
            anyhow::Ok((status, json(&bytes)))
        };
        tokio::time::timeout(TIMEOUT, exchange)
            .await
            .with_context(|| format!("no answer from the admin endpoint at {}", self.place))?
    }

    /// Asks for lines and hands each over as it comes, until there are no more; `begun` is called when they may come.
    pub(super) async fn lines(
        &self,
        path: &str,
        begun: impl FnOnce(),
        mut each: impl FnMut(&[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let response = self.begin(Method::GET, path, None).await?;
        let status = response.status();
        let mut body = response.into_body();
        if !status.is_success() {
            let bytes = body.collect().await?.to_bytes();
            return good(status, json(&bytes)).map(drop);
        }
        begun();
        let mut line = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.context("the broker ended the connection")?;
            for part in frame
                .data_ref()
                .unwrap_or(&Bytes::new())
                .split_inclusive(|byte| *byte == b'\n')
            {
                line.extend_from_slice(part);
                if line.ends_with(b"\n") {
                    each(&line)?;
                    line.clear();
                }
            }
        }
        Ok(())
    }

    async fn begin(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> anyhow::Result<Response<Incoming>> {
        let stream = match &self.place {
            Place::Address(address) => dial(address).await,
            Place::Socket(path) => dial_file(path).await,
        };
        let stream = stream.with_context(|| {
            format!(
                "no broker answers at {}; is it running, with [admin] in its configuration?",
                self.place
            )
        })?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        // Its end is seen by the request.
        tokio::spawn(connection);
        Ok(sender.send_request(self.request(method, path, body)?).await?)
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> anyhow::Result<Request<Full<Bytes>>> {
        let host = match &self.place {
            Place::Address(address) => address.as_str(),
            Place::Socket(_) => "localhost",
        };
        let mut request = Request::builder().method(method).uri(path).header(HOST, host);
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        Ok(request.body(Full::from(body.unwrap_or_default()))?)
    }
}

/// What cannot be read as JSON is shown as it is.
fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|_| Value::from(String::from_utf8_lossy(bytes).into_owned()))
}

/// The answer, unless it is a refusal.
pub(super) fn good(status: StatusCode, value: Value) -> anyhow::Result<Value> {
    if status.is_success() {
        return Ok(value);
    }
    match value["error"].as_str() {
        Some(error) => bail!("{error}"),
        None => bail!("the broker answered {status}: {value}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_sockets_are_told_apart() {
        for (text, is_address) in [
            ("127.0.0.1:1882", true),
            ("[::1]:1882", true),
            ("broker.example:80", true),
            ("http://127.0.0.1:1882/", true),
            ("hookwire.sock", false),
            ("/run/hookwire:1/admin.sock", false),
            ("./a:1", false),
        ] {
            let place = place_of(text);
            assert_eq!(
                matches!(place, Place::Address(_)),
                is_address,
                "{text}: {place:?}"
            );
        }
    }

    #[test]
    fn the_configuration_says_where_it_is() {
        let place = |text: &str| {
            let config = Config::parse(text, None, &[]).unwrap();
            configured(&config.admin).map(|place| place.to_string())
        };
        let token = "token = \"0123456789abcdef\"\n";
        assert_eq!(
            place(&format!("[admin]\n{token}address = \"0.0.0.0:81\"")).unwrap(),
            "127.0.0.1:81"
        );
        assert_eq!(
            place("[admin]\naddress = \"[::1]:81\"\nsocket = \"/run/h.sock\"").unwrap(),
            "/run/h.sock"
        );
        assert!(place("[admin]\naddress = \"127.0.0.1:0\"").is_err());
        assert!(place("log = \"info\"").is_err());
    }

    #[test]
    fn names_are_encoded() {
        assert_eq!(encoded("a/b c+%"), "a%2Fb%20c%2B%25");
    }
}
