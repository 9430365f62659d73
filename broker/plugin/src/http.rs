//! The HTTP client of one plugin: what it may ask whom, and the connections that it keeps.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{Method, Request, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::Semaphore;
use tower_service::Service;

use crate::{HttpGrant, LoadError, origin, reach};

/// How long a connection is kept for the next request: servers close theirs after five seconds to some minutes.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// What the head of an answer may take.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// Headers that say where a request goes, how long it is, or what becomes of its connection.
const RESERVED: [HeaderName; 9] = [
    header::HOST,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    header::UPGRADE,
    header::TE,
    header::TRAILER,
    header::EXPECT,
    header::PROXY_AUTHORIZATION,
];

type Connector = HttpsConnector<HttpConnector<GuardedResolver>>;

/// What a plugin asks for.
pub(crate) struct Ask {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// What it is answered.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// Why it is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HttpError {
    Denied(String),
    Invalid(String),
    Timeout,
    TooLarge,
    Connect(String),
    Protocol(String),
}

/// The client of a plugin that is granted one.
pub(crate) struct Http {
    grant: HttpGrant,
    client: Client<Connector, Full<Bytes>>,
    places: Arc<Semaphore>,
}

impl Http {
    pub(crate) fn new(grant: &HttpGrant) -> Result<Self, LoadError> {
        let mut plain = HttpConnector::new_with_resolver(GuardedResolver {
            private: grant.private,
        });
        plain.enforce_http(false);
        plain.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(trust(grant)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(plain);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(grant.concurrent_max)
            .http1_max_buf_size(HEAD_BYTES_MAX)
            .build(connector);
        Ok(Self {
            grant: grant.clone(),
            client,
            places: Arc::new(Semaphore::new(grant.concurrent_max)),
        })
    }

    /// How long a request may take at the most.
    pub(crate) fn timeout(&self) -> Duration {
        self.grant.timeout
    }

    /// Sends a request and reads its answer. It is for the caller to say how long that may take.
    pub(crate) async fn send(self: Arc<Self>, ask: Ask) -> Result<Reply, HttpError> {
        let request = self.request(ask)?;
        let _place = self.places.acquire().await.map_err(|_| HttpError::Timeout)?;
        let answer = self.client.request(request).await.map_err(failed)?;
        let (head, body) = answer.into_parts();
        let body = self.read(body).await?;
        let headers = head
            .headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), latin_1(value.as_bytes())));
        Ok(Reply {
            status: head.status.as_u16(),
            headers: headers.collect(),
            body,
        })
    }

    async fn read(&self, body: Incoming) -> Result<Vec<u8>, HttpError> {
        let limited = Limited::new(body, self.grant.response_bytes_max);
        match limited.collect().await {
            Ok(body) => Ok(body.to_bytes().into()),
            Err(error) if error.is::<LengthLimitError>() => Err(HttpError::TooLarge),
            Err(error) => Err(HttpError::Protocol(error.to_string())),
        }
    }

    fn request(&self, ask: Ask) -> Result<Request<Full<Bytes>>, HttpError> {
        let invalid = |reason: &str| HttpError::Invalid(reason.to_owned());
        let method: Method = ask.method.parse().map_err(|_| invalid("not a method"))?;
        if method == Method::CONNECT {
            return Err(invalid("CONNECT makes no request"));
        }
        let uri: Uri = ask.url.parse().map_err(|_| invalid("not a URL"))?;
        let origin = origin::granted(&self.grant.origins, &uri).map_err(invalid)?;
        let origin = origin.ok_or_else(|| HttpError::Denied("this server is not granted".to_owned()))?;
        debug_assert!(
            origin.address().is_some() || uri.host().is_none_or(|host| !host.starts_with('[')),
            "an address is only reached where the grant names it"
        );
        let mut request = Request::new(Full::new(Bytes::from(ask.body)));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        for (name, value) in ask.headers {
            let name: HeaderName = name.parse().map_err(|_| invalid("not the name of a header"))?;
            if RESERVED.contains(&name) {
                return Err(HttpError::Invalid(format!(
                    "the header {name} is the broker's to set"
                )));
            }
            let value: HeaderValue = value.parse().map_err(|_| invalid("not the value of a header"))?;
            request.headers_mut().append(name, value);
        }
        Ok(request)
    }
}

/// Whom it trusts to be who they say.
fn trust(grant: &HttpGrant) -> Result<ClientConfig, LoadError> {
    let untrusted = |reason: String| LoadError::NoTrust { reason };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| untrusted(error.to_string()))?;
    if !grant.origins.iter().any(origin::HttpOrigin::is_tls) {
        return Ok(builder
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth());
    }
    let Some(pem) = &grant.ca else {
        let builder = builder.with_native_roots().map_err(|error| {
            untrusted(format!(
                "this system has none ({error}); name yours with `ca_file`"
            ))
        })?;
        return Ok(builder.with_no_client_auth());
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|error| untrusted(format!("ca_file: {error}")))?;
        roots
            .add(certificate)
            .map_err(|error| untrusted(format!("ca_file: {error}")))?;
    }
    if roots.is_empty() {
        return Err(untrusted("ca_file has no certificate".to_owned()));
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Looks names up, and follows them to permitted addresses only. An address in the place of a name never gets here: it was
/// granted as it stands.
#[derive(Debug, Clone)]
struct GuardedResolver {
    private: bool,
}

/// A name led to addresses that are not for plugins.
#[derive(Debug)]
struct Unreachable(String);

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is at an address that plugins may not reach", self.0)
    }
}

impl StdError for Unreachable {}

impl Service<Name> for GuardedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let private = self.private;
        Box::pin(async move {
            let host = name.as_str().trim_end_matches('.').to_ascii_lowercase();
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<_> = found
                .filter(|address| reach::is_allowed(&host, address.ip(), private))
                .collect();
            if allowed.is_empty() {
                return Err(io::Error::other(Unreachable(host)));
            }
            Ok(allowed.into_iter())
        })
    }
}

fn failed(error: hyper_util::client::legacy::Error) -> HttpError {
    let mut causes: Vec<String> = Vec::new();
    let mut cause: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(this) = cause {
        if let Some(unreachable) = unreachable(this) {
            return HttpError::Denied(unreachable.to_string());
        }
        causes.push(this.to_string());
        cause = this.source();
    }
    let reason = causes.pop().unwrap_or_else(|| error.to_string());
    if error.is_connect() {
        HttpError::Connect(reason)
    } else {
        HttpError::Protocol(reason)
    }
}

/// It is wrapped twice: as an error of the system, and as one of a connection.
fn unreachable<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e Unreachable> {
    let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    error
        .downcast_ref()
        .or_else(|| inner.and_then(|inner| inner.downcast_ref()))
}

/// Headers are ASCII nearly always, and bytes of any kind otherwise.
fn latin_1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}
