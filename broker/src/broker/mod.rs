//! The handle that ties sessions, router and policy together. Everything here is called from many connections
//! at once and never waits, except where it says `async`: there policies may wait.

mod access;
mod admin;
mod authentication;
mod bans;
mod bundle;
mod client;
mod connect;
mod deliver;
mod disconnect;
mod durable;
mod emission;
mod events;
mod fight;
mod host;
mod memory;
mod onlookers;
mod publish;
mod publish_waiting;
mod publisher;
mod redirect;
mod registry;
mod report;
mod retained_sources;
mod room;
mod sharing;
mod subscribe;
mod timers;
mod vetting;
mod wills;

#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, Guard};
use bytestring::ByteString;
use hookwire_hooks::{Chain, ClientKey, Defaults, Event, EventClass, EventKind, Hook, PluginPublish};
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Semaphore, mpsc};

pub use access::Rights;
pub use admin::{ClientDetails, ClientSummary, MemoryState};
pub use authentication::{Dialogue, Enrolment, refused};
pub use client::{Client, Standing};
pub use connect::{Admits, Arrival, Connected};
pub use disconnect::Departure;
pub use durable::Recovered;
pub use host::PluginAccess;
pub use publish::{Published, Stop};
pub use publish_waiting::PublishedRun;
pub use publisher::Publisher;
pub use subscribe::Consulted;

use crate::clock;
use crate::config::{
    AdminSettings, BanSettings, Config, FlappingSettings, Limits, Redirect, SessionSettings, TakeoverSettings,
};
use crate::metrics::{Limit, Metrics, Tally};
use crate::router::{RetainedLimits, Router};
use crate::session::Lost;
use crate::watch::Watches;
use bans::FlappingWatch;
use durable::Durable;
use events::EventSink;
use fight::FightWatch;
use memory::Memory;
use registry::Registry;
use retained_sources::RetainedSources;
use timers::{Due, Timers};
use vetting::Sessionless;
use wills::HeldWills;

/// Messages of plugins that may wait to be published; beyond it they are refused.
const PLUGIN_PUBLISHES_MAX: usize = 4096;

/// Clients whose rights plugins want looked at again and that may wait for it; beyond it plugins are told so.
const REAUTHORIZATIONS_MAX: usize = 4096;

/// Whom an event is about where it is about no client.
const NOBODY: ClientKey = ClientKey(0);

/// The part of the configuration that the broker itself looks at; a reload replaces it whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Bounds on clients.
    pub limits: Limits,
    /// Bounds and habits of sessions.
    pub session: SessionSettings,
    /// Fights for a client id.
    pub takeover: TakeoverSettings,
    /// Who is not let in.
    pub ban: BanSettings,
    /// Who is banned for a while.
    pub flapping: FlappingSettings,
    /// Where clients are sent for whom there is no room.
    pub redirect: Option<Redirect>,
    /// How often `$SYS` is published; zero: never.
    pub sys_interval: Duration,
    /// Who may administer, and how much of it at a time.
    pub admin: AdminSettings,
}

