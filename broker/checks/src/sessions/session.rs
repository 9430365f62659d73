//! One session of the model: what it is owed, what is on its way, and whether a packet is one of those.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hookwire_protocol::{AckProperties, Delivery, Packet, PacketId, Publish, Pubrel, PubrelReason, QoS};

use super::model::{Message, SMALL};
use super::operation::{Ack, Leaving, Subscribing};

/// A copy of a message that a session is to be sent.
#[derive(Debug, Clone)]
pub(super) struct Owed {
    pub(super) message: Message,
    /// Of all that was routed, this was the n-th. A publisher that sends again is routed again.
    pub(super) turn: u32,
    pub(super) qos: u8,
    pub(super) retain: bool,
    pub(super) ids: Vec<u32>,
    /// One of a shared group gets it: all copies with this number are one.
    pub(super) share: Option<u32>,
    /// From the retained messages.
    pub(super) is_replay: bool,
    /// It may not come after all.
    pub(super) is_optional: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaits {
    Puback,
    Pubrec,
    Pubcomp,
}

/// A message on its way, sent at least once.
#[derive(Debug)]
pub(super) struct Inflight {
    pub(super) id: u16,
    pub(super) owed: Owed,
    pub(super) awaits: Awaits,
    /// On this connection.
    pub(super) is_sent: bool,
    /// Of a shared subscription whose member was away: another may have got it.
    pub(super) may_have_moved: bool,
    /// It was sent to a client of MQTT 5, which saw its subscription identifiers and its expiry. To others two messages may
    /// look alike.
    pub(super) was_identified: bool,
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) is_v5: bool,
    pub(super) window: usize,
    pub(super) is_small: bool,
    pub(super) will: Option<(Leaving, Message)>,
    /// Identifiers of what has to be sent again, in order.
    pub(super) resends: VecDeque<u16>,
    /// Answers that have to come at once.
    pub(super) answers: Vec<Packet>,
}

#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) asked: Subscribing,
}

#[derive(Debug)]
pub(super) struct Session {
    pub(super) subscriptions: BTreeMap<&'static str, Subscription>,
    pub(super) connection: Option<Connection>,
    pub(super) expiry_ms: u64,
    pub(super) expires_at: Option<u64>,
    pub(super) owed: Vec<Owed>,
    pub(super) inflight: Vec<Inflight>,
    /// QoS 2 identifiers of the client that wait for PUBREL.
    pub(super) unreleased: BTreeSet<u16>,
    /// The last turn of each publisher, topic, QoS as published and as delivered.
    pub(super) last: BTreeMap<(usize, &'static str, u8, u8), u32>,
    /// It has, or had, shared subscriptions: what it is sent may be its own copy or one that another let go.
    pub(super) is_member: bool,
    /// What a member was sent.
    pub(super) seen: Vec<Owed>,
}

impl Owed {
    /// One copy for all matching subscriptions together. [MQTT-3.3.4-2], [MQTT-3.3.4-3]
    pub(super) fn live(message: &Message, matching: &[&Subscribing]) -> Option<Self> {
        let qos = matching.iter().map(|asked| asked.qos).max()?;
        let mut ids: Vec<_> = matching.iter().filter_map(|asked| asked.id).collect();
        ids.sort_unstable();
        Some(Self {
            message: message.clone(),
            turn: 0,
            qos: qos.min(message.qos),
            retain: message.retain && matching.iter().any(|asked| asked.retain_as_published),
            ids,
            share: None,
            is_replay: false,
            is_optional: false,
        })
    }
}

impl Session {
    pub(super) fn new() -> Self {
        Self {
            subscriptions: BTreeMap::new(),
            connection: None,
            expiry_ms: 0,
            expires_at: None,
            owed: Vec::new(),
            inflight: Vec::new(),
            unreleased: BTreeSet::new(),
            last: BTreeMap::new(),
            is_member: false,
            seen: Vec::new(),
        }
    }

    /// Everything that was not acknowledged is sent again. [MQTT-4.4.0-1]
    pub(super) fn attach(&mut self, mut connection: Connection) {
        for inflight in &mut self.inflight {
            inflight.is_sent = false;
        }
        connection.resends = self.inflight.iter().map(|inflight| inflight.id).collect();
        self.owed.retain(|owed| owed.qos > 0);
        for owed in &mut self.owed {
            owed.is_optional |= connection.is_small && owed.message.is_large;
        }
        self.connection = Some(connection);
    }

    /// QoS 0 messages are for those who are there, and retained ones may find no room to wait.
    pub(super) fn detach(&mut self) -> Option<Connection> {
        let connection = self.connection.take()?;
        for owed in &mut self.owed {
            owed.is_optional |= owed.is_replay || owed.qos == 0;
        }
        Some(connection)
    }

