//! Messages that plugins publish while they are asked about others: they are sent behind those.

use std::cell::RefCell;

use hookwire_hooks::PluginPublish;
use tokio::sync::mpsc::{OwnedPermit, Sender};

/// A message with a place in the queue.
type Held = (OwnedPermit<PluginPublish>, PluginPublish);

thread_local! {
    /// What the hooks of the present step have published; `None` outside of one. Hooks about messages are synchronous calls,
    /// so a step never leaves its thread.
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

/// Queues what was held back, also when the step panics.
struct Release;

impl Drop for Release {
    fn drop(&mut self) {
        let held = HELD.with_borrow_mut(Option::take);
        for (permit, publish) in held.into_iter().flatten() {
            permit.send(publish);
        }
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
