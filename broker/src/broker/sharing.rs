//! Shared subscriptions whose members come and go.

use std::sync::Arc;
use std::time::Instant;

use hookwire_hooks::Message;
use hookwire_protocol::SharedFilter;

use super::Broker;
use super::client::Client;
use super::deliver::Addressee;
use super::publish::Round;
use super::publisher::Publisher;
use crate::router::{Choice, Group, Recipient, Subscriber, Subscription};
use crate::session::Delivered;

impl Broker {
    /// The member of a shared subscription that gets a message.
    pub(super) fn choose<'g>(
        &self,
        round: &Round<'_>,
        group: &'g Group<Arc<Client>>,
        message: &Message,
        from: Option<u64>,
    ) -> Option<&'g Subscription<Arc<Client>>> {
        group.choose(Choice {
            strategy: round.settings.session.shared_strategy,
            publisher: from,
            topic: message.topic.as_str(),
        })
    }

    /// A member has gone away: what waits for it, or was sent and not acknowledged, goes to members that are connected, if
    /// there are any (section 4.8.2 of MQTT 5).
    pub(super) fn hand_on(&self, now: Instant, client: &Arc<Client>) {
        let filters = client.session().transferable();
        let is_taken = |filter: &Arc<SharedFilter>| {
            let group = self.0.router.group(filter);
            group.is_some_and(|group| group.members.iter().any(|member| member.subscriber.is_online()))
        };
        let taken: Vec<_> = filters.into_iter().filter(is_taken).collect();
        if taken.is_empty() {
            return;
        }
        let messages = client
            .session()
            .transfer(|filter| taken.iter().any(|taken| **taken == *filter));
        self.redeliver(now, messages);
    }

    /// Gives messages to members of the shared subscriptions that they were for.
    pub(super) fn redeliver(&self, now: Instant, messages: Vec<Delivered>) {
        if messages.is_empty() {
            return;
        }
        let mut publisher = Publisher::default();
        self.with_round(now, |round| {
            for delivered in messages {
                // What a policy made of it for the last recipient is not for the next.
                let message = delivered.published();
                let group = delivered.shared.as_ref();
                let group = group.and_then(|filter| self.0.router.group(filter));
                let Some(group) = group else { continue };
                if let Some(member) = self.choose(round, &group, message, None) {
                    let addressee = Addressee {
                        recipient: Recipient::of(member),
                        shared: Some(Arc::clone(&group.filter)),
                    };
                    self.hand_over(round, &mut publisher, message, addressee);
                }
            }
        });
        publisher.wake_recipients();
    }

    /// A member has come: what waits for members of its shared subscriptions that are away goes to it, and to others who
    /// are there.
    pub(super) fn relieve_absent(&self, now: Instant, filters: &[SharedFilter]) {
        for group in filters.iter().filter_map(|filter| self.0.router.group(filter)) {
            for member in &group.members {
                if !member.subscriber.is_online() {
                    self.hand_on(now, &member.subscriber);
                }
            }
        }
    }
}
