//! The threads of calls that may wait.
//!
//! They are not those that serve clients: a guest that hashes a password keeps a thread busy between two ticks, and many
//! of them would stand in a line with the clients. There are as many as the machine has cores, whatever the number of
//! calls; a call that waits takes none.

use std::future::Future;
use std::io;
use std::num::NonZero;
use std::thread;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

/// Turns that a thread gives to calls before it looks for those whose wait is over. A turn may last a tick, and the first one four milliseconds.
const TURNS_BEFORE_IO: u32 = 4;

/// Runs calls that may wait, and what they wait for.
pub(crate) struct Executor {
    runtime: Option<Runtime>,
}

impl Executor {
    pub(crate) fn start() -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(thread::available_parallelism().map_or(1, NonZero::get))
            .thread_name("plugin-waiting")
            .event_interval(TURNS_BEFORE_IO)
            .global_queue_interval(TURNS_BEFORE_IO)
            .enable_all()
            .build()?;
        Ok(Self {
            runtime: Some(runtime),
        })
    }

    /// Starts a task that goes on to its end whether or not anybody waits for it. `None` only at the very end.
    pub(crate) fn spawn<F>(&self, task: F) -> Option<JoinHandle<F::Output>>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.runtime.as_ref().map(|runtime| runtime.spawn(task))
    }
}

impl Drop for Executor {
    /// The last plugin may go away on any thread, one of these included.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
