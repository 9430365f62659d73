//! Whether there is room for a message with those whom it concerns.

use std::sync::Arc;

use hookwire_hooks::Message;
use hookwire_protocol::QoS;

use super::Broker;
use super::client::Client;
use super::publish::Round;
use crate::config::QueueOverflow;
use crate::metrics::Limit;
use crate::router::Matches;

impl Broker {
    /// Whether a message may be taken. Asked before anybody is given it, so that its publisher can be told.
    #[inline]
    pub(super) fn has_room(
        &self,
        round: &Round<'_>,
        message: &Message,
        matches: &Matches<Arc<Client>>,
    ) -> bool {
        if message.qos > QoS::AtMostOnce && !self.store_takes(message, matches) {
            return false;
        }
        let is_full = self.0.memory.is_full();
        let rejects = round.settings.session.queue_overflow == QueueOverflow::RejectPublisher;
        if message.qos == QoS::AtMostOnce || !(is_full || rejects) || have_room(message, matches, !is_full) {
            return true;
        }
        let limit = if is_full {
            Limit::MemoryMax
        } else {
            Limit::QueueMax
        };
        self.0.metrics.limits.reached(limit);
        false
    }
}

fn have_room(message: &Message, matches: &Matches<Arc<Client>>, may_wait: bool) -> bool {
    let has_room =
        |client: &Arc<Client>, qos: QoS| client.session().has_room(message, message.qos.min(qos), may_wait);
    let each = || {
        matches
            .recipients
            .iter()
            .all(|recipient| has_room(&recipient.subscriber, recipient.qos))
    };
    let one_of_each = || {
        matches.groups.iter().all(|group| {
            group
                .members
                .iter()
                .any(|member| has_room(&member.subscriber, member.options.qos))
        })
    };
    each() && one_of_each()
}
