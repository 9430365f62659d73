//! The handle that ties sessions, router and policy together. Everything here is called from many connections
//! at once and never waits; what takes time (authentication) is the caller's to put where it may wait.

mod access;
mod client;
mod connect;
mod disconnect;
mod events;
mod fight;
mod host;
mod publish;
mod registry;
mod subscribe;
mod timers;
mod wills;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use arc_swap::{ArcSwap, Guard};
use bytestring::ByteString;
use hashbrown::HashMap;
use hookwire_hooks::{
    Chain, ClientFacts, ClientKey, Defaults, DropCause, Event, EventKind, Hook, Message, PluginPublish,
};
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Semaphore, mpsc};

pub use access::Rights;
pub use client::{Client, Standing};
pub use connect::{Admits, Arrival, Connected};
pub use disconnect::Departure;
pub use host::PluginAccess;
pub use publish::{Publisher, Stop};

use crate::clock;
use crate::config::{Config, Limits, SessionSettings, TakeoverSettings};
use crate::metrics::Metrics;
use crate::router::{RetainedLimits, Router};
use events::EventSink;
use fight::FightWatch;
use registry::Registry;
use timers::{Due, Timers};
use wills::HeldWills;

/// Messages of plugins that may wait to be published; beyond it they are refused.
const PLUGIN_PUBLISHES_MAX: usize = 4096;

/// The part of the configuration that the broker itself looks at; a reload replaces it whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Bounds on clients.
    pub limits: Limits,
    /// Bounds and habits of sessions.
    pub session: SessionSettings,
    /// Fights for a client id.
    pub takeover: TakeoverSettings,
}

impl From<&Config> for Settings {
    fn from(config: &Config) -> Self {
        Self {
            limits: config.limits.clone(),
            session: config.session.clone(),
            takeover: config.takeover.clone(),
        }
    }
}

impl Settings {
    fn retained_limits(&self) -> RetainedLimits {
        RetainedLimits {
            messages_max: self.limits.retained_messages_max,
            bytes_max: self.limits.retained_bytes_max,
        }
    }
}

/// The broker. Cloning it gives another handle to the same one.
#[derive(Debug, Clone)]
pub struct Broker(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    settings: ArcSwap<Settings>,
    chain: Arc<ArcSwap<Chain>>,
    router: Router<Arc<Client>>,
    registry: Registry,
    held_wills: HeldWills,
    /// Clients that policies are being asked about and that have no session: not yet, at CONNECT, or no more, when
    /// a will is published.
    sessionless: RwLock<HashMap<ClientKey, Arc<ClientFacts>>>,
    timers: Timers,
    fights: FightWatch,
    metrics: Metrics,
    events: EventSink,
    plugin_publishes: mpsc::Sender<PluginPublish>,
    authentications: Semaphore,
    next_key: AtomicU64,
    next_session: AtomicU64,
    /// Messages that plugins publish, until [`Broker::serve`] takes the receiver.
    published: Mutex<Option<mpsc::Receiver<PluginPublish>>>,
}

impl Broker {
    /// A broker with no policy; [`Broker::install`] gives it one.
    ///
    /// # Errors
    /// The system has no thread left for events.
    pub fn new(settings: Settings) -> std::io::Result<Self> {
        let chain = Arc::new(ArcSwap::from_pointee(Chain::new(
            0,
            Vec::new(),
            Defaults::default(),
        )));
        let (plugin_publishes, published) = mpsc::channel(PLUGIN_PUBLISHES_MAX);
        let authentications = Semaphore::new(settings.limits.authentications_max);
        Ok(Self(Arc::new(Shared {
            events: EventSink::start(Arc::clone(&chain))?,
            settings: ArcSwap::from_pointee(settings),
            chain,
            router: Router::default(),
            registry: Registry::default(),
            held_wills: HeldWills::default(),
            sessionless: RwLock::default(),
            timers: Timers::default(),
            fights: FightWatch::default(),
            metrics: Metrics::default(),
            plugin_publishes,
            authentications,
            next_key: AtomicU64::new(1),
            next_session: AtomicU64::new(1),
            published: Mutex::new(Some(published)),
        })))
    }

    /// The policy in force. Hold it for one batch of packets at the most.
    #[inline]
    pub fn chain(&self) -> Guard<Arc<Chain>> {
        self.0.chain.load()
    }

    /// Puts a policy in force, whole: each message is judged by this chain or by the one before, never by
    /// parts of both.
    pub fn install(&self, chain: Arc<Chain>) {
        self.0.chain.store(chain);
    }

    /// The settings in force.
    #[inline]
    pub fn settings(&self) -> Guard<Arc<Settings>> {
        self.0.settings.load()
    }

    /// Replaces the settings; connections keep the terms that they were accepted with.
    pub fn reconfigure(&self, settings: Settings) {
        self.0.settings.store(Arc::new(settings));
    }

    /// What it counts about itself.
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Every session, connected or not.
    pub fn clients(&self) -> Vec<Arc<Client>> {
        self.0.registry.all()
    }

    /// Does what is due (session expiry, delayed wills) and publishes what plugins publish, for as long as
    /// the broker lives.
    pub async fn serve(&self) {
        let Some(mut published) = self.0.published.lock().take() else {
            return;
        };
        let mut publisher = Publisher::default();
        loop {
            tokio::select! {
                () = self.0.timers.wait() => self.do_what_is_due_at(clock::now()),
                Some(publish) = published.recv() => {
                    let now = clock::now();
                    self.publish_of_plugin(&mut publisher, now, publish);
                    while let Ok(publish) = published.try_recv() {
                        self.publish_of_plugin(&mut publisher, now, publish);
                    }
                    publisher.wake_recipients();
                }
            }
        }
    }

    /// Does what is due by this time: session expiry, delayed wills.
    pub fn do_what_is_due_at(&self, now: Instant) {
        while let Some(due) = self.0.timers.pop(now) {
            match due {
                Due::SessionExpiry { client_id, key } => self.expire(now, &client_id, key),
                Due::Will { client_id, key } => self.release_will(now, &client_id, key),
            }
        }
    }

    fn fresh_key(&self) -> ClientKey {
        ClientKey(self.0.next_key.fetch_add(1, Ordering::Relaxed))
    }

    /// Tells plugins what happened, if any wants to know.
    fn emit(&self, client: ClientKey, client_id: &ByteString, kind: impl FnOnce() -> EventKind) {
        if self.chain().has(Hook::Events) {
            self.0.events.push(Event {
                at_ms: clock::unix_ms(),
                client,
                client_id: client_id.clone(),
                kind: kind(),
            });
        }
    }

    /// Tells plugins of messages that did not reach a client.
    pub fn report_dropped(&self, client: &Client, dropped: Vec<(Arc<Message>, DropCause)>) {
        if dropped.is_empty() || !self.chain().has(Hook::Events) {
            return;
        }
        let standing = client.standing();
        for (message, cause) in dropped {
            let topic = ByteString::from(message.topic.as_str());
            self.emit(standing.facts.key, &standing.facts.client_id, || {
                EventKind::Dropped { topic, cause }
            });
        }
    }
}
