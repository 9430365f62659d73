//! Messages of one run that go to the same recipients.

use std::sync::Arc;

use hookwire_hooks::Message;

use super::client::Client;
use crate::router::Matches;

type Recipients = Arc<Matches<Arc<Client>>>;

/// Messages that follow each other to the same recipients. Each of these is then gone to once for all of them: its session
/// is locked once, and is at hand for all that is written to it.
#[derive(Debug, Default)]
pub(super) struct Bundle {
    matches: Option<Recipients>,
    messages: Vec<Arc<Message>>,
}

impl Bundle {
    /// Whether what goes to these may be added.
    #[inline]
    pub(super) fn is_for(&self, matches: &Recipients) -> bool {
        self.matches.as_ref().is_some_and(|own| Arc::ptr_eq(own, matches))
    }

    /// Begins one for others.
    pub(super) fn address(&mut self, matches: Recipients) {
        debug_assert!(self.messages.is_empty(), "what is in it goes to others");
        self.matches = Some(matches);
    }

    #[inline]
    pub(super) fn add(&mut self, message: Arc<Message>) {
        self.messages.push(message);
    }

    /// Its recipients and its messages, if it has any; to be given back with [`Bundle::reuse`].
    pub(super) fn take(&mut self) -> Option<(Recipients, Vec<Arc<Message>>)> {
        let matches = self.matches.take()?;
        Some((matches, std::mem::take(&mut self.messages)))
    }

    /// Keeps the memory of the last one for the next.
    pub(super) fn reuse(&mut self, mut messages: Vec<Arc<Message>>) {
        messages.clear();
        self.messages = messages;
    }
}
