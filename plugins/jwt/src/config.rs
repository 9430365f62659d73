//! The plugin's `config` table.

use std::collections::BTreeMap;

use base64ct::{Base64, Encoding};
use hookwire_plugin::prelude::*;

use crate::algorithm::Algorithm;
use crate::key::{Key, Keys, Material};
use crate::policy::Policy;
use crate::{Jwt, jwks};

/// Most keys: a token that names none is tried with all of them.
const KEYS_MAX: usize = 64;

/// How far clocks may be apart when nothing is said about it, seconds.
const LEEWAY_SECS_DEFAULT: u64 = 30;

/// With more than that a token never ends.
const LEEWAY_SECS_MAX: u64 = 3600;

/// The table, as it is read.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(default)]
    keys: Vec<KeyConfig>,
    jwks: Option<String>,
    #[serde(default)]
    token: Place,
    #[serde(default)]
    absent: Otherwise,
    #[serde(default)]
    issuer: OneOrMore,
    #[serde(default)]
    audience: OneOrMore,
    #[serde(default)]
    require: BTreeMap<String, String>,
    #[serde(default = "leeway_secs_default")]
    leeway_secs: u64,
    #[serde(default = "yes")]
    require_expiry: bool,
    lifetime_secs_max: Option<u64>,
    #[serde(default = "username_claim_default")]
    username_claim: String,
    #[serde(default)]
    match_username: bool,
    client_id_claim: Option<String>,
    #[serde(default = "rules_claim_default")]
    rules_claim: String,
    superuser_claim: Option<String>,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    #[serde(default = "deny")]
    others: Otherwise,
}

fn leeway_secs_default() -> u64 {
    LEEWAY_SECS_DEFAULT
}

fn yes() -> bool {
    true
}

fn username_claim_default() -> String {
    "sub".to_owned()
}

fn rules_claim_default() -> String {
    "acl".to_owned()
}

fn deny() -> Otherwise {
    Otherwise::Deny
}

/// Where the token is.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Place {
    #[default]
    Password,
    Username,
}

impl Place {
    /// What a client brings there, if it is a text that looks like a token.
    pub(crate) fn token(self, who: &Credentials) -> Option<&str> {
        let text = match self {
            Self::Password => std::str::from_utf8(who.password.as_deref()?).ok()?,
            Self::Username => who.username.as_deref()?,
        };
        // Its header is JSON, and so begins with `{"`; no password of another plugin's is judged here.
        text.starts_with("eyJ").then_some(text)
    }
}

/// What becomes of those about whom nothing is said.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Otherwise {
    /// The next plugin is asked.
    #[default]
    Next,
    Deny,
}

/// A text, or a list of them.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl Default for OneOrMore {
    fn default() -> Self {
        Self::More(Vec::new())
    }
}

impl From<OneOrMore> for Vec<String> {
    fn from(texts: OneOrMore) -> Self {
        match texts {
            OneOrMore::One(text) => vec![text],
            OneOrMore::More(texts) => texts,
        }
    }
}

/// One key, as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyConfig {
    id: Option<String>,
    algorithm: Option<Algorithm>,
    secret: Option<String>,
    secret_base64: Option<String>,
    pem: Option<String>,
}

