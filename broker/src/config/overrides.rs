//! What the command line has the last word about.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::defaults::{LISTENER_NAME, default_listener};
use super::settings::{Config, Listener};

impl Config {
    /// `--listen` and `--data`. Given addresses replace all listeners of the file, with what it says about anonymous
    /// clients: a word about one address is none about another.
    #[must_use]
    pub fn with_overrides(mut self, listen: &[SocketAddr], data: Option<PathBuf>) -> Self {
        if !listen.is_empty() {
            let numbered = listen.iter().enumerate();
            self.listeners = numbered
                .map(|(place, address)| listener(place, *address))
                .collect();
        }
        self.data_dir = data.or(self.data_dir);
        self
    }
}

/// Named "default", "default-2", "default-3".
fn listener(place: usize, address: SocketAddr) -> Listener {
    let name = match place {
        0 => LISTENER_NAME.to_owned(),
        _ => format!("{LISTENER_NAME}-{}", place + 1),
    };
    Listener {
        name,
        address,
        ..default_listener()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_addresses_replace_listeners() {
        let text = "data_dir = \"d\"\n[[listener]]\n\
                    name = \"open\"\naddress = \"0.0.0.0:1883\"\nallow_anonymous = true\n";
        let config = Config::parse(text, None, &[]).unwrap();
        assert_eq!(config.clone().with_overrides(&[], None), config);

        let listen = ["0.0.0.0:1".parse().unwrap(), "[::1]:2".parse().unwrap()];
        let overridden = config.with_overrides(&listen, Some(PathBuf::from("elsewhere")));
        let names: Vec<_> = overridden
            .listeners
            .iter()
            .map(|listener| listener.name.as_str())
            .collect();
        assert_eq!(names, ["default", "default-2"]);
        assert_eq!(overridden.listeners[1].address, listen[1]);
        assert_eq!(overridden.data_dir, Some(PathBuf::from("elsewhere")));
        assert!(overridden.check_exposure(&[]).is_err());
    }
}
