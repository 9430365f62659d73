//! Hookwire plugin `scram`: SCRAM-SHA-256 (RFC 5802, RFC 7677) over the AUTH packets of MQTT 5. Its README is the
//! reference.

mod decoy;
mod hmac;
mod message;
mod users;
mod verifier;

use base64ct::{Base64, Encoding};
use hookwire_plugin::prelude::*;
use hookwire_plugin::random;

use decoy::Decoy;
use message::{ClientFinal, ClientFirst, Opening};
use users::Users;
use verifier::Verifier;

/// As RFC 7677 registers it.
const METHOD: &str = "SCRAM-SHA-256";

/// Bytes of the server's part of the nonce.
const NONCE_BYTES: u32 = 18;

/// The plugin's `config` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Lines of `name:SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`.
    users: String,
    /// What the salts of users are made from who do not exist.
    decoy_secret: Option<String>,
}

/// The plugin.
pub struct Scram {
    users: Users,
    decoy: Decoy,
}

impl Plugin for Scram {
    type Config = Config;

    fn new(config: Config) -> Result<Self, Problems> {
        let users = Users::parse(&config.users)?;
        let decoy = Decoy::new(&users, config.decoy_secret.as_deref());
        Ok(Self { users, decoy })
    }
}

impl AuthenticateEnhanced for Scram {
    fn begin(&self, method: &str, data: Option<&[u8]>, _: &Credentials) -> Step {
        if method != METHOD {
            return Step::Next;
        }
        let nonce = Base64::encode_string(&random::bytes(NONCE_BYTES));
        self.challenge(data, &nonce).unwrap_or_else(malformed)
    }

    fn proceed(&self, _: &str, data: Option<&[u8]>, state: &[u8]) -> Step {
        self.judge(data, state).unwrap_or_else(malformed)
    }
}

impl Scram {
    fn challenge(&self, data: Option<&[u8]>, nonce: &str) -> Option<Step> {
        let first = ClientFirst::parse(data?)?;
        let verifier = self.verifier(&first.username);
        let opening = Opening::new(&first, nonce, verifier.salt(), verifier.iterations());
        Some(Step::Challenge {
            data: opening.server_first().as_bytes().to_vec(),
            state: opening.to_state(),
        })
    }

    /// Somebody who does not exist is judged with the same work, and refused in the same words, as one with a wrong
    /// password.
    fn judge(&self, data: Option<&[u8]>, state: &[u8]) -> Option<Step> {
        let opening = Opening::from_state(state)?;
        let last = ClientFinal::parse(data?)?;
        if !last.continues(&opening) {
            return None;
        }
        let username = opening.username()?;
        let signed = opening.auth_message(&last);
        let verified = self.verifier(&username).verify(signed.as_bytes(), &last.proof);
        let exists = self.users.get(&username).is_some();
        Some(match verified.filter(|_| exists) {
            Some(signature) => Step::Allow {
                grant: Grant {
                    username: Some(username),
                    ..Grant::default()
                },
                data: Some(format!("v={}", Base64::encode_string(&signature)).into_bytes()),
            },
            None => Step::deny(ConnectReason::BadUserNameOrPassword),
        })
    }

    fn verifier(&self, username: &str) -> Verifier {
        let decoy = self.decoy.verifier(username);
        self.users.get(username).cloned().unwrap_or(decoy)
    }
}

fn malformed() -> Step {
    Step::deny(Denial::new(
        ConnectReason::NotAuthorized,
        "not a message of SCRAM-SHA-256, or one with a feature that is not offered",
    ))
}

hookwire_plugin::export!(Scram: AuthenticateEnhanced);

#[cfg(test)]
mod tests;
