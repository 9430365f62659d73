//! One instance of a component: a memory of its own, one call at a time.

use std::future::Future;
use std::mem;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use wasmtime::Store;
use wasmtime::component::{
    ComponentNamedList, Instance as ComponentInstance, InstancePre, Lift, Lower, TypedFunc,
};

use hookwire_hooks::{Failure, FailureKind, PluginPublish};

use crate::bindings::hooks;
use crate::contract;
use crate::failure;
use crate::guest::{Budget, Guest};
use crate::ticker::Meter;
use crate::{LoadError, Powers};

/// An instance that can be asked.
pub(crate) struct Instance {
    store: Store<Guest>,
    /// Boxed, so that an instance is cheap to move in and out of the pool.
    exports: Box<Exports>,
    /// How long the call that it is lent to had to wait for it; the call takes it from here.
    pub(crate) waited_for: Duration,
}

impl Instance {
    pub(crate) fn new(store: Store<Guest>, exports: Exports) -> Self {
        Self {
            store,
            exports: Box::new(exports),
            waited_for: Duration::ZERO,
        }
    }

    /// It has its configuration: from now on it is asked.
    pub(crate) fn configured(&mut self) {
        self.store.data_mut().configured();
    }

    /// Calls into the guest, at once. After a failure the instance must not be called again.
    pub(crate) fn call<R>(
        &mut self,
        budget: Budget,
        call: impl FnOnce(&Exports, &mut Store<Guest>) -> wasmtime::Result<R>,
    ) -> Result<R, Failure> {
        begin(&mut self.store, budget);
        call(&self.exports, &mut self.store).map_err(|error| failure::of_call(&error, self.store.data_mut()))
    }

    /// Prepares for a call that may wait: what to call, and where. After it comes [`enter`], and then [`Self::finish`].
    pub(crate) fn begin(&mut self, budget: Budget) -> (&Exports, &mut Store<Guest>) {
        begin(&mut self.store, budget);
        (&self.exports, &mut self.store)
    }

    /// What came of a call. After a failure the instance must not be called again.
    pub(crate) fn finish<R>(&mut self, answer: wasmtime::Result<R>) -> Result<R, Failure> {
        answer.map_err(|error| failure::of_call(&error, self.store.data_mut()))
    }

    /// An answer that is good in itself, unless it takes what `may` of the configuration does not list. `taken` tells
    /// what it takes, and is not asked where everything may be.
    pub(crate) fn permitted<A>(&self, answer: A, taken: impl FnOnce(&A) -> Powers) -> Result<A, Failure> {
        let may = self.store.data().services.may;
        if may != Powers::ALL {
            may.permit(taken(&answer))?;
        }
        Ok(answer)
    }

    /// The clock of its calls that may wait.
    pub(crate) fn meter(&self) -> Arc<Meter> {
        self.store.data().meter.clone()
    }

    /// How long the call had to wait for it.
    pub(crate) fn take_waited_for(&mut self) -> Duration {
        mem::take(&mut self.waited_for)
    }

    /// What the last call published; to be taken once its answer is known to be good.
    pub(crate) fn take_published(&mut self) -> Vec<PluginPublish> {
        mem::take(&mut self.store.data_mut().outbox.messages)
    }

    /// Hands over what the last call published; to be called once its answer is known to be good.
    pub(crate) fn publish(&mut self) {
        let guest = self.store.data_mut();
        if !guest.outbox.messages.is_empty() {
            let messages = mem::take(&mut guest.outbox.messages);
            guest.services.publish(messages);
        }
    }

    /// Bytes of linear memory that it has by now.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.store.data().memory.bytes()
    }
}

/// Prepares a store for one call: every call has one tick until the host looks at its CPU time.
pub(crate) fn begin(store: &mut Store<Guest>, budget: Budget) {
    store.data_mut().begin(budget);
    store.set_epoch_deadline(1);
    // In this order: if the thread loses the processor in between, the next tick finds the call all the same.
    store.data().services.foundation.ticker.mark();
}

/// Calls a function of the guest: on a stack of its own if the call may wait, otherwise on that of the thread.
pub(crate) async fn enter<P, R>(
    store: &mut Store<Guest>,
    function: TypedFunc<P, R>,
    parameters: P,
) -> wasmtime::Result<R>
where
    P: ComponentNamedList + Lower + Send,
    R: ComponentNamedList + Lift + Send + 'static,
{
    if store.data().is_on_fiber() {
        function.call_async(store, parameters).await
    } else {
        function.call(store, parameters)
    }
}

