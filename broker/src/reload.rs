//! Watching the configuration and putting changes in force while clients stay connected.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use anyhow::Context;
use arc_swap::ArcSwap;
use notify::event::{Event, EventKind, ModifyKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::signal::unix::Signal;
use tokio::sync::{mpsc, oneshot};

use crate::broker::{Broker, Settings};
use crate::bundled::BUNDLED;
use crate::config::{Config, Part};
use crate::policy::{Fault, Outcome, PolicyLoader, Reloaded};

/// A change is looked at when the files have been quiet for so long: an editor's several steps are one
/// change.
const QUIET: Duration = Duration::from_millis(50);
/// … but no later than this after the first step.
const PATIENCE: Duration = Duration::from_millis(500);

/// What files look like from outside; one that looks the same is not read again.
type Looks = BTreeMap<PathBuf, Look>;

#[derive(Debug, PartialEq, Eq)]
struct Look {
    written: Option<(SystemTime, u64)>,
    /// The name of what is written, where links lead to it.
    name: Option<OsString>,
}

impl Look {
    fn at(path: &Path) -> Self {
        let written = std::fs::metadata(path).and_then(|meta| Ok((meta.modified()?, meta.len())));
        let target = std::fs::canonicalize(path);
        Self {
            written: written.ok(),
            name: target
                .ok()
                .and_then(|target| target.file_name().map(ToOwned::to_owned)),
        }
    }
}

/// Keeps the broker at what the configuration file says.
#[derive(Debug)]
pub struct Reloader {
    file: PathBuf,
    overrides: Box<dyn Overrides>,
    broker: Broker,
    policy: PolicyLoader,
    config: Config,
    looks: Looks,
    last: Reloaded,
}

/// A reload that somebody asks for; the answer is what came of it.
pub type ReloadRequest = oneshot::Sender<Reloaded>;

/// What the command line says over the file.
pub trait Overrides: std::fmt::Debug + Send {
    /// The configuration with the command line's words in it.
    fn apply(&self, config: Config) -> Config;
}

impl Reloader {
    /// For a broker that runs with `config` from `file`.
    pub fn new(
        file: PathBuf,
        overrides: Box<dyn Overrides>,
        broker: Broker,
        policy: PolicyLoader,
        config: Config,
    ) -> Self {
        let looks = looks_of(&file, &config);
        let last = Reloaded {
            outcome: Outcome::Unchanged,
            generation: policy.generation(),
            problems: Vec::new(),
            needs_restart: Vec::new(),
        };
        Self {
            file,
            overrides,
            broker,
            policy,
            config,
            looks,
            last,
        }
    }

    /// Watches until the task is aborted; `hangup` and `requests` reload at once.
    ///
    /// # Errors
    /// The system does not let us watch.
    pub async fn run(
        mut self,
        mut hangup: Signal,
        mut requests: mpsc::Receiver<ReloadRequest>,
    ) -> anyhow::Result<()> {
        let (changed, mut changes) = mpsc::channel::<()>(1);
        let notices = Arc::new(Notices::default());
        let noticed = Arc::clone(&notices);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.is_ok_and(|event| noticed.note(&event)) {
                // One waiting notice is enough.
                let _ = changed.try_send(());
            }
        })
        .context("cannot watch files")?;
        let mut watched = HashSet::new();
        // What changed before it was watched tells nobody: so the first look is taken without being asked.
        let mut by_hand = true;
        let mut asked: Option<ReloadRequest> = None;
        loop {
            notices.expect(&self.looks);
            while watch_folders(&mut watcher, &mut watched, &self.looks) || by_hand {
                self = tokio::task::spawn_blocking(move || {
                    self.look(by_hand);
                    self
                })
                .await?;
                by_hand = false;
                notices.expect(&self.looks);
                if let Some(answer) = asked.take() {
                    // Whoever asked may have gone.
                    let _ = answer.send(self.last.clone());
                }
            }
            by_hand = tokio::select! {
                _ = hangup.recv() => true,
                Some(answer) = requests.recv() => {
                    asked = Some(answer);
                    true
                }
                notice = changes.recv() => {
                    if notice.is_none() {
                        return Ok(());
                    }
                    settle(&mut changes).await;
                    let is_ours = notices.take();
                    self = tokio::task::spawn_blocking(move || {
                        self.look(is_ours);
                        self
                    })
                    .await?;
                    false
                }
            };
        }
    }

    /// Reloads if anything looks different, until nothing does: what a file looks like is noted before it is read, and a new configuration
    /// may name other files.
    fn look(&mut self, mut by_hand: bool) {
        loop {
            let looks = looks_of(&self.file, &self.config);
            if looks == self.looks && !by_hand {
                return;
            }
            by_hand = false;
            self.looks = looks;
            self.reload();
        }
    }

    fn reload(&mut self) {
        self.last = self.put_in_force();
        self.policy.board().note(&self.last);
    }

    fn put_in_force(&mut self) -> Reloaded {
        let config = match Config::load(&self.file, BUNDLED) {
            Ok(config) => self.overrides.apply(config),
            Err(error) => {
                tracing::error!("configuration refused, the running one stays:\n{error}");
                return self.reloaded(Outcome::Refused, Fault::of_config(&error));
            }
        };
        let policy = self.policy.apply(&config, Some(&self.file));
        match &policy {
            Err(error) => {
                tracing::error!("policy refused, the running one stays: {error}");
                return self.reloaded(Outcome::Refused, Fault::of_policy(error));
            }
            Ok(true) => tracing::info!(generation = self.policy.generation(), "policy in force"),
            Ok(false) => {}
        }
        self.broker.reconfigure(Settings::from(&config));
        let changes = self.config.changes(&config);
        for part in changes.needing_restart() {
            tracing::warn!("a change of {} takes effect at the next start", part.as_str());
        }
        if changes
            .parts()
            .any(|part| !part.needs_restart() && part != Part::Plugins)
        {
            tracing::info!("settings in force");
        }
        self.config = config;
        let is_new = matches!(policy, Ok(true)) || !changes.is_empty();
        let outcome = if is_new {
            Outcome::InForce
        } else {
            Outcome::Unchanged
        };
        Reloaded {
            needs_restart: changes.needing_restart().map(Part::as_str).collect(),
            ..self.reloaded(outcome, Vec::new())
        }
    }

    fn reloaded(&self, outcome: Outcome, problems: Vec<Fault>) -> Reloaded {
        Reloaded {
            outcome,
            generation: self.policy.generation(),
            problems,
            needs_restart: Vec::new(),
        }
    }
}

