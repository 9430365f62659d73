//! A page for a person: what the broker and its plugins do, asked for by the page's script as any client of the endpoint would.
//!
//! The page itself tells nothing, so whoever comes gets it; the script is refused where a token is missing, and asks the person for it.

use hyper::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_FRAME_OPTIONS};

use super::reply::{self, Reply};

/// A file of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asset {
    Page,
    Style,
    Script,
}

/// Names and errors come from clients and plugins. Should one ever be taken for markup, it still could run nothing and ask nobody.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'none'; \
                      base-uri 'none'; frame-ancestors 'none'";

impl Asset {
    fn file(self) -> (&'static str, &'static str) {
        match self {
            Self::Page => ("text/html; charset=utf-8", include_str!("dashboard/page.html")),
            Self::Style => ("text/css; charset=utf-8", include_str!("dashboard/dashboard.css")),
            Self::Script => (
                "text/javascript; charset=utf-8",
                include_str!("dashboard/dashboard.js"),
            ),
        }
    }
}

pub(super) fn asset(asset: Asset) -> Reply {
    let (kind, text) = asset.file();
    let headers = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (X_FRAME_OPTIONS, "DENY"),
    ];
    let reply = reply::text(kind, text.to_owned());
    headers.into_iter().fold(reply, |reply, (name, value)| {
        reply::with_header(reply, name, value)
    })
}
