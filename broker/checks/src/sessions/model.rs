//! What should happen: sessions as the specification tells of them, without a thought for speed.
//!
//! Every operation says which packets each client is owed; whatever the broker sends is looked up there, and
//! what nobody is owed is an error. Times are milliseconds since the beginning.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hookwire_protocol::{AckProperties, Packet, PacketId, Puback, Pubcomp, PublishReason, Pubrec};

use super::operation::{Ack, CLIENTS, Connecting, Subscribing};
use super::session::{Connection, Owed, Session, Subscription, matches, share_of, topic_filter};

/// What a small client takes, bytes of a packet.
pub(super) const SMALL: usize = 100;
/// QoS 1 and 2 messages on their way to one client, as configured.
pub(super) const WINDOW: usize = 4;
/// How long the session of an MQTT 3 client is kept.
const EXPIRY_MAX_MS: u64 = 7 * 24 * 60 * 60 * 1000;

/// An application message. Payloads are never the same twice, unless they are empty.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) topic: &'static str,
    pub(super) payload: String,
    pub(super) qos: u8,
    pub(super) retain: bool,
    pub(super) is_large: bool,
    pub(super) expires_at: Option<u64>,
    /// The client that published it, or that left it as its will.
    pub(super) client: usize,
    pub(super) is_will: bool,
}

#[derive(Debug)]
struct HeldWill {
    message: Message,
    due_at: u64,
}

/// The reference.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) now: u64,
    sessions: [Option<Session>; CLIENTS],
    wills: [Option<HeldWill>; CLIENTS],
    retained: BTreeMap<&'static str, Message>,
    turns: u32,
    shares: u32,
}

impl Model {
    // ---- connections

    /// A client connects. The answer tells whether its session is present.
    pub(super) fn connect(&mut self, client: usize, asked: &Connecting, will: Option<Message>) -> bool {
        let left = self.take_over(client, asked.clean);
        let is_present = !asked.clean && self.sessions[client].is_some();
        if !is_present {
            self.end_session(client);
        }
        let session = self.sessions[client].get_or_insert_with(Session::new);
        session.expiry_ms = match (asked.is_v5, asked.clean) {
            (true, _) => u64::from(asked.expiry_secs) * 1000,
            (false, true) => 0,
            (false, false) => EXPIRY_MAX_MS,
        };
        session.expires_at = None;
        let receive_maximum = asked
            .receive_maximum
            .filter(|_| asked.is_v5)
            .map_or(WINDOW, usize::from);
        session.attach(Connection {
            is_v5: asked.is_v5,
            window: receive_maximum.min(WINDOW),
            is_small: asked.is_v5 && asked.is_small,
            will: asked.will.clone().zip(will),
            resends: VecDeque::new(),
            answers: Vec::new(),
        });
        session.skip_resends();
        self.release_shares();
        self.roam();
        // [MQTT-3.1.3-9]: back in time, no will; unless its session has ended.
        if let Some(held) = self.wills[client].take()
            && !is_present
        {
            self.publish_will(held.message);
        }
        if let Some(will) = left {
            self.publish_will(will);
        }
        is_present
    }

    /// The old connection is closed; gives its will if that is due.
    fn take_over(&mut self, client: usize, clean: bool) -> Option<Message> {
        let session = self.sessions[client].as_mut()?;
        let connection = session.detach()?;
        let is_over = session.expiry_ms == 0;
        self.release_shares();
        if is_over {
            self.end_session(client);
        }
        let (leaving, message) = connection.will?;
        let delay = if connection.is_v5 { leaving.delay_secs } else { 0 };
        (is_over || clean || delay == 0).then_some(message)
    }

    /// A connection ends, with its will or without.
    pub(super) fn disconnect(&mut self, client: usize, with_will: bool, expiry_secs: Option<u32>) {
        let now = self.now;
        let Some(session) = &mut self.sessions[client] else {
            return;
        };
        let Some(connection) = session.detach() else {
            return;
        };
        if let Some(secs) = expiry_secs {
            session.expiry_ms = u64::from(secs) * 1000;
        }
        let lives_on = session.expiry_ms;
        session.expires_at = Some(now + lives_on);
        self.release_shares();
        self.roam();
        if lives_on == 0 {
            self.end_session(client);
        }
        let Some((leaving, message)) = connection.will.filter(|_| with_will) else {
            return;
        };
        let delay = if connection.is_v5 {
            u64::from(leaving.delay_secs) * 1000
        } else {
            0
        };
        match delay.min(lives_on) {
            0 => self.publish_will(message),
            wait => {
                self.wills[client] = Some(HeldWill {
                    message,
                    due_at: now + wait,
                });
            }
        }
    }

