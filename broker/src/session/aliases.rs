//! Topic aliases that we set towards a client: short names for the topics that it is sent most.

use std::num::NonZeroU16;

use hashbrown::HashMap;
use hookwire_protocol::TopicName;

/// Topics so short that their alias, a property of three bytes, would save nothing.
const SHORT: usize = 3;

/// How a topic is to be written in one PUBLISH.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// By its name alone.
    Name,
    /// By its name, which the alias stands for from here on. [MQTT-3.3.2-7]
    Both(NonZeroU16),
    /// By its alias alone.
    Alias(NonZeroU16),
}

/// The aliases of one connection.
///
/// When all are taken, a new topic does not simply push out an old one: it lowers the uses of the alias that is looked
/// at next, and takes it over once they are used up. So a topic that is sent often keeps its alias however many others
/// come by once.
#[derive(Debug, Default)]
pub(super) struct Aliases {
    max: u16,
    /// Apart, from the first alias on: most clients take none, and sessions without a connection have none.
    table: Option<Box<Table>>,
}

#[derive(Debug, Default)]
struct Table {
    by_topic: HashMap<TopicName, NonZeroU16>,
    slots: Vec<Slot>,
    hand: usize,
}

#[derive(Debug)]
struct Slot {
    topic: TopicName,
    uses: u32,
}

impl Aliases {
    /// A new network connection: aliases do not outlive one. [MQTT-3.3.2-7]
    pub(super) fn attach(&mut self, max: u16) {
        *self = Self {
            max,
            ..Self::default()
        };
    }

    /// How to write a topic in the packet that is encoded next.
    #[inline]
    pub(super) fn name(&mut self, topic: &TopicName) -> Naming {
        if self.max == 0 || topic.as_str().len() <= SHORT {
            return Naming::Name;
        }
        self.table.get_or_insert_default().choose(self.max, topic)
    }
}

impl Table {
    fn choose(&mut self, max: u16, topic: &TopicName) -> Naming {
        if let Some(&alias) = self.by_topic.get(topic) {
            if let Some(slot) = self.slots.get_mut(place(alias)) {
                slot.uses = slot.uses.saturating_add(1);
            }
            return Naming::Alias(alias);
        }
        let fresh = u16::try_from(self.slots.len() + 1)
            .ok()
            .filter(|&number| number <= max)
            .and_then(NonZeroU16::new);
        match fresh {
            Some(alias) => {
                self.slots.push(Slot {
                    topic: topic.detached(),
                    uses: 1,
                });
                self.by_topic.insert(topic.detached(), alias);
                Naming::Both(alias)
            }
            None => self.contend(topic),
        }
    }

    fn contend(&mut self, topic: &TopicName) -> Naming {
        let at = self.hand;
        self.hand = (at + 1) % self.slots.len().max(1);
        let alias = u16::try_from(at + 1).ok().and_then(NonZeroU16::new);
        let (Some(slot), Some(alias)) = (self.slots.get_mut(at), alias) else {
            return Naming::Name;
        };
        if slot.uses > 1 {
            slot.uses /= 2;
            return Naming::Name;
        }
        let pushed_out = std::mem::replace(&mut slot.topic, topic.detached());
        self.by_topic.remove(&pushed_out);
        self.by_topic.insert(topic.detached(), alias);
        Naming::Both(alias)
    }
}

fn place(alias: NonZeroU16) -> usize {
    usize::from(alias.get()) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(text: &str) -> TopicName {
        TopicName::new(text.to_owned()).expect("a topic")
    }

    fn alias(number: u16) -> NonZeroU16 {
        NonZeroU16::new(number).expect("not zero")
    }

    fn aliases(max: u16) -> Aliases {
        let mut aliases = Aliases::default();
        aliases.attach(max);
        aliases
    }

    #[test]
    fn a_client_that_takes_none_gets_none() {
        assert_eq!(aliases(0).name(&topic("some/topic")), Naming::Name);
    }

    #[test]
    fn a_topic_is_named_once() {
        let mut aliases = aliases(2);
        for (name, naming) in [
            ("some/topic", Naming::Both(alias(1))),
            ("some/topic", Naming::Alias(alias(1))),
            ("other/topic", Naming::Both(alias(2))),
            ("some/topic", Naming::Alias(alias(1))),
            ("a/b", Naming::Name),
        ] {
            assert_eq!(aliases.name(&topic(name)), naming, "{name}");
        }
    }

    #[test]
    fn a_new_connection_knows_none() {
        let mut aliases = aliases(1);
        aliases.name(&topic("some/topic"));
        aliases.attach(1);
        assert_eq!(aliases.name(&topic("some/topic")), Naming::Both(alias(1)));
    }

    #[test]
    fn topics_that_come_once_do_not_push_out_one_that_comes_often() {
        let mut aliases = aliases(1);
        let often = topic("often/sent");
        aliases.name(&often);
        for round in 0..100 {
            assert_eq!(aliases.name(&often), Naming::Alias(alias(1)), "round {round}");
            aliases.name(&often);
            aliases.name(&topic(&format!("once/{round}")));
        }
    }

    #[test]
    fn a_topic_that_is_no_longer_sent_gives_way() {
        let mut aliases = aliases(1);
        for _ in 0..1000 {
            aliases.name(&topic("old/topic"));
        }
        let new = topic("new/topic");
        let tries = (0..20).take_while(|_| aliases.name(&new) == Naming::Name).count();
        assert!(tries < 20);
        assert_eq!(aliases.name(&new), Naming::Alias(alias(1)));
        assert_ne!(aliases.name(&topic("old/topic")), Naming::Alias(alias(1)));
    }
}