/// What the watcher has seen: whether one of our files was named. Such a file is read again even if it looks the same: two edits within
/// one tick of the file system's clock can leave the same time and size. Anything else that happens in its folder (a link that points
/// elsewhere now) counts only if it makes a file look different. What is written into other files does not: one may be a log that never
/// rests.
#[derive(Debug, Default)]
struct Notices {
    names: ArcSwap<HashSet<OsString>>,
    is_ours: AtomicBool,
}

impl Notices {
    fn expect(&self, looks: &Looks) {
        let named = looks.keys().filter_map(|path| path.file_name());
        let meant = looks.values().filter_map(|look| look.name.as_deref());
        let names = named.chain(meant).map(ToOwned::to_owned);
        self.names.store(Arc::new(names.collect()));
    }

    /// Whether it is worth a look.
    fn note(&self, event: &Event) -> bool {
        if event.kind.is_access() {
            return false;
        }
        let names = self.names.load();
        let is_ours = |path: &PathBuf| path.file_name().is_some_and(|name| names.contains(name));
        if event.paths.iter().any(is_ours) {
            self.is_ours.store(true, Ordering::Release);
            return true;
        }
        !matches!(event.kind, EventKind::Modify(ModifyKind::Data(_)))
    }

    fn take(&self) -> bool {
        self.is_ours.swap(false, Ordering::AcqRel)
    }
}

/// Waits until no further notice comes.
async fn settle(changes: &mut mpsc::Receiver<()>) {
    let patience = tokio::time::sleep(PATIENCE);
    tokio::pin!(patience);
    loop {
        tokio::select! {
            () = &mut patience => return,
            quiet = tokio::time::timeout(QUIET, changes.recv()) => {
                if quiet.is_err() {
                    return;
                }
            }
        }
    }
}

fn looks_of(file: &Path, config: &Config) -> Looks {
    let files = std::iter::once(file.to_owned()).chain(config.watched_files());
    let looks = files.map(|path| {
        let look = Look::at(&path);
        (path, look)
    });
    looks.collect()
}

/// Folders are watched, not files: editors replace a file by renaming another over it. True when one was added.
fn watch_folders(watcher: &mut RecommendedWatcher, watched: &mut HashSet<PathBuf>, looks: &Looks) -> bool {
    let before = watched.len();
    for path in looks.keys() {
        let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let folder = folder.unwrap_or_else(|| Path::new("."));
        // One that cannot be watched is not tried again and again.
        if watched.insert(folder.to_owned())
            && let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive)
        {
            tracing::warn!(folder = %folder.display(), "cannot watch: {error}");
        }
    }
    watched.len() > before
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use notify::event::{AccessKind, AccessMode, CreateKind, DataChange, RenameMode};

    use super::*;

    const WRITTEN: EventKind = EventKind::Modify(ModifyKind::Data(DataChange::Any));

    #[test]
    fn what_others_write_beside_our_files_wakes_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let (config, next) = (
            folder.path().join("hookwire.toml"),
            folder.path().join("next.toml"),
        );
        fs::write(&next, "").unwrap();
        symlink(&next, &config).unwrap();
        let notices = Notices::default();
        notices.expect(&Looks::from([(config.clone(), Look::at(&config))]));
        let sees = |kind, name: &str| {
            let is_seen = notices.note(&Event::new(kind).add_path(folder.path().join(name)));
            (is_seen, notices.take())
        };

        assert_eq!(sees(WRITTEN, "hookwire.log"), (false, false));
        assert_eq!(sees(WRITTEN, "hookwire.toml"), (true, true));
        assert_eq!(sees(WRITTEN, "next.toml"), (true, true), "it is what is read");
        // What a link leads to may be replaced under any name.
        assert_eq!(
            sees(EventKind::Modify(ModifyKind::Name(RenameMode::To)), "..data"),
            (true, false)
        );
        assert_eq!(
            sees(EventKind::Create(CreateKind::Folder), "..2026"),
            (true, false)
        );
        let read = EventKind::Access(AccessKind::Close(AccessMode::Read));
        assert_eq!(sees(read, "hookwire.toml"), (false, false));
    }
}