    /// What another member of a shared subscription may get in place of this one.
    pub(super) fn let_go(&mut self) -> Vec<Owed> {
        let mut roaming = Vec::new();
        for owed in self.owed.iter_mut().filter(|owed| owed.share.is_some()) {
            owed.is_optional = true;
            roaming.push(owed.clone());
        }
        // What it was sent may have been the shared copy, whatever it was taken for.
        roaming.extend(self.seen.iter().map(|seen| Owed {
            share: seen.share.or(Some(0)),
            ..seen.clone()
        }));
        roaming
    }

    /// It may be chosen for what another let go.
    pub(super) fn may_get(&mut self, owed: &Owed) {
        let subscriptions = self
            .subscriptions
            .values()
            .map(|subscription| &subscription.asked);
        let shared = subscriptions.filter(|asked| share_of(asked.filter).is_some());
        let matching = shared.filter(|asked| matches(topic_filter(asked.filter), owed.message.topic));
        let copies: Vec<_> = matching
            .filter_map(|asked| Owed::live(&owed.message, &[asked]))
            .map(|copy| Owed {
                turn: owed.turn,
                share: owed.share,
                is_optional: true,
                ..copy
            })
            .collect();
        for copy in copies {
            let is_known =
                |owed: &Owed| owed.share == copy.share && owed.qos == copy.qos && owed.ids == copy.ids;
            if !self.owed.iter().any(is_known) {
                self.owed.push(copy);
            }
        }
    }

    /// Takes note of what is owed, if there is any chance; tells whether it is certain to come.
    pub(super) fn owe(&mut self, owed: Option<Owed>) -> bool {
        let Some(mut owed) = owed else { return true };
        let is_offline = self.connection.is_none();
        if is_offline && owed.qos == 0 {
            return false;
        }
        let is_small = self
            .connection
            .as_ref()
            .is_some_and(|connection| connection.is_small);
        owed.is_optional |= is_small && owed.message.is_large;
        let is_certain = !owed.is_optional;
        self.owed.push(owed);
        is_certain
    }

    pub(super) fn known(&self, is_known: bool) -> PubrelReason {
        let is_v5 = self
            .connection
            .as_ref()
            .is_some_and(|connection| connection.is_v5);
        if is_known || !is_v5 {
            PubrelReason::Success
        } else {
            PubrelReason::PacketIdentifierNotFound
        }
    }

    pub(super) fn on_the_way(&self) -> usize {
        self.inflight.iter().filter(|inflight| inflight.is_sent).count()
    }

    pub(super) fn finish(&mut self, at: usize) {
        let id = self.inflight.remove(at).id;
        if let Some(connection) = &mut self.connection {
            connection.resends.retain(|&other| other != id);
        }
    }

    pub(super) fn acknowledge(&mut self, ack: Ack, packet_id: PacketId) -> Option<Packet> {
        let at = self
            .inflight
            .iter()
            .position(|inflight| inflight.id == packet_id.get());
        let awaits = at.map(|at| self.inflight[at].awaits);
        if ack == Ack::Pubrec {
            let is_known = awaits.is_some_and(|awaits| awaits != Awaits::Puback);
            if let Some(at) = at.filter(|_| is_known) {
                self.inflight[at].awaits = Awaits::Pubcomp;
            }
            // [MQTT-4.3.3-4]
            let reason = self.known(is_known);
            let properties = AckProperties::default();
            return Some(Packet::Pubrel(Pubrel {
                packet_id,
                reason,
                properties,
            }));
        }
        let finishes = match ack {
            Ack::Puback => Awaits::Puback,
            Ack::Pubcomp => Awaits::Pubcomp,
            Ack::Refusal | Ack::Pubrec => Awaits::Pubrec,
        };
        if let Some(at) = at.filter(|_| awaits == Some(finishes)) {
            self.finish(at);
        }
        None
    }

    /// What is too large for the present connection is not sent again. Expiry is for what was never sent. [MQTT-4.3.3-7]
    pub(super) fn skip_resends(&mut self) {
        while let Some(connection) = &self.connection
            && let Some(front) = connection.resends.front()
            && self.on_the_way() < connection.window
            && let Some(at) = self.inflight.iter().position(|inflight| inflight.id == *front)
            && self.inflight[at].awaits != Awaits::Pubcomp
            && {
                let message = &self.inflight[at].owed.message;
                connection.is_small && message.is_large
            }
        {
            self.finish(at);
        }
    }

    /// Whether a message on its way is still this client's, whoever came and went.
    pub(super) fn is_bound(&self, id: u16) -> bool {
        self.inflight
            .iter()
            .any(|inflight| inflight.id == id && !inflight.may_have_moved)
    }

