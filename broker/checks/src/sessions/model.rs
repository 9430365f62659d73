//! What should happen: sessions as the specification tells of them, without a thought for speed.
//!
//! Every operation says which packets each client is owed; whatever the broker sends is looked up there, and
//! what nobody is owed is an error. Times are milliseconds since the beginning.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hookwire_protocol::{
    AckProperties, Delivery, Packet, PacketId, Puback, Pubcomp, Publish, PublishReason, Pubrec, Pubrel,
    PubrelReason, QoS,
};

use super::operation::{Ack, CLIENTS, Connecting, Leaving, Subscribing};

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

/// A copy of a message that a session is to be sent.
#[derive(Debug, Clone)]
struct Owed {
    message: Message,
    /// Of all that was routed, this was the n-th. A publisher that sends again is routed again.
    turn: u32,
    qos: u8,
    retain: bool,
    ids: Vec<u32>,
    /// One of a shared group gets it: all copies with this number are one.
    share: Option<u32>,
    /// From the retained messages.
    is_replay: bool,
    /// It may not come after all.
    is_optional: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaits {
    Puback,
    Pubrec,
    Pubcomp,
}

/// A message on its way, sent at least once.
#[derive(Debug)]
struct Inflight {
    id: u16,
    owed: Owed,
    awaits: Awaits,
    /// On this connection.
    is_sent: bool,
    /// Of a shared subscription whose member was away: another may have got it.
    may_have_moved: bool,
}

#[derive(Debug)]
struct Connection {
    is_v5: bool,
    window: usize,
    is_small: bool,
    will: Option<(Leaving, Message)>,
    /// Identifiers of what has to be sent again, in order.
    resends: VecDeque<u16>,
    /// Answers that have to come at once.
    answers: Vec<Packet>,
}

#[derive(Debug)]
struct Subscription {
    asked: Subscribing,
}

#[derive(Debug)]
struct Session {
    subscriptions: BTreeMap<&'static str, Subscription>,
    connection: Option<Connection>,
    expiry_ms: u64,
    expires_at: Option<u64>,
    owed: Vec<Owed>,
    inflight: Vec<Inflight>,
    /// QoS 2 identifiers of the client that wait for PUBREL.
    unreleased: BTreeSet<u16>,
    /// The last turn of each publisher, topic, QoS as published and as delivered.
    last: BTreeMap<(usize, &'static str, u8, u8), u32>,
    /// It has, or had, shared subscriptions: what it is sent may be its own copy or one that another let go.
    is_member: bool,
    /// What a member was sent.
    seen: Vec<Owed>,
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
        let reason = if is_known || self.route(message) {
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
            let plain: Vec<_> = plain
                .into_iter()
                .filter(|asked| message.is_will || !(is_local && asked.no_local))
                .collect();
            is_wanted |= !plain.is_empty();
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

impl Owed {
    /// One copy for all matching subscriptions together. [MQTT-3.3.4-2], [MQTT-3.3.4-3]
    fn live(message: &Message, matching: &[&Subscribing]) -> Option<Self> {
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
    fn new() -> Self {
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
    fn attach(&mut self, mut connection: Connection) {
        for inflight in &mut self.inflight {
            inflight.is_sent = false;
        }
        connection.resends = self.inflight.iter().map(|inflight| inflight.id).collect();
        self.owed.retain(|owed| owed.qos > 0 && !owed.is_replay);
        for owed in &mut self.owed {
            owed.is_optional |= connection.is_small && owed.message.is_large;
        }
        self.connection = Some(connection);
    }

    /// QoS 0 messages are for those who are there; retained ones come again with the next SUBSCRIBE.
    fn detach(&mut self) -> Option<Connection> {
        let connection = self.connection.take()?;
        for owed in &mut self.owed {
            owed.is_optional |= owed.is_replay || owed.qos == 0;
        }
        Some(connection)
    }

    /// What another member of a shared subscription may get in place of this one.
    fn let_go(&mut self) -> Vec<Owed> {
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
    fn may_get(&mut self, owed: &Owed) {
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
    fn owe(&mut self, owed: Option<Owed>) -> bool {
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

    fn known(&self, is_known: bool) -> PubrelReason {
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

    fn on_the_way(&self) -> usize {
        self.inflight.iter().filter(|inflight| inflight.is_sent).count()
    }

    fn finish(&mut self, at: usize) {
        let id = self.inflight.remove(at).id;
        if let Some(connection) = &mut self.connection {
            connection.resends.retain(|&other| other != id);
        }
    }

    fn acknowledge(&mut self, ack: Ack, packet_id: PacketId) -> Option<Packet> {
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
    fn skip_resends(&mut self) {
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
    fn is_bound(&self, id: u16) -> bool {
        self.inflight
            .iter()
            .any(|inflight| inflight.id == id && !inflight.may_have_moved)
    }

    /// The next one that has to be sent again, if it is this.
    fn resend(&mut self, id: u16) -> Result<usize, String> {
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

    fn check_window(&self) -> Result<(), String> {
        let window = self.connection.as_ref().map_or(0, |connection| connection.window);
        if self.on_the_way() > window {
            return Err(format!("more than {window} on their way"));
        }
        Ok(())
    }

    fn check_resent_pubrel(&mut self, id: u16) -> Result<(), String> {
        let at = self.resend(id)?;
        if self.inflight[at].awaits != Awaits::Pubcomp {
            return Err("PUBREL without PUBREC".into());
        }
        Ok(())
    }

    /// Gives the copies that it may have been: `None` is one of the session's own.
    fn check_publish(
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
            (is_another, self.is_late(owed), owed.turn, owed.share)
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
            });
            self.check_window()?;
        }
        Ok(copies)
    }

    /// Copies for several groups, and for other subscriptions of a member, differ in what only MQTT 5 tells, and sometimes
    /// in nothing: which of them came first is not to be told. One that looks like another that was owed is let pass.
    fn take_lookalike(&mut self, publish: &Publish) -> bool {
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
            });
        }
        true
    }

    fn check_resent(&mut self, now: u64, publish: &Publish) -> Result<BTreeSet<Option<u32>>, String> {
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
        if inflight.awaits == Awaits::Pubcomp || !fits(&inflight.owed, publish, is_v5) {
            return Err(format!(
                "sent again, but not as the message that it was: {inflight:?}"
            ));
        }
        check_expiry(now, &inflight.owed.message, publish, is_v5)?;
        Ok(BTreeSet::new())
    }

    /// Per publisher, topic and QoS, what comes for the first time comes in the order of publishing. [MQTT-4.6.0-5]
    fn check_order(&mut self, owed: &Owed) -> Result<(), String> {
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

    /// One that was published later has come before.
    fn is_late(&self, owed: &Owed) -> bool {
        let message = &owed.message;
        let key = (message.client, message.topic, message.qos, owed.qos);
        self.last.get(&key).is_some_and(|&last| last > owed.turn)
    }
}

fn fits(owed: &Owed, publish: &Publish, is_v5: bool) -> bool {
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
fn check_expiry(now: u64, message: &Message, publish: &Publish, is_v5: bool) -> Result<(), String> {
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

fn share_of(filter: &str) -> Option<&str> {
    filter
        .strip_prefix("$share/")?
        .split_once('/')
        .map(|(share, _)| share)
}

fn topic_filter(filter: &str) -> &str {
    filter
        .strip_prefix("$share/")
        .and_then(|rest| rest.split_once('/'))
        .map_or(filter, |(_, filter)| filter)
}

fn matches(filter: &str, topic: &str) -> bool {
    crate::topics::naive(filter, topic)
}
