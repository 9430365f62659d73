//! Hookwire plugin `password-file`: users with hashed passwords. Its README is the reference.

mod config;
mod lines;
mod verifier;

use std::collections::BTreeMap;

use hookwire_passwords::Hash;
use hookwire_plugin::prelude::*;

use config::{Config, Otherwise};
use verifier::Verifier;

/// The plugin.
pub struct PasswordFile {
    users: BTreeMap<String, User>,
    verifier: Verifier,
    anonymous: Otherwise,
    unknown: Otherwise,
}

/// Somebody who may come in.
struct User {
    hash: Hash,
    grant: Grant,
}

impl User {
    /// Somebody of whom there is no more to say.
    fn plain(hash: Hash) -> Self {
        Self {
            hash,
            grant: Grant::default(),
        }
    }
}

impl Plugin for PasswordFile {
    type Config = Config;

    fn new(config: Config) -> Result<Self, Problems> {
        let (anonymous, unknown) = (config.anonymous, config.unknown);
        let users = config.into_users()?;
        let verifier =
            Verifier::new(users.values().map(|user| &user.hash)).map_err(|error| Problem::at("", error))?;
        Ok(Self {
            users,
            verifier,
            anonymous,
            unknown,
        })
    }
}

impl Authenticate for PasswordFile {
    fn authenticate(&self, who: &Credentials) -> Outcome {
        let Some(username) = &who.username else {
            return self.anonymous.outcome();
        };
        let user = self.users.get(username);
        let correct = self
            .verifier
            .verify(user.map(|user| &user.hash), who.password.as_deref());
        match user {
            Some(user) if correct => Outcome::allow(user.grant.clone()),
            Some(_) => Otherwise::Deny.outcome(),
            None => self.unknown.outcome(),
        }
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

hookwire_plugin::export!(PasswordFile: Authenticate);

#[cfg(test)]
mod tests;
