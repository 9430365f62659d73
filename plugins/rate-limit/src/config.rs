//! The plugin's `config` table.

use hookwire_plugin::prelude::*;
use hookwire_plugin::rate_limit::Rate;

use crate::RateLimit;
use crate::limit::{Excess, Limit, Per};

/// Most limits: each is a call of the host for each message.
const LIMITS_MAX: usize = 32;

/// Longest name of a limit, bytes: it is a part of the names of figures.
const NAME_BYTES_MAX: usize = 40;

/// The table, as it is read.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    limits: Vec<LimitConfig>,
    #[serde(default)]
    log: bool,
}

/// One limit, as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitConfig {
    name: Option<String>,
    #[serde(default = "everything")]
    topic: String,
    #[serde(default = "client")]
    per: Per,
    messages_per_second: Option<f64>,
    bytes_per_second: Option<f64>,
    burst: Option<f64>,
    #[serde(default = "throttle")]
    excess: Excess,
    #[serde(default)]
    except_users: Vec<String>,
}

fn everything() -> String {
    "#".to_owned()
}

fn client() -> Per {
    Per::Client
}

fn throttle() -> Excess {
    Excess::Throttle
}

impl Config {
    /// The plugin, or all that is wrong with its limits.
    pub(crate) fn check(self) -> Result<RateLimit, Problems> {
        let mut problems = Vec::new();
        let mut limits: Vec<Limit> = Vec::new();
        for (index, limit) in self.limits.into_iter().enumerate() {
            match limit.check(index, &limits) {
                Ok(limit) => limits.push(limit),
                Err((key, text)) => problems.push(Problem::at(format_args!("limits.{index}{key}"), text)),
            }
        }
        if limits.is_empty() && problems.is_empty() {
            problems.push(Problem::at("limits", "no limit at all"));
        }
        if limits.len() > LIMITS_MAX {
            let text = format!("{} limits, allowed are {LIMITS_MAX}", limits.len());
            problems.push(Problem::at("limits", text));
        }
        if problems.is_empty() {
            Ok(RateLimit {
                limits,
                logs: self.log,
            })
        } else {
            Err(problems.into())
        }
    }
}

/// The key below `limits.N`, with a dot in front where there is one, and what is wrong with it.
type Fault = (&'static str, String);

impl LimitConfig {
    fn check(self, index: usize, others: &[Limit]) -> Result<Limit, Fault> {
        let name = self.name.clone().unwrap_or_else(|| format!("limit-{index}"));
        check_name(&name, others)?;
        let (per_second, counts_bytes) = self.rate()?;
        let burst = self.burst.unwrap_or(per_second).max(1.0);
        if !burst.is_finite() {
            return Err((".burst", "expected a number".to_owned()));
        }
        let filter = self
            .topic
            .parse()
            .map_err(|error| (".topic", format!("{error}")))?;
        Ok(Limit {
            metric: format!("above_{}", name.replace('-', "_")),
            name,
            filter,
            per: self.per,
            counts_bytes,
            rate: Rate { per_second, burst },
            excess: self.excess,
            except: self.except_users,
        })
    }

    /// How many in a second, and whether these are bytes.
    fn rate(&self) -> Result<(f64, bool), Fault> {
        let (key, rate, counts_bytes) = match (self.messages_per_second, self.bytes_per_second) {
            (Some(rate), None) => (".messages_per_second", rate, false),
            (None, Some(rate)) => (".bytes_per_second", rate, true),
            _ => {
                let text = "expected either messages_per_second or bytes_per_second";
                return Err(("", text.to_owned()));
            }
        };
        if rate.is_finite() && rate > 0.0 {
            Ok((rate, counts_bytes))
        } else {
            Err((key, "expected a number above 0".to_owned()))
        }
    }
}

fn check_name(name: &str, others: &[Limit]) -> Result<(), Fault> {
    let is_fit =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    if !(1..=NAME_BYTES_MAX).contains(&name.len()) || !name.bytes().all(is_fit) {
        let text = format!("expected 1 to {NAME_BYTES_MAX} of the characters a-z, 0-9, `-` and `_`");
        return Err((".name", text));
    }
    if others.iter().any(|other| other.name == name) {
        return Err((".name", format!("there is a limit `{name}` above")));
    }
    Ok(())
}