impl Config {
    /// The plugin, or all that is wrong with its table.
    pub(crate) fn check(self) -> Result<Jwt, Problems> {
        let mut problems = Vec::new();
        let mut keys = Vec::new();
        for (index, key) in self.keys.iter().enumerate() {
            match key.check() {
                Ok(key) => keys.push(key),
                Err((name, text)) => problems.push(Problem::at(format_args!("keys.{index}{name}"), text)),
            }
        }
        match self.jwks.as_deref().map(jwks::read) {
            Some(Ok(set)) => keys.extend(set),
            Some(Err(error)) => problems.push(Problem::at("jwks", error)),
            None if self.keys.is_empty() => {
                problems.push(Problem::at("", "no key at all: expected `keys` or `jwks`"));
            }
            None => {}
        }
        if keys.len() > KEYS_MAX {
            let text = format!("{} keys, allowed are {KEYS_MAX}", keys.len());
            problems.push(Problem::at("", text));
        }
        if self.leeway_secs > LEEWAY_SECS_MAX {
            let text = format!("expected at most {LEEWAY_SECS_MAX}");
            problems.push(Problem::at("leeway_secs", text));
        }
        for (name, claim) in [
            ("username_claim", &self.username_claim),
            ("rules_claim", &self.rules_claim),
        ] {
            if claim.is_empty() {
                problems.push(Problem::at(name, "expected the name of a claim"));
            }
        }
        if self.match_username && matches!(self.token, Place::Username) {
            let text = "the user name is the token, and so cannot be that of the token";
            problems.push(Problem::at("match_username", text));
        }
        if !problems.is_empty() {
            return Err(problems.into());
        }
        Ok(Jwt {
            keys: Keys(keys),
            place: self.token,
            absent: self.absent,
            policy: Policy {
                issuers: self.issuer.into(),
                audiences: self.audience.into(),
                required: self.require,
                leeway_secs: self.leeway_secs,
                needs_expiry: self.require_expiry,
                lifetime_secs_max: self.lifetime_secs_max,
                username_claim: self.username_claim,
                matches_username: self.match_username,
                client_id_claim: self.client_id_claim,
                rules_claim: self.rules_claim,
                superuser_claim: self.superuser_claim,
                attributes: self.attributes,
                others: self.others,
            },
        })
    }
}

impl KeyConfig {
    /// The error is the key below `keys.N`, with a dot in front where there is one, and a text.
    fn check(&self) -> Result<Key, (&'static str, String)> {
        let material = match (&self.secret, &self.secret_base64, &self.pem) {
            (Some(secret), None, None) => self
                .secret(secret.trim_end_matches(['\r', '\n']).as_bytes().to_vec())
                .map_err(|error| (".secret", error))?,
            (None, Some(secret), None) => self
                .decoded_secret(secret)
                .map_err(|error| (".secret_base64", error))?,
            (None, None, Some(pem)) => Material::of_pem(pem).map_err(|error| (".pem", error))?,
            _ => {
                return Err((
                    "",
                    "expected one of `pem`, `secret` and `secret_base64`".to_owned(),
                ));
            }
        };
        if self
            .algorithm
            .is_some_and(|algorithm| !material.is_for(algorithm))
        {
            return Err((".algorithm", "the key is not for this algorithm".to_owned()));
        }
        // A public key says by itself what it is for; a secret is used with one algorithm alone.
        let algorithm = match material {
            Material::Secret(_) => Some(self.secret_algorithm()),
            _ => self.algorithm,
        };
        Ok(Key {
            id: self.id.clone(),
            algorithm,
            material,
        })
    }

    fn secret_algorithm(&self) -> Algorithm {
        self.algorithm.unwrap_or(Algorithm::Hs256)
    }

    fn decoded_secret(&self, text: &str) -> Result<Material, String> {
        let secret = Base64::decode_vec(text.trim_end()).map_err(|_| "expected base 64".to_owned())?;
        self.secret(secret)
    }

    fn secret(&self, secret: Vec<u8>) -> Result<Material, String> {
        let Some(needed) = self.secret_algorithm().secret_bytes_min() else {
            return Err("a secret is for HS256, HS384 or HS512".to_owned());
        };
        if secret.starts_with(b"-----BEGIN") {
            return Err("this is a key in PEM: a public key is no secret, use `pem`".to_owned());
        }
        if secret.len() < needed {
            return Err(format!(
                "a secret of {} bytes, which can be guessed; needed are {needed}",
                secret.len()
            ));
        }
        Ok(Material::Secret(secret))
    }
}
