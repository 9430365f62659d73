//! Fetches messages that only the store has, on a thread that may wait for a disk.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Instant;

use hookwire_hooks::{Action, Chain};
use hookwire_store::{Committer, Key, Space, StoreError};

use super::{Owed, ReadError};
use crate::broker::Broker;
use crate::broker::client::Client;
use crate::clock;
use crate::session::journal::{Entry, Place, keys};
use crate::session::{Away, Delivered, Wanted};

/// What one client gets next. A connection has at most one of these under way.
struct Order {
    broker: Broker,
    client: Arc<Client>,
    wanted: Vec<Away>,
    /// How often reading it has failed before.
    failures: u32,
}

/// Where orders go in.
#[derive(Debug)]
pub(super) struct Fetcher(Sender<Order>);

impl Fetcher {
    /// Starts the thread; it ends with the last handle.
    pub(super) fn start(committer: Arc<Committer>) -> std::io::Result<Self> {
        let (sender, orders) = channel::<Order>();
        std::thread::Builder::new()
            .name("hookwire-fetcher".into())
            .spawn(move || {
                for order in orders {
                    order.fill(&committer);
                }
            })?;
        Ok(Self(sender))
    }

    pub(super) fn fetch(&self, broker: &Broker, client: Arc<Client>, wanted: Vec<Away>, failures: u32) {
        let order = Order {
            broker: broker.clone(),
            client,
            wanted,
            failures,
        };
        // The thread lives as long as we do, unless it has panicked; then nothing is fetched any more.
        let _ = self.0.send(order);
    }
}

/// What an order has come to.
#[derive(Default)]
struct Filled {
    /// `None` for what the store does not have, or what is not for the client any more.
    fetched: Vec<(Place, Option<Delivered>)>,
    /// From here on nothing could be read, and why. What comes behind it has to wait for it anyway.
    left: Option<(Vec<Away>, StoreError)>,
}

impl Order {
    fn fill(self, committer: &Committer) {
        if self.is_for_nobody() {
            return;
        }
        let Filled { fetched, left } = self.read_all(committer);
        // Before the client may ask for more.
        let is_all = left.is_none();
        if let Some((queued, error)) = left {
            self.try_later(queued, &error);
        }
        let mut session = self.client.session();
        session.bring_back(clock::now(), fetched, is_all);
        let link = session.link().cloned();
        drop(session);
        if let Some(link) = link {
            link.signal();
            link.wake();
        }
    }

    /// Its client has gone: when it is back it asks again.
    fn is_for_nobody(&self) -> bool {
        let mut session = self.client.session();
        let is_for_nobody = !session.is_online();
        if is_for_nobody {
            session.bring_back(clock::now(), Vec::new(), true);
        }
        is_for_nobody
    }

    fn read_all(&self, committer: &Committer) -> Filled {
        let now = clock::now();
        let chain = self.broker.chain();
        let vets = chain.wants_access(Action::Deliver) || self.client.is_restricted();
        let mut filled = Filled::default();
        for (at, away) in self.wanted.iter().enumerate() {
            match self.read(committer, away, now) {
                Ok(delivered) => {
                    let delivered = delivered.filter(|delivered| !vets || self.may(&chain, delivered, now));
                    filled.fetched.push((away.place, delivered));
                }
                Err(error) => {
                    let left = self.wanted.iter().skip(at).copied();
                    filled.left = Some((left.collect(), error));
                    break;
                }
            }
        }
        filled
    }

    /// Rights may have changed while it was away.
    fn may(&self, chain: &Chain, delivered: &Delivered, now: Instant) -> bool {
        self.broker
            .may_receive(chain, &self.client, &delivered.message, now)
    }

    fn try_later(&self, queued: Vec<Away>, error: &StoreError) {
        let owed = Owed {
            client: Arc::clone(&self.client),
            wanted: Wanted {
                queued,
                ..Wanted::default()
            },
            failures: self.failures.saturating_add(1),
            under_way: None,
        };
        self.broker.read_later(owed, error);
    }

    /// A message that is damaged is lost, and that is said. The error is for one that may be read another time.
    fn read(
        &self,
        committer: &Committer,
        away: &Away,
        now: Instant,
    ) -> Result<Option<Delivered>, StoreError> {
        match read(committer, self.client.number(), &away.place, now) {
            Ok(Some(mut delivered)) => {
                if let Some(message) = Arc::get_mut(&mut delivered.message)
                    && let Some(expires_at) = away.expires_at
                {
                    // The clock that people set may have jumped since.
                    message.expires_at = Some(message.expires_at.map_or(expires_at, |at| at.min(expires_at)));
                }
                Ok(Some(delivered))
            }
            // It was dropped in the meantime.
            Ok(None) => Ok(None),
            Err(error) => {
                committer.note_failed_read(&error);
                if !error.is_damage() {
                    return Err(error);
                }
                let client_id = self.client.standing().facts.client_id.clone();
                tracing::error!(
                    client_id = %client_id.escape_debug(),
                    seq = away.place.seq,
                    "a message is lost: {error}"
                );
                Ok(None)
            }
        }
    }
}

fn read(
    committer: &Committer,
    session: u64,
    place: &Place,
    now: Instant,
) -> Result<Option<Delivered>, StoreError> {
    let store = committer.store();
    let key = keys::place(session, place.seq);
    let Some(value) = store.get(Space::Queue, &key)? else {
        return Ok(None);
    };
    let content = |key: Key| store.get(Space::Message, &key).map_err(ReadError::from);
    let delivered = Entry::read(value)
        .map_err(ReadError::from)
        .and_then(|entry| entry.complete(content, now));
    delivered.map(Some).map_err(|error| error.of(Space::Queue, &key))
}
