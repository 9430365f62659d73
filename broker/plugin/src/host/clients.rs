//! `clients`: facts about clients.

use hookwire_hooks::{ClientFacts, ClientKey};

use crate::bindings::imports::clients::{Client, Host};
use crate::guest::Guest;
use crate::hook::convert;
use crate::note;

impl Host for Guest {
    fn get(&mut self, key: u64) -> Option<Client> {
        let facts = self.services.foundation.broker.client(ClientKey(key));
        self.note(|| {
            let found = facts.as_ref().map_or("none", |facts| &facts.client_id);
            format!("clients.get({key}) = {found}")
        });
        facts.map(|facts| describe(&facts))
    }

    fn disconnect(&mut self, key: u64, text: Option<String>) -> bool {
        self.note(|| format!("clients.disconnect({key}, {})", note::optional(text.as_deref())));
        self.services.foundation.broker.disconnect(ClientKey(key), text)
    }

    fn forget(&mut self, key: u64) -> bool {
        self.note(|| format!("clients.forget({key})"));
        self.services.foundation.broker.forget_answers(ClientKey(key))
    }

    fn reauthorize(&mut self, key: u64) -> bool {
        self.note(|| format!("clients.reauthorize({key})"));
        self.services.foundation.broker.reauthorize(ClientKey(key))
    }
}

fn describe(facts: &ClientFacts) -> Client {
    Client {
        client_id: facts.client_id.to_string(),
        username: facts.username.as_ref().map(ToString::to_string),
        address: facts.address.to_string(),
        listener: facts.listener.to_string(),
        protocol: convert::protocol(facts.version),
        connected_at_ms: facts.connected_at_ms,
        attributes: convert::owned_user_properties(&facts.attributes),
    }
}
