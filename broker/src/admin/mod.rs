//! The admin endpoint: HTTP and JSON for whoever runs the broker, and metrics for Prometheus. `docs/admin.md` is its
//! reference.
//!
//! ```text
//! socket (net) ─► server: limits and time-outs ─► guard: who may ─► routes ─► one file a noun ─► reply
//! ```
//!
//! It is off unless the configuration says where it is. What blocks (a plugin that is asked, a look at every session) runs
//! on a thread that may wait.

mod clients;
mod dashboard;
mod exposition;
mod guard;
mod health;
mod metrics;
mod patience;
mod plugins;
mod publish;
mod query;
mod reload;
mod reply;
mod routes;
mod server;
mod watching;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwapOption;
use tokio::sync::mpsc;

pub use server::serve;

use crate::broker::Broker;
use crate::policy::PolicyBoard;
use crate::reload::ReloadRequest;

/// What the endpoint shows and moves. Clones are the same.
#[derive(Debug, Clone)]
pub struct Admin(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    broker: Broker,
    policy: Arc<PolicyBoard>,
    is_ready: AtomicBool,
    /// Who reloads; nobody where there is no configuration file.
    reloader: ArcSwapOption<mpsc::Sender<ReloadRequest>>,
}

impl Admin {
    /// For a broker that is not ready yet.
    pub fn new(broker: Broker, policy: Arc<PolicyBoard>) -> Self {
        Self(Arc::new(Shared {
            broker,
            policy,
            is_ready: AtomicBool::new(false),
            reloader: ArcSwapOption::empty(),
        }))
    }

    /// The policy is in force and the listeners are open, or not any more.
    pub fn set_ready(&self, is_ready: bool) {
        self.0.is_ready.store(is_ready, Ordering::Release);
    }

    /// Reloads can be asked for here.
    pub fn set_reloader(&self, reloader: mpsc::Sender<ReloadRequest>) {
        self.0.reloader.store(Some(Arc::new(reloader)));
    }

    fn broker(&self) -> &Broker {
        &self.0.broker
    }

    fn policy(&self) -> &PolicyBoard {
        &self.0.policy
    }

    fn is_ready(&self) -> bool {
        self.0.is_ready.load(Ordering::Acquire)
    }
}