    fn end_session(&mut self, client: usize) {
        if let Some(mut session) = self.sessions[client].take() {
            self.forgo(session.owed.iter().filter_map(|owed| owed.share).collect());
            let roaming = session.let_go();
            self.offer(&roaming);
        }
    }

    /// What became optional for one member of a group is so for all: it may be the one that was chosen.
    fn release_shares(&mut self) {
        let owed = self.sessions.iter().flatten().flat_map(|session| &session.owed);
        let shares = owed.filter(|owed| owed.is_optional).filter_map(|owed| owed.share);
        self.forgo(shares.collect());
    }

    /// Members of shared subscriptions have come or gone: what one that is away has not got, or not acknowledged, may go to
    /// another.
    fn roam(&mut self) {
        let mut roaming = Vec::new();
        for session in self.sessions.iter_mut().flatten() {
            if session.connection.is_none() {
                roaming.extend(session.let_go());
            }
        }
        self.offer(&roaming);
    }

    fn offer(&mut self, roaming: &[Owed]) {
        for owed in roaming {
            for session in self.sessions.iter_mut().flatten() {
                session.may_get(owed);
            }
        }
    }

    fn forgo(&mut self, shares: BTreeSet<u32>) {
        for owed in self
            .sessions
            .iter_mut()
            .flatten()
            .flat_map(|session| &mut session.owed)
        {
            owed.is_optional |= owed.share.is_some_and(|share| shares.contains(&share));
        }
    }

    pub(super) fn is_online(&self, client: usize) -> bool {
        self.connection(client).is_some()
    }

    fn connection(&self, client: usize) -> Option<&Connection> {
        self.sessions[client].as_ref()?.connection.as_ref()
    }

    pub(super) fn has_session(&self, client: usize) -> bool {
        self.sessions[client].is_some()
    }

    pub(super) fn expiry_secs(&self, client: usize) -> u64 {
        self.sessions[client]
            .as_ref()
            .map_or(0, |session| session.expiry_ms / 1000)
    }

    // ---- time

    /// When something happens next.
    pub(super) fn next_deadline(&self) -> Option<u64> {
        let expiries = self
            .sessions
            .iter()
            .flatten()
            .filter_map(|session| session.expires_at);
        let wills = self.wills.iter().flatten().map(|will| will.due_at);
        expiries.chain(wills).min()
    }

    /// It is later now.
    pub(super) fn advance(&mut self, now: u64) {
        self.now = now;
        for client in 0..CLIENTS {
            let is_over = |session: &Session| session.expires_at.is_some_and(|at| at <= now);
            if self.sessions[client].as_ref().is_some_and(is_over) {
                self.end_session(client);
            }
            if let Some(held) = self.wills[client].take_if(|held| held.due_at <= now) {
                self.publish_will(held.message);
            }
        }
        let is_alive = |message: &Message| message.expires_at.is_none_or(|at| at > now);
        for session in self.sessions.iter_mut().flatten() {
            session.owed.retain(|owed| is_alive(&owed.message));
        }
        self.retained.retain(|_, message| is_alive(message));
    }

    // ---- subscriptions

    /// A client subscribes.
    pub(super) fn subscribe(&mut self, client: usize, asked: &Subscribing) {
        let Some(session) = &mut self.sessions[client] else {
            return;
        };
        let subscription = Subscription { asked: asked.clone() };
        let is_new = session.subscriptions.insert(asked.filter, subscription).is_none();
        let brings = match asked.retain_handling {
            0 => true,
            1 => is_new,
            _ => false,
        };
        if share_of(asked.filter).is_some() {
            session.is_member = true;
            return self.roam();
        }
        if !brings {
            return;
        }
        let is_small = session
            .connection
            .as_ref()
            .is_some_and(|connection| connection.is_small);
        // They come anew; what an earlier SUBSCRIBE brought need not come twice.
        for owed in &mut session.owed {
            owed.is_optional |= owed.is_replay && matches(asked.filter, owed.message.topic);
        }
        for message in self
            .retained
            .values()
            .filter(|message| matches(asked.filter, message.topic))
        {
            session.owed.push(Owed {
                qos: message.qos.min(asked.qos),
                retain: true,
                ids: asked.id.into_iter().collect(),
                turn: 0,
                share: None,
                is_replay: true,
                is_optional: is_small && message.is_large,
                message: message.clone(),
            });
        }
    }

