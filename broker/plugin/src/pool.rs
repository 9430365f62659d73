//! The instances of one plugin: made on demand, used by one call at a time, thrown away after a failure.
//!
//! A call that keeps its thread is lent an instance for as long as it takes ([`Pool::with`]). One that may wait stands in
//! a queue without a thread ([`Pool::lend`]); whoever comes first is served first.

use std::collections::VecDeque;
use std::iter;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use hookwire_hooks::{Failure, FailureKind};
use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use crate::InstanceStats;
use crate::blueprint::Blueprint;
use crate::clock;
use crate::idle::Idle;
use crate::instance::Instance;

/// The instances of one plugin, and who waits for one.
pub(crate) struct Pool {
    blueprint: Blueprint,
    bounds: Bounds,
    shelf: Mutex<Shelf>,
    freed: Condvar,
    created: AtomicU64,
    discarded: AtomicU64,
}

/// How many instances there may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) live_max: usize,
    /// Without anything to do. A rush makes many, and their memory is not kept for the next one.
    pub(crate) idle_max: usize,
}

struct Shelf {
    idle: Idle<Instance>,
    /// Idle, in a call, or being made.
    live: usize,
    /// Those who wait without a thread.
    queue: VecDeque<oneshot::Sender<Lent>>,
}

/// A place among the live instances; dropping it makes room for another one.
struct Place<'p>(&'p Arc<Pool>);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.free_place();
    }
}

/// An instance, or the right to make one. It goes back with [`Lent::give_back`]; dropped, it is gone.
pub(crate) struct Lent {
    pool: Arc<Pool>,
    instance: Option<Instance>,
    is_back: bool,
}

impl Lent {
    fn new(pool: &Arc<Pool>, instance: Option<Instance>) -> Self {
        Self {
            pool: Arc::clone(pool),
            instance,
            is_back: false,
        }
    }

    /// The instance; made now if there was none.
    pub(crate) fn instance(&mut self) -> Result<&mut Instance, Failure> {
        let instance = match self.instance.take() {
            Some(instance) => instance,
            None => self.pool.make()?,
        };
        Ok(self.instance.insert(instance))
    }

    /// It is as good as before. One that the pool does not keep is returned.
    pub(crate) fn give_back(mut self) -> Option<Instance> {
        self.is_back = true;
        let instance = self.instance.take()?;
        self.pool.put(instance)
    }

    /// A call of it failed.
    pub(crate) fn discard(self) {
        if let Some(instance) = &self.instance {
            self.pool.blueprint.measure(instance);
            self.pool.discarded.fetch_add(1, Relaxed);
        }
    }

    /// The instance, if nobody took what was handed to them.
    fn undelivered(mut self) -> Option<Instance> {
        self.is_back = true;
        self.instance.take()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.instance = None;
        if !self.is_back {
            self.pool.free_place();
        }
    }
}

impl Pool {
    /// `first`: an instance that is there already.
    pub(crate) fn new(blueprint: Blueprint, bounds: Bounds, first: Option<Instance>) -> Arc<Self> {
        if let Some(first) = &first {
            blueprint.measure(first);
        }
        let live = usize::from(first.is_some());
        Arc::new(Self {
            blueprint,
            bounds,
            shelf: Mutex::new(Shelf {
                idle: Idle::new(first),
                live,
                queue: VecDeque::new(),
            }),
            freed: Condvar::new(),
            created: AtomicU64::new(live as u64),
            discarded: AtomicU64::new(0),
        })
    }

    /// Lends an instance to `call`, waiting for one if need be. It comes back only if the call succeeds.
    pub(crate) fn with<R, E: From<Failure>>(
        self: &Arc<Self>,
        wait: Duration,
        call: impl FnOnce(&mut Instance) -> Result<R, E>,
    ) -> Result<R, E> {
        let (mut instance, place) = self.take(wait)?;
        let answer = call(&mut instance);
        if answer.is_ok() {
            mem::forget(place);
            drop(self.put(instance));
        } else {
            self.blueprint.measure(&instance);
            self.discarded.fetch_add(1, Relaxed);
            drop(instance);
        }
        answer
    }

