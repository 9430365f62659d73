//! Events on their way to the plugins: a bounded queue and a thread of its own, so that no policy can slow
//! the broker by listening.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use arc_swap::ArcSwap;
use hookwire_hooks::{Chain, Event, Hook};
use tokio::runtime::Runtime;

/// Events that may wait; beyond it they are dropped and counted.
const WAITING_MAX: usize = 16 * 1024;
/// Events in one call.
const BATCH_MAX: usize = 256;

/// Where events go in.
#[derive(Debug)]
pub(super) struct EventSink {
    sender: SyncSender<Event>,
    dropped: AtomicU64,
}

impl EventSink {
    /// Starts the thread that hands events to the chain in force.
    ///
    /// # Errors
    /// The system has no thread left.
    pub(super) fn start(chain: Arc<ArcSwap<Chain>>) -> std::io::Result<Self> {
        let (sender, receiver) = sync_channel(WAITING_MAX);
        let waiting = tokio::runtime::Builder::new_current_thread().build()?;
        std::thread::Builder::new()
            .name("hookwire-events".into())
            .spawn(move || hand_over(&receiver, &chain, &waiting))?;
        Ok(Self {
            sender,
            dropped: AtomicU64::new(0),
        })
    }

    /// Events that were dropped so far.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Queues an event; never waits.
    pub(super) fn push(&self, event: Event) {
        if let Err(TrySendError::Full(_)) = self.sender.try_send(event) {
            let dropped = self.dropped.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
            if dropped.is_power_of_two() {
                tracing::warn!(
                    dropped,
                    "plugins are too slow for the events they asked for; some are dropped"
                );
            }
        }
    }
}

/// Ends when the last sink is gone.
fn hand_over(receiver: &Receiver<Event>, chain: &ArcSwap<Chain>, waiting: &Runtime) {
    while let Ok(first) = receiver.recv() {
        let mut batch = vec![first];
        batch.extend(receiver.try_iter().take(BATCH_MAX - 1));
        let chain = chain.load_full();
        if chain.has(Hook::Events) {
            waiting.block_on(chain.events(&batch));
        }
    }
}
