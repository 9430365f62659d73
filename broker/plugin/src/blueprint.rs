//! From a compiled component to instances that can be asked.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use hookwire_hooks::{Failure, FailureKind};
use wasmtime::component::{self, InstancePre};
use wasmtime::{Store, StoreContextMut, UpdateDeadline};

use crate::guest::{Budget, Guest, Pace};
use crate::hook::lifecycle::{self, Interests};
use crate::instance::{self, ExportIndices, Instance, at_once};
use crate::services::Services;
use crate::{LoadError, failure};

/// A component that is linked with the functions of the host.
pub(crate) struct Linked {
    pub(crate) pre: InstancePre<Guest>,
    pub(crate) exports: ExportIndices,
    /// Some of the functions wait, so that every call needs a stack of its own.
    pub(crate) needs_fiber: bool,
}

/// All that it takes to make one more instance of a plugin.
pub(crate) struct Blueprint {
    pub(crate) linked: Linked,
    pub(crate) services: Arc<Services>,
    /// The plugin's configuration, as JSON.
    pub(crate) config: Arc<str>,
    pub(crate) memory_bytes_max: usize,
    /// CPU time for instantiating, and once more for configuring.
    pub(crate) deadline: Duration,
}

impl Blueprint {
    /// Makes an instance and configures it.
    ///
    /// It does so at once: a plugin that waited for others before it has its configuration would be loaded or not as
    /// those others please.
    pub(crate) fn build(&self) -> Result<(Instance, Interests), LoadError> {
        let budget = Budget::slow(self.deadline);
        let mut store = self.store();
        instance::begin(&mut store, budget);
        let component = self.instantiate(&mut store).map_err(|error| LoadError::Failed {
            stage: "instantiation",
            failure: failure::of_start(&error, store.data_mut()),
        })?;
        let exports = self.linked.exports.load(&mut store, &component)?;
        let mut instance = Instance::new(store, exports);
        let interests = at_once(lifecycle::configure(&mut instance, budget, &self.config))?;
        instance.configured();
        Ok((instance, interests))
    }

    fn instantiate(&self, store: &mut Store<Guest>) -> wasmtime::Result<component::Instance> {
        if self.linked.needs_fiber {
            at_once(self.linked.pre.instantiate_async(store))
        } else {
            self.linked.pre.instantiate(store)
        }
    }

    /// Makes one more instance while the plugin is in force.
    pub(crate) fn build_another(&self) -> Result<Instance, Failure> {
        match self.build() {
            Ok((instance, _)) => Ok(instance),
            Err(LoadError::Failed { stage, failure }) => Err(Failure {
                kind: failure.kind,
                detail: format!("{stage} of a new instance: {}", failure.detail),
            }),
            Err(other) => Err(Failure {
                kind: FailureKind::NoInstance,
                detail: format!("a new instance cannot start: {other}"),
            }),
        }
    }

    /// A store with every limit in place.
    fn store(&self) -> Store<Guest> {
        let limits = self.services.limits();
        let guest = Guest::new(
            self.services.clone(),
            self.memory_bytes_max,
            self.linked.needs_fiber,
        );
        let mut store = Store::new(self.linked.pre.engine(), guest);
        store.limiter(|guest| &mut guest.memory);
        store.set_hostcall_fuel(limits.answer_bytes_max);
        store.set_max_component_handles(limits.handles_max);
        store.epoch_deadline_callback(on_tick);
        store
    }

    /// Notes how large an instance has grown.
    pub(crate) fn measure(&self, instance: &Instance) {
        self.services
            .counters
            .memory_bytes_peak
            .fetch_max(instance.memory_bytes(), Relaxed);
    }
}

/// Called in the middle of a guest's work when a tick has passed.
fn on_tick(mut store: StoreContextMut<'_, Guest>) -> wasmtime::Result<UpdateDeadline> {
    let guest = store.data_mut();
    let ticker = &guest.services.foundation.ticker;
    if guest.watch.takes_long() {
        ticker.hurry();
    } else {
        ticker.mark();
    }
    let meter = guest.meter.clone();
    if !guest.watch.tick(&meter) {
        return Ok(UpdateDeadline::Interrupt);
    }
    Ok(match guest.pace() {
        Pace::AtOnce => UpdateDeadline::Continue(1),
        Pace::Waiting => UpdateDeadline::Yield(1),
    })
}
