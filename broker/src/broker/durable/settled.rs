//! Waiting, outside of any session, until what was recorded is safe.

use std::sync::Arc;

use hookwire_store::{Health, Waiter};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::Broker;

/// Tells one who waits for a batch.
struct Told(Mutex<Option<oneshot::Sender<bool>>>);

impl Waiter for Told {
    fn settled(&self, is_safe: bool) {
        if let Some(told) = self.0.lock().take() {
            // Whoever does not wait any more need not know.
            let _ = told.send(is_safe);
        }
    }
}

impl Broker {
    /// Runs a step, and waits until everything that it has recorded is as safe as `store.durability` says. False when it never
    /// will be, since the store has failed meanwhile. Of a store that had failed before nothing is expected: what has to be kept
    /// is refused then.
    pub async fn safely<T>(&self, step: impl Future<Output = T>) -> (T, bool) {
        let expects = self.store_health().is_some_and(|health| health != Health::Failed);
        let outcome = step.await;
        let is_safe = !expects || self.settled().await;
        (outcome, is_safe)
    }

    async fn settled(&self) -> bool {
        let Some(durable) = self.durable() else {
            return true;
        };
        let (told, hears) = oneshot::channel();
        let told = Arc::new(Told(Mutex::new(Some(told))));
        durable.committer.wait(durable.committer.latest(), told);
        hears.await.unwrap_or(false)
    }
}
