//! `password`: hashes at native speed.

use hookwire_passwords::{Hash, HashError, Memory};

use crate::bindings::imports::password::{Error, Host};
use crate::guest::Guest;

impl Host for Guest {
    /// The memory that Argon2 works in is the host's, and is given back at the end: as many calls as the plugin has
    /// instances can need it at a time.
    fn verify(&mut self, encoded: String, password: Vec<u8>) -> Result<bool, Error> {
        if !self.takes_its_time() {
            return Err(Error::NotInThisHook);
        }
        self.note(|| "password.verify(…)".to_owned());
        let hash: Hash = encoded.parse()?;
        if hash.memory_kib() > self.services.limits().password_memory_kib_max {
            return Err(Error::TooCostly);
        }
        let mut memory = Memory::for_hashes([&hash]).map_err(|_| Error::TooCostly)?;
        Ok(hash.verify(&password, &mut memory))
    }
}

impl From<HashError> for Error {
    fn from(error: HashError) -> Self {
        match error {
            HashError::UnknownForm => Self::Unsupported,
            HashError::Malformed => Self::Malformed,
            HashError::TooCostly { .. } => Self::TooCostly,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::guest::Budget;
    use crate::guest::tests::guest;
    use crate::{Grants, HostLimits};

    /// Of `letmein`.
    const ARGON2: &str =
        "$argon2id$v=19$m=1024,t=1,p=1$AZ/G7a8+k5Gnp+zzBA8hdQ$2qCWKQevL5fSj5cNIWS6No0LWn8wxfHU/pzxBj8BDh8";

    fn verify(guest: &mut Guest, encoded: &str, password: &str) -> Result<bool, &'static str> {
        guest
            .verify(encoded.into(), password.into())
            .map_err(|error| match error {
                Error::NotInThisHook => "not-in-this-hook",
                Error::Unsupported => "unsupported",
                Error::Malformed => "malformed",
                Error::TooCostly => "too-costly",
            })
    }

    fn patient(limits: HostLimits) -> Guest {
        let mut guest = guest(Grants::default(), limits);
        guest.begin(Budget::slow(Duration::from_secs(2)));
        guest
    }

    #[test]
    fn a_password_is_right_or_wrong() {
        let mut guest = patient(HostLimits::default());
        assert_eq!(verify(&mut guest, ARGON2, "letmein"), Ok(true));
        assert_eq!(verify(&mut guest, ARGON2, "letmeout"), Ok(false));
        assert_eq!(verify(&mut guest, "letmein", "letmein"), Err("unsupported"));
        assert_eq!(verify(&mut guest, "$7$1$x", "letmein"), Err("malformed"));
        assert_eq!(verify(&mut guest, "$2b$31$x", "letmein"), Err("too-costly"));
    }

    #[test]
    fn nobody_waits_for_a_hash_in_a_hook_about_messages() {
        let mut guest = patient(HostLimits::default());
        guest.begin(Budget::new(Duration::from_millis(5)));
        assert_eq!(verify(&mut guest, ARGON2, "letmein"), Err("not-in-this-hook"));
    }

    #[test]
    fn the_memory_of_the_host_is_bounded() {
        let mut guest = patient(HostLimits {
            password_memory_kib_max: 1023,
            ..HostLimits::default()
        });
        assert_eq!(verify(&mut guest, ARGON2, "letmein"), Err("too-costly"));
    }
}
