//! Fetches retained messages for new subscriptions, on a thread that may wait for a disk. It is not that of the queues:
//! whoever subscribes to everything does not hold up what waits for others.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};

use hookwire_hooks::{Chain, ClientKey};
use hookwire_store::StoreError;
use parking_lot::MutexGuard;

use super::Owed;
use crate::broker::Broker;
use crate::broker::client::Client;
use crate::clock;
use crate::session::{Replayed, RetainedCopy, Session, Wanted};

/// So often policies are asked about the same messages: one that has itself forgotten whenever it is asked is not asked for
/// ever.
const ROUNDS_MAX: usize = 4;

/// The next retained messages of one client. A session has at most one of these under way.
struct Order {
    broker: Broker,
    client: Arc<Client>,
    wanted: Vec<Arc<RetainedCopy>>,
    /// How often reading it has failed before.
    failures: u32,
    /// It ends with this order, and not before the next one was given.
    under_way: UnderWay,
}

/// Counts an order for as long as it lives.
#[derive(Debug)]
pub(super) struct UnderWay(Arc<AtomicUsize>);

impl UnderWay {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(count))
    }

    /// Another order of the same kind.
    fn again(&self) -> Self {
        Self::new(&self.0)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Where orders go in.
#[derive(Debug)]
pub(super) struct Replays {
    orders: Sender<Order>,
    under_way: Arc<AtomicUsize>,
}

impl Replays {
    /// Starts the thread; it ends with the last handle.
    pub(super) fn start() -> std::io::Result<Self> {
        let (sender, orders) = channel::<Order>();
        std::thread::Builder::new()
            .name("hookwire-retained".into())
            .spawn(move || {
                for order in orders {
                    order.run();
                }
            })?;
        Ok(Self {
            orders: sender,
            under_way: Arc::default(),
        })
    }

    pub(super) fn fetch(
        &self,
        broker: &Broker,
        client: Arc<Client>,
        wanted: Vec<Arc<RetainedCopy>>,
        failures: u32,
    ) {
        let order = Order {
            broker: broker.clone(),
            client,
            wanted,
            failures,
            under_way: UnderWay::new(&self.under_way),
        };
        // The thread lives as long as we do.
        let _ = self.orders.send(order);
    }

    /// Whether nothing is being fetched.
    pub(super) fn is_idle(&self) -> bool {
        self.under_way.load(Ordering::Acquire) == 0
    }
}

/// What the answers of policies hold for.
#[derive(PartialEq, Eq)]
struct Basis {
    generation: u64,
    key: ClientKey,
    epoch: u64,
}

impl Basis {
    fn of(chain: &Chain, client: &Client) -> Self {
        Self {
            generation: chain.generation(),
            key: client.key(),
            epoch: client.answers_epoch(),
        }
    }
}

/// What a client may get of these, and its session, locked before anything else could be in force.
fn judged<'c>(
    broker: &Broker,
    client: &'c Arc<Client>,
    read: &[Replayed],
) -> (MutexGuard<'c, Session>, Vec<Replayed>) {
    let mut rounds = 0;
    loop {
        let chain = broker.chain();
        let basis = Basis::of(&chain, client);
        let found = broker.judge_retained(&chain, client, read.to_vec(), clock::now());
        let session = client.session();
        rounds += 1;
        // Whoever changes it from here on looks at what waits in the session.
        if rounds == ROUNDS_MAX || basis == Basis::of(&broker.chain(), client) {
            return (session, found);
        }
    }
}

impl Order {
    /// Policies are asked here. Were one of them to end this thread, nobody would be sent retained messages any more.
    fn run(&self) {
        let own = Cell::new(&self.wanted[..]);
        if catch_unwind(AssertUnwindSafe(|| self.fill(&own))).is_ok() {
            return;
        }
        let own = own.get();
        let client_id = self.client.standing().facts.client_id.clone();
        tracing::error!(
            client_id = %client_id.escape_debug(),
            count = own.len(),
            "retained messages are not sent: the broker panicked over them"
        );
        // They would be asked for again, with the same outcome.
        let without = || self.bring_back(self.client.session(), own, &[]);
        if catch_unwind(AssertUnwindSafe(without)).is_err() {
            tracing::error!("and those behind them are not sent either");
        }
    }

    /// `own` is what this order answers for: what is to be read another time is the business of the one that does.
    fn fill<'o>(&'o self, own: &Cell<&'o [Arc<RetainedCopy>]>) {
        if self.client.session().has_ended() {
            return;
        }
        let (mut read, mut done) = (Vec::new(), 0);
        for copy in &self.wanted {
            match self.read(copy) {
                Ok(replayed) => read.extend(replayed),
                Err(error) => {
                    self.try_later(done, &error);
                    own.set(self.wanted.get(..done).unwrap_or_default());
                    break;
                }
            }
            done += 1;
        }
        let (session, found) = judged(&self.broker, &self.client, &read);
        self.bring_back(session, own.get(), &found);
    }

    /// `None` if it is not to be sent any more, or damaged, which was said. The error is for one that may be read another time.
    fn read(&self, copy: &Arc<RetainedCopy>) -> Result<Option<Replayed>, StoreError> {
        let now = clock::now();
        if copy.is_superseded() || copy.is_expired(now) {
            return Ok(None);
        }
        let message = match self.broker.read_retained(copy, now) {
            Err(error) if !error.is_damage() => return Err(error),
            read => read.ok().flatten(),
        };
        Ok(message.map(|message| Replayed {
            copy: Arc::clone(copy),
            message: Some(message),
        }))
    }

    /// From this one on. What comes behind the first that cannot be read has to wait for it anyway.
    fn try_later(&self, from: usize, error: &StoreError) {
        let owed = Owed {
            client: Arc::clone(&self.client),
            wanted: Wanted {
                retained: self.wanted.iter().skip(from).cloned().collect(),
                ..Wanted::default()
            },
            failures: self.failures.saturating_add(1),
            under_way: Some(self.under_way.again()),
        };
        self.broker.read_later(owed, error);
    }

    /// Of what was wanted, so many of the first were looked for, and these found.
    fn bring_back(
        &self,
        mut session: MutexGuard<'_, Session>,
        looked_for: &[Arc<RetainedCopy>],
        found: &[Replayed],
    ) {
        // Reads and policies have taken their time.
        let now = clock::now();
        let is_all = looked_for.len() == self.wanted.len();
        session.bring_back_retained(now, looked_for, found, is_all);
        let link = session.link().cloned();
        // A connection asks for the next ones itself.
        let more = link.is_none().then(|| session.take_wanted());
        let (lost, unread) = (session.take_lost(), session.take_dropped_unread());
        drop(session);
        if let Some(more) = more.filter(|more| !more.is_empty()) {
            self.broker.fetch(&self.client, more);
        }
        if let Some(link) = link {
            link.signal();
            link.wake();
        }
        self.broker.count_dropped_unread(&unread);
        self.broker.report_lost(&self.client, lost);
    }
}
