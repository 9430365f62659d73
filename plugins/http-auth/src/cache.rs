//! Log-ins that the server has allowed a moment ago. All instances share them, in `kv`.

use std::fmt::Write;
use std::time::Duration;

use hookwire_plugin::authenticate::{Credentials, Grant};
use hookwire_plugin::{clock, kv};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::grant::GrantBody;

/// Remembers who was allowed, not by a password but by a digest of all that the server was told.
#[derive(Debug)]
pub(crate) struct Cache {
    /// How long an answer holds if the server does not say.
    secs: u32,
    /// What was asked where: answers of another server, or to another question, are worth nothing.
    question: [u8; 32],
}

#[derive(Serialize, Deserialize)]
struct Entry {
    at_ms: u64,
    expires_in_secs: Option<u32>,
    grant: GrantBody,
}

impl Cache {
    pub(crate) fn new(secs: u32, question: &str) -> Self {
        Self {
            secs,
            question: Sha256::digest(question).into(),
        }
    }

    pub(crate) fn find(&self, who: &Credentials) -> Option<Grant> {
        let Entry {
            at_ms,
            expires_in_secs,
            grant,
        } = kv::get_json(&self.key(who))?;
        let age_secs = clock::now_ms().saturating_sub(at_ms).div_ceil(1000);
        let mut grant = grant.into_grant();
        if let Some(secs) = expires_in_secs {
            let left = u64::from(secs).checked_sub(age_secs).filter(|left| *left > 0)?;
            grant.expires_in_secs = u32::try_from(left).ok();
        }
        Some(grant)
    }

    /// `told`: how long the server says that its answer holds.
    pub(crate) fn keep(&self, who: &Credentials, grant: &GrantBody, told: Option<u32>) {
        let secs = told.unwrap_or(self.secs);
        if secs == 0 {
            return;
        }
        let entry = Entry {
            at_ms: clock::now_ms(),
            expires_in_secs: grant.expires_in_secs(),
            grant: grant.clone(),
        };
        // A full store keeps nothing new; the server is asked the next time.
        let _ = kv::put_json(&self.key(who), &entry, Some(Duration::from_secs(secs.into())));
    }

    fn key(&self, who: &Credentials) -> String {
        let mut digest = Sha256::new_with_prefix(self.question);
        let mut add = |field: Option<&[u8]>| {
            digest.update([u8::from(field.is_some())]);
            let field = field.unwrap_or_default();
            digest.update(u64::try_from(field.len()).unwrap_or(u64::MAX).to_le_bytes());
            digest.update(field);
        };
        add(Some(who.client_id.as_bytes()));
        add(who.username.as_deref().map(str::as_bytes));
        add(who.password.as_deref());
        add(Some(who.listener.as_bytes()));
        // Each connection has a port of its own.
        let ip = who
            .address
            .rsplit_once(':')
            .map_or(who.address.as_str(), |(ip, _)| ip);
        add(Some(ip.as_bytes()));
        let mut key = "login/".to_owned();
        for byte in digest.finalize() {
            let _ = write!(key, "{byte:02x}");
        }
        key
    }
}