/// The answer to a question whose budget lets nobody wait.
pub(crate) fn at_once<F: Future>(question: F) -> F::Output {
    let mut cx = Context::from_waker(Waker::noop());
    match pin!(question).poll(&mut cx) {
        Poll::Ready(answer) => answer,
        Poll::Pending => unreachable!("only calls of the pace `Waiting` are ever suspended"),
    }
}

/// As [`exported`], for calls that may wait.
pub(crate) fn present<G>(guest: &Option<G>) -> Result<&G, Failure> {
    guest.as_ref().ok_or_else(|| Failure {
        kind: FailureKind::Trap,
        detail: "the hook is not exported".into(),
    })
}

/// An export that the caller knows to be there from the component's type.
pub(crate) fn exported<G>(guest: &Option<G>) -> wasmtime::Result<&G> {
    guest
        .as_ref()
        .ok_or_else(|| wasmtime::format_err!("the hook is not exported"))
}

/// Declares where the exports are in a component ([`ExportIndices`]) and what they are in an instance ([`Exports`]).
macro_rules! exports {
    ($($hook:ident: $name:literal,)*) => {
        /// The functions that an instance exports.
        pub(crate) struct Exports {
            pub(crate) lifecycle: hooks::lifecycle::Guest,
            $(pub(crate) $hook: Option<hooks::$hook::Guest>,)*
        }

        /// Where a component has its exports, looked up once.
        pub(crate) struct ExportIndices {
            lifecycle: hooks::lifecycle::GuestIndices,
            $($hook: Option<hooks::$hook::GuestIndices>,)*
        }

        impl ExportIndices {
            /// Looks up `lifecycle` and the hooks that the component has; `has` tells which.
            pub(crate) fn new(pre: &InstancePre<Guest>, has: impl Fn(&str) -> bool) -> Result<Self, LoadError> {
                Ok(Self {
                    lifecycle: hooks::lifecycle::GuestIndices::new(pre).map_err(wrong_type("lifecycle"))?,
                    $($hook: has($name)
                        .then(|| hooks::$hook::GuestIndices::new(pre).map_err(wrong_type($name)))
                        .transpose()?,)*
                })
            }

            /// Finds the functions in an instance and checks their types.
            pub(crate) fn load(
                &self,
                store: &mut Store<Guest>,
                instance: &ComponentInstance,
            ) -> Result<Exports, LoadError> {
                Ok(Exports {
                    lifecycle: self.lifecycle.load(&mut *store, instance).map_err(|error| {
                        let function = odd_lifecycle_function(&mut *store, instance).unwrap_or("a function");
                        wrong_type("lifecycle")(error.context(function))
                    })?,
                    $($hook: self.$hook
                        .as_ref()
                        .map(|hook| hook.load(&mut *store, instance).map_err(wrong_type($name)))
                        .transpose()?,)*
                })
            }
        }
    };
}

exports! {
    authenticate: "authenticate",
    authenticate_enhanced: "authenticate-enhanced",
    authorize: "authorize",
    on_subscribe: "on-subscribe",
    on_unsubscribe: "on-unsubscribe",
    on_publish: "on-publish",
    on_publish_batch: "on-publish-batch",
    route: "route",
    deliver: "deliver",
    deliver_batch: "deliver-batch",
    on_will: "on-will",
    events: "events",
    control: "control",
}

/// The function of `lifecycle` whose type is not that of the contract. The other interfaces
/// have one or two, and the error itself says enough.
fn odd_lifecycle_function(store: &mut Store<Guest>, instance: &ComponentInstance) -> Option<&'static str> {
    use hooks::lifecycle::{Interests, Problem};
    let name = format!("{}/lifecycle@{}", contract::PACKAGE, contract::VERSION);
    let interface = instance.get_export_index(&mut *store, None, &name)?;
    let mut function = |name| {
        let index = instance.get_export_index(&mut *store, Some(&interface), name)?;
        instance.get_func(&mut *store, index)
    };
    let (configure, health) = (function("configure")?, function("health")?);
    let (tick, stop) = (function("tick")?, function("stop")?);
    if configure
        .typed::<(&str,), (Result<Interests, Vec<Problem>>,)>(&*store)
        .is_err()
    {
        Some("configure")
    } else if health.typed::<(), (Result<(), String>,)>(&*store).is_err() {
        Some("health")
    } else if tick.typed::<(), ()>(&*store).is_err() {
        Some("tick")
    } else {
        stop.typed::<(), ()>(&*store).is_err().then_some("stop")
    }
}

fn wrong_type(interface: &'static str) -> impl Fn(wasmtime::Error) -> LoadError {
    move |error| LoadError::WrongType {
        interface: format!("{}/{interface}@{}", contract::PACKAGE, contract::VERSION),
        reason: format!("{error:#}"),
    }
}
