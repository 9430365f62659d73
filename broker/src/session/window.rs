//! Messages on their way to a client, in the order in which they were sent.

use std::collections::VecDeque;

use hookwire_protocol::PacketId;

use super::journal::Place;
use super::queue::{Delivered, Waiting};

/// What a message in the window waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaits {
    Puback,
    Pubrec,
    Pubcomp,
}

/// One message on its way.
#[derive(Debug)]
pub(super) struct Inflight {
    pub(super) id: PacketId,
    pub(super) awaits: Awaits,
    /// False from a reconnect on until it is sent again.
    pub(super) sent: bool,
    /// `None` once PUBREC came: from there on only the identifier matters. [MQTT-4.3.3-5]
    pub(super) delivered: Option<Delivered>,
    /// Where it is recorded.
    pub(super) place: Option<Place>,
    /// The batch with which its next packet is safe to be sent.
    pub(super) commit: u64,
}

impl Inflight {
    /// What another client may get in place of this one.
    pub(super) fn transferable(&self) -> Option<&Delivered> {
        self.delivered.as_ref().filter(|_| self.awaits == Awaits::Puback)
    }

    fn cost(&self) -> u32 {
        let cost = self.delivered.as_ref().map_or(0, Delivered::cost);
        // Packets are far smaller.
        u32::try_from(cost).unwrap_or(u32::MAX)
    }

    fn into_waiting(self) -> Option<Waiting> {
        let place = self.place;
        self.delivered.map(|delivered| Waiting { delivered, place })
    }
}

/// How much may be on its way to a client.
#[derive(Debug, Clone, Copy, Default)]
pub struct WindowLimits {
    messages_max: u16,
    bytes_max: u32,
}

impl WindowLimits {
    /// `messages_max` is the lower one of the client's Receive Maximum and ours [MQTT-3.3.4-7]. `bytes_max` bounds the messages that
    /// the client has not taken: up to 4 GiB, but one message is always sent, however large.
    pub fn new(messages_max: u16, bytes_max: usize) -> Self {
        Self {
            messages_max,
            bytes_max: u32::try_from(bytes_max).unwrap_or(u32::MAX),
        }
    }
}

/// Messages on their way. Those that are to be sent again are behind those that are not.
#[derive(Debug, Default)]
pub(super) struct Window {
    entries: VecDeque<Inflight>,
    messages_max: u16,
    /// Whether there is an identifier that is not ahead of the one before it.
    is_mixed: bool,
    bytes_max: u32,
    bytes: u32,
    unsent: u32,
}

