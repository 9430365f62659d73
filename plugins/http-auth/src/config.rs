//! The plugin's `config` table.

use std::collections::BTreeMap;
use std::time::Duration;

use hookwire_plugin::prelude::*;

use crate::HttpAuth;
use crate::backoff::Backoff;
use crate::cache::Cache;
use crate::endpoint::{Encoding, Endpoint, Statuses};
use crate::template::Template;

/// The table, as it is read.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    authenticate: Option<EndpointConfig>,
    authorize: Option<EndpointConfig>,
    #[serde(default = "all_actions")]
    actions: Vec<ActionConfig>,
    #[serde(default)]
    anonymous: Anonymous,
    #[serde(default)]
    when_down: WhenDown,
    #[serde(default = "default_timeout_ms")]
    timeout_ms: u32,
    #[serde(default)]
    cache_secs: u32,
    #[serde(default = "default_access_cache_secs")]
    access_cache_secs: u32,
    #[serde(default)]
    backoff: BackoffConfig,
}

/// What becomes of a client without a user name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Anonymous {
    /// The server is asked.
    #[default]
    Ask,
    /// The next plugin is asked.
    Next,
    Deny,
}

/// What holds while the server does not decide.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WhenDown {
    /// Refused, and told that it is not the client's fault.
    #[default]
    Unavailable,
    Deny,
    /// The next plugin is asked.
    Next,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ActionConfig {
    Publish,
    Subscribe,
    Will,
}

/// One URL, as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EndpointConfig {
    url: String,
    #[serde(default = "post")]
    method: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: BTreeMap<String, String>,
    #[serde(default = "json")]
    encoding: Encoding,
    #[serde(default = "deny_statuses")]
    deny_statuses: Vec<u16>,
    #[serde(default)]
    next_statuses: Vec<u16>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct BackoffConfig {
    failures: u32,
    first_ms: u32,
    longest_ms: u32,
}

impl Default for BackoffConfig {
    fn default() -> Self {
        Self {
            failures: 3,
            first_ms: 1000,
            longest_ms: 30_000,
        }
    }
}

fn all_actions() -> Vec<ActionConfig> {
    vec![ActionConfig::Publish, ActionConfig::Subscribe, ActionConfig::Will]
}

fn default_timeout_ms() -> u32 {
    1000
}

fn default_access_cache_secs() -> u32 {
    60
}

fn post() -> String {
    "POST".to_owned()
}

fn json() -> Encoding {
    Encoding::Json
}

fn deny_statuses() -> Vec<u16> {
    vec![401, 403, 404]
}

impl Config {
    /// The plugin, or all that is wrong with its table.
    pub(crate) fn into_plugin(self) -> Result<HttpAuth, Problems> {
        let mut problems = Vec::new();
        let timeout = Duration::from_millis(self.timeout_ms.into());
        let mut endpoint = |name, config: Option<EndpointConfig>| {
            config.and_then(|config| config.check(name, timeout, &mut problems))
        };
        let has_any = self.authenticate.is_some() || self.authorize.is_some();
        let authenticate = endpoint("authenticate", self.authenticate);
        let authorize = endpoint("authorize", self.authorize);
        if !has_any {
            problems.push(Problem::at(
                "",
                "neither `authenticate` nor `authorize`: expected at least one of them, with a `url`",
            ));
        }
        if self.timeout_ms == 0 {
            problems.push(Problem::at("timeout_ms", "0 leaves the server no time"));
        }
        if self.backoff.failures == 0 || self.backoff.first_ms == 0 {
            problems.push(Problem::at("backoff", "`failures` and `first_ms` are at least 1"));
        }
        if !problems.is_empty() {
            return Err(problems.into());
        }
        let actions = if authorize.is_some() {
            self.actions
        } else {
            Vec::new()
        };
        Ok(HttpAuth {
            cache: Cache::new(self.cache_secs, &format!("{authenticate:?}")),
            actions: actions.into_iter().fold(AccessInterest::empty(), |all, action| {
                all | match action {
                    ActionConfig::Publish => AccessInterest::PUBLISH,
                    ActionConfig::Subscribe => AccessInterest::SUBSCRIBE,
                    ActionConfig::Will => AccessInterest::WILL,
                }
            }),
            authenticate,
            authorize,
            anonymous: self.anonymous,
            when_down: self.when_down,
            access_cache_ms: self.access_cache_secs.saturating_mul(1000),
            backoff: Backoff {
                failures_max: self.backoff.failures,
                first: Duration::from_millis(self.backoff.first_ms.into()),
                longest: Duration::from_millis(self.backoff.longest_ms.into()),
                timeout: timeout * 2,
            },
        })
    }
}

impl EndpointConfig {
    fn check(self, name: &'static str, timeout: Duration, problems: &mut Vec<Problem>) -> Option<Endpoint> {
        let before = problems.len();
        let mut template = |key: String, text: &str| {
            Template::parse(text)
                .map_err(|error| problems.push(Problem::at(format!("{name}.{key}"), error)))
                .ok()
        };
        let url = template("url".to_owned(), &self.url);
        let mut all = |key: &str, table: &BTreeMap<String, String>| {
            let entries = table
                .iter()
                .filter_map(|(field, text)| Some((field.clone(), template(format!("{key}.{field}"), text)?)));
            entries.collect::<BTreeMap<_, _>>()
        };
        let headers = all("headers", &self.headers);
        let body = all("body", &self.body);
        if !(self.url.starts_with("https://") || self.url.starts_with("http://")) {
            problems.push(Problem::at(
                format!("{name}.url"),
                "expected a URL such as https://auth.example.com/login",
            ));
        }
        if problems.len() > before {
            return None;
        }
        Some(Endpoint {
            name,
            method: self.method.to_ascii_uppercase(),
            url: url?,
            headers,
            body,
            encoding: self.encoding,
            timeout,
            statuses: Statuses {
                deny: self.deny_statuses,
                next: self.next_statuses,
            },
        })
    }
}

impl Anonymous {
    /// `None`: the server is asked.
    pub(crate) fn outcome(self) -> Option<Outcome> {
        match self {
            Self::Ask => None,
            Self::Next => Some(Outcome::Next),
            Self::Deny => Some(Outcome::Deny(ConnectReason::NotAuthorized.into())),
        }
    }
}

impl WhenDown {
    pub(crate) fn outcome(self) -> Outcome {
        match self {
            Self::Unavailable => Outcome::Unavailable,
            Self::Deny => Outcome::Deny(ConnectReason::NotAuthorized.into()),
            Self::Next => Outcome::Next,
        }
    }

    /// An access has no word for "unavailable" but a refusal. It holds for this once.
    pub(crate) fn answer(self, text: &str) -> Answer {
        match self {
            Self::Unavailable => Decision::Deny(Some(text.to_owned())).into(),
            Self::Deny => Answer::deny(),
            Self::Next => Answer::next(),
        }
    }
}