    /// A client unsubscribes; tells whether there was a subscription.
    pub(super) fn unsubscribe(&mut self, client: usize, filter: &str) -> bool {
        let session = self.sessions[client].as_mut();
        session.is_some_and(|session| session.subscriptions.remove(filter).is_some())
    }

    // ---- messages from clients

    /// A client publishes: the message is routed unless it was taken before, and answered.
    pub(super) fn publish(&mut self, message: &Message, id: Option<PacketId>) {
        let client = message.client;
        let is_known = match (&mut self.sessions[client], id) {
            (Some(session), Some(id)) if message.qos == 2 => !session.unreleased.insert(id.get()),
            _ => false,
        };
        // With QoS 2 nobody says that nobody listens.
        let reason = if is_known || self.route(message) || message.qos == 2 {
            PublishReason::Success
        } else {
            PublishReason::NoMatchingSubscribers
        };
        let Some(packet_id) = id else { return };
        let is_v5 = self.connection(client).is_some_and(|connection| connection.is_v5);
        let reason = if is_v5 { reason } else { PublishReason::Success };
        let properties = AckProperties::default();
        self.answer(
            client,
            if message.qos == 1 {
                Packet::Puback(Puback {
                    packet_id,
                    reason,
                    properties,
                })
            } else {
                Packet::Pubrec(Pubrec {
                    packet_id,
                    reason,
                    properties,
                })
            },
        );
    }

    /// A client releases a message.
    pub(super) fn pubrel(&mut self, client: usize, packet_id: PacketId) {
        let Some(session) = &mut self.sessions[client] else {
            return;
        };
        let is_known = session.unreleased.remove(&packet_id.get());
        let reason = session.known(is_known);
        let properties = AckProperties::default();
        self.answer(
            client,
            Packet::Pubcomp(Pubcomp {
                packet_id,
                reason,
                properties,
            }),
        );
    }

    /// A client is owed this packet at once.
    pub(super) fn answer(&mut self, client: usize, packet: Packet) {
        if let Some(connection) = self.sessions[client]
            .as_mut()
            .and_then(|session| session.connection.as_mut())
        {
            connection.answers.push(packet);
        }
    }

    fn publish_will(&mut self, message: Message) {
        self.route(&message);
    }

    /// Owes the message to all who are entitled to it; false if nobody has subscribed.
    fn route(&mut self, message: &Message) -> bool {
        self.turns += 1;
        let turn = self.turns;
        if message.retain {
            self.keep(message);
        }
        let mut groups: BTreeMap<&'static str, Vec<usize>> = BTreeMap::new();
        let mut is_wanted = false;
        for client in 0..CLIENTS {
            let Some(session) = &mut self.sessions[client] else {
                continue;
            };
            let matching = session
                .subscriptions
                .values()
                .map(|subscription| &subscription.asked);
            let matching = matching.filter(|asked| matches(topic_filter(asked.filter), message.topic));
            let (shared, plain): (Vec<_>, Vec<_>) =
                matching.partition(|asked| share_of(asked.filter).is_some());
            for asked in shared {
                is_wanted = true;
                groups.entry(asked.filter).or_default().push(client);
            }
            // [MQTT-3.8.3-3]. Nothing is said about a client that hears its own will.
            let is_local = message.client == client;
            is_wanted |= !plain.is_empty();
            let plain: Vec<_> = plain
                .into_iter()
                .filter(|asked| message.is_will || !(is_local && asked.no_local))
                .collect();
            let owed = Owed::live(message, &plain);
            session.owe(owed.map(|owed| Owed {
                turn,
                is_optional: is_local && message.is_will && plain.iter().all(|asked| asked.no_local),
                ..owed
            }));
        }
        for (filter, members) in groups {
            self.owe_one(filter, &members, message);
        }
        is_wanted
    }

