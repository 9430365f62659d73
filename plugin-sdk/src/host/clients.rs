//! Facts about clients. Grant: `clients = true`.

use std::cell::RefCell;
use std::rc::Rc;

#[cfg(target_family = "wasm")]
use crate::bindings::clients as host;
use crate::bindings::types::{ClientKey, Protocol};
#[cfg(not(target_family = "wasm"))]
use crate::mock::host::clients as host;

pub use crate::bindings::clients::Client;

/// Clients whose facts are kept. A look-up that misses costs a call to the broker.
const CACHED_CLIENTS: usize = 1024;

type Slot = Option<(ClientKey, Rc<Client>)>;

thread_local! {
    /// The client of key `k` is at `k % CACHED_CLIENTS`. A key is never used twice, so nothing here goes stale.
    static CACHE: RefCell<Vec<Slot>> = const { RefCell::new(Vec::new()) };
}

/// The client of this key; none when the broker does not know the key (any more).
///
/// The facts of a connection do not change, so the SDK keeps those of some clients: most calls cost nothing.
pub fn get(key: ClientKey) -> Option<Rc<Client>> {
    CACHE.with_borrow_mut(|cache| {
        cache.resize(CACHED_CLIENTS, None);
        let slot = &mut cache[key as usize % CACHED_CLIENTS];
        if let Some((cached, client)) = slot
            && *cached == key
        {
            return Some(Rc::clone(client));
        }
        let client = Rc::new(host::get(key)?);
        *slot = Some((key, Rc::clone(&client)));
        Some(client)
    })
}

/// Closes the client's connection with "administrative action"; false when it has none.
pub fn disconnect(key: ClientKey, text: Option<&str>) -> bool {
    host::disconnect(key, text)
}

/// Drops the answers of `authorize` that the broker keeps for this client; false when the key is not known.
pub fn forget(key: ClientKey) -> bool {
    host::forget(key)
}

/// The same, and soon after the call has the broker ask `authorize` about each of its subscriptions and about what waits for
/// it: what is refused now is taken away. False when the key is not known or too many such wishes wait.
pub fn reauthorize(key: ClientKey) -> bool {
    host::reauthorize(key)
}

#[cfg(not(target_family = "wasm"))]
pub(crate) fn forget_all() {
    CACHE.with_borrow_mut(Vec::clear);
}

impl Client {
    /// A client with this id and no user name, for tests. Set the fields for something else.
    pub fn new(client_id: impl Into<String>) -> Self {
        Self {
            client_id: client_id.into(),
            username: None,
            address: "192.0.2.1:50000".to_owned(),
            listener: "default".to_owned(),
            protocol: Protocol::Mqtt5,
            connected_at_ms: 0,
            attributes: Vec::new(),
        }
    }

    /// The value of the first attribute of this name.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|attribute| attribute.name == name)
            .map(|attribute| attribute.value.as_str())
    }
}
