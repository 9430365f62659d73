//! What a session remembers of the messages that its client publishes.

use std::num::NonZeroU16;

use hashbrown::HashSet;
use hookwire_protocol::{Delivery, PacketId, PublishTopic, PubrelReason, TopicName};

use super::Violation;

/// QoS 2 identifiers that wait for PUBREL, and the topic aliases of the present connection.
#[derive(Debug, Default)]
pub(super) struct Inbound {
    /// Apart: most clients publish at QoS 0 or 1, and without aliases.
    marks: Option<Box<Marks>>,
    receive_maximum: u16,
    topic_alias_maximum: u16,
}

#[derive(Debug, Default)]
struct Marks {
    unreleased: HashSet<PacketId>,
    /// Those of them that an earlier connection left and that have not been sent again on the present one: they do not
    /// count towards its Receive Maximum.
    left_over: HashSet<PacketId>,
    /// As many as were used, the highest one included.
    aliases: Vec<Option<TopicName>>,
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
        self.receive_maximum = receive_maximum;
        self.topic_alias_maximum = topic_alias_maximum;
        self.marks.take_if(|marks| marks.unreleased.is_empty());
        if let Some(marks) = &mut self.marks {
            marks.left_over.clone_from(&marks.unreleased);
            marks.aliases = Vec::new();
        }
    }

    pub(super) fn detach(&mut self) {
        self.topic_alias_maximum = 0;
        if let Some(marks) = &mut self.marks {
            marks.aliases = Vec::new();
        }
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
        if alias.get() > self.topic_alias_maximum {
            return Err(Violation::TopicAliasInvalid);
        }
        let aliases = &mut self.marks.get_or_insert_default().aliases;
        if aliases.len() < usize::from(alias.get()) {
            aliases.resize(alias.get().into(), None);
        }
        aliases
            .get_mut(usize::from(alias.get()) - 1)
            .ok_or(Violation::TopicAliasInvalid)
    }

    /// Takes note of a QoS 2 identifier.
    #[inline]
    pub(super) fn note(&mut self, delivery: Delivery) -> Result<Novelty, Violation> {
        let Delivery::ExactlyOnce(id) = delivery else {
            return Ok(Novelty::New);
        };
        let marks = self.marks.get_or_insert_default();
        let is_repeated = marks.unreleased.contains(&id);
        let is_counted = is_repeated && !marks.left_over.contains(&id);
        // [MQTT-3.3.4-9]: more than the announced Receive Maximum on their way is a protocol error.
        if !is_counted && marks.under_way() >= usize::from(self.receive_maximum) {
            return Err(Violation::ReceiveMaximumExceeded);
        }
        marks.left_over.remove(&id);
        marks.unreleased.insert(id);
        Ok(if is_repeated {
            Novelty::Repeated
        } else {
            Novelty::New
        })
    }

    /// Identifiers that wait for PUBREL.
    pub(super) fn unreleased(&self) -> impl Iterator<Item = PacketId> {
        self.marks.iter().flat_map(|marks| &marks.unreleased).copied()
    }

    /// Whether an identifier waits for PUBREL.
    pub(super) fn is_unreleased(&self, id: PacketId) -> bool {
        let marks = self.marks.as_ref();
        marks.is_some_and(|marks| marks.unreleased.contains(&id))
    }

    /// An identifier that waited for PUBREL when the broker was started.
    pub(super) fn restore(&mut self, id: PacketId) {
        self.marks.get_or_insert_default().unreleased.insert(id);
    }

    /// A PUBREC with an error ends the exchange: the identifier is free again. [MQTT-4.3.3-9]
    pub(super) fn refuse(&mut self, id: PacketId) {
        self.forget(id);
    }

    /// A PUBREL came; the reason is that of the PUBCOMP.
    pub(super) fn release(&mut self, id: PacketId) -> PubrelReason {
        if self.forget(id) {
            PubrelReason::Success
        } else {
            PubrelReason::PacketIdentifierNotFound
        }
    }

    /// False if the identifier was free.
    fn forget(&mut self, id: PacketId) -> bool {
        let Some(marks) = &mut self.marks else {
            return false;
        };
        marks.left_over.remove(&id);
        marks.unreleased.remove(&id)
    }
}

impl Marks {
    /// Messages of the present connection that wait for their PUBREL.
    fn under_way(&self) -> usize {
        self.unreleased.len() - self.left_over.len()
    }
}
