//! Secure by default: nobody is let in from outside by oversight.

use super::problem::{ConfigError, Problem};
use super::settings::{Config, Listener};

impl Config {
    /// Refuses listeners on which strangers could knock while nothing decides about them. `authenticating` are the
    /// names of the loaded plugins that authenticate; asked after loading, since only then it is known.
    pub fn check_exposure(&self, authenticating: &[&str]) -> Result<(), ConfigError> {
        if !authenticating.is_empty() {
            return Ok(());
        }
        let exposed = self
            .listeners
            .iter()
            .enumerate()
            .filter(|(_, listener)| listener.is_exposed());
        let problems: Vec<_> = exposed
            .map(|(place, listener)| exposure(place, listener))
            .collect();
        if problems.is_empty() {
            Ok(())
        } else {
            Err(ConfigError { file: None, problems })
        }
    }
}

impl Listener {
    /// Whether a client about whom no plugin decides is admitted here.
    pub fn admits_anonymous(&self, any_authenticator: bool) -> bool {
        self.allow_anonymous
            .unwrap_or_else(|| self.is_loopback() && !any_authenticator)
    }

    fn is_exposed(&self) -> bool {
        !self.is_loopback() && self.allow_anonymous != Some(true)
    }

    fn is_loopback(&self) -> bool {
        // `::ffff:127.0.0.1` is loopback too.
        self.address.ip().to_canonical().is_loopback()
    }
}

fn exposure(place: usize, listener: &Listener) -> Problem {
    Problem {
        line: None,
        column: None,
        key: format!("listener.{place}.allow_anonymous"),
        message: format!(
            "listener {:?} at {} can be reached from other machines and no plugin authenticates; \
             add a plugin that does, or set allow_anonymous = true at this listener to admit everybody",
            listener.name, listener.address
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(address: &str, allow_anonymous: Option<bool>) -> Listener {
        let address = address.parse().unwrap();
        Listener {
            name: "l".to_owned(),
            address,
            allow_anonymous,
            connections_max: 1,
        }
    }

    #[test]
    fn anonymous_clients_are_admitted_on_loopback_alone() {
        for loopback in [
            "127.0.0.1:1883",
            "127.8.0.1:1883",
            "[::1]:1883",
            "[::ffff:127.0.0.1]:1883",
        ] {
            assert!(listener(loopback, None).admits_anonymous(false), "{loopback}");
            assert!(!listener(loopback, None).admits_anonymous(true), "{loopback}");
            assert!(
                !listener(loopback, Some(false)).admits_anonymous(false),
                "{loopback}"
            );
        }
        for open in [
            "0.0.0.0:1883",
            "[::]:1883",
            "192.0.2.1:1883",
            "[::ffff:192.0.2.1]:1883",
        ] {
            assert!(!listener(open, None).admits_anonymous(false), "{open}");
            assert!(listener(open, Some(true)).admits_anonymous(true), "{open}");
        }
    }

    #[test]
    fn an_open_listener_needs_an_authenticator_or_a_word() {
        let with = |listener| Config {
            listeners: vec![listener],
            ..Config::default()
        };
        assert_eq!(Config::default().check_exposure(&[]), Ok(()));
        assert_eq!(
            with(listener("0.0.0.0:1883", None)).check_exposure(&["password-file"]),
            Ok(())
        );
        assert_eq!(
            with(listener("0.0.0.0:1883", Some(true))).check_exposure(&[]),
            Ok(())
        );
        let error = with(listener("0.0.0.0:1883", None))
            .check_exposure(&[])
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "listener.0.allow_anonymous: listener \"l\" at 0.0.0.0:1883 can be reached from other machines and no \
             plugin authenticates; add a plugin that does, or set allow_anonymous = true at this listener to admit \
             everybody"
        );
        // It would admit nobody at all: not dangerous, but surely not meant.
        assert!(
            with(listener("0.0.0.0:1883", Some(false)))
                .check_exposure(&[])
                .is_err()
        );
    }
}
