//! What a session remembers of the messages that its client publishes.

use std::num::NonZeroU16;

use hashbrown::HashSet;
use hookwire_protocol::{Delivery, PacketId, PublishTopic, PubrelReason, TopicName};

use super::Violation;

/// QoS 2 identifiers that wait for PUBREL, and the topic aliases of the present connection.
#[derive(Debug, Default)]
pub(super) struct Inbound {
    unreleased: HashSet<PacketId>,
    /// Those of them that an earlier connection left and that have not been sent again on the present one: they do not
    /// count towards its Receive Maximum.
    left_over: HashSet<PacketId>,
    aliases: Vec<Option<TopicName>>,
    receive_maximum: u16,
}

/// Whether a PUBLISH is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Novelty {
    /// It has to be judged and routed.
    New,
    /// A QoS 2 message that was taken before; only its PUBREC is due once more. [MQTT-4.3.3-10]
    Repeated,
}

impl Inbound {
    /// A new network connection: aliases do not outlive one. [MQTT-3.3.2-7]
    pub(super) fn attach(&mut self, receive_maximum: u16, topic_alias_maximum: u16) {
        self.left_over.clone_from(&self.unreleased);
        self.aliases.clear();
        self.aliases.resize(usize::from(topic_alias_maximum), None);
        self.receive_maximum = receive_maximum;
    }

    pub(super) fn detach(&mut self) {
        self.aliases = Vec::new();
    }

    /// The topic that a PUBLISH means, and what its alias stands for from here on.
    #[inline]
    pub(super) fn resolve(&mut self, topic: PublishTopic) -> Result<TopicName, Violation> {
        match topic {
            PublishTopic::Name { topic, alias: None } => Ok(topic),
            PublishTopic::Name {
                topic,
                alias: Some(alias),
            } => {
                // With memory of its own, so that an alias does not hold on to a whole read buffer.
                *self.alias(alias)? = Some(topic.detached());
                Ok(topic)
            }
            // [MQTT-3.3.2-8..12]
            PublishTopic::Alias(alias) => self.alias(alias)?.clone().ok_or(Violation::TopicAliasUnknown),
        }
    }

    fn alias(&mut self, alias: NonZeroU16) -> Result<&mut Option<TopicName>, Violation> {
        self.aliases
            .get_mut(usize::from(alias.get()) - 1)
            .ok_or(Violation::TopicAliasInvalid)
    }

    /// Takes note of a QoS 2 identifier.
    #[inline]
    pub(super) fn note(&mut self, delivery: Delivery) -> Result<Novelty, Violation> {
        let Delivery::ExactlyOnce(id) = delivery else {
            return Ok(Novelty::New);
        };
        let is_repeated = self.unreleased.contains(&id);
        let is_counted = is_repeated && !self.left_over.contains(&id);
        // [MQTT-3.3.4-9]: more than the announced Receive Maximum on their way is a protocol error.
        if !is_counted && self.under_way() >= usize::from(self.receive_maximum) {
            return Err(Violation::ReceiveMaximumExceeded);
        }
        self.left_over.remove(&id);
        self.unreleased.insert(id);
        Ok(if is_repeated {
            Novelty::Repeated
        } else {
            Novelty::New
        })
    }

    /// Identifiers that wait for PUBREL.
    pub(super) fn unreleased(&self) -> impl Iterator<Item = PacketId> {
        self.unreleased.iter().copied()
    }

    /// Whether an identifier waits for PUBREL.
    pub(super) fn is_unreleased(&self, id: PacketId) -> bool {
        self.unreleased.contains(&id)
    }

    /// An identifier that waited for PUBREL when the broker was started.
    pub(super) fn restore(&mut self, id: PacketId) {
        self.unreleased.insert(id);
    }

    /// Messages of the present connection that wait for their PUBREL.
    fn under_way(&self) -> usize {
        self.unreleased.len() - self.left_over.len()
    }

    /// A PUBREC with an error ends the exchange: the identifier is free again. [MQTT-4.3.3-9]
    pub(super) fn refuse(&mut self, id: PacketId) {
        self.left_over.remove(&id);
        self.unreleased.remove(&id);
    }

    /// A PUBREL came; the reason is that of the PUBCOMP.
    pub(super) fn release(&mut self, id: PacketId) -> PubrelReason {
        self.left_over.remove(&id);
        if self.unreleased.remove(&id) {
            PubrelReason::Success
        } else {
            PubrelReason::PacketIdentifierNotFound
        }
    }
}
