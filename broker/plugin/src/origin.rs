//! Where a plugin may send requests: scheme, host, port, and the beginning of the path.

use std::fmt;
use std::net::IpAddr;

use http::Uri;

/// One entry of a grant, such as `https://auth.example.com` or `http://127.0.0.1:8080/v1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpOrigin {
    is_tls: bool,
    /// In small letters; an IPv6 address without brackets.
    host: String,
    port: u16,
    /// Without a slash at its end; empty: any path.
    path: String,
}

impl HttpOrigin {
    /// Reads an entry.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let uri: Uri = text.parse().map_err(|_| "not a URL")?;
        let mut origin = Self::of(&uri)?;
        if uri.query().is_some() {
            return Err("it has a query");
        }
        if is_roundabout(uri.path()) {
            return Err("its path goes up or around");
        }
        origin.path = uri.path().trim_end_matches('/').to_owned();
        Ok(origin)
    }

    /// The origin of a URL, whatever its path.
    fn of(uri: &Uri) -> Result<Self, &'static str> {
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(_) => return Err("neither http nor https"),
            None => return Err("it has no scheme: https://…"),
        };
        let authority = uri.authority().ok_or("it has no host")?;
        if authority.as_str().contains('@') {
            return Err("it has a user name: that belongs into a header");
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err("it has no host");
        }
        let port = match authority.port() {
            Some(port) => port.as_u16(),
            None if authority.as_str() != authority.host() => return Err("its port is not a number"),
            None if is_tls => 443,
            None => 80,
        };
        Ok(Self {
            is_tls,
            host: host.trim_end_matches('.').to_ascii_lowercase(),
            port,
            path: String::new(),
        })
    }

    /// Whether requests to it are encrypted.
    pub(crate) fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// Its address, where the configuration names one and not a name that others give a meaning to.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    fn is_same(&self, other: &Self) -> bool {
        (self.is_tls, &self.host, self.port) == (other.is_tls, &other.host, other.port)
    }

    fn has_path(&self, path: &str) -> bool {
        path.strip_prefix(self.path.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl fmt::Display for HttpOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        let Self { host, port, path, .. } = self;
        if host.contains(':') {
            write!(f, "{scheme}://[{host}]:{port}{path}")
        } else {
            write!(f, "{scheme}://{host}:{port}{path}")
        }
    }
}

/// The entry that allows requests to a URL.
///
/// # Errors
/// Why the URL is none to send a request to at all.
pub(crate) fn granted<'g>(
    origins: &'g [HttpOrigin],
    uri: &Uri,
) -> Result<Option<&'g HttpOrigin>, &'static str> {
    let asked = HttpOrigin::of(uri)?;
    if is_roundabout(uri.path()) {
        return Err("its path goes up or around");
    }
    Ok(origins
        .iter()
        .find(|origin| origin.is_same(&asked) && origin.has_path(uri.path())))
}

/// Whether a path may be another to the server than it looks: `/a/../b`, `/a/%2e%2e/b`, `/a/..%2fb`, `/a//b`.
fn is_roundabout(path: &str) -> bool {
    let decoded = path
        .to_ascii_lowercase()
        .replace("%2e", ".")
        .replace("%2f", "/")
        .replace("%5c", "\\");
    decoded.contains("//")
        || decoded
            .split(['/', '\\'])
            .any(|level| level == "." || level == "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_granted(origins: &[&str], url: &str) -> bool {
        let origins: Vec<_> = origins
            .iter()
            .map(|text| HttpOrigin::parse(text).unwrap())
            .collect();
        granted(&origins, &url.parse().unwrap()).is_ok_and(|origin| origin.is_some())
    }

    #[test]
    fn scheme_host_and_port_must_be_the_same() {
        let one = ["https://auth.example.com"];
        for good in [
            "https://auth.example.com",
            "https://auth.example.com:443/x?y=z",
            "https://AUTH.Example.Com/",
            "https://auth.example.com./x",
        ] {
            assert!(is_granted(&one, good), "{good}");
        }
        for bad in [
            "http://auth.example.com/",
            "https://auth.example.com:8443/",
            "https://example.com/",
            "https://auth.example.com.evil.com/",
            "https://evil.auth.example.com/",
            "https://evil.com/auth.example.com",
            "/only/a/path",
        ] {
            assert!(!is_granted(&one, bad), "{bad}");
        }
        assert!(is_granted(&["http://[::1]:8080"], "http://[::1]:8080/x"));
        assert!(!is_granted(&[], "https://auth.example.com/"));
    }

    #[test]
    fn a_path_is_a_beginning_level_by_level() {
        let one = ["http://h/v1/auth/"];
        for good in ["http://h/v1/auth", "http://h/v1/auth/", "http://h/v1/auth/x?q"] {
            assert!(is_granted(&one, good), "{good}");
        }
        for bad in [
            "http://h/",
            "http://h/v1/authors",
            "http://h/v1/auth/../admin",
            "http://h/v1/auth/%2E%2e/admin",
            "http://h/v1/auth/..%2Fadmin",
            "http://h/v1/auth/%2e%2e%5cadmin",
            "http://h//v1/auth",
        ] {
            assert!(!is_granted(&one, bad), "{bad}");
        }
    }

    #[test]
    fn an_entry_is_a_url_and_nothing_more() {
        for bad in [
            "",
            "auth.example.com",
            "ftp://h",
            "http://",
            "http://user:secret@h/",
            "http://h/?q",
            "http://h/a/../b",
            "http://h:port/",
        ] {
            assert!(HttpOrigin::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(
            HttpOrigin::parse("HTTPS://H/a/").unwrap().to_string(),
            "https://h:443/a"
        );
        assert_eq!(
            HttpOrigin::parse("http://[::1]").unwrap().to_string(),
            "http://[::1]:80"
        );
    }
}
