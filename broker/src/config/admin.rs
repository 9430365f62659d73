//! `[admin]`

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use subtle::ConstantTimeEq;
use toml::de::DeValue;

use super::file::{open_regular, read_text};
use super::kinds::{duration, integer, list, path, size, text};
use super::listener::{Addresses, free_address};
use super::reader::{Item, Section};

/// Shortest token: what takes longer to guess than anybody lives.
const TOKEN_BYTES_MIN: usize = 16;
/// Longest token: it goes into a header.
const TOKEN_BYTES_MAX: usize = 1024;

/// The admin endpoint: where it is, who may use it, and how much of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminSettings {
    /// Address and port; port 0 lets the system choose.
    pub address: Option<SocketAddr>,
    /// A socket in the file system.
    pub socket: Option<PathBuf>,
    /// What has to be shown at the address.
    pub token: Option<Token>,
    /// Where the token was read from.
    pub token_file: Option<PathBuf>,
    /// Names besides those of this machine that requests may be addressed to.
    pub hosts: Vec<String>,
    /// Most connections at a time.
    pub connections_max: usize,
    /// How long a request may take to come, and an answer to be taken.
    pub timeout: Duration,
    /// Largest head of a request, bytes.
    pub header_bytes_max: usize,
    /// Largest body of a request, bytes.
    pub body_bytes_max: usize,
    /// Most watches (`explain` and `record`) at a time.
    pub watches_max: usize,
    /// Bytes that may wait for one that watches.
    pub watch_bytes_max: usize,
    /// How long a watch may last.
    pub watch_time_max: Duration,
}

impl Default for AdminSettings {
    fn default() -> Self {
        Self {
            address: None,
            socket: None,
            token: None,
            token_file: None,
            hosts: Vec::new(),
            connections_max: 64,
            timeout: Duration::from_secs(10),
            header_bytes_max: 16 << 10,
            body_bytes_max: 1 << 20,
            watches_max: 8,
            watch_bytes_max: 8 << 20,
            watch_time_max: Duration::from_secs(3600),
        }
    }
}

impl AdminSettings {
    /// Whether there is one at all.
    pub fn is_on(&self) -> bool {
        self.address.is_some() || self.socket.is_some()
    }

    /// Whether its place is another one than in `other`.
    pub(super) fn is_elsewhere(&self, other: &Self) -> bool {
        (self.address, &self.socket) != (other.address, &other.socket)
            || self.connections_max != other.connections_max
    }
}

/// A secret that opens the endpoint.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Whether somebody knows it. How long that takes says nothing about it but its length.
    pub fn is(&self, shown: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(shown).into()
    }

    /// For who has to show it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// A text that may be one.
    fn new(text: &str) -> Option<Self> {
        let is_good = (TOKEN_BYTES_MIN..=TOKEN_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_good.then(|| Self(text.to_owned()))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

pub(super) fn read(mut section: Section<'_>, folder: &Path, taken: &mut Addresses) -> AdminSettings {
    const SECOND: Duration = Duration::from_secs(1);
    let mut admin = AdminSettings::default();
    let place = section.item("address");
    admin.address = place.clone().and_then(|item| free_address(item, taken));
    admin.socket = section.take("socket", path).map(|path| folder.join(path));
    let shown = section.item("token");
    let has_token = shown.is_some();
    (admin.token, admin.token_file) = shown.map_or((None, None), |item| read_token(&item, folder));
    section.set(
        "hosts",
        &mut admin.hosts,
        list("names", text("a name such as \"broker.example.org\"")),
    );
    section.set("connections_max", &mut admin.connections_max, integer(1..=10_000));
    section.set("timeout", &mut admin.timeout, duration(SECOND..=300 * SECOND));
    section.set(
        "header_bytes_max",
        &mut admin.header_bytes_max,
        size(8 << 10..=1 << 20),
    );
    section.set(
        "body_bytes_max",
        &mut admin.body_bytes_max,
        size(1 << 10..=256 << 20),
    );
    section.set("watches_max", &mut admin.watches_max, integer(0..=1000));
    section.set(
        "watch_bytes_max",
        &mut admin.watch_bytes_max,
        size(64 << 10..=1 << 30),
    );
    section.set(
        "watch_time_max",
        &mut admin.watch_time_max,
        duration(SECOND..=24 * 3600 * SECOND),
    );
    section.finish();
    let is_open = admin
        .address
        .is_some_and(|address| !address.ip().to_canonical().is_loopback());
    if is_open
        && !has_token
        && let Some(place) = place
    {
        let _: Option<()> = place.problem(
            "can be reached from other machines, so it needs a token: add token = { file = \"…\" }, or use a \
             loopback address"
                .to_owned(),
        );
    }
    admin
}

/// `token = "…"` or `token = { file = "…" }`; what it is stays out of every message.
fn read_token(item: &Item<'_>, folder: &Path) -> (Option<Token>, Option<PathBuf>) {
    let expected =
        format!("{TOKEN_BYTES_MIN} to {TOKEN_BYTES_MAX} printable ASCII characters without spaces");
    if let Some(text) = item.string() {
        let token = Token::new(text);
        return (
            token.or_else(|| item.problem(format!("expected {expected}"))),
            None,
        );
    }
    let Some(mut section) = matches!(item.value(), DeValue::Table(_))
        .then(|| item.clone().section())
        .flatten()
    else {
        let refused = item.problem("expected a token, or { file = \"…\" }".to_owned());
        return (refused, None);
    };
    let file = section.require("file", path).map(|path| folder.join(path));
    section.finish();
    let token = file.as_ref().and_then(|file| {
        let read = open_regular(file).and_then(|open| read_text(open, 64 << 10));
        match read.map(|text| Token::new(text.trim())) {
            Ok(Some(token)) => Some(token),
            Ok(None) => item.problem(format!("expected {expected} in {file:?}")),
            Err(reason) => item.problem(format!("cannot read {file:?}: {reason}")),
        }
    });
    (token, file)
}