    /// Only who has to wait, or for an instance to be made, pays for looking at the clock.
    fn take(self: &Arc<Self>, wait: Duration) -> Result<(Instance, Place<'_>), Failure> {
        if let Some(instance) = self.shelf.lock().idle.take() {
            return Ok((instance, Place(self)));
        }
        let asked_at = clock::now();
        let (mut instance, place) = self.wait_for_one(wait)?;
        instance.waited_for = asked_at.elapsed();
        Ok((instance, place))
    }

    fn wait_for_one(self: &Arc<Self>, wait: Duration) -> Result<(Instance, Place<'_>), Failure> {
        let mut until = None;
        let mut shelf = self.shelf.lock();
        loop {
            if let Some(instance) = shelf.idle.take() {
                return Ok((instance, Place(self)));
            }
            if shelf.live < self.bounds.live_max {
                shelf.live += 1;
                drop(shelf);
                let place = Place(self);
                return self.make().map(|instance| (instance, place));
            }
            let until = *until.get_or_insert_with(|| clock::now() + wait);
            if self.freed.wait_until(&mut shelf, until).timed_out() && shelf.idle.is_empty() {
                return Err(self.all_busy(wait));
            }
        }
    }

    /// Lends an instance to a call that may wait; it may wait for this as well.
    pub(crate) async fn lend(self: &Arc<Self>, wait: Duration) -> Result<Lent, Failure> {
        let turn = {
            let mut shelf = self.shelf.lock();
            if let Some(instance) = shelf.idle.take() {
                return Ok(Lent::new(self, Some(instance)));
            }
            if shelf.live < self.bounds.live_max {
                shelf.live += 1;
                return Ok(Lent::new(self, None));
            }
            let (sender, turn) = oneshot::channel();
            shelf.queue.push_back(sender);
            turn
        };
        match tokio::time::timeout(wait, turn).await {
            Ok(Ok(lent)) => Ok(lent),
            Ok(Err(_)) | Err(_) => Err(self.all_busy(wait)),
        }
    }

    fn all_busy(&self, wait: Duration) -> Failure {
        Failure {
            kind: FailureKind::NoInstance,
            detail: format!("all {} instances were busy for {wait:?}", self.bounds.live_max),
        }
    }

    fn make(&self) -> Result<Instance, Failure> {
        let instance = self.blueprint.build_another()?;
        self.blueprint.measure(&instance);
        self.created.fetch_add(1, Relaxed);
        Ok(instance)
    }

    /// Takes an instance back; returned is one that is one too many.
    fn put(self: &Arc<Self>, instance: Instance) -> Option<Instance> {
        let mut instance = Some(instance);
        loop {
            let next = {
                let mut shelf = self.shelf.lock();
                match shelf.next_in_queue() {
                    Some(next) => next,
                    None if shelf.idle.len() < self.bounds.idle_max => {
                        if let Some(instance) = instance {
                            shelf.idle.put(instance);
                        }
                        self.freed.notify_one();
                        return None;
                    }
                    None => {
                        shelf.live -= 1;
                        self.freed.notify_one();
                        return instance;
                    }
                }
            };
            // Whoever has given up in the meantime leaves it to the next.
            match next.send(Lent::new(self, instance)) {
                Ok(()) => return None,
                Err(lent) => instance = lent.undelivered(),
            }
        }
    }

    /// An instance is gone: somebody else may make one.
    fn free_place(self: &Arc<Self>) {
        loop {
            let next = {
                let mut shelf = self.shelf.lock();
                let Some(next) = shelf.next_in_queue() else {
                    shelf.live -= 1;
                    self.freed.notify_one();
                    return;
                };
                next
            };
            match next.send(Lent::new(self, None)) {
                Ok(()) => return,
                Err(lent) => drop(lent.undelivered()),
            }
        }
    }

    /// Takes all idle instances away for good.
    pub(crate) fn retire(&self) -> Vec<Instance> {
        let mut shelf = self.shelf.lock();
        let idle = shelf.idle.take_all();
        shelf.live -= idle.len();
        idle
    }

    pub(crate) fn stats(&self) -> InstanceStats {
        let shelf = self.shelf.lock();
        for instance in shelf.idle.iter() {
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

impl Shelf {
    /// The first who still waits.
    fn next_in_queue(&mut self) -> Option<oneshot::Sender<Lent>> {
        iter::from_fn(|| self.queue.pop_front()).find(|waiting| !waiting.is_closed())
    }
}
