//! Calls that may wait: each runs in a task of its own, which whoever asked only listens to.
//!
//! So nobody can break a call off in the middle, which would leave its instance useless: a client that leaves drops its
//! receiver, and the call goes on to its end, or to its deadline, by itself.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use hookwire_hooks::{Failure, FailureKind, Hook, Pending, PluginPublish};
use tokio::sync::oneshot;

use crate::LoadedPlugin;
use crate::clock;
use crate::guest::Budget;
use crate::housekeeping::Retired;
use crate::instance::Instance;
use crate::pool::Lent;

/// A question that is being put to an instance.
pub(crate) type Asking<'i, A> = Pin<Box<dyn Future<Output = A> + Send + 'i>>;

impl LoadedPlugin {
    /// Puts a question to some instance of those that may wait, in a task of its own that begins now. `count` is told of
    /// every answer, whether or not anybody still listens.
    ///
    /// What the plugin published with a good answer is handed over: by whoever listens, if the question is about a
    /// message, so that it comes behind that.
    pub(crate) fn ask_waiting<A, E>(
        self: &Arc<Self>,
        hook: Hook,
        budget: Budget,
        question: impl for<'i> FnOnce(&'i mut Instance) -> Asking<'i, Result<A, E>> + Send + 'static,
        count: impl FnOnce(&Self, Result<A, E>) -> Result<A, E> + Send + 'static,
    ) -> Pending<Result<A, E>>
    where
        A: Send + 'static,
        E: From<Failure> + Send + 'static,
    {
        let plugin = Arc::clone(self);
        let (mut sender, receiver) = oneshot::channel();
        let task = async move {
            let start = clock::now();
            let lent = tokio::select! {
                lent = plugin.lend() => lent,
                // A call that has not begun need not.
                () = sender.closed() => return,
            };
            let (answer, published) = plugin.put_waiting(lent, budget, question).await;
            plugin.services.counters.hook(hook).call(start.elapsed());
            let answer = count(&plugin, answer);
            let (published, own) = if is_about_message(hook) {
                (published, Vec::new())
            } else {
                (Vec::new(), published)
            };
            plugin.services.publish(own);
            // Nobody may be there to hear it any more.
            if let Err((_, published)) = sender.send((answer, published)) {
                plugin.services.publish(published);
            }
        };
        drop(self.services.foundation.executor.spawn(task));
        let services = Arc::clone(&self.services);
        Box::pin(async move {
            match receiver.await {
                Ok((answer, published)) => {
                    services.publish(published);
                    answer
                }
                Err(_) => Err(unanswered().into()),
            }
        })
    }

    /// An instance of those that may wait.
    pub(crate) async fn lend(&self) -> Result<Lent, Failure> {
        self.slow_pool
            .lend(self.services.limits().instance_wait_slow)
            .await
    }

    /// Puts a question to an instance. The answer comes with what the plugin has published, if it is a good one.
    pub(crate) async fn put_waiting<A, E: From<Failure>>(
        &self,
        lent: Result<Lent, Failure>,
        budget: Budget,
        question: impl for<'i> FnOnce(&'i mut Instance) -> Asking<'i, Result<A, E>>,
    ) -> (Result<A, E>, Vec<PluginPublish>) {
        let mut lent = match lent {
            Ok(lent) => lent,
            Err(failure) => return (Err(failure.into()), Vec::new()),
        };
        let instance = match lent.instance() {
            Ok(instance) => instance,
            Err(failure) => return (Err(failure.into()), Vec::new()),
        };
        let meter = instance.meter();
        let answer = meter.measure(question(instance)).await;
        if answer.is_err() {
            lent.discard();
            return (answer, Vec::new());
        }
        let published = instance.take_published();
        if let Some(surplus) = lent.give_back() {
            self.housekeeper.retire(Retired {
                instances: vec![surplus],
                budget: Budget::new(budget.deadline),
            });
        }
        (answer, published)
    }
}

fn is_about_message(hook: Hook) -> bool {
    matches!(hook, Hook::OnPublish | Hook::Route)
}

/// The task ended without an answer: it panicked, or the broker ends.
fn unanswered() -> Failure {
    Failure {
        kind: FailureKind::NoInstance,
        detail: "the call was broken off".into(),
    }
}
