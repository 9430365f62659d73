//! Messages that plugins publish while they are asked about others: they are sent behind those.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::mem;
use std::pin::pin;

use hookwire_hooks::PluginPublish;
use tokio::sync::mpsc::{OwnedPermit, Sender};

/// A message with a place in the queue.
type Held = (OwnedPermit<PluginPublish>, PluginPublish);

thread_local! {
    /// What the hooks of the present step have published; `None` outside of one. A step that waits takes it along.
    static HELD: RefCell<Option<Vec<Held>>> = const { RefCell::new(None) };
}

/// Does something with messages; what plugins publish meanwhile is queued when it is done, so that it comes after them.
pub(super) fn behind<R>(step: impl FnOnce() -> R) -> R {
    let is_outermost = HELD.with_borrow_mut(|held| {
        let is_outermost = held.is_none();
        held.get_or_insert_default();
        is_outermost
    });
    let _release = is_outermost.then_some(Release);
    step()
}

/// The same for something that waits in between, and goes on on whichever thread.
pub(super) async fn behind_waiting<F: Future>(step: F) -> F::Output {
    let mut stash = Stash::default();
    let mut step = pin!(step);
    poll_fn(|cx| stash.during(|| step.as_mut().poll(cx))).await
}

/// What a step that waits has held back so far. It is queued when the step is over, or given up.
#[derive(Default)]
struct Stash(Vec<Held>);

impl Stash {
    fn during<R>(&mut self, turn: impl FnOnce() -> R) -> R {
        let outer = HELD.replace(Some(mem::take(&mut self.0)));
        let _back = Back { stash: self, outer };
        turn()
    }
}

/// Takes what was held back off the thread again, also when the turn panics.
struct Back<'s> {
    stash: &'s mut Stash,
    outer: Option<Vec<Held>>,
}

impl Drop for Back<'_> {
    fn drop(&mut self) {
        self.stash.0 = HELD.replace(self.outer.take()).unwrap_or_default();
    }
}

impl Drop for Stash {
    fn drop(&mut self) {
        queue_all(mem::take(&mut self.0));
    }
}

fn queue_all(held: Vec<Held>) {
    for (permit, publish) in held {
        permit.send(publish);
    }
}

/// Queues what was held back, also when the step panics.
struct Release;

impl Drop for Release {
    fn drop(&mut self) {
        let held = HELD.with_borrow_mut(Option::take);
        queue_all(held.unwrap_or_default());
    }
}

/// Queues messages, all or none; false when there is no room for all of them.
pub(super) fn queue(sender: &Sender<PluginPublish>, messages: Vec<PluginPublish>) -> bool {
    let places: Result<Vec<_>, _> = messages
        .iter()
        .map(|_| sender.clone().try_reserve_owned())
        .collect();
    let Ok(places) = places else { return false };
    let queued = places.into_iter().zip(messages);
    HELD.with_borrow_mut(|held| match held {
        Some(held) => held.extend(queued),
        None => queued.for_each(|(place, message)| drop(place.send(message))),
    });
    true
}
