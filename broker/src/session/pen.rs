//! What writes packets for a client: beside what waits for it, so that a message can be written from where it waits.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;
use hookwire_hooks::{DropCause, Source};
use hookwire_protocol::{AckProperties, Delivery, PacketId, PublishHead, Pubrel, PubrelReason, QoS, Version};

use super::Terms;
use super::aliases::{Aliases, Naming};
use super::journal::Ledger;
use super::outbound;
use super::outbox::Outbox;
use super::parked::Parked;
use super::queue::Offer;
use crate::metrics::Tally;

/// Stands for a delivery whose identifier is not chosen yet: all are of one length.
const ANY_IDENTIFIED: Delivery = Delivery::AtLeastOnce(outbound::FIRST_ID);

/// The parts of a session that packets for its client go through. They are written in place: moving an outbox out and back
/// costs more than a small packet does.
pub(super) struct Pen<'a> {
    pub(super) terms: &'a Terms,
    pub(super) aliases: &'a mut Aliases,
    pub(super) outbox: &'a mut Outbox,
    pub(super) unwritten: usize,
    /// Packets that wait until what they say is safe.
    pub(super) parked: &'a mut Parked,
    pub(super) tally: &'a mut Tally,
    pub(super) ledger: Option<&'a Arc<Ledger>>,
}

impl Pen<'_> {
    /// Bytes that wait to be written.
    #[inline]
    pub(super) fn output_len(&self) -> usize {
        self.unwritten + self.outbox.len() + self.parked.len()
    }

    /// Puts a packet into the outbox, unless it is larger than the client takes. [MQTT-3.1.2-24]
    #[inline]
    pub(super) fn write(&mut self, encode: impl FnOnce(Version, &mut BytesMut)) {
        let is_written = write_into(self.outbox, self.terms, encode);
        self.tally.packets_sent += u64::from(is_written);
    }

    /// The same for an answer that must not be given before a batch is safe. Answers keep their order, so it waits behind
    /// those that wait.
    #[inline]
    pub(super) fn write_when_safe(&mut self, commit: u64, encode: impl FnOnce(Version, &mut BytesMut)) {
        if self.parked.is_empty() && self.is_safe(commit) {
            return self.write(encode);
        }
        let terms = self.terms;
        let is_written = self
            .parked
            .write(commit, |outbox| write_into(outbox, terms, encode));
        self.tally.packets_sent += u64::from(is_written);
    }

    #[inline]
    fn is_safe(&self, commit: u64) -> bool {
        commit == 0
            || self
                .ledger
                .is_none_or(|ledger| ledger.committer().is_safe(commit))
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
        let write = |outbox: &mut Outbox| {
            head.encode(terms.version, outbox.tail());
            outbox.push_payload(payload);
        };
        // Messages of QoS 2 keep their order, and the client's own come back to it behind their answers.
        let is_behind = !self.parked.is_empty()
            && (delivery.qos() == QoS::ExactlyOnce || offer.message.source == Source::Client(terms.key));
        if self.is_safe(commit) && !is_behind {
            write(self.outbox);
        } else {
            self.parked.write(commit, write);
        }
        self.tally.packets_sent += 1;
        self.tally.publishes_sent += 1;
        self.tally.publish_bytes_sent += payload.len() as u64;
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
        let topic = match &self.mount_point {
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
