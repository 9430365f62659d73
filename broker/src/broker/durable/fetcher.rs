//! Fetches messages that only the store has, on a thread that may wait for a disk.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use hookwire_hooks::Action;
use hookwire_store::{Space, Store, StoreError};

use crate::broker::Broker;
use crate::broker::client::Client;
use crate::clock;
use crate::session::journal::{Entry, Place, Unreadable, keys};
use crate::session::{Away, Delivered};

/// What one client gets next. A connection has at most one of these under way.
struct Order {
    broker: Broker,
    client: Arc<Client>,
    wanted: Vec<Away>,
}

/// Where orders go in.
#[derive(Debug)]
pub(super) struct Fetcher(Sender<Order>);

impl Fetcher {
    /// Starts the thread; it ends with the last handle.
    pub(super) fn start(store: Arc<dyn Store>) -> std::io::Result<Self> {
        let (sender, orders) = channel::<Order>();
        std::thread::Builder::new()
            .name("hookwire-fetcher".into())
            .spawn(move || {
                for order in orders {
                    order.fill(&*store);
                }
            })?;
        Ok(Self(sender))
    }

    pub(super) fn fetch(&self, broker: &Broker, client: Arc<Client>, wanted: Vec<Away>) {
        let order = Order {
            broker: broker.clone(),
            client,
            wanted,
        };
        // The thread lives as long as we do, unless it has panicked; then nothing is fetched any more.
        let _ = self.0.send(order);
    }
}

impl Order {
    fn fill(self, store: &dyn Store) {
        let now = clock::now();
        let chain = self.broker.chain();
        let vets = chain.wants_access(Action::Deliver) || self.client.is_restricted();
        let mut fetched = Vec::with_capacity(self.wanted.len());
        for away in &self.wanted {
            let mut delivered = self.read(store, away, now);
            // Rights may have changed while it was away.
            if vets {
                delivered = delivered.filter(|delivered| {
                    self.broker
                        .may_receive(&chain, &self.client, &delivered.message, now)
                });
            }
            fetched.push((away.place, delivered));
        }
        let mut session = self.client.session();
        session.bring_back(now, fetched);
        let link = session.link().cloned();
        drop(session);
        if let Some(link) = link {
            link.signal();
            link.wake();
        }
    }

    /// A message that cannot be read is as good as lost, and that is said.
    fn read(&self, store: &dyn Store, away: &Away, now: std::time::Instant) -> Option<Delivered> {
        match read(store, self.client.number(), &away.place, now) {
            Ok(Some(mut delivered)) => {
                if let Some(message) = Arc::get_mut(&mut delivered.message)
                    && let Some(expires_at) = away.expires_at
                {
                    // The clock that people set may have jumped since.
                    message.expires_at = Some(message.expires_at.map_or(expires_at, |at| at.min(expires_at)));
                }
                Some(delivered)
            }
            // It was dropped in the meantime.
            Ok(None) => None,
            Err(error) => {
                let client_id = self.client.standing().facts.client_id.clone();
                tracing::error!(
                    client_id = %client_id.escape_debug(),
                    seq = away.place.seq,
                    "a message is lost: {error}"
                );
                None
            }
        }
    }
}

fn read(
    store: &dyn Store,
    session: u64,
    place: &Place,
    now: std::time::Instant,
) -> Result<Option<Delivered>, StoreError> {
    let key = keys::place(session, place.seq);
    let Some(value) = store.get(Space::Queue, &key)? else {
        return Ok(None);
    };
    let mut failed = None;
    let mut content = |key: hookwire_store::Key| match store.get(Space::Message, &key) {
        Ok(content) => content,
        Err(error) => {
            failed = Some(error);
            None
        }
    };
    let delivered = Entry::read(value).and_then(|entry| entry.complete(&mut content, now));
    match (delivered, failed) {
        (Ok(delivered), _) => Ok(Some(delivered)),
        (Err(_), Some(error)) => Err(error),
        (Err(Unreadable), None) => Err(super::unreadable(Space::Queue, &key)),
    }
}
