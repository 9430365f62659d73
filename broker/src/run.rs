//! A broker from its configuration to its end: check, bind, load the policy, serve, drain.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use hookwire_store::{Committer, CommitterSettings, DataLoss, Disk};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::admin::{self, Admin};
use crate::broker::{Broker, Client, Settings};
use crate::bundled::BUNDLED;
use crate::cli::RunArgs;
use crate::clock;
use crate::config::{AdminSettings, Config, StoreSettings};
use crate::net::{AdminSocket, Bound, QuietSockets, Slots, make_room, open_admin_sockets, raise_limit};
use crate::policy::PolicyLoader;
use crate::reload::{Overrides, ReloadRequest, Reloader};

/// How often a stopping broker looks whether everybody has left.
const DRAIN_STEP: Duration = Duration::from_millis(20);

/// Reloads that administrators ask for and that may wait for each other.
const RELOADS_MAX: usize = 16;

/// Reads the configuration that the command line names.
///
/// # Errors
/// Every problem of the file, each with its line.
pub fn configure(args: &RunArgs) -> anyhow::Result<Config> {
    let config = match &args.config {
        Some(file) => Config::load(file, BUNDLED)?,
        None => Config::default(),
    };
    Ok(args.apply(config))
}

/// A broker that listens.
#[derive(Debug)]
pub struct Server {
    broker: Broker,
    config: Config,
    tasks: Vec<JoinHandle<()>>,
    addresses: Vec<SocketAddr>,
    admin: Admin,
    /// They are served to the end: whoever waits for it has to be told.
    admin_tasks: Vec<JoinHandle<()>>,
}

impl Server {
    /// Loads the policy, then opens the listeners: never the other way round.
    ///
    /// # Errors
    /// A plugin does not load, an address is taken, or a listener would be open to the network without
    /// anybody having said so.
    pub async fn start(args: RunArgs, config: Config) -> anyhow::Result<Self> {
        let descriptors = raise_limit();
        let (loss, opening) = (args.data_loss(), config.clone());
        let broker = tokio::task::spawn_blocking(move || open_broker(&opening, loss)).await??;
        let mut policy = PolicyLoader::new(broker.clone(), &config)?;
        let admin = Admin::new(broker.clone(), Arc::clone(policy.board()));
        // Before anything that takes its time: who waits for us to be ready can ask.
        let admin_tasks = administer(&admin, &config.admin).await?;
        let file = args.config.clone();
        let (policy, config) = tokio::task::spawn_blocking(move || {
            policy.apply(&config, file.as_deref()).map(|_| (policy, config))
        })
        .await??;
        let connections_max = config.limits.connections_max.min(descriptors);
        make_room(connections_max);
        let slots = Slots::new(connections_max);
        let mut server = Self {
            broker,
            config,
            tasks: Vec::new(),
            addresses: Vec::new(),
            admin,
            admin_tasks,
        };
        // Before anybody can know that we are here: without a handler, SIGHUP would end us.
        let hangup = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
        // Whoever sees us listen can ask for a reload; it waits until there is somebody who does that.
        let (reloads, requests) = mpsc::channel(RELOADS_MAX);
        if args.config.is_some() {
            server.admin.set_reloader(reloads);
        }
        server.listen(&slots)?;
        let serving = server.broker.clone();
        server
            .tasks
            .push(tokio::spawn(async move { serving.serve().await }));
        server.watch(args, policy, hangup, requests);
        server.admin.set_ready(true);
        Ok(server)
    }

    fn listen(&mut self, slots: &Slots) -> anyhow::Result<()> {
        let bound = self.config.listeners.iter().map(|listener| {
            Bound::bind(listener).with_context(|| {
                format!(
                    "listener {:?}: cannot listen on {}",
                    listener.name, listener.address
                )
            })
        });
        let sockets = QuietSockets::watch().context("cannot watch sockets")?;
        for listener in bound.collect::<anyhow::Result<Vec<_>>>()? {
            let address = listener.address()?;
            tracing::info!(listener = listener.name(), "listening on {address}");
            self.addresses.push(address);
            let serving = listener
                .serve(self.broker.clone(), slots.clone(), Arc::clone(&sockets))
                .with_context(|| format!("cannot accept on {address}"))?;
            self.tasks.push(serving);
        }
        Ok(())
    }