    fn owe_one(&mut self, filter: &str, members: &[usize], message: &Message) {
        let online: Vec<_> = members
            .iter()
            .copied()
            .filter(|&member| self.is_online(member))
            .collect();
        let members = if online.is_empty() { members } else { &online };
        self.shares += 1;
        let share = self.shares;
        let mut is_certain = true;
        for &member in members {
            let Some(session) = &mut self.sessions[member] else {
                continue;
            };
            let Some(subscription) = session.subscriptions.get(filter) else {
                continue;
            };
            let owed = Owed::live(message, &[&subscription.asked]);
            is_certain &= session.owe(owed.map(|owed| Owed {
                share: Some(share),
                ..owed
            }));
        }
        if !is_certain {
            self.forgo(BTreeSet::from([share]));
        }
        self.release_shares();
    }

    fn keep(&mut self, message: &Message) {
        if message.payload.is_empty() {
            self.retained.remove(message.topic);
        } else {
            self.retained.insert(message.topic, message.clone());
        }
        // What took its place may arrive first; the older one must not come after it.
        let owed = self
            .sessions
            .iter_mut()
            .flatten()
            .flat_map(|session| &mut session.owed);
        for owed in owed.filter(|owed| owed.is_replay && owed.message.topic == message.topic) {
            owed.is_optional = true;
        }
    }

    // ---- acknowledgements from clients

    /// A client acknowledges something.
    pub(super) fn acknowledge(&mut self, client: usize, ack: Ack, packet_id: PacketId) {
        let Some(session) = &mut self.sessions[client] else {
            return;
        };
        let answer = session.acknowledge(ack, packet_id);
        session.skip_resends();
        if let Some(answer) = answer {
            self.answer(client, answer);
        }
    }

    // ---- what the broker sends

    /// The broker has sent a packet of so many bytes.
    pub(super) fn check(&mut self, client: usize, packet: &Packet, len: usize) -> Result<(), String> {
        let now = self.now;
        let session = self.sessions[client].as_mut().ok_or("sent without a session")?;
        if let Packet::Publish(publish) = packet {
            let copies = session.check_publish(now, publish, len)?;
            session.skip_resends();
            let shares: BTreeSet<u32> = copies.iter().copied().flatten().collect();
            if copies.len() > 1 {
                // It is not to be told which of them it was.
                self.forgo(shares);
            } else {
                for other in self.sessions.iter_mut().flatten() {
                    other
                        .owed
                        .retain(|owed| owed.share.is_none_or(|share| !shares.contains(&share)));
                }
            }
            return Ok(());
        }
        let connection = session.connection.as_mut().ok_or("sent without a connection")?;
        if let Some(at) = connection.answers.iter().position(|answer| answer == packet) {
            connection.answers.remove(at);
            return Ok(());
        }
        match packet {
            Packet::Pubrel(pubrel) => {
                session.check_resent_pubrel(pubrel.packet_id.get())?;
                session.skip_resends();
                Ok(())
            }
            _ => Err(format!("not owed; owed are {:?}", connection.answers)),
        }
    }

    /// The broker has nothing more to send now: all answers have come.
    pub(super) fn check_answered(&self) -> Result<(), String> {
        for (client, session) in self.sessions.iter().enumerate() {
            let connection = session.as_ref().and_then(|session| session.connection.as_ref());
            if let Some(answers) = connection
                .map(|connection| &connection.answers)
                .filter(|it| !it.is_empty())
            {
                return Err(format!("client {client} is still owed {answers:?}"));
            }
        }
        Ok(())
    }

    /// All is read and acknowledged: nothing may be left.
    pub(super) fn check_delivered(&self) -> Result<(), String> {
        for (client, session) in self.sessions.iter().enumerate() {
            let Some(session) = session else { continue };
            if let Some(owed) = session
                .owed
                .iter()
                .find(|owed| !owed.is_optional && !session.is_member)
            {
                return Err(format!("client {client} never got {owed:?}"));
            }
            if let Some(inflight) = session.inflight.iter().find(|inflight| !inflight.may_have_moved) {
                return Err(format!("client {client} was never sent again {inflight:?}"));
            }
        }
        Ok(())
    }
}
