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
use crate::in_force::InForce;
use crate::reload::ReloadRequest;

/// What the endpoint shows and moves. Clones are the same.
#[derive(Debug, Clone)]
pub struct Admin(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    broker: Broker,
    in_force: InForce,
    is_ready: AtomicBool,
    /// Who reloads; nobody where there is no configuration file.
    reloader: ArcSwapOption<mpsc::Sender<ReloadRequest>>,
}

impl Admin {
    /// For a broker that is not ready yet.
    pub fn new(broker: Broker, in_force: InForce) -> Self {
        Self(Arc::new(Shared {
            broker,
            in_force,
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

    fn in_force(&self) -> &InForce {
        &self.0.in_force
    }

    fn is_ready(&self) -> bool {
        self.0.is_ready.load(Ordering::Acquire)
    }
}