    /// The next one that has to be sent again, if it is this.
    pub(super) fn resend(&mut self, id: u16) -> Result<usize, String> {
        while let Some(front) = self
            .connection
            .as_ref()
            .and_then(|connection| connection.resends.front().copied())
            && front != id
            && !self.is_bound(front)
        {
            // Another member has it.
            if let Some(at) = self.inflight.iter().position(|inflight| inflight.id == front) {
                self.inflight.remove(at);
            }
            if let Some(connection) = &mut self.connection {
                connection.resends.pop_front();
            }
        }
        let connection = self.connection.as_mut().ok_or("sent without a connection")?;
        if connection.resends.front() != Some(&id) {
            return Err(format!(
                "sent again out of order; due are {:?}",
                connection.resends
            ));
        }
        connection.resends.pop_front();
        let at = self.inflight.iter().position(|inflight| inflight.id == id);
        let at = at.ok_or("sent again, though acknowledged")?;
        self.inflight[at].is_sent = true;
        self.check_window()?;
        Ok(at)
    }

    pub(super) fn check_window(&self) -> Result<(), String> {
        let window = self.connection.as_ref().map_or(0, |connection| connection.window);
        if self.on_the_way() > window {
            return Err(format!("more than {window} on their way"));
        }
        Ok(())
    }

    pub(super) fn check_resent_pubrel(&mut self, id: u16) -> Result<(), String> {
        let at = self.resend(id)?;
        if self.inflight[at].awaits != Awaits::Pubcomp {
            return Err("PUBREL without PUBREC".into());
        }
        Ok(())
    }

    /// Gives the copies that it may have been: `None` is one of the session's own.
    pub(super) fn check_publish(
        &mut self,
        now: u64,
        publish: &Publish,
        len: usize,
    ) -> Result<BTreeSet<Option<u32>>, String> {
        self.skip_resends();
        let connection = self.connection.as_ref().ok_or("sent without a connection")?;
        let is_v5 = connection.is_v5;
        if connection.is_small && len > SMALL {
            return Err(format!("{len} bytes for a client that takes {SMALL}"));
        }
        if publish.dup {
            return self.check_resent(now, publish);
        }
        if publish.delivery != Delivery::AtMostOnce && connection.resends.iter().any(|&id| self.is_bound(id))
        {
            return Err(format!("sent before {:?} are sent again", connection.resends));
        }
        let mut fitting: Vec<_> = (0..self.owed.len())
            .filter(|&at| fits(&self.owed[at], publish, is_v5))
            .collect();
        // Two routings of one message (its publisher sent it again) differ in their expiry only.
        fitting.sort_by_key(|&at| {
            let owed = &self.owed[at];
            let is_another = check_expiry(now, &owed.message, publish, is_v5).is_err();
            // A retained message may look like one that comes live. It has no place in their order.
            let is_out_of_order = !owed.is_replay && (self.is_late(owed) || self.overtakes(owed));
            (is_another, is_out_of_order, owed.is_replay, owed.turn, owed.share)
        });
        let Some(&at) = fitting.first() else {
            if self.is_member && self.take_lookalike(publish) {
                return Ok(BTreeSet::new());
            }
            return Err(format!("not owed; owed are {:#?}", self.owed));
        };
        let copies = fitting.iter().map(|&at| self.owed[at].share).collect();
        if self.owed[at].is_optional
            && let Some(&certain) = fitting.iter().find(|&&other| !self.owed[other].is_optional)
        {
            // They look alike: the one that had to come has come, and the other need not.
            self.owed[certain].is_optional = true;
        }
        let owed = self.owed.remove(at);
        if self.is_member {
            self.seen.push(owed.clone());
        } else {
            check_expiry(now, &owed.message, publish, is_v5)?;
        }
        self.check_order(&owed)?;
        if let Some(id) = publish.delivery.packet_id() {
            self.inflight
                .retain(|inflight| !(inflight.id == id.get() && inflight.may_have_moved));
            if self.inflight.iter().any(|inflight| inflight.id == id.get()) {
                return Err("the packet identifier is in use".into());
            }
            let awaits = if owed.qos == 1 {
                Awaits::Puback
            } else {
                Awaits::Pubrec
            };
            self.inflight.push(Inflight {
                id: id.get(),
                owed,
                awaits,
                is_sent: true,
                may_have_moved: self.is_member,
                was_identified: is_v5,
            });
            self.check_window()?;
        }
        Ok(copies)
    }

