//! What writes packets for a client: beside what waits for it, so that a message can be written from where it waits.

use std::num::NonZeroU16;
use std::time::Instant;

use bytes::BytesMut;
use hookwire_hooks::{DropCause, Source};
use hookwire_protocol::{AckProperties, Delivery, PacketId, PublishHead, Pubrel, PubrelReason, QoS, Version};

use super::Terms;
use super::aliases::{Aliases, Naming};
use super::outbound;
use super::outbox::Outbox;
use super::queue::Offer;
use super::safety::Safety;
use crate::metrics::Tally;

/// Stands for a delivery whose identifier is not chosen yet: all are of one length.
const ANY_IDENTIFIED: Delivery = Delivery::AtLeastOnce(outbound::FIRST_ID);

/// What was written for the client, since the connection last asked.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) packets: u64,
    publishes: u64,
    publish_bytes: u64,
}

impl From<Written> for Tally {
    fn from(written: Written) -> Self {
        Self {
            packets_sent: written.packets,
            publishes_sent: written.publishes,
            publish_bytes_sent: written.publish_bytes,
            ..Self::default()
        }
    }
}

/// The parts of a session that packets for its client go through. They are written in place: moving an outbox out and back
/// costs more than a small packet does.
pub(super) struct Pen<'a> {
    pub(super) terms: &'a Terms,
    pub(super) aliases: &'a mut Aliases,
    pub(super) outbox: &'a mut Outbox,
    pub(super) unwritten: usize,
    /// Tells what has to wait, where there is a store.
    pub(super) safety: Option<&'a mut Safety>,
    pub(super) tally: &'a mut Written,
}

