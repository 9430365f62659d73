//! Reads that go wrong: what is said of them, and when they are tried again.

use std::sync::Arc;
use std::time::Duration;

use hookwire_store::{Space, StoreError};

use super::Durable;
use super::replays::UnderWay;
use crate::broker::Broker;
use crate::broker::client::Client;
use crate::broker::timers::Due;
use crate::clock;
use crate::session::Wanted;
use crate::session::journal::Unreadable;

/// A read that failed is tried again after this time; after each further failure it is twice as long …
const RETRY_FIRST: Duration = Duration::from_secs(1);
/// … and in the end this.
const RETRY_LAST: Duration = Duration::from_secs(60);

/// Why a record gives nothing.
#[derive(Debug)]
pub(super) enum ReadError {
    /// It is none of ours.
    Record(Unreadable),
    /// The store does not give it.
    Store(StoreError),
}

impl ReadError {
    /// For logs.
    pub(super) fn of(self, space: Space, key: &[u8]) -> StoreError {
        match self {
            Self::Record(Unreadable) => unreadable(space, key),
            Self::Store(error) => error,
        }
    }
}

impl From<Unreadable> for ReadError {
    fn from(unreadable: Unreadable) -> Self {
        Self::Record(unreadable)
    }
}

impl From<StoreError> for ReadError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// For logs.
pub(super) fn unreadable(space: Space, key: &[u8]) -> StoreError {
    StoreError::corrupt(space, key, "not a record of this version")
}

/// What a client is owed, and could not be read.
#[derive(Debug)]
pub(in crate::broker) struct Owed {
    pub(super) client: Arc<Client>,
    pub(super) wanted: Wanted,
    /// How often reading it has failed.
    pub(super) failures: u32,
    /// Of what a stop waits for.
    pub(super) under_way: Option<UnderWay>,
}

/// How long to wait after so many failures.
fn delay(failures: u32) -> Duration {
    let doubled = failures.saturating_sub(1).min(16);
    (RETRY_FIRST * (1 << doubled)).min(RETRY_LAST)
}

impl Durable {
    /// Takes note of a read that failed.
    pub(super) fn note_failed_read(&self, error: &StoreError) {
        self.committer.note_failed_read(error);
    }
}

impl Broker {
    /// It is there and the client's, so it is tried again, by and by.
    pub(super) fn read_later(&self, owed: Owed, error: &StoreError) {
        let delay = delay(owed.failures);
        let client_id = owed.client.standing().facts.client_id.clone();
        tracing::error!(
            client_id = %client_id.escape_debug(),
            queued = owed.wanted.queued.len(),
            retained = owed.wanted.retained.len(),
            "messages cannot be read, which is tried again in {delay:?}: {error}"
        );
        self.0.timers.add(clock::now() + delay, Due::Read(Box::new(owed)));
    }

    /// The time has come to do so.
    pub(in crate::broker) fn read_again(&self, owed: Owed) {
        let Owed {
            client,
            wanted,
            failures,
            under_way,
        } = owed;
        self.order(&client, wanted, failures);
        // Not before the next one is under way.
        drop(under_way);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_on_failing_is_tried_less_and_less_often_and_for_ever() {
        let delays = [1, 2, 3, 6, 7, 100, u32::MAX].map(|failures| delay(failures).as_secs());
        assert_eq!(delays, [1, 2, 4, 32, 60, 60, 60]);
    }
}