    /// Copies for several groups, and for other subscriptions of a member, differ in what only MQTT 5 tells, and sometimes
    /// in nothing: which of them came first is not to be told. One that looks like another that was owed is let pass.
    pub(super) fn take_lookalike(&mut self, publish: &Publish) -> bool {
        let is_alike = |owed: &&Owed| {
            publish.payload == owed.message.payload.as_bytes()
                && publish
                    .topic
                    .name()
                    .is_some_and(|name| name.as_str() == owed.message.topic)
        };
        let Some(owed) = self.seen.iter().chain(&self.owed).find(is_alike).cloned() else {
            return false;
        };
        if let Some(id) = publish.delivery.packet_id() {
            self.inflight.push(Inflight {
                id: id.get(),
                awaits: if publish.delivery.qos() == QoS::AtLeastOnce {
                    Awaits::Puback
                } else {
                    Awaits::Pubrec
                },
                owed,
                is_sent: true,
                may_have_moved: true,
                was_identified: false,
            });
        }
        true
    }

    pub(super) fn check_resent(
        &mut self,
        now: u64,
        publish: &Publish,
    ) -> Result<BTreeSet<Option<u32>>, String> {
        let id = publish.delivery.packet_id().ok_or("DUP with QoS 0")?;
        let at = self.resend(id.get())?;
        let inflight = &self.inflight[at];
        let is_v5 = self
            .connection
            .as_ref()
            .is_some_and(|connection| connection.is_v5);
        if self.is_member && inflight.awaits != Awaits::Pubcomp {
            return Ok(BTreeSet::new());
        }
        let sees_identifiers = is_v5 && inflight.was_identified;
        if inflight.awaits == Awaits::Pubcomp || !fits(&inflight.owed, publish, sees_identifiers) {
            return Err(format!(
                "sent again, but not as the message that it was: {inflight:?}"
            ));
        }
        if inflight.was_identified {
            check_expiry(now, &inflight.owed.message, publish, is_v5)?;
        }
        Ok(BTreeSet::new())
    }

    /// Per publisher, topic and QoS, what comes for the first time comes in the order of publishing. [MQTT-4.6.0-5]
    pub(super) fn check_order(&mut self, owed: &Owed) -> Result<(), String> {
        let message = &owed.message;
        if message.is_will || owed.is_replay || owed.share.is_some() || self.is_member {
            return Ok(());
        }
        if self.is_late(owed) {
            return Err("came after one that was published later".into());
        }
        let key = (message.client, message.topic, message.qos, owed.qos);
        self.last.insert(key, owed.turn);
        Ok(())
    }

    /// One that was published before is still to come.
    fn overtakes(&self, owed: &Owed) -> bool {
        let key = |owed: &Owed| {
            (
                owed.message.client,
                owed.message.topic,
                owed.message.qos,
                owed.qos,
            )
        };
        self.owed.iter().any(|other| {
            !other.is_replay && !other.is_optional && key(other) == key(owed) && other.turn < owed.turn
        })
    }

    /// One that was published later has come before.
    pub(super) fn is_late(&self, owed: &Owed) -> bool {
        let message = &owed.message;
        let key = (message.client, message.topic, message.qos, owed.qos);
        self.last.get(&key).is_some_and(|&last| last > owed.turn)
    }
}

pub(super) fn fits(owed: &Owed, publish: &Publish, is_v5: bool) -> bool {
    let mut ids = publish
        .properties
        .values()
        .map_or(Vec::new(), |values| values.subscription_identifiers.clone());
    ids.sort_unstable();
    publish
        .topic
        .name()
        .is_some_and(|name| name.as_str() == owed.message.topic)
        && publish.payload == owed.message.payload.as_bytes()
        && publish.delivery.qos() == qos(owed.qos)
        && publish.retain == owed.retain
        && (!is_v5 || ids == owed.ids)
}

/// What is left of the message expiry interval goes with it. [MQTT-3.3.2-6]
pub(super) fn check_expiry(
    now: u64,
    message: &Message,
    publish: &Publish,
    is_v5: bool,
) -> Result<(), String> {
    let told = publish
        .properties
        .values()
        .and_then(|values| values.message_expiry_interval_secs);
    let left = message
        .expires_at
        .filter(|_| is_v5)
        .map(|at| at.saturating_sub(now).div_ceil(1000));
    if told.map(u64::from) != left {
        return Err(format!("expires in {told:?} s, should in {left:?} s"));
    }
    Ok(())
}

pub(super) fn qos(qos: u8) -> QoS {
    QoS::from_u8(qos).unwrap_or_default()
}

pub(super) fn share_of(filter: &str) -> Option<&str> {
    filter
        .strip_prefix("$share/")?
        .split_once('/')
        .map(|(share, _)| share)
}

pub(super) fn topic_filter(filter: &str) -> &str {
    filter
        .strip_prefix("$share/")
        .and_then(|rest| rest.split_once('/'))
        .map_or(filter, |(_, filter)| filter)
}

pub(super) fn matches(filter: &str, topic: &str) -> bool {
    crate::topics::naive(filter, topic)
}