impl Window {
    /// A new network connection: everything has to be sent again. [MQTT-4.4.0-1]
    pub(super) fn attach(&mut self, limits: WindowLimits) {
        (self.messages_max, self.bytes_max) = (limits.messages_max, limits.bytes_max);
        self.unsent = 0;
        for inflight in &mut self.entries {
            inflight.sent = false;
            self.unsent += 1;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Inflight> {
        self.entries.iter()
    }

    /// Whether something is to be sent again.
    #[inline]
    pub(super) fn has_unsent(&self) -> bool {
        self.unsent > 0
    }

    /// Whether another message may be sent.
    #[inline]
    pub(super) fn has_room(&self) -> bool {
        self.entries.len() < usize::from(self.messages_max) && self.bytes < self.bytes_max
    }

    /// A message is sent for the first time; or, if it is not `sent`, has to be sent with the next connection.
    #[inline]
    pub(super) fn push(&mut self, inflight: Inflight) {
        self.bytes += inflight.cost();
        self.is_mixed = !self.entries.is_empty() && (self.is_mixed || !self.is_ahead(inflight.id));
        self.entries.push_back(inflight);
    }

    pub(super) fn last(&self) -> Option<&Inflight> {
        self.entries.back()
    }

    /// The next one that is to be sent again, and is now. The window may have shrunk with the new connection's Receive Maximum: no
    /// more than that is under way at a time.
    pub(super) fn resend(&mut self) -> Option<&Inflight> {
        let at = self.entries.len() - self.unsent as usize;
        if at >= usize::from(self.messages_max) {
            return None;
        }
        let inflight = self.entries.get_mut(at)?;
        inflight.sent = true;
        self.unsent -= 1;
        Some(inflight)
    }

    /// Where a message is. Identifiers run upwards: unless one between has been acknowledged before its turn, it is where its
    /// identifier says, and else shortly before that.
    #[inline]
    pub(super) fn position(&self, id: PacketId) -> Option<usize> {
        // What is sent next is asked about, too, where messages are recorded.
        if !self.is_mixed && self.is_ahead(id) {
            return None;
        }
        let ahead = usize::from(self.distance(id)?);
        let end = self.entries.len().min(ahead + 1);
        let is_it = |at: &usize| self.entries.get(*at).is_some_and(|inflight| inflight.id == id);
        (0..end)
            .rev()
            .find(is_it)
            .or_else(|| (end..self.entries.len()).find(is_it))
    }

    /// How far ahead of the first one an identifier is.
    #[inline]
    fn distance(&self, id: PacketId) -> Option<u16> {
        let first = self.entries.front()?;
        Some(id.get().wrapping_sub(first.id.get()))
    }

    /// Whether an identifier is ahead of the last one, as seen from the first.
    #[inline]
    fn is_ahead(&self, id: PacketId) -> bool {
        let last = self.entries.back().and_then(|last| self.distance(last.id));
        self.distance(id) > last
    }

    pub(super) fn get(&self, at: usize) -> Option<&Inflight> {
        self.entries.get(at)
    }

    /// The client has the message at `at`, but the exchange goes on.
    pub(super) fn release(&mut self, at: usize) -> Option<(&mut Inflight, Option<Delivered>)> {
        let inflight = self.entries.get_mut(at)?;
        self.bytes -= inflight.cost();
        inflight.awaits = Awaits::Pubcomp;
        let delivered = inflight.delivered.take();
        Some((inflight, delivered))
    }

    /// The exchange is over.
    #[inline]
    pub(super) fn remove(&mut self, at: usize) -> Option<Inflight> {
        let inflight = if at == 0 {
            self.entries.pop_front()
        } else {
            self.entries.remove(at)
        }?;
        self.bytes -= inflight.cost();
        if !inflight.sent {
            self.unsent -= 1;
        }
        Some(inflight)
    }

    /// Takes out those that are wanted, in order. Nobody may be connected.
    pub(super) fn extract(&mut self, is_wanted: impl Fn(&Inflight) -> bool) -> Vec<Waiting> {
        let (taken, left): (VecDeque<_>, VecDeque<_>) = self.entries.drain(..).partition(is_wanted);
        self.entries = left;
        self.bytes -= taken.iter().map(Inflight::cost).sum::<u32>();
        taken.into_iter().filter_map(Inflight::into_waiting).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use hookwire_hooks::{Message, Source};
    use hookwire_protocol::{PublishProperties, QoS, TopicName};

    use super::*;

    fn id(number: u16) -> PacketId {
        PacketId::new(number).expect("not zero")
    }

    fn inflight(number: u16, payload_bytes: usize) -> Inflight {
        let message = Message {
            source: Source::Admin,
            topic: TopicName::new("t").expect("a topic name"),
            payload: Bytes::from(vec![0; payload_bytes]),
            qos: QoS::ExactlyOnce,
            retain: false,
            properties: PublishProperties::default(),
            expires_at: None,
        };
        Inflight {
            id: id(number),
            awaits: Awaits::Pubrec,
            sent: true,
            delivered: Some(Delivered {
                message: Arc::new(message),
                qos: QoS::ExactlyOnce,
                retain: false,
                subscription_ids: Default::default(),
                shared: None,
                original: None,
            }),
            place: None,
            commit: 0,
        }
    }

    fn window(messages_max: u16, bytes_max: usize) -> Window {
        let mut window = Window::default();
        window.attach(WindowLimits::new(messages_max, bytes_max));
        window
    }

    #[test]
    fn it_is_bounded_in_messages() {
        let mut window = window(2, usize::MAX);
        for number in [1, 2] {
            assert!(window.has_room());
            window.push(inflight(number, 0));
        }
        assert!(!window.has_room());
        window.remove(0);
        assert!(window.has_room());
    }

    #[test]
    fn it_is_bounded_in_bytes_that_the_client_has_not_taken() {
        let mut window = window(10, 1000);
        window.push(inflight(1, 2000));
        assert!(!window.has_room(), "one is sent, however large");
        window.release(0);
        assert!(window.has_room(), "the client has it");
        for number in 2..=5 {
            window.push(inflight(number, 100));
        }
        assert!(!window.has_room());
        assert_eq!(window.extract(|inflight| inflight.id == id(3)).len(), 1);
        assert!(window.has_room());
        while window.remove(0).is_some() {}
        assert_eq!(window.bytes, 0);
    }

    #[test]
    fn a_message_is_found_whatever_has_gone_before_its_turn_and_wherever_numbers_begin_anew() {
        // Those that were restored need not be in order.
        let numbers = [65_533, 65_534, 65_535, 1, 2, 9, 3, 4];
        for gone in 0_u32..1 << numbers.len() {
            let mut window = window(10, usize::MAX);
            let is_left = |at: &usize| gone & (1 << at) == 0;
            let left: Vec<u16> = (0..numbers.len()).filter(is_left).map(|at| numbers[at]).collect();
            left.iter().for_each(|number| window.push(inflight(*number, 0)));
            for number in [65_532, 65_533, 65_534, 65_535, 1, 2, 3, 4, 5, 9] {
                let at = left.iter().position(|other| *other == number);
                assert_eq!(window.position(id(number)), at, "{number} of {left:?}");
            }
        }
    }
}