impl Pen<'_> {
    /// Bytes that wait to be written.
    #[inline]
    pub(super) fn output_len(&self) -> usize {
        let parked = self.safety.as_ref().map_or(0, |safety| safety.parked.len());
        self.unwritten + self.outbox.len() + parked
    }

    /// Puts a packet into the outbox, unless it is larger than the client takes. [MQTT-3.1.2-24]
    #[inline]
    pub(super) fn write(&mut self, encode: impl FnOnce(Version, &mut BytesMut)) {
        let is_written = write_into(self.outbox, self.terms, encode);
        self.tally.packets += u64::from(is_written);
    }

    /// The same for an answer that must not be given before a batch is safe. Answers keep their order, so it waits behind
    /// those that wait.
    #[inline]
    pub(super) fn write_when_safe(&mut self, commit: u64, encode: impl FnOnce(Version, &mut BytesMut)) {
        let terms = self.terms;
        match &mut self.safety {
            Some(safety) if !(safety.parked.is_empty() && safety.is_safe(commit)) => {
                let is_written = safety
                    .parked
                    .write(commit, |outbox| write_into(outbox, terms, encode));
                self.tally.packets += u64::from(is_written);
            }
            _ => self.write(encode),
        }
    }

    /// Once its recipient has a PUBREL, the message must not be sent again.
    pub(super) fn write_pubrel(&mut self, packet_id: PacketId, reason: PubrelReason, commit: u64) {
        let pubrel = Pubrel {
            packet_id,
            reason,
            properties: AckProperties::default(),
        };
        self.write_when_safe(commit, |version, out| pubrel.encode(version, out));
    }

    /// Why a message must not be sent to this client, if so.
    #[inline]
    pub(super) fn refusal(&self, now: Instant, offer: &Offer<'_>, dup: bool) -> Option<DropCause> {
        // [MQTT-3.3.2-5]; what was sent before does not expire any more [MQTT-4.3.3-7].
        if !dup
            && offer
                .message
                .expires_at
                .is_some_and(|expires_at| expires_at <= now)
        {
            return Some(DropCause::Expired);
        }
        // Only a client that set a Maximum Packet Size can be sent too much; the exact length is worth its
        // cost only then.
        if self.terms.packet_bytes_max != usize::MAX {
            let delivery = if offer.qos == QoS::AtMostOnce {
                Delivery::AtMostOnce
            } else {
                ANY_IDENTIFIED
            };
            let head = self.terms.head(now, offer, delivery, false);
            if head.encoded_len(self.terms.version) > self.terms.packet_bytes_max {
                return Some(DropCause::TooLarge); // [MQTT-3.1.2-25]
            }
        }
        None
    }

    /// How to write the topic. An alias comes on top of the topic that it is to stand for, and must not make the packet larger than
    /// the client takes. [MQTT-3.1.2-24]
    #[inline]
    fn naming(&mut self, head: &PublishHead<'_>, offer: &Offer<'_>) -> Naming {
        if self.terms.topic_aliases_sent_max > 0 && self.terms.packet_bytes_max != usize::MAX {
            let named = PublishHead {
                topic_alias: Some(NonZeroU16::MIN),
                ..*head
            };
            if named.encoded_len(self.terms.version) > self.terms.packet_bytes_max {
                return Naming::Name;
            }
        }
        self.aliases.name(&offer.message.topic)
    }

    /// Writes a message that nothing refuses. It does not go out before the batch `commit` is safe.
    #[inline]
    pub(super) fn write_publish(
        &mut self,
        now: Instant,
        offer: &Offer<'_>,
        delivery: Delivery,
        dup: bool,
        commit: u64,
    ) {
        let terms = self.terms;
        let mut head = terms.head(now, offer, delivery, dup);
        match self.naming(&head, offer) {
            Naming::Name => {}
            Naming::Both(alias) => head.topic_alias = Some(alias),
            Naming::Alias(alias) => (head.topic, head.topic_alias) = ("", Some(alias)),
        }
        let payload = &offer.message.payload;
        // Others have memory of their own, which the window holds anyway.
        let is_in_read_buffer = delivery == Delivery::AtMostOnce;
        let waiting = if is_in_read_buffer { self.output_len() } else { 0 };
        let write = |outbox: &mut Outbox| {
            head.encode(terms.version, outbox.tail());
            outbox.push_payload(payload, waiting);
        };
        // Messages of QoS 2 keep their order, and the client's own come back to it behind their answers.
        let is_own = offer.message.source == Source::Client(terms.key);
        let keeps_order = delivery.qos() == QoS::ExactlyOnce || is_own;
        match &mut self.safety {
            Some(safety) if !safety.is_safe(commit) || (keeps_order && !safety.parked.is_empty()) => {
                safety.parked.write(commit, write);
            }
            _ => write(self.outbox),
        }
        self.tally.packets += 1;
        self.tally.publishes += 1;
        self.tally.publish_bytes += payload.len() as u64;
    }
}

impl Terms {
    #[inline]
    fn head<'a>(&self, now: Instant, offer: &Offer<'a>, delivery: Delivery, dup: bool) -> PublishHead<'a> {
        let message = offer.message;
        let remaining = message
            .expires_at
            .map(|expires_at| expires_at.saturating_duration_since(now));
        let topic = message.topic.as_str();
        let topic = match self.mount_point.as_deref() {
            None => topic,
            Some(mount) => topic.strip_prefix(&**mount).unwrap_or(topic),
        };
        PublishHead {
            dup,
            retain: offer.retain,
            delivery,
            topic,
            topic_alias: None,
            properties: message.properties.values(),
            // Rounded up: a message with a fraction of a second left has not expired.
            message_expiry_interval_secs: remaining
                .map(|left| u32::try_from(left.as_millis().div_ceil(1000)).unwrap_or(u32::MAX)), /* [MQTT-3.3.2-6] */
            subscription_identifiers: offer.subscription_ids,
            payload_len: message.payload.len(),
        }
    }
}

/// False when the packet is larger than the client takes: then nothing is written.
fn write_into(outbox: &mut Outbox, terms: &Terms, encode: impl FnOnce(Version, &mut BytesMut)) -> bool {
    let tail = outbox.tail();
    let before = tail.len();
    encode(terms.version, tail);
    let fits = tail.len() - before <= terms.packet_bytes_max;
    if !fits {
        tail.truncate(before);
    }
    fits
}