    fn watch(
        &mut self,
        args: RunArgs,
        policy: PolicyLoader,
        hangup: Signal,
        requests: mpsc::Receiver<ReloadRequest>,
    ) {
        let Some(file) = args.config.clone() else { return };
        let reloader = Reloader::new(
            file,
            Box::new(args),
            self.broker.clone(),
            policy,
            self.config.clone(),
        );
        self.tasks.push(tokio::spawn(async move {
            if let Err(error) = reloader.run(hangup, requests).await {
                tracing::error!("the configuration is not watched any more: {error:#}");
            }
        }));
    }

    /// Where it listens, in the order of the configuration.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Stops accepting, tells every client (0x8B), and waits until they have left or the time is over.
    pub async fn drain(self) {
        self.admin.set_ready(false);
        for task in &self.tasks {
            task.abort();
        }
        let until = Instant::now() + self.config.shutdown_timeout;
        if timeout_at(until, self.left()).await.is_err() {
            tracing::warn!("some clients did not take their farewell in time");
        }
        // What a new subscription has brought to a client that comes again has to be in its session.
        if timeout_at(until, self.replayed()).await.is_err() {
            tracing::warn!("some retained messages did not reach the sessions that wait for them");
        }
        let broker = self.broker.clone();
        if tokio::task::spawn_blocking(move || broker.close_store())
            .await
            .is_err()
        {
            tracing::error!("the store was not closed");
        }
        for task in &self.admin_tasks {
            task.abort();
        }
    }

    /// Tells every client to go, until there is none.
    async fn left(&self) {
        let is_online = |client: &Arc<Client>| client.session().is_online();
        loop {
            // Who was on the way in may have come in meanwhile.
            self.broker.close_all();
            if !self.broker.clients().iter().any(is_online) {
                return;
            }
            tokio::time::sleep(DRAIN_STEP).await;
        }
    }

    async fn replayed(&self) {
        while !self.broker.has_replayed() {
            tokio::time::sleep(DRAIN_STEP).await;
        }
    }
}

/// A broker with what its store has, if it has one.
fn open_broker(config: &Config, loss: DataLoss) -> anyhow::Result<Broker> {
    let settings = Settings::from(config);
    let Some(folder) = &config.data_dir else {
        return Broker::new(settings).context("cannot start the events thread");
    };
    let started_at = clock::now();
    let committer = open_store(folder, &config.store, loss)
        .with_context(|| format!("cannot open the store in {}", folder.display()))?;
    let opened_ms = started_at.elapsed().as_millis();
    let retained_bytes = config.store.retained_cache_bytes;
    let broker =
        Broker::with_store(settings, Arc::new(committer), retained_bytes).context("cannot start threads")?;
    let recovered = broker
        .recover(clock::now())
        .with_context(|| format!("cannot read the store in {}", folder.display()))?;
    tracing::info!(
        sessions = recovered.sessions,
        subscriptions = recovered.subscriptions,
        messages = recovered.messages,
        retained = recovered.retained,
        wills = recovered.wills,
        expired = recovered.expired,
        opened_ms,
        ms = started_at.elapsed().as_millis(),
        "store open"
    );
    Ok(broker)
}

fn open_store(folder: &Path, settings: &StoreSettings, loss: DataLoss) -> anyhow::Result<Committer> {
    let store = Disk::open(folder, settings.cache_bytes as u64, loss)?;
    let settings = CommitterSettings {
        durability: settings.durability,
        bytes_max: settings.bytes_max as u64,
        free_bytes_min: settings.free_bytes_min as u64,
    };
    Ok(Committer::start(Arc::new(store), settings)?)
}

/// Opens the admin endpoint where the configuration says so, and nowhere else.
async fn administer(admin: &Admin, settings: &AdminSettings) -> anyhow::Result<Vec<JoinHandle<()>>> {
    let slots = Arc::new(Semaphore::new(settings.connections_max));
    let sockets = open_admin_sockets(settings).await?;
    let serve = |socket: AdminSocket| {
        tracing::info!("admin endpoint at {}", socket.place()?);
        Ok(tokio::spawn(admin::serve(admin.clone(), socket, slots.clone())))
    };
    sockets.into_iter().map(serve).collect()
}

/// Runs until SIGTERM or SIGINT; a second one ends at once.
///
/// # Errors
/// As [`Server::start`].
pub async fn run(args: RunArgs, config: Config) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let server = Server::start(args, config).await?;
    stop_signal(&mut terminate, &mut interrupt).await;
    tracing::info!("stopping");
    tokio::select! {
        () = server.drain() => Ok(()),
        () = stop_signal(&mut terminate, &mut interrupt) => bail!("stopped at once by a second signal"),
    }
}

async fn stop_signal(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