impl From<&Config> for Settings {
    fn from(config: &Config) -> Self {
        Self {
            limits: config.limits.clone(),
            session: config.session.clone(),
            takeover: config.takeover.clone(),
            ban: config.ban.clone(),
            flapping: config.flapping.clone(),
            redirect: config.redirect.clone(),
            sys_interval: config.sys_interval,
            admin: config.admin.clone(),
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
    /// The store, if anything is to survive the process.
    durable: Option<Durable>,
    registry: Registry,
    held_wills: HeldWills,
    retained_sources: RetainedSources,
    /// Clients that policies are being asked about and that have no session: not yet, at CONNECT, or no more, when
    /// a will is published.
    sessionless: RwLock<Sessionless>,
    timers: Timers,
    fights: FightWatch,
    flapping: FlappingWatch,
    memory: Memory,
    started_at: Instant,
    metrics: Metrics,
    events: EventSink,
    watches: Arc<Watches>,
    plugin_publishes: mpsc::Sender<PluginPublish>,
    reauthorizations: mpsc::Sender<ClientKey>,
    authentications: Semaphore,
    next_key: AtomicU64,
    next_session: AtomicU64,
    /// What plugins wish, until [`Broker::serve`] takes it.
    wishes: Mutex<Option<Wishes>>,
}

/// What plugins wish and the broker does by and by.
#[derive(Debug)]
struct Wishes {
    /// Messages to be published.
    published: mpsc::Receiver<PluginPublish>,
    /// Clients whose rights are to be looked at again.
    reauthorizations: mpsc::Receiver<ClientKey>,
}

impl Broker {
    /// A broker with no policy; [`Broker::install`] gives it one.
    ///
    /// # Errors
    /// The system has no thread left for events.
    pub fn new(settings: Settings) -> std::io::Result<Self> {
        Self::with_durable(settings, None)
    }

    /// The same with a store; [`Broker::recover`] restores what it has. Retained messages beyond so many bytes are in the store
    /// only.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn with_store(
        settings: Settings,
        committer: Arc<hookwire_store::Committer>,
        retained_cache_bytes: usize,
    ) -> std::io::Result<Self> {
        let durable = Durable::new(committer, retained_cache_bytes)?;
        Self::with_durable(settings, Some(durable))
    }

    fn with_durable(settings: Settings, durable: Option<Durable>) -> std::io::Result<Self> {
        let chain = Arc::new(ArcSwap::from_pointee(Chain::new(
            0,
            Vec::new(),
            Defaults::default(),
        )));
        let (plugin_publishes, published) = mpsc::channel(PLUGIN_PUBLISHES_MAX);
        let (reauthorizations, reauthorized) = mpsc::channel(REAUTHORIZATIONS_MAX);
        let authentications = Semaphore::new(settings.limits.authentications_max);
        let broker = Self(Arc::new(Shared {
            events: EventSink::start(Arc::clone(&chain))?,
            settings: ArcSwap::from_pointee(settings),
            chain,
            router: Router::default(),
            durable,
            registry: Registry::default(),
            held_wills: HeldWills::default(),
            retained_sources: RetainedSources::default(),
            sessionless: RwLock::default(),
            timers: Timers::default(),
            fights: FightWatch::default(),
            flapping: FlappingWatch::default(),
            memory: Memory::default(),
            started_at: clock::now(),
            metrics: Metrics::default(),
            watches: Arc::default(),
            plugin_publishes,
            reauthorizations,
            authentications,
            next_key: AtomicU64::new(1),
            next_session: AtomicU64::new(1),
            wishes: Mutex::new(Some(Wishes {
                published,
                reauthorizations: reauthorized,
            })),
        }));
        broker.apply_settings();
        broker.0.memory.look(broker.settings().limits.memory_max);
        Ok(broker)
    }

    /// The policy in force. Hold it for one batch of packets at the most.
    #[inline]
    pub fn chain(&self) -> Guard<Arc<Chain>> {
        self.0.chain.load()
    }

    /// Puts a policy in force, whole: each message is judged by this chain or by the one before, never by
    /// parts of both. When it returns, nothing waits for a client that the new policy keeps from it.
    pub fn install(&self, chain: Arc<Chain>) {
        self.0.chain.store(Arc::clone(&chain));
        self.vet_all(&chain, clock::now());
    }

    /// The settings in force.
    #[inline]
    pub fn settings(&self) -> Guard<Arc<Settings>> {
        self.0.settings.load()
    }

    /// Replaces the settings; connections keep the terms that they were accepted with.
    pub fn reconfigure(&self, settings: Settings) {
        self.0.settings.store(Arc::new(settings));
        self.apply_settings();
        self.close_banned();
    }

    /// Tells those who keep a setting of their own.
    fn apply_settings(&self) {
        let settings = self.settings();
        self.0.memory.note_bound();
        self.0.router.set_overlapping(settings.session.overlapping);
        if !settings.session.check_retain_source {
            self.0.retained_sources.clear();
        }
    }

    /// What it counts about itself.
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// A session has a connection, or has none any more.
    fn set_online(&self, client: &Client, online: bool) {
        match (client.set_online(online), online) {
            (false, true) => self.0.metrics.online.up(),
            (true, false) => self.0.metrics.online.down(),
            _ => {}
        }
    }

    /// Every session, connected or not.
    pub fn clients(&self) -> Vec<Arc<Client>> {
        self.0.registry.all()
    }

    /// Does what is due (session expiry, delayed wills), publishes what plugins publish, and reports about the broker, for
    /// as long as it lives.
    pub async fn serve(&self) {
        let wishes = self.0.wishes.lock().take();
        if let Some(Wishes {
            published,
            reauthorizations,
        }) = wishes
        {
            tokio::join!(
                self.serve_timers(),
                self.serve_plugins(published),
                self.serve_reauthorizations(reauthorizations),
                self.report_itself()
            );
        }
    }

    async fn serve_timers(&self) {
        let look = tokio::time::sleep(Duration::ZERO);
        tokio::pin!(look);
        loop {
            tokio::select! {
                () = &mut look => {
                    let after = self.0.memory.look(self.settings().limits.memory_max);
                    look.as_mut().reset(tokio::time::Instant::now() + after);
                }
                () = self.0.memory.bound_changed() => look.as_mut().reset(tokio::time::Instant::now()),
                () = self.0.timers.wait() => self.do_what_is_due_at(clock::now()),
            }
        }
    }

    async fn serve_plugins(&self, mut published: mpsc::Receiver<PluginPublish>) {
        let mut publisher = Publisher::default();
        while let Some(publish) = published.recv().await {
            let now = clock::now();
            let mut next = Some(publish);
            while let Some(publish) = next {
                if self.chain().waits_for_messages() {
                    self.publish_of_plugin_waiting(&mut publisher, publish).await;
                } else {
                    self.publish_of_plugin(&mut publisher, now, publish);
                }
                next = published.try_recv().ok();
            }
            publisher.wake_recipients();
        }
    }

    async fn serve_reauthorizations(&self, mut reauthorizations: mpsc::Receiver<ClientKey>) {
        while let Some(key) = reauthorizations.recv().await {
            self.renew_rights(key).await;
        }
    }

    /// Does what is due by this time: session expiry, delayed wills, reads that failed.
    pub fn do_what_is_due_at(&self, now: Instant) {
        while let Some(due) = self.0.timers.pop(now) {
            match due {
                Due::SessionExpiry { client_id, key } => self.expire(now, &client_id, key),
                Due::Will { client_id, key } => self.release_will(now, &client_id, key),
                Due::Read(owed) => self.read_again(*owed),
            }
        }
    }

    fn fresh_key(&self) -> ClientKey {
        ClientKey(self.0.next_key.fetch_add(1, Ordering::Relaxed))
    }

    /// Tells plugins what happened, if any wants to know.
    fn emit(&self, client: ClientKey, client_id: &ByteString, kind: impl FnOnce() -> EventKind) {
        let chain = self.chain();
        if !chain.has(Hook::Events) {
            return;
        }
        let kind = kind();
        if chain.wants_event(kind.class()) {
            self.0.events.push(Event {
                at_ms: clock::unix_ms(),
                client,
                client_id: client_id.clone(),
                kind,
            });
        }
    }

    /// Counts messages that were dropped from a full queue, and that only the store had.
    fn count_dropped_unread(&self, limits: &[Limit]) {
        if limits.is_empty() {
            return;
        }
        self.0.metrics.traffic.add(&Tally {
            publishes_dropped: limits.len() as u64,
            ..Tally::default()
        });
        for limit in limits {
            self.0.metrics.limits.reached(*limit);
        }
    }

    /// Tells plugins of messages that did not reach a client.
    pub fn report_lost(&self, client: &Client, lost: Vec<Lost>) {
        if lost.is_empty() {
            return;
        }
        self.0.metrics.traffic.add(&Tally {
            publishes_dropped: lost.len() as u64,
            ..Tally::default()
        });
        for Lost {
            message,
            cause,
            limit,
        } in &lost
        {
            self.tell_dropped(client, message, *cause);
            if let Some(limit) = limit {
                self.0.metrics.limits.reached(*limit);
            }
        }
        if !self.chain().wants_event(EventClass::Dropped) {
            return;
        }
        let standing = client.standing();
        for Lost { message, cause, .. } in lost {
            let topic = ByteString::from(message.topic.as_str());
            self.emit(standing.facts.key, &standing.facts.client_id, || {
                EventKind::Dropped { topic, cause }
            });
        }
    }
}
