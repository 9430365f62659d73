//! Who may: no stranger, and no web page that a person of this machine happens to look at.
//!
//! A page can send requests to a loopback address (and read the answers, if it got its own name resolved to that address:
//! DNS rebinding). It cannot choose the headers `Host`, `Origin` and `Sec-Fetch-Site`, so these tell.

use hyper::header::{AUTHORIZATION, HOST, HeaderMap, HeaderName, ORIGIN, WWW_AUTHENTICATE};
use hyper::http::request::Parts;
use hyper::http::uri::Authority;
use hyper::{StatusCode, Uri};

use super::reply::{self, Refusal, Reply};
use crate::config::AdminSettings;
use crate::net::Way;

/// Set by browsers: how the page that asks is related to us.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What a request may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// Everything.
    Full,
    /// Whether the broker is well, no more.
    Stranger,
}

/// Whom a request comes from.
///
/// # Errors
/// It is not even answered whether the broker is well.
pub(super) fn judge(settings: &AdminSettings, way: Way, head: &Parts) -> Result<Trust, Refusal> {
    let Way::Tcp { is_loopback } = way else {
        // Who may open the file is for the system to say, and no web page can.
        return Ok(Trust::Full);
    };
    let host = host_of(head).ok_or_else(|| reply::error(StatusCode::BAD_REQUEST, "no valid Host"))?;
    if is_loopback && !is_expected(settings, &host) {
        let text = format!("host {:?} is not known here; add it to admin.hosts", host.host());
        return Err(reply::error(StatusCode::MISDIRECTED_REQUEST, text));
    }
    if !is_own_page(&head.headers, &host) {
        return Err(reply::error(
            StatusCode::FORBIDDEN,
            "not for pages of another origin",
        ));
    }
    let is_known = match &settings.token {
        Some(token) => bearer(&head.headers).is_some_and(|shown| token.is(shown)),
        // The configuration is refused without a token where others can connect.
        None => is_loopback,
    };
    Ok(if is_known { Trust::Full } else { Trust::Stranger })
}

/// Where a token is missing.
pub(super) fn who_are_you() -> Reply {
    let refusal = reply::error(
        StatusCode::UNAUTHORIZED,
        "a token is needed: Authorization: Bearer …",
    );
    reply::with_header(refusal.into(), WWW_AUTHENTICATE, "Bearer")
}

/// Whom a request is addressed to.
fn host_of(head: &Parts) -> Option<Authority> {
    let mut hosts = head.headers.get_all(HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok()?.parse().ok());
    // Two are none: who knows which one somebody before us has looked at.
    host.filter(|_| hosts.next().is_none())
}

fn is_expected(settings: &AdminSettings, host: &Authority) -> bool {
    let name = host.host();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    let is_own = address
        .parse::<std::net::IpAddr>()
        .is_ok_and(|address| address.to_canonical().is_loopback());
    is_own
        || name.eq_ignore_ascii_case("localhost")
        || settings
            .hosts
            .iter()
            .any(|known| known.eq_ignore_ascii_case(name))
}

fn is_own_page(headers: &HeaderMap, host: &Authority) -> bool {
    let is_own_origin = |origin: &str| {
        let origin: Option<Uri> = origin.parse().ok();
        origin.is_some_and(|origin| origin.authority() == Some(host))
    };
    let origin = headers
        .get(ORIGIN)
        .map(|origin| origin.to_str().unwrap_or_default());
    let site = headers.get(SEC_FETCH_SITE).map(|site| site.as_bytes());
    origin.is_none_or(is_own_origin) && matches!(site, None | Some(b"same-origin" | b"none"))
}

fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked("bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn settings(text: &str) -> AdminSettings {
        Config::parse(&format!("[admin]\n{text}"), None, &[])
            .unwrap()
            .admin
    }

    fn head(headers: &[(&'static str, &str)]) -> Parts {
        let mut request = hyper::Request::builder().uri("/v1/plugins");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    const LOOPBACK: Way = Way::Tcp { is_loopback: true };
    const NETWORK: Way = Way::Tcp { is_loopback: false };

    fn judged(text: &str, way: Way, headers: &[(&'static str, &str)]) -> Result<Trust, StatusCode> {
        judge(&settings(text), way, &head(headers)).map_err(|refusal| refusal.status)
    }

    #[test]
    fn on_loopback_the_host_must_be_this_machine() {
        for host in [
            "127.0.0.1:1882",
            "localhost:1882",
            "LOCALHOST",
            "[::1]:1882",
            "127.9.9.9",
        ] {
            assert_eq!(judged("", LOOPBACK, &[("host", host)]), Ok(Trust::Full), "{host}");
        }
        for host in [
            "evil.example:1882",
            "127.0.0.1.evil.example",
            "192.0.2.1",
            "localhost.evil",
        ] {
            let refused = judged("", LOOPBACK, &[("host", host)]);
            assert_eq!(refused, Err(StatusCode::MISDIRECTED_REQUEST), "{host}");
        }
        let known = "hosts = [\"broker.example\"]";
        assert_eq!(
            judged(known, LOOPBACK, &[("host", "broker.example:80")]),
            Ok(Trust::Full)
        );
    }

    #[test]
    fn a_request_is_addressed_to_one_host() {
        assert_eq!(judged("", LOOPBACK, &[]), Err(StatusCode::BAD_REQUEST));
        let two = [("host", "localhost"), ("host", "evil.example")];
        assert_eq!(judged("", LOOPBACK, &two), Err(StatusCode::BAD_REQUEST));
        assert_eq!(
            judged("", LOOPBACK, &[("host", "a b")]),
            Err(StatusCode::BAD_REQUEST)
        );
    }

    #[test]
    fn pages_of_other_origins_are_refused() {
        let from = |header, value| judged("", LOOPBACK, &[("host", "localhost:1"), (header, value)]);
        for (header, value) in [
            ("origin", "http://evil.example"),
            ("origin", "null"),
            ("origin", "http://localhost:2"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            assert_eq!(
                from(header, value),
                Err(StatusCode::FORBIDDEN),
                "{header}: {value}"
            );
        }
        assert_eq!(from("origin", "http://localhost:1"), Ok(Trust::Full));
        assert_eq!(from("sec-fetch-site", "same-origin"), Ok(Trust::Full));
    }

    #[test]
    fn the_token_has_to_be_the_one() {
        let token = "token = \"0123456789abcdef\"";
        for (way, shown, trust) in [
            (NETWORK, "Bearer 0123456789abcdef", Trust::Full),
            (LOOPBACK, "bearer 0123456789abcdef", Trust::Full),
            (LOOPBACK, "Bearer 0123456789abcdeg", Trust::Stranger),
            (NETWORK, "Bearer 0123456789abcdef0", Trust::Stranger),
            (NETWORK, "Bearer ", Trust::Stranger),
            (NETWORK, "Basic 0123456789abcdef", Trust::Stranger),
        ] {
            let headers = [("host", "localhost"), ("authorization", shown)];
            assert_eq!(judged(token, way, &headers), Ok(trust), "{shown}");
        }
        assert_eq!(judged(token, NETWORK, &[("host", "any")]), Ok(Trust::Stranger));
        assert_eq!(judged("", NETWORK, &[("host", "any")]), Ok(Trust::Stranger));
        assert_eq!(judged(token, Way::File, &[]), Ok(Trust::Full));
    }
}
