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
        if message.qos == QoS::AtMostOnce || !(is_full || rejects) {
            return true;
        }
        let lack = lack_of_room(message, matches, !is_full);
        if let Some(limit) = lack {
            self.0.metrics.limits.reached(limit);
        }
        lack.is_none()
    }
}

/// The limit of the first of its recipients that cannot take it, if there is one.
fn lack_of_room(message: &Message, matches: &Matches<Arc<Client>>, may_wait: bool) -> Option<Limit> {
    let lack = |client: &Arc<Client>, qos: QoS| {
        client
            .session()
            .lacks_room(message, message.qos.min(qos), may_wait)
    };
    let each = || {
        matches
            .recipients
            .iter()
            .find_map(|recipient| lack(&recipient.subscriber, recipient.qos))
    };
    let one_of_each = || {
        matches.groups.iter().find_map(|group| {
            let lacks = group
                .members
                .iter()
                .map(|member| lack(&member.subscriber, member.options.qos));
            // Any of them may get it.
            lacks.reduce(|some, other| some.and(other)).flatten()
        })
    };
    each().or_else(one_of_each)
}
