//! The instances of one plugin: made on demand, used by one call at a time, thrown away after a failure.

use std::mem;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use hookwire_hooks::{Failure, FailureKind};
use parking_lot::{Condvar, Mutex};

use crate::InstanceStats;
use crate::blueprint::Blueprint;
use crate::clock;
use crate::instance::Instance;

/// A stack of idle instances. The one used last is on top: its memory is still in the cache, and those at the bottom
/// stay untouched when there is little to do.
pub(crate) struct Pool {
    blueprint: Blueprint,
    instances_max: usize,
    shelf: Mutex<Shelf>,
    freed: Condvar,
    created: AtomicU64,
    discarded: AtomicU64,
}

struct Shelf {
    idle: Vec<Instance>,
    /// Idle, in a call, or being made.
    live: usize,
}

/// A place among the live instances; dropping it makes room for another one.
struct Place<'p>(&'p Pool);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.shelf.lock().live -= 1;
        self.0.freed.notify_one();
    }
}

impl Pool {
    pub(crate) fn new(blueprint: Blueprint, instances_max: usize, first: Instance) -> Self {
        blueprint.measure(&first);
        Self {
            blueprint,
            instances_max: instances_max.max(1),
            shelf: Mutex::new(Shelf {
                idle: vec![first],
                live: 1,
            }),
            freed: Condvar::new(),
            created: AtomicU64::new(1),
            discarded: AtomicU64::new(0),
        }
    }

    /// Lends an instance to `call`, waiting for one if need be. It comes back only if the call succeeds.
    pub(crate) fn with<R, E: From<Failure>>(
        &self,
        wait: Duration,
        call: impl FnOnce(&mut Instance) -> Result<R, E>,
    ) -> Result<R, E> {
        let (mut instance, place) = self.take(wait)?;
        let answer = call(&mut instance);
        if answer.is_ok() {
            mem::forget(place);
            self.put(instance);
        } else {
            self.blueprint.measure(&instance);
            self.discarded.fetch_add(1, Relaxed);
            drop(instance);
        }
        answer
    }

    fn take(&self, wait: Duration) -> Result<(Instance, Place<'_>), Failure> {
        let mut until = None;
        let mut shelf = self.shelf.lock();
        loop {
            if let Some(instance) = shelf.idle.pop() {
                return Ok((instance, Place(self)));
            }
            if shelf.live < self.instances_max {
                shelf.live += 1;
                drop(shelf);
                return self.make(Place(self));
            }
            let until = *until.get_or_insert_with(|| clock::now() + wait);
            if self.freed.wait_until(&mut shelf, until).timed_out() && shelf.idle.is_empty() {
                let detail = format!("all {} instances were busy for {wait:?}", self.instances_max);
                return Err(Failure {
                    kind: FailureKind::NoInstance,
                    detail,
                });
            }
        }
    }

    fn make<'p>(&self, place: Place<'p>) -> Result<(Instance, Place<'p>), Failure> {
        let instance = self.blueprint.build_another()?;
        self.blueprint.measure(&instance);
        self.created.fetch_add(1, Relaxed);
        Ok((instance, place))
    }

    fn put(&self, instance: Instance) {
        self.shelf.lock().idle.push(instance);
        self.freed.notify_one();
    }

    /// Takes all idle instances away for good.
    pub(crate) fn retire(&self) -> Vec<Instance> {
        let mut shelf = self.shelf.lock();
        let idle = mem::take(&mut shelf.idle);
        shelf.live -= idle.len();
        idle
    }

    pub(crate) fn stats(&self) -> InstanceStats {
        let shelf = self.shelf.lock();
        for instance in &shelf.idle {
            self.blueprint.measure(instance);
        }
        InstanceStats {
            live: shelf.live,
            created: self.created.load(Relaxed),
            discarded: self.discarded.load(Relaxed),
            memory_bytes_peak: self.blueprint.services.counters.memory_bytes_peak.load(Relaxed),
        }
    }
}
