//! Users who do not exist, as they look from outside.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use crate::hmac::{Digest, hmac};
use crate::users::Users;
use crate::verifier::Verifier;

/// Makes up verifiers. The same name gets the same salt each time, from each instance and after each start, as that of a
/// real user would; and nobody can tell it from one without the secret.
pub(crate) struct Decoy {
    secret: Digest,
    iterations: u32,
    salt_bytes: usize,
}

impl Decoy {
    /// Without a secret of its own it is made of the users' keys, which nobody else knows.
    pub(crate) fn new(users: &Users, secret: Option<&str>) -> Self {
        let secret = match secret {
            Some(secret) => Sha256::digest(secret).into(),
            None => users
                .verifiers()
                .fold(Sha256::new(), |hash, user| hash.chain_update(user.server_key))
                .finalize()
                .into(),
        };
        let most = |measure: fn(&Verifier) -> usize| commonest(users.verifiers().map(measure));
        Self {
            secret,
            iterations: most(|user| user.iterations as usize) as u32,
            salt_bytes: most(|user| user.salt.len()).min(Digest::default().len()),
        }
    }

    /// Of a user with this name. No password fits it.
    pub(crate) fn verifier(&self, username: &str) -> Verifier {
        let part = |label: &str| hmac(&self.secret, format!("{label}\0{username}").as_bytes());
        Verifier {
            iterations: self.iterations,
            salt: part("salt")[..self.salt_bytes].to_vec(),
            stored_key: part("stored"),
            server_key: part("server"),
        }
    }
}

/// What most users have in common.
fn commonest(values: impl Iterator<Item = usize>) -> usize {
    let mut counts = BTreeMap::<usize, usize>::new();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    let most = counts.into_iter().max_by_key(|(_, count)| *count);
    most.map_or(0, |(value, _)| value)
}
