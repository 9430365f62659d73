//! `secrets`: what the configuration keeps from everybody else.

use crate::bindings::imports::secrets::Host;
use crate::guest::Guest;

impl Host for Guest {
    fn get(&mut self, name: String) -> Option<Vec<u8>> {
        // Not its value: what is noted is shown to people.
        self.note(|| format!("secrets.get({name:?})"));
        self.services
            .grants
            .secrets
            .get(&name)
            .map(|secret| secret.0.to_vec())
    }
}
