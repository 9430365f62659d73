//! Hookwire plugin `jwt`: clients that bring a JSON Web Token. Its README is the reference.

mod algorithm;
mod claims;
mod config;
mod der;
mod jwks;
mod key;
mod policy;
mod rules;
mod token;

use hookwire_plugin::prelude::*;
use hookwire_plugin::{clock, log};

use config::{Config, Otherwise, Place};
use key::Keys;
use policy::Policy;
use token::Token;

/// The plugin.
pub struct Jwt {
    keys: Keys,
    policy: Policy,
    place: Place,
    absent: Otherwise,
}

impl Plugin for Jwt {
    type Config = Config;

    fn new(config: Config) -> Result<Self, Problems> {
        config.check()
    }
}

impl Authenticate for Jwt {
    fn authenticate(&self, who: &Credentials) -> Outcome {
        let Some(text) = self.place.token(who) else {
            return self.absent.outcome();
        };
        match self.admit(text, who) {
            Ok(grant) => Outcome::allow(grant),
            Err(refusal) => {
                // The client is told no more than that; whoever runs the broker wants to know why.
                log::debug!("client {:?}: {refusal}", who.client_id);
                Otherwise::Deny.outcome()
            }
        }
    }
}

impl Jwt {
    fn admit(&self, text: &str, who: &Credentials) -> Result<Grant, String> {
        let token = Token::read(text)?;
        self.keys.verify(&token)?;
        // Nothing of the claims is looked at before the signature has been found good.
        let claims = token.claims()?;
        self.policy.grant(&claims, who, clock::now_ms() / 1000)
    }
}

impl Otherwise {
    fn outcome(self) -> Outcome {
        match self {
            Self::Next => Outcome::Next,
            Self::Deny => Outcome::Deny(ConnectReason::BadUserNameOrPassword.into()),
        }
    }
}

hookwire_plugin::export!(Jwt: Authenticate);

#[cfg(test)]
mod tests;
