//! What those who look on are told about messages on their way; see [`watch`](crate::watch).

use std::sync::Arc;

use bytestring::ByteString;
use hookwire_hooks::{
    Access, AccessDecision, ClientFacts, ClientKey, DropCause, Fate, Host, Matter, Message, Plugin, Source,
};
use hookwire_protocol::TopicName;

use super::client::Client;
use super::publish::Placed;
use super::{Broker, PluginAccess};
use crate::watch::{Basis, Happening, Published, WatchedPlugin, Watches, What};

/// Whose message it is, and where it goes: what is left of a message when it has been handed on.
#[derive(Debug)]
pub(super) struct Subject {
    client_id: Option<ByteString>,
    topic: TopicName,
}

impl Broker {
    /// Everybody who looks on.
    pub fn watches(&self) -> &Arc<Watches> {
        &self.0.watches
    }

    /// A plugin for a chain of this generation, so that its calls can be looked at.
    pub fn watched(&self, plugin: Arc<dyn Plugin>, generation: u64) -> Arc<dyn Plugin> {
        let clients = PluginAccess::default();
        clients.connect(self);
        let watches = Arc::clone(self.watches());
        Arc::new(WatchedPlugin::new(plugin, generation, watches, Arc::new(clients)))
    }

    fn facts_of(&self, key: ClientKey) -> Option<Arc<ClientFacts>> {
        let access = PluginAccess::default();
        access.connect(self);
        access.client(key)
    }

    fn client_id_of(&self, source: Source) -> Option<ByteString> {
        let facts = source.client().and_then(|key| self.facts_of(key))?;
        Some(facts.client_id.clone())
    }

    /// A message has come in; `None` while nobody looks on.
    #[inline]
    pub(super) fn tell_arrived(&self, message: &Message) -> Option<Subject> {
        let subject = self.subject_of(message)?;
        self.tell_about(&subject, What::Arrived(message));
        Some(subject)
    }

    /// What can be told of a message later; `None` while nobody looks on.
    #[inline]
    pub(super) fn subject_of(&self, message: &Message) -> Option<Subject> {
        self.watches().is_on().then(|| Subject {
            client_id: self.client_id_of(message.source),
            topic: message.topic.clone(),
        })
    }

    fn tell_about(&self, subject: &Subject, what: What<'_>) {
        self.watches().tell(&Happening {
            client: subject.client_id.as_deref(),
            to: None,
            topic: Some(Matter::Topic(&subject.topic)),
            what,
        });
    }

    /// A message was judged, and goes no further.
    pub(super) fn tell_fate(&self, message: &Message, fate: &Fate) {
        let Some(subject) = self.subject_of(message) else {
            return;
        };
        let published = match fate {
            Fate::Pass => return,
            Fate::Drop => Published::Dropped,
            Fate::Reject(rejection) => Published::Rejected(rejection),
            Fate::Disconnect(rejection) => Published::Disconnected(rejection),
        };
        self.tell_about(&subject, What::Judged(published));
    }

    /// A will is kept back.
    pub(super) fn tell_will(&self, message: &Message, published: Published<'_>) {
        if let Some(subject) = self.subject_of(message) {
            self.tell_about(&subject, What::Judged(published));
        }
    }

    /// A message was judged, and this came of it.
    pub(super) fn tell_placed(&self, subject: &Subject, placed: Placed) {
        let published = match placed {
            Placed::Routed => Published::Routed,
            Placed::Retained => Published::Retained,
            Placed::Unheard(_) => Published::NoSubscriber,
            Placed::NoRoom => Published::NoRoom,
            Placed::TooLarge => Published::TooLarge,
            Placed::Withheld => Published::Withheld,
        };
        self.tell_about(subject, What::Judged(published));
    }

    /// An access was decided, perhaps without asking anybody.
    pub(super) fn tell_decided(
        &self,
        access: &Access<'_>,
        basis: Option<Basis>,
        decision: &AccessDecision,
        generation: u64,
    ) {
        // Where the chain was asked, its plugins have told.
        let Some(basis) = basis.filter(|_| self.watches().is_on()) else {
            return;
        };
        let facts = self.facts_of(access.client);
        self.watches().tell(&Happening {
            client: facts.as_ref().map(|facts| &*facts.client_id),
            to: None,
            topic: Some(Matter::Text(access.topic)),
            what: What::Decided {
                action: access.action,
                basis,
                decision,
                generation,
            },
        });
    }

    /// A message was written for a recipient, or waits for it.
    #[inline]
    pub(super) fn tell_delivered(&self, client: &Client, message: &Message, waits: bool) {
        if self.watches().is_on() {
            self.tell_recipient(client, message, What::Delivered(waits));
        }
    }

    /// A message did not reach a recipient.
    #[inline]
    pub(super) fn tell_dropped(&self, client: &Client, message: &Message, cause: DropCause) {
        if self.watches().is_on() {
            self.tell_recipient(client, message, What::Dropped(cause));
        }
    }

    fn tell_recipient(&self, client: &Client, message: &Message, what: What<'_>) {
        let publisher = self.client_id_of(message.source);
        self.watches().tell(&Happening {
            client: publisher.as_deref(),
            to: Some(&client.standing().facts.client_id),
            topic: Some(Matter::Topic(&message.topic)),
            what,
        });
    }
}
